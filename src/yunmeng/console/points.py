"""Entities as points on the map, coloured by an attribute."""

from typing import Any

from yunmeng.console.asked import narrowed
from yunmeng.console.documents import Entity
from yunmeng.console.figures import is_stale, level_of
from yunmeng.console.terms import Terms, terms_of
from yunmeng.console.views import Layer
from yunmeng.kernel.serve import Call
from yunmeng.kernel.store import EntityQuery

MOST = 5000
_PAGE = 1000


async def points(call: Call, layer: Layer, code: str) -> dict[str, Any]:
    """Returns the entities of a layer as GeoJSON, at most :data:`MOST`; ``count`` says how many there are."""
    terms = terms_of(call)
    documents: list[bytes] = []
    count = 0
    while len(documents) < MOST:
        query = EntityQuery(
            narrowed(call.reach, code),
            types=terms.type_is(layer.type),
            limit=_PAGE,
            after=terms.read(documents[-1]).id if documents else "",
            count=not documents,
        )
        page = await call.services.state.query(query)
        count = page.count if page.count is not None else count
        documents.extend(page.documents)
        if len(page.documents) < _PAGE:
            break
    entities = [terms.read(body) for body in documents]
    features = [feature for one in entities if (feature := _feature(terms, layer, one))]
    unit = layer.unit or terms.unit(layer.type, layer.attribute)
    return {
        "unit": unit,
        "symbol": terms.symbol(unit),
        "count": count,
        "features": {"type": "FeatureCollection", "features": features},
        "observed_at": max((one["properties"]["observed_at"] for one in features), default=0),
        "synthetic": any(one.synthetic for one in entities),
    }


def _feature(terms: Terms, layer: Layer, entity: Entity) -> dict[str, Any] | None:
    geometry = entity.location
    if geometry is None:
        return None
    instance = entity.first(terms.uri(layer.attribute)) if layer.attribute else None
    value = instance.number if instance else None
    value = terms.converter(layer.type, layer.attribute, layer.unit)(value)
    observed = instance.observed_us if instance else 0
    return {
        "type": "Feature",
        "geometry": geometry,
        "properties": {
            "id": entity.id,
            "division": entity.division,
            "name": entity.name(terms.language),
            "value": value,
            "text": instance.text if instance and value is None else "",
            "level": level_of(value, layer.thresholds),
            "observed_at": observed // 1000,
            "stale": is_stale(observed, layer.stale_s),
            "synthetic": entity.synthetic,
        },
    }

"""Entities as points on the map, coloured by an attribute: now, or as they were at a time."""

from typing import Any

from starlette.responses import Response

from yunmeng.console.asked import HOUR_US, asked_division, narrowed
from yunmeng.console.documents import Entity
from yunmeng.console.figures import is_stale, level_of
from yunmeng.console.registry import find, views_of
from yunmeng.console.terms import Terms, terms_of
from yunmeng.console.views import Layer
from yunmeng.kernel.base import Forbidden, NotFound, instant_us, now_us
from yunmeng.kernel.serve import Call, closed, squeezed_reply
from yunmeng.kernel.store import EntityQuery, TemporalQuery

MOST = 20_000
_PAGE = 2000
_DIGITS = 6


async def points(call: Call, layer: Layer, code: str) -> dict[str, Any]:
    """Returns the entities of a layer as GeoJSON, at most :data:`MOST`; ``count`` says how many there are."""
    terms = terms_of(call)
    uri = terms.uri(layer.attribute)
    wanted = (uri,) if uri and uri not in closed(call) else ()
    entities: list[Entity] = []
    count = 0
    while len(entities) < MOST:
        query = EntityQuery(
            narrowed(call.reach, code),
            types=terms.type_is(layer.type),
            limit=_PAGE,
            after=entities[-1].id if entities else "",
            count=not entities,
        )
        page = await call.services.state.query(query)
        count = page.count if page.count is not None else count
        entities += [terms.read_part(body, wanted) for body in page.documents]
        if len(page.documents) < _PAGE:
            break
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


async def past(call: Call) -> Response:
    """Answers with the values of a layer of points as they stood ``at`` a time, by entity."""
    layer = find(views_of(call.services), "layers", call.request.path_params["id"])
    if not isinstance(layer, Layer) or layer.kind != "points" or not layer.attribute:
        raise NotFound("console.view.unknown", kind="layers", id=layer.id)
    terms, code = terms_of(call), asked_division(call)
    uri = terms.uri(layer.attribute)
    if uri in closed(call):
        raise Forbidden("attribute.graded", attributes=layer.attribute)
    at = instant_us(call.request.query_params.get("at", ""))
    # older than this a value was stale then, too
    start = at - max(layer.stale_s * 1_000_000, HOUR_US)
    query = TemporalQuery(narrowed(call.reach, code), (), (uri,), "between", start, at, last=1, limit=1)
    convert = terms.converter(layer.type, layer.attribute, layer.unit)
    found = await call.services.history.points(query)
    values = {
        one.entity: round(convert(one.value) or 0.0, _DIGITS)
        for one in found
        if isinstance(one.value, float | int)
    }
    payload = {"id": layer.id, "division": code, "at": at // 1000, "asked_at": now_us() // 1000}
    return squeezed_reply(call, {**payload, "values": values})


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
            "value": None if value is None else round(value, _DIGITS),
            "text": instance.text if instance and value is None else "",
            "level": level_of(value, layer.thresholds),
            "observed_at": observed // 1000,
            "stale": is_stale(observed, layer.stale_s),
            "synthetic": entity.synthetic,
        },
    }

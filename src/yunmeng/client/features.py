"""Entities as GeoJSON features and back (RFC 7946), for maps and other tools."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, cast

from yunmeng.client.values import Entity, geo
from yunmeng.kernel.base import BadInput, make_urn

_HEAD = frozenset(("id", "type", "location", "@context"))


def to_features(entities: Iterable[Entity]) -> dict[str, Any]:
    """Returns a FeatureCollection of entities; ``location`` is the geometry, the rest are properties."""
    return {"type": "FeatureCollection", "features": [_feature(entity) for entity in entities]}


def _feature(entity: Entity) -> dict[str, Any]:
    place: Any = entity.get("location")
    if isinstance(place, dict) and "value" in place:
        place = cast("dict[str, Any]", place)["value"]
    rest = {name: value for name, value in entity.items() if name not in _HEAD}
    return {
        "type": "Feature",
        "id": entity["id"],
        "geometry": place,
        "properties": {"type": entity["type"], **rest},
    }


def from_features(collection: Mapping[str, Any], type: str = "") -> Iterator[Entity]:
    """Yields the entities of a FeatureCollection or a Feature.

    A feature without a ``type`` among its properties is of ``type``; one whose id is no URI gets a URN.

    Raises:
        BadInput: ``client.entity`` when a feature has no id or no type.
    """
    features = collection.get("features", [collection])
    for feature in features:
        rest = dict(feature.get("properties") or {})
        kind = str(rest.pop("type", "") or type)
        id_ = str(feature.get("id") or rest.pop("id", ""))
        rest.pop("id", None)
        if not id_ or not kind:
            raise BadInput("client.entity", reason=f"a feature without id or type: {str(feature)[:80]}")
        id_ = id_ if ":" in id_ else make_urn(kind, id_)
        place = {"location": geo(feature["geometry"])} if feature.get("geometry") else {}
        yield {"id": id_, "type": kind, **rest, **place}

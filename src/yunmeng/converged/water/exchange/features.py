"""The register as GeoJSON (RFC 7946): one feature an entity, its attributes as properties."""

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from yunmeng.converged.water.exchange.sheets import Rows
from yunmeng.kernel.base import BadInput
from yunmeng.kernel.model import TypeLibrary, check_geometry, is_array, is_object

_MOST = 200_000
_OWN = ("id", "code", "name", "nameEn", "division")


def read_features(data: bytes, library: TypeLibrary, type_: str = "") -> Rows:
    """Reads a FeatureCollection; the type of a feature is its property ``type``, else ``type_``.

    Properties that the type does not know are refused, so that nothing is lost without a word.

    Raises:
        BadInput: ``water.features`` naming the feature and what is wrong with it.
    """
    try:
        document = msgspec.json.decode(data)
    except msgspec.DecodeError as cause:
        raise BadInput("water.features", feature="-", reason=str(cause)) from cause
    features = document.get("features") if is_object(document) else None
    if not is_array(features) or not 0 < len(features) <= _MOST:
        raise BadInput("water.features", feature="-", reason="FeatureCollection with features")
    rows: Rows = {}
    for number, feature in enumerate(features, start=1):
        kind, row = _row(number, feature, library, type_)
        rows.setdefault(kind, []).append(row | {"row": number})
    return rows


def write_features(entities: Iterable[Mapping[str, Any]]) -> bytes:
    """Returns entities in simplified form as a FeatureCollection."""
    features = [
        {
            "type": "Feature",
            "id": entity["id"],
            "geometry": entity.get("location"),
            "properties": {
                name: value for name, value in entity.items() if name not in ("location", "@context")
            },
        }
        for entity in entities
    ]
    return msgspec.json.encode({"type": "FeatureCollection", "features": features})


def _row(number: int, feature: Any, library: TypeLibrary, type_: str) -> tuple[str, dict[str, Any]]:
    if not is_object(feature) or not is_object(feature.get("properties")):
        raise BadInput("water.features", feature=number, reason="properties")
    properties: dict[str, Any] = dict(feature["properties"])
    kind = str(properties.pop("type", type_))
    if kind not in library.types:
        raise BadInput("water.features", feature=number, reason=f"type {kind or '-'}")
    known = {row.name for row in library.types[kind].attributes}.union(_OWN)
    for name in properties:
        if name not in known:
            raise BadInput("water.features", feature=number, reason=f"{kind} has no {name}")
    geometry: object = feature.get("geometry")
    if geometry is not None:
        check_geometry("location", geometry)
        properties["location"] = geometry
    if isinstance(feature.get("id"), str) and str(feature["id"]).startswith("urn:"):
        properties.setdefault("id", feature["id"])
    return kind, {name: value for name, value in properties.items() if value is not None}

"""GeoJSON geometries in WGS 84, checked (RFC 7946; ETSI GS CIM 009 §4.7)."""

from collections.abc import Callable
from math import isfinite
from typing import Any

import msgspec

from yunmeng.kernel.base import BadInput
from yunmeng.kernel.model.attribute_kinds import GEOMETRIES
from yunmeng.kernel.model.json_values import is_array, is_object


def looks_like_geometry(value: object) -> bool:
    """Says whether a value claims to be a GeoJSON geometry."""
    return isinstance(value, dict) and "coordinates" in value and _kind(value) in GEOMETRIES  # pyright: ignore[reportUnknownArgumentType]


def check_geometry(name: str, value: object) -> dict[str, object]:
    """Returns the geometry when it is sound; text that holds one as JSON counts as it (§4.7.1).

    Raises ``BadInput`` with ``geometry.type``, ``geometry.position``, ``geometry.range``, ``geometry.line``
    or ``geometry.ring``, naming the attribute.
    """
    if isinstance(value, str):
        value = _decoded(name, value)
    if not is_object(value) or _kind(value) not in GEOMETRIES:
        raise BadInput("geometry.type", attribute=name)
    _CHECKS[value["type"]](name, value.get("coordinates"))
    return value


def _decoded(name: str, text: str) -> object:
    try:
        return msgspec.json.decode(text)
    except (msgspec.DecodeError, RecursionError) as cause:
        raise BadInput("geometry.type", attribute=name) from cause


def _kind(value: dict[str, Any]) -> str:
    kind = value.get("type")
    return kind if isinstance(kind, str) else ""


def _position(name: str, position: object) -> None:
    if not is_array(position) or not 2 <= len(position) <= 3:
        raise BadInput("geometry.position", attribute=name)
    for number in position:
        if type(number) not in (int, float) or not isfinite(number):
            raise BadInput("geometry.position", attribute=name)
    if not (-180 <= position[0] <= 180 and -90 <= position[1] <= 90):
        raise BadInput("geometry.range", attribute=name, longitude=position[0], latitude=position[1])


def _positions(name: str, positions: object) -> None:
    if not is_array(positions) or not positions:
        raise BadInput("geometry.position", attribute=name)
    for position in positions:
        _position(name, position)


def _line(name: str, positions: object) -> None:
    _positions(name, positions)
    if not is_array(positions) or len(positions) < 2:
        raise BadInput("geometry.line", attribute=name)


def _polygon(name: str, rings: object) -> None:
    if not is_array(rings) or not rings:
        raise BadInput("geometry.ring", attribute=name)
    for ring in rings:
        _positions(name, ring)
        if len(ring) < 4 or ring[0] != ring[-1]:
            raise BadInput("geometry.ring", attribute=name)


def _each(check: Callable[[str, object], None]) -> Callable[[str, object], None]:
    def checked(name: str, parts: object) -> None:
        if not is_array(parts) or not parts:
            raise BadInput("geometry.position", attribute=name)
        for part in parts:
            check(name, part)

    return checked


_CHECKS: dict[str, Callable[[str, object], None]] = {
    "Point": _position,
    "MultiPoint": _positions,
    "LineString": _line,
    "MultiLineString": _each(_line),
    "Polygon": _polygon,
    "MultiPolygon": _each(_polygon),
}

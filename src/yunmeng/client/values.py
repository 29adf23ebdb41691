"""Attributes in the normalized representation (ETSI GS CIM 009 §4.5.1): three helpers, plain dicts."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

Entity = dict[str, Any]


def prop(value: object, *, unit: str = "", at: datetime | str = "", **more: object) -> dict[str, Any]:
    """Returns a Property: ``prop(21.5, unit="CEL", at=datetime.now(UTC))``.

    ``unit`` is a UN/CEFACT code, ``at`` when it was observed (with a zone); ``more`` are further members and
    sub-attributes.
    """
    return _attribute("Property", "value", value, unit=unit, at=at, more=more)


def rel(target: str | Sequence[str], *, at: datetime | str = "", **more: object) -> dict[str, Any]:
    """Returns a Relationship to an entity, or to several, by id."""
    object_ = target if isinstance(target, str) else list(target)
    return _attribute("Relationship", "object", object_, at=at, more=more)


def geo(
    place: tuple[float, float] | dict[str, Any], *, at: datetime | str = "", **more: object
) -> dict[str, Any]:
    """Returns a GeoProperty of ``(longitude, latitude)`` in degrees, or of a GeoJSON geometry."""
    geometry = place if isinstance(place, dict) else {"type": "Point", "coordinates": list(place)}
    return _attribute("GeoProperty", "value", geometry, at=at, more=more)


def _attribute(
    type_: str, member: str, value: object, *, unit: str = "", at: datetime | str, more: dict[str, object]
) -> dict[str, Any]:
    head: dict[str, Any] = {"type": type_, member: value}
    if unit:
        head["unitCode"] = unit
    if at:
        head["observedAt"] = at if isinstance(at, str) else at.isoformat().replace("+00:00", "Z")
    return {**head, **more}

"""What the index holds of a document: scalars of the attributes asked for, and boxes of its geometries."""

from collections.abc import Iterator, Mapping
from typing import Any, cast

import msgspec

from yunmeng.kernel.model import Document
from yunmeng.kernel.store.state.port import Outline

TEXT_MOST = 64
"""Longer texts are indexed by their beginning; a hit on one is a candidate only."""

Box = tuple[float, float, float, float]
Scalar = float | str
Facets = tuple[list[tuple[int, Scalar]], list[Box]]

SCALAR, ELEMENT, BOOLEAN = 0, 1, 2
"""How a value stands: by itself, in an array or a relationship (only ``==`` sees it), or as a boolean."""

_MEMBERS = {
    "Relationship": "object",
    "VocabProperty": "vocab",
    "JsonProperty": "json",
    "ListProperty": "valueList",
    "ListRelationship": "objectList",
    "LanguageProperty": "languageMap",
}
_BOXES_MOST = 16
_packer = msgspec.msgpack.Encoder()
_unpacker = msgspec.msgpack.Decoder()


def is_attribute(member: str) -> bool:
    """Tells an attribute, whose name is a URI, from a member such as ``createdAt``."""
    return ":" in member


def outline_of(document: Document) -> Outline:
    """Returns what the index always wants of a document."""
    scopes: list[str] | str = document.get("scope", [])
    return Outline(
        tuple([member for member in document if is_attribute(member)]),
        tuple(scopes) if isinstance(scopes, list) else (scopes,),
        boxes_of(document),
    )


def facets_of(document: Document, indexed: Mapping[str, int]) -> Facets:
    """Returns the index values of the attributes in ``indexed`` and the boxes of all geometries."""
    values: set[tuple[int, Scalar]] = set()
    for uri in indexed.keys() & document.keys():
        attribute = indexed[uri]
        values.update(
            (place_of(attribute, place), scalar)
            for instance in document[uri]
            for place, scalar in _of_instance(instance)
        )
    return sorted(values, key=_order), boxes_of(document)


def pack(facets: Facets) -> bytes:
    """Returns facets as bytes that are equal when the facets are."""
    return _packer.encode(facets) if facets[0] or facets[1] else b""


def unpack(packed: bytes) -> Facets:
    """Returns what :func:`pack` was given."""
    if not packed:
        return [], []
    values, boxes = _unpacker.decode(packed)
    return [(attribute, scalar) for attribute, scalar in values], [cast("Box", tuple(box)) for box in boxes]


def boxes_of(document: Document) -> list[Box]:
    """Returns the boxes (west, south, east, north) of the geometries; the 16th holds all that are left."""
    boxes: list[Box] = []
    for uri, instances in document.items():
        if ":" not in uri:
            continue
        for instance in instances:
            if instance.get("type") == "GeoProperty":
                box = box_of(instance.get("value"))
                if box is not None:
                    boxes.append(box)
    return (
        boxes if len(boxes) <= _BOXES_MOST else [*boxes[: _BOXES_MOST - 1], _join(boxes[_BOXES_MOST - 1 :])]
    )


def box_of(geometry: object) -> Box | None:
    """Returns the box of a GeoJSON geometry, or None when it has no position."""
    if not isinstance(geometry, dict):
        return None
    shape = cast("dict[str, Any]", geometry)
    if "geometries" in shape:
        parts = [box for box in map(box_of, shape["geometries"]) if box is not None]
        return _join(parts) if parts else None
    coordinates = shape.get("coordinates")
    if shape.get("type") == "Point" and coordinates:
        west, south = float(coordinates[0]), float(coordinates[1])
        return (west, south, west, south)
    positions = list(_positions(coordinates))
    if not positions:
        return None
    xs, ys = [p[0] for p in positions], [p[1] for p in positions]
    return (min(xs), min(ys), max(xs), max(ys))


def _positions(coordinates: Any) -> Iterator[tuple[float, float]]:
    if not isinstance(coordinates, list) or not coordinates:
        return
    items = cast("list[Any]", coordinates)
    if isinstance(items[0], list):
        for item in items:
            yield from _positions(item)
    elif len(items) >= 2:
        yield (float(items[0]), float(items[1]))


def _join(boxes: list[Box]) -> Box:
    west, south, east, north = zip(*boxes, strict=True)
    return (min(west), min(south), max(east), max(north))


def _of_instance(instance: dict[str, Any]) -> Iterator[tuple[int, Scalar]]:
    kind = instance.get("type", "Property")
    value = instance.get(_MEMBERS.get(kind, "value"))
    if kind == "LanguageProperty" and isinstance(value, dict):
        value = list(cast("dict[str, Any]", value).values())
    elif kind == "ListRelationship" and isinstance(value, list):
        value = [item.get("object") for item in cast("list[dict[str, Any]]", value)]
    elif isinstance(value, dict):
        value = cast("dict[str, Any]", value).get("@value")
    return _of_value(value, ELEMENT if kind in ("Relationship", "ListRelationship") else SCALAR)


def _of_value(value: Any, place: int) -> Iterator[tuple[int, Scalar]]:
    if isinstance(value, bool):
        yield BOOLEAN, "true" if value else "false"
    elif isinstance(value, int | float):
        yield place, as_float(value)
    elif isinstance(value, str):
        yield place, as_text(value)
    elif isinstance(value, list):
        for item in cast("list[Any]", value):
            yield from _of_value(item, ELEMENT)


def place_of(attribute: int, place: int) -> int:
    """Returns the number under which an attribute's values of one place are indexed."""
    return attribute * 4 + place


def as_text(value: str) -> str:
    """Returns a text as it is indexed: cut, in the same order, without NUL, which not every engine stores."""
    if "\x00" in value or "\x01" in value:
        value = value.replace("\x01", "\x01\x02").replace("\x00", "\x01\x01")
    return value[:TEXT_MOST]


def as_float(value: float) -> float:
    """Returns the nearest float; whole numbers beyond its range become infinite."""
    try:
        return float(value) + 0.0
    except OverflowError:
        return float("inf") if value > 0 else float("-inf")


def _order(item: tuple[int, Scalar]) -> tuple[int, bool, Scalar]:
    return item[0], isinstance(item[1], str), item[1]

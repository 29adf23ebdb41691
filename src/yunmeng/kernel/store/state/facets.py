"""What the index holds of a document: scalars of the attributes that are asked for, and boxes of its geometries."""

from collections.abc import Iterator, Mapping
from typing import Any, cast

import msgspec

from yunmeng.kernel.model import Document

TEXT_MOST = 64
"""Longer texts are indexed by their beginning; a hit on one is a candidate only."""

TRUE, FALSE = "\x01true", "\x01false"

Box = tuple[float, float, float, float]
Scalar = float | str
Facets = tuple[list[tuple[int, Scalar]], list[Box]]

_MEMBERS = ("value", "object", "vocab", "valueList", "objectList", "languageMap", "json")
_BOXES_MOST = 16
_packer = msgspec.msgpack.Encoder()
_unpacker = msgspec.msgpack.Decoder()


def is_attribute(member: str) -> bool:
    """Tells an attribute, whose name is a URI, from a member such as ``createdAt``."""
    return ":" in member


def facets_of(document: Document, indexed: Mapping[str, int]) -> Facets:
    """Returns the index values of the attributes in ``indexed`` and the boxes of all geometries."""
    values: set[tuple[int, Scalar]] = set()
    for uri in indexed.keys() & document.keys():
        attribute = indexed[uri]
        values.update((attribute, scalar) for scalar in _of_instances(document[uri]))
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
    return boxes if len(boxes) <= _BOXES_MOST else [*boxes[: _BOXES_MOST - 1], _join(boxes[_BOXES_MOST - 1 :])]


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
        return (coordinates[0], coordinates[1], coordinates[0], coordinates[1])
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
        yield (items[0], items[1])


def _join(boxes: list[Box]) -> Box:
    west, south, east, north = zip(*boxes, strict=True)
    return (min(west), min(south), max(east), max(north))


def _of_instances(instances: list[dict[str, Any]]) -> Iterator[Scalar]:
    for instance in instances:
        for member in _MEMBERS:
            if member in instance:
                yield from scalars(instance[member])


def scalars(value: Any) -> Iterator[Scalar]:
    """Yields what is indexed of a value: numbers as floats, booleans and texts as texts, parts of arrays and objects."""
    if isinstance(value, bool):
        yield TRUE if value else FALSE
    elif isinstance(value, int | float):
        yield as_float(value)
    elif isinstance(value, str):
        yield value[:TEXT_MOST].replace("\x00", "")
    elif isinstance(value, list):
        for item in cast("list[Any]", value):
            yield from scalars(item)
    elif isinstance(value, dict):
        for item in cast("dict[str, Any]", value).values():
            yield from scalars(item)


def as_float(value: float) -> float:
    """Returns the nearest float; whole numbers beyond its range become infinite."""
    try:
        return float(value) + 0.0
    except OverflowError:
        return float("inf") if value > 0 else float("-inf")


def _order(item: tuple[int, Scalar]) -> tuple[int, bool, Scalar]:
    return item[0], isinstance(item[1], str), item[1]

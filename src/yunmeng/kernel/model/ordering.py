"""The order of entities in an answer (ETSI GS CIM 009 §4.23)."""

from collections.abc import Callable, Iterator, Sequence
from functools import total_ordering
from typing import Any

import msgspec

from yunmeng.kernel.base import BadInput, instant_us
from yunmeng.kernel.model.attribute_kinds import GEOMETRIES
from yunmeng.kernel.model.collation import Collate, collation
from yunmeng.kernel.model.conditions import Order, OrderKey
from yunmeng.kernel.model.contexts import Context
from yunmeng.kernel.model.geo import distance_m, geometries, to_shape
from yunmeng.kernel.model.geometry import check_geometry
from yunmeng.kernel.model.json_values import is_array, is_object
from yunmeng.kernel.model.match import targets
from yunmeng.kernel.model.operations import Document
from yunmeng.kernel.model.q import parse_path

_STYLES = ("asc", "desc", "dist-asc", "dist-desc")
_NUMBER, _TEXT, _OBJECT, _ARRAY, _BOOLEAN, _TIME = range(6)

SortKey = tuple[Any, ...]


def parse_order(
    keys: Sequence[str],
    context: Context,
    *,
    coordinates: object = None,
    geometry: object = "Point",
    language: str = "",
) -> Order:
    """Returns the order that ``orderBy`` states, each key a path with ``;asc``, ``;desc``, ``;dist-asc``...

    ``coordinates`` (JSON, or its text) and ``geometry`` say from where distances are measured, ``language``
    is the tag of the collation. Raises ``BadInput`` with ``order.key``, ``order.origin``,
    ``collation.unknown``, or a key of :func:`parse_path` or :func:`check_geometry`.
    """
    if language:
        collation(language)
    origin = None if coordinates is None else _origin(coordinates, geometry)
    if geometry not in GEOMETRIES:
        raise BadInput("order.origin", geometry=str(geometry))
    return Order(tuple(_key(key, context, origin) for key in keys), language)


def _origin(coordinates: object, geometry: object) -> dict[str, Any]:
    if isinstance(coordinates, str):
        try:
            coordinates = msgspec.json.decode(coordinates)
        except msgspec.DecodeError as cause:
            raise BadInput("order.origin", geometry=str(geometry)) from cause
    return check_geometry("orderFrom", {"type": geometry, "coordinates": coordinates})


def _key(text: str, context: Context, origin: dict[str, Any] | None) -> OrderKey:
    path, _, style = text.partition(";")
    style = style or "asc"
    if style not in _STYLES:
        raise BadInput("order.key", key=text)
    far = style.startswith("dist-")
    if far and origin is None:
        raise BadInput("order.origin", geometry="-")
    return OrderKey(parse_path(path, context), style.endswith("desc"), origin if far else None)


def sorting(order: Order) -> Callable[[Document], SortKey]:
    """Returns what gives each document the key that it sorts by; the id decides between equals.

    Numbers come before texts, objects, arrays, booleans and times (§4.23.2); what an entity does not have
    comes last, in either direction.
    """
    collate = collation(order.collation) if order.collation else None
    parts = [_part(key, collate) for key in order.keys]
    return lambda document: (*(part(document) for part in parts), document["id"])


def _part(key: OrderKey, collate: Collate | None) -> Callable[[Document], SortKey]:
    values = _distances(key) if key.origin is not None else _values(key, collate)

    def part(document: Document) -> SortKey:
        found = list(values(document))
        if not found:
            return (1,)
        return (0, _Backwards(max(found))) if key.descending else (0, min(found))

    return part


def _values(key: OrderKey, collate: Collate | None) -> Callable[[Document], Iterator[SortKey]]:
    def values(document: Document) -> Iterator[SortKey]:
        for kind, value in targets(document, key.path):
            if kind == "Time":
                yield _TIME, instant_us(value)
            elif kind == "LanguageProperty" and is_array(value):
                yield from (_rank(word, collate) for word in value)
            else:
                yield _rank(value, collate)

    return values


def _rank(value: Any, collate: Collate | None) -> SortKey:
    if isinstance(value, bool):
        return _BOOLEAN, value
    if isinstance(value, int | float):
        return _NUMBER, value
    if isinstance(value, str):
        return _TEXT, collate(value) if collate else value
    text = msgspec.json.encode(value, order="sorted").decode()
    return (_OBJECT, text) if is_object(value) else (_ARRAY, text)


def _distances(key: OrderKey) -> Callable[[Document], Iterator[SortKey]]:
    origin = to_shape(key.origin or {})

    def distances(document: Document) -> Iterator[SortKey]:
        for geometry in geometries(document, key.path.attribute):
            yield (distance_m(origin, to_shape(geometry)),)

    return distances


@total_ordering
class _Backwards:
    """Turns the order of a key around."""

    __slots__ = ("_key",)

    def __init__(self, key: SortKey) -> None:
        self._key = key

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Backwards) and self._key == other._key

    def __lt__(self, other: "_Backwards") -> bool:
        return other._key < self._key

    __hash__ = None  # pyright: ignore[reportAssignmentType]

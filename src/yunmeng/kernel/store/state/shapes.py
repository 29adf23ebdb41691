"""Shapes: entities of one tenant with the same types and attributes share one; few, so they fit in memory."""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from yunmeng.kernel.model import TypeAll, TypeIs, TypeSelection


@dataclass(frozen=True, slots=True)
class Shape:
    """Types and attributes that some entities share; ``stored`` and ``last`` are attribute numbers.

    ``stored`` are the attributes in the documents, ``last`` those with a telemetry value.
    """

    number: int
    tenant: str
    types: tuple[str, ...]
    stored: frozenset[int]
    last: frozenset[int]

    @property
    def key(self) -> "ShapeKey":
        """What makes it this shape."""
        return self.tenant, self.types, self.stored, self.last

    def has(self, attribute: int) -> bool:
        """Tells whether its entities have the attribute, stored or as telemetry."""
        return attribute in self.stored or attribute in self.last


ShapeKey = tuple[str, tuple[str, ...], frozenset[int], frozenset[int]]


@dataclass(slots=True)
class Book:
    """The dictionaries of a store: attributes, shapes, scopes; ``indexed`` may be searched by value."""

    names: dict[str, int] = field(default_factory=dict[str, int])
    uris: dict[int, str] = field(default_factory=dict[int, str])
    indexed: set[int] = field(default_factory=set[int])
    shapes: dict[int, Shape] = field(default_factory=dict[int, Shape])
    scopes: dict[int, tuple[str, ...]] = field(default_factory=dict[int, tuple[str, ...]])
    _kept: dict[object, frozenset[int]] = field(default_factory=dict[object, frozenset[int]])

    def add_name(self, number: int, uri: str, *, indexed: bool) -> None:
        """Takes in an attribute; one seen before may have become indexed."""
        self.names[uri] = number
        self.uris[number] = uri
        if indexed:
            self.indexed.add(number)

    def add_shapes(self, shapes: Iterable[Shape]) -> None:
        """Takes in shapes and forgets the selections made before."""
        self.shapes.update((shape.number, shape) for shape in shapes)
        self._kept.clear()

    def of_tenant(self, tenant: str) -> frozenset[int]:
        """Returns the shapes of a tenant."""
        return self._select(("tenant", tenant), lambda shape: shape.tenant == tenant)

    def of_types(self, selection: TypeSelection) -> frozenset[int]:
        """Returns the shapes that a type selection accepts (ETSI GS CIM 009 §4.17)."""
        return self._select(selection, lambda shape: accepts(selection, shape.types))

    def having(self, uri: str) -> frozenset[int]:
        """Returns the shapes with an attribute."""
        number = self.names.get(uri)
        if number is None:
            return frozenset()
        return self._select(("has", number), lambda shape: shape.has(number))

    def sources(self, number: int, shapes: frozenset[int]) -> tuple[bool, bool, bool]:
        """Returns whether any of the shapes has the attribute stored, as telemetry, and as both at once."""
        stored = self._select(("stored", number), lambda shape: number in shape.stored) & shapes
        last = self._select(("last", number), lambda shape: number in shape.last) & shapes
        return bool(stored), bool(last), bool(stored & last)

    def _select(self, key: object, accept: Callable[[Shape], bool]) -> frozenset[int]:
        found = self._kept.get(key)
        if found is None:
            found = frozenset(number for number, shape in self.shapes.items() if accept(shape))
            if len(self._kept) >= 1024:
                self._kept.clear()
            self._kept[key] = found
        return found


NAMES = "SELECT attribute, uri, indexed FROM names"
SHAPES = "SELECT shape, tenant, types, stored, last FROM shapes WHERE shape > ?"
SCOPES = "SELECT scope, paths FROM scopes"
INDEXED = 2
"""The mark of an attribute whose index is whole; 1 is one that grows."""

Rows = Iterable[Sequence[Any]]


def take_in(book: Book, names: Rows, shapes: Rows, scopes: Rows) -> None:
    """Brings the dictionaries up to date with what the store's tables hold."""
    for number, uri, indexed in names:
        book.add_name(number, uri, indexed=indexed == INDEXED)
    book.add_shapes(
        Shape(n, tenant, tuple(json.loads(types)), frozenset(json.loads(stored)), frozenset(json.loads(last)))
        for n, tenant, types, stored, last in shapes
    )
    for number, paths in scopes:
        book.scopes[number] = tuple(json.loads(paths))


def accepts(selection: TypeSelection, types: tuple[str, ...]) -> bool:
    """Tells whether a type selection accepts an entity's types."""
    if isinstance(selection, TypeIs):
        return selection.uri in types
    if isinstance(selection, TypeAll):
        return all(accepts(part, types) for part in selection.parts)
    return any(accepts(part, types) for part in selection.parts)


def count_types(book: Book, counts: Mapping[int, int]) -> dict[str, int]:
    """Returns how many entities each type has, from how many each shape has."""
    found: dict[str, int] = {}
    for number, count in counts.items():
        for uri in book.shapes[number].types:
            found[uri] = found.get(uri, 0) + count
    return dict(sorted(found.items()))

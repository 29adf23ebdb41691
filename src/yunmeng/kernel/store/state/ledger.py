"""What a commit changes, worked out before any SQL: rows to write, index rows to add and drop, counts.

Both engines carry out the same :class:`Changes`; only differences reach the index, so an upsert that
changes one value touches one index row.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import msgspec

from yunmeng.kernel.store.state.facets import Box, Facets, Scalar, facets_of, outline_of, pack, unpack
from yunmeng.kernel.store.state.port import EntityPut, Outline
from yunmeng.kernel.store.state.shapes import Book, Shape, ShapeKey

_decode = msgspec.json.Decoder(dict[str, Any]).decode
_BOX_BITS = 4
_NOTHING: Facets = ([], [])
_NO_LAST = frozenset[int]()


class Kept(NamedTuple):
    """What the store keeps of an entity beside its document."""

    row: int
    id: str
    division: str
    shape: int
    scope: int
    facets: bytes


@dataclass(slots=True)
class Changes:
    """Rows to write; ``entities`` and ``documents`` replace what has their row, ``facets`` one column."""

    entities: list[tuple[int, str, str, str, int, int, bytes]] = field(default_factory=list[Any])
    facets: list[tuple[bytes, int]] = field(default_factory=list[Any])
    documents: list[tuple[int, bytes]] = field(default_factory=list[Any])
    gone: list[int] = field(default_factory=list[int])
    numbers_added: list[tuple[int, float, int]] = field(default_factory=list[Any])
    numbers_dropped: list[tuple[int, float, int]] = field(default_factory=list[Any])
    texts_added: list[tuple[int, str, int]] = field(default_factory=list[Any])
    texts_dropped: list[tuple[int, str, int]] = field(default_factory=list[Any])
    boxes_added: list[tuple[int, float, float, float, float]] = field(default_factory=list[Any])
    boxes_dropped: list[int] = field(default_factory=list[int])


class Ledger:
    """The writer's dictionaries, and what they say a change of an entity means for the tables.

    Numbers given out in a transaction that fails are forgotten by making a new ledger.
    """

    def __init__(self, book: Book, next_row: int) -> None:
        self.book = book
        self.new_names: list[tuple[int, str]] = []
        self.new_shapes: list[Shape] = []
        self.new_scopes: list[tuple[int, tuple[str, ...]]] = []
        self.counts: dict[tuple[int, str], int] = {}
        self._next_row = next_row
        self._shapes: dict[ShapeKey, int] = {shape.key: shape.number for shape in book.shapes.values()}
        self._scopes = {scopes: number for number, scopes in book.scopes.items()}
        self._members: dict[tuple[object, ...], int] = {}
        self._indexed: dict[str, int] = {}
        self.refresh_indexed(())

    def refresh_indexed(self, more: Iterable[int]) -> None:
        """Takes in the attributes that are indexed, or being indexed, from now on."""
        self._indexed |= {self.book.uris[number]: number for number in {*self.book.indexed, *more}}

    @property
    def highest(self) -> int:
        """The highest row given out."""
        return self._next_row - 1

    def settle(self) -> None:
        """Forgets what the transaction has stored."""
        self.new_names, self.new_shapes, self.new_scopes, self.counts = [], [], [], {}

    def name(self, uri: str) -> int:
        """Returns the number of an attribute, a new one if need be."""
        number = self.book.names.get(uri)
        if number is None:
            number = len(self.book.names) + 1
            self.book.add_name(number, uri, indexed=False)
            self.new_names.append((number, uri))
        return number

    def put(self, changes: Changes, put: EntityPut, old: Kept | None) -> int:
        """Notes that an entity's document is new; returns the entity's row."""
        outline = put.outline or outline_of(_decode(put.body))
        if old is None:
            return self._add(changes, put, outline)
        facets = self._facets(put, outline)
        shape = self._shape_of(put, outline, old)
        scope = self._scope(outline.scopes)
        packed = pack(facets)
        if (shape, put.division, scope) == (old.shape, old.division, old.scope):
            if packed != old.facets:
                changes.facets.append((packed, old.row))
        else:
            changes.entities.append((old.row, put.tenant, put.id, put.division, shape, scope, packed))
            self._move((old.shape, old.division), (shape, put.division))
        changes.documents.append((old.row, put.body))
        if packed != old.facets:
            self._index(changes, old.row, unpack(old.facets), facets)
        return old.row

    def _add(self, changes: Changes, put: EntityPut, outline: Outline) -> int:
        facets = self._facets(put, outline)
        shape, scope = self._shape_of(put, outline, None), self._scope(outline.scopes)
        row = self._new_row()
        changes.entities.append((row, put.tenant, put.id, put.division, shape, scope, pack(facets)))
        changes.documents.append((row, put.body))
        place = (shape, put.division)
        self.counts[place] = self.counts.get(place, 0) + 1
        self._index(changes, row, _NOTHING, facets)
        return row

    def _facets(self, put: EntityPut, outline: Outline) -> Facets:
        if self._indexed.keys().isdisjoint(outline.names):
            return [], list(outline.boxes)
        return facets_of(_decode(put.body), self._indexed)

    def remove(self, changes: Changes, old: Kept) -> None:
        """Notes that an entity is gone."""
        changes.gone.append(old.row)
        self._move((old.shape, old.division), None)
        self._index(changes, old.row, unpack(old.facets), ([], []))

    def reindex(self, changes: Changes, old: Kept, body: bytes) -> None:
        """Notes the index rows that an attribute indexed since then asks for."""
        facets = facets_of(_decode(body), self._indexed)
        packed = pack(facets)
        if packed != old.facets:
            changes.facets.append((packed, old.row))
            self._index(changes, old.row, unpack(old.facets), facets)

    def relast(
        self, changes: Changes, old: Kept, *, gained: Sequence[int] = (), lost: Sequence[int] = ()
    ) -> None:
        """Notes that an entity has gained or lost series of telemetry."""
        shape = self.book.shapes[old.shape]
        last = (shape.last | set(gained)) - set(lost)
        number = self._shape(shape.tenant, shape.types, shape.stored, last)
        if number != old.shape:
            changes.entities.append(
                (old.row, shape.tenant, old.id, old.division, number, old.scope, old.facets)
            )
            self._move((old.shape, old.division), (number, old.division))

    def _new_row(self) -> int:
        row = self._next_row
        self._next_row += 1
        return row

    def _shape_of(self, put: EntityPut, outline: Outline, old: Kept | None) -> int:
        last = self.book.shapes[old.shape].last if old is not None else _NO_LAST
        key = (put.tenant, put.types, last, outline.names)
        number = self._members.get(key)
        if number is None:
            stored = frozenset(self.name(uri) for uri in outline.names)
            number = self._shape(put.tenant, tuple(sorted(put.types)), stored, last)
            if len(self._members) >= 100_000:
                self._members.clear()
            self._members[key] = number
        return number

    def _shape(
        self, tenant: str, types: tuple[str, ...], stored: frozenset[int], last: frozenset[int]
    ) -> int:
        key = (tenant, types, stored, last)
        number = self._shapes.get(key)
        if number is None:
            number = self._shapes[key] = len(self._shapes) + 1
            shape = Shape(number, *key)
            self.book.add_shapes([shape])
            self.new_shapes.append(shape)
        return number

    def _scope(self, scopes: tuple[str, ...]) -> int:
        if not scopes:
            return 0
        key = tuple(sorted(scopes))
        number = self._scopes.get(key)
        if number is None:
            number = self._scopes[key] = len(self._scopes) + 1
            self.book.scopes[number] = key
            self.new_scopes.append((number, key))
        return number

    def _move(self, old: tuple[int, str] | None, new: tuple[int, str] | None) -> None:
        if old == new:
            return
        for place, difference in ((old, -1), (new, 1)):
            if place is not None:
                self.counts[place] = self.counts.get(place, 0) + difference

    def _index(self, changes: Changes, row: int, old: Facets, new: Facets) -> None:
        if old[0] != new[0]:
            before, after = set(old[0]), set(new[0])
            _sort_out(changes.numbers_dropped, changes.texts_dropped, before - after, row)
            _sort_out(changes.numbers_added, changes.texts_added, after - before, row)
        if old[1] != new[1]:
            changes.boxes_dropped += [(row << _BOX_BITS) | place for place in range(len(old[1]))]
            changes.boxes_added += _boxes(row, new[1])


def _boxes(row: int, boxes: Sequence[Box]) -> list[tuple[int, float, float, float, float]]:
    return [
        ((row << _BOX_BITS) | place, west, east, south, north)
        for place, (west, south, east, north) in enumerate(boxes)
    ]


def _sort_out(
    numbers: list[tuple[int, float, int]],
    texts: list[tuple[int, str, int]],
    values: set[tuple[int, Scalar]],
    row: int,
) -> None:
    for attribute, value in values:
        if isinstance(value, str):
            texts.append((attribute, value, row))
        else:
            numbers.append((attribute, value, row))

"""Many whole entities of one form made ready by who asks: columns all the way to index and history.

What :class:`Prepared` is for one entity. The instances stand as lines of JSON, attribute by attribute, to
which the single writer but adds the moment; documents are put together without a look inside.
Decision 0018 has the figures.
"""

from array import array
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from itertools import chain, repeat
from typing import NamedTuple

import msgspec

from yunmeng.kernel.base import BadInput
from yunmeng.kernel.keeper.changes import instance_id, moment_of
from yunmeng.kernel.keeper.prepared import (
    MOMENT,
    MOMENT_LENGTH,
    Layout,
    Mode,
    layout_of,
    moment_us,
    name_of,
    shared_layout,
    whole,
)
from yunmeng.kernel.model import DIVISION, Column, Create, Replace, Table, Upsert
from yunmeng.kernel.store import (
    EntityPut,
    InstanceSheet,
    Outline,
    box_of,
    ended,
    sized,
    strings,
    value_columns,
)

_Box = tuple[float, float, float, float]
_Columns = tuple[bytes, bytes, bytes]

_MOST_BOXES = 16
_NUMBERS = frozenset((int, float, bool))
_NAN = float("nan")

_encode = msgspec.json.Encoder().encode
_encode_sorted = msgspec.json.Encoder(order="sorted").encode
_encode_lines = msgspec.json.Encoder().encode_lines


class Single(NamedTuple):
    """One of a sheet's entities, its document not parsed yet."""

    id: str
    mode: Mode
    body: bytes

    def plain(self) -> Create | Upsert | Replace:
        """Returns the operation in the form that any state of the entity can be asked with."""
        return whole(self.mode, self.body)


class Sheet(msgspec.Struct, frozen=True, tag="sheet"):
    """Whole entities to create, or to put in place of others: different ids, one :class:`Layout`.

    ``lines`` are the instances in stored form, a line each up to its times of creation and change: all of the
    layout's first place in the order of ``ids``, then of the second. ``observed_at`` (µs, int64), ``numbers``
    (float64), ``missing`` (a byte each) and ``texts`` are history's columns in the same order. ``divisions``
    are GB/T 2260 codes, none when no entity names its own; ``boxes`` those of each entity's geometries.
    """

    mode: Mode
    shared: bytes
    ids: tuple[str, ...]
    divisions: tuple[str, ...]
    lines: bytes
    boxes: tuple[tuple[_Box, ...], ...]
    observed_at: bytes
    numbers: bytes
    missing: bytes
    texts: bytes

    @property
    def layout(self) -> Layout:
        """What its entities have in common."""
        return layout_of(self.shared)

    def single(self) -> Iterator[Single]:
        """Yields its entities one by one, for where they must be looked at."""
        bodies = self._documents(self.lines.split(b"\n"), [repeat(b"}")] * (len(self.layout.places) + 1))
        return (Single(id_, self.mode, body) for id_, body in zip(self.ids, bodies, strict=True))

    def settled(
        self, tenant: str, home: str, at_us: int, at: str, created: Sequence[tuple[str, ...]] = ()
    ) -> tuple[list[EntityPut], InstanceSheet]:
        """Returns what state and history store of the entities that are written ``at`` a moment (``at_us``).

        ``created`` are the moments at which each entity's instances and then the entity itself were created,
        written with six digits of a second; none when all are new.
        """
        layout, lines = self.layout, self.lines.split(b"\n")
        *stamps, last = _stamps(at, created, len(layout.places))
        documents = self._documents(lines, [*stamps, last])
        divisions = [division or home for division in self.divisions] or [home] * len(self.ids)
        puts = [
            EntityPut(tenant, id_, layout.types, division, body, Outline(layout.names, (), boxes))
            for id_, division, body, boxes in zip(self.ids, divisions, documents, self.boxes, strict=True)
        ]
        rows = InstanceSheet(
            tenant,
            self.ids,
            layout.types[0],
            divisions,
            at_us,
            [moment_us(moments[place]) for place in range(len(stamps)) for moments in created],
            layout.columns,
            self.observed_at,
            self.numbers,
            (self.missing, self.texts),
            ended(lines, chain.from_iterable(stamps) if created else stamps[0], _STAMP_LENGTH),
            _instance_ids(layout, [moment_of(tenant, id_, at).encode() for id_ in self.ids]),
        )
        return puts, rows

    def _documents(self, lines: Sequence[bytes], stamps: Sequence[Iterable[bytes]]) -> Iterator[bytes]:
        """Puts documents together; ``stamps`` are the ends of instances, place by place, and their own."""
        count = len(self.ids)
        *joints, closing = _joints(self.shared)
        parts: list[Iterable[bytes]] = [repeat(b'{"id":'), map(_encode, self.ids)]
        for place, (joint, ends) in enumerate(zip(joints, stamps, strict=False)):
            parts += (repeat(joint), lines[place * count : (place + 1) * count], ends)
        return map(b"".join, zip(*parts, repeat(closing), stamps[-1], strict=False))


def sheet_of(table: Table, mode: Mode) -> Sheet | None:
    """Returns the table's entities ready to store; None where one of them wants more than columns."""
    try:
        return _sheet(table, mode)
    except (BadInput, OverflowError):
        # what cannot be laid in columns is for the long way to refuse
        return None


def _sheet(table: Table, mode: Mode) -> Sheet:
    columns = table.columns
    values = [_values(column) for column in columns]
    numbers, missing, texts = map(b"".join, zip(*values, strict=True)) if values else (b"",) * 3
    lines = b"".join([_encode_lines(column.instances) for column in columns])
    return Sheet(
        mode,
        shared_layout(
            tuple(table.types),
            tuple([column.attribute for column in columns]),
            tuple([column.dataset_id for column in columns]),
            tuple([column.unit for column in columns]),
        ),
        tuple(table.ids),
        _divisions(columns),
        lines.replace(b"}\n", b"\n")[:-1],
        _boxes(columns, len(table.ids)),
        b"".join([_observed(column) for column in columns]),
        numbers,
        missing,
        texts,
    )


def _values(column: Column) -> _Columns:
    """Returns history's columns of the values: numbers, which of them are missing as text, and the texts."""
    values, count = column.values, len(column.instances)
    kinds = set(map(type, values))
    if kinds and kinds <= _NUMBERS:
        return array("d", values).tobytes(), b"\x01" * count, bytes(count)
    if kinds in ({str}, {dict}):
        texts = values if kinds == {str} else list(map(_encode_sorted, values))
        return array("d", (_NAN,)).tobytes() * count, bytes(count), strings(texts)
    found = [value_columns(instance) for instance in column.instances]
    texts = [b"\x00" if text is None else sized(text.encode()) for _, _, text in found]
    missing = bytes([text is None for _, _, text in found])
    return array("d", [number for _, number, _ in found]).tobytes(), missing, b"".join(texts)


def _observed(column: Column) -> bytes:
    texts: Sequence[str] = column.observed_at
    if not column.kind:
        texts = [instance.get("observedAt", "") for instance in column.instances]
    known = {text: moment_us(text) if text else 0 for text in set(texts)}
    return array("q", [known[text] for text in texts]).tobytes() or bytes(8 * len(column.instances))


def _divisions(columns: Sequence[Column]) -> tuple[str, ...]:
    named = next((column for column in columns if column.attribute == DIVISION), None)
    return () if named is None else tuple([str(one.get("value", "")) for one in named.instances])


def _boxes(columns: Sequence[Column], count: int) -> tuple[tuple[_Box, ...], ...]:
    kept = [
        [box_of(one.get("value")) if one.get("type") == "GeoProperty" else None for one in column.instances]
        for column in columns
        if column.kind in ("", "GeoProperty")
    ]
    if len(kept) > _MOST_BOXES:
        raise OverflowError
    if not kept:
        return ((),) * count
    return tuple([tuple([box for box in boxes if box is not None]) for boxes in zip(*kept, strict=True)])


def _stamps(at: str, created: Sequence[tuple[str, ...]], places: int) -> list[Iterable[bytes]]:
    """Returns the ends of all instances, place by place, and then of the documents."""
    if not created:
        return [repeat(_stamp(at, at))] * (places + 1)
    return [[_stamp(moments[place], at) for moments in created] for place in range(places + 1)]


def _stamp(created: str, modified: str) -> bytes:
    return f',"createdAt":"{created}","modifiedAt":"{modified}"}}'.encode()


_STAMP_LENGTH = len(_stamp("-" * MOMENT_LENGTH, "-" * MOMENT_LENGTH))


@lru_cache(maxsize=1024)
def _joints(shared: bytes) -> tuple[bytes, ...]:
    """Returns what stands before each of the instances in a document, and after the last."""
    layout = layout_of(shared)
    joints: list[bytes] = []
    before = ""
    opening = b',"type":' + _encode(layout.types)
    for attribute in layout.columns[0]:
        if attribute == before:
            joints.append(b",")
        else:
            joints.append(opening + b"," + name_of(attribute) + b":[")
        opening, before = b"]", attribute
    return (*joints, opening)


def _instance_ids(layout: Layout, moments: Sequence[bytes]) -> bytes:
    parts: list[bytes] = []
    for attribute, dataset in layout.places:
        before, after = sized(instance_id(MOMENT.decode(), attribute, dataset).encode()).split(MOMENT)
        parts += (before, (after + before).join(moments), after)
    return b"".join(parts)

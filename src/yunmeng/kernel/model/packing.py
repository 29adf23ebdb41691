"""Observation batches as bytes: msgpack around raw little-endian columns; no row is touched in Python.

Of a series only the entity is its own; attribute, type, division and unit are those of thousands, so they
travel once and each series points to them. That halves what the bus has to carry and to sync.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import isfinite, nan

import msgspec
import numpy as np
from numpy.typing import NDArray

from yunmeng.kernel.base import BadInput
from yunmeng.kernel.model.observation import ObservationBatch, Quality, Series

_NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?\Z")
_WIRE_VERSION = 1
_Kind = tuple[str, str, str, str, bool]


class _Wire(msgspec.Struct, frozen=True, array_like=True):
    version: int
    tenant: str
    gateway: str
    received_at: int
    kinds: tuple[_Kind, ...]
    entities: list[str]
    kind: memoryview
    index: memoryview
    observed_at: memoryview
    number: memoryview
    quality: memoryview
    text: dict[int, str]
    frame: dict[int, str]


class Kinds:
    """What each series shares with thousands of others, by number, for whoever encodes batch after batch.

    Where the same objects come again and again, a number is looked up by identity: reading five fields of
    each was a sixth of a gateway's work. Up to ``most`` are held, hence an identity is never another's.
    """

    def __init__(self, most: int = 500_000) -> None:
        self._most = most
        self._known: list[Series] = []
        self._number: dict[int, int] = {}
        self._numbers: dict[_Kind, int] = {}
        self._kinds: list[_Kind] = []

    def of(self, series: Sequence[Series]) -> tuple[tuple[_Kind, ...], NDArray[np.uint32]]:
        """Returns the kinds of these series, and the place of each series' kind among them."""
        find = self._number.get
        found = [find(id(row)) for row in series]
        if None in found:
            found = [self._learn(row) for row in series]
        used, places = np.unique(np.array(found, np.intp), return_inverse=True)
        numbers: list[int] = used.tolist()
        return tuple([self._kinds[number] for number in numbers]), places.astype(np.dtype("<u4"))

    def _learn(self, row: Series) -> int:
        number = self._number.get(id(row))
        if number is None:
            if len(self._known) >= self._most:
                self._known.clear()
                self._number.clear()
            kind = (row.attribute, row.type, row.division, row.unit, row.synthetic)
            number = self._numbers.setdefault(kind, len(self._kinds))
            if number == len(self._kinds):
                self._kinds.append(kind)
            self._known.append(row)
            self._number[id(row)] = number
        return number


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(_Wire)


@dataclass(frozen=True, slots=True)
class Row:
    """One observation on its way into a batch.

    ``observed_at`` is microseconds since 1970 UTC; give ``value`` as the source wrote it: text stays text.
    """

    series: Series
    observed_at: int
    value: float | int | str | None
    quality: Quality = Quality.GOOD
    frame: str = ""


def encode_batch(batch: ObservationBatch, known: Kinds | None = None) -> bytes:
    """Returns the batch as bytes that :func:`decode_batch` reads anywhere; ``known`` makes it faster."""
    kinds, kind = (known or Kinds()).of(batch.series)
    return _encoder.encode(
        _Wire(
            _WIRE_VERSION,
            batch.tenant,
            batch.gateway,
            batch.received_at,
            kinds,
            [row.entity for row in batch.series],
            kind.data.cast("B") if len(kind) else memoryview(b""),
            batch.index.astype("<u4", copy=False).data.cast("B") if len(batch) else memoryview(b""),
            batch.observed_at.astype("<i8", copy=False).data.cast("B") if len(batch) else memoryview(b""),
            batch.number.astype("<f8", copy=False).data.cast("B") if len(batch) else memoryview(b""),
            batch.quality.astype("u1", copy=False).data.cast("B") if len(batch) else memoryview(b""),
            dict(batch.text),
            dict(batch.frame),
        )
    )


def decode_batch(data: bytes) -> ObservationBatch:
    """Reads a batch; its columns are views of ``data`` and read-only. Raises ``BadInput("batch.bad")``."""
    try:
        wire = _decoder.decode(data)
        if wire.version != _WIRE_VERSION:
            raise BadInput("batch.bad", reason=f"version {wire.version}")
        batch = ObservationBatch(
            wire.tenant,
            wire.gateway,
            wire.received_at,
            _series(wire),
            np.frombuffer(wire.index, "<u4"),
            np.frombuffer(wire.observed_at, "<i8"),
            np.frombuffer(wire.number, "<f8"),
            np.frombuffer(wire.quality, "u1"),
            wire.text,
            wire.frame,
        )
    except (msgspec.MsgspecError, ValueError) as cause:
        raise BadInput("batch.bad", reason=str(cause)) from cause
    _check(batch)
    return batch


def _series(wire: _Wire) -> tuple[Series, ...]:
    kinds: list[int] = np.frombuffer(wire.kind, "<u4").tolist()
    if len(kinds) != len(wire.entities) or max(kinds, default=-1) >= len(wire.kinds):
        raise BadInput("batch.bad", reason="a series without its kind")
    rows = zip(wire.entities, map(wire.kinds.__getitem__, kinds), strict=True)
    return tuple([Series(entity, *kind) for entity, kind in rows])


def make_batch(rows: Iterable[Row], *, gateway: str, received_at: int, tenant: str = "") -> ObservationBatch:
    """Packs rows in the order given; equal series are stored once.

    A text that reads as a number fills ``number`` too, and stays in ``text`` where the float would not
    write the same characters.
    """
    packed = list(rows)
    places: dict[Series, int] = {}
    text: dict[int, str] = {}
    index = [places.setdefault(row.series, len(places)) for row in packed]
    number = [number_of(row.value, place, text) for place, row in enumerate(packed)]
    return ObservationBatch(
        tenant,
        gateway,
        received_at,
        tuple(places),
        np.array(index, np.uint32),
        np.array([row.observed_at for row in packed], np.int64),
        np.array(number, np.float64),
        np.array([row.quality for row in packed], np.uint8),
        text,
        {place: row.frame for place, row in enumerate(packed) if row.frame},
    )


def number_of(value: float | str | None, place: int, text: dict[int, str]) -> float:
    """Returns a value as a float, NaN where it is none; what that would change goes to ``text[place]``."""
    if value is None:
        return nan
    if not isinstance(value, str):
        if isinstance(value, int) and int(float(value)) != value:
            text[place] = str(value)
        return float(value)
    number = float(value) if _NUMBER.match(value) else nan
    if not isfinite(number):
        text[place] = value
        return nan
    if value not in (repr(number), str(int(number))):
        text[place] = value
    return number


def _check(batch: ObservationBatch) -> None:
    columns: tuple[NDArray[np.generic], ...] = (batch.observed_at, batch.number, batch.quality)
    if any(len(column) != len(batch) for column in columns):
        raise BadInput("batch.bad", reason="columns of different length")
    if len(batch) and int(batch.index.max()) >= len(batch.series):
        raise BadInput("batch.bad", reason="a row without its series")
    if any(not 0 <= place < len(batch) for rows in (batch.text, batch.frame) for place in rows):
        raise BadInput("batch.bad", reason="a text without its row")

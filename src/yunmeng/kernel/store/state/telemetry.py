"""Telemetry on its way to the last values: the newest per series, found in columns before any SQL."""

import json
import math
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from yunmeng.kernel.model import ObservationBatch, Quality
from yunmeng.kernel.store.state.facets import as_text

_NUMBER = re.compile(r"-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?", re.ASCII)
_ATTRIBUTE_BITS = 20
_BAND_BITS = np.int64(46)

NO_BAND = -(1 << 62)
"""The band of a value that is no number."""

IndexRows = tuple[list[tuple[int, int, int]], list[tuple[int, str, int]]]
"""Index rows of last values: (attribute, band, entity) and (attribute, text, entity)."""

Resolve = Callable[[str, str, str], int | None]


@dataclass(slots=True)
class Newest:
    """The newest value of each series; parallel columns in ascending order of ``keys``."""

    keys: NDArray[np.int64]
    observed_at: NDArray[np.int64]
    numbers: NDArray[np.float64]
    quality: NDArray[np.uint8]
    texts: list[str | None]
    units: list[str]

    def pick(self, at: NDArray[np.int64] | NDArray[np.bool_]) -> "Newest":
        """Returns the rows at these places."""
        places = np.flatnonzero(at) if at.dtype == np.bool_ else at
        where: list[int] = places.tolist()
        return Newest(
            self.keys[places],
            self.observed_at[places],
            self.numbers[places],
            self.quality[places],
            [self.texts[i] for i in where],
            [self.units[i] for i in where],
        )

    def bands(self) -> NDArray[np.int64]:
        """Returns the band of each number: equal bands differ by less than 1/64 of the value."""
        return bands(self.numbers)


def last_key(row: int, attribute: int) -> int:
    """Returns the key of a series: the entity's row, then the attribute's number."""
    return (row << _ATTRIBUTE_BITS) | attribute


def last_keys(row: int) -> tuple[int, int]:
    """Returns the lowest and the highest key of an entity's series."""
    return row << _ATTRIBUTE_BITS, ((row + 1) << _ATTRIBUTE_BITS) - 1


def split_key(key: int) -> tuple[int, int]:
    """Returns the row and the attribute's number of a key."""
    return key >> _ATTRIBUTE_BITS, key & ((1 << _ATTRIBUTE_BITS) - 1)


def bands(numbers: NDArray[np.float64]) -> NDArray[np.int64]:
    """Returns bands that keep the numbers' order, so that an index changes only when a value moves far."""
    bits = (numbers + 0.0).view(np.int64)
    ordered = bits ^ ((bits >> np.int64(63)) & np.int64(0x7FFFFFFFFFFFFFFF))
    return np.where(np.isnan(numbers), np.int64(NO_BAND), ordered >> _BAND_BITS)


def band(number: float) -> int:
    """Returns the band of one number."""
    return int(bands(np.array([number], dtype=np.float64))[0])


def is_json_number(text: str) -> bool:
    """Tells whether a text can stand in JSON as a number as it is."""
    return _NUMBER.fullmatch(text) is not None and math.isfinite(float(text))


def json_value(number: float | None, text: str | None) -> bytes:
    """Returns a kept value as JSON; a number that came as text keeps every digit."""
    if text is not None:
        return text.encode() if is_json_number(text) else json.dumps(text, ensure_ascii=False).encode()
    value = number or 0.0
    return str(int(value)).encode() if value.is_integer() and abs(value) < 1e15 else repr(value).encode()


def index_rows(
    places: Sequence[tuple[int, int]], numbers: Sequence[float | None], texts: Sequence[str | None]
) -> IndexRows:
    """Returns the index rows of values at (entity, attribute)."""
    found = bands(np.array(numbers, np.float64)).tolist()
    banded = [(a, band, e) for (e, a), band in zip(places, found, strict=True) if band != NO_BAND]
    worded = [
        (a, as_text(text), e)
        for (e, a), text in zip(places, texts, strict=True)
        if text is not None and not is_json_number(text)
    ]
    return banded, worded


def index_rows_of(
    keys: Sequence[int], numbers: Sequence[float | None], texts: Sequence[str | None], indexed: set[int]
) -> IndexRows:
    """Returns the index rows of series' values, of the attributes in ``indexed`` alone."""
    mask = (1 << _ATTRIBUTE_BITS) - 1
    chosen = [place for place, key in enumerate(keys) if key & mask in indexed]
    places = [split_key(keys[place]) for place in chosen]
    return index_rows(places, [numbers[place] for place in chosen], [texts[place] for place in chosen])


def newest(batches: Iterable[ObservationBatch], resolve: Resolve) -> Newest:
    """Returns the newest value of every series that ``resolve`` gives a key for.

    A missing value is no value: it leaves what is kept as it is. Of two at the same time the later row wins.
    """
    parts = [part for part in (_of_batch(batch, resolve) for batch in batches) if part is not None]
    if not parts:
        return _join([])
    joined = _join(parts)
    # lexsort is stable, so of equal times the batch that came last stays last
    order = np.lexsort((joined.observed_at, joined.keys))
    return joined.pick(order[_is_last(joined.keys[order])])


def _of_batch(batch: ObservationBatch, resolve: Resolve) -> Newest | None:
    number = batch.number.astype(np.float64)
    present = np.isfinite(number)
    for row in batch.text:
        present[row] = True
    present &= batch.quality != Quality.MISSING
    rows = np.flatnonzero(present)
    order = rows[np.lexsort((batch.observed_at[rows], batch.index[rows]))]
    rows = order[_is_last(batch.index[order])]
    used: list[int] = batch.index[rows].tolist()
    series = batch.series
    keys = [resolve(batch.tenant, series[i].entity, series[i].attribute) for i in used]
    known = [place for place, key in enumerate(keys) if key is not None]
    if not known:
        return None
    rows = rows[known]
    texts, numbers = _texts(batch, rows, number[rows])
    return Newest(
        np.array([keys[place] for place in known], dtype=np.int64),
        batch.observed_at[rows].astype(np.int64),
        numbers,
        batch.quality[rows].astype(np.uint8),
        texts,
        [series[used[place]].unit for place in known],
    )


def _texts(
    batch: ObservationBatch, rows: NDArray[np.int64], numbers: NDArray[np.float64]
) -> tuple[list[str | None], NDArray[np.float64]]:
    if not batch.text:
        return [None] * len(rows), numbers
    texts = [batch.text.get(row) for row in rows.tolist()]
    for place, text in enumerate(texts):
        if text is not None:
            numbers[place] = float(text) if is_json_number(text) else math.nan
    return texts, numbers


def _is_last(ordered: NDArray[np.generic]) -> NDArray[np.bool_]:
    if not len(ordered):
        return np.zeros(0, dtype=np.bool_)
    return np.append(ordered[1:] != ordered[:-1], True)


def _join(parts: Sequence[Newest]) -> Newest:
    if len(parts) == 1:
        return parts[0]
    empty = Newest(
        np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0, np.float64), np.zeros(0, np.uint8), [], []
    )
    every = [empty, *parts]
    return Newest(
        np.concatenate([part.keys for part in every]),
        np.concatenate([part.observed_at for part in every]),
        np.concatenate([part.numbers for part in every]),
        np.concatenate([part.quality for part in every]),
        [text for part in every for text in part.texts],
        [unit for part in every for unit in part.units],
    )

"""Readings: what one frame of a device said, the way gateways pack by the thousand."""

from collections.abc import Sequence
from itertools import chain

import msgspec
import numpy as np
from numpy.typing import NDArray

from yunmeng.kernel.model.observation import ObservationBatch, Quality, Series
from yunmeng.kernel.model.packing import number_of

_EXACT = 2.0**53


class Reading(msgspec.Struct, frozen=True, gc=False):
    """Several attributes of one entity at one moment; ``values`` goes with ``series``, one each.

    ``observed_at`` is microseconds since 1970 UTC; a value stands as the source wrote it: text stays text,
    None is missing. ``frame`` is the hash of the raw frame.
    """

    series: tuple[Series, ...]
    observed_at: int
    values: tuple[float | int | str | None, ...]
    quality: Quality = Quality.GOOD
    frame: str = ""


def make_batch_of(
    readings: Sequence[Reading], *, gateway: str, received_at: int, tenant: str = ""
) -> ObservationBatch:
    """Packs readings in the order given; series that several readings share are stored once."""
    series, firsts = _series(readings)
    index = [range(first, first + len(row.series)) for row, first in zip(readings, firsts, strict=True)]
    sizes = np.array([len(reading.series) for reading in readings], np.intp)
    number, text = _numbers(list(chain.from_iterable([reading.values for reading in readings])))
    return ObservationBatch(
        tenant,
        gateway,
        received_at,
        tuple(series),
        np.fromiter(chain.from_iterable(index), np.uint32, int(sizes.sum())),
        np.repeat(np.array([reading.observed_at for reading in readings], np.int64), sizes),
        number,
        np.repeat(np.array([reading.quality for reading in readings], np.uint8), sizes),
        text,
        _frames(readings),
    )


def _series(readings: Sequence[Reading]) -> tuple[list[Series], list[int]]:
    # the same tuple comes by the thousand, and its hash is slow: equality is asked once an object
    by_object: dict[int, int] = {}
    by_value: dict[tuple[Series, ...], int] = {}
    series: list[Series] = []
    firsts: list[int] = []
    for reading in readings:
        row = reading.series
        first = by_object.get(id(row))
        if first is None:
            first = by_object[id(row)] = by_value.setdefault(row, len(series))
            if first == len(series):
                series.extend(row)
        firsts.append(first)
    return series, firsts


def _numbers(values: list[float | int | str | None]) -> tuple[NDArray[np.float64], dict[int, str]]:
    text: dict[int, str] = {}
    if set(map(type, values)) <= {float, int}:
        number = np.array(values, np.float64)
        if not len(number) or np.abs(number).max() < _EXACT:
            return number, text
    return np.array([number_of(value, place, text) for place, value in enumerate(values)], np.float64), text


def _frames(readings: Sequence[Reading]) -> dict[int, str]:
    frames: dict[int, str] = {}
    place = 0
    for reading in readings:
        if reading.frame:
            frames.update(dict.fromkeys(range(place, place + len(reading.series)), reading.frame))
        place += len(reading.series)
    return frames

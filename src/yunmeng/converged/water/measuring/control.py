"""Quality control of a series: range, rate, persistence, neighbours (SL 651 §8; WMO-No. 168 chapter 9)."""

from dataclasses import dataclass
from enum import IntFlag

import numpy as np
from numpy.typing import NDArray

from yunmeng.kernel.base import BadInput
from yunmeng.kernel.model import Quality

Floats = NDArray[np.float64]
Times = NDArray[np.int64]
Flags = NDArray[np.uint8]

_HOUR_US = 3_600_000_000
_EARTH_KM = 6371.0
_FEWEST_NEIGHBOURS = 3
# a normal distribution's standard deviation is 1.4826 times its median absolute deviation
_MAD = 1.4826


class Flag(IntFlag):
    """Why a value is doubted; several may hold at once. A missing value is missing, never zero."""

    GOOD = 0
    MISSING = 1
    RANGE = 2
    RATE = 4
    PERSISTENCE = 8
    SPATIAL = 16
    ORDER = 32


@dataclass(frozen=True, slots=True)
class Limits:
    """What is plausible at a station; ``None`` leaves a test out.

    ``low`` and ``high`` bound the value, ``rate`` its change an hour (in the value's unit). ``flat_h`` is how
    many hours a value may stay within ``flat_by``; ``resting`` is a value that may stay for ever (rain: 0).
    """

    low: float | None = None
    high: float | None = None
    rate: float | None = None
    flat_h: float | None = None
    flat_by: float = 0.0
    resting: float | None = None


RAIN = Limits(low=0.0, high=200.0, flat_h=6.0, resting=0.0)
"""Rain of a step of an hour or less, mm: never negative; the same rain for six hours is a stuck gauge."""


def check_series(times: Times, values: Floats, limits: Limits) -> Flags:
    """Returns the flags of each value (uint8, :class:`Flag`), in the order given.

    ``times`` is µs since 1970 UTC, ``values`` float64 with NaN for missing; both of shape (n,). A value whose
    time is not later than the one before is ORDER. Rate and persistence compare with the last value that is
    good so far.

    Raises:
        BadInput: ``water.shape`` when the shapes differ.
    """
    if times.shape != values.shape or times.ndim != 1:
        raise BadInput(
            "water.shape", name="times, values", shape=f"{times.shape}, {values.shape}", wanted="(n,)"
        )
    flags = np.where(np.isnan(values), Flag.MISSING, Flag.GOOD).astype(np.uint8)
    _mark(flags[1:], np.diff(times) <= 0, Flag.ORDER)
    with np.errstate(invalid="ignore"):
        if limits.low is not None:
            _mark(flags, values < limits.low, Flag.RANGE)
        if limits.high is not None:
            _mark(flags, values > limits.high, Flag.RANGE)
    if limits.rate is not None:
        _flag_rate(times, values, limits.rate, flags)
    if limits.flat_h is not None:
        _flag_flat(times, values, limits, flags)
    return flags


def check_spatial(
    values: Floats,
    longitudes: Floats,
    latitudes: Floats,
    *,
    radius_km: float,
    factor: float = 4.0,
    by: float = 1.0,
) -> Flags:
    """Returns SPATIAL for the stations that differ from their neighbours at one moment.

    A value is doubted when it lies more than ``factor`` robust standard deviations and more than ``by`` (in
    its unit) from the median of at least three neighbours within ``radius_km``; with fewer nobody is judged.
    All of shape (n,).
    """
    flags = np.where(np.isnan(values), Flag.MISSING, Flag.GOOD).astype(np.uint8)
    near = _distances_km(longitudes, latitudes) <= radius_km
    np.fill_diagonal(near, val=False)
    near &= ~np.isnan(values)[None, :]
    for place in np.flatnonzero(near.sum(axis=1) >= _FEWEST_NEIGHBOURS):
        around = values[near[place]]
        middle = float(np.median(around))
        spread = _MAD * float(np.median(np.abs(around - middle)))
        if abs(values[place] - middle) > max(factor * spread, by):
            flags[place] |= Flag.SPATIAL
    return flags


def quality_of(flags: Flags) -> Flags:
    """Returns the :class:`Quality` of flagged values: out of range or order is bad, else uncertain."""
    quality = np.where(flags == Flag.GOOD, Quality.GOOD, Quality.UNCERTAIN).astype(np.uint8)
    quality[(flags & (Flag.RANGE | Flag.ORDER)) > 0] = Quality.BAD
    quality[(flags & Flag.MISSING) > 0] = Quality.MISSING
    return quality


def _mark(flags: Flags, where: NDArray[np.bool_], flag: Flag) -> None:
    flags[where] |= np.uint8(flag)


def _flag_rate(times: Times, values: Floats, rate: float, flags: Flags) -> None:
    last = -1
    for place in range(len(values)):
        if flags[place]:
            continue
        if last >= 0:
            hours = (times[place] - times[last]) / _HOUR_US
            if abs(values[place] - values[last]) > rate * hours:
                flags[place] |= Flag.RATE
                # after a real step (a moved gauge) the next values agree with it, not with the old level
                agrees = place + 1 < len(values) and abs(values[place + 1] - values[place]) <= rate * hours
                last = place if agrees else last
                continue
        last = place


def _flag_flat(times: Times, values: Floats, limits: Limits, flags: Flags) -> None:
    start = -1
    for place in range(len(values)):
        if np.isnan(values[place]):
            start = -1
        elif start < 0 or abs(values[place] - values[start]) > limits.flat_by:
            start = place
        elif (
            values[start] != limits.resting and times[place] - times[start] >= (limits.flat_h or 0) * _HOUR_US
        ):
            flags[place] |= Flag.PERSISTENCE


def _distances_km(longitudes: Floats, latitudes: Floats) -> Floats:
    east, north = np.radians(longitudes), np.radians(latitudes)
    half = np.sin((north[:, None] - north) / 2) ** 2
    half = half + np.cos(north[:, None]) * np.cos(north) * np.sin((east[:, None] - east) / 2) ** 2
    return 2 * _EARTH_KM * np.arcsin(np.sqrt(np.clip(half, 0, 1)))

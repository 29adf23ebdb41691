"""From readings every few minutes to hours, days and months; a gap stays a gap."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from yunmeng.converged.water.measuring.control import Floats, Times
from yunmeng.kernel.base import BadInput

Method = Literal["sum", "mean", "max", "min", "last"]

_SECOND_US = 1_000_000
_SHANGHAI_US = 8 * 3_600_000_000
DAY_BEGINS_H = 8.0
"""The hydrological day of China begins at 8:00 Beijing time (SL 21, SL 58)."""


@dataclass(frozen=True, slots=True)
class Aggregate:
    """One value a period; ``starts`` is its beginning (µs UTC), ``coverage`` which share came (0–1).

    A period with too few readings is NaN. Arrays of shape (periods,).
    """

    starts: Times
    values: Floats
    coverage: Floats


def aggregate(
    times: Times,
    values: Floats,
    period_s: int,
    method: Method,
    *,
    step_s: int,
    least: float = 0.75,
    begins_h: float = DAY_BEGINS_H,
) -> Aggregate:
    """Returns a value for every period between the first reading and the last.

    ``times`` (µs UTC, rising) and ``values`` (NaN missing) have shape (n,); a reading stands for the
    ``step_s`` before its time, as telemetry reports (SL 651). ``least`` is the share of readings that a
    period needs. Days begin at ``begins_h`` Beijing time.

    Raises:
        BadInput: ``water.shape``; ``water.period`` when the step is not below the period.
    """
    if times.shape != values.shape or times.ndim != 1:
        raise BadInput(
            "water.shape", name="times, values", shape=f"{times.shape}, {values.shape}", wanted="(n,)"
        )
    if not 0 < step_s <= period_s:
        raise BadInput("water.period", period=period_s, step=step_s)
    if not len(times):
        empty = np.empty(0)
        return Aggregate(np.empty(0, np.int64), empty, empty)
    period = period_s * _SECOND_US
    phase = (int(begins_h * 3_600_000_000) - _SHANGHAI_US) % period
    places = (times - 1 - phase) // period
    first, count = int(places[0]), int(places[-1] - places[0]) + 1
    good = ~np.isnan(values)
    slots: NDArray[np.intp] = (places[good] - first).astype(np.intp)
    seen = np.bincount(slots, minlength=count)
    coverage = np.minimum(seen * step_s / period_s, 1.0)
    result = _reduced(slots, values[good], count, method)
    result[coverage < least] = np.nan
    starts = (np.arange(count, dtype=np.int64) + first) * period + phase
    return Aggregate(starts, result, coverage)


def increments(counts: Floats, *, full: float | None = None, most: float | None = None) -> Floats:
    """Returns the increase of a counter (accumulated rain, a water meter) since the reading before.

    The first is NaN, and so is one after a gap of NaN. A counter that falls has run over at ``full`` where
    that is given and the increase stays below ``most``; otherwise it was reset, and what it shows now is the
    increase. An increase over ``most`` is NaN: nobody knows what happened. Shape (n,).
    """
    gained = np.full(counts.shape, np.nan)
    gained[1:] = counts[1:] - counts[:-1]
    fell = gained < 0
    if full is not None:
        over = np.where(fell, gained + full, np.nan)
        keep = fell & (over <= (most if most is not None else full / 2))
        gained = np.where(keep, over, np.where(fell, counts, gained))
    else:
        gained = np.where(fell, counts, gained)
    if most is not None:
        gained[gained > most] = np.nan
    return gained


def _reduced(slots: NDArray[np.intp], values: Floats, count: int, method: Method) -> Floats:
    if method in ("sum", "mean"):
        total = np.bincount(slots, values, count).astype(np.float64)
        seen = np.bincount(slots, minlength=count)
        return total if method == "sum" else np.where(seen > 0, total / np.maximum(seen, 1), np.nan)
    result = np.full(count, np.nan)
    if method == "last":
        result[slots] = values
    elif method == "max":
        np.fmax.at(result, slots, values)
    else:
        np.fmin.at(result, slots, values)
    return result

"""Whether a station's clock is right: told from how long its readings seem to travel."""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from yunmeng.converged.water.measuring.control import Times
from yunmeng.kernel.base import BadInput

_SECOND_US = 1_000_000
_HOUR_S = 3600.0
_AHEAD_S = 300.0
_NEAR_HOUR_S = 420.0
_FEWEST = 5

State = Literal["right", "late", "ahead", "shifted", "unknown"]


@dataclass(frozen=True, slots=True)
class Clock:
    """How a clock stands: ``lag_s`` is the median travel time, ``shift_h`` whole hours to add to its times.

    ``late`` is a slow line, not a wrong clock: the travel times scatter. ``shifted`` is off by whole hours,
    such as a station that writes UTC where Beijing time is meant.
    """

    state: State
    lag_s: float
    shift_h: int = 0


def judge_clock(observed: Times, received: Times, *, usual_s: float = 600.0) -> Clock:
    """Judges a clock by when its readings say they were made and when they came (both µs UTC, shape (n,)).

    With fewer than five readings it is unknown. Raises ``BadInput("water.shape")``.
    """
    if observed.shape != received.shape or observed.ndim != 1:
        shape = f"{observed.shape}, {received.shape}"
        raise BadInput("water.shape", name="observed, received", shape=shape, wanted="(n,)")
    if len(observed) < _FEWEST:
        return Clock("unknown", float("nan"))
    lags = (received - observed) / _SECOND_US
    lag = float(np.median(lags))
    if -_AHEAD_S <= lag <= usual_s:
        return Clock("right", lag)
    hours = round(lag / _HOUR_S)
    spread = float(np.percentile(lags, 75) - np.percentile(lags, 25))
    if hours and abs(lag - hours * _HOUR_S) <= _NEAR_HOUR_S and spread <= usual_s:
        return Clock("shifted", lag, hours)
    return Clock("ahead" if lag < 0 else "late", lag)

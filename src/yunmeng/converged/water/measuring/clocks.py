"""Whether a station's clock is right: told from how long its readings seem to travel."""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from yunmeng.converged.water.measuring.control import Floats, Times
from yunmeng.kernel.base import BadInput

_SECOND_US = 1_000_000
_HOUR_S = 3600.0
_AHEAD_S = 300.0
_NEAR_HOUR_S = 420.0
_FEWEST = 5

State = Literal["right", "late", "ahead", "shifted", "unknown"]
WRONG: tuple[State, ...] = ("ahead", "shifted")
"""The states of a clock whose times cannot be taken as they are."""


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
    lags = (received - observed) / _SECOND_US
    return judge_clocks(lags[None], usual_s=usual_s)[0]


def judge_clocks(lags: Floats, *, usual_s: float = 600.0) -> list[Clock]:
    """Judges many clocks by how long their readings travelled, s, shape (clocks, readings)."""
    if lags.shape[1] < _FEWEST:
        return [Clock("unknown", float("nan"))] * len(lags)
    low, middle, high = np.percentile(lags, (25, 50, 75), axis=1)
    hours = np.rint(middle / _HOUR_S)
    whole = (hours != 0) & (np.abs(middle - hours * _HOUR_S) <= _NEAR_HOUR_S) & (high - low <= usual_s)
    right = (middle >= -_AHEAD_S) & (middle <= usual_s)
    states = np.select([right, whole, middle < 0], ["right", "shifted", "ahead"], "late")
    shifts = np.where(states == "shifted", hours, 0).astype(int)
    return [Clock(*each) for each in zip(states.tolist(), middle.tolist(), shifts.tolist(), strict=True)]

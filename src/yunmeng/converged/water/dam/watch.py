"""Which readings of a dam's instruments depart from its model, and whether they drift (SL 551, SL 258)."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from yunmeng.converged.water.dam.hst import Floats, Hst, Times
from yunmeng.kernel.base import BadInput

Verdict = Literal["normal", "watch", "alarm", "missing"]

_WATCH, _ALARM = 2.0, 3.0
_DRIFT = 5.0
_SLACK = 0.5


@dataclass(frozen=True, slots=True)
class Watch:
    """How readings stand to the model, shape (n,): ``departure`` in standard deviations (NaN missing).

    ``verdicts`` are normal within 2, watch from 2, alarm from 3. ``drift`` is where small departures of one
    sign add up (two-sided CUSUM, slack 0.5, bound 5): a slow change that no single reading shows. ``beyond``
    marks levels outside the fit, where a departure says less.
    """

    expected: Floats
    departure: Floats
    verdicts: tuple[Verdict, ...]
    drift: NDArray[np.bool_]
    beyond: NDArray[np.bool_]


def watch(model: Hst, times: Times, levels: Floats, values: Floats) -> Watch:
    """Judges readings (``values``, NaN missing) by a model.

    Raises:
        BadInput: ``water.shape``; ``water.exact`` when the model has no scatter to judge by.
    """
    if not times.shape == levels.shape == values.shape or times.ndim != 1:
        shape = f"{times.shape}, {levels.shape}, {values.shape}"
        raise BadInput("water.shape", name="times, levels, values", shape=shape, wanted="(n,)")
    if not model.sigma > 0:
        raise BadInput("water.exact")
    expected = model.expect(times, levels)
    departure = (values - expected) / model.sigma
    verdicts: tuple[Verdict, ...] = tuple(_verdict(float(each)) for each in departure)
    return Watch(expected, departure, verdicts, _drift(departure), ~model.holds(levels))


def _verdict(departure: float) -> Verdict:
    if np.isnan(departure):
        return "missing"
    if abs(departure) >= _ALARM:
        return "alarm"
    return "watch" if abs(departure) >= _WATCH else "normal"


def _drift(departure: Floats) -> NDArray[np.bool_]:
    drifts = np.zeros(len(departure), np.bool_)
    up = down = 0.0
    for place, one in enumerate(departure):
        if np.isnan(one):
            continue
        up, down = max(0.0, up + one - _SLACK), max(0.0, down - one - _SLACK)
        drifts[place] = max(up, down) > _DRIFT
    return drifts

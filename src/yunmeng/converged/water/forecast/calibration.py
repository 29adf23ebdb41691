"""Calibration of a model on a record: one aim by SCE-UA, many by NSGA-II, with a report of every score."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from yunmeng.converged.water.forecast import scores
from yunmeng.converged.water.forecast.forcing import Forcing
from yunmeng.converged.water.forecast.model import Runs
from yunmeng.converged.water.forecast.nsga2 import nsga2
from yunmeng.converged.water.forecast.sce import sce_ua
from yunmeng.converged.water.forecast.shapes import Floats, Numbers
from yunmeng.kernel.base import BadInput

Bounds = Mapping[str, tuple[float, float]]
_POINTS_AT_ONCE = 64  # so that a long record needs no more than some tens of MB


@dataclass(frozen=True, slots=True)
class Calibrated:
    """One set of parameters and what it reaches on the record that it was found on."""

    model: str
    params: dict[str, float]
    scores: dict[str, float]


@dataclass(frozen=True, slots=True)
class Calibration:
    """The sets found (one for one aim, a front for many), the aims, and the effort.

    ``compromise`` is the set nearest to the best of every aim, each measured by its span on the front.
    """

    sets: tuple[Calibrated, ...]
    aims: tuple[str, ...]
    losses: Floats
    evaluations: int

    @property
    def compromise(self) -> Calibrated:
        """The one set to take when nobody chooses."""
        least, span = self.losses.min(axis=0), np.ptp(self.losses, axis=0)
        away = (self.losses - least) / np.where(span > 0, span, 1.0)
        return self.sets[int((away**2).sum(axis=1).argmin())]


def report(simulated: Numbers, observed: Numbers) -> dict[str, float]:
    """Returns every score of one series: NSE, KGE, log-NSE, errors of peaks and of volume as shares."""
    return {
        "nse": float(scores.nse(simulated, observed)),
        "kge": float(scores.kge(simulated, observed)),
        "log_nse": float(scores.log_nse(simulated, observed)),
        "peak": float(scores.peak_error(simulated, observed)),
        "volume": float(scores.volume_error(simulated, observed)),
    }


def calibrate(
    model: Runs,
    forcing: Forcing,
    observed: Numbers,
    *,
    aims: Sequence[str] = ("nse",),
    warmup: int = 365,
    budget: int = 10_000,
    bounds: Bounds | None = None,
    seed: int = 0,
) -> Calibration:
    """Finds parameters for one basin.

    Args:
        model: which model.
        forcing: one basin, one member, mm a step.
        observed: flow in mm a step, NaN where there is no record.
        aims: of :data:`scores.LOSSES`; one is searched by SCE-UA, several by NSGA-II.
        warmup: steps at the beginning that count for no aim.
        budget: about how many sets may be tried.
        bounds: other limits for some parameters; equal ones hold a parameter fast.
        seed: of the dice; the same seed finds the same sets.

    Raises:
        BadInput: ``forecast.aim`` for an unknown aim, ``forecast.parameters`` for a foreign name,
            ``forecast.shape`` and ``forecast.record.none`` for a record that does not fit or is empty.
    """
    unknown = [aim for aim in aims if aim not in scores.LOSSES]
    if unknown or not aims:
        raise BadInput("forecast.aim", aims=", ".join(unknown), known=", ".join(scores.LOSSES))
    obs = np.array(observed, np.float64)
    if forcing.rain.shape[:2] != (1, 1) or obs.shape != (forcing.steps,):
        raise BadInput("forecast.shape", name="observed", found=obs.shape, wanted=f"({forcing.steps},)")
    obs[:warmup] = np.nan
    scores.paired(obs, obs)  # refuses an empty record before the work
    low, high = _limits(model, bounds or {})
    problem = _Problem(model, forcing, obs, tuple(aims), low, high)
    free = high > low
    if len(aims) == 1:
        found = sce_ua(lambda x: problem.losses(x)[:, 0], low[free], high[free], budget=budget, seed=seed)
        points, tried = found.point[None], found.evaluations
    else:
        population = max(20, 2 * (int(np.sqrt(budget)) // 2))
        front = nsga2(
            problem.losses,
            low[free],
            high[free],
            population=population,
            generations=max(1, budget // population - 1),
            seed=seed,
        )
        points, tried = front.points, front.evaluations
    return problem.told(points, tried)


def _limits(model: Runs, bounds: Bounds) -> tuple[Floats, Floats]:
    low, high = model.bounds
    for name, (least, most) in bounds.items():
        if name not in model.names or not least <= most:
            raise BadInput("forecast.parameters", model=model.name, names=", ".join(model.names))
        i = model.names.index(name)
        low[i], high[i] = least, most
    return low, high


@dataclass(frozen=True, slots=True)
class _Problem:
    model: Runs
    forcing: Forcing
    observed: Floats
    aims: tuple[str, ...]
    low: Floats
    high: Floats

    def whole(self, points: Floats) -> Floats:
        """Puts the parameters that were held fast between the free ones."""
        free = self.high > self.low
        x = np.repeat(self.low[None], len(points), axis=0)
        x[:, free] = points
        return x

    def losses(self, points: Floats) -> Floats:
        x = self.whole(points)
        parts = [x[i : i + _POINTS_AT_ONCE] for i in range(0, len(x), _POINTS_AT_ONCE)]
        return np.concatenate([self._losses(part) for part in parts])

    def _losses(self, x: Floats) -> Floats:
        flow = self.model.run(self.forcing, x[None]).flow[0]
        return np.stack([scores.LOSSES[aim](flow, self.observed) for aim in self.aims], axis=1)

    def told(self, points: Floats, tried: int) -> Calibration:
        x = self.whole(points)
        flow = self.model.run(self.forcing, x[None]).flow[0]
        sets = tuple(
            Calibrated(
                self.model.name,
                dict(zip(self.model.names, set_.tolist(), strict=True)),
                report(q, self.observed),
            )
            for set_, q in zip(x, flow, strict=True)
        )
        return Calibration(sets, self.aims, self.losses(points), tried)

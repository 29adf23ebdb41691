"""The outlook of many basins at once: members, runs and quantiles in blocks, so that memory stays small."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from os import cpu_count

import numpy as np

from yunmeng.converged.water.forecast.ensemble import perturbed, quantiles
from yunmeng.converged.water.forecast.forcing import Forcing, forcing
from yunmeng.converged.water.forecast.model import Model
from yunmeng.converged.water.forecast.shapes import Floats, Numbers
from yunmeng.kernel.base import BadInput

_BLOCK = 32  # basins; with 50 members and 33 days of hours about 10 MB an array
Progress = Callable[[float], None]


@dataclass(frozen=True, slots=True)
class Outlook:
    """Quantiles of the flow, (levels, basins, steps), mm a step.

    ``exceeding`` is the share of members above the basin's threshold in any step, (basins,); NaN without one.
    """

    levels: tuple[float, ...]
    flow: Floats
    exceeding: Floats


def outlook(
    model: Model,
    rain: Numbers,
    evaporation: Numbers,
    params: Numbers,
    step_hours: float,
    *,
    states: Floats | None = None,
    members: int = 50,
    spread: float = 0.3,
    memory: float = 0.9,
    levels: tuple[float, ...] = (0.05, 0.25, 0.5, 0.75, 0.95),
    thresholds: Numbers | None = None,
    seed: int = 0,
    progress: Progress | None = None,
) -> Outlook:
    """Forecasts every basin with members from perturbed rain, on all cores.

    Args:
        model: which model.
        rain: forecast rain, mm a step, (basins, steps).
        evaporation: potential, the same shape, or (1, steps) for all.
        params: (basins, n), or (n,) for all.
        step_hours: length of a step.
        states: of each basin at the beginning, (basins, 1, k); else :meth:`Model.start`.
        members: how many; the first has the rain as given.
        spread: as :func:`perturbed`.
        memory: as :func:`perturbed`.
        levels: of the quantiles.
        thresholds: flow in mm a step, (basins,).
        seed: of the dice; every block has its own, so that the number of cores changes nothing.
        progress: called with the share done after each block.

    Raises:
        BadInput: ``forecast.shape`` when basins do not fit; as :func:`forcing` and :meth:`Model.run`.
    """
    given = forcing(np.atleast_2d(np.asarray(rain, np.float64)), evaporation, step_hours)
    basins = given.rain.shape[0]
    x, limits = model.params(params), _limits(thresholds, basins)
    if x.shape[0] not in (1, basins) or (states is not None and states.shape[:2] != (basins, 1)):
        raise BadInput("forecast.shape", name="params, states", found=x.shape, wanted=f"({basins}, …)")
    flow, exceeding = np.empty((len(levels), basins, given.steps)), np.empty(basins)

    def block(first: int) -> None:
        here = slice(first, min(first + _BLOCK, basins))
        water = perturbed(given.rain[here, 0], members, spread=spread, memory=memory, seed=seed + first)
        demand = given.evaporation[here] if given.evaporation.shape[0] == basins else given.evaporation
        begin = None if states is None else np.repeat(states[here], members, axis=1)
        run = model.run(
            Forcing(water, np.ascontiguousarray(demand), step_hours, given.temperature),
            x[here] if x.shape[0] == basins else x,
            states=begin,
            threads=1,
        )
        flow[:, here] = quantiles(run.flow, levels)
        peak = run.flow.max(axis=2)
        exceeding[here] = np.where(np.isnan(limits[here]), np.nan, (peak > limits[here, None]).mean(axis=1))

    starts = range(0, basins, _BLOCK)
    with ThreadPoolExecutor(cpu_count() or 1) as pool:
        for done, _ in enumerate(pool.map(block, starts), start=1):
            if progress is not None:
                progress(done / len(starts))
    return Outlook(levels, flow, exceeding)


def _limits(thresholds: Numbers | None, basins: int) -> Floats:
    if thresholds is None:
        return np.full(basins, np.nan)
    limits = np.asarray(thresholds, np.float64)
    if limits.shape != (basins,):
        raise BadInput("forecast.shape", name="thresholds", found=limits.shape, wanted=f"({basins},)")
    return limits

"""Real-time correction of stores: the ensemble Kalman filter (Evensen 1994; Burgers et al. 1998)."""

from dataclasses import dataclass

import numpy as np

from yunmeng.converged.water.forecast.forcing import Forcing
from yunmeng.converged.water.forecast.model import Model
from yunmeng.converged.water.forecast.shapes import Floats, Numbers
from yunmeng.kernel.base import BadInput


@dataclass(frozen=True, slots=True)
class Assimilated:
    """Flow of each member before (``forecast``) and the states after the last update; mm a step."""

    forecast: Floats
    states: Floats


def analysis(states: Floats, predicted: Floats, observed: float, deviation: float, seed: int = 0) -> Floats:
    """Moves the members' stores towards one observation, each towards its own perturbed copy of it.

    Args:
        states: (members, n).
        predicted: what each member gave for the observation, (members,).
        observed: the observation.
        deviation: its standard deviation, same unit.
        seed: of the perturbations, whose mean is taken off.

    Raises:
        BadInput: ``forecast.shape`` for fewer than two members, ``forecast.parameter`` for a deviation of 0.
    """
    members = len(predicted)
    if members < 2 or len(states) != members:
        raise BadInput("forecast.shape", name="predicted", found=predicted.shape, wanted="(members >= 2,)")
    if not deviation > 0:
        raise BadInput("forecast.parameter", name="deviation", value=deviation, least=0, most=np.inf)
    noise = np.random.default_rng(seed).normal(0, deviation, members)
    off, away = states - states.mean(axis=0), predicted - predicted.mean()
    covariance = away @ off / (members - 1)
    gain = covariance / (away @ away / (members - 1) + deviation**2)
    return states + np.outer(observed + noise - noise.mean() - predicted, gain)


def assimilate(
    model: Model,
    forcing: Forcing,
    params: Numbers,
    observed: Numbers,
    *,
    states: Floats,
    every: int = 1,
    share: float = 0.1,
    least: float = 1e-3,
    seed: int = 0,
) -> Assimilated:
    """Runs one basin's members from observation to observation, correcting their stores at each.

    Stores stay between empty and full; the water already on its way is corrected too. Spread comes from the
    members' own rain (:func:`ensemble.perturbed`), parameters or states: members that are all alike learn
    nothing.

    Args:
        model: which model.
        forcing: one basin, its members' rain, mm a step.
        params: as :meth:`Model.params` takes them.
        observed: flow in mm a step, (steps,); NaN where there is none.
        states: of the members at the beginning, (1, members, n).
        every: assimilate each so many steps.
        share: the observation's standard deviation as a share of it.
        least: the smallest deviation, mm a step.
        seed: of the perturbations.

    Raises:
        BadInput: as :meth:`Model.run` and :func:`analysis`.
    """
    obs = np.asarray(observed, np.float64)
    if obs.shape != (forcing.steps,):
        raise BadInput("forecast.shape", name="observed", found=obs.shape, wanted=f"({forcing.steps},)")
    x = model.params(params)
    top, flows = model.ceiling(x), list[Floats]()
    for first in range(0, forcing.steps, every):
        run = model.run(forcing.between(first, first + every), x, states=states)
        flows.append(run.flow[0])
        states, seen = run.states, obs[min(first + every, obs.size) - 1]
        if np.isfinite(seen):
            deviation = max(share * float(seen), least)
            moved = analysis(states[0], run.flow[0, :, -1], float(seen), deviation, seed + first)
            states = _possible(moved[None], top)
    return Assimilated(np.concatenate(flows, axis=1), states)


def _possible(states: Floats, top: Floats) -> Floats:
    states = np.maximum(states, 0.0)
    fixed = top.shape[2]
    states[..., :fixed] = np.minimum(states[..., :fixed], top)
    return np.ascontiguousarray(states)

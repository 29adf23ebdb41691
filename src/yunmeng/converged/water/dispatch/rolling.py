"""Rolling horizon: plan a window, carry out its first steps as the water really comes, look again."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta

import numpy as np

from yunmeng.converged.water.dispatch.model import Penalties
from yunmeng.converged.water.dispatch.optimise import Warm, optimise
from yunmeng.converged.water.dispatch.plan import Plan
from yunmeng.converged.water.dispatch.routing import route
from yunmeng.converged.water.dispatch.rules import simulate
from yunmeng.converged.water.dispatch.system import Horizon, System
from yunmeng.converged.water.register.arrays import Floats
from yunmeng.kernel.base import BadInput

Forecast = Callable[[int], Floats]


@dataclass(frozen=True, slots=True)
class Rolled:
    """What was carried out, (N, T) each, and the plan of each round."""

    storage: Floats
    release: Floats
    inflow: Floats
    plans: tuple[Plan, ...]


def roll(
    system: System,
    truth: Horizon,
    *,
    window: int,
    keep: int,
    forecast: Forecast | None = None,
    penalties: Penalties | None = None,
    threads: int = 2,
) -> Rolled:
    """Plans ``window`` steps, carries out ``keep`` of them on the exact curves with the true inflow, repeats.

    ``forecast`` gives the inflow (N, window) expected from a step on; without it all is known. The last
    windows are as long as what is left. Each round starts from the basis of the one before.

    Raises:
        BadInput: ``dispatch.shape`` for a window shorter than ``keep`` or longer than the horizon.
        Unsupported: ``dispatch.infeasible``.
    """
    total = truth.steps
    if not 1 <= keep <= window <= total:
        raise BadInput(
            "dispatch.shape", name="window", found=(keep, window), wanted=f"1 ≤ keep ≤ window ≤ {total}"
        )
    now, warm = truth, Warm()
    done: list[tuple[Floats, Floats, Floats]] = []
    plans: list[Plan] = []
    for first in range(0, total, keep):
        length = min(window, total - first)
        expected = (
            truth.inflow[:, first : first + length] if forecast is None else forecast(first)[:, :length]
        )
        seen = replace(now, inflow=expected, limit=truth.limit[:, first : first + length])
        plans.append(optimise(system, seen, penalties, warm=warm, threads=threads))
        steps = slice(first, min(first + keep, total))
        real = replace(now, inflow=truth.inflow[:, steps], limit=truth.limit[:, steps])
        orders = np.where(system.reservoir[:, None], plans[-1].release[:, : real.steps], np.nan)
        ran = simulate(system, real, {}, orders=orders, threads=1)
        out = ran.release[:, 0] + ran.overtop[:, 0]
        done.append((ran.storage[:, 0], out, ran.inflow[:, 0]))
        now = _after(system, real, ran.storage[:, 0], out)
    storage, release, inflow = (np.concatenate(parts, axis=1) for parts in zip(*done, strict=True))
    return Rolled(storage, release, inflow, tuple(plans))


def _after(system: System, horizon: Horizon, storage: Floats, out: Floats) -> Horizon:
    arrived = np.array(
        [
            route(
                *(out[node], horizon.past[node], horizon.arrival[node]),
                *(int(system.routing.lag[node]), system.routing.share[node]),
            )[-1]
            for node in range(system.nodes)
        ]
    )
    past = np.concatenate([horizon.past, out], axis=1)[:, -horizon.past.shape[1] :]
    start = horizon.start + timedelta(hours=system.step_hours * horizon.steps)
    return replace(horizon, start=start, storage=storage[:, -1], past=past, arrival=arrived)

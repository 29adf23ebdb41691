"""Comparison of plans (方案比选): what each does at the control points and in the reservoirs."""

from collections.abc import Mapping
from dataclasses import dataclass, fields

import numpy as np

from yunmeng.converged.water.dispatch.model import Penalties
from yunmeng.converged.water.dispatch.plan import Plan
from yunmeng.converged.water.dispatch.routing import route
from yunmeng.converged.water.dispatch.rules import Simulation
from yunmeng.converged.water.dispatch.system import Horizon, System
from yunmeng.converged.water.register.arrays import Floats
from yunmeng.kernel.base import Language, sentence


@dataclass(frozen=True, slots=True)
class Score:
    """One plan in numbers; shares are of the flood without reservoirs.

    ``peak_cut`` is the mean over the points of (natural peak − peak) / natural peak, ``worst_ratio`` the
    largest peak over safe flow; ``over_safe`` and ``over_guard`` are volumes in 10⁶ m³, ``over_hours`` hours
    summed over the points, ``points_over`` how many; ``over_limit`` is the largest storage over flood limits
    in 10⁶ m³, summed over reservoirs; ``spill`` is released beside the turbines of reservoirs that have some,
    10⁶ m³; ``energy`` MWh; ``short_ecology`` 10⁶ m³; ``ramp_breaks`` steps; ``stored`` the change in 10⁶ m³.
    """

    peak_cut: float
    worst_ratio: float
    points_over: int
    over_hours: float
    over_safe: float
    over_guard: float
    over_limit: float
    spill: float
    energy: float
    short_ecology: float
    ramp_breaks: int
    stored: float


@dataclass(frozen=True, slots=True)
class Comparison:
    """Scores by plan, and each point's peak: ``peaks`` (plans + 1, points), first without reservoirs."""

    scores: Mapping[str, Score]
    points: tuple[str, ...]
    safe: Floats
    peaks: Floats

    def table(self, lang: Language = "zh-CN") -> list[list[str]]:
        """Returns a table in words: a header, then a row for each measure."""
        header = [sentence("water.dispatch.score.measure", {}, lang), *self.scores]
        rows = [
            [
                sentence(f"water.dispatch.score.{each.name}", {}, lang),
                *(_shown(each.name, getattr(score, each.name)) for score in self.scores.values()),
            ]
            for each in fields(Score)
        ]
        return [header, *rows]


def _shown(name: str, value: float) -> str:
    if name == "peak_cut":
        return f"{value:.1%}"
    return f"{value:,}" if isinstance(value, int) else f"{value:,.2f}"


def natural(system: System, horizon: Horizon) -> Floats:
    """Returns the flow of every node as if no reservoir held water back, shape (N, T), m³/s."""
    flow = horizon.inflow.copy()
    for node in range(system.nodes):
        below = int(system.downstream[node])
        if below >= 0:
            lag, share = int(system.routing.lag[node]), system.routing.share[node]
            flow[below] += route(flow[node], horizon.past[node], horizon.arrival[node], lag, share)
    return flow


def simulated(
    system: System, horizon: Horizon, simulation: Simulation, member: int = 0, name: str = ""
) -> Plan:
    """Returns a member of a simulation as a plan, so that rules and optimum compare; it claims no bound."""
    storage, release, inflow, over = (
        np.ascontiguousarray(each[:, member])
        for each in (simulation.storage, simulation.release, simulation.inflow, simulation.overtop)
    )
    turbine = np.minimum(release, system.turbine_max[:, None])
    return Plan(
        *(system, horizon, Penalties(), storage, release + over, inflow, turbine),
        *(float("nan"), float("-inf"), 0.0),
        name=name,
    )


def compare(plans: Mapping[str, Plan]) -> Comparison:
    """Scores plans of one system and horizon side by side.

    A point without a safe flow takes no part.
    """
    first = next(iter(plans.values()))
    system, horizon = first.system, first.horizon
    points = np.flatnonzero(np.isfinite(system.safe) & ~system.reservoir)
    alone = natural(system, horizon)[points]
    scores = {name: _score(plan, alone) for name, plan in plans.items()}
    peaks = [alone.max(axis=1), *(plan.release[points].max(axis=1) for plan in plans.values())]
    return Comparison(
        scores, tuple(system.names[node] for node in points.tolist()), system.safe[points], np.array(peaks)
    )


def _score(plan: Plan, alone: Floats) -> Score:
    system, horizon = plan.system, plan.horizon
    points = np.flatnonzero(np.isfinite(system.safe) & ~system.reservoir)
    flow, safe = plan.release[points], system.safe[points, None]
    over = np.maximum(flow - safe * (1 + 1e-9), 0.0)
    guard = np.maximum(flow - system.guard[points, None], 0.0)
    held = system.reservoir
    change = np.diff(np.concatenate([horizon.past[:, -1:], plan.release], axis=1), axis=1)
    broken = (change > system.ramp_up[:, None] + 1e-6) | (change < -system.ramp_down[:, None] - 1e-6)
    cut: Floats = 1 - flow.max(axis=1) / np.maximum(alone.max(axis=1), 1e-9)
    driven = held & (system.turbine_max > 0)
    return Score(
        peak_cut=float(cut.mean()) if points.size else 0.0,
        worst_ratio=float((flow / safe).max(initial=0.0)),
        points_over=int((over > 1e-6).any(axis=1).sum()),
        over_hours=float((over > 1e-6).sum() * system.step_hours),
        over_safe=float(over.sum() * system.volume),
        over_guard=float(guard.sum() * system.volume),
        over_limit=float(np.maximum(plan.storage - horizon.limit, 0.0)[held].max(axis=1, initial=0.0).sum()),
        spill=float(np.maximum(plan.release - plan.turbine, 0.0)[driven].sum() * system.volume),
        energy=float(plan.energy[held].sum()),
        short_ecology=float(
            np.maximum(system.release_min[:, None] - plan.release, 0.0).sum() * system.volume
        ),
        ramp_breaks=int(broken[held].sum()),
        stored=float((plan.storage[held, -1] - horizon.storage[held]).sum()),
    )

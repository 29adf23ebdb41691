"""Simulation by regulation rules (调度规程): what each reservoir does by its own table.

A rule holds from a level and an inflow on, in a season; of those that hold the last one decides. Then, in
this order: hold water back for the point downstream, ecological minimum, ramping, capacity, the water that is
there, and the top of the dam.
"""

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Literal

import numpy as np

from yunmeng.converged.water.dispatch.routing import route
from yunmeng.converged.water.dispatch.system import Horizon, System
from yunmeng.converged.water.register.arrays import Floats, Ints
from yunmeng.kernel.base import BadInput

Action = Literal["fixed", "inflow", "open", "least", "hold", "turbine"]
ACTIONS: tuple[Action, ...] = ("fixed", "inflow", "open", "least", "hold", "turbine")
# what decided a release; the words are ``dispatch.reason.<name>``
REASONS = ("rule", "protect", "ecology", "ramp_up", "ramp_down", "capacity", "empty", "top", "order", "spill")


@dataclass(frozen=True, slots=True)
class Rule:
    """One row of a reservoir's table.

    It holds while the level is at or above ``level`` (m; with ``relative`` counted from the flood limit), the
    inflow at or above ``inflow`` m³/s, and the season is ``season`` (empty: any). ``value`` is m³/s for
    ``fixed``, a share of the inflow for ``inflow``, of the outlets for ``open``, of the turbines for
    ``turbine``; ``hold`` releases what brings the storage to the flood limit within the step.
    """

    action: Action
    value: float = 1.0
    level: float = -np.inf
    inflow: float = 0.0
    season: str = ""
    relative: bool = False


@dataclass(frozen=True, slots=True)
class Guarding:
    """Which point each node protects: index or -1, and the whole steps that its water needs to get there."""

    point: Ints
    lag: Ints


@dataclass(frozen=True, slots=True)
class Simulation:
    """Result arrays of shape (N, M, T): storage at the end of a step, flows as means of the step.

    ``inflow`` is all that enters a node, ``overtop`` what no outlet could pass, ``reason`` an index of
    ``REASONS``, ``rule`` the number of the rule that spoke (-1: none).
    """

    storage: Floats
    release: Floats
    inflow: Floats
    overtop: Floats
    reason: Ints
    rule: Ints


def guarding(system: System) -> Guarding:
    """Returns for each reservoir the first point below with a safe flow, unless a reservoir is before it."""
    point: Ints = np.full(system.nodes, -1, np.int64)
    lag: Ints = np.zeros(system.nodes, np.int64)
    # mean travel time of a reach in steps, from its coefficients
    c0, c1, c2 = system.routing.share.T
    mean = system.routing.lag + (c1 + c2) / np.maximum(c0 + c1, 1e-12)
    time = np.zeros(system.nodes)
    for node in range(system.nodes - 1, -1, -1):
        below = int(system.downstream[node])
        if below < 0:
            continue
        if np.isfinite(system.safe[below]) and not system.reservoir[below]:
            point[node], time[node] = below, mean[node]
        elif not system.reservoir[below]:
            point[node], time[node] = point[below], time[below] + mean[node]
    lag[:] = np.rint(time)
    return Guarding(point, lag)


def simulate(
    system: System,
    horizon: Horizon,
    rules: Mapping[str, Sequence[Rule]],
    *,
    seasons: Sequence[str] | None = None,
    orders: Floats | None = None,
    threads: int = 2,
) -> Simulation:
    """Simulates every reservoir in topological order, for every member of the horizon's inflow.

    ``rules`` is by node id, ``""`` for those without rows of their own. ``seasons`` (T,) names each step's.
    ``orders`` (N, T) replace the rules where they are not NaN: an optimised plan is replayed
    on the exact curves. Members run in ``threads`` threads.

    Raises:
        BadInput: ``dispatch.rule`` for an unknown action, ``dispatch.node`` for rules of an unknown node,
            ``dispatch.shape`` for seasons or orders that do not fit.
    """
    from yunmeng.converged.water.dispatch.kernels import simulate_member

    steps = horizon.steps
    inflow = horizon.inflow.reshape(system.nodes, -1, steps)
    members = inflow.shape[1]
    table = _table(system, rules, seasons, steps)
    commands = np.full((system.nodes, steps), np.nan) if orders is None else np.asarray(orders, np.float64)
    if commands.shape != (system.nodes, steps):
        raise BadInput("dispatch.shape", name="orders", found=commands.shape, wanted=(system.nodes, steps))
    # one layout of memory, so that the kernel is compiled once
    past, limit, commands = (np.ascontiguousarray(each) for each in (horizon.past, horizon.limit, commands))
    guard = guarding(system)
    shape = (members, system.nodes, steps)
    storage, release, arrived, over = (np.empty(shape) for _ in range(4))
    reason, spoke = np.empty(shape, np.int64), np.empty(shape, np.int64)

    def one(member: int) -> None:
        local = np.ascontiguousarray(inflow[:, member])
        simulate_member(
            *(system.downstream, system.routing.lag, system.routing.share, system.reservoir),
            *(system.curves.storage, system.curves.level, system.curves.discharge, system.curves.spill),
            *(system.storage_min, system.storage_max, system.storage_keep, system.release_min),
            *(system.ramp_up, system.ramp_down, system.safe, system.turbine_max, system.volume),
            *(horizon.storage, past, horizon.arrival, limit, local, commands),
            *(guard.point, guard.lag, _background(system, horizon, local)),
            *table,
            *(storage[member], release[member], arrived[member], over[member]),
            *(reason[member], spoke[member]),
        )

    with ThreadPoolExecutor(max(1, min(threads, members))) as pool:
        list(pool.map(one, range(members)))
    flows = (np.swapaxes(each, 0, 1) for each in (storage, release, arrived, over))
    stored, out, came, lost = flows
    return Simulation(stored, out, came, lost, np.swapaxes(reason, 0, 1), np.swapaxes(spoke, 0, 1))


def _background(system: System, horizon: Horizon, local: Floats) -> Floats:
    """What reaches each point from unregulated land alone: reservoirs let nothing pass."""
    guarded = np.isfinite(system.safe) & ~system.reservoir
    total = np.zeros_like(local)
    if not guarded.any():
        return total
    total[:] = local
    for node in np.flatnonzero(~system.reservoir).tolist():
        below = int(system.downstream[node])
        if below >= 0:
            past, before = np.repeat(total[node, :1], horizon.past.shape[1]), total[node, 0]
            lag, share = int(system.routing.lag[node]), system.routing.share[node]
            total[below] += route(total[node], past, before, lag, share)
    return total


def _table(
    system: System, rules: Mapping[str, Sequence[Rule]], seasons: Sequence[str] | None, steps: int
) -> tuple[Ints, Floats, Floats, Floats, Ints, Ints, Ints]:
    for id in rules:
        if id and id not in system.ids:
            raise BadInput("dispatch.node", id=id)
    named = [""] * steps if seasons is None else list(seasons)
    if len(named) != steps:
        raise BadInput("dispatch.shape", name="seasons", found=(len(named),), wanted=(steps,))
    number = {name: place for place, name in enumerate(dict.fromkeys(named))}
    rows = [list(rules.get(id, rules.get("", ()))) for id in system.ids]
    shape = (system.nodes, max((len(each) for each in rows), default=0))
    action: Ints = np.full(shape, -1, np.int64)
    season: Ints = np.full(shape, -1, np.int64)
    relative: Ints = np.zeros(shape, np.int64)
    value, level, inflow = (np.zeros(shape) for _ in range(3))
    for node, row in enumerate(rows):
        for place, rule in enumerate(row):
            if rule.action not in ACTIONS:
                raise BadInput("dispatch.rule", id=system.ids[node], action=rule.action, known=ACTIONS)
            action[node, place] = ACTIONS.index(rule.action)
            # a season that no step has never holds
            season[node, place] = number.get(rule.season, -2) if rule.season else -1
            relative[node, place] = rule.relative
            value[node, place], level[node, place] = rule.value, rule.level
            inflow[node, place] = rule.inflow
    at = np.array([number[name] for name in named], np.int64)
    return action, value, level, inflow, season, relative, at

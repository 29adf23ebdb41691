"""Small basins whose answers are known by hand. An hour a step: 1 m³/s is 0.0036 · 10⁶ m³.

With a Muskingum weight of a half, whole hours of travel are pure lags.
"""

from datetime import UTC, datetime

import numpy as np

from yunmeng.converged.water.dispatch import PointSpec, ReservoirSpec, make_horizon, make_system
from yunmeng.converged.water.register import Reach, reservoir_curve, river_graph

START = datetime(2026, 7, 1, tzinfo=UTC)
UNIT = 0.0036


def box(most=1000.0, **spec):
    """A reservoir with upright walls: one metre holds what 10 m³/s bring in an hour; 100 m high."""
    depth = np.array([0.0, 50.0, 100.0])
    curve = reservoir_curve(depth, depth * 10 * UNIT, discharge=[most] * 3)
    return ReservoirSpec(curve, **{"dead": 0.0, "top": 100.0, **spec})


def one(inflow, *, spec=None, point=None, storage=0.0, hours=0.0, **known):
    """One reservoir ``r`` above one point ``p``."""
    graph = river_graph(["r", "p"], [Reach("r", "p", hours=hours)])
    system = make_system(graph, {"r": spec or box()}, {"p": point or PointSpec()}, step_hours=1.0, weight=0.5)
    steps = len(inflow)
    given = {"release": [0.0, 0.0], **known}
    return system, make_horizon(system, START, [inflow, [0.0] * steps], [storage * UNIT, 0.0], **given)


def two(first, second, *, safe, storage=(0.0, 0.0), local=None, hours=0.0, **specs):
    """Two reservoirs ``a`` and ``b`` side by side above one point ``p``."""
    graph = river_graph("abp", [Reach("a", "p", hours=hours), Reach("b", "p", hours=hours)])
    held = {"a": specs.get("a", box()), "b": specs.get("b", box())}
    system = make_system(graph, held, {"p": PointSpec(safe=safe)}, step_hours=1.0, weight=0.5)
    rows = {"a": first, "b": second, "p": local or [0.0] * len(first)}
    stored = {"a": storage[0] * UNIT, "b": storage[1] * UNIT, "p": 0.0}
    return system, make_horizon(
        system,
        START,
        [rows[id] for id in system.ids],
        [stored[id] for id in system.ids],
        release=np.zeros(3),
    )


def residual(system, horizon, plan):
    """The largest error of the water balance in m³/s, computed from the plan's arrays alone."""
    worst = 0.0
    came = horizon.inflow.copy()
    for node in range(system.nodes):
        out, past = plan.release[node], horizon.past[node]
        c0, c1, c2 = system.routing.share[node]
        lag, last = int(system.routing.lag[node]), horizon.arrival[node]
        series = np.concatenate([past, out])
        for step in range(out.size):
            at = past.size + step - lag
            last = c0 * series[at] + c1 * series[at - 1] + c2 * last
            if system.downstream[node] >= 0:
                came[system.downstream[node], step] += last
        before = np.concatenate([[horizon.storage[node]], plan.storage[node, :-1]])
        change = (plan.storage[node] - before) / system.volume if system.reservoir[node] else 0.0
        worst = max(worst, float(np.abs(came[node] - out - change).max()))
    return worst

"""The inner loop of the simulation by rules, compiled; imported only inside the function that runs it."""

import numpy as np

from yunmeng.converged.water.forecast.kernels.jit import compiled
from yunmeng.converged.water.register.arrays import Bools, Floats, Ints

_RULE, _PROTECT, _ECOLOGY, _UP, _DOWN, _CAPACITY, _EMPTY, _TOP, _ORDER, _SPILL = range(10)


@compiled
def at(value: float, known: Floats, wanted: Floats) -> float:
    """Interpolates one value on one padded curve; the ends hold."""
    last = len(known) - 1
    if value <= known[0]:
        return wanted[0]
    if value >= known[last]:
        return wanted[last]
    low, high = 0, last
    while high - low > 1:
        middle = (low + high) // 2
        if known[middle] <= value:
            low = middle
        else:
            high = middle
    return wanted[low] + (wanted[high] - wanted[low]) * (value - known[low]) / (known[high] - known[low])


@compiled
def chosen(
    action: Ints,
    level_from: Floats,
    inflow_from: Floats,
    season: Ints,
    relative: Ints,
    now: int,
    level: float,
    limit: float,
    inflow: float,
) -> int:
    """Returns the last rule of a row that holds, -1 for none."""
    found = -1
    for rule in range(len(action)):
        if action[rule] < 0:
            break
        start = level_from[rule] + (limit if relative[rule] else 0.0)
        if (season[rule] == -1 or season[rule] == now) and level >= start and inflow >= inflow_from[rule]:
            found = rule
    return found


@compiled
def simulate_member(  # noqa: C901, PLR0915
    downstream: Ints,
    lag: Ints,
    share: Floats,
    reservoir: Bools,
    curve_storage: Floats,
    curve_level: Floats,
    curve_discharge: Floats,
    curve_spill: Floats,
    storage_min: Floats,
    storage_max: Floats,
    storage_keep: Floats,
    release_min: Floats,
    ramp_up: Floats,
    ramp_down: Floats,
    safe: Floats,
    turbine_max: Floats,
    volume: float,
    start: Floats,
    past: Floats,
    arrival: Floats,
    limit: Floats,
    local: Floats,
    orders: Floats,
    point: Ints,
    point_lag: Ints,
    load: Floats,
    action: Ints,
    value: Floats,
    level_from: Floats,
    inflow_from: Floats,
    season: Ints,
    relative: Ints,
    season_at: Ints,
    storage: Floats,
    release: Floats,
    inflow: Floats,
    overtop: Floats,
    reason: Ints,
    spoke: Ints,
) -> None:
    """Fills (N, T) arrays of one member, node by node downstream; ``load`` grows by what is let go."""
    nodes, steps = local.shape
    known = past.shape[1]
    inflow[:] = local
    for node in range(nodes):
        held, before = start[node], past[node, known - 1]
        stores, levels = curve_storage[node], curve_level[node]
        for step in range(steps):
            coming = inflow[node, step]
            overtop[node, step] = 0.0
            spoke[node, step] = -1
            why = _RULE
            if not reservoir[node]:
                out = coming
                held = 0.0
            else:
                level = at(held, stores, levels)
                goal = min(limit[node, step], storage_max[node])
                rule = chosen(
                    action[node],
                    level_from[node],
                    inflow_from[node],
                    season[node],
                    relative[node],
                    season_at[step],
                    level,
                    at(goal, stores, levels),
                    coming,
                )
                spoke[node, step] = rule
                mine = point[node]
                ordered = not np.isnan(orders[node, step])
                # at start of the step; corrected below by the middle of the step
                open_now = at(held, stores, curve_discharge[node])
                out = coming
                if ordered:
                    out, why = orders[node, step], _ORDER
                elif rule >= 0:
                    kind, amount = action[node, rule], value[node, rule]
                    if kind == 0:
                        out = amount
                    elif kind == 1:
                        out = amount * coming
                    elif kind == 2:
                        out = amount * open_now
                    elif kind == 3:
                        out = release_min[node]
                    elif kind == 4:
                        out = coming + (held - goal) / volume
                    else:
                        out = amount * turbine_max[node]
                if not ordered:
                    if mine >= 0 and held < storage_keep[node]:
                        when = min(step + point_lag[node], steps - 1)
                        others = load[mine, when]
                        if step + point_lag[node] > when and when >= point_lag[node]:
                            # after the last step the point is as it was then, without what came from here
                            others -= release[node, when - point_lag[node]]
                        room = max(safe[mine] - others, 0.0)
                        if out > room:
                            out, why = room, _PROTECT
                    if out < release_min[node]:
                        out, why = release_min[node], _ECOLOGY
                    if out > before + ramp_up[node]:
                        out, why = before + ramp_up[node], _UP
                    if out < before - ramp_down[node]:
                        out, why = before - ramp_down[node], _DOWN
                most = coming + (held - storage_min[node]) / volume
                need = coming + (held - storage_max[node]) / volume
                if out < need:
                    out, why = need, _TOP
                middle = held + 0.5 * volume * (coming - min(out, open_now))
                spilling = at(middle, stores, curve_spill[node])
                opened = at(middle, stores, curve_discharge[node])
                if out < spilling:
                    out, why = spilling, _SPILL
                if out > opened:
                    out, why = opened, _CAPACITY
                if out > most:
                    out, why = max(most, 0.0), _EMPTY
                if out < 0.0:
                    out = 0.0
                held += volume * (coming - out)
                crest = stores[len(stores) - 1]
                if held > crest:
                    # what the outlets cannot pass goes over the dam, and is counted
                    overtop[node, step] = (held - crest) / volume
                    held = crest
                    why = _TOP
                if mine >= 0:
                    later = step + point_lag[node]
                    if later < steps:
                        load[mine, later] += out + overtop[node, step]
            release[node, step] = out
            storage[node, step] = held
            reason[node, step] = why
            before = out
        below = downstream[node]
        if below >= 0:
            last = arrival[node]
            for step in range(steps):
                one, two = step - lag[node], step - lag[node] - 1
                first = release[node, one] + overtop[node, one] if one >= 0 else past[node, known + one]
                second = release[node, two] + overtop[node, two] if two >= 0 else past[node, known + two]
                last = share[node, 0] * first + share[node, 1] * second + share[node, 2] * last
                inflow[below, step] += last

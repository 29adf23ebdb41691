"""A made-up wet spell 连阴雨 over one basin: a storm every three days, and the floods that it brings.

All of it repeats, so that the demo shows a flood whenever it is started: what is measured is a function of
the time alone.
"""

from dataclasses import dataclass

import numpy as np

from yunmeng.converged.water.register.arrays import Floats, Ints, listed
from yunmeng.converged.water.synthetic.basins import Basins
from yunmeng.converged.water.synthetic.floods import answer

PERIOD_H = 72
_STORM_MM, _PEAK_H, _WIDE_H = 150.0, 16.0, 6.0
_LATER_H_DEG = 8.0
_RUNOFF = 0.65
# what reservoirs above a control point let through of a flood
_LET_THROUGH = 0.25


@dataclass(frozen=True)
class WetSpell:
    """What happens at the nodes of one basin, hour by hour of the period: arrays of shape (n, 72).

    ``reservoirs`` are the nodes of large and medium ones, ``points`` those of control points. ``rain`` is
    mm an hour at the gauge of each reservoir, ``inflow``, ``outflow`` and ``discharge`` (of the points) are
    m³/s, ``level`` is m.
    """

    reservoirs: Ints
    points: Ints
    rain: Floats
    inflow: Floats
    outflow: Floats
    level: Floats
    discharge: Floats


def wet_spell(basins: Basins, seed: int) -> WetSpell:
    """Returns the wet spell over the tributary with the most large and medium reservoirs."""
    managed = np.array([bool(each) and not each.startswith("small") for each in basins.scale])
    part = int(np.bincount(basins.part[managed & (basins.part >= 0)]).argmax())
    nodes = np.flatnonzero(managed & (basins.part == part))
    points = np.flatnonzero(~basins.reservoir & (basins.part == part))
    rain = _rain(basins, np.concatenate([nodes, points]), np.random.default_rng((seed, part)))
    flow = _runoff(rain) * basins.total[np.concatenate([nodes, points])][:, None] / 3.6
    inflow, discharge = flow[: len(nodes)], flow[len(nodes) :] * _LET_THROUGH
    # gates pass the mean: then a period ends with the water it began with
    outflow = np.repeat(inflow.mean(axis=1, keepdims=True), PERIOD_H, axis=1)
    level = np.array([_level(basins, *each) for each in zip(listed(nodes), inflow - outflow, strict=True)])
    return WetSpell(nodes, points, rain[: len(nodes)], inflow, outflow, level, discharge)


def at_hour(table: Floats, at_us: int) -> Floats:
    """Returns the column of a table (n, 72) at a time (µs UTC), between two hours their mean by time."""
    hour = at_us / 3_600_000_000
    first, part = int(hour // 1), hour % 1
    return table[:, first % PERIOD_H] * (1 - part) + table[:, (first + 1) % PERIOD_H] * part


def coming_rain(spell: WetSpell, at_us: int, hours: int) -> Floats:
    """Returns the rain of the basin in the hours after a time (µs UTC), mm an hour, (hours,)."""
    first = at_us // 3_600_000_000 + 1
    coming = [hour % PERIOD_H for hour in range(first, first + hours)]
    return spell.rain[:, coming].mean(axis=0)


def _rain(basins: Basins, nodes: Ints, made: np.random.Generator) -> Floats:
    hours: Floats = np.arange(PERIOD_H, dtype=np.float64)
    lon = basins.lon[nodes]
    # the storm wanders from west to east, and is no smooth hill
    peak = _PEAK_H + _LATER_H_DEG * (lon - lon.mean()) + made.normal(0, 1.0, len(nodes))
    shape = np.exp(-(((hours - peak[:, None]) / _WIDE_H) ** 2)) * made.gamma(
        4.0, 0.25, (len(nodes), PERIOD_H)
    )
    shape[shape < 0.02] = 0.0
    depth = _STORM_MM * made.uniform(0.8, 1.2, len(nodes))
    share: Floats = shape / shape.sum(axis=1, keepdims=True)
    return np.round(share * depth[:, None], 1)


def _runoff(rain: Floats) -> Floats:
    """Returns runoff, mm an hour, once the storms have come again and again."""
    keep = np.full(len(rain), np.exp(-1 / 6.0))
    return answer(np.tile(rain * _RUNOFF, 3), keep)[:, -PERIOD_H:]


def _level(basins: Basins, node: int, gain: Floats) -> Floats:
    """Returns the level of a reservoir: at its lowest it stands at the flood limit."""
    curve = basins.reservoirs[basins.ids[node]].curve
    held = np.cumsum(gain) * 3600 / 1e6
    least = float(curve.storage_at(basins.flood_limit[node]))
    return curve.level_at(least + held - held.min(), clamp=True)

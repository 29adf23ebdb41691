"""A made-up storm over made-up basins: local inflow of every node, by seed."""

from datetime import datetime

import numpy as np

from yunmeng.converged.water.dispatch.system import Horizon, System, make_horizon
from yunmeng.converged.water.register.arrays import Floats
from yunmeng.converged.water.synthetic.basins import Basins

_RUNOFF = 0.65


def flood(
    basins: Basins, steps: int, step_hours: float, *, seed: int, members: int = 1, rain_mm: float = 180.0
) -> Floats:
    """Returns local inflow in m³/s, shape (N, members, steps): a storm that wanders from west to east.

    ``rain_mm`` falls on its track; members differ in track, depth and time. Land answers by two linear
    stores whose time grows with the area, so that no water is lost but what stays after the last step.
    """
    made = np.random.default_rng(seed)
    hours: Floats = np.arange(steps, dtype=np.float64) * step_hours
    flow = np.empty((len(basins.ids), members, steps))
    keep = np.exp(-step_hours / (1.2 * np.maximum(basins.area, 0.05) ** 0.35))
    for member in range(members):
        rain = _storm(basins, hours, step_hours, rain_mm, made)
        flow[:, member] = answer(rain * _RUNOFF, keep) * basins.area[:, None] / (3.6 * step_hours)
    return flow + (basins.base + 0.015 * basins.area)[:, None, None]


def _storm(
    basins: Basins, hours: Floats, step_hours: float, rain_mm: float, made: np.random.Generator
) -> Floats:
    day = made.uniform(14, 26)
    west, lat = made.uniform(109.5, 110.5), made.uniform(30.3, 31.6)
    speed, wide = made.uniform(0.06, 0.09), made.uniform(1.3, 1.9)
    east = west + speed * np.maximum(hours - day, 0.0)
    far = ((basins.lon[:, None] - east) * 0.86) ** 2 + (basins.lat[:, None] - lat) ** 2
    raining = (hours > day) & (hours < day + 60)
    shape = np.exp(-far / (2 * wide**2)) * raining
    # most places see the storm for about a day and a half
    return shape * rain_mm * made.uniform(0.85, 1.15) * step_hours / 36.0


def answer(depth: Floats, keep: Floats) -> Floats:
    """Returns how land answers to water (mm a step, (nodes, steps)): two linear stores in a row."""
    first, second = np.zeros(len(keep)), np.zeros(len(keep))
    out = np.empty_like(depth)
    for step in range(depth.shape[1]):
        first += depth[:, step]
        passed = first * (1 - keep)
        first -= passed
        second += passed
        out[:, step] = second * (1 - keep)
        second -= out[:, step]
    return out


def flood_horizon(
    basins: Basins, system: System, start: datetime, steps: int, *, seed: int, members: int = 1
) -> Horizon:
    """Returns a horizon with a made-up flood; storages start a little under the flood limit of the date."""
    made = np.random.default_rng(seed + 1)
    inflow = flood(basins, steps, system.step_hours, seed=seed, members=members)
    low, normal = (np.nan_to_num(each) for each in (basins.flood_limit, basins.normal))
    in_season = 5 <= start.month <= 9
    limit = system.curves.storage_at(low if in_season else normal)
    limits = np.where(system.reservoir, limit, np.inf)
    storage = np.where(system.reservoir, limit * made.uniform(0.8, 1.0, system.nodes), 0.0)
    stored = np.where(system.reservoir, np.maximum(storage, system.storage_min), 0.0)
    first = inflow[:, :, 0].mean(axis=1)
    release = first.copy()
    for node in range(system.nodes):
        if system.downstream[node] >= 0:
            release[system.downstream[node]] += release[node]
    return make_horizon(
        system,
        start,
        inflow if members > 1 else inflow[:, 0],
        stored,
        limit=limits,
        target=np.where(system.reservoir, limit, np.nan),
        release=release,
        source="synthetic",
    )

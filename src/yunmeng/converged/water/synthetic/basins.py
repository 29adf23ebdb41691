"""A made-up province of river trees with reservoirs and control points, by seed.

Counties, their areas and centroids are real (GB/T 2260); no river, reservoir or control point is. Two main
stems gather about a hundred tributaries; larger reservoirs lie below smaller ones.
"""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from yunmeng.converged.water.dispatch.system import PointSpec, ReservoirSpec, System, make_system
from yunmeng.converged.water.register import (
    FloodLimits,
    Outlet,
    Reach,
    RiverGraph,
    Season,
    flood_limits,
    release_columns,
    reservoir_curve,
    river_graph,
)
from yunmeng.converged.water.register.arrays import Bools, Floats, Ints, listed
from yunmeng.kernel.base import counties

_SPEED_KM_H = 8.0
_PER_TRIBUTARY = 72
_PER_POINT = 14
# the two stems run west to east and meet; longitudes and latitudes of their ends, and how many points
_STEMS = (((110.4, 30.8), (116.0, 29.9), 18), ((110.6, 32.6), (114.3, 30.6), 10))
_STEM_BASE = (20_000.0, 2_000.0)
_PROVINCE_KM2 = 185_900.0


@dataclass(frozen=True)
class Basins:
    """N made-up nodes in topological order; arrays have shape (N,).

    ``scale`` is the class of a reservoir (``large`` … ``small-2``) or empty for a control point, ``area`` the
    km² between a node and those above it, ``total`` with all above, ``base`` a steady inflow in m³/s from
    outside the province, ``part`` the tributary (-1: a main stem). ``synthetic`` is always true.
    """

    seed: int
    ids: tuple[str, ...]
    names: tuple[tuple[str, str], ...]
    scale: tuple[str, ...]
    division: tuple[str, ...]
    lon: Floats
    lat: Floats
    area: Floats
    total: Floats
    base: Floats
    part: Ints
    graph: RiverGraph
    reservoirs: Mapping[str, ReservoirSpec] = field(repr=False)
    points: Mapping[str, PointSpec] = field(repr=False)
    normal: Floats = field(repr=False)
    flood_limit: Floats = field(repr=False)
    synthetic: bool = True

    @property
    def reservoir(self) -> Bools:
        """Which nodes are reservoirs, shape (N,)."""
        return np.array([bool(each) for each in self.scale])

    def system(self, step_hours: float) -> System:
        """Returns the basin as dispatch sees it."""
        return make_system(self.graph, self.reservoirs, self.points, step_hours=step_hours)

    def limits(self, node: int) -> FloodLimits:
        """Returns the flood limits of a reservoir by date: May to September, else the normal level."""
        low, high = float(self.flood_limit[node]), float(self.normal[node])
        seasons = [
            Season("前汛期", "05-01", "06-20", (low + high) / 2),
            Season("主汛期", "06-21", "09-30", low),
        ]
        return flood_limits(seasons, outside=high, transition_days=5, name=self.names[node][0])


def basins(seed: int, reservoirs: int | None = None, *, gated: bool = False) -> Basins:
    """Makes a province; the same seed makes the same one.

    ``reservoirs`` is 6,928 unless it says otherwise; with ``gated`` only those that have gates.
    """
    made = np.random.default_rng(seed)
    wanted = int(_sizes()["reservoirs"]) if reservoirs is None else reservoirs
    layout = _Layout(made, wanted, gated)
    layout.place_reservoirs()
    layout.place_points()
    layout.join()
    return layout.finish(seed)


@cache
def _sizes() -> dict[str, Any]:
    return tomllib.loads(Path(__file__).with_name("sizes.toml").read_text(encoding="utf-8"))


class _Layout:
    """Nodes while they are placed: reservoirs first, then control points of tributaries, then the stems."""

    grade: Ints
    storage: Floats
    lon: Floats
    lat: Floats
    part: Ints
    apart: Floats
    mouth_lon: Floats
    mouth_lat: Floats
    point_lon: Floats
    point_lat: Floats
    point_part: Ints
    point_apart: Floats
    below: Ints
    km: Floats
    base: Floats

    def __init__(self, made: np.random.Generator, wanted: int, gated: bool) -> None:
        self.made, self.wanted = made, wanted
        units = [each for each in counties() if each.area_km2 > 0]
        self.classes: list[dict[str, Any]] = [
            each for each in _sizes()["classes"] if each["gated"] or not gated
        ]
        weight = np.array([each.area_km2 for each in units])
        chosen = made.choice(len(units), wanted, p=weight / weight.sum())
        self.units = [units[place] for place in listed(chosen)]

    def place_reservoirs(self) -> None:
        """Draws class, position, storage and tributary of every reservoir."""
        made, wanted = self.made, self.wanted
        share = np.array([float(each["share"]) for each in self.classes])
        counts = np.maximum(np.floor(share / share.sum() * wanted), 1).astype(np.int64)
        counts[-1] = wanted - counts[:-1].sum()
        self.grade = made.permutation(np.repeat(np.arange(len(counts)), counts))
        spread = np.array([np.sqrt(unit.area_km2) / 2 / 111 for unit in self.units])
        self.lon = np.array([unit.lon for unit in self.units]) + made.uniform(-1, 1, wanted) * spread
        self.lat = np.array([unit.lat for unit in self.units]) + made.uniform(-1, 1, wanted) * spread * 0.85
        bounds: Floats = np.array([each["storage"] for each in self.classes], np.float64)
        ends = np.log(bounds)[self.grade]
        self.storage = np.exp(made.uniform(ends[:, 0], ends[:, 1])).astype(np.float64)
        mouths = max(1, round(wanted / _PER_TRIBUTARY))
        chosen = made.choice(wanted, mouths, replace=False)
        self.mouth_lon, self.mouth_lat = self.lon[chosen], self.lat[chosen]
        apart = np.hypot((self.lon[:, None] - self.mouth_lon) * 0.86, self.lat[:, None] - self.mouth_lat)
        self.part = apart.argmin(axis=1)
        self.apart = apart[np.arange(wanted), self.part] * 111

    def place_points(self) -> None:
        """Puts a point at each tributary's mouth and one for about fourteen reservoirs above."""
        lon, lat, apart = list[float](), list[float](), list[float]()
        part = list[int]()
        for mouth in range(len(self.mouth_lon)):
            mine = np.flatnonzero(self.part == mouth)
            extra = self.made.choice(mine, max(len(mine) // _PER_POINT, 0), replace=False)
            lon += [float(self.mouth_lon[mouth]), *map(float, self.lon[extra])]
            lat += [float(self.mouth_lat[mouth]), *map(float, self.lat[extra])]
            # a point lies a little closer to the mouth than the reservoir that it was drawn from
            apart += [-1.0, *map(float, self.apart[extra] * 0.8)]
            part += [mouth] * (1 + len(extra))
        self.point_lon, self.point_lat = np.array(lon), np.array(lat)
        self.point_part, self.point_apart = np.array(part), np.array(apart)

    def join(self) -> None:
        """Lets every node run to the nearest one of a higher rank that is closer to the mouth."""
        points, wanted = len(self.point_lon), self.wanted
        lon, lat = np.concatenate([self.lon, self.point_lon]), np.concatenate([self.lat, self.point_lat])
        apart, part = (
            np.concatenate([self.apart, self.point_apart]),
            np.concatenate([self.part, self.point_part]),
        )
        rank = np.concatenate([len(self.classes) - self.grade, np.full(points, len(self.classes) + 1)])
        below: Ints = np.full(wanted + points, -1, np.int64)
        km = np.zeros(wanted + points)
        for mouth in range(len(self.mouth_lon)):
            mine = np.flatnonzero(part == mouth)
            far = (
                np.hypot((lon[mine, None] - lon[mine]) * 0.86, lat[mine, None] - lat[mine]) * 111 * 1.3 + 0.5
            )
            higher = (rank[mine] > rank[mine, None]) | (rank[mine] == len(self.classes) + 1)
            open_ = higher & (apart[mine] < apart[mine, None])
            best = np.where(open_, far, np.inf)
            runs = open_.any(axis=1)
            below[mine[runs]] = mine[best.argmin(axis=1)[runs]]
            km[mine[runs]] = best.min(axis=1)[runs]
        self._stems(lon, lat, part, below, km)

    def _stems(self, lon: Floats, lat: Floats, part: Ints, below: Ints, km: Floats) -> None:
        first, nodes = len(lon), len(lon)
        joined = np.concatenate([np.linspace(a, b, count) for a, b, count in _STEMS])
        stem_below, base = list[int](), list[float]()
        for number, (_, _, count) in enumerate(_STEMS):
            stem_below += [nodes + place + 1 for place in range(count - 1)] + [-1]
            base += [_STEM_BASE[number]] + [0.0] * (count - 1)
            nodes += count
        self.lon, self.lat = np.concatenate([lon, joined[:, 0]]), np.concatenate([lat, joined[:, 1]])
        stems = np.array(stem_below, np.int64)
        main = _STEMS[0][2]
        # the second stem ends in the nearest point of the first
        stems[-1] = first + int(np.hypot(*(joined[:main] - joined[-1]).T).argmin())
        mouths = np.flatnonzero(below < 0)
        far = (
            np.hypot((lon[mouths, None] - joined[:, 0]) * 0.86, lat[mouths, None] - joined[:, 1]) * 111 * 1.3
        )
        below[mouths], km[mouths] = first + far.argmin(axis=1), far.min(axis=1)
        self.below = np.concatenate([below, stems])
        stem_km = np.full(len(joined), 45.0)
        stem_km[-1] = 30.0
        self.km = np.concatenate([km, stem_km])
        self.km[self.below < 0] = 0.0
        self.part = np.concatenate([part, np.full(len(joined), -1)])
        self.base = np.concatenate([np.zeros(first), base])

    def finish(self, seed: int) -> Basins:
        """Names the nodes, sizes them by what is above, and puts all into topological order."""
        nodes, wanted = len(self.lon), self.wanted
        ids = [
            f"synthetic-r{n + 1:05d}" if n < wanted else f"synthetic-p{n - wanted + 1:04d}"
            for n in range(nodes)
        ]
        reaches = [
            Reach(ids[node], ids[self.below[node]], float(self.km[node]), float(self.km[node] / _SPEED_KM_H))
            for node in range(nodes)
            if self.below[node] >= 0
        ]
        raw = river_graph(ids, reaches)
        order = raw.order
        area = self._areas(nodes)
        total, base = area.copy(), self.base.copy()
        for node in listed(order):
            if self.below[node] >= 0:
                total[self.below[node]] += total[node]
                base[self.below[node]] += base[node]
        specs = [self._reservoir(node, ids[node], float(total[node])) for node in range(wanted)]
        # about the flood of one year in five: larger basins bear less a km²
        safe = np.where(self.part < 0, base + 0.45 * total**0.9, 0.6 * total**0.85)
        points = {
            ids[node]: PointSpec(
                safe=float(safe[node]), guard=1.3 * float(safe[node]), name=self._name(node)[0]
            )
            for node in range(wanted, nodes)
        }
        names = [self._name(node) for node in range(nodes)]
        levels = np.array([[spec[1], spec[2]] for spec in specs] + [[np.nan, np.nan]] * (nodes - wanted))
        return Basins(
            seed=seed,
            ids=tuple(ids[node] for node in listed(order)),
            names=tuple(names[node] for node in listed(order)),
            scale=tuple(
                str(self.classes[int(self.grade[node])]["id"]) if node < wanted else ""
                for node in listed(order)
            ),
            division=tuple(self.units[node].code if node < wanted else "420000" for node in listed(order)),
            lon=self.lon[order],
            lat=self.lat[order],
            area=area[order],
            total=total[order],
            base=self.base[order],
            part=self.part[order],
            graph=river_graph([ids[node] for node in listed(order)], reaches),
            reservoirs={ids[node]: specs[node][0] for node in range(wanted)},
            points=points,
            normal=levels[order, 0],
            flood_limit=levels[order, 1],
        )

    def _areas(self, nodes: int) -> Floats:
        scale = self.wanted / int(_sizes()["reservoirs"])
        weight = self.storage**0.75
        controlled = weight / weight.sum() * float(_sizes()["controlled_km2"]) * scale
        open_ = self.made.uniform(0.3, 1.7, nodes - self.wanted)
        open_[-sum(count for *_, count in _STEMS) :] *= 0.3
        rest = (_PROVINCE_KM2 - float(_sizes()["controlled_km2"])) * scale * 0.6
        return np.concatenate([controlled, open_ / open_.sum() * rest])

    def _name(self, node: int) -> tuple[str, str]:
        if node >= self.wanted:
            number = node - self.wanted + 1
            return f"合成控制断面{number}", f"Synthetic control point {number}"
        unit = self.units[node]
        return f"{unit.name_zh}{node + 1}号合成水库", f"Synthetic reservoir {node + 1} of {unit.name_en}"

    def _reservoir(self, node: int, id: str, total: float) -> tuple[ReservoirSpec, float, float]:
        sort, made = self.classes[int(self.grade[node])], self.made
        low, high = sort["height"]
        height, power = made.uniform(float(low), float(high)), made.uniform(2.2, 2.8)
        bed, volume = made.uniform(30, 450), float(self.storage[node])
        depth = (0.25 + 0.75 * np.arange(12, dtype=np.float64) / 11) * height
        level, storage = bed + depth, volume * (depth / height) ** power

        def at(share: float) -> float:
            return float(np.interp(share * volume, storage, level))

        limit, normal, keep = made.uniform(0.55, 0.65), made.uniform(0.68, 0.75), 0.9
        # the spillway passes a rare flood at the crest
        design = 4.0 * total**0.75
        sill = at(limit) - (0.1 * height if sort["gated"] else 0.0)
        head = level[-1] - sill
        width = design / (0.45 * float(np.sqrt(2 * 9.81)) * head**1.5)
        conduit = 0.12 * design / (0.65 * float(np.sqrt(2 * 9.81 * 0.8 * height)))
        turbine = 0.04 * total if sort["turbine"] else 0.0
        gate = Outlet("gate", sill, width, height) if sort["gated"] else Outlet("weir", at(normal), width)
        outlets = [gate, Outlet("orifice", bed, conduit / 0.5, 0.5, 0.65)]
        if turbine:
            outlets.append(Outlet("turbine", bed + 0.2 * height, rated=turbine))
        discharge, spill = release_columns(outlets, level)
        name = f"{self.units[node].name_zh}{node + 1}号合成水库"
        curve = reservoir_curve(level, storage, discharge=discharge, spill=spill, name=name)
        ramp = max(0.02 * design, 1.0) if sort["gated"] else float("inf")
        spec = ReservoirSpec(
            curve,
            dead=at(0.12),
            top=float(level[-1]),
            keep=at(keep),
            release_min=0.002 * total if sort["gated"] else 0.0,
            ramp=(ramp, ramp),
            turbine_max=turbine,
            tailwater=bed,
            name=name,
        )
        return spec, at(normal), at(limit)

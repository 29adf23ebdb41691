"""The demo's water: a made-up province of 6,928 reservoirs in river trees, and a wet spell over one basin."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from yunmeng.converged.water.register.arrays import Floats
from yunmeng.converged.water.synthetic import Basins, WetSpell, at_hour, basins, wet_spell
from yunmeng.kernel.base import make_urn
from yunmeng.kernel.sense import Facility, Fleet, FleetAttribute, Swarm, read_fleets

_SMALL_EVERY_S = 3600
# a forecast wants days of rain before it
PAST_H = 5 * 24
"""How many hours before its first start the demo knows of the basin with the wet spell."""
_LARGE_HM3 = 1000.0
_OFFICES = ("市水利局", "县水利局", "水库管理处")
# a quick basin in a wet climate; nobody has calibrated a made-up river
_PARAMETERS = {"X1": 180.0, "X2": 0.0, "X3": 60.0, "X4": 3.0}


@cache
def province(seed: int) -> tuple[Basins, WetSpell]:
    """Returns the made-up province and its wet spell."""
    made = basins(seed)
    return made, wet_spell(made, seed)


def generate(seed: int) -> list[Swarm]:
    """Returns reservoirs (large and medium ones report each minute, small ones each hour), gauges, points."""
    made, spell = province(seed)
    reservoirs, stations, points, flooded = read_fleets(Path(__file__).with_name("demo.toml"))
    wet = {*spell.reservoirs.tolist(), *spell.points.tolist()}
    nodes = [node for node in np.flatnonzero(made.reservoir).tolist() if node not in wet]
    managed = [node for node in nodes if not made.scale[node].startswith("small")]
    small = [node for node in nodes if made.scale[node].startswith("small")]
    others = [node for node in np.flatnonzero(~made.reservoir).tolist() if node not in wet]
    hourly = msgspec.structs.replace(reservoirs, every_s=_SMALL_EVERY_S)
    held, passed = spell.reservoirs.tolist(), spell.points.tolist()
    levels = {"waterLevel": spell.level, "inflow": spell.inflow, "outflow": spell.outflow}
    return [
        _reservoirs(made, reservoirs, managed, seed),
        _reservoirs(made, hourly, small, seed + 1),
        _gauges(made, stations, managed, seed),
        _points(made, points, others, seed),
        _repeated(_reservoirs(made, flooded, held, seed), levels),
        _repeated(_gauges(made, stations, held, seed), {"rainfall1h": spell.rain}),
        _repeated(_points(made, points, passed, seed), {"discharge": spell.discharge}),
    ]


@dataclass(frozen=True)
class _Repeated(Swarm):
    """A swarm whose attributes follow tables by hour that come again and again."""

    tables: Mapping[str, Floats] = field(default_factory=dict[str, Floats], repr=False)

    def values(self, attribute: FleetAttribute, at_us: int) -> Floats:
        return np.round(at_hour(self.tables[attribute.name], at_us), attribute.digits)


def _repeated(swarm: Swarm, tables: Mapping[str, Floats]) -> Swarm:
    return _Repeated(swarm.fleet, swarm.facilities, swarm.seed, swarm.own, past_h=PAST_H, tables=tables)


def _reservoirs(made: Basins, fleet: Fleet, nodes: Sequence[int], seed: int) -> Swarm:
    return Swarm(
        fleet,
        tuple(_facility(made, node, "Reservoir") for node in nodes),
        seed,
        tuple(_reservoir(made, node) for node in nodes),
        {"waterLevel": made.flood_limit[nodes], "inflow": 0.04 * made.total[nodes]},
    )


def _gauges(made: Basins, fleet: Fleet, nodes: Sequence[int], seed: int) -> Swarm:
    def gauge(node: int) -> Facility:
        at = _facility(made, node, "HydrologicalStation")
        zh, en = at.name_zh.replace("水库", "雨量站"), at.name_en.replace("reservoir", "rain gauge")
        return Facility(at.id, zh, en, at.division, round(at.lon + 0.02, 5), round(at.lat + 0.015, 5))

    own = tuple(
        {"stationCode": made.ids[node], "stationKind": "rain", "flowsInto": _link(made, node)}
        for node in nodes
    )
    return Swarm(fleet, tuple(gauge(node) for node in nodes), seed, own)


def _points(made: Basins, fleet: Fleet, nodes: Sequence[int], seed: int) -> Swarm:
    own = tuple(
        {**_below(made, node), "safeDischarge": round(made.points[made.ids[node]].safe, 1)} for node in nodes
    )
    flows = made.base[nodes] + 0.03 * made.total[nodes]
    facilities = tuple(_facility(made, node, "FloodControlPoint") for node in nodes)
    return Swarm(fleet, facilities, seed, own, {"discharge": flows})


def _facility(made: Basins, node: int, type_: str) -> Facility:
    zh, en = made.names[node]
    place = (round(float(made.lon[node]), 5), round(float(made.lat[node]), 5))
    return Facility(make_urn(type_, made.ids[node]), zh, en, made.division[node], *place)


def _reservoir(made: Basins, node: int) -> dict[str, Any]:
    spec, scale = made.reservoirs[made.ids[node]], made.scale[node]
    curve, large = spec.curve, scale == "large"
    if large:
        scale = "large-1" if curve.storage[-1] >= _LARGE_HM3 else "large-2"
    members: dict[str, Any] = {
        "reservoirCode": made.ids[node],
        "scale": scale,
        "catchmentArea": round(float(made.total[node]), 2),
        "floodLimitLevel": round(float(made.flood_limit[node]), 2),
        "normalLevel": round(float(made.normal[node]), 2),
        "deadLevel": round(spec.dead, 2),
        "floodHighLevel": round(spec.keep or spec.top, 2),
        "checkFloodLevel": round(spec.top, 2),
        "totalCapacity": round(float(curve.storage[-1]), 3),
        "ecologicalFlow": round(spec.release_min, 2),
        "gated": scale.startswith(("large", "medium")),
        "manager": _OFFICES[node % len(_OFFICES)],
        **_below(made, node),
    }
    if not scale.startswith("small"):
        columns = {
            "level": curve.level,
            "storage": curve.storage,
            "discharge": curve.discharge,
            "spill": curve.spill,
        }
        rows: dict[str, list[float]] = {name: np.round(each, 3).tolist() for name, each in columns.items()}
        members["curves"] = {"type": "JsonProperty", "json": rows}
        model = {"model": "GR4J", "parameters": _PARAMETERS, "evaporation": 2.5}
        members["hydrologicalModel"] = {"type": "JsonProperty", "json": model}
    return members


def _below(made: Basins, node: int) -> dict[str, Any]:
    below, _, hours = made.graph.tree()
    if below[node] < 0:
        return {}
    return {"flowsInto": _link(made, int(below[node])), "travelTime": round(float(hours[node]), 2)}


def _link(made: Basins, node: int) -> Mapping[str, str]:
    type_ = "Reservoir" if made.scale[node] else "FloodControlPoint"
    return {"type": "Relationship", "object": make_urn(type_, made.ids[node])}

"""A basin for dispatch out of the register: which nodes take part, what they hold, what is forecast to come.

Pure: it takes entities in simplified form, wherever they come from.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np

from yunmeng.converged.water.dispatch import (
    Horizon,
    PointSpec,
    ReservoirSpec,
    System,
    make_horizon,
    make_system,
)
from yunmeng.converged.water.entities import curve_of, limit_of, number_of
from yunmeng.converged.water.measuring.control import Floats
from yunmeng.converged.water.register import Reach, river_graph
from yunmeng.kernel.base import BadInput, datetime_us


@dataclass(frozen=True, slots=True)
class Basin:
    """A system with its horizon; ``entities`` are its reservoirs by id."""

    system: System
    horizon: Horizon
    entities: Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class Coming:
    """The inflow forecast of a reservoir's whole catchment: m³/s, (steps,)."""

    reservoir: str
    inflow: Floats


def make_basin(
    nodes: Sequence[Mapping[str, Any]],
    coming: Sequence[Coming],
    start: datetime,
    *,
    step_hours: float,
    source: str = "",
) -> Basin:
    """Makes the basin of every forecast reservoir and all that lies downstream of it.

    Of a reservoir's forecast only the part of its own catchment enters here: its share of the area below the
    next forecast reservoirs upstream. Reservoirs without a curve are junctions.

    Raises:
        BadInput: ``water.no-forecast`` without any; what the register and dispatch refuse.
    """
    known = {str(each["id"]): each for each in nodes}
    flows = {each.reservoir: each.inflow for each in coming if each.reservoir in known}
    if not flows:
        raise BadInput("water.no-forecast", count=len(coming), first="-")
    ids = _downstream(known, flows)
    reaches = [
        Reach(id, str(known[id]["flowsInto"]), hours=float(known[id].get("travelTime", 0.0)))
        for id in ids
        if known[id].get("flowsInto") in ids
    ]
    held = {id: known[id] for id in ids if known[id]["type"] == "Reservoir" and known[id].get("curves")}
    system = make_system(
        river_graph(ids, reaches),
        {id: _reservoir(each) for id, each in held.items()},
        {id: _point(known[id]) for id in ids if known[id]["type"] == "FloodControlPoint"},
        step_hours=step_hours,
    )
    return Basin(system, _horizon(system, held, _local(system, known, flows), start, source), held)


def _downstream(known: Mapping[str, Mapping[str, Any]], flows: Mapping[str, Floats]) -> dict[str, None]:
    ids: dict[str, None] = {}
    for id in flows:
        at = id
        while at in known and at not in ids:
            ids[at] = None
            at = str(known[at].get("flowsInto", ""))
    return ids


def _local(system: System, known: Mapping[str, Mapping[str, Any]], flows: Mapping[str, Floats]) -> Floats:
    """Returns each node's own inflow: its forecast times the share of its area that nobody upstream has."""
    steps = max(len(each) for each in flows.values())
    above = np.zeros(system.nodes)
    local = np.zeros((system.nodes, steps))
    for node, id in enumerate(system.ids):
        area = float(known[id].get("catchmentArea") or 0.0)
        flow = flows.get(id)
        if flow is not None and area > 0:
            local[node, : len(flow)] = flow * max(1.0 - above[node] / area, 0.0)
            above[node] = max(above[node], area)
        below = int(system.downstream[node])
        if below >= 0:
            above[below] += above[node]
    return local


def _horizon(
    system: System, held: Mapping[str, Mapping[str, Any]], inflow: Floats, start: datetime, source: str
) -> Horizon:
    storage, limit, release = np.zeros(system.nodes), np.full(system.nodes, np.inf), system.release_min.copy()
    at = datetime_us(start)
    for node, id in enumerate(system.ids):
        entity = held.get(id)
        if entity is None:
            continue
        curve = curve_of(entity)
        storage[node] = float(curve.storage_at(number_of(entity, "waterLevel"), clamp=True))
        level = limit_of(entity, at)
        if level is not None:
            limit[node] = float(curve.storage_at(level, clamp=True))
        release[node] = max(float(entity.get("outflow", 0.0)), float(release[node]))
    return make_horizon(system, start, inflow, storage, limit=limit, release=release, source=source)


def _reservoir(entity: Mapping[str, Any]) -> ReservoirSpec:
    curve = curve_of(entity)
    top = float(entity.get("checkFloodLevel") or curve.level[-1])
    keep = entity.get("floodHighLevel")
    return ReservoirSpec(
        curve,
        dead=max(float(entity.get("deadLevel") or curve.level[0]), float(curve.level[0])),
        top=min(top, float(curve.level[-1])),
        keep=None if keep is None else float(keep),
        release_min=float(entity.get("ecologicalFlow") or 0.0),
        name=str(entity.get("name", entity["id"])),
    )


def _point(entity: Mapping[str, Any]) -> PointSpec:
    safe = entity.get("safeDischarge")
    return PointSpec(
        safe=float("inf") if safe is None else float(safe), name=str(entity.get("name", entity["id"]))
    )

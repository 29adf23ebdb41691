"""A basin for dispatch (联合调度): reservoirs and control points as arrays, in topological order.

Units of this package: flow m³/s, storage 10⁶ m³, level m, steps of ``step_hours``, energy MWh.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import numpy as np

from yunmeng.converged.water.dispatch.routing import Routing, routing
from yunmeng.converged.water.register import (
    CurveBank,
    ReservoirCurve,
    RiverGraph,
    curve_bank,
    reservoir_curve,
)
from yunmeng.converged.water.register.arrays import Bools, Floats, Ints, Numbers, listed
from yunmeng.kernel.base import BadInput

if TYPE_CHECKING:
    from numpy.typing import NDArray

NO_LIMIT = float("inf")


@dataclass(frozen=True, slots=True)
class ReservoirSpec:
    """What dispatch has to know of a reservoir.

    ``dead`` and ``top`` are its lowest and highest permitted level (死水位, 校核洪水位), ``keep`` the one up
    to which it holds water back for the point downstream (防洪高水位), ``release_min`` its ecological flow,
    ``ramp`` the largest change of its release in m³/s an hour, up and down; ``turbine_max`` the flow through
    its turbines, ``efficiency`` of turbines and generators together, ``tailwater`` their level below.
    """

    curve: ReservoirCurve
    dead: float
    top: float
    keep: float | None = None
    release_min: float = 0.0
    ramp: tuple[float, float] = (NO_LIMIT, NO_LIMIT)
    turbine_max: float = 0.0
    efficiency: float = 0.85
    tailwater: float = 0.0
    name: str = ""


@dataclass(frozen=True, slots=True)
class PointSpec:
    """A control point (防洪控制断面): ``safe`` flow in m³/s (安全泄量), ``guard`` the one never to pass.

    ``rating`` is a curve stage (m) → flow as two equal rows of numbers; with it ``stage`` limits (保证水位)
    become flows exactly, since a rating rises. ``flow_min`` is the ecological flow there.
    """

    safe: float = NO_LIMIT
    guard: float = NO_LIMIT
    flow_min: float = 0.0
    stage: float | None = None
    rating: tuple[Sequence[float], Sequence[float]] | None = None
    name: str = ""

    @property
    def safe_flow(self) -> float:
        """The smaller of the safe flow and the flow at the limiting stage."""
        if self.stage is None or self.rating is None:
            return self.safe
        return min(self.safe, float(np.interp(self.stage, *self.rating)))


@dataclass(frozen=True, slots=True)
class System:
    """N nodes, each after all that are upstream of it; arrays have shape (N,) unless they say otherwise.

    ``downstream`` is an index or -1. A control point stores nothing: ``storage_min`` = ``storage_max`` = 0.
    ``curves`` has N rows; ``ramp_up``, ``ramp_down`` are m³/s a step; ``safe``, ``guard`` are inf where none.
    """

    ids: tuple[str, ...]
    names: tuple[str, ...]
    downstream: Ints
    routing: Routing
    reservoir: Bools
    curves: CurveBank
    storage_min: Floats
    storage_max: Floats
    storage_keep: Floats
    release_min: Floats
    ramp_up: Floats
    ramp_down: Floats
    safe: Floats
    guard: Floats
    turbine_max: Floats
    efficiency: Floats
    tailwater: Floats
    step_hours: float

    @property
    def nodes(self) -> int:
        """How many nodes there are."""
        return len(self.ids)

    @property
    def volume(self) -> float:
        """How many 10⁶ m³ one m³/s brings in a step."""
        return self.step_hours * 3600 / 1e6

    def place(self, id: str) -> int:
        """Returns the index of a node.

        Raises:
            BadInput: ``dispatch.node``.
        """
        if id not in self.ids:
            raise BadInput("dispatch.node", id=id)
        return self.ids.index(id)

    def parts(self) -> Ints:
        """Returns the number (from 0) of the river tree that each node belongs to, shape (N,)."""
        label = np.full(self.nodes, -1, np.int64)
        found = 0
        for node in range(self.nodes - 1, -1, -1):
            below = int(self.downstream[node])
            label[node] = found if below < 0 else label[below]
            found += below < 0
        return label

    def take(self, nodes: Ints) -> "System":
        """Returns a part of the basin; what leaves the part leaves the system. ``nodes`` rise."""
        place = np.full(self.nodes + 1, -1, np.int64)
        place[nodes] = np.arange(len(nodes))
        arrays = {
            name: getattr(self, name)[nodes]
            for name in self.__slots__
            if isinstance(getattr(self, name), np.ndarray)
        }
        arrays["downstream"] = place[self.downstream[nodes]]
        return replace(
            self,
            **arrays,
            ids=tuple(self.ids[node] for node in listed(nodes)),
            names=tuple(self.names[node] for node in listed(nodes)),
            routing=Routing(self.routing.lag[nodes], self.routing.share[nodes]),
            curves=self.curves.take(nodes),
        )


@dataclass(frozen=True, slots=True)
class Horizon:
    """What is known when the plan is made, for N nodes and T steps.

    ``inflow`` (N, T) is the local inflow between a node and those above it (for members: (N, M, T), rules
    only), ``limit`` (N, T) the storage at the flood-limit level (inf: none), ``target`` (N,) the storage
    wanted at the end (NaN: none), ``storage`` (N,) that now. ``past`` (N, L) are releases before, the
    latest last, and ``arrival`` (N,) what arrives downstream of each node now.
    """

    start: datetime
    inflow: Floats
    limit: Floats
    target: Floats
    storage: Floats
    past: Floats
    arrival: Floats
    source: str = ""

    @property
    def steps(self) -> int:
        """How many steps the horizon has."""
        return self.inflow.shape[-1]

    def times(self, step_hours: float) -> tuple[datetime, ...]:
        """Returns the end of each step: when its storage is reached."""
        return tuple(self.start + timedelta(hours=step_hours * (step + 1)) for step in range(self.steps))

    def take(self, nodes: Ints) -> "Horizon":
        """Returns the part of some nodes."""
        arrays = {
            name: getattr(self, name)[nodes]
            for name in ("inflow", "limit", "target", "storage", "past", "arrival")
        }
        return replace(self, **arrays)


def make_system(
    graph: RiverGraph,
    reservoirs: Mapping[str, ReservoirSpec],
    points: Mapping[str, PointSpec],
    *,
    step_hours: float,
    weight: float = 0.2,
) -> System:
    """Puts reservoirs and control points of a river graph into arrays.

    A node of the graph that is neither is a junction. ``weight`` is Muskingum's x.

    Raises:
        BadInput: ``river.forked`` for a node with two ways down, ``dispatch.node`` for a specification whose
            node the graph lacks, ``dispatch.levels`` for a reservoir whose dead and top levels are not in
            order or not on its curve, and what :func:`routing` raises.
    """
    for id in (*reservoirs, *points):
        if id not in graph.index:
            raise BadInput("dispatch.node", id=id)
    below, _, hours = graph.tree()
    order, rank = graph.order, graph.rank
    ids = tuple(graph.ids[node] for node in listed(order))
    held = [reservoirs.get(id) for id in ids]
    seen = [points.get(id, PointSpec()) for id in ids]
    nothing = reservoir_curve([0.0, 1.0], [0.0, 1.0], discharge=[1e9, 1e9])
    storages = [
        (0.0, 0.0, 0.0) if spec is None else _storages(spec, id) for id, spec in zip(ids, held, strict=True)
    ]
    least, most, keep = np.array(storages, np.float64).reshape(-1, 3).T.copy()

    def column(values: Sequence[float]) -> "NDArray[np.float64]":
        return np.array(values, np.float64)

    return System(
        ids=ids,
        names=tuple(
            (spec.name if spec else point.name) or id for id, spec, point in zip(ids, held, seen, strict=True)
        ),
        downstream=np.where(below[order] >= 0, rank[below[order]], -1),
        routing=routing(hours[order], step_hours, weight),
        reservoir=np.array([spec is not None for spec in held], np.bool_),
        curves=curve_bank([spec.curve if spec else nothing for spec in held]),
        storage_min=least,
        storage_max=most,
        storage_keep=keep,
        release_min=column([s.release_min if s else p.flow_min for s, p in zip(held, seen, strict=True)]),
        ramp_up=column([s.ramp[0] * step_hours if s else NO_LIMIT for s in held]),
        ramp_down=column([s.ramp[1] * step_hours if s else NO_LIMIT for s in held]),
        safe=column([each.safe_flow for each in seen]),
        guard=column([each.guard for each in seen]),
        turbine_max=column([s.turbine_max if s else 0.0 for s in held]),
        efficiency=column([s.efficiency if s else 0.0 for s in held]),
        tailwater=column([s.tailwater if s else 0.0 for s in held]),
        step_hours=step_hours,
    )


def _storages(spec: ReservoirSpec, id: str) -> tuple[float, float, float]:
    curve, keep = spec.curve, spec.top if spec.keep is None else spec.keep
    if not curve.level[0] <= spec.dead <= keep <= spec.top <= curve.level[-1]:
        raise BadInput(
            *("dispatch.levels",),
            id=id,
            dead=spec.dead,
            keep=keep,
            top=spec.top,
            low=float(curve.level[0]),
            high=float(curve.level[-1]),
        )
    dead, kept, top = curve.storage_at([spec.dead, keep, spec.top]).tolist()
    return dead, top, kept


def make_horizon(
    system: System,
    start: datetime,
    inflow: Numbers,
    storage: Numbers,
    *,
    limit: Numbers | None = None,
    target: Numbers | None = None,
    release: Numbers | None = None,
    past: Numbers | None = None,
    arrival: Numbers | None = None,
    source: str = "",
) -> Horizon:
    """Makes a horizon; ``limit`` (N,) or (N, T) and ``target`` (N,) are storages.

    Without ``past`` every node has released ``release`` (N,) (else its least release) for ever.

    Raises:
        BadInput: ``dispatch.shape`` naming an array that does not fit, ``dispatch.inflow`` for inflow that is
            missing or negative, ``dispatch.storage`` for a storage off the curve, naming the node.
    """
    nodes = system.nodes
    inflows = np.asarray(inflow, np.float64)
    if inflows.ndim not in (2, 3) or inflows.shape[0] != nodes or inflows.shape[-1] == 0:
        raise BadInput("dispatch.shape", name="inflow", found=inflows.shape, wanted=f"({nodes}, steps)")
    _named(system, "dispatch.inflow", ~np.all(inflows.reshape(nodes, -1) >= 0, axis=1))
    steps = inflows.shape[-1]
    stored = _shaped(storage, (nodes,), "storage")
    ends = system.curves.storage
    _named(
        system,
        "dispatch.storage",
        system.reservoir & ~((stored >= ends[:, 0] - 1e-9) & (stored <= ends[:, -1] + 1e-9)),
    )
    limits = np.asarray(np.inf if limit is None else limit, np.float64)
    steady = system.release_min if release is None else _shaped(release, (nodes,), "release")
    length = int(system.routing.lag.max(initial=0)) + 1
    before = np.repeat(steady[:, None], length, axis=1) if past is None else np.asarray(past, np.float64)
    if before.ndim != 2 or before.shape[0] != nodes or before.shape[1] < length:
        raise BadInput("dispatch.shape", name="past", found=before.shape, wanted=f"({nodes}, ≥ {length})")
    return Horizon(
        start=start,
        inflow=inflows,
        limit=_shaped(limits[:, None] if limits.ndim == 1 else limits, (nodes, steps), "limit"),
        target=_shaped(np.nan if target is None else target, (nodes,), "target"),
        storage=stored,
        past=before,
        arrival=steady.copy() if arrival is None else _shaped(arrival, (nodes,), "arrival"),
        source=source,
    )


def _shaped(values: Numbers, shape: tuple[int, ...], name: str) -> Floats:
    array = np.asarray(values, np.float64)
    try:
        return np.array(np.broadcast_to(array, shape))
    except ValueError as error:
        raise BadInput("dispatch.shape", name=name, found=array.shape, wanted=shape) from error


def _named(system: System, key: str, wrong: Bools) -> None:
    if wrong.any():
        nodes = [system.ids[node] for node in listed(np.flatnonzero(wrong)[:5])]
        raise BadInput(key, nodes=nodes, count=int(wrong.sum()))

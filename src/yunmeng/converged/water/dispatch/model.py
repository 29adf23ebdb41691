"""The joint dispatch of a basin as a program: water balance, limits, routing, soft limits with named prices.

Columns and rows carry the kinds that ``reasons.py`` and ``conflicts.py`` put into words. Everything is
bounded, so that :func:`~yunmeng.converged.water.dispatch.program.certified_bound` is finite.
"""

from dataclasses import dataclass, field

import numpy as np

from yunmeng.converged.water.dispatch import envelopes
from yunmeng.converged.water.dispatch.program import ABSENT, Matrix, Program
from yunmeng.converged.water.dispatch.system import Horizon, System
from yunmeng.converged.water.register.arrays import Floats, Ints
from yunmeng.kernel.base import BadInput

_GRAVITY = 9.81e-3  # MW of one m³/s falling one metre


@dataclass(frozen=True, slots=True)
class Penalties:
    """What breaking a soft limit costs; ``None`` makes the limit hard.

    ``flood`` and ``guard``: m³/s over the safe and over the guard flow of a point, an hour; ``peak``: the
    highest m³/s over the safe flow, once (0: off); ``level``: 10⁶ m³ over the flood limit, an hour; ``top``
    and ``dead``: 10⁶ m³ over the highest or under the lowest storage, an hour; ``low`` and ``high``: 10⁶ m³
    under or over the target at the end; ``ecology``: m³/s short of the ecological flow, an hour; ``ramp``:
    m³/s of change too much. ``energy`` is what a MWh is worth.
    """

    flood: float | None = 1.0
    guard: float | None = 10.0
    peak: float = 0.0
    level: float | None = 0.5
    top: float | None = None
    dead: float | None = None
    low: float | None = 20.0
    high: float | None = 20.0
    ecology: float | None = 5.0
    ramp: float | None = None
    energy: float = 0.0


@dataclass(frozen=True, slots=True)
class Detail:
    """How exactly the program sees curves.

    ``lines`` sides of a hull a curve; ``exact`` follows every discharge and head curve by whole-number
    segments (a MILP: for a few reservoirs), at most ``segments`` of them; ``heads`` (N, T) in m fixes the
    head of the turbines, else it is that of the storage at the start.
    """

    lines: int = 3
    exact: bool = False
    segments: int = 5
    heads: Floats | None = None


@dataclass
class Model:
    """A program with the grids (N, T) of its columns; ``ABSENT`` where a node has none.

    ``out`` is a reservoir's release or a point's flow, ``arrival`` what reaches the next node where routing
    needs a column of its own, or at the mouth (``leaving``). Storages of the program, and the slacks of
    their limits, are in ``system.volume``.
    """

    system: System
    horizon: Horizon
    penalties: Penalties
    program: Program = field(default_factory=Program)
    storage: Ints = field(init=False)
    out: Ints = field(init=False)
    arrival: Ints = field(init=False)
    turbine: Ints = field(init=False)
    balance: Ints = field(init=False)
    matrix: Matrix = field(init=False)


def build(
    system: System,
    horizon: Horizon,
    penalties: Penalties | None = None,
    detail: Detail | None = None,
    *,
    leaving: bool = False,
    most: Floats | None = None,
) -> Model:
    """Builds the program of a system over a horizon.

    With ``leaving`` the nodes that nothing follows get columns of what arrives below them. ``most`` (N,) are
    upper bounds of what leaves each node, for a part that others flow into; else :func:`most_out`.

    Raises:
        BadInput: ``dispatch.members`` for a horizon with members: plan for each, or for a quantile.
    """
    if horizon.inflow.ndim != 2:
        raise BadInput("dispatch.members", members=horizon.inflow.shape[1])
    model = Model(system, horizon, penalties or Penalties())
    build_ = _Builder(model, detail or Detail(), leaving, most_out(system, horizon) if most is None else most)
    build_.columns()
    build_.balances()
    build_.arrivals()
    build_.discharge()
    build_.ramps()
    build_.soft_limits()
    model.matrix = model.program.matrix()
    return model


def most_out(system: System, horizon: Horizon) -> Floats:
    """Returns an upper bound of what can leave each node in m³/s, shape (N,)."""
    past = np.maximum(horizon.past.max(axis=1), horizon.arrival)
    bound = horizon.inflow.max(axis=-1)
    for node in range(system.nodes):
        if system.reservoir[node]:
            bound[node] = system.curves.discharge[node, -1]
        below = int(system.downstream[node])
        if below >= 0:
            bound[below] += max(bound[node], past[node])
    return bound


class _Builder:
    def __init__(self, model: Model, detail: Detail, leaving: bool, most: Floats) -> None:
        self.model, self.detail, self.leaving = model, detail, leaving
        self.system, self.horizon = model.system, model.horizon
        self.program, self.prices = model.program, model.penalties
        self.nodes = np.arange(self.system.nodes)
        self.steps = np.arange(self.horizon.steps)
        self.held = np.flatnonzero(self.system.reservoir)
        self.most = most
        # storage in what one m³/s brings in a step: then water balances have coefficients of one
        self.unit = self.system.volume

    def grid(self, nodes: Ints, columns: Ints) -> Ints:
        """Spreads the columns of some nodes over all of them."""
        whole = np.full((len(self.nodes), len(self.steps)), ABSENT, np.int64)
        whole[nodes] = columns
        return whole

    def columns(self) -> None:
        """Storage, release or flow, arrival, turbines."""
        system, program, held, prices = self.system, self.program, self.held, self.prices
        ends = system.curves.storage
        low = system.storage_min if prices.dead is None else ends[:, 0]
        high = system.storage_max if prices.top is None else ends[:, -1]
        node = held[:, None]
        self.model.storage = self.grid(
            held,
            program.add_columns("storage", node, self.steps, low[node] / self.unit, high[node] / self.unit),
        )
        least = np.where(prices.ecology is None, system.release_min, 0.0)
        self.model.out = program.add_columns(
            "out", self.nodes[:, None], self.steps, least[:, None], np.maximum(self.most, least)[:, None]
        )
        slow = system.routing.share[:, 2] > 0
        runs = (system.downstream >= 0) & slow | (system.downstream < 0) & self.leaving
        moved = np.flatnonzero(runs)
        largest = np.maximum(self.most, np.maximum(self.horizon.past.max(axis=1), self.horizon.arrival))
        self.model.arrival = self.grid(
            moved, program.add_columns("arrival", moved[:, None], self.steps, 0.0, largest[moved, None])
        )
        self._turbines()

    def _turbines(self) -> None:
        system, program = self.system, self.program
        driven = np.flatnonzero((system.turbine_max > 0) & system.reservoir)
        if self.prices.energy <= 0 or not driven.size:
            self.model.turbine = self.grid(self.held[:0], np.zeros((0, len(self.steps)), np.int64))
            return
        heads = self.detail.heads
        if heads is None:
            level = system.curves.level_at(self.horizon.storage[:, None])
            heads = np.repeat(level - system.tailwater[:, None], len(self.steps), axis=1)
        worth = self.prices.energy * _GRAVITY * system.step_hours * system.efficiency
        # exactly followed turbines are paid a segment, see `discharge`
        cost = -worth[driven, None] * np.maximum(heads[driven], 0.0) * (not self.detail.exact)
        turbine = program.add_columns(
            "turbine", driven[:, None], self.steps, 0.0, system.turbine_max[driven, None], cost
        )
        program.add_rows(
            *("turbine", driven[:, None], self.steps, -np.inf, 0.0),
            [(turbine, 1.0), (self.model.out[driven], -1.0)],
        )
        self.model.turbine = self.grid(driven, turbine)

    def balances(self) -> None:
        """Storage change + out − what arrives = local inflow, in m³/s."""
        model = self.model
        known = self.horizon.inflow.copy()
        held = self.held
        known[held, 0] += self.horizon.storage[held] / self.unit
        before = np.concatenate(
            [np.full((len(self.nodes), 1), ABSENT, np.int64), model.storage[:, :-1]], axis=1
        )
        model.balance = self.program.add_rows(
            *("balance", self.nodes[:, None], self.steps, known, known),
            [(model.storage, 1.0), (before, -1.0), (model.out, 1.0)],
        )
        # what was let go before the start is added to the right side of these rows
        self.known = np.zeros_like(known)

    def arrivals(self) -> None:
        """Lag and Muskingum, either in a row of its own or straight into the balance below."""
        system, model = self.system, self.model
        lag, share = system.routing
        length = self.horizon.past.shape[1]
        at = self.steps - lag[:, None]
        sources, given = list[tuple[Ints, Floats]](), np.zeros(model.out.shape)
        for number in range(2):
            step = at - number
            column = np.where(step >= 0, np.take_along_axis(model.out, np.maximum(step, 0), 1), ABSENT)
            past = np.take_along_axis(self.horizon.past, np.clip(length + step, 0, length - 1), 1)
            given += np.where(step < 0, past, 0.0) * share[:, number, None]
            sources.append((column, np.broadcast_to(share[:, number, None], column.shape)))
        own = model.arrival[:, 0] != ABSENT
        if own.any():
            self._own_rows(np.flatnonzero(own), sources, given)
        direct = np.flatnonzero(~own & (system.downstream >= 0))
        below = model.balance[system.downstream[direct]]
        for column, value in sources:
            self.program.add_entries(below, column[direct], -value[direct])
        np.add.at(self.known, system.downstream[direct], given[direct])
        self.program.shift_rows(model.balance, self.known)

    def _own_rows(self, own: Ints, sources: list[tuple[Ints, Floats]], given: Floats) -> None:
        system, model = self.system, self.model
        arrival, c2 = model.arrival[own], system.routing.share[own, 2, None]
        before = np.concatenate([np.full((len(own), 1), ABSENT, np.int64), arrival[:, :-1]], axis=1)
        known = given[own].copy()
        known[:, 0] += c2[:, 0] * self.horizon.arrival[own]
        self.program.add_rows(
            *("arrival", own[:, None], self.steps, known, known),
            [(arrival, 1.0), (before, -c2), *((column[own], -value[own]) for column, value in sources)],
        )
        runs = own[system.downstream[own] >= 0]
        below = model.balance[system.downstream[runs]]
        self.program.add_entries(below, model.arrival[runs], np.full(below.shape, -1.0))

    def discharge(self) -> None:
        """Release under what the outlets pass and over what spills, at the middle storage of a step."""
        if self.detail.exact:
            from yunmeng.converged.water.dispatch.segments import follow

            follow(self.model, self.detail.segments, self.known_half())
            return
        system, held = self.system, self.held
        curves = system.curves
        ends = (curves.storage[held], system.storage_min[held], self._highest()[held])
        passed = envelopes.above(ends[0], curves.discharge[held], ends[1], ends[2], self.detail.lines)
        self._lines("capacity", held, passed, np.isfinite(curves.discharge[held, 0]))
        spills = np.flatnonzero(curves.spill[held, -1] > 0)
        if spills.size:
            spilled = envelopes.below(
                *(ends[0][spills], curves.spill[held[spills]]),
                *(ends[1][spills], ends[2][spills], self.detail.lines),
            )
            self._lines("spill", held[spills], spilled, np.ones(len(spills), np.bool_))

    def _highest(self) -> Floats:
        return self.system.storage_max if self.prices.top is None else self.system.curves.storage[:, -1]

    def known_half(self) -> Floats:
        """Half of the storage before each step as far as it is known: that of the start, shape (N, T)."""
        half = np.zeros(self.model.out.shape)
        half[:, 0] = self.horizon.storage / 2
        return half

    def _lines(
        self,
        kind: str,
        nodes: Ints,
        lines: envelopes.Lines,
        used: "np.ndarray[tuple[int], np.dtype[np.bool_]]",
    ) -> None:
        model = self.model
        before = np.concatenate(
            [np.full((len(nodes), 1), ABSENT, np.int64), model.storage[nodes][:, :-1]], axis=1
        )
        half = self.known_half()[nodes]
        for line in range(lines.slope.shape[1]):
            slope, fixed = lines.slope[:, line], lines.fixed[:, line]
            new = used & ((slope > 0) | (kind == "capacity"))
            if line:
                new &= (lines.slope[:, :line] != slope[:, None]).all(axis=1)
            rows = np.flatnonzero(new)
            if not rows.size:
                continue
            side = fixed[rows, None] + slope[rows, None] * half[rows]
            low, high = (-np.inf, side) if kind == "capacity" else (side, np.inf)
            terms = -slope[rows, None] * self.unit / 2 * np.ones(len(self.steps))
            self.program.add_rows(
                *(kind, nodes[rows, None], self.steps, low, high),
                [(model.out[nodes[rows]], 1.0), (model.storage[nodes[rows]], terms), (before[rows], terms)],
            )

    def ramps(self) -> None:
        """The largest change of a release between steps."""
        system, program, price = self.system, self.program, self.prices.ramp
        bounded = np.flatnonzero(
            system.reservoir & (np.isfinite(system.ramp_up) | np.isfinite(system.ramp_down))
        )
        if not bounded.size:
            return
        out = self.model.out[bounded]
        before = np.concatenate([np.full((len(bounded), 1), ABSENT, np.int64), out[:, :-1]], axis=1)
        up = np.repeat(system.ramp_up[bounded, None], len(self.steps), axis=1)
        down = np.repeat(system.ramp_down[bounded, None], len(self.steps), axis=1)
        last = self.horizon.past[bounded, -1]
        up[:, 0] += last
        down[:, 0] -= last
        terms: list[tuple[Ints, float | Floats]] = [(out, 1.0), (before, -1.0)]
        if price is not None:
            most = self.most[bounded, None] + last[:, None]
            for sign in (-1.0, 1.0):
                kind = "over_ramp" if sign < 0 else "under_ramp"
                terms.append(
                    (program.add_columns(kind, bounded[:, None], self.steps, 0.0, most, price), sign)
                )
        program.add_rows("ramp", bounded[:, None], self.steps, -down, up, terms)

    def soft_limits(self) -> None:
        """Flood points, flood limits, the ends of the storage, the end of the horizon, ecological flow."""
        self._points()
        self._levels()
        self._ends()
        self._ecology()

    def _points(self) -> None:
        system, program, prices = self.system, self.program, self.prices
        watched = np.flatnonzero(np.isfinite(system.safe))
        if not watched.size:
            return
        hours, node = system.step_hours, watched[:, None]
        safe, guard = system.safe[node], np.maximum(system.guard[node], system.safe[node])
        out = self.model.out[watched]
        most = np.maximum(self.most[node] - safe, 0.0)
        if prices.flood is None:
            program.add_rows("flood", node, self.steps, -np.inf, safe, [(out, 1.0)])
            return
        first = program.add_columns(
            "over_safe", node, self.steps, 0.0, np.minimum(guard - safe, most), prices.flood * hours
        )
        terms: list[tuple[Ints, float]] = [(out, 1.0), (first, -1.0)]
        if np.isfinite(guard).any() and prices.guard is not None:
            cost = np.maximum(prices.guard, prices.flood) * hours
            second = program.add_columns(
                "over_guard", node, self.steps, 0.0, np.where(np.isfinite(guard), most, 0.0), cost
            )
            terms.append((second, -1.0))
        program.add_rows("flood", node, self.steps, -np.inf, safe, terms)
        if prices.peak > 0:
            peak = program.add_columns("peak", node, 0, 0.0, most, prices.peak)
            spread = np.broadcast_to(peak, out.shape)
            program.add_rows("peak", node, self.steps, -np.inf, safe, [(out, 1.0), (spread, -1.0)])

    def _levels(self) -> None:
        system, program, price = self.system, self.program, self.prices.level
        highest = self._highest()[:, None]
        limited = self.held[(self.horizon.limit < highest)[self.held].any(axis=1)]
        if not limited.size:
            return
        node, limit = limited[:, None], np.minimum(self.horizon.limit, highest)[limited]
        terms: list[tuple[Ints, float]] = [(self.model.storage[limited], 1.0)]
        if price is not None:
            over = program.add_columns(
                *("over_limit", node, self.steps, 0.0, (highest[limited] - limit) / self.unit),
                price * system.step_hours * self.unit,
            )
            terms.append((over, -1.0))
        program.add_rows("level", node, self.steps, -np.inf, limit / self.unit, terms)

    def _ends(self) -> None:
        system, program, prices, held = self.system, self.program, self.prices, self.held
        hours, node, storage = system.step_hours * self.unit, held[:, None], self.model.storage[held]
        width = (system.curves.storage[held, -1:] - system.curves.storage[held, :1]) / self.unit
        if prices.top is not None:
            over = program.add_columns("over_top", node, self.steps, 0.0, width, prices.top * hours)
            top = system.storage_max[node] / self.unit
            program.add_rows("top", node, self.steps, -np.inf, top, [(storage, 1.0), (over, -1.0)])
        if prices.dead is not None:
            under = program.add_columns("under_dead", node, self.steps, 0.0, width, prices.dead * hours)
            dead = system.storage_min[node] / self.unit
            program.add_rows("dead", node, self.steps, dead, np.inf, [(storage, 1.0), (under, 1.0)])
        self._target()

    def _target(self) -> None:
        program, prices = self.program, self.prices
        aimed = self.held[np.isfinite(self.horizon.target[self.held])]
        if not aimed.size:
            return
        last, target = self.horizon.steps - 1, self.horizon.target[aimed] / self.unit
        width = (self.system.curves.storage[aimed, -1] - self.system.curves.storage[aimed, 0]) / self.unit
        terms: list[tuple[Ints, float]] = [(self.model.storage[aimed, last], 1.0)]
        for kind, price, sign in (("under_target", prices.low, 1.0), ("over_target", prices.high, -1.0)):
            if price is not None:
                terms.append((program.add_columns(kind, aimed, last, 0.0, width, price * self.unit), sign))
        program.add_rows("target", aimed, last, target, target, terms)

    def _ecology(self) -> None:
        system, program, price = self.system, self.program, self.prices.ecology
        owing = np.flatnonzero(system.release_min > 0)
        if price is None or not owing.size:
            return
        node, least = owing[:, None], system.release_min[owing, None]
        short = program.add_columns("short_ecology", node, self.steps, 0.0, least, price * system.step_hours)
        program.add_rows(
            "ecology", node, self.steps, least, np.inf, [(self.model.out[owing], 1.0), (short, 1.0)]
        )

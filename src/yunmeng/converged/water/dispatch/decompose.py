"""A province too large for one program: tributaries are solved apart and led by prices at the main stem.

Dantzig–Wolfe decomposition. The stem's program chooses among mixtures of each tributary's proposals (a
mixture is feasible, since each program is convex); its prices of water ask the tributaries for better ones.
Each round also gives a Lagrangian lower bound, computed from prices by :func:`certified_bound` and true
whatever the solver's tolerances, so that the gap is certified. (Dantzig, Wolfe 1960; prices smoothed as by
Wentges 1997.)
"""

import time
from dataclasses import dataclass, field, replace

import numpy as np

from yunmeng.converged.water.dispatch.model import Detail, Model, Penalties, build, most_out
from yunmeng.converged.water.dispatch.optimise import check, optimise, side_by_side, solve_trees, trees
from yunmeng.converged.water.dispatch.plan import Piece, Plan, assemble
from yunmeng.converged.water.dispatch.program import Matrix, certified_bound
from yunmeng.converged.water.dispatch.routing import route
from yunmeng.converged.water.dispatch.rules import Rule, simulate
from yunmeng.converged.water.dispatch.solver import Solver
from yunmeng.converged.water.dispatch.system import Horizon, System
from yunmeng.converged.water.register.arrays import Floats, Ints
from yunmeng.kernel.base import Unavailable

# the price of water that no proposal brings or takes: only until proposals fit
_ARTIFICIAL = 1e4
_SMOOTHING = 0.3


@dataclass
class _Tributary:
    nodes: Ints
    into: int
    model: Model
    leaving: Ints
    solver: Solver
    proposals: list[Floats] = field(default_factory=list)
    dual: Floats = field(default_factory=lambda: np.zeros(0))

    def ask(self, price: Floats) -> float:
        """Proposes the best plan at a price (T,) of what reaches the stem; returns the bound of its cost."""
        cost = self.model.matrix.cost.copy()
        cost[self.leaving] += np.where(np.abs(price) > 1e-7, price, 0.0)
        self.solver.set_costs(self.leaving, cost[self.leaving])
        found = self.solver.solve()
        check(found, self.model)
        self.solver.option("simplex_strategy", 4)  # the last basis stays primal feasible
        self.proposals.append(found.x)
        self.dual = found.dual
        matrix = self.model.matrix
        return certified_bound(
            Matrix(
                *(cost, matrix.lower, matrix.upper, matrix.row_lower, matrix.row_upper),
                *(matrix.start, matrix.index, matrix.value, matrix.integer, matrix.offset),
            ),
            self.dual,
        )

    def own_cost(self, x: Floats) -> float:
        """What a proposal costs by itself."""
        return float(self.model.matrix.cost @ x)


def coordinate(
    system: System,
    horizon: Horizon,
    penalties: Penalties | None = None,
    *,
    detail: Detail | None = None,
    gap: float = 0.005,
    largest: int = 30,
    rounds: int = 40,
    threads: int = 2,
    seconds: float = 3600.0,
) -> Plan:
    """Returns a plan of the whole system whose cost is at most ``gap`` above the optimum, with the proof.

    Trees with up to ``largest`` reservoirs are solved exactly; in larger ones every node with more reservoirs
    above it belongs to the stem, and what hangs from the stem is a tributary.

    Raises:
        Unsupported: ``dispatch.infeasible``.
        Unavailable: ``dispatch.gap`` where rounds or time end before the gap is reached.
        BadInput: as :func:`~yunmeng.converged.water.dispatch.model.build`.
    """
    began, prices = time.perf_counter(), penalties or Penalties()
    stem, hanging, apart = cut(system, largest)
    if not hanging:
        return optimise(system, horizon, prices, detail=detail, threads=threads)
    small = [apart[tree] for tree in trees(system.take(apart))] if apart.size else []
    alone = solve_trees(system, horizon, prices, small, detail, threads)

    def make(nodes: Ints) -> _Tributary:
        into = int(np.searchsorted(stem, system.downstream[nodes[-1]]))
        model = build(system.take(nodes), horizon.take(nodes), prices, detail, leaving=True)
        return _Tributary(nodes, into, model, model.arrival[-1], Solver(model.matrix, method="simplex"))

    tributaries = side_by_side(make, hanging, threads)
    most = most_out(system, horizon)[stem]
    master = _Master(
        build(system.take(stem), horizon.take(stem), prices, detail, most=most), tributaries, most
    )
    master.center = _first_prices(system, horizon, master, stem)
    best, count = master.converge(gap, rounds, threads, began + seconds)
    return assemble(
        *(system, horizon, prices, [*master.pieces(stem), *(piece for piece, _ in alone)]),
        bound=best + sum(bound for _, bound in alone),
        seconds=time.perf_counter() - began,
        rounds=count,
    )


def cut(system: System, largest: int) -> tuple[Ints, list[Ints], Ints]:
    """Returns the stem's nodes, each tributary's, and the nodes of trees that are small enough."""
    above = system.reservoir.astype(np.int64)
    for node in range(system.nodes):
        if system.downstream[node] >= 0:
            above[system.downstream[node]] += above[node]
    in_stem = above > largest
    apart = [nodes for nodes in trees(system) if not in_stem[nodes].any()]
    small = np.sort(np.concatenate(apart)) if apart else np.zeros(0, np.int64)
    owner = np.full(system.nodes, -1, np.int64)
    for node in range(system.nodes - 1, -1, -1):
        below = int(system.downstream[node])
        if below >= 0 and not in_stem[node]:
            owner[node] = node if in_stem[below] else owner[below]
    order = np.argsort(owner, kind="stable")
    order = order[owner[order] >= 0]
    groups = np.split(order, np.flatnonzero(np.diff(owner[order])) + 1) if order.size else []
    return np.flatnonzero(in_stem), sorted(groups, key=lambda group: -len(group)), small


def _first_prices(system: System, horizon: Horizon, master: "_Master", stem: Ints) -> Floats:
    """Returns the stem's prices if every tributary let go what runs in: where to start the search."""
    let = simulate(system, horizon, {"": (Rule("inflow"), Rule("hold", relative=True, level=0.0))}, threads=1)
    local = horizon.inflow[stem].copy()
    for each in master.tributaries:
        mouth = int(each.nodes[-1])
        lag, share = int(system.routing.lag[mouth]), system.routing.share[mouth]
        released = let.release[mouth, 0]
        local[each.into] += route(released, horizon.past[mouth], horizon.arrival[mouth], lag, share)
    fed = replace(horizon.take(stem), inflow=local)
    model = build(master.model.system, fed, master.model.penalties, most=master.most)
    found = Solver(model.matrix, method="simplex").solve()
    if found.status != "optimal":
        return master.center
    return found.dual


class _Master:
    """The stem with a column for each proposal."""

    def __init__(self, model: Model, tributaries: list[_Tributary], most: Floats) -> None:
        self.model, self.tributaries, self.most = model, tributaries, most
        self.best, self.value = -np.inf, np.inf
        self.share: list[Floats] = []
        self.center = np.zeros(model.matrix.size[0])
        self.x, self.dual = np.zeros(0), np.zeros(0)

    def converge(self, gap: float, rounds: int, threads: int, until: float) -> tuple[float, int]:
        """Asks and mixes until the gap is closed; returns the best bound and the rounds."""
        self._ask(self.center, threads)
        count = 0
        for count in range(1, rounds + 1):
            dual = self._mix()
            if self.closed(gap) or time.perf_counter() > until:
                break
            asked = dual if count == 1 else _SMOOTHING * self.center + (1 - _SMOOTHING) * dual
            if not self._ask(asked, threads) and count > 1:
                self._ask(dual, threads)
        if not self.closed(gap):
            left = (self.value - self.best) / abs(self.value) if np.isfinite(self.value) else np.inf
            raise Unavailable("dispatch.gap", gap=f"{left:.4%}", rounds=count)
        return self.best, count

    def closed(self, gap: float) -> bool:
        """Tells whether a feasible mixture is near enough to the bound."""
        return bool(np.isfinite(self.value)) and self.value - self.best <= gap * abs(self.value)

    def _ask(self, dual: Floats, threads: int) -> bool:
        """Asks all tributaries at the prices of the stem's rows; tells whether the bound rose."""
        balance = self.model.balance
        answers = side_by_side(lambda each: each.ask(dual[balance[each.into]]), self.tributaries, threads)
        bound = certified_bound(self.model.matrix, dual) + sum(answers)
        if bound > self.best:
            self.best, self.center = bound, dual
            return True
        return False

    def _mix(self) -> Floats:
        """Solves the stem over mixtures of proposals; returns the prices of the stem's own rows."""
        matrix, artificial = self._matrix()
        found = Solver(matrix, method="simplex").solve()
        check(found, self.model)
        self.x, self.dual = found.x, found.dual
        start = self.model.matrix.size[1]
        self.share = []
        for each in self.tributaries:
            count = len(each.proposals)
            self.share.append(np.maximum(self.x[start : start + count], 0.0))
            self.share[-1] /= self.share[-1].sum()
            start += count
        if self.x[artificial].max(initial=0.0) <= 1e-6:
            self.value = found.value
        return self.dual[: self.model.matrix.size[0]]

    def _matrix(self) -> tuple[Matrix, slice]:
        stem = self.model.matrix
        rows, columns = stem.size
        row, column, value, cost = [stem.rows_of()], [stem.index], [stem.value], [stem.cost]
        place = columns
        for number, each in enumerate(self.tributaries):
            at = self.model.balance[each.into]
            for x in each.proposals:
                row.append(np.append(at, rows + number))
                column.append(np.full(len(at) + 1, place))
                value.append(np.append(-x[each.leaving], 1.0))
                cost.append(np.array([each.own_cost(x)]))
                place += 1
        fed = np.unique(self.model.balance[[each.into for each in self.tributaries]])
        for sign in (1.0, -1.0):
            row.append(fed)
            column.append(np.arange(place, place + len(fed)))
            value.append(np.full(len(fed), sign))
            cost.append(np.full(len(fed), _ARTIFICIAL))
            place += len(fed)
        added = place - columns
        return _sorted_matrix(
            *(stem, np.concatenate(row), np.concatenate(column), np.concatenate(value), np.concatenate(cost)),
            *(added, len(self.tributaries), sum(each.model.matrix.offset for each in self.tributaries)),
        ), slice(place - 2 * len(fed), place)

    def pieces(self, stem: Ints) -> list[Piece]:
        """Returns the mixtures of all parts."""
        rows, columns = self.model.matrix.size
        mixed = [Piece(stem, self.model, self.x[:columns], self.dual[:rows])]
        for each, share in zip(self.tributaries, self.share, strict=True):
            x = np.sum([part * x for part, x in zip(share, each.proposals, strict=False)], axis=0)
            mixed.append(Piece(each.nodes, each.model, x, each.dual))
        return mixed


def _sorted_matrix(
    stem: Matrix, row: Ints, column: Ints, value: Floats, cost: Floats, added: int, parts: int, offset: float
) -> Matrix:
    order = np.argsort(row, kind="stable")
    rows = stem.size[0] + parts
    return Matrix(
        cost=cost,
        lower=np.concatenate([stem.lower, np.zeros(added)]),
        upper=np.concatenate([stem.upper, np.full(added, np.inf)]),
        row_lower=np.concatenate([stem.row_lower, np.ones(parts)]),
        row_upper=np.concatenate([stem.row_upper, np.ones(parts)]),
        start=np.concatenate([[0], np.cumsum(np.bincount(row, minlength=rows))]).astype(np.int64),
        index=column[order],
        value=value[order],
        integer=np.zeros(len(cost), np.bool_),
        offset=stem.offset + offset,
    )

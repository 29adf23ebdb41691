"""Why a dispatch problem has no solution: which limits conflict, and by how much they would have to give.

Two questions are answered. How little must be broken: every limit gets a slack, and their sum is minimised
(elastic program). Which limits cannot hold together: those that the elastic program puts a price on are an
infeasible set (Farkas); groups are taken out of it one by one as long as it stays infeasible (deletion
filter), so that in the end every one is needed (Chinneck, Feasibility and Infeasibility, 2008).
"""

from dataclasses import dataclass
from itertools import groupby

import numpy as np

from yunmeng.converged.water.dispatch.limits import STORED, Limit
from yunmeng.converged.water.dispatch.model import Detail, Model, Penalties, build
from yunmeng.converged.water.dispatch.optimise import trees
from yunmeng.converged.water.dispatch.program import Matrix
from yunmeng.converged.water.dispatch.solver import Solver
from yunmeng.converged.water.dispatch.system import Horizon, System
from yunmeng.converged.water.register.arrays import Bools, Floats, Ints
from yunmeng.kernel.base import Language, sentence

# water balance and routing are no limits: they cannot give way
_LAWS = ("balance", "arrival", "turbine", "segment")
# what is built of concrete gives way last
_PHYSICAL = ("capacity", "spill", "storage_low")
_HARD, _SMALL = 100.0, 1e-6


@dataclass(frozen=True, slots=True)
class Conflict:
    """A river tree without a solution: ``least`` must give at least, ``core`` cannot hold together."""

    least: tuple[Limit, ...]
    core: tuple[Limit, ...]

    def words(self, lang: Language = "zh-CN") -> str:
        """Says both in sentences."""
        comma = sentence("water.dispatch.and", {}, lang)
        return sentence(
            "water.dispatch.conflict",
            {
                "core": comma.join(each.words(lang) for each in self.core),
                "least": comma.join(each.broken(lang) for each in self.least),
            },
            lang,
        )


@dataclass(frozen=True, slots=True)
class _Elastic:
    """A program in which every limit can be broken: limit ``kind[e]`` by its slack ``column[e]``."""

    matrix: Matrix
    kind: tuple[str, ...]
    node: Ints
    step: Ints
    bound: Floats
    row: Ints
    column: Ints


def explain(
    system: System,
    horizon: Horizon,
    penalties: Penalties | None = None,
    *,
    detail: Detail | None = None,
) -> tuple[Conflict, ...]:
    """Returns one conflict for each river tree that has no solution; empty where a plan exists.

    Whole-number details are left aside: their relaxation is explained.

    Raises:
        BadInput: as :func:`~yunmeng.converged.water.dispatch.model.build`.
    """
    found: list[Conflict] = []
    plain = Detail(lines=detail.lines) if detail else None
    for nodes in trees(system):
        model = build(system.take(nodes), horizon.take(nodes), penalties, plain)
        elastic = _elastic(model)
        solver = Solver(elastic.matrix, method="simplex")
        solved = solver.solve()
        slack = solved.x[elastic.column]
        if slack.sum() <= _SMALL * max(1.0, float(np.abs(elastic.bound).max(initial=1.0))):
            continue
        priced = np.abs(solved.dual[elastic.row]) > _SMALL
        core = _filtered(elastic, solver, priced)
        place = nodes
        found.append(
            Conflict(
                _limits(model, elastic, slack > 1e-6, slack, place),
                _limits(model, elastic, core, slack, place),
            )
        )
    return tuple(found)


def _elastic(model: Model) -> _Elastic:
    matrix, program = model.matrix, model.program
    kinds: list[str] = []
    nodes, steps, rows = list[Ints](), list[Ints](), list[Ints]()
    bounds, signs = list[Floats](), list[Floats]()

    def element(kind: str, node: Ints, step: Ints, row: Ints, bound: Floats, sign: float) -> None:
        kinds.extend([kind] * len(row))
        nodes.append(node)
        steps.append(step)
        rows.append(row)
        bounds.append(bound)
        signs.append(np.full(len(row), sign))

    for block in program.rows:
        if block.kind in _LAWS:
            continue
        at = block.places
        for side, sign in ((matrix.row_lower, 1.0), (matrix.row_upper, -1.0)):
            used = np.isfinite(side[at])
            kind = {"ramp": "ramp_down" if sign > 0 else "ramp_up"}.get(block.kind, block.kind)
            element(kind, block.node[used], block.step[used], at[used], side[at[used]], sign)
    # bounds of columns become rows, the columns free
    lower, upper = matrix.lower.copy(), matrix.upper.copy()
    new_columns, height = list[Ints](), matrix.size[0]
    for block in program.columns:
        at = block.places
        for kind, side, sign in _column_limits(block.kind, lower, upper):
            used = np.isfinite(side[at]) & ((side[at] > 0) | (kind != "least"))
            place = np.arange(height, height + int(used.sum()))
            element(kind, block.node[used], block.step[used], place, side[at[used]].copy(), sign)
            new_columns.append(at[used])
            height += len(place)
        if block.kind == "storage":
            lower[at], upper[at] = -1e9, 1e9
        else:
            # other bounds only followed from limits that may now give way
            lower[at], upper[at] = 0.0, 1e9
    return _joined(matrix, lower, upper, kinds, nodes, steps, rows, bounds, signs, new_columns, height)


def _column_limits(kind: str, lower: Floats, upper: Floats) -> list[tuple[str, Floats, float]]:
    if kind == "storage":
        return [("storage_low", lower, 1.0), ("storage_high", upper, -1.0)]
    return [("least", lower, 1.0)] if kind == "out" else []


def _joined(
    matrix: Matrix,
    lower: Floats,
    upper: Floats,
    kinds: list[str],
    nodes: list[Ints],
    steps: list[Ints],
    rows: list[Ints],
    bounds: list[Floats],
    signs: list[Floats],
    columns: list[Ints],
    height: int,
) -> _Elastic:
    first, width = matrix.size
    row, bound, sign = np.concatenate(rows), np.concatenate(bounds), np.concatenate(signs)
    slack = np.arange(width, width + len(row))
    bounded = np.concatenate([np.zeros(0, np.int64), *columns])
    added = np.arange(first, height)
    all_rows = np.concatenate([matrix.rows_of(), added, row])
    order = np.argsort(all_rows, kind="stable")
    # a bound that became a row: its own side, the other open
    new = row >= first
    weight = np.array([_HARD if kind in _PHYSICAL else 1.0 for kind in kinds])
    return _Elastic(
        Matrix(
            cost=np.concatenate([np.zeros(width), weight]),
            lower=np.concatenate([lower, np.zeros(len(row))]),
            upper=np.concatenate([upper, np.full(len(row), np.inf)]),
            row_lower=np.concatenate([matrix.row_lower, np.where(sign[new] > 0, bound[new], -np.inf)]),
            row_upper=np.concatenate([matrix.row_upper, np.where(sign[new] < 0, bound[new], np.inf)]),
            start=np.concatenate([[0], np.cumsum(np.bincount(all_rows, minlength=height))]).astype(np.int64),
            index=np.concatenate([matrix.index, bounded, slack])[order],
            value=np.concatenate([matrix.value, np.ones(len(bounded)), sign])[order],
            integer=np.zeros(width + len(row), np.bool_),
        ),
        *(tuple(kinds), np.concatenate(nodes), np.concatenate(steps), bound, row, slack),
    )


def _filtered(elastic: _Elastic, solver: Solver, priced: Bools) -> Bools:
    """Returns the elements of a minimal set of groups (kind and node) that cannot hold together."""
    groups = sorted({(elastic.kind[e], int(elastic.node[e])) for e in np.flatnonzero(priced).tolist()})
    kept = priced
    solver.set_costs(np.arange(elastic.matrix.size[1]), np.zeros(elastic.matrix.size[1]))
    if not _infeasible(elastic, solver, kept):
        # rounding hid a limit of the set: all limits of its groups are surely in it
        kept = np.array(
            [(kind, int(node)) in groups for kind, node in zip(elastic.kind, elastic.node, strict=True)]
        )
    for kind, node in groups:
        tried = kept & ~((np.array(elastic.kind) == kind) & (elastic.node == node))
        if tried.any() and _infeasible(elastic, solver, tried):
            kept = tried
    return kept


def _infeasible(elastic: _Elastic, solver: Solver, held: Bools) -> bool:
    free = np.where(held, 0.0, np.inf)
    solver.set_column_bounds(elastic.column, np.zeros(len(free)), free)
    return solver.solve().status == "infeasible"


def _limits(model: Model, elastic: _Elastic, used: Bools, slack: Floats, place: Ints) -> tuple[Limit, ...]:
    system, times = model.system, model.horizon.times(model.system.step_hours)
    limits: list[Limit] = []
    chosen = sorted(
        np.flatnonzero(used).tolist(), key=lambda e: (elastic.node[e], elastic.kind[e], elastic.step[e])
    )
    for (node, kind), run in groupby(chosen, key=lambda e: (int(elastic.node[e]), elastic.kind[e])):
        at = list(run)
        unit = system.volume if kind in STORED else 1.0
        worst = max(at, key=lambda e: slack[e])
        bound = float(elastic.bound[worst]) * unit
        # a ramp at the first step counts from the release before
        if kind in ("ramp_up", "ramp_down"):
            bound = float((system.ramp_up if kind == "ramp_up" else system.ramp_down)[node])
        level = float(system.curves.take(np.array([node])).level_at([bound])[0]) if kind in STORED else None
        limits.append(
            Limit(
                *(kind, int(place[node]), system.ids[node], system.names[node]),
                *(times[int(elastic.step[at[0]])], times[int(elastic.step[at[-1]])], bound),
                amount=float(slack[worst]) * unit,
                total=float(slack[at].sum()) * unit,
                level=level,
            )
        )
    return tuple(sorted(limits, key=lambda each: (-each.amount, each.node, each.kind)))

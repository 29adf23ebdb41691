"""Joint optimisation of a basin's reservoirs: river trees are independent and solved side by side."""

import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TypeVar

import numpy as np

from yunmeng.converged.water.dispatch.model import Detail, Model, Penalties, build
from yunmeng.converged.water.dispatch.plan import Piece, Plan, assemble
from yunmeng.converged.water.dispatch.program import certified_bound
from yunmeng.converged.water.dispatch.solver import Method, Solved, Solver
from yunmeng.converged.water.dispatch.system import Horizon, System
from yunmeng.converged.water.register.arrays import Floats, Ints
from yunmeng.kernel.base import Unavailable, Unsupported


@dataclass
class Warm:
    """Bases of earlier programs, by the tree's last node and the program's size."""

    bases: dict[tuple[int, ...], object] = field(default_factory=dict)


Item = TypeVar("Item")
Answer = TypeVar("Answer")


def optimise(
    system: System,
    horizon: Horizon,
    penalties: Penalties | None = None,
    *,
    detail: Detail | None = None,
    start: Plan | None = None,
    warm: "Warm | None" = None,
    threads: int = 2,
    method: Method = "simplex",
    gap: float = 1e-4,
    seconds: float = 600.0,
) -> Plan:
    """Returns the best joint plan with its certificate.

    The program is linear, so the plan is exactly optimal for its hulls; with ``detail.exact`` it follows the
    curves by whole numbers, to ``gap``. ``start`` is an earlier plan of the same basin and horizon's length:
    its releases start a mixed-integer search. ``warm`` keeps bases for the next program of the same shape.

    Raises:
        Unsupported: ``dispatch.infeasible`` naming a node of the tree that has no solution; ask
            :func:`~yunmeng.converged.water.dispatch.conflicts.explain` why.
        Unavailable: ``dispatch.highs`` without highspy, ``dispatch.stopped`` where the time ran out.
        BadInput: as :func:`~yunmeng.converged.water.dispatch.model.build`.
    """
    began, prices = time.perf_counter(), penalties or Penalties()
    solved = solve_trees(
        *(system, horizon, prices, trees(system), detail, threads),
        start=start,
        warm=warm,
        method=method,
        gap=gap,
        seconds=seconds,
    )
    return assemble(
        *(system, horizon, prices, [piece for piece, _ in solved]),
        bound=sum(bound for _, bound in solved),
        seconds=time.perf_counter() - began,
    )


def solve_trees(
    system: System,
    horizon: Horizon,
    prices: Penalties,
    parts: Sequence[Ints],
    detail: Detail | None,
    threads: int,
    *,
    start: Plan | None = None,
    warm: "Warm | None" = None,
    method: Method = "simplex",
    gap: float = 1e-4,
    seconds: float = 600.0,
) -> list[tuple[Piece, float]]:
    """Solves independent parts side by side; returns each with the lower bound of its cost.

    Raises:
        As :func:`optimise`.
    """

    def one(nodes: Ints) -> tuple[Piece, float]:
        model = build(system.take(nodes), horizon.take(nodes), prices, _of(detail, nodes))
        solver = Solver(model.matrix, method=method, gap=gap, seconds=seconds)
        if start is not None:
            solver.start_near(_known(model, start, nodes))
        key = (int(nodes[-1]), *model.matrix.size)
        if warm is not None and key in warm.bases:
            solver.start_from(warm.bases[key])
        found = solver.solve()
        check(found, model)
        if warm is not None:
            warm.bases[key] = solver.basis()
        whole = bool(model.matrix.integer.any())
        bound = found.bound if whole else certified_bound(model.matrix, found.dual)
        return Piece(nodes, model, found.x, found.dual), bound

    return side_by_side(one, parts, threads)


def trees(system: System) -> list[Ints]:
    """Returns the nodes of each river tree, the largest tree first."""
    label = system.parts()
    order = np.argsort(label, kind="stable")
    groups = np.split(order, np.flatnonzero(np.diff(label[order])) + 1)
    return sorted(groups, key=lambda group: -len(group))


def side_by_side(work: Callable[[Item], Answer], items: Sequence[Item], threads: int) -> list[Answer]:
    """Does the same to each item in threads; HiGHS lets go of the interpreter's lock while it solves."""
    with ThreadPoolExecutor(max(1, min(threads, len(items)))) as pool:
        return list(pool.map(work, items))


def check(found: Solved, model: Model) -> None:
    """Lets only an optimal solution pass.

    Raises:
        Unsupported: ``dispatch.infeasible``.
        Unavailable: ``dispatch.stopped``.
    """
    if found.status in ("infeasible", "unbounded"):
        raise Unsupported("dispatch.infeasible", node=model.system.names[-1], nodes=model.system.nodes)
    if found.status != "optimal":
        raise Unavailable("dispatch.stopped", node=model.system.names[-1], nodes=model.system.nodes)


def _of(detail: Detail | None, nodes: Ints) -> Detail | None:
    if detail is None or detail.heads is None:
        return detail
    return Detail(detail.lines, detail.exact, detail.segments, detail.heads[nodes])


def _known(model: Model, plan: Plan, nodes: Ints) -> Floats:
    """The columns as far as an earlier plan has them."""
    x = np.clip(0.0, model.matrix.lower, model.matrix.upper)
    stored = plan.storage / model.system.volume
    for grid, values in ((model.storage, stored), (model.out, plan.release), (model.turbine, plan.turbine)):
        used = grid >= 0
        x[grid[used]] = values[nodes][used]
    return x


def with_heads(
    system: System,
    horizon: Horizon,
    penalties: Penalties,
    *,
    rounds: int = 3,
    threads: int = 2,
) -> Plan:
    """Optimises with energy, the heads taken from the plan before until the energy stays (successive LP).

    Raises:
        As :func:`optimise`.
    """
    plan = optimise(system, horizon, penalties, threads=threads)
    for _ in range(rounds - 1):
        before = np.concatenate([horizon.storage[:, None], plan.storage[:, :-1]], axis=1)
        heads = system.curves.level_at((before + plan.storage) / 2) - system.tailwater[:, None]
        again = optimise(system, horizon, penalties, detail=Detail(heads=heads), threads=threads)
        settled = abs(again.energy.sum() - plan.energy.sum()) <= 1e-4 * max(plan.energy.sum(), 1.0)
        plan = again
        if settled:
            break
    return plan

"""What an optimisation returns: releases, storages, what limits cost, how far from the optimum at most."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple

import numpy as np

from yunmeng.converged.water.dispatch.model import Model, Penalties
from yunmeng.converged.water.dispatch.program import Block
from yunmeng.converged.water.dispatch.system import Horizon, System
from yunmeng.converged.water.register.arrays import Floats, Ints

# those of storage, in the program's unit
_STORED = ("over_limit", "over_top", "under_dead", "under_target", "over_target")
# columns that measure by how much a soft limit is broken
SLACKS = (
    *("over_safe", "over_guard", "over_limit", "over_top", "under_dead"),
    *("under_target", "over_target", "short_ecology", "over_ramp", "under_ramp"),
)


class Piece(NamedTuple):
    """The solution of a part of the basin: ``nodes`` are its places in the whole."""

    nodes: Ints
    model: Model
    x: Floats
    dual: Floats


@dataclass(frozen=True, slots=True)
class Plan:
    """Arrays of shape (N, T): storage 10⁶ m³ at the end of a step, flows m³/s as means of it.

    ``release`` is what leaves a node (for a control point its flow), ``inflow`` what enters it, ``turbine``
    the part through turbines. ``broken`` has for each soft limit by how much it is broken, ``prices`` for
    each kind of row and bound what one unit more would save. ``value`` is the cost of the plan, ``bound`` no
    plan's cost can be under; ``gap`` is their distance as a share of the value.
    """

    system: System
    horizon: Horizon
    penalties: Penalties
    storage: Floats
    release: Floats
    inflow: Floats
    turbine: Floats
    value: float
    bound: float
    seconds: float
    rounds: int = 0
    name: str = ""
    broken: dict[str, Floats] = field(default_factory=dict, repr=False)
    prices: dict[str, Floats] = field(default_factory=dict, repr=False)

    @property
    def gap(self) -> float:
        """(value − bound) / |value|: at most this share is left to gain."""
        return max(self.value - self.bound, 0.0) / max(abs(self.value), 1e-9)

    @property
    def level(self) -> Floats:
        """Levels in m, shape (N, T); NaN for control points."""
        held = self.system.reservoir[:, None]
        return np.where(held, self.system.curves.level_at(self.storage), np.nan)

    @property
    def energy(self) -> Floats:
        """Energy in MWh at the true head of each step, shape (N, T)."""
        return energy(self.system, self.horizon, self.storage, self.turbine)

    def times(self) -> tuple[datetime, ...]:
        """The end of each step."""
        return self.horizon.times(self.system.step_hours)


def energy(system: System, horizon: Horizon, storage: Floats, turbine: Floats) -> Floats:
    """Returns MWh of turbine flows (N, T): 9.81·η·Q·H, the head from the middle storage of the step."""
    before = np.concatenate([horizon.storage[:, None], storage[:, :-1]], axis=1)
    head = system.curves.level_at((before + storage) / 2) - system.tailwater[:, None]
    return 9.81e-3 * system.efficiency[:, None] * turbine * np.maximum(head, 0.0) * system.step_hours


def assemble(
    system: System,
    horizon: Horizon,
    penalties: Penalties,
    pieces: Sequence[Piece],
    *,
    bound: float,
    seconds: float,
    rounds: int = 0,
) -> Plan:
    """Puts the solutions of parts together; parts share no node."""
    shape = (system.nodes, horizon.steps)
    storage, release, inflow, turbine = (np.zeros(shape) for _ in range(4))
    broken = {kind: np.zeros(shape) for kind in SLACKS}
    prices: dict[str, Floats] = {}
    value = 0.0
    for nodes, model, x, dual in pieces:
        padded = np.append(x, 0.0)  # an absent column is the last
        storage[nodes], release[nodes] = padded[model.storage] * system.volume, padded[model.out]
        turbine[nodes] = padded[model.turbine]
        value += float(model.matrix.cost @ x) + model.matrix.offset
        for block in model.program.columns:
            if block.kind in broken:
                unit = system.volume if block.kind in _STORED else 1.0
                _spread(broken[block.kind], nodes, block, x * unit)
        _collect(prices, shape, nodes, model, dual)
    before = np.concatenate([horizon.storage[:, None], storage[:, :-1]], axis=1)
    inflow[:] = release + np.where(system.reservoir[:, None], (storage - before) / system.volume, 0.0)
    return Plan(
        *(system, horizon, penalties, storage, release, inflow, turbine),
        *(value, bound, seconds, rounds),
        broken={kind: values for kind, values in broken.items() if values.any()},
        prices=prices,
    )


def _collect(
    prices: dict[str, Floats], shape: tuple[int, int], nodes: Ints, model: Model, dual: Floats
) -> None:
    reduced = model.matrix.cost - model.matrix.transposed(dual)
    for block in model.program.rows:
        _spread(prices.setdefault(block.kind, np.zeros(shape)), nodes, block, dual)
    for block in model.program.columns:
        if block.kind in ("storage", "out"):
            _spread(prices.setdefault(block.kind, np.zeros(shape)), nodes, block, reduced)


def _spread(grid: Floats, nodes: Ints, block: Block, values: Floats) -> None:
    # several sides of one curve: the one that bears the largest price speaks
    here = values[block.places]
    at = (nodes[block.node], block.step)
    grid[at] = np.where(np.abs(here) > np.abs(grid[at]), here, grid[at])

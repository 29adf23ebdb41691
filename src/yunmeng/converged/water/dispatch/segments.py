"""Discharge and head curves followed exactly by whole-number segments: the mixed-integer form.

The middle storage of a step lies on one segment; what can be released, what spills and what a turbine's water
is worth follow from it. The multiple-choice form, whose relaxation is the curves' hull (Vielma et al. 2010).
"""

from typing import TYPE_CHECKING

import numpy as np

from yunmeng.converged.water.dispatch.program import ABSENT
from yunmeng.converged.water.register.arrays import Floats, Ints, listed, upto

if TYPE_CHECKING:
    from yunmeng.converged.water.dispatch.model import Model


def follow(model: "Model", segments: int, half: Floats) -> None:
    """Adds segments to every reservoir; ``half`` (N, T) is the known half of the storage before."""
    system, program, unit = model.system, model.program, model.system.volume
    steps = upto(model.horizon.steps)
    for node in listed(np.flatnonzero(system.reservoir)):
        held = model.storage[node]
        storage, passed, spilled = _corners(model, node, segments)
        count = len(storage) - 1
        piece = upto(count)[:, None]
        chosen = program.add_columns("segment", node, steps + 0 * piece, 0.0, 1.0, integer=True)
        along = program.add_columns("along", node, steps + 0 * piece, 0.0, 1.0)
        program.add_rows("segment", node, steps + 0 * piece, -np.inf, 0.0, [(along, 1.0), (chosen, -1.0)])
        program.add_rows("segment", node, steps, 1.0, 1.0, [(chosen[n], 1.0) for n in range(count)])
        before = np.append(ABSENT, held[:-1])
        known = half[node] / unit
        program.add_rows(
            *("segment", node, steps, -known, -known),
            [(held, 0.5), (before, 0.5), *_sum(chosen, along, storage / unit, -1.0)],
        )
        out = model.out[node]
        program.add_rows(
            "capacity", node, steps, -np.inf, 0.0, [(out, 1.0), *_sum(chosen, along, passed, -1.0)]
        )
        if spilled[-1] > 0:
            program.add_rows(
                "spill", node, steps, 0.0, np.inf, [(out, 1.0), *_sum(chosen, along, spilled, -1.0)]
            )
        _turbine(model, node, chosen, storage)


def _corners(model: "Model", node: int, segments: int) -> tuple[Floats, Floats, Floats]:
    """The storages where segments meet, with what passes and spills there."""
    system, curves = model.system, model.system.curves
    low = float(system.storage_min[node] if model.penalties.dead is None else curves.storage[node, 0])
    high = float(system.storage_max[node] if model.penalties.top is None else curves.storage[node, -1])
    # half of the storage before the first step may lie outside what is permitted later
    now = float(model.horizon.storage[node])
    low, high = min(low, now), max(high, now)
    inner = np.unique(curves.storage[node])
    inner = inner[(inner > low) & (inner < high)]
    if len(inner) > segments - 1:
        inner = inner[np.linspace(0, len(inner) - 1, segments - 1).round().astype(np.int64)]
    corners = np.concatenate([[low], inner, [high]])
    known = np.append(True, np.diff(curves.storage[node]) > 0)
    x = curves.storage[node][known]
    passed = np.asarray(np.interp(corners, x, curves.discharge[node][known]), np.float64)
    spilled = np.asarray(np.interp(corners, x, curves.spill[node][known]), np.float64)
    return corners, passed, spilled


def _sum(chosen: Ints, along: Ints, corner: Floats, sign: float) -> list[tuple[Ints, float]]:
    terms = [(chosen[n], sign * float(corner[n])) for n in range(len(chosen))]
    return terms + [(along[n], sign * float(corner[n + 1] - corner[n])) for n in range(len(chosen))]


def _turbine(model: "Model", node: int, chosen: Ints, storage: Floats) -> None:
    """Pays turbine flow by the head of its segment's middle."""
    turbine = model.turbine[node]
    if turbine[0] == ABSENT:
        return
    system, program = model.system, model.program
    steps, piece = upto(len(turbine)), upto(len(chosen))[:, None]
    middle = (storage[:-1] + storage[1:]) / 2
    known = np.append(True, np.diff(system.curves.storage[node]) > 0)
    level = np.asarray(
        np.interp(middle, system.curves.storage[node][known], system.curves.level[node][known]), np.float64
    )
    head = np.maximum(level - system.tailwater[node], 0.0)[:, None]
    worth = model.penalties.energy * 9.81e-3 * system.step_hours * float(system.efficiency[node])
    most = float(system.turbine_max[node])
    share = program.add_columns("turbine_segment", node, steps + 0 * piece, 0.0, most, -worth * head)
    program.add_rows("segment", node, steps + 0 * piece, -np.inf, 0.0, [(share, 1.0), (chosen, -most)])
    program.add_rows("turbine", node, steps, 0.0, 0.0, [(turbine, -1.0), *((each, 1.0) for each in share)])

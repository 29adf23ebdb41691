"""How surely a section keeps its ecological flow 生态流量保证率 (SL/T 712)."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from yunmeng.kernel.base import BadInput

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Guarantee:
    """``rate`` is the share (0–1) of the steps with a reading that keep the flow; NaN without any.

    ``longest`` is the longest run of steps below it, ``deficit`` the volume (m³) that was missing, ``lowest``
    the least flow (m³/s).
    """

    rate: float
    judged: int
    missing: int
    longest: int
    deficit: float
    lowest: float


def guarantee(flows: Floats, wanted: Floats | float, step_s: float) -> Guarantee:
    """Judges flows (m³/s, NaN missing, shape (n,)) against the flow wanted (one, or one a step).

    A gap neither keeps nor breaks the flow, and ends a run. Raises ``BadInput("water.negative")`` for a
    negative flow, ``BadInput("water.shape")``.
    """
    wanted = np.broadcast_to(np.asarray(wanted, np.float64), flows.shape) if flows.ndim == 1 else np.empty(0)
    if flows.ndim != 1:
        raise BadInput("water.shape", name="flows", shape=str(flows.shape), wanted="(n,)")
    if (flows < 0).any():
        place = int(np.flatnonzero(flows < 0)[0])
        raise BadInput("water.negative", name="flows", at=place, value=flows[place])
    there = ~np.isnan(flows)
    if not there.any():
        return Guarantee(float("nan"), 0, len(flows), 0, 0.0, float("nan"))
    short = there & (flows < wanted)
    deficit = float(np.sum((wanted - flows)[short]) * step_s)
    judged = int(there.sum())
    rate = 1.0 - float(short.sum()) / judged
    return Guarantee(rate, judged, int((~there).sum()), _longest(short), deficit, float(np.nanmin(flows)))


def _longest(short: NDArray[np.bool_]) -> int:
    edges = np.flatnonzero(np.diff(np.concatenate(([0], short.astype(np.int8), [0]))))
    return int((edges[1::2] - edges[::2]).max(initial=0))

"""What spillways, gates, conduits, turbines and pumps can pass, by level and opening.

Formulas of SL 253-2018 (溢洪道设计规范, appendix A) and of hydraulics handbooks for flat gates; levels in m,
widths in m, discharges in m³/s, g = 9.81 m/s².
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from yunmeng.converged.water.register.arrays import Floats, Numbers
from yunmeng.kernel.base import BadInput

Kind = Literal["weir", "gate", "orifice", "pump", "turbine", "table"]
_ROOT_2G = float(np.sqrt(2 * 9.81))


@dataclass(frozen=True, slots=True)
class Outlet:
    """One kind of opening, ``count`` times.

    - ``weir``: an ungated crest ``sill`` of ``width``; Q = m·B·√(2g)·H^1.5, m = ``coefficient`` (0.36–0.50).
    - ``gate``: the same crest under a gate of ``height``; the smaller of the weir's flow and the flow under
      the gate, Q = (0.60 − 0.176 e/H)·B·e·√(2gH) with the opening e.
    - ``orifice``: a conduit of ``width`` × ``height`` with its floor at ``sill``; Q = μ·A·√(2g(z − centre)).
    - ``pump`` and ``turbine``: ``rated`` m³/s while the level is between ``sill`` and ``top``.
    - ``table``: ``levels`` and ``discharges`` as measured, times the opening.
    """

    kind: Kind
    sill: float = 0.0
    width: float = 0.0
    height: float = 0.0
    coefficient: float = 0.45
    rated: float = 0.0
    top: float = float("inf")
    count: int = 1
    levels: Sequence[float] = ()
    discharges: Sequence[float] = ()
    name: str = ""

    def capacity(self, level: Numbers, opening: Numbers = 1.0) -> Floats:
        """Returns m³/s at levels and openings (0–1) that broadcast; an ungated weir knows no opening.

        Raises:
            BadInput: ``outlet.opening`` outside 0–1.
        """
        at, open_ = np.asarray(level, np.float64), np.asarray(opening, np.float64)
        if ((open_ < 0) | (open_ > 1)).any():
            raise BadInput("outlet.opening", name=self.name, value=float(open_.max(initial=open_.min())))
        return np.asarray(self.count * self._one(at, open_), np.float64)

    def _one(self, level: Floats, opening: Floats) -> Floats:
        head = np.maximum(level - self.sill, 0.0)
        if self.kind == "weir":
            return self._weir(head) * np.ones_like(opening)
        if self.kind == "gate":
            return np.minimum(self._weir(head), self._under(head, opening * self.height))
        if self.kind == "orifice":
            above = np.maximum(head - self.height / 2, 0.0)
            return self.coefficient * self.width * self.height * opening * _ROOT_2G * np.sqrt(above)
        if self.kind == "table":
            return np.interp(level, self.levels, self.discharges, left=0.0) * opening
        return np.where((level >= self.sill) & (level <= self.top), self.rated, 0.0) * opening

    def _weir(self, head: Floats) -> Floats:
        return self.coefficient * self.width * _ROOT_2G * head**1.5

    def _under(self, head: Floats, lift: Floats) -> Floats:
        share = np.divide(lift, head, out=np.ones(np.broadcast(lift, head).shape), where=head > 0)
        return (0.60 - 0.176 * np.minimum(share, 0.75)) * self.width * lift * _ROOT_2G * np.sqrt(head)


def release_columns(outlets: Iterable[Outlet], level: Numbers) -> tuple[Floats, Floats]:
    """Returns the columns ``discharge`` and ``spill`` of a curve: all outlets open, and the ungated ones.

    Pumps lift water in and turbines pass it only while they run, so the first count for nothing here.
    """
    at = np.asarray(level, np.float64)
    discharge, spill = np.zeros(at.shape), np.zeros(at.shape)
    for outlet in outlets:
        passed = np.zeros(at.shape) if outlet.kind == "pump" else outlet.capacity(at)
        discharge += passed
        spill += passed if outlet.kind == "weir" else 0.0
    return discharge, spill

"""Rating curves 水位流量关系: from stage to discharge, in the range where they hold (SL 247; ISO 18320)."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from yunmeng.converged.water.measuring.control import Floats
from yunmeng.kernel.base import BadInput

_STEPS = 400
_FEWEST = 5


@dataclass(frozen=True, slots=True)
class RatingCurve:
    """Discharge by stage between knots, and beyond them by the power law Q = a (h − h0)^b if one was fitted.

    ``stages`` (m) rise, ``discharges`` (m³/s) do not fall; ``error`` is the relative standard deviation of
    the measurements around the curve, NaN for a table.
    """

    stages: Floats
    discharges: Floats
    a: float = float("nan")
    b: float = float("nan")
    h0: float = float("nan")
    error: float = float("nan")

    def discharge(self, stage: Floats) -> Floats:
        """Returns the discharge (m³/s) of each stage (m); NaN beyond a curve that has no law."""
        stage = np.asarray(stage, np.float64)
        inside = np.interp(stage, self.stages, self.discharges, np.nan, np.nan)
        if np.isnan(self.a):
            return inside
        law = self.a * np.maximum(stage - self.h0, 0.0) ** self.b
        return np.where(np.isnan(inside), law, inside)

    def holds(self, stage: Floats) -> "np.ndarray[tuple[int], np.dtype[np.bool_]]":
        """Tells where a stage lies within the measurements; what lies beyond is an extrapolation."""
        stage = np.asarray(stage, np.float64)
        return (stage >= self.stages[0]) & (stage <= self.stages[-1])


def rating_from_table(stages: Sequence[float], discharges: Sequence[float]) -> RatingCurve:
    """Makes a curve of a table. Raises ``BadInput("water.curve")`` naming the row where it turns back."""
    h, q = np.asarray(stages, np.float64), np.asarray(discharges, np.float64)
    if h.shape != q.shape or h.ndim != 1 or len(h) < 2:
        raise BadInput(
            "water.shape", name="stages, discharges", shape=f"{h.shape}, {q.shape}", wanted="(n ≥ 2,)"
        )
    bad = np.flatnonzero((np.diff(h) <= 0) | (np.diff(q) < 0) | np.isnan(np.diff(h)) | np.isnan(np.diff(q)))
    if len(bad):
        row = int(bad[0]) + 1
        raise BadInput("water.rating", row=row + 1, stage=h[row], discharge=q[row])
    return RatingCurve(h, q)


def fit_rating(stages: Sequence[float], discharges: Sequence[float]) -> RatingCurve:
    """Fits Q = a (h − h0)^b to measurements by least squares of ln Q, h0 by search below the lowest stage.

    Raises:
        BadInput: ``water.shape``, or ``water.few`` with fewer than five measurements of positive discharge.
    """
    h, q = np.asarray(stages, np.float64), np.asarray(discharges, np.float64)
    if h.shape != q.shape or h.ndim != 1:
        raise BadInput("water.shape", name="stages, discharges", shape=f"{h.shape}, {q.shape}", wanted="(n,)")
    good = (q > 0) & ~np.isnan(h)
    h, q = h[good], q[good]
    if len(h) < _FEWEST or np.ptp(h) == 0:
        raise BadInput("water.few", name="measurements", count=len(h), wanted=_FEWEST)
    span = float(np.ptp(h))
    # the zero of flow lies below the lowest stage with flow; near it the search is finest
    depths = span * np.geomspace(1e-3, 5.0, _STEPS)
    fits = [_line(h - (h.min() - depth), q) for depth in depths]
    best = int(np.argmin([fit[2] for fit in fits]))
    intercept, slope, _ = fits[best]
    h0 = float(h.min() - depths[best])
    a = float(np.exp(intercept))
    knots = np.linspace(float(h.min()), float(h.max()), 50)
    law = a * (knots - h0) ** slope
    error = float(np.std(q / (a * (h - h0) ** slope) - 1.0))
    return RatingCurve(knots, law, a, slope, h0, error)


def _line(depth: Floats, q: Floats) -> tuple[float, float, float]:
    x, y = np.log(depth), np.log(q)
    slope = float(np.cov(x, y, bias=True)[0, 1] / np.var(x))
    intercept = float(y.mean() - slope * x.mean())
    return intercept, slope, float(np.sum((y - intercept - slope * x) ** 2))

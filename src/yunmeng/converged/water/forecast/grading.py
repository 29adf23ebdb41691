"""Grading of flood forecasts 精度评定 by GB/T 22482-2008, clause 6.5.

The standard's numbers are one value of :class:`Rules`, so that another edition is another value.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from yunmeng.converged.water.forecast.scores import nse
from yunmeng.converged.water.forecast.shapes import Floats, Numbers
from yunmeng.kernel.base import BadInput

Grade = Literal["甲", "乙", "丙", "none"]
Item = Literal["peak", "time", "volume"]
Kind = Literal["runoff", "river"]
ITEMS: tuple[Item, ...] = ("peak", "time", "volume")


@dataclass(frozen=True, slots=True)
class Rules:
    """What an edition allows.

    ``peak``: share of the observed peak (rainfall–runoff) or of the observed change within the lead time
    (river flow, at least ``floor`` of the peak). ``time``: share of the hours from the forecast's basis to
    the observed peak, at least ``hours`` and one step. ``volume``: share of the observed runoff depth,
    between ``least_mm`` and ``most_mm``. ``process``: share of the observed change. ``rates`` (QR, %),
    ``coefficients`` (DC) and ``timeliness`` are the lower ends of 甲, 乙, 丙.
    """

    edition: str
    peak: float
    floor: float
    time: float
    hours: float
    volume: float
    least_mm: float
    most_mm: float
    process: float
    rates: tuple[float, float, float]
    coefficients: tuple[float, float, float]
    timeliness: tuple[float, float, float]


GBT_22482_2008 = Rules(
    edition="GB/T 22482-2008",
    peak=0.20,
    floor=0.05,
    time=0.30,
    hours=3.0,
    volume=0.20,
    least_mm=3.0,
    most_mm=20.0,
    process=0.20,
    rates=(85.0, 70.0, 60.0),
    coefficients=(0.90, 0.70, 0.50),
    timeliness=(0.95, 0.85, 0.70),
)
_GRADES: tuple[Grade, Grade, Grade] = ("甲", "乙", "丙")


@dataclass(frozen=True, slots=True)
class Judged:
    """An error (forecast − observed) beside what is allowed, in the unit of the item."""

    error: float
    allowed: float

    @property
    def good(self) -> bool:
        """Whether the forecast passes (合格): its error is not larger than allowed."""
        return abs(self.error) <= self.allowed


@dataclass(frozen=True, slots=True)
class FloodGrade:
    """One flood: peak in the series' unit, time in hours, volume in mm, DC.

    ``process`` is the share of steps whose error stays within the share of the observed change.
    """

    peak: Judged
    time: Judged
    volume: Judged
    dc: float
    process: float


@dataclass(frozen=True, slots=True)
class SchemeGrade:
    """A scheme over many floods: pass rates in percent by item, QR and its grade, mean DC and its grade."""

    rules: str
    floods: int
    rates: dict[Item, float]
    qr: float
    grade: Grade
    dc: float
    dc_grade: Grade


def grade_flood(
    simulated: Numbers,
    observed: Numbers,
    step_hours: float,
    *,
    issued: int = 0,
    kind: Kind = "runoff",
    rules: Rules = GBT_22482_2008,
) -> FloodGrade:
    """Judges the forecast of one flood.

    Args:
        simulated: flow in mm a step (:func:`to_depth`), (steps,).
        observed: the same steps; NaN is not allowed.
        step_hours: length of a step.
        issued: the step that the forecast is based on (预报根据时间), counted from the series' begin.
        kind: ``runoff`` for forecasts from rain, ``river`` for flow down a reach.
        rules: the edition.

    Raises:
        BadInput: ``forecast.shape`` for series of other lengths, ``forecast.gap`` for missing values,
            ``forecast.record.none`` for a flood without change.
    """
    sim, obs = np.asarray(simulated, np.float64), np.asarray(observed, np.float64)
    if sim.shape != obs.shape or obs.ndim != 1 or not 0 <= issued < obs.size:
        raise BadInput("forecast.shape", name="observed", found=obs.shape, wanted=str(sim.shape))
    for name, values in (("simulated", sim), ("observed", obs)):
        missing = np.flatnonzero(~np.isfinite(values))
        if missing.size:
            where = str(int(missing[0]))
            raise BadInput(
                "forecast.gap",
                name=name,
                basin=0,
                member=0,
                where=where,
                steps=missing.size,
                all=missing.size,
            )
    top, found = int(obs.argmax()), int(sim.argmax())
    peak, depth = float(obs[top]), float(obs.sum())
    change = float(np.ptp(obs[issued:]))
    allowed = rules.peak * peak if kind == "runoff" else max(rules.peak * change, rules.floor * peak)
    hours = max(rules.time * (top - issued) * step_hours, rules.hours, step_hours)
    volume = float(np.clip(rules.volume * depth, rules.least_mm, rules.most_mm))
    within = np.abs(sim - obs)[issued:] <= max(rules.process * change, rules.floor * peak)
    return FloodGrade(
        Judged(float(sim[found]) - peak, allowed),
        Judged((found - top) * step_hours, hours),
        Judged(float(sim.sum()) - depth, volume),
        float(nse(sim, obs)),
        float(within.mean()),
    )


def grade_scheme(
    floods: Sequence[FloodGrade], *, main: Item = "peak", rules: Rules = GBT_22482_2008
) -> SchemeGrade:
    """Grades a scheme: the pass rate is the mean over the items, unless that of the main item is lower.

    Raises:
        BadInput: ``forecast.record.none`` without floods.
    """
    if not floods:
        raise BadInput("forecast.record.none", steps=0)
    passed: dict[Item, list[bool]] = {
        "peak": [flood.peak.good for flood in floods],
        "time": [flood.time.good for flood in floods],
        "volume": [flood.volume.good for flood in floods],
    }
    rates: dict[Item, float] = {item: 100 * sum(good) / len(good) for item, good in passed.items()}
    qr = min(sum(rates.values()) / len(rates), rates[main])
    dc = float(np.mean([flood.dc for flood in floods]))
    return SchemeGrade(
        rules.edition, len(floods), rates, qr, rate_grade(qr, rules), dc, coefficient_grade(dc, rules)
    )


def rate_grade(qr: float, rules: Rules = GBT_22482_2008) -> Grade:
    """Returns the grade of a pass rate in percent: 甲 from 85, 乙 from 70, 丙 from 60."""
    return _graded(qr, rules.rates)


def coefficient_grade(dc: float, rules: Rules = GBT_22482_2008) -> Grade:
    """Returns the grade of a deterministic coefficient: 甲 above 0.90, 乙 from 0.70, 丙 from 0.50."""
    first, second, third = rules.coefficients
    return "甲" if dc > first else _graded(dc, (np.inf, second, third))


def timeliness_grade(
    effective_hours: float, theoretical_hours: float, rules: Rules = GBT_22482_2008
) -> Grade:
    """Returns the grade of timeliness: the lead time left once issued over what the basin gives."""
    if not theoretical_hours > 0:
        raise BadInput("forecast.hydrograph", name="theoretical_hours", value=theoretical_hours)
    return _graded(effective_hours / theoretical_hours, rules.timeliness)


def stage_allowance(
    stages: Numbers, slope_m_per_flow: float, peak_flow: float, rules: Rules = GBT_22482_2008
) -> float:
    """Returns the error allowed to a stage forecast in m: a share of its change, at least 0.10 m.

    Args:
        stages: observed within the lead time, m.
        slope_m_per_flow: of the rating curve at the peak, m for each m³/s.
        peak_flow: observed, m³/s; 5 % of it as a stage is the other lower end.
        rules: the edition.
    """
    values: Floats = np.asarray(stages, np.float64)
    return max(rules.process * float(np.ptp(values)), rules.floor * peak_flow * slope_m_per_flow, 0.10)


def _graded(value: float, limits: tuple[float, float, float]) -> Grade:
    for grade, limit in zip(_GRADES, limits, strict=True):
        if value >= limit:
            return grade
    return "none"

"""Hindcasts: parameters from some years, judged on others that they have not seen."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np

from yunmeng.converged.water.forecast.calibration import Bounds, calibrate, report
from yunmeng.converged.water.forecast.correction import fit
from yunmeng.converged.water.forecast.events import floods
from yunmeng.converged.water.forecast.grading import (
    FloodGrade,
    Grade,
    SchemeGrade,
    coefficient_grade,
    grade_flood,
    grade_scheme,
)
from yunmeng.converged.water.forecast.model import Runs
from yunmeng.converged.water.forecast.records import Record
from yunmeng.converged.water.forecast.shapes import Floats
from yunmeng.kernel.base import BadInput

Span = tuple[datetime, datetime]
_FLOODS_A_YEAR = 3.0


@dataclass(frozen=True, slots=True)
class Verified:
    """How a simulation fared on the held-back years.

    ``scores`` are of all steps, and ``process`` is the grade of their deterministic coefficient (the NSE);
    ``grade`` is of the floods, one by one in ``floods``.
    """

    scores: dict[str, float]
    process: Grade
    grade: SchemeGrade
    floods: tuple[FloodGrade, ...]


@dataclass(frozen=True, slots=True)
class Hindcast:
    """A model on a record: what it was given, what it reached there, and on the held-back years.

    ``corrected`` is of the forecasts made ``lead`` steps before with the errors then known; ``reference`` of
    the record's own reference simulation, where it has one.
    """

    record: str
    model: str
    params: dict[str, float]
    calibrated_on: Span
    calibrated: dict[str, float]
    verified_on: Span
    verified: Verified
    corrected: Verified | None
    reference: Verified | None


def hindcast(
    model: Runs,
    record: Record,
    *,
    calibrate_on: Span,
    verify_on: Span,
    aims: Sequence[str] = ("nse",),
    warmup: timedelta = timedelta(days=365),
    budget: int = 10_000,
    bounds: Bounds | None = None,
    seed: int = 0,
    lead: int = 0,
) -> Hindcast:
    """Calibrates on one span and verifies on another; both begin with a warm-up that counts for nothing.

    Args:
        model: which model.
        record: with both spans, and the warm-up before each.
        calibrate_on: first day and day after the last.
        verify_on: the same; may not overlap the first.
        aims: as :func:`calibrate`.
        warmup: how long the stores fill before each span.
        budget: as :func:`calibrate`.
        bounds: as :func:`calibrate`.
        seed: as :func:`calibrate`.
        lead: steps ahead of the forecasts with corrected errors; 0 for none. The memory of the errors, AR(2),
            comes from the calibration's years.

    Raises:
        BadInput: ``forecast.record.overlap`` when the spans share a step, ``forecast.record.span`` when the
            record does not hold them with their warm-up.
    """
    if calibrate_on[0] < verify_on[1] and verify_on[0] < calibrate_on[1]:
        raise BadInput("forecast.record.overlap", first=calibrate_on[0], last=calibrate_on[1])
    steps = round(warmup / timedelta(hours=record.step_hours))
    known = record.between(calibrate_on[0] - warmup, calibrate_on[1])
    found = calibrate(
        model,
        known.forcing(),
        known.observed,
        aims=aims,
        warmup=steps,
        budget=budget,
        bounds=bounds,
        seed=seed,
    ).compromise
    held = record.between(verify_on[0] - warmup, verify_on[1])
    flow = model.run(held.forcing(), found.params).flow[0, 0]
    reference = verify(held, held.reference, steps) if held.reference.size else None
    corrected = None
    if lead:
        before = model.run(known.forcing(), found.params).flow[0, 0]
        memory = fit(known.observed[steps:], before[steps:])
        corrected = verify(held, memory.ahead(flow, held.observed, lead), steps)
    return Hindcast(
        record.name,
        model.name,
        found.params,
        calibrate_on,
        found.scores,
        verify_on,
        verify(held, flow, steps),
        corrected,
        reference,
    )


def verify(record: Record, simulated: Floats, skip: int = 0) -> Verified:
    """Judges a simulation of a record, mm a step, by every step and by about the three highest floods a year.

    Raises:
        BadInput: ``forecast.record.none`` when nothing is recorded.
    """
    observed = record.observed[skip:]
    sim = simulated[skip:]
    apart = max(3, round(5 * 24 / record.step_hours))
    years = observed.size * record.step_hours / 8766
    found = floods(observed, _threshold(observed, max(1, round(_FLOODS_A_YEAR * years)), apart), apart=apart)
    grades = tuple(
        grade_flood(sim[each.first : each.last], observed[each.first : each.last], record.step_hours)
        for each in found
    )
    scores = report(sim, observed)
    return Verified(scores, coefficient_grade(scores["nse"]), grade_scheme(grades), grades)


def _threshold(observed: Floats, wanted: int, apart: int) -> float:
    """Returns the highest threshold that finds as many floods as wanted, or all there are."""
    known = observed[np.isfinite(observed)]
    if known.size == 0:
        raise BadInput("forecast.record.none", steps=0)
    for level in np.quantile(known, np.linspace(0.999, 0.5, 60)):
        if len(floods(observed, float(level), apart=apart)) >= wanted:
            return float(level)
    return float(np.quantile(known, 0.5))

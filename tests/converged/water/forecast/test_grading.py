"""Grading by GB/T 22482-2008, clause 6.5, at its limits."""

import numpy as np
import pytest

from yunmeng.converged.water.forecast import (
    coefficient_grade,
    floods,
    grade_flood,
    grade_scheme,
    rate_grade,
    stage_allowance,
    timeliness_grade,
)
from yunmeng.kernel.base import BadInput

OBSERVED = np.array([2.0, 4, 10, 30, 50, 40, 24, 14, 8, 4])


@pytest.mark.parametrize(
    ("qr", "grade"),
    [(100, "甲"), (85, "甲"), (84.9, "乙"), (70, "乙"), (69.9, "丙"), (60, "丙"), (59.9, "none")],
)
def test_grades_of_the_pass_rate(qr, grade):
    assert rate_grade(qr) == grade


@pytest.mark.parametrize(
    ("dc", "grade"),
    [(0.91, "甲"), (0.90, "乙"), (0.70, "乙"), (0.69, "丙"), (0.50, "丙"), (0.49, "none"), (-2, "none")],
)
def test_grades_of_the_deterministic_coefficient(dc, grade):
    assert coefficient_grade(dc) == grade


@pytest.mark.parametrize(("hours", "grade"), [(9.5, "甲"), (8.5, "乙"), (7.0, "丙"), (6.9, "none")])
def test_grades_of_timeliness(hours, grade):
    assert timeliness_grade(hours, 10) == grade


@pytest.mark.parametrize(("factor", "good"), [(1.2, True), (1.21, False), (0.8, True), (0.79, False)])
def test_a_peak_may_miss_by_a_fifth(factor, good):
    graded = grade_flood(OBSERVED * factor, OBSERVED, 1)
    assert graded.peak.allowed == pytest.approx(10)
    assert graded.peak.good is good


def test_a_peak_may_be_late_by_three_tenths_of_the_lead_but_never_less_than_three_hours_or_a_step():
    late = np.roll(OBSERVED, 1)
    assert grade_flood(late, OBSERVED, 6).time.allowed == pytest.approx(0.3 * 4 * 6)
    assert grade_flood(late, OBSERVED, 6).time.good
    assert grade_flood(late, OBSERVED, 1).time.allowed == 3
    assert grade_flood(late, OBSERVED, 6, issued=3).time.allowed == 6
    assert not grade_flood(np.roll(OBSERVED, 2), OBSERVED, 6, issued=3).time.good


@pytest.mark.parametrize(("scale", "allowed"), [(1.0, 20.0), (0.2, 0.2 * 0.2 * 186), (0.01, 3.0)])
def test_runoff_may_miss_by_a_fifth_between_three_and_twenty_millimetres(scale, allowed):
    assert grade_flood(OBSERVED * scale, OBSERVED * scale, 1).volume.allowed == pytest.approx(allowed)


def test_a_river_forecast_is_measured_by_the_change_within_the_lead():
    graded = grade_flood(OBSERVED, OBSERVED, 1, issued=3, kind="river")
    assert graded.peak.allowed == pytest.approx(0.2 * 46)
    flat = np.full(8, 100.0) + np.arange(8) * 0.1
    assert grade_flood(flat, flat, 1, kind="river").peak.allowed == pytest.approx(0.05 * 100.7)


def test_the_process_counts_the_steps_within_a_fifth_of_the_change():
    off = OBSERVED + np.array([0, 0, 0, 9.5, 9.7, 0, 0, -12, 0, 0])
    assert grade_flood(off, OBSERVED, 1).process == pytest.approx(0.8)


def test_stages_have_a_floor_of_ten_centimetres():
    assert stage_allowance([20.0, 24.0], 0.001, 100) == pytest.approx(0.8)
    assert stage_allowance([20.0, 20.1], 0.0001, 100) == pytest.approx(0.10)


def test_a_scheme_is_graded_by_its_mean_rate_unless_the_main_item_is_worse():
    good, low = grade_flood(OBSERVED, OBSERVED, 1), grade_flood(OBSERVED * 0.7, OBSERVED, 1)
    scheme = grade_scheme([good] * 7 + [low] * 3)
    assert scheme.rates == pytest.approx({"peak": 70, "time": 100, "volume": 70})
    assert (scheme.qr, scheme.grade, scheme.floods) == (pytest.approx(70), "乙", 10)
    by_time = grade_scheme([good] * 7 + [low] * 3, main="time")
    assert by_time.qr == pytest.approx(80)
    assert scheme.dc == pytest.approx(0.7 + 0.3 * low.dc)


def test_what_cannot_be_graded_is_refused():
    holed = OBSERVED.copy()
    holed[3] = np.nan
    for simulated, observed in ((OBSERVED[:5], OBSERVED), (OBSERVED, holed), (holed, OBSERVED)):
        with pytest.raises(BadInput):
            grade_flood(simulated, observed, 1)
    with pytest.raises(BadInput):
        grade_scheme([])


def test_floods_are_found_apart_and_whole():
    flow = np.ones(100)
    flow[20:25] = [5, 20, 30, 12, 4]
    flow[28] = 25  # the same flood: six steps behind its peak
    flow[60:63] = [9, 15, 8]
    flow[90] = 18
    flow[92] = np.nan
    found = floods(flow, 10, apart=10)
    assert [flood.peak for flood in found] == [22, 61]
    assert found[0].first <= 19
    assert found[0].last > 24

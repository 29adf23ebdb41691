"""Aggregation, counters, clocks, rating curves and doubled sources."""

import numpy as np
import pytest
from tests.nodes import refused

from yunmeng.converged.water.measuring import (
    aggregate,
    fit_rating,
    increments,
    judge_clock,
    merge_sources,
    rating_from_table,
)
from yunmeng.kernel.base import instant_us

MINUTE = 60_000_000
HOUR = 60 * MINUTE
DAY_S = 86_400


def test_rain_of_five_minutes_becomes_the_hydrological_day() -> None:
    # from 08:00 Beijing time on the 1st (00:00 UTC) to 08:00 on the 3rd
    start = instant_us("2026-07-01T00:00:00Z")
    times = start + np.arange(1, 577, dtype=np.int64) * 5 * MINUTE
    days = aggregate(times, np.full(576, 0.5), DAY_S, "sum", step_s=300)
    assert days.values.tolist() == [144.0, 144.0]
    assert days.starts.tolist() == [start, start + 24 * HOUR]
    assert days.coverage.tolist() == [1.0, 1.0]


def test_a_period_with_too_few_readings_is_missing_not_dry() -> None:
    start = instant_us("2026-07-01T00:00:00Z")
    times = start + np.arange(1, 25, dtype=np.int64) * HOUR
    rain = np.ones(24)
    rain[5:15] = np.nan
    (day,) = aggregate(times, rain, DAY_S, "sum", step_s=3600).values
    assert np.isnan(day)
    found = aggregate(times, rain, DAY_S, "sum", step_s=3600, least=0.5)
    assert found.values.tolist() == [14.0]
    assert found.coverage[0] == pytest.approx(14 / 24)


def test_a_gap_of_days_keeps_its_place() -> None:
    start = instant_us("2026-07-01T00:00:00Z")
    times = np.concatenate([start + np.arange(1, 25) * HOUR, start + np.arange(73, 97) * HOUR]).astype(
        np.int64
    )
    days = aggregate(times, np.ones(48), DAY_S, "sum", step_s=3600).values
    assert days[0] == days[3] == 24
    assert np.isnan(days[1:3]).all()


@pytest.mark.parametrize(("method", "value"), [("mean", 2.5), ("max", 4.0), ("min", 1.0), ("last", 4.0)])
def test_methods(method: str, value: float) -> None:
    times = np.array([15, 30, 45, 60], np.int64) * MINUTE
    hour = aggregate(times, np.array([1.0, 2.0, 3.0, 4.0]), 3600, method, step_s=900)  # type: ignore[arg-type]
    assert hour.values.tolist() == [value]


def test_a_step_longer_than_the_period_is_refused() -> None:
    with refused("water.period"):
        aggregate(np.zeros(1, np.int64), np.zeros(1), 300, "sum", step_s=3600)


def test_counters_run_over_and_are_reset() -> None:
    counts = np.array([990.0, 999.5, 4.5, 4.5, 0.0, 2.0])
    assert increments(counts, full=1000.0, most=100.0).tolist()[1:] == [9.5, 5.0, 0.0, 0.0, 2.0]
    jumped = increments(np.array([10.0, 900.0]), most=100.0)
    assert np.isnan(jumped).all()
    gap = increments(np.array([10.0, np.nan, 30.0, 31.0]))
    assert np.isnan(gap[:3]).all()
    assert gap[3] == 1.0


def test_clocks_are_told_apart() -> None:
    observed = np.arange(20, dtype=np.int64) * HOUR
    scatter = np.random.default_rng(1).integers(5, 60, 20) * 1_000_000
    assert judge_clock(observed, observed + scatter).state == "right"
    shifted = judge_clock(observed - 8 * HOUR, observed + scatter)
    assert (shifted.state, shifted.shift_h) == ("shifted", 8)
    ahead = judge_clock(observed + 20 * MINUTE, observed + scatter)
    assert ahead.state == "ahead"
    slow = np.random.default_rng(2).integers(600, 9000, 20) * 1_000_000
    assert judge_clock(observed, observed + slow).state == "late"
    assert judge_clock(observed[:3], observed[:3]).state == "unknown"


def test_a_rating_curve_is_found_again() -> None:
    stages = np.linspace(21.0, 28.0, 30)
    noise = 1 + np.random.default_rng(3).normal(0, 0.02, 30)
    curve = fit_rating(stages, 35.0 * (stages - 20.0) ** 1.67 * noise)
    assert curve.b == pytest.approx(1.67, abs=0.1)
    assert curve.h0 == pytest.approx(20.0, abs=0.3)
    assert curve.error < 0.04
    flow = curve.discharge(np.array([25.0, 29.0, 10.0]))
    assert flow[0] == pytest.approx(35 * 5**1.67, rel=0.03)
    assert flow[1] == pytest.approx(35 * 9**1.67, rel=0.05)
    assert flow[2] == 0.0
    assert curve.holds(np.array([25.0, 29.0])).tolist() == [True, False]


def test_a_table_is_read_between_its_rows_and_not_beyond() -> None:
    curve = rating_from_table([10, 11, 12], [0, 50, 200])
    flow = curve.discharge(np.array([10.5, 11.5, 13.0]))
    assert flow[:2].tolist() == [25.0, 125.0]
    assert np.isnan(flow[2])


def test_a_table_that_turns_back_is_refused_by_row() -> None:
    with refused("water.rating") as caught:
        rating_from_table([10, 11, 12], [0, 50, 40])
    assert caught.value.facts["row"] == 3


def test_the_more_trusted_source_stands_and_conflicts_are_marked() -> None:
    trusted = (np.array([1, 2, 3], np.int64), np.array([10.0, np.nan, 10.4]))
    other = (np.array([2, 3, 4], np.int64), np.array([10.2, 11.9, 10.5]))
    merged = merge_sources([trusted, other], by=0.5)
    assert merged.values.tolist() == [10.0, 10.2, 10.4, 10.5]
    assert merged.source.tolist() == [0, 1, 0, 1]
    assert merged.conflict.tolist() == [False, False, True, False]

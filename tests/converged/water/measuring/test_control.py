"""Quality control: what is doubted and what is not; missing is not zero."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.nodes import refused

from yunmeng.converged.water.measuring import Flag, Limits, check_series, check_spatial, quality_of
from yunmeng.converged.water.measuring.control import RAIN
from yunmeng.kernel.model import Quality

HOUR = 3_600_000_000


def hours(count: int) -> "np.ndarray[tuple[int], np.dtype[np.int64]]":
    return np.arange(count, dtype=np.int64) * HOUR


def flags(values: list[float], limits: Limits) -> list[int]:
    return check_series(hours(len(values)), np.array(values), limits).tolist()


def test_missing_is_neither_zero_nor_bad() -> None:
    assert flags([1.0, np.nan, 0.0], Limits(low=0.0)) == [0, Flag.MISSING, 0]


def test_negative_rain_and_a_stuck_gauge_are_doubted_and_a_dry_day_is_not() -> None:
    assert flags([-0.5, 3.0, 300.0], RAIN) == [Flag.RANGE, 0, Flag.RANGE]
    assert flags([0.0] * 30, RAIN) == [0] * 30
    stuck = flags([2.5] * 9, RAIN)
    assert stuck[:6] == [0] * 6
    assert set(stuck[6:]) == {Flag.PERSISTENCE}


def test_a_spike_is_doubted_and_a_real_step_only_once() -> None:
    limits = Limits(rate=0.5)
    assert flags([10.0, 10.1, 25.0, 10.2, 10.3], limits) == [0, 0, Flag.RATE, 0, 0]
    assert flags([10.0, 10.1, 15.0, 15.1, 15.2], limits) == [0, 0, Flag.RATE, 0, 0]


def test_the_rate_counts_the_time_that_passed() -> None:
    times = np.array([0, 10 * HOUR], np.int64)
    assert check_series(times, np.array([10.0, 14.0]), Limits(rate=0.5)).tolist() == [0, 0]


def test_times_must_rise() -> None:
    times = np.array([0, HOUR, HOUR, 2 * HOUR], np.int64)
    assert check_series(times, np.zeros(4), Limits()).tolist() == [0, 0, Flag.ORDER, 0]
    assert quality_of(np.array([Flag.ORDER], np.uint8))[0] == Quality.BAD


def test_who_differs_from_the_neighbours_is_doubted() -> None:
    longitudes, latitudes = np.array([114.0, 114.05, 114.1, 114.02, 116.0]), np.full(5, 30.5)
    rain = np.array([20.0, 22.0, 95.0, 21.0, 95.0])
    seen = check_spatial(rain, longitudes, latitudes, radius_km=30, by=5.0)
    assert seen.tolist() == [0, 0, Flag.SPATIAL, 0, 0]


@given(st.lists(st.one_of(st.floats(-1e6, 1e6), st.just(float("nan"))), min_size=1, max_size=80))
def test_every_value_is_judged_and_only_nan_is_missing(values: list[float]) -> None:
    array = np.array(values)
    seen = check_series(hours(len(values)), array, Limits(-10, 10, 1.0, 3.0, 0.1))
    assert ((seen & Flag.MISSING) > 0).tolist() == np.isnan(array).tolist()
    assert (quality_of(seen) == Quality.MISSING).tolist() == np.isnan(array).tolist()


@pytest.mark.parametrize("values", [np.zeros(2), np.zeros((3, 1))])
def test_shapes_that_do_not_fit_are_refused(values: "np.ndarray[tuple[int], np.dtype[np.float64]]") -> None:
    with refused("water.shape"):
        check_series(hours(3), values, Limits())

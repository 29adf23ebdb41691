"""Bad input is refused, with the place and the way out."""

from datetime import datetime

import numpy as np
import pytest

from yunmeng.converged.water.forecast import fill_gaps, forcing, oudin, to_depth, to_discharge
from yunmeng.kernel.base import BadInput

DRY = np.zeros(10)
HOLE = np.array([0, 1, np.nan, np.nan, 4, 5, 0, 0, 0, 0.0])


def refusal(*arguments, **options):
    with pytest.raises(BadInput) as caught:
        forcing(*arguments, **options)
    return caught.value


@pytest.mark.parametrize("rain", [None, [], np.empty((0, 3))])
def test_a_forecast_without_rain_is_refused(rain):
    assert refusal(rain, DRY, 24).key == "forecast.rain.none"


def test_a_gap_is_named_with_its_day_and_length():
    error = refusal(HOLE, DRY, 24, start=datetime(2026, 6, 1))
    assert error.key == "forecast.gap"
    assert (error.facts["steps"], error.facts["all"]) == (2, 2)
    assert error.facts["where"] == "2 (2026-06-03T00:00:00)"


def test_a_gap_to_the_end_is_counted():
    assert refusal(DRY, [0, 0, 0, 0, 0, 0, 0, 0, np.nan, np.nan], 24).facts["steps"] == 2


def test_negative_rain_is_refused():
    error = refusal([0, 0, -0.5, 0], [1, 1, 1, 1], 1)
    assert error.key == "forecast.negative"
    assert error.facts["where"] == "2"


def test_rain_in_tenths_of_millimetres_is_noticed():
    assert refusal([0, 900.0], [0, 0], 1).key == "forecast.unit"


@pytest.mark.parametrize("hours", [0, -1, 48])
def test_impossible_steps_are_refused(hours):
    assert refusal(DRY, DRY, hours).key == "forecast.step"


@pytest.mark.parametrize(
    ("rain", "demand"),
    [
        (DRY, DRY[:5]),
        (np.zeros((3, 2, 10)), np.zeros((2, 2, 10))),
        (np.zeros((1, 1, 1, 4)), DRY),
        (["x"], [0.0]),
    ],
)
def test_shapes_that_do_not_fit_are_refused(rain, demand):
    assert refusal(rain, demand, 24).key == "forecast.shape"


def test_gaps_are_filled_by_the_rule_that_was_named():
    for rule, expected in (("zero", [0, 0]), ("linear", [2, 3]), ("mean", [1.25, 1.25])):
        filled, where = fill_gaps(HOLE, rule, most=2)
        assert filled[2:4] == pytest.approx(expected)
        assert where.sum() == 2
    assert np.isnan(HOLE[2])


def test_long_gaps_are_not_filled():
    with pytest.raises(BadInput) as caught:
        fill_gaps(HOLE, "zero", most=1)
    assert caught.value.facts == {"first": 2, "steps": 2, "most": 1}
    with pytest.raises(BadInput, match="no rain"):
        fill_gaps([np.nan], "zero", most=9)


def test_depth_and_discharge_are_each_others_inverse():
    # 1 mm in an hour over 3.6 km² is 1 m³/s
    assert to_discharge([1.0], 3.6, 1) == pytest.approx([1.0])
    assert to_depth(to_discharge([[2.5, 7.0]], 180, 24), 180, 24) == pytest.approx(np.array([[2.5, 7.0]]))


def test_potential_evaporation_by_radiation_and_temperature():
    # FAO 56, example 8: 3 September (day 246) at 20° S has Ra = 32.2 MJ/m² a day
    assert oudin([20.0], [246], -20.0) == pytest.approx([32.2 * 25 / 245], rel=2e-3)
    assert oudin([-5.0, -20.0], [10, 10], 50.0) == pytest.approx([0, 0])

"""From rain to levels: the ensemble, the correction, the water balance of the reservoir."""

import numpy as np
import pytest
from tests.nodes import refused

from yunmeng.converged.water.flood import (
    forecast_inflow,
    inflow_quantiles,
    level_outlook,
    read_hydrology,
)
from yunmeng.converged.water.register import reservoir_curve

HYDROLOGY = read_hydrology(
    {"model": "GR4J", "parameters": {"X1": 320.0, "X2": 0.0, "X3": 90.0, "X4": 1.7}, "evaporation": 0.0}
)
CURVE = reservoir_curve([80, 100, 110], [1.0, 8.0, 14.0], discharge=[0, 300, 900], spill=[0, 0, 300])
DAILY = {"step_hours": 24.0}


def past(days: int = 60) -> "np.ndarray[tuple[int], np.dtype[np.float64]]":
    return np.random.default_rng(4).gamma(0.6, 8.0, days)


def test_the_first_member_follows_the_rain_as_given_and_more_rain_gives_more_water() -> None:
    dry = forecast_inflow(HYDROLOGY, 100.0, past(), np.zeros(5), members=4, **DAILY)
    wet = forecast_inflow(HYDROLOGY, 100.0, past(), np.full(5, 40.0), members=4, **DAILY)
    assert dry.members.shape == wet.members.shape == (4, 5)
    assert np.allclose(dry.members, dry.members[0])
    assert (wet.members[:, 1:] > dry.members[:, 1:]).all()
    assert not np.allclose(wet.members[1], wet.members[0])


def test_a_forecast_continues_where_the_past_ended() -> None:
    rain = past(80)
    whole = forecast_inflow(HYDROLOGY, 100.0, rain[:75], rain[75:], members=1, **DAILY)
    longer = forecast_inflow(HYDROLOGY, 100.0, rain, np.zeros(1), members=1, **DAILY)
    assert np.allclose(whole.members[0], longer.past[75:])


def test_errors_just_seen_correct_the_forecast() -> None:
    rain = past()
    plain = forecast_inflow(HYDROLOGY, 100.0, rain, np.full(5, 10.0), members=1, **DAILY)
    seen = plain.past * 1.3
    better = forecast_inflow(HYDROLOGY, 100.0, rain, np.full(5, 10.0), seen, members=1, **DAILY)
    assert better.corrected
    assert better.members[0, 0] > plain.members[0, 0]
    gappy = np.where(np.arange(60) % 2, seen, np.nan)
    assert not forecast_inflow(HYDROLOGY, 100.0, rain, np.zeros(5), gappy, members=1, **DAILY).corrected


def test_the_reservoir_keeps_its_water_balance() -> None:
    inflow = np.array([[50.0, 400.0, 800.0, 100.0], [10.0, 10.0, 10.0, 10.0]])
    seen = level_outlook(CURVE, 100.0, inflow, release=200.0, limit=101.0)
    stored = CURVE.storage_at(seen.levels[:, -1]) - CURVE.storage_at(100.0)
    assert np.allclose(stored, (inflow - seen.releases).sum(axis=1) * 3600 / 1e6)
    assert seen.over == 0.5
    assert seen.levels[0].max() > 101.0 > seen.levels[1].max()


def test_an_empty_reservoir_releases_no_more_than_flows_in_and_a_full_one_spills() -> None:
    low = level_outlook(CURVE, 80.0, np.full((1, 3), 2.0), release=500.0, limit=100.0)
    assert (low.releases <= 2.0 + 1e6 / 3600).all()
    high = level_outlook(CURVE, 109.0, np.full((1, 3), 0.0), release=0.0, limit=100.0)
    assert high.releases[0, 0] == pytest.approx(270.0)


def test_quantiles_rise() -> None:
    found = inflow_quantiles(np.random.default_rng(1).gamma(2, 50, (40, 6)))
    assert found.shape == (5, 6)
    assert (np.diff(found, axis=0) >= 0).all()


def test_what_cannot_be_forecast_is_refused() -> None:
    with refused("water.hydrology"):
        read_hydrology({"model": "HBV", "parameters": {}})
    with refused("water.hydrology"):
        read_hydrology({"model": "GR4J"})
    with refused("forecast.rain.none"):
        forecast_inflow(HYDROLOGY, 100.0, np.empty(0), np.zeros(3), **DAILY)
    with refused("forecast.gap"):
        forecast_inflow(HYDROLOGY, 100.0, np.array([1.0, np.nan]), np.zeros(3), **DAILY)
    with refused("forecast.negative"):
        forecast_inflow(HYDROLOGY, 100.0, np.array([1.0, -2.0]), np.zeros(3), **DAILY)
    with refused("curve.range"):
        level_outlook(CURVE, 150.0, np.zeros((1, 2)), release=0.0, limit=100.0)

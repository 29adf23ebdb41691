"""The outlook of many basins is the plain way in blocks."""

import numpy as np
import pytest

from yunmeng.converged.water.forecast import GR4J, XINANJIANG, forcing, outlook
from yunmeng.kernel.base import BadInput

LOW, HIGH = XINANJIANG.bounds


def province(basins, steps=60, seed=1):
    dice = np.random.default_rng(seed)
    rain = np.where(dice.random((basins, steps)) < 0.4, dice.gamma(0.8, 4, (basins, steps)), 0.0)
    return rain, np.full((1, steps), 0.1), LOW + (HIGH - LOW) * dice.random((basins, LOW.size))


def test_blocks_change_nothing_for_the_rain_itself():
    rain, demand, params = province(70)
    done = []
    found = outlook(XINANJIANG, rain, demand, params, 1, members=1, levels=(0.5,), progress=done.append)
    plain = XINANJIANG.run(forcing(rain, demand, 1), params).flow[:, 0]
    assert found.flow[0] == pytest.approx(plain)
    assert done[-1] == 1.0
    assert np.isnan(found.exceeding).all()


def test_members_spread_about_the_rain_and_thresholds_are_counted():
    rain, demand, params = province(3)
    plain = XINANJIANG.run(forcing(rain, demand, 1), params).flow[:, 0]
    limits = np.array([0.0, plain[1].max(), 1e6])
    found = outlook(XINANJIANG, rain, demand, params, 1, members=60, spread=0.5, thresholds=limits)
    assert (np.diff(found.flow, axis=0) >= 0).all()
    assert found.exceeding[0] == 1
    assert 0.05 < found.exceeding[1] < 0.95
    assert found.exceeding[2] == 0
    again = outlook(XINANJIANG, rain, demand, params, 1, members=60, spread=0.5, thresholds=limits)
    assert (again.flow == found.flow).all()


def test_states_begin_the_outlook():
    rain, demand, params = province(4)
    before = XINANJIANG.run(forcing(rain, demand, 1), params)
    found = outlook(XINANJIANG, rain, demand, params, 1, states=before.states, members=1, levels=(0.5,))
    plain = XINANJIANG.run(forcing(rain, demand, 1), params, states=before.states)
    assert found.flow[0] == pytest.approx(plain.flow[:, 0])


def test_what_does_not_fit_is_refused():
    rain, demand, params = province(4)
    for options in ({"params": params[:3]}, {"params": params, "thresholds": [1.0]}):
        with pytest.raises(BadInput) as caught:
            outlook(XINANJIANG, rain, demand, step_hours=1, **options)
        assert caught.value.key == "forecast.shape"
    with pytest.raises(BadInput):
        outlook(GR4J, rain, demand, [300, 0, 80, 1.5], 1, states=np.zeros((4, 2, 9)))

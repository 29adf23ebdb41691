"""Real-time correction: what it must gain where the errors have a memory or the stores are wrong."""

import numpy as np
import pytest

from yunmeng.converged.water.forecast import (
    GR4J,
    Autoregression,
    analysis,
    assimilate,
    fit,
    forcing,
    perturbed,
)
from yunmeng.kernel.base import BadInput

PARAMS = [320.0, 0.3, 60.0, 1.8]


def remembered(size, seed=1):
    dice = np.random.default_rng(seed)
    error = np.zeros(size)
    for step in range(2, size):
        error[step] = 1.2 * error[step - 1] - 0.4 * error[step - 2] + dice.normal(0, 0.1)
    return error


def test_the_memory_of_errors_is_found():
    simulated = 5 + np.sin(np.arange(4000) / 20)
    model = fit(simulated + remembered(4000), simulated, order=2)
    assert model.coefficients == pytest.approx([1.2, -0.4], abs=0.04)
    assert model.spread == pytest.approx(0.1, rel=0.05)


def test_expected_errors_by_hand():
    model = Autoregression(np.array([0.5, 0.2]), 1.0, np.eye(2))
    assert model.errors([9.0, 1.0, 2.0], 3) == pytest.approx([1.2, 1.0, 0.74])
    assert model.correct([1.0, 1.0, 1.0], [3.0, 5.0], [2.0, 3.0]) == pytest.approx([2.2, 2.0, 1.74])
    assert model.correct([0.1], [0.0, 0.0], [3.0, 5.0]).tolist() == [0.0]


def test_a_corrected_forecast_is_nearer():
    simulated = np.full(1200, 5.0)
    observed = simulated + remembered(1200)
    model = fit(observed[:600], simulated[:600])
    plain, corrected = [], []
    for now in range(600, 1190):
        ahead = model.correct(simulated[now : now + 3], observed[now - 2 : now], simulated[now - 2 : now])
        plain.append(simulated[now] - observed[now])
        corrected.append(ahead[0] - observed[now])
    assert np.std(corrected) < 0.5 * np.std(plain)


@pytest.mark.parametrize("lead", [1, 2, 5])
def test_forecasts_of_every_step_are_those_made_one_by_one(lead):
    simulated = 5 + np.sin(np.arange(60) / 5)
    observed = simulated + remembered(60)
    observed[30] = np.nan
    model = fit(observed, simulated, order=2)
    ahead = model.ahead(simulated, observed, lead)
    for step in (lead + 1, 20, 59):
        seen = slice(step - lead - 1, step - lead + 1)
        alone = model.correct(simulated[step - lead + 1 : step + 1], observed[seen], simulated[seen])
        assert ahead[step] == pytest.approx(alone[-1])
    assert ahead[:lead].tolist() == simulated[:lead].tolist()
    assert ahead[30 + lead] == simulated[30 + lead]
    with pytest.raises(BadInput):
        model.ahead(simulated, observed, 0)


def test_the_update_learns_a_memory_that_changed():
    error = remembered(3000)
    model = Autoregression(np.zeros(2), 1.0, 100 * np.eye(2))
    for step in range(2, 3000):
        model = model.updated(error[step - 2 : step], error[step], forgetting=0.998)
    assert model.coefficients == pytest.approx([1.2, -0.4], abs=0.1)
    assert model.updated([np.nan, 1.0], 1.0) is model


def test_too_little_record_is_refused():
    with pytest.raises(BadInput) as caught:
        fit([1.0, 2, 3, np.nan, 5], [1.0, 2, 3, 4, 5])
    assert caught.value.key == "forecast.record.none"
    with pytest.raises(BadInput):
        Autoregression(np.array([0.5, 0.2]), 1.0, np.eye(2)).errors([np.nan, 1.0], 2)


def test_the_analysis_of_a_linear_observation_is_kalmans():
    # prior N(10, 4), observation 14 with variance 1: mean 10 + 4/5 · 4, variance 4/5
    states = np.random.default_rng(2).normal(10, 2, (20_000, 1))
    after = analysis(states, states[:, 0], 14.0, 1.0, seed=3)
    assert after.mean() == pytest.approx(13.2, abs=0.05)
    assert after.var() == pytest.approx(0.8, abs=0.03)


def test_wrong_stores_are_mended_by_what_is_observed(weather):
    rain, demand = weather
    forced = forcing(rain[:200], demand[:200], 24)
    dice = np.random.default_rng(4)
    truth = GR4J.run(forced, PARAMS).flow[0, 0]
    states = np.repeat(GR4J.start(PARAMS), 40, axis=1)
    states[..., 0] = 300 * dice.random((1, 40))
    states[..., 1] = 55 * dice.random((1, 40))
    members = forcing(perturbed(rain[:200], 40, spread=0.15, seed=5), demand[:200], 24)
    free = GR4J.run(members, PARAMS, states=states).flow[0].mean(axis=0)
    found = assimilate(GR4J, members, PARAMS, truth, states=states, share=0.05)
    guided = found.forecast.mean(axis=0)
    assert np.abs(guided[20:] - truth[20:]).mean() < 0.5 * np.abs(free[20:] - truth[20:]).mean()
    assert (found.states >= 0).all()
    assert (found.states[..., :2] <= [320, 60]).all()


def test_without_observations_nothing_is_moved(weather):
    rain, demand = weather
    members = forcing(perturbed(rain[:60], 10, seed=1), demand[:60], 24)
    states = GR4J.start(PARAMS, members=10)
    found = assimilate(GR4J, members, PARAMS, np.full(60, np.nan), states=states, every=7)
    assert found.forecast == pytest.approx(GR4J.run(members, PARAMS, states=states).flow[0])


def test_one_member_cannot_be_corrected():
    with pytest.raises(BadInput):
        analysis(np.ones((1, 2)), np.ones(1), 1.0, 1.0)
    with pytest.raises(BadInput):
        analysis(np.ones((3, 2)), np.ones(3), 1.0, 0.0)

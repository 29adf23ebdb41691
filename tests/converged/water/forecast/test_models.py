"""The rainfall-runoff models: published values, water balance, warm starts, and what they refuse."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from yunmeng.converged.water.forecast import GR4J, GR5J, XINANJIANG, forcing, with_snow
from yunmeng.kernel.base import BadInput

MODELS = [GR4J, GR5J, XINANJIANG]
EVERY = pytest.mark.parametrize("model", MODELS, ids=lambda model: model.name)

# The first thirty days of 1990 of airGR's example basin L0123001 and the flows that airGR gives from the
# stores 0.3 X1 and 0.5 X3, as HydPy's documentation prints them (gland_gr4 and gland_gr5, "base example").
RAIN = [
    *(0.0, 9.3, 3.2, 7.3, 0.0, 0.0, 0.0, 0.0, 0.1, 0.2, 2.9, 0.2, 0.0, 0.0, 0.0),
    *(3.3, 4.6, 0.8, 1.8, 1.1, 0.0, 5.0, 13.1, 14.6, 4.0, 0.8, 0.1, 3.3, 7.7, 10.3),
]
DEMAND = [
    *(0.3, 0.4, 0.4, 0.3, 0.1, 0.1, 0.1, 0.2, 0.2, 0.3, 0.3, 0.2, 0.2, 0.2, 0.2),
    *(0.3, 0.3, 0.2, 0.2, 0.3, 0.2, 0.2, 0.3, 0.6, 0.4, 0.4, 0.4, 0.5, 0.4, 0.3),
]
GR4J_FLOW = [
    *(0.759709, 0.728078, 0.750358, 0.770004, 0.772158, 0.735706, 0.668899, 0.621799, 0.590452, 0.562568),
    *(0.541973, 0.538615, 0.525338, 0.494695, 0.470085, 0.457308, 0.471359, 0.501081, 0.496808, 0.473749),
    *(0.458345, 0.447467, 0.499811, 0.684329, 0.921704, 0.967390, 0.837914, 0.740271, 0.767187, 0.940874),
]
GR5J_FLOW = [
    *(0.749822, 0.708854, 0.707341, 0.725463, 0.722416, 0.700391, 0.640683, 0.590792, 0.555080, 0.522826),
    *(0.496831, 0.484132, 0.470931, 0.439973, 0.412166, 0.394456, 0.397447, 0.418950, 0.419856, 0.397615),
    *(0.381935, 0.369535, 0.402904, 0.544465, 0.749609, 0.846376, 0.772343, 0.689305, 0.695507, 0.822862),
]


@pytest.mark.parametrize(
    ("model", "params", "flow"),
    [
        (GR4J, [257.238, 1.012, 88.235, 2.208], GR4J_FLOW),
        (GR5J, [245.918, 1.027, 90.017, 2.198, 0.434], GR5J_FLOW),
    ],
)
def test_the_flows_are_those_of_airgr(model, params, flow):
    run = model.run(forcing(RAIN, DEMAND, 24), params)
    assert run.flow[0, 0] == pytest.approx(flow, abs=2e-6)


def test_the_stores_are_those_of_airgr():
    run = GR4J.run(forcing(RAIN, DEMAND, 24), [257.238, 1.012, 88.235, 2.208])
    assert run.states[0, 0, :2] == pytest.approx([144.825078, 44.257825], abs=2e-6)


# The same rain four times and the same demand eight times as strong, through the Xin'anjiang model of
# hydromodel 0.3 (Ouyang; sources of 5 mm by the textbook 水文预报, lag and route): its numbers hold to 1e-5.
XINANJIANG_FLOW = [
    *(0.22036, 2.36196, 1.99013, 3.47723, 1.92720, 1.24199, 0.85336, 0.61079, 0.45677, 0.35930),
    *(0.90116, 0.67044, 0.52547, 0.42007, 0.34552, 1.05856, 2.18661, 1.63907, 1.69297, 1.41675),
    *(1.06362, 2.87990, 17.91401, 31.50860, 18.68688, 9.91700, 6.06110, 5.10924, 9.95815, 19.42174),
]


def test_xinanjiang_agrees_with_an_independent_one():
    params = xaj(K=0.9, WDM=60, IM=0.02, SM=25, CI=0.6, CG=0.98, CS=0.3)
    state = XINANJIANG.start(params)
    state[..., 3:7] = [12.5, 0.1, 0.1, 0.1]
    forced = forcing(4 * np.array(RAIN), 8 * np.array(DEMAND), 24)
    run = XINANJIANG.run(forced, params, states=state)
    assert run.flow[0, 0] == pytest.approx(XINANJIANG_FLOW, abs=2e-5)


def middle(model):
    low, high = model.bounds
    return (low + high) / 2


def balance(model, forced, run, params):
    """What rain, evaporation, exchange, flow and stores leave unexplained, mm."""
    hours = forced.step_hours
    gained = model.storage(run.states, params, hours) - model.storage(
        np.broadcast_to(model.start(params), run.states.shape), params, hours
    )
    water = forced.rain.sum(axis=2) - run.evaporation.sum(axis=2) + run.exchange.sum(axis=2)
    return np.abs(water - run.flow.sum(axis=2) - gained).max()


@EVERY
@pytest.mark.parametrize("hours", [24, 1])
def test_no_water_is_lost(model, hours, weather):
    dice = np.random.default_rng(1)
    low, high = model.bounds
    params = low + (high - low) * dice.random((1, 40, low.size))
    forced = forcing(*weather, hours)
    run = model.run(forced, params, fluxes=True)
    assert balance(model, forced, run, params) < 1e-9 * weather[0].sum() / 100
    assert run.flow.min() >= 0
    assert (run.evaporation <= 2 * forced.evaporation + 1e-12).all()


@given(
    rain=st.lists(st.floats(0, 300), min_size=3, max_size=40),
    demand=st.floats(0, 12),
    seed=st.integers(0, 10_000),
    which=st.integers(0, 2),
)
@settings(max_examples=60, deadline=None)
def test_no_water_is_lost_whatever_falls(rain, demand, seed, which):
    model = MODELS[which]
    least = np.array([each.low for each in model.parameters])
    most = np.array([each.high for each in model.parameters])
    params = least + (most - least) * np.random.default_rng(seed).random(least.size)
    forced = forcing(rain, [demand] * len(rain), 24)
    run = model.run(forced, params, fluxes=True)
    assert balance(model, forced, run, params) < 1e-9
    assert np.isfinite(run.flow).all()


@EVERY
def test_a_run_goes_on_where_another_ended(model, weather):
    forced = forcing(*weather, 24)
    whole = model.run(forced, middle(model))
    first = model.run(forced.between(0, 500), middle(model))
    second = model.run(forced.between(500, forced.steps), middle(model), states=first.states)
    joined = np.concatenate((first.flow, second.flow), axis=2)
    assert joined == pytest.approx(whole.flow, abs=1e-12)
    assert second.states == pytest.approx(whole.states, abs=1e-12)


@EVERY
def test_states_fit_a_model_that_remembers_longer(model, weather):
    forced = forcing(*weather, 24)
    short, long = middle(model), middle(model)
    last = {"X4": 7.9, "L": 40.0}
    for i, each in enumerate(model.parameters):
        long[i] = last.get(each.name, long[i])
    before = model.run(forced.between(0, 300), short)
    after = model.run(forced.between(300, 600), long, states=before.states, fluxes=True)
    water = (
        forced.rain[..., 300:600].sum() - after.evaporation.sum() + after.exchange.sum() - after.flow.sum()
    )
    gained = model.storage(after.states, long) - model.storage(before.states, long)
    assert water == pytest.approx(float(gained[0, 0]), abs=1e-8)


@EVERY
def test_basins_and_members_are_run_as_if_alone(model, weather):
    rain, demand = weather
    dice = np.random.default_rng(3)
    low, high = model.bounds
    params = low + (high - low) * dice.random((3, 5, low.size))
    many = rain * dice.random((3, 5, 1))
    run = model.run(forcing(many, np.broadcast_to(demand, (1, 1, rain.size)), 24), params, threads=2)
    alone = model.run(forcing(many[2, 4], demand, 24), params[2, 4])
    assert run.flow[2, 4] == pytest.approx(alone.flow[0, 0], abs=1e-12)
    assert run.flow.shape == (3, 5, rain.size)


def xaj(**changed):
    values = dict(
        zip(
            XINANJIANG.names,
            [1.0, 0.3, 0.15, 20, 70, 40, 0.0, 20, 1.2, 0.3, 0.4, 0.0, 0.0, 0.0, 0.0],
            strict=True,
        )
    )
    return values | changed


def test_saturated_soil_turns_all_net_rain_into_runoff():
    full = XINANJIANG.start(xaj())
    full[..., :3] = [20, 70, 40]
    run = XINANJIANG.run(forcing([30.0], [4.0], 24), xaj(), states=full, fluxes=True)
    leaving = run.flow[0, 0, 0] + run.states[0, 0, 3] * run.states[0, 0, 4]
    assert leaving == pytest.approx(26, abs=1e-9)
    assert run.evaporation[0, 0, 0] == pytest.approx(4)


def test_runoff_follows_the_curve_of_tension_water():
    # Zhao (1992), eq. 4: from W = 0 the runoff of net rain P is P − WM + WM (1 − P/WMM)^(1+B)
    dry = XINANJIANG.start(xaj())
    dry[..., :3] = 0
    wm, b, net = 130.0, 0.3, 60.0
    expected = net - wm + wm * (1 - net / (wm * (1 + b))) ** (1 + b)
    run = XINANJIANG.run(forcing([net], [0.0], 24), xaj(), states=dry)
    assert run.states[0, 0, :3].sum() == pytest.approx(net - expected, abs=1e-9)


def test_the_deep_layers_give_less_to_evaporation():
    # upper layer empty; lower above C WLM: it gives EP WL/WLM; below: C EP; empty: the deep layer gives C EP
    for lower, deep, expected in ((35.0, 40.0, 4 * 35 / 70), (5.0, 40.0, 0.15 * 4), (0.0, 40.0, 0.15 * 4)):
        state = XINANJIANG.start(xaj())
        state[..., :3] = [0.0, lower, deep]
        run = XINANJIANG.run(forcing([0.0], [4.0], 24), xaj(), states=state, fluxes=True)
        assert run.evaporation[0, 0, 0] == pytest.approx(expected, abs=1e-12)


def test_recession_is_the_daily_one_whatever_the_step():
    # groundwater alone: after a day the outflow is CG times what it was
    for hours in (24, 6, 1):
        params = xaj(CG=0.95)
        state = XINANJIANG.start(params)
        state[..., :3] = 0
        state[..., 6] = 1.0
        steps = 24 // hours
        run = XINANJIANG.run(forcing([0.0] * steps, [0.0] * steps, hours), params, states=state)
        assert run.states[0, 0, 6] == pytest.approx(0.95, abs=1e-12)


def test_lag_delays_and_linear_store_attenuates():
    paved = xaj(IM=0.9, L=2.5, CS=0.6, KI=0.001, KG=0.001)
    state = XINANJIANG.start(paved)
    state[..., :3] = 0
    run = XINANJIANG.run(forcing([10.0, 0, 0, 0, 0], [0.0] * 5, 24), paved, states=state)
    assert run.flow[0, 0, :2] == pytest.approx([0, 0])
    assert run.flow[0, 0, 2:4] == pytest.approx([0.4 * 4.5, 0.6 * 0.4 * 4.5 + 0.4 * 4.5], rel=0.02)


def test_snow_waits_and_melts():
    model = with_snow(GR4J)
    params = [300, 0, 80, 1.5, 0.0, 4.0, 50.0]
    cold, warm = [-10.0] * 30, [8.0] * 30
    forced = forcing([5.0] * 30 + [0.0] * 30, [0.0] * 60, 24, temperature=cold + warm)
    winter = model.run(forced.between(0, 30), params)
    assert winter.states[0, 0, -2] == pytest.approx(150)
    whole = model.run(forced, params, fluxes=True)
    assert 0 <= whole.states[0, 0, -2] < 1
    gained = model.storage(whole.states, params) - model.storage(model.start(params), params)
    assert 150 + whole.exchange.sum() - whole.evaporation.sum() - whole.flow.sum() == pytest.approx(
        gained[0, 0]
    )
    after = model.run(forced.between(30, 60), params, states=winter.states)
    assert after.flow[0, 0] == pytest.approx(whole.flow[0, 0, 30:], abs=1e-12)


def test_snow_wants_a_temperature():
    with pytest.raises(BadInput) as caught:
        with_snow(GR4J).run(forcing([1.0], [0.0], 24), [300, 0, 80, 1.5, 0.0, 4.0, 50.0])
    assert caught.value.key == "forecast.temperature.none"


@pytest.mark.parametrize(
    ("params", "key"),
    [
        ([300, 0, 80], "forecast.parameters"),
        ({"X1": 300, "X2": 0, "X3": 80, "X5": 1}, "forecast.parameters"),
        ([300, 0, -80, 1.5], "forecast.parameter"),
        ([300, 0, float("nan"), 1.5], "forecast.parameter"),
    ],
)
def test_impossible_parameters_are_refused(params, key):
    with pytest.raises(BadInput) as caught:
        GR4J.run(forcing([1.0], [0.0], 24), params)
    assert caught.value.key == key


def test_outflow_coefficients_that_empty_more_than_there_is_are_refused():
    with pytest.raises(BadInput) as caught:
        XINANJIANG.run(forcing([1.0], [0.0], 24), xaj(KI=0.6, KG=0.5))
    assert caught.value.key == "forecast.parameters.rule"


def test_gr_models_know_days_and_hours_only():
    assert GR4J.run(forcing([1.0], [0.0], 1), [300, 0, 80, 1.5]).flow.size == 1
    with pytest.raises(BadInput) as caught:
        GR4J.run(forcing([1.0], [0.0], 6), [300, 0, 80, 1.5])
    assert caught.value.key == "forecast.step"


@pytest.mark.parametrize("states", [np.zeros((1, 1, 2)), np.zeros((1, 1, 9)), np.full((1, 1, 8), np.nan)])
def test_states_of_another_model_are_refused(states):
    with pytest.raises(BadInput) as caught:
        GR4J.run(forcing([1.0], [0.0], 24), [300, 0, 80, 1.5], states=states)
    assert caught.value.key == "forecast.shape"


def test_members_that_do_not_fit_are_refused():
    with pytest.raises(BadInput) as caught:
        GR4J.run(forcing(np.zeros((2, 3, 5)), np.zeros((1, 1, 5)), 24), np.tile([300, 0, 80, 1.5], (1, 4, 1)))
    assert caught.value.key == "forecast.shape"

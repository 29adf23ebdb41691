from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import linprog
from scipy.sparse import csr_array
from tests.converged.water.dispatch.basin import UNIT, box, one, residual, two

from yunmeng.converged.water.dispatch import (
    Detail,
    Penalties,
    PointSpec,
    Warm,
    coordinate,
    optimise,
    reasons,
    roll,
    simulate,
    simulated,
    with_heads,
)
from yunmeng.converged.water.dispatch.model import build
from yunmeng.converged.water.dispatch.program import certified_bound
from yunmeng.converged.water.register import reservoir_curve
from yunmeng.converged.water.synthetic import basins, flood_horizon
from yunmeng.kernel.base import BadInput, Unavailable, Unsupported

JULY = datetime(2026, 7, 1, tzinfo=UTC)
# only floods cost
FLOOD = Penalties(level=None, low=None, high=None, ecology=None)
FREE = replace(FLOOD, ecology=5.0, level=0.5)


def province(reservoirs, *, gated=True, steps=16, seed=5):
    made = basins(seed, reservoirs, gated=gated)
    system = made.system(6.0)
    return system, flood_horizon(made, system, JULY, steps, seed=seed)


def test_two_reservoirs_cut_the_flood_to_what_they_can_hold():
    # 300 come to both for two hours, 100 are safe; a holds 400 and b 600: nothing is over
    system, horizon = two([300.0, 300.0], [300.0, 300.0], safe=100.0, storage=(600.0, 300.0))
    plan = optimise(system, horizon, FREE)
    assert plan.value == pytest.approx(0.0, abs=1e-6)
    assert plan.gap < 1e-9
    assert residual(system, horizon, plan) < 1e-8
    # with room for 300 a must let 300 go, 200 are safe in two hours; b is shut already
    system, horizon = two([300.0, 300.0], [300.0, 300.0], safe=100.0, storage=(700.0, 350.0))
    plan = optimise(system, horizon, FREE)
    assert plan.value == pytest.approx(100.0)
    assert plan.broken["over_safe"].sum() == pytest.approx(100.0)


def test_the_guard_flow_is_dearer_than_the_safe_flow():
    point = PointSpec(safe=100.0, guard=150.0)
    system, horizon = one([400.0, 0.0], point=point, storage=1000.0, spec=box())
    plan = optimise(system, horizon, FREE)
    # full already: 300 are over, 50 at 1 and 250 at 10
    assert plan.value == pytest.approx(50 + 2500)


def test_a_stage_limit_is_a_flow_limit_by_its_rating():
    point = PointSpec(stage=25.0, rating=([20.0, 30.0], [0.0, 200.0]))
    system, horizon = one([300.0, 0.0, 0.0], point=point, storage=900.0)
    assert system.safe[system.place("p")] == 100.0
    plan = optimise(system, horizon, FREE)
    assert plan.release[system.place("p"), 0] == pytest.approx(200.0)
    assert plan.value == pytest.approx(100.0)


def test_water_is_let_go_before_the_flood_arrives():
    system, horizon = one([0.0, 0.0, 500.0], point=PointSpec(safe=100.0), storage=800.0)
    plan = optimise(system, horizon, FREE)
    # 200 of room and 100 a step for three steps: nothing is over
    assert plan.value == pytest.approx(0.0, abs=1e-6)
    assert plan.release[0, :2].sum() == pytest.approx(200.0)


def test_travel_time_delays_the_release():
    system, horizon = one(
        [0.0, 0.0, 0.0], point=PointSpec(safe=50.0), storage=500.0, hours=2.0, release=[30.0, 30.0]
    )
    plan = optimise(system, horizon, replace(FREE, low=20.0, high=20.0))
    assert residual(system, horizon, plan) < 1e-8
    assert plan.release[system.place("p"), 0] > 20.0


def test_hard_ramps_hold_and_soft_ones_cost():
    spec = box(ramp=(10.0, 10.0))
    system, horizon = one([0.0] * 4, spec=spec, storage=200.0, target=np.array([0.0, np.nan]))
    prices = Penalties(flood=None, low=1.0, high=1.0, ecology=None)
    plan = optimise(system, horizon, prices)
    assert np.diff(plan.release[0], prepend=0.0).max() == pytest.approx(10.0)
    assert plan.release[0].tolist() == pytest.approx([10.0, 20.0, 30.0, 40.0])
    soft = optimise(system, horizon, replace(prices, ramp=1e-6, high=1000.0))
    assert soft.storage[0, -1] == pytest.approx(0.0, abs=1e-9)
    assert soft.broken["over_ramp"].sum() > 0


def test_ecological_flow_is_kept_while_there_is_water():
    system, horizon = one([0.0] * 3, spec=box(release_min=5.0), storage=12.0)
    plan = optimise(system, horizon, FREE)
    assert plan.broken["short_ecology"].sum() == pytest.approx(3.0)
    assert plan.value == pytest.approx(15.0)


def test_energy_is_worth_its_head():
    spec = box(most=20.0, turbine_max=20.0, efficiency=0.9)
    system, horizon = one([0.0] * 2, spec=spec, storage=500.0)
    plan = optimise(system, horizon, replace(FREE, energy=1.0))
    # the head of the start, 50 m: 2 h × 20 m³/s × 9.81e-3 × 0.9 × 50
    assert -plan.value == pytest.approx(2 * 20 * 9.81e-3 * 0.9 * 50)
    # its own course falls from 50 m to 46 m
    assert plan.energy.sum() == pytest.approx(20 * 9.81e-3 * 0.9 * (49 + 47))
    again = with_heads(system, horizon, replace(FREE, energy=1.0))
    assert -again.value == pytest.approx(again.energy.sum())


def test_exact_segments_know_that_a_weir_passes_nothing_below_its_crest():
    depth = np.array([0.0, 50.0, 100.0])
    curve = reservoir_curve(depth, depth * 10 * UNIT, discharge=[0.0, 0.0, 500.0])
    spec = replace(box(), curve=curve)
    system, horizon = one([0.0, 0.0], spec=spec, storage=400.0, target=np.array([0.0, np.nan]))
    prices = replace(FREE, low=1.0 / UNIT, high=1.0 / UNIT)
    hull = optimise(system, horizon, prices)
    exact = optimise(system, horizon, prices, detail=Detail(exact=True), start=hull)
    assert hull.release[0].sum() > 100.0
    assert exact.release[0].sum() == pytest.approx(0.0, abs=1e-6)
    assert hull.value <= exact.value
    # what the hull promised the outlets cannot keep; what the segments promise they can
    for plan, kept in ((hull, False), (exact, True)):
        orders = np.where(system.reservoir[:, None], plan.release, np.nan)
        ran = simulate(system, horizon, {}, orders=orders)
        assert np.allclose(ran.release[0, 0], plan.release[0], atol=1e-6) == kept


def test_an_ungated_spillway_spills():
    depth = np.array([0.0, 50.0, 100.0])
    curve = reservoir_curve(depth, depth * 10 * UNIT, discharge=[0, 0, 500.0], spill=[0, 0, 500.0])
    system, horizon = one([0.0] * 2, spec=replace(box(), curve=curve), storage=900.0)
    plan = optimise(system, horizon, FREE)
    middle = np.array([900.0, plan.storage[0, 0] / UNIT]).mean()
    assert plan.release[0, 0] >= middle - 500 - 1e-6


def test_the_program_against_another_solver():
    system, horizon = province(12)
    model = build(system, horizon)
    matrix = model.matrix
    rows = csr_array((matrix.value, matrix.index, matrix.start), shape=matrix.size)
    equal = matrix.row_lower == matrix.row_upper
    over, under = np.isfinite(matrix.row_upper) & ~equal, np.isfinite(matrix.row_lower) & ~equal
    from scipy.sparse import vstack

    found = linprog(
        matrix.cost,
        A_ub=vstack([rows[over], -rows[under]]),
        b_ub=np.concatenate([matrix.row_upper[over], -matrix.row_lower[under]]),
        A_eq=rows[equal],
        b_eq=matrix.row_upper[equal],
        bounds=np.stack([matrix.lower, matrix.upper], axis=1),
        method="highs-ipm",
    )
    plan = optimise(system, horizon)
    assert plan.value == pytest.approx(found.fun, rel=1e-7)
    assert residual(system, horizon, plan) < 1e-5


def test_any_prices_give_a_bound_and_the_best_ones_the_optimum():
    system, horizon = province(8)
    model = build(system, horizon)
    plan = optimise(system, horizon)
    assert plan.bound == pytest.approx(plan.value, rel=1e-7)
    made = np.random.default_rng(1)
    for scale in (0.0, 0.01, 1.0, 100.0):
        prices = made.normal(0, scale, model.matrix.size[0])
        bound = certified_bound(model.matrix, prices)
        assert np.isfinite(bound)
        assert bound <= plan.value


def test_coordination_reaches_the_joint_optimum_and_its_bound_holds():
    system, horizon = province(60, gated=False, steps=12)
    joint = optimise(system, horizon)
    for gap in (0.05, 1e-6):
        plan = coordinate(system, horizon, largest=8, gap=gap)
        assert plan.rounds >= 1
        assert plan.bound <= joint.value * (1 + 1e-9)
        assert joint.value <= plan.value * (1 + 1e-9)
        assert plan.gap <= gap
        assert residual(system, horizon, plan) < 1e-5
        # the value is what the plan's own broken limits cost
        hours = system.step_hours
        own = hours * (plan.broken["over_safe"].sum() + 10 * plan.broken.get("over_guard", np.zeros(1)).sum())
        assert own <= plan.value * (1 + 1e-9)


def test_coordination_says_when_it_cannot():
    system, horizon = province(60, gated=False, steps=12)
    with pytest.raises(Unavailable) as caught:
        coordinate(system, horizon, largest=8, gap=1e-12, rounds=1)
    assert caught.value.key == "dispatch.gap"


def test_small_basins_need_no_coordination():
    system, horizon = province(10)
    assert coordinate(system, horizon, largest=50).value == pytest.approx(optimise(system, horizon).value)


def test_the_optimum_is_no_worse_than_any_rule():
    system, horizon = two([300.0, 250.0, 0.0], [100.0, 400.0, 0.0], safe=150.0, storage=(500.0, 500.0))
    from yunmeng.converged.water.dispatch import Rule, compare

    plan = optimise(system, horizon, FREE)
    for action in ("inflow", "least", "hold"):
        ruled = simulated(system, horizon, simulate(system, horizon, {"": [Rule(action)]}))
        found = compare({"best": plan, "rule": ruled}).scores
        assert found["best"].over_safe <= found["rule"].over_safe + 1e-9


@settings(max_examples=25, deadline=None)
@given(
    st.lists(st.floats(0, 300), min_size=5, max_size=5),
    st.lists(st.floats(0, 300), min_size=5, max_size=5),
    st.floats(0, 600),
    st.floats(0, 4),
)
def test_every_plan_balances_and_keeps_its_limits(first, second, stored, hours):
    ramped = box(ramp=(400.0, 400.0), dead=5.0)
    system, horizon = two(first, second, safe=120.0, storage=(stored + 50, 100.0), hours=hours, a=ramped)
    plan = optimise(system, horizon, FREE)
    assert residual(system, horizon, plan) < 1e-6
    assert (plan.storage >= system.storage_min[:, None] - 1e-7).all()
    assert (plan.storage <= system.storage_max[:, None] + 1e-7).all()
    assert plan.bound <= plan.value + 1e-6
    assert plan.gap < 1e-6 or plan.value < 1e-3


def test_a_rolling_plan_meets_what_the_forecast_missed():
    system, horizon = one([100.0, 100.0, 400.0, 400.0, 0.0, 0.0], point=PointSpec(safe=150.0), storage=500.0)
    known = roll(system, horizon, window=6, keep=2, penalties=FREE)
    assert known.plans[0].value == pytest.approx(0.0, abs=1e-6)
    assert known.release[0].max() <= 150.0 + 1e-6
    blind = roll(system, horizon, window=6, keep=2, penalties=FREE, forecast=lambda first: np.zeros((2, 6)))
    assert blind.storage.shape == (2, 6)
    came = horizon.inflow[0].sum() * UNIT + horizon.storage[0]
    assert blind.storage[0, -1] + blind.release[0].sum() * UNIT == pytest.approx(came)
    with pytest.raises(BadInput):
        roll(system, horizon, window=1, keep=2)


def test_a_warm_start_changes_nothing_but_the_way():
    system, horizon = province(10)
    warm = Warm()
    first = optimise(system, horizon, warm=warm)
    assert warm.bases
    assert optimise(system, horizon, warm=warm).value == pytest.approx(first.value)


def test_no_plan_is_said_so():
    system, horizon = one([500.0], storage=1000.0, spec=box(most=100.0))
    with pytest.raises(Unsupported) as caught:
        optimise(system, horizon)
    assert caught.value.key == "dispatch.infeasible"


def test_bad_input_is_refused():
    system, horizon = one([1.0])
    with pytest.raises(BadInput, match="members"):
        optimise(system, replace(horizon, inflow=np.zeros((2, 3, 1))))
    with pytest.raises(BadInput, match=r"gaps or negative values: r\."):
        one([np.nan])
    with pytest.raises(BadInput, match="storage"):
        one([1.0], storage=2000.0)


def test_reasons_by_hand():
    system, horizon = one(
        [0.0, 0.0, 500.0, 0.0], point=PointSpec(safe=100.0), spec=box(release_min=5.0), storage=800.0
    )
    plan = optimise(system, horizon, FREE)
    why = reasons(plan)
    kinds = [why.of(0, step).kind for step in range(4)]
    assert kinds[2] == "protect"
    assert why.of(0, 2).point == "p"
    assert "p" in why.of(0, 2).words("en")
    assert "100" in why.of(0, 2).words()
    assert (why.kind[1] == -1).all()

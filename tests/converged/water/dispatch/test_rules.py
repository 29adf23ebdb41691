import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.converged.water.dispatch.basin import UNIT, box, one, residual, two

from yunmeng.converged.water.dispatch import PointSpec, Rule, compare, simulate, simulated
from yunmeng.converged.water.dispatch.rules import REASONS
from yunmeng.kernel.base import BadInput


def why(found, node=0):
    return [REASONS[number] for number in found.reason[node, 0].tolist()]


def test_bands_of_level_and_inflow_by_hand():
    system, horizon = one([50.0, 50.0, 300.0, 50.0], storage=180.0)
    rules = {"r": [Rule("fixed", 20.0), Rule("inflow", 0.5, level=20.0), Rule("fixed", 90.0, inflow=200.0)]}
    found = simulate(system, horizon, rules)
    # level 18 m: 20 out, so 21 m: half of 50, so 23.5 m: 90 by inflow, so 44.5 m: half again
    assert found.release[0, 0].tolist() == [20.0, 25.0, 90.0, 25.0]
    assert found.rule[0, 0].tolist() == [0, 1, 2, 1]
    assert found.storage[0, 0] == pytest.approx(np.array([210, 235, 445, 470]) * UNIT)


def test_a_season_and_the_flood_limit():
    system, horizon = one([40.0] * 4, storage=500.0, limit=np.array([480.0, np.inf]) * UNIT)
    rules = {"": [Rule("least"), Rule("hold", relative=True, level=0.0, season="flood")]}
    found = simulate(system, horizon, rules, seasons=["dry", "dry", "flood", "flood"])
    # 580 stand over the limit of 480: 100 above and 40 that come
    assert found.release[0, 0].tolist() == pytest.approx([0.0, 0.0, 140.0, 40.0])


def test_ecology_ramp_capacity_dead_and_top_each_speak():
    system, horizon = one([0.0] * 3, spec=box(release_min=5.0), storage=12.0)
    found = simulate(system, horizon, {"r": [Rule("fixed", 0.0)]})
    assert found.release[0, 0].tolist() == pytest.approx([5.0, 5.0, 2.0])
    assert why(found) == ["ecology", "ecology", "empty"]
    system, horizon = one([90.0] * 3, spec=box(ramp=(10.0, 5.0)), release=[30.0, 30.0])
    found = simulate(system, horizon, {"r": [Rule("inflow")]})
    assert found.release[0, 0].tolist() == [40.0, 50.0, 60.0]
    assert why(found) == ["ramp_up"] * 3
    system, horizon = one([90.0, 0.0], spec=box(most=70.0), storage=990.0)
    found = simulate(system, horizon, {"r": [Rule("fixed", 10.0)]})
    # 1,000 is full: 80 must leave, the outlets pass 70, the rest goes over the dam
    assert found.release[0, 0, 0] == pytest.approx(70.0)
    assert found.overtop[0, 0, 0] == pytest.approx(10.0)
    assert found.storage[0, 0, 0] == pytest.approx(1000 * UNIT)


def test_water_is_held_back_for_the_point_downstream():
    graph = {"storage": (0.0, 0.0), "local": [0.0, 40.0, 40.0, 0.0], "hours": 1.0}
    system, horizon = two([60.0] * 4, [60.0] * 4, safe=100.0, **graph)
    found = simulate(system, horizon, {"": [Rule("inflow")]})
    first, second, point = (system.place(id) for id in "abp")
    # an hour later 40 come from the land between: 60 are left for both, and the first takes them
    assert found.release[first, 0].tolist() == pytest.approx([60, 60, 60, 60])
    assert found.release[second, 0, :2].tolist() == pytest.approx([0.0, 0.0])
    assert found.release[point, 0].max() <= 100.0 + 1e-9


def test_orders_replace_rules_on_exact_curves():
    system, horizon = one([50.0] * 3, spec=box(most=70.0), storage=300.0)
    orders = np.array([[60.0, 99.0, np.nan], [np.nan] * 3])
    found = simulate(system, horizon, {"": [Rule("inflow", 0.2)]}, orders=orders)
    assert found.release[0, 0].tolist() == pytest.approx([60.0, 70.0, 10.0])
    assert why(found) == ["order", "capacity", "rule"]


def test_each_member_is_simulated_alone():
    inflow = np.array([[[10.0, 20.0], [30.0, 5.0]], [[0.0, 0.0], [0.0, 0.0]]])
    system, horizon = one([0.0, 0.0])
    from dataclasses import replace

    found = simulate(system, replace(horizon, inflow=inflow), {"": [Rule("inflow")]})
    assert found.release[0].tolist() == [[10.0, 20.0], [30.0, 5.0]]


def test_bad_rules_are_refused():
    system, horizon = one([1.0])
    with pytest.raises(BadInput, match="wants jump"):
        simulate(system, horizon, {"r": [Rule("jump")]})
    with pytest.raises(BadInput, match="no z"):
        simulate(system, horizon, {"z": []})
    with pytest.raises(BadInput, match="seasons"):
        simulate(system, horizon, {}, seasons=["a", "b"])


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.floats(0, 400), min_size=6, max_size=6),
    st.lists(st.floats(0, 400), min_size=6, max_size=6),
    st.floats(0, 1000),
    st.floats(0, 5),
    st.sampled_from(["inflow", "open", "least", "hold"]),
)
def test_water_balances_and_never_leaves_the_curve(first, second, stored, hours, action):
    system, horizon = two(first, second, safe=150.0, storage=(stored, 20.0), hours=hours)
    found = simulate(system, horizon, {"": [Rule(action)]})
    plan = simulated(system, horizon, found)
    assert residual(system, horizon, plan) < 1e-8
    assert (found.storage >= -1e-12).all()
    assert (found.storage <= 1000 * UNIT + 1e-9).all()


def test_a_simulation_is_scored():
    system, horizon = one([100.0, 100.0], point=PointSpec(safe=60.0))
    held = simulated(system, horizon, simulate(system, horizon, {"": [Rule("fixed", 50.0)]}))
    let = simulated(system, horizon, simulate(system, horizon, {"": [Rule("inflow")]}))
    found = compare({"held": held, "let": let})
    assert found.peaks.ravel().tolist() == pytest.approx([100.0, 50.0, 60.0])
    assert found.scores["held"].peak_cut == pytest.approx(0.5)
    assert (found.scores["held"].points_over, found.scores["held"].stored) == (0, pytest.approx(100 * UNIT))

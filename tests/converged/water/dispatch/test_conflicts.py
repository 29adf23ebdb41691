from dataclasses import replace

import numpy as np
import pytest
from tests.converged.water.dispatch.basin import UNIT, box, one, two

from yunmeng.converged.water.dispatch import Penalties, PointSpec, explain, optimise
from yunmeng.kernel.base import Unsupported

HARD = Penalties(flood=None, level=None, low=None, high=None, ecology=None)


def kinds(limits):
    return {(each.kind, each.id) for each in limits}


def test_a_plan_that_exists_has_no_conflict():
    system, horizon = one([100.0], point=PointSpec(safe=100.0))
    assert explain(system, horizon, HARD) == ()


def test_a_flood_against_the_highest_level():
    # 300 come twice, 500 fit: 100 must go, 30 an hour may
    system, horizon = one([300.0, 300.0], point=PointSpec(safe=30.0), storage=500.0)
    with pytest.raises(Unsupported):
        optimise(system, horizon, HARD)
    (found,) = explain(system, horizon, HARD)
    assert kinds(found.core) == {("flood", "p"), ("storage_high", "r")}
    # 40 m³/s too much for an hour, wherever they are put
    assert sum(each.total / (UNIT if each.unit == "HM3" else 1) for each in found.least) == pytest.approx(
        40.0
    )
    with pytest.raises(Unsupported):
        optimise(system, horizon, HARD)


@pytest.mark.parametrize(
    ("given", "core"),
    [
        # 10 to give for 5 an hour over three hours
        (
            {"inflow": [0.0] * 3, "spec": box(release_min=5.0), "storage": 10.0},
            {("least", "r"), ("storage_low", "r")},
        ),
        # a dam that may not let more go, nor hold more
        (
            {"inflow": [500.0], "spec": box(most=100.0), "storage": 900.0},
            {("capacity", "r"), ("storage_high", "r")},
        ),
        # a release of 100 that falls by 10 an hour at a point that bears 60
        (
            {
                "inflow": [200.0],
                "spec": box(ramp=(10.0, 10.0)),
                "point": PointSpec(safe=60.0),
                "release": [100.0, 100.0],
            },
            {("flood", "p"), ("ramp_down", "r")},
        ),
    ],
)
def test_the_limits_that_conflict_are_named_and_no_others(given, core):
    system, horizon = one(given.pop("inflow"), **given)
    (found,) = explain(system, horizon, HARD)
    assert kinds(found.core) == core


def test_the_amount_in_its_own_unit_and_in_words():
    system, horizon = one([0.0] * 3, spec=box(release_min=5.0), storage=10.0)
    (found,) = explain(system, horizon, HARD)
    (limit,) = found.least
    assert (limit.kind, limit.unit) == ("least", "MQS")
    assert limit.total == pytest.approx(5.0)
    english, chinese = found.words("en"), found.words()
    assert "ecological flow of r" in english
    assert "dead level of 0.00 m" in english
    assert "生态流量" in chinese
    assert "死水位" in chinese
    assert "07-01 0" in chinese
    assert "?" not in english + chinese


def test_only_the_tree_that_has_no_plan_is_explained():
    system, horizon = two([0.0], [900.0], safe=50.0, storage=(0.0, 990.0))
    (found,) = explain(system, horizon, HARD)
    assert kinds(found.core) == {("flood", "p"), ("storage_high", "b")}


def test_a_target_that_the_water_cannot_reach():
    system, horizon = one([10.0, 10.0], storage=100.0, target=np.array([500.0 * UNIT, np.nan]))
    (found,) = explain(system, horizon, HARD)
    assert {kind for kind, _ in kinds(found.core)} <= {"target", "out"} | {"least"}
    (limit,) = found.least
    assert limit.kind == "target"
    assert limit.amount == pytest.approx(380 * UNIT)
    assert limit.level == pytest.approx(50.0)


def test_giving_way_by_what_is_told_makes_a_plan():
    system, horizon = one([300.0, 300.0], point=PointSpec(safe=30.0), storage=500.0)
    (found,) = explain(system, horizon, HARD)
    safe = system.safe.copy()
    most = system.storage_max.copy()
    for each in found.least:
        if each.kind == "flood":
            safe[each.node] += each.amount + 1e-6
        else:
            most[each.node] += each.amount + 1e-9
    optimise(replace(system, safe=safe, storage_max=most), horizon, HARD)

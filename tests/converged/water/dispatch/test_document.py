from dataclasses import replace

import pytest
from tests.converged.water.dispatch.basin import box, one

from yunmeng.converged.water.dispatch import (
    Penalties,
    PointSpec,
    Rule,
    compare,
    natural,
    optimise,
    simulate,
    simulated,
    write,
)
from yunmeng.kernel.base import BadInput


@pytest.fixture
def plan():
    spec = box(keep=0.0, release_min=5.0, turbine_max=50.0, name="甲<水库>")
    system, horizon = one(
        [50.0, 400.0, 100.0], spec=spec, point=PointSpec(safe=100.0, name="断面|一"), storage=700.0
    )
    return optimise(system, replace(horizon, source="synthetic"), Penalties(energy=0.01))


def scored(plan):
    ruled = simulated(plan.system, plan.horizon, simulate(plan.system, plan.horizon, {"": [Rule("inflow")]}))
    return compare({"联合优化": plan, "规程": ruled})


def test_scores_by_hand(plan):
    found = scored(plan)
    assert found.peaks[0].tolist() == [400.0]
    rule = found.scores["规程"]
    # 400 come at a point that bears 100, an hour long
    assert (rule.over_safe, rule.points_over, rule.over_hours) == (pytest.approx(1.08), 1, 1.0)
    assert rule.peak_cut == pytest.approx(0.0)
    assert rule.spill == pytest.approx((350 + 50) * 0.0036)
    assert found.scores["联合优化"].worst_ratio == pytest.approx(1.0)
    assert found.scores["联合优化"].peak_cut == pytest.approx(0.75)
    assert natural(plan.system, plan.horizon)[1].tolist() == [50.0, 400.0, 100.0]


@pytest.mark.parametrize("lang", ["zh-CN", "en"])
def test_every_number_has_its_reason_and_source(plan, lang):
    document = write(plan, comparison=scored(plan), sources={"curves": "SL 123"}, lang=lang)
    text = document.markdown()
    own = {
        "zh-CN": ("合成数据", "安全泄量 100", "弱对偶"),
        "en": ("synthetic data", "safe flow is 100", "weak duality"),
    }
    assert all(part in text for part in own[lang])
    assert "SL 123" in text
    assert "water.dispatch" not in text
    assert "?" not in text
    # one row a step, each with a reason
    course = next(each for each in document.sections if each.heading == "甲<水库>")
    assert len(course.table) == 4
    assert all(row[-1] for row in course.table)
    assert f"{plan.release[0, 1]:.3g}" in course.table[2][2]


def test_names_from_outside_do_no_harm(plan):
    document = write(plan)
    assert "甲<水库>" not in document.html()
    assert "甲&lt;水库&gt;" in document.html()
    assert "断面\\|一" in document.markdown()


def test_a_node_that_is_not_there(plan):
    with pytest.raises(BadInput, match="nobody"):
        write(plan, nodes=["nobody"])

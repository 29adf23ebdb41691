"""Response levels by the province's table: what is counted, what is unknown, what is gravest."""

from pathlib import Path

import pytest
from tests.nodes import refused

from yunmeng.converged.water.warning import read_table, response, situation
from yunmeng.kernel.compute import GRADES

TABLE = read_table()


def reservoir(level: float | None, scale: str = "medium", **limits: float) -> dict[str, object]:
    known = {"floodLimitLevel": 100.0, "designFloodLevel": 105.0, "checkFloodLevel": 107.0, **limits}
    return {"type": "Reservoir", "scale": scale, **({} if level is None else {"waterLevel": level}), **known}


@pytest.mark.parametrize(
    ("entities", "grade"),
    [
        ([reservoir(99.9)] * 50, None),
        ([reservoir(100.0)] * 4, None),
        ([reservoir(100.0)] * 5, "IV"),
        ([reservoir(101.0)] * 20, "III"),
        ([reservoir(105.0)], "II"),
        ([reservoir(107.5)], "I"),
        ([reservoir(106.0, "small-2")], "III"),
        ([{"type": "HydrologicalStation", "waterLevel": 27.5, "warningLevel": 27.3}] * 3, "IV"),
        ([{"type": "HydrologicalStation", "waterLevel": 29.8, "guaranteeLevel": 29.7}] * 5, "II"),
    ],
)
def test_the_table_says_the_level(entities: list[dict[str, object]], grade: str | None) -> None:
    assert response(situation(entities), TABLE).grade == grade


def test_reasons_are_said_gravest_first_in_both_languages() -> None:
    found = response(situation([reservoir(105.5)] * 6), TABLE)
    assert found.grade == "II"
    assert found.reasons("zh-CN")[0] == "6 座大中型水库达到设计洪水位"
    assert found.reasons("en")[-1] == "6 large or medium reservoirs stand above their flood limit"


def test_who_says_nothing_is_unknown_not_safe() -> None:
    state = situation([reservoir(None), {"type": "Reservoir", "waterLevel": 3.0}, reservoir(90.0)])
    assert (state.judged, state.unknown) == (1, 2)


def test_every_level_has_a_condition() -> None:
    assert {row.grade for row in TABLE} == set(GRADES)


@pytest.mark.parametrize(
    ("text", "reason"),
    [("conditions = 1", "conditions"), ("", "conditions"), ("x", "Expected")],
)
def test_a_bad_table_is_named(tmp_path: Path, text: str, reason: str) -> None:
    (tmp_path / "response.toml").write_text(text)
    with refused("water.table") as caught:
        read_table(tmp_path / "response.toml")
    assert reason in str(caught.value.facts["reason"])

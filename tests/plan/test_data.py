"""The plan as data: every row's words stand in the plan itself."""

import re
from collections import Counter

import pytest
from tests.nodes import refused

from yunmeng.plan import Figure, indicator, indicator_entities, indicators, system, systems
from yunmeng.plan.indicators import DATA

SPACE = re.compile(r"\s+")
# all, twenty-odd, complete, each city, one, level three
IN_WORDS = {"I019", "I044", "I047", "I049", "I054", "I079"}
PLAN = SPACE.sub("", (DATA / "plan.txt").read_text(encoding="utf-8"))


def said(quote: str) -> list[str]:
    """The parts of a quote that are not in the plan."""
    return [part for part in re.split(r"‖|……|…", quote) if SPACE.sub("", part) not in PLAN]


def test_there_are_as_many_as_the_plan_names() -> None:
    assert len(indicators()) == 99
    assert len(systems()) == 202
    assert [row.id for row in indicators()] == [f"I{n:03}" for n in range(1, 100)]
    assert [row.id for row in systems()] == [f"S{n:03}" for n in range(1, 203)]


@pytest.mark.parametrize("row", indicators(), ids=lambda row: row.id)
def test_the_quote_of_an_indicator_is_in_the_plan(row) -> None:
    assert row.quote
    assert said(row.quote) == []
    assert said(row.sentence) == []


def test_the_quotes_of_the_systems_are_in_the_plan() -> None:
    assert {row.id: said(row.quote) for row in systems() if not row.quote or said(row.quote)} == {}


def test_the_numbers_of_targets_are_in_their_quotes() -> None:
    wrong = {
        row.id
        for row in indicators()
        for figure in (row.baseline, row.target)
        if figure and figure.number is not None and row.kind in ("目标", "现状")
        if not {f"{figure.number:g}", figure.text} & set(re.findall(r"\d+(?:\.\d+)?", row.quote))
    }
    assert wrong == IN_WORDS


def test_kinds_and_directions_are_of_a_closed_set() -> None:
    assert {row.kind for row in indicators()} <= {"目标", "现状", "约束", "位次", "技术参数", "推导"}
    assert {row.direction for row in indicators()} == {"max", "min"}
    assert {row.kind for row in systems()} == {"软件系统", "设施/机制"}
    assert [row.id for row in indicators() if row.baseline is None and row.target is None] == []
    both = [row for row in indicators() if row.baseline and row.target]
    assert len(both) == 5
    assert max(Counter(row.entity_id for row in indicators()).values()) == 1


@pytest.mark.parametrize(
    ("text", "relation", "number"),
    [
        ("13", "=", 13.0),
        (">1858", ">", 1858.0),
        ("<=1.3", "<=", 1.3),
        (">= 80", ">=", 80.0),
        ("<0.5", "<", 0.5),
        ("200/400", "=", None),
        ("约20", "=", None),
        ("-3", "=", None),
        ("1.", "=", None),
    ],
)
def test_figures_are_read_as_written(text: str, relation: str, number: float | None) -> None:
    assert Figure.parse(text) == Figure(text, relation, number)


def test_no_figure_is_none() -> None:
    assert Figure.parse("") is None


def test_progress_runs_from_baseline_to_target() -> None:
    stations = indicator("I001")
    assert (stations.baseline, stations.target) == (Figure("3.1", "=", 3.1), Figure("13", "=", 13.0))
    assert stations.progress(3.1) == 0.0
    assert stations.progress(13.0) == pytest.approx(1.0)
    assert stations.progress(8.05) == pytest.approx(0.5)
    assert (stations.met(12.9), stations.met(13.0)) == (False, True)


def test_a_limit_is_met_from_below() -> None:
    limits = [row for row in indicators() if row.target and row.target.relation in ("<", "<=")]
    assert limits
    for row in limits:
        assert row.target is not None
        assert row.target.number is not None
        assert row.met(row.target.number - 0.01) is True
        assert row.met(row.target.number + 0.01) is False


def test_without_a_numeric_target_nothing_is_judged() -> None:
    wordy = [row for row in indicators() if row.target is None or row.target.number is None]
    assert wordy
    assert {row.met(1.0) for row in wordy} == {None}
    assert {row.progress(1.0) for row in wordy} == {None}


def test_unknown_ids_are_refused() -> None:
    with refused("plan.no-indicator"):
        indicator("I100")
    with refused("plan.no-system"):
        system("S000")


def test_only_the_province_holds_the_indicators() -> None:
    bodies = indicator_entities("420000")
    assert len(bodies) == 99
    assert all(body["quote"] and body["section"] and body["source"] for body in bodies)
    assert indicator_entities("420100") == []

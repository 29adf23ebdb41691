"""How values turn into alerts: levels, hysteresis, lasting, order of time."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.nodes import refused

from yunmeng.kernel.base import packages
from yunmeng.kernel.compute import Rule, load_rules, read_rules
from yunmeng.kernel.compute.rules.standing import Standing, Turn
from yunmeng.kernel.model import TypeLibrary, load_types

SECOND = 1_000_000
LIBRARY = load_types([package.folder for package in packages()])

TABLE = """
[[rules]]
id = "level"
zh = "高"
en = "high"
type = "Reservoir"
attribute = "waterLevel"
{more}
"""


def rule(tmp_path: Path, more: str, library: TypeLibrary = LIBRARY) -> Rule:
    file = tmp_path / "rules.toml"
    file.write_text(TABLE.format(more=more), encoding="utf-8")
    (read,) = read_rules(file, "test", library)
    return read


def turns(one: Rule, *values: float, every_s: int = 60, limit: float = 100.0) -> list[Turn | None]:
    standing = Standing()
    return [standing.see(one, v, limit, at * every_s * SECOND) for at, v in enumerate(values)]


def test_an_alert_begins_changes_and_ends_with_hysteresis(tmp_path: Path) -> None:
    one = rule(tmp_path, "levels = { IV = 0.0, III = 0.5 }\nclear = 0.1")
    seen = turns(one, 99.0, 100.0, 100.6, 100.45, 100.3, 99.95, 99.89)
    assert seen == [None, "began", "changed", None, "changed", None, "ended"]


def test_below_counts_the_other_way(tmp_path: Path) -> None:
    one = rule(tmp_path, 'when = "below"\nlevels = { IV = 0.0, I = 5.0 }')
    assert turns(one, 101.0, 99.0, 94.0, 101.0) == [None, "began", "changed", "ended"]


def test_what_must_last_does_not_begin_with_a_spike(tmp_path: Path) -> None:
    one = rule(tmp_path, "levels = { IV = 0.0 }\nhold_s = 120")
    assert turns(one, 101.0, 99.0, 101.0, 101.0, 101.0) == [None, None, None, None, "began"]


def test_what_is_older_than_the_last_value_changes_nothing(tmp_path: Path) -> None:
    one, standing = rule(tmp_path, "levels = { IV = 0.0 }"), Standing()
    assert standing.see(one, 99.0, 100.0, 10 * SECOND) is None
    assert standing.see(one, 101.0, 100.0, 5 * SECOND) is None
    assert standing.grade is None


@given(st.lists(st.floats(90, 110), max_size=60))
def test_alerts_begin_and_end_in_turn(values: list[float]) -> None:
    (package,) = [each for each in packages() if each.id == "water"]
    (one,) = [each for each in load_rules([package], LIBRARY) if each.id == "water.flood_limit"]
    active = False
    for turn in turns(one, *values):
        if turn == "began":
            assert not active
            active = True
        elif turn is not None:
            assert active
            active = turn != "ended"


@pytest.mark.parametrize(
    ("more", "reason"),
    [
        ("levels = {}", "levels"),
        ("levels = { IV = 1.0, III = 0.5 }", "III"),
        ("levels = { V = 1.0 }", "V"),
        ('levels = { IV = 1.0 }\nlimit = "nothing"', "nothing"),
        ("levels = { IV = 1.0 }\nwhere = { nothing = 1 }", "nothing"),
        ('levels = { IV = 1.0 }\nwhen = "beside"', "beside"),
        ("levels = { IV = 1.0 }\ncolour = 1", "colour"),
    ],
)
def test_a_bad_rule_is_named(tmp_path: Path, more: str, reason: str) -> None:
    with refused("rules.bad") as caught:
        rule(tmp_path, more)
    assert reason in str(caught.value.facts)

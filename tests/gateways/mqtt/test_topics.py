"""Topic patterns (MQTT 3.1.1 §4.7) and paths into JSON."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from yunmeng.gateways.mqtt.topics import TopicPattern
from yunmeng.kernel.base import BadInput
from yunmeng.kernel.sense import ABSENT, read_path

LEVEL = st.text(
    st.characters(exclude_characters="/+#{}\0$", exclude_categories=["Cs"]), min_size=1, max_size=8
)


@pytest.mark.parametrize(
    ("pattern", "asked", "topic", "names"),
    [
        ("sensors/{device}/telemetry", "sensors/+/telemetry", "sensors/a/telemetry", {"device": "a"}),
        ("sensors/{device}/telemetry", "sensors/+/telemetry", "sensors/a/b/telemetry", None),
        ("sensors/{device}/telemetry", "sensors/+/telemetry", "sensors//telemetry", None),
        ("s/meter-{device}", "s/+", "s/meter-7", {"device": "7"}),
        ("s/meter-{device}", "s/+", "s/lamp-7", None),
        ("{site}/{device...}", "+/#", "a/b/c", {"site": "a", "device": "b/c"}),
        # §4.7.1.2: the number sign takes the parent level too
        ("sport/tennis/player1/#", "sport/tennis/player1/#", "sport/tennis/player1", {}),
        ("sport/tennis/player1/#", "sport/tennis/player1/#", "sport/tennis/player1/score/wimbledon", {}),
        # §4.7.1.3: the plus sign takes exactly one level, which may be empty
        ("sport/+", "sport/+", "sport/", {}),
        ("sport/+", "sport/+", "sport", None),
        ("+/+", "+/+", "/finance", {}),
        ("+", "+", "/finance", None),
        # §4.7.2: wildcards at the front leave $ topics alone
        ("#", "#", "$SYS/uptime", None),
        ("$SYS/#", "$SYS/#", "$SYS/uptime", {}),
    ],
)
def test_a_pattern_finds_its_topics(
    pattern: str, asked: str, topic: str, names: dict[str, str] | None
) -> None:
    read = TopicPattern(pattern)
    assert read.filter == asked
    assert read.match(topic) == names


@pytest.mark.parametrize("pattern", ["", "a/#/b", "a/{x...}/b", "a/b+", "a/{x}/{x}", "{device"])
def test_a_pattern_that_is_none_is_refused(pattern: str) -> None:
    with pytest.raises(BadInput):
        TopicPattern(pattern)


@given(st.lists(LEVEL, min_size=1, max_size=4), LEVEL)
def test_what_a_pattern_fills_it_finds_again(levels: list[str], device: str) -> None:
    pattern = TopicPattern("/".join([*levels, "{device}", "x"]))
    assert pattern.match(pattern.fill({"device": device})) == {"device": device}


@given(st.text(max_size=30))
def test_any_topic_is_found_or_not(topic: str) -> None:
    found = TopicPattern("a/{b}/{rest...}").match(topic)
    assert found is None or f"a/{found['b']}/{found['rest']}" == topic


@pytest.mark.parametrize("value", ["", "a/b", "+", "#", "x\0"])
def test_a_part_cannot_change_the_topic(value: str) -> None:
    with pytest.raises(BadInput):
        TopicPattern("lamps/{device}/command").fill({"device": value})


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("a", {"b": [1, {"c": None}]}),
        ("a.b[0]", 1),
        ("a.b[-1].c", None),
        ("a.b[2]", ABSENT),
        ("a.b.c", ABSENT),
        ("a[0]", ABSENT),
        ('["x.y"].z', 5),
        ("nothing", ABSENT),
    ],
)
def test_a_path_finds_its_value(path: str, value: object) -> None:
    document = {"a": {"b": [1, {"c": None}]}, "x.y": {"z": 5}}
    assert read_path(path)(document) == value
    assert read_path("")(document) is document


@pytest.mark.parametrize("path", [".", "a[", "a[x]", "a..b", ".a"])
def test_a_path_that_is_none_is_refused(path: str) -> None:
    with pytest.raises(BadInput):
        read_path(path)

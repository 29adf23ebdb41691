"""The life of an event: every step in its order, and what each step needs."""

import pytest
from tests.nodes import refused

from yunmeng.kernel.base import format_us
from yunmeng.kernel.compute import Event, Stage, Step, advance, event_entity, read_event
from yunmeng.kernel.compute.response.event import is_late

EVENT = Event(
    id="urn:e", headline={"en": "x"}, grade="III", division="420106", opened_at=1, due_at=10_000_000
)


def step(stage: Stage, **more: object) -> Step:
    return Step(stage, format_us(5_000_000), "person:a", **more)  # type: ignore[arg-type]


def led(*steps: Step) -> Event:
    event = EVENT
    for one in steps:
        event = advance(event, one)
    return event


ASSIGNED = step("assigned", owner="county office", due=format_us(20_000_000))
HANDLED = step("handled", note="gates opened")


def test_an_event_is_led_to_its_score() -> None:
    event = led(ASSIGNED, HANDLED, step("verified", note="seen"), step("scored", score=90))
    assert (event.stage, event.owner, event.score) == ("scored", "county office", 90)
    assert event.closed_at == 5_000_000
    assert [each.stage for each in event.steps] == ["assigned", "handled", "verified", "scored"]


def test_what_is_not_accepted_goes_back_with_a_reason() -> None:
    assert led(ASSIGNED, HANDLED, step("assigned", note="the gate still leaks")).stage == "assigned"
    with refused("event.lacks") as caught:
        led(ASSIGNED, HANDLED, step("assigned"))
    assert caught.value.facts["name"] == "note"


@pytest.mark.parametrize(
    ("steps", "lacking"),
    [
        ((step("assigned"),), "owner"),
        ((ASSIGNED, step("handled")), "note"),
        ((ASSIGNED, HANDLED, step("verified"), step("scored")), "score"),
        ((ASSIGNED, HANDLED, step("verified"), step("scored", score=101)), "score"),
    ],
)
def test_a_step_needs_its_facts(steps: tuple[Step, ...], lacking: str) -> None:
    with refused("event.lacks") as caught:
        led(*steps)
    assert lacking in str(caught.value.facts["name"])


@pytest.mark.parametrize("steps", [(HANDLED,), (ASSIGNED, step("scored", score=1)), (step("received"),)])
def test_no_step_is_left_out(steps: tuple[Step, ...]) -> None:
    with refused("event.step"):
        led(*steps)


def test_an_event_is_late_until_it_is_handled() -> None:
    assert not is_late(EVENT, 9_000_000)
    assert is_late(EVENT, 11_000_000)
    assert is_late(led(ASSIGNED), 21_000_000)
    assert not is_late(led(ASSIGNED, HANDLED), 21_000_000)


def test_an_event_comes_back_from_its_entity() -> None:
    event = led(ASSIGNED, HANDLED)
    entity = event_entity(event)
    simple = {
        name: each.get("value", each) if isinstance(each, dict) else each for name, each in entity.items()
    }
    assert read_event(simple) == event

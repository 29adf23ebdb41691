"""What a firmware campaign decides: its waves, when it stops, whose turn it is."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.nodes import refused

from yunmeng.information.iot.campaign import (
    Campaign,
    Plan,
    Update,
    bounds_of,
    drawn,
    read_plan,
    told,
    verdict,
)
from yunmeng.information.iot.firmware import Firmware, order_of, read_firmware


def campaign(**more: object) -> Campaign:
    known = {
        "id": "urn:c", "tenant": "", "division": "420000", "firmware": Firmware(kind="lamp", version="2"),
        "plan": Plan(), "bounds": (2, 20), "by": "urn:me",
    }  # fmt: skip
    return Campaign(**{**known, **more})  # pyright: ignore[reportArgumentType]


def wave(number: int, **states: int) -> list[Update]:
    return [
        Update(f"{state}-{n}", f"{state}-{n}", number, state)  # pyright: ignore[reportArgumentType]
        for state, count in states.items()
        for n in range(count)
    ]


@pytest.mark.parametrize(
    ("waves", "count", "bounds"),
    [
        (("5%", "30%", "100%"), 200, (10, 60, 200)),
        (("5%", "30%", "100%"), 3, (1, 3)),
        ((1, 10), 100, (1, 10, 100)),
        (("1", "50%"), 4, (1, 2, 4)),
        ((500,), 7, (7,)),
        ((), 7, (7,)),
    ],
)
def test_waves_rise_to_all_devices(waves: tuple[str | int, ...], count: int, bounds: tuple[int, ...]) -> None:
    assert bounds_of(waves, count) == bounds


@pytest.mark.parametrize("waves", [("30%", "5%"), ("0%",), ("101%",), ("some",), (0,), (-1,)])
def test_waves_that_do_not_rise_are_refused(waves: tuple[str | int, ...]) -> None:
    with refused("campaign.plan"):
        bounds_of(waves, 100)


@given(st.lists(st.integers(1, 10**6), max_size=6).map(sorted), st.integers(1, 10**5))
def test_every_device_is_in_exactly_one_wave(waves: list[int], count: int) -> None:
    bounds = bounds_of(waves, count)
    assert list(bounds) == sorted(set(bounds))
    assert bounds[-1] == count


def test_a_campaign_stops_above_the_share_and_not_at_it() -> None:
    ten = campaign(plan=Plan(stop_share=0.1))
    assert verdict(ten, wave(0, failed=1, applied=8, pending=1)) == "go-on"
    assert verdict(ten, wave(0, failed=2, applied=1, pending=7)) == "stop", "at once, not at the wave's end"
    assert verdict(campaign(plan=Plan(stop_share=0)), wave(0, failed=1, pending=99)) == "stop"
    assert verdict(campaign(plan=Plan(stop_share=1)), wave(0, failed=5)) == "next"


def test_failures_that_somebody_knew_when_it_went_on_are_forgiven() -> None:
    known = campaign(plan=Plan(stop_share=0.1), forgiven=2)
    assert verdict(known, wave(0, failed=2, applied=8)) == "next"
    assert verdict(known, wave(0, failed=4, applied=6)) == "stop"


def test_a_wave_ends_when_nothing_in_it_is_open() -> None:
    assert verdict(campaign(), wave(0, applied=1, skipped=1) + wave(1, pending=18)) == "next"
    assert verdict(campaign(wave=1), wave(0, failed=2) + wave(1, applied=18)) == "done"
    for state in ("pending", "sent", "downloading"):
        assert verdict(campaign(wave=1), wave(1, applied=17, **{state: 1})) == "go-on"


def test_the_first_wave_is_no_single_neighbourhood() -> None:
    devices = [f"urn:ngsi-ld:Device:jt808:{n:05d}" for n in range(1000)]
    first = drawn("urn:c", devices)[:100]
    assert drawn("urn:c", reversed(devices))[:100] == first, "the same at every start"
    assert drawn("urn:d", devices)[:100] != first
    assert {int(each[-5:]) // 100 for each in first} == set(range(10))


def test_what_a_gateway_answers() -> None:
    assert told({"state": "applied"}) == "applied"
    assert told({"state": "failed"}) == "failed"
    assert told({"state": "rebooting"}) == told({}) == told(None) == "downloading"


@pytest.mark.parametrize(
    "plan", [{"stop_share": 2}, {"at_once": 0}, {"within_s": 0}, {"wave": "5%"}, {"waves": 5}]
)
def test_a_plan_that_makes_no_sense_is_refused(plan: dict[str, object]) -> None:
    with refused("campaign.plan"):
        read_plan(plan)


@pytest.mark.parametrize(
    "given", [{"version": "../x"}, {"sha256": "12"}, {"url": "file:///etc/passwd"}, {"kind": 5, "no": 1}]
)
def test_firmware_that_makes_no_sense_is_refused(given: dict[str, object]) -> None:
    with refused("firmware.bad"):
        read_firmware({"kind": "lamp", "version": "1", **given})


def test_a_kind_says_how_it_is_told() -> None:
    name, arguments = order_of(Firmware(kind="vehicle-terminal", version="2.1", url="http://n/f"))
    assert name == "terminal"
    # JT/T 808-2013 8.11: eleven parameters, the first the address, the tenth the version
    parameters = arguments["parameters"].split(";")
    assert (len(parameters), parameters[0], parameters[9]) == (11, "http://n/f", "2.1")
    assert order_of(Firmware(kind="lamp", version="2", url="http://n/f"))[1]["version"] == "2"

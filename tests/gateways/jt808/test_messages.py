"""What the bodies say: locations with their items, registrations, answers; and bodies that are cut off."""

from collections.abc import Callable
from struct import pack

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.nodes import refused

from yunmeng.gateways.jt808 import messages
from yunmeng.gateways.jt808.codec import NO_VERSION, Jt808Codec
from yunmeng.gateways.jt808.fields import read_time, write_time
from yunmeng.gateways.jt808.location import (
    Location,
    bits_named,
    bits_of,
    fields_of,
    read_location,
    write_location,
)
from yunmeng.kernel.base import YunmengError, instant_us

HERE = pack(">IIIIHHH", 0x80000001, 3, 30_590_000, 114_300_000, 25, 605, 178)
NOON = bytes.fromhex("260701120000")
AT = instant_us("2026-07-01T12:00:00+08:00")


@given(
    st.builds(
        lambda numbers, at, items: pack(">IIIIHHH", *numbers) + at + items,
        st.tuples(
            st.integers(0, 2**32 - 1),
            st.integers(0, 2**32 - 1),
            st.integers(0, 90_000_000),
            st.integers(0, 180_000_000),
            st.integers(0, 65535),
            st.integers(0, 65535),
            st.integers(0, 65535),
        ),
        st.integers(946_684_800, 4_102_415_999).map(lambda second: write_time(second * 1_000_000)),
        st.lists(
            st.tuples(st.integers(0, 255), st.binary(max_size=40)).map(
                lambda item: bytes((item[0], len(item[1]))) + item[1]
            ),
            max_size=5,
        ).map(b"".join),
    )
)
def test_a_location_comes_back_byte_for_byte(body: bytes) -> None:
    location = read_location(body)
    assert write_location(location) == body
    fields_of(location)


@given(st.binary(max_size=80))
def test_any_body_is_read_or_refused(body: bytes) -> None:
    readers = [*messages.ANSWERS.values(), messages.read_batch, messages.read_driver, read_location]
    readers += [messages.read_passengers, messages.read_acknowledgement, messages.read_parts_wanted]
    for version in (NO_VERSION, 1):
        readers += [
            lambda data, v=version: messages.read_registration(data, v),
            lambda data, v=version: messages.read_credential(data, v),
            lambda data, v=version: messages.read_attributes(data, v),
        ]
    for edition in ("", "2011"):
        readers.append(lambda data, e=edition: messages.read_media(data, e))
    assert {refusal(read, body) for read in readers} <= {"", "frame.bad"}


def refusal(read: Callable[[bytes], object], body: bytes) -> str:
    """Why a body was refused."""
    try:
        read(body)
    except YunmengError as reason:
        return reason.key
    return ""


def test_a_location_in_the_units_of_the_standard() -> None:
    location = read_location(HERE + NOON)
    assert location == Location(0x80000001, 3, 30.59, 114.3, 25, 605, 178, AT)
    assert location.is_positioned
    south_west = read_location(pack(">IIIIHHH", 0, 14, 30_590_000, 114_300_000, 0xFFFE, 0, 0) + NOON)
    assert (south_west.latitude, south_west.longitude, south_west.altitude) == (-30.59, -114.3, -2)


def test_bits_of_the_words_have_names() -> None:
    location = read_location(HERE + NOON)
    wanted = bits_named(["alarm_emergency", "alarm_illegal_door", "alarm_fatigue", "status_acc", "speed"])
    assert bits_of(location, wanted) == {
        "alarm_emergency": 1,
        "alarm_illegal_door": 1,
        "alarm_fatigue": 0,
        "status_acc": 1,
    }


@pytest.mark.parametrize(
    ("items", "fields"),
    [
        ("01 04 00000064", {"mileage": 100}),
        ("02 02 0037", {"fuel": 55}),
        ("03 02 0258", {"recorder_speed": 600}),
        ("04 02 0001", {"alarm_to_confirm": 1}),
        ("06 02 8014", {"compartment_temperature": -20}),
        ("06 02 0014", {"compartment_temperature": 20}),
        ("11 01 00", {"overspeed_place": 0, "overspeed_area": None}),
        ("11 05 01 0000002A", {"overspeed_place": 1, "overspeed_area": 42}),
        ("12 06 04 00000007 01", {"crossing_place": 4, "crossing_area": 7, "crossing_out": 1}),
        ("13 07 00000009 0078 01", {"section": 9, "section_seconds": 120, "section_long": 1}),
        ("14 04 00000003", {"video_alarm": 3}),
        ("18 03 0001 50", {"behaviour": 1, "fatigue_degree": 80}),
        ("25 04 00000004", {"signals": 4}),
        ("2A 02 0001", {"io_status": 1}),
        ("2B 04 00020001", {"analogue_0": 1, "analogue_1": 2}),
        ("30 01 1F", {"signal_strength": 31}),
        ("31 01 0C", {"satellites": 12}),
        ("E1 03 00E301", {"other_items": "e1:00e301"}),
        ("02 04 00000037 F3 00", {"other_items": "02:00000037;f3:"}),
    ],
)
def test_additional_items(items: str, fields: dict[str, object]) -> None:
    plain = fields_of(read_location(HERE + NOON))
    found = fields_of(read_location(HERE + NOON + bytes.fromhex(items)))
    assert {name: value for name, value in found.items() if name not in plain} == fields


@pytest.mark.parametrize(
    "body",
    [
        HERE + NOON[:5],
        HERE + bytes.fromhex("261301120000"),
        HERE + bytes.fromhex("260701246000"),
        HERE + bytes.fromhex("26070112000A"),
        HERE + NOON + bytes.fromhex("0104000000"),
        HERE + NOON + b"\x01",
        pack(">IIIIHHH", 0, 2, 90_000_001, 0, 0, 0, 0) + NOON,
        pack(">IIIIHHH", 0, 2, 0, 180_000_001, 0, 0, 0) + NOON,
    ],
)
def test_locations_that_cannot_be_are_refused(body: bytes) -> None:
    with refused("frame.bad"):
        read_location(body)


def test_a_terminal_without_a_time_has_none() -> None:
    assert read_location(HERE + bytes(6)).at is None


def test_times_are_those_of_beijing() -> None:
    assert read_time(bytes.fromhex("260101000000")) == instant_us("2025-12-31T16:00:00Z")
    assert write_time(instant_us("2025-12-31T16:00:00Z")).hex() == "260101000000"


def test_registrations_of_three_editions() -> None:
    frame = (
        "7e0100002d0141305678720024002c012f373031313142534a2d41362d424400000000000000000000003035363738373201"
    )
    packet = Jt808Codec().decode(bytes.fromhex(frame + "d4c14238383838386d7e"))
    assert messages.read_registration(packet.body, packet.version) == messages.Registration(
        44, 303, "70111", "BSJ-A6-BD", "0567872", 1, "粤B88888"
    )
    old = pack(">HH5s8s7sB", 42, 100, b"70111", b"BSJ-M7B", b"0000001", 2) + "鄂A12345".encode("gbk")
    assert messages.read_registration(old, NO_VERSION) == messages.Registration(
        42, 100, "70111", "BSJ-M7B", "0000001", 2, "鄂A12345"
    )
    new = pack(">HH11s30s30sB", 42, 100, b"70111", b"BSJ", b"1", 2) + "鄂A12345".encode("gbk")
    assert messages.read_registration(new, 1) == messages.Registration(
        42, 100, "70111", "BSJ", "1", 2, "鄂A12345"
    )


def test_a_list_of_recordings_names_their_times() -> None:
    one = pack(">B", 2) + bytes.fromhex("260701120000260701123000") + pack(">QBBBI", 5, 0, 1, 1, 9000)
    answer = messages.read_recordings(pack(">HI", 7, 1) + one)
    assert (answer.serial, answer.facts["recordings"]) == (
        7,
        (
            {
                "channel": 2,
                "begin": AT,
                "end": AT + 1_800_000_000,
                "alarms": 5,
                "media": 0,
                "stream": 1,
                "storage": 1,
                "bytes": 9000,
            },
        ),
    )

"""Values, quality and time of every monitored type, after 101, 7.2.6."""

import struct
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.nodes import refused

from yunmeng.gateways.iec104.asdu import Item
from yunmeng.gateways.iec104.clock import Clock
from yunmeng.gateways.iec104.elements import Point, read_point
from yunmeng.gateways.iec104.types import LAST_MONITORED, TYPES
from yunmeng.kernel.model import Quality

BEIJING = Clock()
# Wednesday 2026-07-01 08:30:59.123 in Beijing: 59,123 ms, minute, hour, weekday 3 and day 1, month, year
TIME = bytes.fromhex("F3E6 1E 08 61 07 1A")
MOMENT = int(datetime(2026, 7, 1, 0, 30, 59, 123_000, tzinfo=UTC).timestamp() * 1e6)
GOOD, UNCERTAIN, BAD = Quality.GOOD, Quality.UNCERTAIN, Quality.BAD


def point(type: int, octets: str | bytes) -> Point:
    data = bytes.fromhex(octets) if isinstance(octets, str) else octets
    assert len(data) == TYPES[type].size
    return read_point(type, Item(1, data), BEIJING)


@pytest.mark.parametrize(
    ("type", "octets", "value"),
    [
        (1, "01", 1),
        (1, "00", 0),
        (3, "02", 2),
        (3, "00", 0),
        (5, "3F00", 63),
        (5, "4000", -64),
        (5, "7F00", -1),
        (7, "0102038000", 0x80030201),
        (9, "004000", 0.5),
        (9, "008000", -1.0),
        (9, "FF7F00", 32_767 / 32_768),
        (11, "FFFF00", -1),
        (13, struct.pack("<fB", 220.1, 0), 220.1),
        (13, struct.pack("<fB", 0.1, 0), 0.1),
        (15, "FFFFFFFF00", -1),
        (15, "1027000005", 10_000),
        (20, "0100FFFF00", 1),
        (21, "00C0", -0.5),
    ],
)
def test_values(type: int, octets: str | bytes, value: float) -> None:
    assert point(type, octets) == Point(value, GOOD)


@pytest.mark.parametrize(
    ("octet", "quality"),
    [
        (0x00, GOOD),
        (0x01, BAD),  # OV
        (0x0E, GOOD),  # the bits of reserve
        (0x10, UNCERTAIN),  # BL
        (0x20, Quality.SUBSTITUTED),  # SB
        (0x40, UNCERTAIN),  # NT
        (0x80, BAD),  # IV
        (0x70, Quality.SUBSTITUTED),
        (0xF1, BAD),
    ],
)
def test_quality_descriptors(octet: int, quality: Quality) -> None:
    assert point(11, bytes((1, 0, octet))).quality is quality
    assert point(35, bytes((1, 0, octet)) + TIME) == Point(1, quality, MOMENT)
    if not octet & 1:
        assert point(1, bytes((octet | 1,))).quality is quality
        assert point(3, bytes((octet | 2,))).quality is quality


def test_what_else_makes_a_value_uncertain() -> None:
    assert point(5, "8300") == Point(3, UNCERTAIN), "a tap changer on its way"
    assert point(15, "0100000040") == Point(1, UNCERTAIN), "a counter that was adjusted"
    assert point(15, "0100000020") == Point(1, GOOD), "one that ran over"
    assert point(15, "0100000080") == Point(1, BAD)


def test_a_float_that_is_no_number_is_missing() -> None:
    for number in (float("nan"), float("inf"), float("-inf")):
        assert point(13, struct.pack("<fB", number, 0)) == Point(None, Quality.MISSING)


def test_protection_equipment() -> None:
    assert point(38, bytes((0x02, 0x10, 0)) + TIME) == Point(2, GOOD, MOMENT)
    assert point(38, bytes((0x0A, 0x10, 0)) + TIME).quality is UNCERTAIN, "elapsed time invalid"
    assert point(39, bytes((0xFF, 0x00, 0x10, 0)) + TIME) == Point(0x3F, GOOD, MOMENT)
    assert point(40, bytes((0xF5, 0x07, 0x10, 0)) + TIME) == Point(5, GOOD, MOMENT)
    assert point(40, bytes((0x05, 0x80, 0x10, 0)) + TIME).quality is BAD


@pytest.mark.parametrize("type", [each for each in TYPES if each <= LAST_MONITORED])
@given(data=st.data())
def test_no_octets_are_too_strange(type: int, data: st.DataObject) -> None:
    size = TYPES[type].size
    found = point(type, data.draw(st.binary(min_size=size, max_size=size)))
    assert found.value is None or found.value == found.value
    assert (found.at is None) or TYPES[type].timed


def test_beijing_and_utc() -> None:
    assert BEIJING.read(TIME) == MOMENT
    assert Clock("utc").read(TIME) == MOMENT + 8 * 3_600_000_000
    assert BEIJING.write(MOMENT) == TIME
    with refused("sense.option"):
        Clock("moscow")


def test_summer_time_is_an_hour_ahead() -> None:
    summer = TIME[:3] + bytes((TIME[3] | 0x80,)) + TIME[4:]
    assert BEIJING.read(summer) == MOMENT - 3_600_000_000


@pytest.mark.parametrize(
    ("place", "octet"),
    [(2, 0x9E), (2, 60), (3, 24), (4, 0x60), (5, 0), (5, 13)],
)
def test_a_time_that_is_none_or_invalid_leaves_the_value_uncertain(place: int, octet: int) -> None:
    time = TIME[:place] + bytes((octet,)) + TIME[place + 1 :]
    assert BEIJING.read(time) is None
    assert point(30, b"\1" + time) == Point(1, UNCERTAIN)
    assert point(30, b"\x81" + time) == Point(1, BAD)


@given(st.integers(946_684_800_000, 4_102_444_799_000 - 8 * 3_600_000), st.sampled_from(["beijing", "utc"]))
def test_times_to_the_millisecond(milliseconds: int, zone: str) -> None:
    clock = Clock(zone)
    assert clock.read(clock.write(milliseconds * 1000)) == milliseconds * 1000

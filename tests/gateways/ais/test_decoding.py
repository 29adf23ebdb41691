"""Messages of ITU-R M.1371: what stands in them, what is not available, and when it was so."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.gateways.ais.test_codec import ALPHABET
from tests.nodes import refused

from yunmeng.gateways.ais.codec import AisCodec
from yunmeng.gateways.ais.decoding import Said, observed_at, read_message
from yunmeng.gateways.ais.messages import Sentence
from yunmeng.kernel.base import BadInput, instant_us
from yunmeng.kernel.model import Quality

pyais = pytest.importorskip("pyais", reason="the extra `ais` is not installed")
AT = instant_us("2026-06-21T03:20:30Z")
SHIP = {"mmsi": 413_761_234, "lon": 114.29, "lat": 30.55, "second": 20}
# the EVER DIADEM, message 5 as the AIVDM decoding notes of gpsd read it
DIADEM = (
    "!AIVDM,2,1,1,A,55?MbV02;H;s<HtKR20EHE:0@T4@Dn2222222216L961O5Gf0NSQEp6ClRp8,0*1C",
    "!AIVDM,2,2,1,A,88888888880,2*25",
)


def parts(*texts: str) -> list[Sentence]:
    found = [AisCodec().decode(text.encode()) for text in texts]
    assert all(isinstance(each, Sentence) for each in found)
    return found  # type: ignore[return-value]


def said(at: int = AT, **message: Any) -> Said:
    return read_message(parts(*pyais.encode_dict({"type": 1, **SHIP, **message})), at)


def test_a_published_voyage_is_read() -> None:
    read = read_message(parts(*DIADEM), AT)
    assert (read.type, read.mmsi, read.kind) == (5, "351759000", "vessel")
    wanted = {
        "imo": 9_134_270,
        "callsign": "3FOF8",
        "shipname": "EVER DIADEM",
        "ship_type": 70,
        "ship_group": 70,
        "length": 295,
        "beam": 32,
        "draught": 12.2,
        "destination": "NEW YORK",
        "eta": "2026-05-15T14:00:00.000Z",
    }
    assert {name: read.fields[name] for name in wanted} == wanted


@pytest.mark.parametrize(
    ("message", "field"),
    [
        ({"lon": 181.0, "lat": 91.0}, "lon"),
        ({"lon": 181.0, "lat": 91.0}, "lat"),
        ({"speed": 102.3}, "speed"),
        ({"course": 360.0}, "course"),
        ({"heading": 511}, "heading"),
        ({"turn": -128.0}, "turn"),
        ({"turn": 127.0}, "turn"),
        ({"status": 15}, "status"),
        ({"type": 9, "speed": 1023}, "speed"),
        ({"type": 9, "alt": 4095}, "alt"),
        ({"type": 27, "speed": 63}, "speed"),
        ({"type": 27, "course": 511}, "course"),
        ({"type": 18, "speed": 102.3}, "speed"),
        ({"type": 5, "imo": 0}, "imo"),
        ({"type": 5, "draught": 0}, "draught"),
        ({"type": 5, "ship_type": 0}, "ship_type"),
        ({"type": 5, "shipname": ""}, "shipname"),
        ({"type": 5, "destination": "@@@@"}, "destination"),
        ({"type": 5}, "length"),
        ({"type": 5, "month": 0, "day": 0, "hour": 24, "minute": 60}, "eta"),
        ({"type": 5, "month": 2, "day": 30, "hour": 1, "minute": 1}, "eta"),
        ({"type": 4, "year": 0}, "utc"),
    ],
)
def test_what_is_not_available_is_missing_and_no_number(message: dict[str, Any], field: str) -> None:
    fields = said(**message).fields
    assert field in fields
    assert fields[field] is None


def test_the_greatest_values_are_numbers_still() -> None:
    fields = said(speed=102.2, course=359.9, heading=359).fields
    assert (fields["speed"], fields["course"], fields["heading"]) == (102.2, 359.9, 359)
    assert said(type=27, speed=62).fields["speed"] == 62


@pytest.mark.parametrize(
    ("second", "quality"),
    [(60, "GOOD"), (61, "SUBSTITUTED"), (62, "UNCERTAIN"), (63, "BAD"), (7, "GOOD")],
)
def test_the_second_tells_how_the_position_was_found(second: int, quality: str) -> None:
    assert said(second=second).quality is Quality[quality]


@pytest.mark.parametrize(
    ("second", "moment"),
    [
        (30, "2026-06-21T03:20:30Z"),
        (20, "2026-06-21T03:20:20Z"),
        (55, "2026-06-21T03:19:55Z"),
        (33, "2026-06-21T03:20:33Z"),
        (60, "2026-06-21T03:20:30Z"),
    ],
)
def test_a_position_is_as_old_as_its_second_says(second: int, moment: str) -> None:
    assert observed_at(said(second=second), AT) == instant_us(moment)


@pytest.mark.parametrize(
    ("month", "year"),
    [(1, 2027), (3, 2027), (5, 2026), (11, 2026)],
)
def test_an_arrival_is_in_the_year_that_is_nearest(month: int, year: int) -> None:
    at = instant_us("2026-10-20T00:00:00Z")
    eta = said(at, type=5, month=month, day=2, hour=3, minute=4).fields["eta"]
    assert eta == f"{year}-{month:02d}-02T03:04:00.000Z"


@pytest.mark.parametrize(
    ("message", "kind"),
    [
        ({"mmsi": 413_000_001}, "vessel"),
        ({"type": 4, "mmsi": 4_132_001}, "base-station"),
        ({"type": 14, "mmsi": 4_132_001, "text": "X"}, "base-station"),
        ({"type": 21, "mmsi": 994_131_001}, "aid-to-navigation"),
        ({"type": 9, "mmsi": 111_413_001}, "aircraft"),
        ({"type": 1, "mmsi": 970_123_456}, "beacon"),
        ({"type": 18, "mmsi": 984_131_234}, "vessel"),
    ],
)
def test_senders_are_told_by_message_and_number(message: dict[str, Any], kind: str) -> None:
    assert said(**message).kind == kind


def test_an_inland_ships_binary_message_is_read() -> None:
    fields = said(type=8, dac=200, fid=10, vin="02324567", draught=3.25, loaded=1).fields
    assert (fields["200-10.vin"], fields["200-10.draught"], fields["200-10.loaded"]) == ("02324567", 3.25, 1)


def test_a_position_beyond_the_globe_is_refused() -> None:
    with refused("frame.bad"):
        said(lon=200.0)


@pytest.mark.parametrize(
    "payload", ["", "1", "13HOI:0P0000VOHLCnHQKwvL0", "0S9edj0P03PecbBN`ja@0?w42cFC", "w5?MbV02;H"]
)
def test_messages_that_are_short_or_unknown_are_refused(payload: str) -> None:
    with refused("frame.bad"):
        read_message([Sentence(payload)], AT)


@given(st.text(ALPHABET, max_size=170), st.integers(0, 5))
def test_any_payload_is_read_or_refused(payload: str, fill: int) -> None:
    try:
        read = read_message([Sentence(payload, fill=fill if payload else 0)], AT)
    except BadInput:
        return
    assert 1 <= read.type <= 28
    assert len(read.mmsi) == 9
    assert all(value is None or isinstance(value, int | float | str) for value in read.fields.values())

"""Frames and messages of RTCM 10403: the standard's own example, noise, cuts, and an outside reader."""

from contextlib import suppress

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from tests.nodes import refused

from yunmeng.gateways.ntrip.messages import Equipment, Heard, Position, geodetic, read_message
from yunmeng.gateways.ntrip.rtcm import RtcmCodec, crc24q
from yunmeng.gateways.ntrip.simulator import ReferenceStation, Writer
from yunmeng.kernel.base import BadInput

CODEC = RtcmCodec()
# RTCM 10403.1, 4.2: the example of a whole frame, a message 1005 of station 2003
EXAMPLE = bytes.fromhex("D300133ED7D30202980EDEEF34B4BD62AC0941986F33360B98")


def test_the_example_of_the_standard() -> None:
    message = CODEC.decode(EXAMPLE)
    assert CODEC.encode(message) == EXAMPLE
    assert read_message(message) == Heard(
        1005, 2003, position=Position(1_114_104.5999, -4_850_729.7108, 3_975_521.4643)
    )


def test_the_checksum_of_what_holds_its_checksum_is_none() -> None:
    assert crc24q(b"") == 0
    assert crc24q(b"123456789") == 0xCDE703, "the published check value of CRC-24/LTE-A, alias CRC-24Q"
    assert crc24q(EXAMPLE) == 0


@pytest.mark.parametrize("place", range(len(EXAMPLE)))
def test_a_frame_with_any_byte_changed_is_refused(place: int) -> None:
    broken = bytearray(EXAMPLE)
    broken[place] ^= 0x10
    with pytest.raises(BadInput) as caught:
        CODEC.decode(bytes(broken))
    assert caught.value.key in ("frame.bad", "frame.checksum")


messages = st.binary(min_size=2, max_size=1023)


@given(messages)
def test_every_message_travels_unchanged(message: bytes) -> None:
    assert CODEC.decode(CODEC.encode(message)) == message


def test_a_message_that_is_too_long_is_refused() -> None:
    with refused("frame.bad"):
        CODEC.encode(bytes(1024))


@given(st.lists(messages, min_size=1, max_size=4), st.data())
def test_a_stream_cut_anywhere_gives_the_same_frames(many: list[bytes], data: st.DataObject) -> None:
    frames = [CODEC.encode(message) for message in many]
    stream = b"".join(frames)
    place = data.draw(st.integers(0, len(stream)))
    buffer, found = bytearray(), []
    for part in (stream[:place], stream[place:]):
        buffer += part
        found += CODEC.cut(buffer)
    assert found == frames
    assert not buffer


@given(st.binary(max_size=3000))
@example(b"\xd3")
@example(b"\xd3\x03\xff" * 600)
def test_random_bytes_are_cut_or_wait_and_never_lost(data: bytes) -> None:
    buffer = bytearray(data)
    frames = CODEC.cut(buffer)
    assert b"".join(frames) + bytes(buffer) == data
    assert len(buffer) <= 1029
    for frame in frames:
        try:
            message = CODEC.decode(frame)
        except BadInput:
            continue
        assert CODEC.encode(message) == frame


@given(st.binary(max_size=200))
def test_random_messages_are_read_or_refused(message: bytes) -> None:
    with suppress(BadInput):
        assert read_message(message).number == int.from_bytes(message[:2], "big") >> 4


def test_after_noise_and_broken_frames_the_next_good_one_is_found() -> None:
    broken = EXAMPLE[:10] + b"\0" + EXAMPLE[11:]
    short = EXAMPLE[:12]
    # what is short holds what looks like a preamble: its length, 520, has to come before that is known
    buffer = bytearray(b"noise" + EXAMPLE + broken + EXAMPLE + short + EXAMPLE * 22)
    good = [frame for frame in CODEC.cut(buffer) if frame == EXAMPLE]
    assert len(good) == 24
    assert not buffer


def test_a_broken_frame_that_comes_alone_does_not_wait() -> None:
    buffer = bytearray(EXAMPLE[:-1] + b"\0")
    assert CODEC.cut(buffer) == [EXAMPLE[:-1] + b"\0"]


def test_equipment() -> None:
    short = Writer().put((1007, 12), (3, 12)).text("TRM59900.00     SCIS").put((0, 8)).message()
    assert read_message(short) == Heard(1007, 3, equipment=Equipment("TRM59900.00     SCIS"))
    serial = Writer().put((1008, 12), (3, 12)).text("TRM59900.00     SCIS").put((0, 8)).text("5314354")
    assert read_message(serial.message()).equipment == Equipment("TRM59900.00     SCIS", "5314354")
    whole = Writer().put((1033, 12), (3, 12)).text("A").put((1, 8)).text("B").text("C").text("D").text("E")
    assert read_message(whole.message()).equipment == Equipment("A", "B", "C", "D", "E")


def test_an_antenna_above_its_reference_point() -> None:
    told = Writer().put((1006, 12), (1, 12), (0, 10), (10_000, 38), (0, 2), (-10_000, 38), (0, 2), (1, 38))
    position = read_message(told.put((15_432, 16)).message()).position
    assert position == Position(1.0, -1.0, 0.0001, 1.5432)


@pytest.mark.parametrize(
    ("number", "name"),
    [(1074, "GPS"), (1087, "GLONASS"), (1094, "Galileo"), (1104, "SBAS"), (1114, "QZSS"), (1124, "BeiDou")],
)
def test_satellites_of_an_msm(number: int, name: str) -> None:
    head = Writer().put((number, 12), (9, 12), (0, 49), (0xF000_0000_0000_0001, 64))
    assert read_message(head.message()) == Heard(number, 9, name, 5)


def test_satellites_of_the_old_messages() -> None:
    gps = Writer().put((1004, 12), (9, 12), (0, 31), (11, 5)).message()
    assert read_message(gps) == Heard(1004, 9, "GPS", 11)
    glonass = Writer().put((1012, 12), (9, 12), (0, 28), (7, 5)).message()
    assert read_message(glonass) == Heard(1012, 9, "GLONASS", 7)


def test_other_messages_are_counted_by_their_number() -> None:
    assert read_message(Writer().put((1230, 12), (5, 12)).message()) == Heard(1230)


@pytest.mark.parametrize(
    ("place", "told"),
    [
        ((6_378_137.0, 0.0, 0.0), (0.0, 0.0, 0.0)),
        ((0.0, 6_378_237.0, 0.0), (90.0, 0.0, 100.0)),
        ((0.0, 0.0, 6_356_752.3141 + 10), (0.0, 90.0, 10.0)),
        # GRS 80 at 30° N 114° E, 50 m, by the closed formula of the ellipsoid
        ((-2_248_562.15975, 5_050_353.299208, 3_170_398.735292), (114.0, 30.0, 50.0)),
    ],
)
def test_places_on_the_ellipsoid(place: tuple[float, float, float], told: tuple[float, float, float]) -> None:
    longitude, latitude, height = geodetic(*place)
    assert (longitude, latitude) == pytest.approx(told[:2], abs=1e-8)
    assert height == pytest.approx(told[2], abs=1e-3)


def test_an_outside_reader_agrees_with_what_is_played() -> None:
    pyrtcm = pytest.importorskip("pyrtcm", reason="pyrtcm is not installed")
    station = ReferenceStation(2003, 5)
    frames = [frame for second in range(6) for frame in station.frames(1_800_000_000 + second)]
    for frame in frames:
        theirs, ours = pyrtcm.RTCMReader.parse(frame), read_message(CODEC.decode(frame))
        assert theirs.identity == str(ours.number)
        assert theirs.DF003 == ours.station == 2003
        if ours.constellation:
            assert theirs.NSat == ours.satellites
        if ours.position:
            assert pytest.approx((ours.position.x, ours.position.y, ours.position.z), abs=1e-4) == (
                theirs.DF025,
                theirs.DF026,
                theirs.DF027,
            )
            assert pytest.approx(1.5) == theirs.DF028
    assert {read_message(CODEC.decode(frame)).number for frame in frames} == {1006, 1033, 1074, 1124}
    example_ = pyrtcm.RTCMReader.parse(EXAMPLE)
    assert (example_.identity, example_.DF003) == ("1005", 2003)

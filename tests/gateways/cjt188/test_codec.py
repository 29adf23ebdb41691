"""Frames of CJ/T 188: published ones, every cut, every damage."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.field import station
from tests.nodes import refused

from yunmeng.gateways.cjt188.codec import Frame, MeterCodec
from yunmeng.gateways.cjt188.measures import read_measures, write_volumes
from yunmeng.gateways.cjt188.session import MeterSession
from yunmeng.kernel.base import BadInput, instant_us
from yunmeng.kernel.sense import Observe

CODEC = MeterCodec()
# a question and its answer as a tutorial on these meters publishes them; there the answer ends in 08 16,
# though its sum is 13
ASK = bytes.fromhex("68 10 44 33 22 11 00 33 78 01 03 1F 90 00 80 16")
TELL = bytes.fromhex(
    "68 10 44 33 22 11 00 33 78 81 16 1F 90 00 00 77 66 55 2C 00 77 66 55 2C 31 01 22 11 05 15 20 21 84 13 16"
)
frames = st.builds(
    Frame,
    st.integers(0, 255),
    st.text("0123456789", min_size=14, max_size=14),
    st.integers(0, 255),
    st.binary(max_size=200),
)


def test_a_published_question_and_its_answer() -> None:
    assert CODEC.encode(Frame(0x10, "78330011223344", 0x01, b"\x1f\x90\x00")) == ASK
    told = CODEC.decode(TELL)
    assert (told.kind, told.address, told.function, told.from_meter) == (0x10, "78330011223344", 1, True)
    assert read_measures(told.kind, told.data[3:]) == {
        "volume": 556677.0,
        "settled": 556677.0,
        "valve": "closed",
        "battery": "good",
    }


def test_the_published_answer_has_a_wrong_checksum() -> None:
    with refused("frame.checksum"):
        CODEC.decode(TELL[:-2] + b"\x08\x16")


def test_a_replayed_answer_is_of_the_time_that_the_meter_said() -> None:
    session = MeterSession(station("cjt188", replayed=True))
    (effect,) = session.received(TELL, 0)
    assert isinstance(effect, Observe)
    (reading,) = effect.readings
    assert reading.observed_at == instant_us("2015-05-11T22:01:31+08:00")
    assert reading.series[0].entity == "urn:ngsi-ld:WaterMeter:cjt188:78330011223344"
    assert reading.values == (556677.0, 556677.0, "closed", "good")


def test_a_heat_meters_units_become_ours() -> None:
    day = bytes.fromhex("00000000 05")
    heat = bytes.fromhex("34120000 11")  # 12.34 GJ
    power, flow = bytes.fromhex("00010000 17"), bytes.fromhex("00500100 35")
    volume, clock = bytes.fromhex("78560000 2C"), bytes(7)
    body = (
        day + heat + power + flow + volume + bytes.fromhex("256500 504000") + bytes(3) + clock + b"\x04\x00"
    )
    assert read_measures(0x20, body) == {
        "heat": pytest.approx(12.34e9 / 3.6e6),
        "heat_power": 1.0,
        "flow": pytest.approx(1.5),
        "volume": 56.78,
        "supply_temperature": 65.25,
        "return_temperature": 40.50,
        "battery": "low",
    }


def test_what_the_meter_fills_with_ff_is_missing() -> None:
    body = b"\xff\xff\xff\xff\x2c" + write_volumes(1.5, 1.0, 0)[5:]
    assert read_measures(0x10, body)["volume"] is None


@pytest.mark.parametrize(
    "body",
    [b"", write_volumes(1, 1, 0)[:18], b"\x0a\x00\x00\x00\x2c" + bytes(14), bytes(4) + b"\x77" + bytes(14)],
)
def test_short_answers_letters_and_strange_units_are_refused(body: bytes) -> None:
    with refused("frame.bad"):
        read_measures(0x10, body)


@given(frames)
def test_what_is_written_is_what_is_read(frame: Frame) -> None:
    raw = CODEC.encode(frame)
    assert CODEC.decode(raw) == frame
    assert CODEC.encode(CODEC.decode(raw)) == raw


@given(st.lists(frames, max_size=4), st.integers(1, 40))
def test_frames_are_the_same_however_they_are_cut(sent: list[Frame], size: int) -> None:
    stream = b"".join(b"\xfe" * 3 + CODEC.encode(frame) for frame in sent)
    buffer, found = bytearray(), []
    for start in range(0, len(stream), size):
        buffer += stream[start : start + size]
        found += CODEC.cut(buffer)
    assert [CODEC.decode(raw) for raw in found] == sent
    assert not buffer


@given(st.binary(max_size=600))
def test_noise_never_stalls_nor_piles_up(noise: bytes) -> None:
    buffer = bytearray(noise)
    for raw in CODEC.cut(buffer):
        with suppress(BadInput):
            CODEC.decode(raw)
    assert len(buffer) <= 13 + 255


@given(frames, st.data())
def test_a_damaged_byte_is_found(frame: Frame, data: st.DataObject) -> None:
    raw = bytearray(CODEC.encode(frame))
    place = data.draw(st.integers(0, len(raw) - 1))
    raw[place] ^= data.draw(st.integers(1, 255))
    with pytest.raises(BadInput, match="CJ/T 188"):
        CODEC.decode(bytes(raw))

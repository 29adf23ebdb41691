"""Frames of DL/T 645-2007: known ones, every cut, every damage."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.nodes import refused

from yunmeng.gateways.dlt645.codec import Frame, MeterCodec
from yunmeng.gateways.dlt645.items import item, items, read_value, write_value
from yunmeng.kernel.base import BadInput

CODEC = MeterCodec()
# reading DI 00010000 of meter 123456789012, worked out by hand from §5.2 and annex A
ASK = bytes.fromhex("68 12 90 78 56 34 12 68 11 04 33 33 34 33 68 16")
TELL = bytes.fromhex("68 12 90 78 56 34 12 68 91 08 33 33 34 33 45 67 89 AB CC 16")

frames = st.builds(
    Frame,
    st.text("0123456789", min_size=12, max_size=12),
    st.integers(0, 255),
    st.binary(max_size=200),
)


def test_a_question_and_its_answer() -> None:
    assert CODEC.encode(Frame("123456789012", 0x11, item("energy_imported").wire_id)) == ASK
    told = CODEC.decode(TELL)
    assert (told.address, told.function, told.from_meter, told.failed) == ("123456789012", 0x11, True, False)
    assert read_value(item("energy_imported"), told.data[4:]) == "785634.12"


@given(frames)
def test_what_is_written_is_what_is_read(frame: Frame) -> None:
    raw = CODEC.encode(frame)
    assert CODEC.decode(raw) == frame
    assert CODEC.encode(CODEC.decode(raw)) == raw


@given(st.lists(frames, max_size=4), st.integers(1, 40))
def test_frames_are_the_same_however_they_are_cut(sent: list[Frame], size: int) -> None:
    stream = b"".join(b"\xfe" * 4 + CODEC.encode(frame) for frame in sent)
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
    assert len(buffer) <= 12 + 255


@given(frames, st.data())
def test_a_damaged_byte_is_found(frame: Frame, data: st.DataObject) -> None:
    raw = bytearray(CODEC.encode(frame))
    place = data.draw(st.integers(0, len(raw) - 1))
    raw[place] ^= data.draw(st.integers(1, 255))
    with pytest.raises(Exception, match="DL/T 645"):
        CODEC.decode(bytes(raw))


def test_a_sign_a_gap_and_letters_among_the_digits() -> None:
    power = item("active_power")
    assert read_value(power, bytes.fromhex("563492")) == "-12.3456"
    assert read_value(power, b"\xff\xff\xff") is None
    assert read_value(item("voltage_a"), bytes.fromhex("3522")) == "223.5"
    with refused("frame.bad"):
        read_value(power, bytes.fromhex("5A3402"))
    with refused("frame.bad"):
        read_value(power, b"\x01")


@pytest.mark.parametrize("name", sorted(items()))
def test_every_item_is_written_as_it_is_read(name: str) -> None:
    each = item(name)
    value = 10 ** (each.digits[0] - 1) + 0.1 if each.digits[1] else 7.0
    assert float(read_value(each, write_value(each, value)) or "nan") == pytest.approx(value)
    if each.sign:
        assert float(read_value(each, write_value(each, -1.5)) or "nan") == pytest.approx(-1.5)

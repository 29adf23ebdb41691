"""Packets of JT/T 808: escapes, checksum, headers of the editions, parts; and frames that others publish."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.nodes import refused

from yunmeng.gateways.jt808.codec import LONGEST_BODY, NO_VERSION, Jt808Codec, Packet, device_of, parts_of
from yunmeng.kernel.base import YunmengError
from yunmeng.kernel.sense import xor8

CODEC = Jt808Codec()
PHONE = bytes.fromhex("013800138000")


def decoded(frame: bytes) -> Packet | str:
    """The packet, or why it was refused."""
    try:
        return CODEC.decode(frame)
    except YunmengError as reason:
        return reason.key


def packets() -> st.SearchStrategy[Packet]:
    editions = st.one_of(
        st.tuples(st.just(NO_VERSION), st.binary(min_size=6, max_size=6)),
        st.tuples(st.integers(0, 255), st.binary(min_size=10, max_size=10)),
    )
    parts = st.one_of(
        st.just((0, 0)), st.integers(1, 0xFFFF).flatmap(lambda n: st.tuples(st.just(n), st.integers(1, n)))
    )
    word = st.integers(0, 0xFFFF)
    return st.builds(
        lambda id, edition, serial, body, part, flags: Packet(
            id, edition[1], serial, body, edition[0], flags, *part
        ),
        word,
        editions,
        word,
        st.binary(max_size=LONGEST_BODY),
        parts,
        st.sampled_from([0, 0x0400, 0x8000]),
    )


@given(packets())
def test_a_packet_comes_back_as_it_was_written(packet: Packet) -> None:
    frame = CODEC.encode(packet)
    assert frame.count(b"\x7e") == 2
    assert CODEC.cut(bytearray(frame)) == [frame]
    assert CODEC.decode(frame) == packet


@given(st.lists(st.one_of(packets().map(CODEC.encode), st.binary(max_size=30)), max_size=6), st.data())
def test_cut_anywhere_the_frames_are_the_same(pieces: list[bytes], data: st.DataObject) -> None:
    stream = b"".join(pieces) + b"\x7e"
    whole = CODEC.cut(bytearray(stream))
    places = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=8)))
    buffer, found = bytearray(), []
    for begin, end in zip([0, *places], [*places, len(stream)], strict=True):
        buffer += stream[begin:end]
        found += CODEC.cut(buffer)
    assert found == whole


@given(st.binary(max_size=300))
def test_whatever_comes_is_read_or_refused_and_read_means_the_same_bytes(data: bytes) -> None:
    for frame in CODEC.cut(bytearray(data)):
        found = decoded(frame)
        assert found in ("frame.bad", "frame.checksum") or CODEC.encode(found) == frame


@given(st.binary(min_size=2_000, max_size=3_000).map(lambda noise: noise.replace(b"\x7e", b"") * 4))
def test_noise_without_an_end_does_not_pile_up_and_is_not_lost(noise: bytes) -> None:
    buffer, found = bytearray(), []
    for start in range(0, len(noise), 700):
        buffer += noise[start : start + 700]
        found += CODEC.cut(buffer)
        assert len(buffer) <= 2 * 1041
    assert b"".join(found) + bytes(buffer) == noise


def test_one_delimiter_between_two_packets_is_enough() -> None:
    one, other = (CODEC.encode(Packet(2, PHONE, serial)) for serial in (1, 2))
    assert CODEC.cut(bytearray(one[:-1] + other)) == [one, other]


def test_the_escapes_of_the_standard() -> None:
    """Clause 4.4.2: 30 7E 08 7D 55 goes out as 30 7D 02 08 7D 01 55."""
    frame = CODEC.encode(Packet(0x0900, PHONE, 0, bytes.fromhex("307E087D55")))
    assert bytes.fromhex("307D02087D0155") in frame


def test_long_messages_are_cut_into_parts_with_consecutive_numbers() -> None:
    message = Packet(0x8103, PHONE, 0xFFFF, bytes(range(256)) * 10)
    parts = parts_of(message)
    assert [(part.total, part.number, part.serial) for part in parts] == [(3, 1, 65535), (3, 2, 0), (3, 3, 1)]
    assert {part.first_serial for part in parts} == {0xFFFF}
    assert b"".join(part.body for part in parts) == message.body
    assert parts_of(Packet(2, PHONE, 0)) == [Packet(2, PHONE, 0)]


def test_a_terminal_has_one_name_in_every_edition() -> None:
    assert device_of(PHONE) == device_of(bytes(4) + PHONE) == "13800138000"
    assert device_of(bytes(6)) == "0"


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        ("0002 0001 013800138000 0001", "0 bytes of body, 1 in the header"),
        ("0002 0000 013800138000 0001 FF", "1 bytes of body, 0 in the header"),
        ("0002 4000 013800138000 0001", "header cut off"),
        ("0002 2000 013800138000 0001 0002 0003", "part 3 of 2"),
        ("0002 2000 013800138000 0001 0000 0000", "part 0 of 0"),
        ("0002 2000 013800138000 0001 00", "header cut off"),
        ("0002", "5 bytes without a packet"),
    ],
)
def test_headers_that_cannot_be_are_refused(raw: str, reason: str) -> None:
    body = bytes.fromhex(raw)
    with refused("frame.bad") as caught:
        CODEC.decode(b"\x7e" + body + bytes((xor8(body),)) + b"\x7e")
    assert caught.value.facts["reason"] == reason


@pytest.mark.parametrize("escape", ["7D", "7D03", "7D7D01", "7D00"])
def test_escapes_that_mean_nothing_are_refused(escape: str) -> None:
    with refused("frame.bad") as caught:
        CODEC.decode(bytes.fromhex(f"7E 0002 0000 013800138000 0001 00 {escape} 7E"))
    assert caught.value.facts["reason"] == "7D without 01 or 02"


def test_a_wrong_checksum_is_told_with_the_right_one() -> None:
    frame = bytearray(CODEC.encode(Packet(2, PHONE, 1)))
    right = frame[-2]
    frame[-2] ^= 1
    with refused("frame.checksum") as caught:
        CODEC.decode(bytes(frame))
    assert caught.value.facts["expected"] == f"{right:X}"


def test_public_frames_are_read_and_broken_ones_refused() -> None:
    """Frames that others publish with their decoders; the file says where they are from and what is wrong."""
    lines = (Path(__file__).parent / "frames.txt").read_text(encoding="utf-8").splitlines()
    for line in lines:
        if not line.startswith("#"):
            text, _, expected = line.partition(" ")
            [frame] = CODEC.cut(bytearray(bytes.fromhex(text)))
            found = decoded(frame)
            assert (found if isinstance(found, str) else f"{found.id:04x}") == expected, text
            assert isinstance(found, str) or CODEC.encode(found) == frame

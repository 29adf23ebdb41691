"""Encrypted lines of HJ 212-2025: annex A.2's key and what it prints, both ways of writing, other keys."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.field import station
from tests.nodes import refused

from yunmeng.gateways.hj212.cipher import decrypt, encrypt, is_encrypted, read_key
from yunmeng.gateways.hj212.codec import Hj212Codec
from yunmeng.gateways.hj212.messages import VERSION_2025, Packet, make_packet
from yunmeng.gateways.hj212.readings import read_time
from yunmeng.gateways.hj212.session import Hj212Session
from yunmeng.kernel.base import BadInput
from yunmeng.kernel.sense import Command, DeviceRecord, Observe, Refuse, Send

MN = "010000A8900016F000169DC0"
QN = "20260520210600000"
AT = read_time(QN)
KEY = b"0" * 16
"""The key of annex A.2: sixteen times 0x30."""
FACTORS = "DataTime=20240520210600;a21026-Rtd=1.1,a21026-Flag=N;a34013-Rtd=2,a34013-Flag=N"
CODEC = Hj212Codec(keys={MN: KEY}.get)


def line(
    cp: str = FACTORS, *, written: bool = False, counts_plain: bool = False, cn: str = "2011", flag: int = 9
) -> bytes:
    plain = make_packet(cn, MN, qn=QN, st="31", pw="123456", flag=flag, cp=cp).data
    data = encrypt(plain, KEY, written=written)
    return CODEC.encode(Packet(data, plain=plain, counted=len(plain) if counts_plain else -1))


WAYS = {
    "bytes": line(),
    "written, counted as plain, as annex A.2 prints it": line(written=True, counts_plain=True),
    "written, counted as it is": line(written=True),
}


def test_the_first_bytes_are_those_that_annex_a2_prints() -> None:
    region = WAYS["written, counted as it is"].partition(b"CP=&&")[2]
    assert region.startswith(b"{0xE4,0x3E,")
    # 16 bytes at a time; what is left over stays plain behind the brace
    left = len(FACTORS) % 16
    assert region.partition(b"}")[2][:left] == FACTORS[-left:].encode()
    assert region.count(b"0x") == len(FACTORS) - left


@pytest.mark.parametrize("way", WAYS)
def test_encrypted_lines_are_cut_read_and_written_the_same(way: str) -> None:
    frame = WAYS[way]
    for place in range(len(frame)):
        buffer, frames = bytearray(frame[:place]), list[bytes]()
        frames += CODEC.cut(buffer)
        buffer += frame[place:] + WAYS["bytes"]
        assert frames + CODEC.cut(buffer) == [frame, WAYS["bytes"]]
    packet = CODEC.decode(frame)
    assert (packet.mn, packet.cp, packet.version) == (MN, FACTORS, VERSION_2025)
    assert CODEC.encode(packet) == frame


def test_checksum_and_length_are_those_of_the_plain_line() -> None:
    plain = CODEC.encode(make_packet("2011", MN, qn=QN, st="31", pw="123456", flag=9, cp=FACTORS))
    for way in ("bytes", "written, counted as plain, as annex A.2 prints it"):
        assert (WAYS[way][:6], WAYS[way][-6:]) == (plain[:6], plain[-6:])


@pytest.mark.parametrize("way", WAYS)
def test_without_the_key_or_with_another_nothing_is_read(way: str) -> None:
    with refused("frame.bad") as caught:
        Hj212Codec().decode(WAYS[way])
    assert "no key of" in str(caught.value)
    with refused("frame.checksum"):
        Hj212Codec(keys={MN: b"1" * 16}.get).decode(WAYS[way])


def test_only_the_edition_of_2025_is_encrypted() -> None:
    with refused("frame.checksum"):
        CODEC.decode(line(flag=5))


def test_a_damaged_plain_line_is_no_encrypted_one() -> None:
    plain = CODEC.encode(make_packet("2011", MN, qn=QN, flag=9, cp=FACTORS)).replace(b"=1.1", b"=1.2")
    for codec in (CODEC, Hj212Codec()):
        with refused("frame.checksum"):
            codec.decode(plain)


@given(st.binary(max_size=100), st.booleans())
def test_what_is_encrypted_can_be_read(region: bytes, written: bool) -> None:
    data = b"MN=1;CP=&&" + region + b"&&"
    if not is_encrypted(data):
        assert decrypt(encrypt(data, KEY, written=written), KEY) == data


@given(st.binary(max_size=200))
def test_no_bytes_break_the_reader(noise: bytes) -> None:
    body = b"MN=" + MN.encode() + b";Flag=9;CP=&&" + noise + b"&&"
    try:
        packet = CODEC.decode(b"##%04d" % len(body) + body + b"0000\r\n")
    except BadInput:
        return
    assert packet.data == body


@pytest.mark.parametrize(("text", "key"), [("0" * 16, KEY), ("30" * 16, KEY), ("abcdefghijklmnop", None)])
def test_a_key_is_sixteen_characters_or_32_digits(text: str, key: bytes | None) -> None:
    assert read_key(text) == (key or text.encode())


@pytest.mark.parametrize("text", ["", "short", "g" * 32, "水" * 16])
def test_no_other_key_is_taken(text: str) -> None:
    with refused("sense.option"):
        read_key(text)


def _session(tmp_path: Path) -> Hj212Session:
    file = tmp_path / "key"
    file.write_text("0" * 16 + "\n", encoding="utf-8")
    return Hj212Session(station("hj212", DeviceRecord("hj212", MN, options={"sm4": f"file:{file}"})))


def test_data_is_kept_and_a_new_key_goes_out_encrypted(tmp_path: Path) -> None:
    session = _session(tmp_path)
    effects = list(session.received(line(written=True, counts_plain=True), AT))
    (kept,) = [each for each in effects if isinstance(each, Observe)]
    assert b"CN=9014" in kept.reply
    arguments = {"SKCreateTime": "20260520000000", "NewSK": "fedcba9876543210"}
    (sent,) = [
        each for each in session.command(Command("1", MN, "set-key", arguments), AT) if isinstance(each, Send)
    ]
    assert b"fedcba" not in sent.data
    assert b"CP=&&{0x" in sent.data
    asked = CODEC.decode(sent.data)
    assert asked.cp == "SKCreateTime=20260520000000;NewSK=fedcba9876543210"
    assert asked.counted == len(asked.plain)
    (clear,) = [
        each for each in session.command(Command("2", MN, "get-time", {}), AT) if isinstance(each, Send)
    ]
    assert CODEC.decode(clear.data).plain == b""


def test_a_key_that_is_not_there_refuses_the_line(tmp_path: Path) -> None:
    session = _session(tmp_path)
    (tmp_path / "key").unlink()
    (effect,) = session.received(line(), AT)
    assert isinstance(effect, Refuse)
    assert effect.reason.key == "frame.bad"

"""Lines of HJ 212: the standard's own example, its checksum, cutting anywhere, text that is no ASCII."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.nodes import refused

from yunmeng.gateways.hj212.checksum import crc16_hj212
from yunmeng.gateways.hj212.codec import Hj212Codec
from yunmeng.gateways.hj212.messages import make_packet
from yunmeng.kernel.base import YunmengError
from yunmeng.kernel.sense import crc16_modbus

# annex A prints this line, and its checksum once as 1C80 and once as 1C08: the first is right
EXAMPLE = (
    b"##0101QN=20160801085857223;ST=32;CN=1062;PW=100000;MN=010000A8900016F000169DC0;Flag=5;"
    b"CP=&&RtdInterval=30&&1C80\r\n"
)
PUBLISHED = [
    EXAMPLE,
    # lines of data loggers, as their users publish them; two write the checksum in small letters
    b"##0139ST=32;CN=2011;PW=123456;MN=LD130133000015;CP=&&DataTime=20160824003817000;B01-Rtd=36.91;011-Rtd=231.0"
    b",011-Flag=N;060-Rtd=1.803,060-Flag=N&&4980\r\n",
    b"##0109ST=32;CN=2011;PW=123456;MN=NJGDKYYC202101q0001w0001;CP=&&DataTime=20210305003817000;ele01-Rtd=1;"
    b"ele02-Rtd=0&&8c41\r\n",
]

texts = st.text(
    st.characters(codec="utf-8", exclude_characters="#&\r\n", exclude_categories=("C",)), max_size=60
)
lines = st.builds(
    lambda cn, mn, cp, flag: Hj212Codec().encode(make_packet(cn, mn, cp=cp, flag=flag)),
    cn=st.from_regex(r"[0-9]{4}", fullmatch=True),
    mn=st.from_regex(r"[0-9A-F]{24}", fullmatch=True),
    cp=texts,
    flag=st.integers(0, 255),
)


@pytest.mark.parametrize("line", PUBLISHED)
def test_published_lines_are_read_and_written_the_same(line: bytes) -> None:
    codec = Hj212Codec()
    assert codec.encode(codec.decode(line)) == line


def test_what_the_example_says() -> None:
    packet = Hj212Codec().decode(EXAMPLE)
    assert (packet.qn, packet.st, packet.cn, packet.pw) == ("20160801085857223", "32", "1062", "100000")
    assert (packet.mn, packet.flag, packet.version, packet.cp) == (
        "010000A8900016F000169DC0",
        5,
        4,
        "RtdInterval=30",
    )


def test_the_other_checksum_of_the_standards_text_is_refused() -> None:
    with refused("frame.checksum"):
        Hj212Codec().decode(EXAMPLE.replace(b"1C80", b"1C08"))


@given(st.binary(max_size=700))
def test_the_checksum_is_that_of_annex_a_and_not_that_of_modbus(data: bytes) -> None:
    register = 0xFFFF
    for byte in data:
        register = (register >> 8) ^ byte
        for _ in range(8):
            register = (register >> 1) ^ 0xA001 if register & 1 else register >> 1
    assert crc16_hj212(data) == register


def test_modbus_would_find_another_checksum() -> None:
    assert crc16_modbus(EXAMPLE[6:-6]) != crc16_hj212(EXAMPLE[6:-6]) == 0x1C80


@given(st.lists(lines, min_size=1, max_size=4), st.data())
def test_lines_cut_anywhere_are_the_same_lines(sent: list[bytes], data: st.DataObject) -> None:
    codec, buffer, heard = Hj212Codec(), bytearray(), []
    stream = b"".join(sent)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=6)))
    for start, end in zip([0, *cuts], [*cuts, len(stream)], strict=True):
        buffer += stream[start:end]
        heard += codec.cut(buffer)
    assert heard == sent
    assert not buffer
    assert [codec.encode(codec.decode(line)) for line in heard] == sent


@given(st.binary(max_size=300) | st.text("#0123456789ABCDEF\r\n&", max_size=60).map(str.encode), st.data())
def test_noise_is_refused_whole_and_later_lines_are_heard(noise: bytes, data: st.DataObject) -> None:
    codec, buffer, heard = Hj212Codec(), bytearray(), []
    # what looks like the begin of a line may take a whole line's length with it
    stream = noise + EXAMPLE * 100
    places = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=5)))
    for start, end in zip([0, *places], [*places, len(stream)], strict=True):
        buffer += stream[start:end]
        heard += codec.cut(buffer)
        assert len(buffer) <= 10_100
    assert b"".join(heard) + bytes(buffer) == stream
    assert heard[-1] == EXAMPLE
    for line in heard:
        if line != EXAMPLE:
            with pytest.raises(YunmengError) as caught:
                codec.decode(line)
            assert caught.value.key in ("frame.bad", "frame.checksum")


@pytest.mark.parametrize("encoding", ["utf-8", "gb18030"])
def test_chinese_text_is_read_in_both_codings(encoding: str) -> None:
    """2017 writes UTF-8 (clause 6.3); loggers in the field write GBK as well."""
    data = "ST=32;CN=3020;PW=123456;MN=A1;Flag=4;CP=&&i11001-Info=//清洗管路//&&".encode(encoding)
    codec = Hj212Codec()
    line = b"##%04d" % len(data) + data + b"%04X\r\n" % crc16_hj212(data)
    assert codec.cut(bytearray(line)) == [line]
    packet = codec.decode(line)
    assert packet.cp == "i11001-Info=//清洗管路//"
    assert codec.encode(packet) == line


def test_a_length_may_count_characters() -> None:
    text = "ST=32;CN=3020;PW=123456;MN=A1;Flag=4;CP=&&i11001-Info=//清洗管路//&&"
    data = text.encode()
    line = b"##%04d" % len(text) + data + b"%04X\r\n" % crc16_hj212(data)
    codec = Hj212Codec()
    assert codec.cut(bytearray(line + EXAMPLE)) == [line, EXAMPLE]
    assert codec.encode(codec.decode(line)) == line


def test_lines_without_an_end() -> None:
    bare = EXAMPLE[:-2]
    assert Hj212Codec().cut(bytearray(bare + EXAMPLE)) == [bare, EXAMPLE]
    buffer = bytearray(bare)
    assert Hj212Codec().cut(buffer) == []
    assert Hj212Codec("bare").cut(buffer) == [bare]
    assert Hj212Codec().cut(bytearray(bare + b"\n" + EXAMPLE)) == [bare + b"\n", EXAMPLE]
    for line in (bare, bare + b"\n"):
        assert Hj212Codec().encode(Hj212Codec().decode(line)) == line
    with refused("sense.option"):
        Hj212Codec("other")


@pytest.mark.parametrize("length", [b"0100", b"0102", b"0099", b"0300"])
def test_a_wrong_length_spoils_one_line_only(length: bytes) -> None:
    codec, line = Hj212Codec(), EXAMPLE.replace(b"0101", length, 1)
    heard = codec.cut(bytearray(line + EXAMPLE))
    assert b"".join(heard) == line + EXAMPLE
    assert heard[-1] == EXAMPLE
    for broken in heard[:-1]:
        with pytest.raises(YunmengError):
            codec.decode(broken)


@pytest.mark.parametrize(
    "data",
    [
        b"CN=2011;CP=&&&&",
        b"MN=A1;CP=&&&&",
        b"CN=2011;MN=A1;",
        b"CN=2011;MN=A1;CP=&&a=1",
        b"CN=1;MN=A1;Flag=x;CP=&&&&",
    ],
)
def test_a_segment_that_breaks_its_form_is_refused(data: bytes) -> None:
    with refused("frame.bad"):
        Hj212Codec().decode(b"##%04d" % len(data) + data + b"%04X\r\n" % crc16_hj212(data))

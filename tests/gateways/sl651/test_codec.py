"""Frames of SL 651: published ones, their cutting anywhere, and that what was read is written the same."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.nodes import refused

from yunmeng.gateways.sl651.codec import Sl651Codec
from yunmeng.gateways.sl651.messages import ENDS, ETX, Frame
from yunmeng.kernel.base import YunmengError

# Frames that stations sent, as makers and users of such stations publish them.
PUBLISHED = [
    "7E7E01001234567812342F0008020003591011155111036BCA",
    "7E7E00987654321012342F0008027E0822101110074703C3AE",
    "7E7E010012345678123430002B020003591011154947F1F1001234567848F0F0591011154920190000052619000005392300000127"
    "381211150320FA",
    "7E7E05001122334403E832002B020034170718110016F1F1001122334448F0F017071811002019000040261900004039230001049"
    "03812109903A421",
    "7E7E05001122334403E8340068020033170718110014F1F1001122334448F0F01707181005F4600500000014FFFFFFFFFF0000F0F"
    "017071811002619000040F0F01707181005F5C0000C000C001C00310031FFFFFFFFFFFFFFFFFFFF00310031F0F017071811003923"
    "0001049020190000403812109903F502",
    "7E7E0100123456781234390011020014170718100630F2F25120312E3233340346AA",
    "7E7E05001122334403E83A0025020037170718110226F1F1001122334448F0F01707181005F4600500000014FFFFFFFFFF00000307"
    "4E",
    "7E7E0500112233441234460015020023170718102008F1F100112233444520000004000315C1",
    # the centre's confirmation, which asks the station to stay
    "7E7E00123456780112343080080200035910111549471B75D4",
]
BROKEN = [
    # two published frames whose checksum does not hold
    "7e7e010011111112000032002b02002b200321153057f1f1001111111248f0f020032115303922000098362019000000261900000038"
    "122400037b54",
    "7E7E0100123456781234350011020004591011155145F2F251312E32333420034602",
]
LINK = bytes.fromhex(PUBLISHED[0])

stations = st.from_regex(r"[0-9]{10}", fullmatch=True)
packets = st.integers(1, 4095).flatmap(lambda total: st.tuples(st.just(total), st.integers(1, total)))
frames = st.builds(
    lambda packet, coding, **rest: Frame(
        total=packet[0], number=packet[1], ascii=coding != "hex", lower=coding == "lower", **rest
    ),
    packet=st.just((0, 0)) | packets,
    coding=st.sampled_from(["hex", "upper", "lower"]),
    station=stations,
    function=st.integers(0, 255),
    body=st.binary(min_size=1, max_size=300),
    centre=st.integers(0, 255),
    password=st.integers(0, 65_535),
    down=st.booleans(),
    end=st.sampled_from(sorted(ENDS)),
)


@pytest.mark.parametrize("text", PUBLISHED)
def test_published_frames_are_read_and_written_the_same(text: str) -> None:
    codec, frame = Sl651Codec(), bytes.fromhex(text)
    assert codec.encode(codec.decode(frame)) == frame


@pytest.mark.parametrize("text", BROKEN)
def test_published_frames_with_a_wrong_checksum_are_refused(text: str) -> None:
    with refused("frame.checksum"):
        Sl651Codec().decode(bytes.fromhex(text))


def test_what_a_header_says() -> None:
    frame = Sl651Codec().decode(bytes.fromhex(PUBLISHED[3]))
    assert (frame.centre, frame.station, frame.password) == (5, "0011223344", 0x03E8)
    assert (frame.function, frame.down, frame.end, frame.total) == (0x32, False, ETX, 0)
    assert len(frame.body) == 0x2B


@given(frames)
def test_every_frame_comes_back(frame: Frame) -> None:
    codec = Sl651Codec()
    written = codec.encode(frame)
    # letters in small only show where there are letters
    read = codec.decode(written)
    assert codec.encode(read) == written
    assert (read.station, read.body, read.total, read.number) == (
        frame.station,
        frame.body,
        frame.total,
        frame.number,
    )
    assert (read.centre, read.password, read.function, read.down, read.end) == (
        frame.centre,
        frame.password,
        frame.function,
        frame.down,
        frame.end,
    )


@given(st.lists(frames, min_size=1, max_size=4), st.data())
def test_frames_cut_anywhere_are_the_same_frames(sent: list[Frame], data: st.DataObject) -> None:
    codec, buffer = Sl651Codec(), bytearray()
    written = [codec.encode(frame) for frame in sent]
    stream, heard = b"".join(written), []
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=6)))
    for start, end in zip([0, *cuts], [*cuts, len(stream)], strict=True):
        buffer += stream[start:end]
        heard += codec.cut(buffer)
    assert heard == written
    assert not buffer


@given(st.binary(max_size=400), st.lists(st.integers(0, 400), max_size=5))
def test_noise_is_refused_whole_and_the_next_frame_is_heard(noise: bytes, cuts: list[int]) -> None:
    codec, buffer, heard = Sl651Codec(), bytearray(), []
    # what looks like the begin of a frame may take up to the longest frame with it
    stream = noise + LINK * 400
    places = sorted({min(cut, len(stream)) for cut in cuts})
    for start, end in zip([0, *places], [*places, len(stream)], strict=True):
        buffer += stream[start:end]
        heard += codec.cut(buffer)
        assert len(buffer) < 4200
    assert b"".join(heard) + bytes(buffer) == stream
    assert heard[-1] == LINK
    for frame in heard:
        if frame != LINK:
            with pytest.raises(YunmengError) as caught:
                codec.decode(frame)
            assert caught.value.key in ("frame.bad", "frame.checksum")


def test_bytes_after_the_checksum_belong_to_the_frame_in_that_dialect() -> None:
    codec = Sl651Codec("tail-2")
    buffer = bytearray(LINK + b"\r\n" + LINK + b"\x00\x01")
    first, second = codec.cut(buffer)
    assert (codec.decode(first).tail, codec.decode(second).tail) == (b"\r\n", b"\x00\x01")
    assert codec.encode(codec.decode(first)) == first
    # without the dialect they are no part of any frame
    assert Sl651Codec().cut(bytearray(LINK + b"\r\n" + LINK)) == [LINK, b"\r\n", LINK]


def test_a_checksum_with_its_low_byte_first() -> None:
    codec = Sl651Codec("crc-little,tail-1")
    frame = LINK[:-2] + b"\xca\x6b" + b"\x99"
    assert codec.encode(codec.decode(frame)) == frame
    with refused("frame.checksum"):
        Sl651Codec("tail-1").decode(frame)


@pytest.mark.parametrize("dialect", ["tail-", "tail-65", "other"])
def test_an_unknown_dialect_is_refused(dialect: str) -> None:
    with refused("sense.option"):
        Sl651Codec(dialect)


@pytest.mark.parametrize(
    ("at", "byte"), [(11, 0x10), (13, 0x04), (len(LINK) - 3, 0x00)], ids=["direction", "start", "end"]
)
def test_a_frame_that_breaks_its_form_is_refused(at: int, byte: int) -> None:
    frame = bytearray(LINK)
    frame[at] = byte
    with refused("frame.bad"):
        Sl651Codec().decode(bytes(frame))


def test_packets_beyond_their_total_are_refused() -> None:
    codec = Sl651Codec()
    written = codec.encode(Frame("0012345678", 0x36, b"x", total=2, number=3))
    with refused("frame.bad"):
        codec.decode(written)

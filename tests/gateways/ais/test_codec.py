"""Sentences of NMEA 0183: cut anywhere, written as they were read; and traffic that others publish."""

from itertools import chain
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.nodes import refused

from yunmeng.gateways.ais.codec import LONGEST, AisCodec, tagged
from yunmeng.gateways.ais.decoding import read_message
from yunmeng.gateways.ais.messages import Foreign, Sentence
from yunmeng.kernel.base import YunmengError

pytest.importorskip("pyais", reason="the extra `ais` is not installed")
CODEC = AisCodec()
AT = 1_782_000_000_000_000
PUBLISHED = [
    line.rpartition(" = ")[::2]
    for line in Path(__file__).with_name("frames.txt").read_text().splitlines()
    if not line.startswith("#")
]
ALPHABET = "".join(map(chr, chain(range(48, 88), range(96, 120))))


def sentences() -> st.SearchStrategy[Sentence]:
    plain = st.text("abcXYZ019.-:_ ", max_size=12)
    made = st.builds(
        Sentence,
        st.text(ALPHABET, max_size=82),
        st.text("ABIS", min_size=2, max_size=2),
        st.sampled_from(["VDM", "VDO"]),
        st.just(9),
        st.integers(1, 9),
        st.sampled_from(["", "0", "9", "123"]),
        st.sampled_from(["", "A", "B", "1"]),
        st.integers(0, 5),
        tail=st.one_of(st.just(""), plain.map(lambda text: f",{text}")),
    )
    return st.one_of(made, st.builds(lambda each, s: tagged(each, s=s, c=AT // 10**6), made, plain))


def outcome_of(frame: bytes) -> str:
    try:
        CODEC.decode(frame)
    except YunmengError as reason:
        return reason.key
    return ""


def result(frames: str) -> str:
    try:
        said = read_message([CODEC.decode(frame.encode()) for frame in frames.split()], AT)
    except YunmengError as reason:
        return reason.key
    return f"{said.type} {said.mmsi} {said.kind}"


@pytest.mark.parametrize(("frames", "outcome"), PUBLISHED)
def test_published_traffic_is_read_or_refused(frames: str, outcome: str) -> None:
    assert result(frames) == outcome


def test_published_traffic_has_every_type() -> None:
    assert {outcome.split()[0] for _, outcome in PUBLISHED} >= {str(number) for number in range(1, 28)}


@pytest.mark.parametrize("frames", [frames for frames, outcome in PUBLISHED if outcome[:5] != "frame"])
def test_published_sentences_are_written_to_the_byte(frames: str) -> None:
    for frame in frames.split():
        assert CODEC.encode(CODEC.decode(frame.encode())).decode() == frame


@given(sentences())
def test_a_sentence_comes_back_as_it_was_written(sentence: Sentence) -> None:
    frame = CODEC.encode(sentence)
    read = CODEC.decode(frame)
    assert CODEC.encode(read) == frame
    assert isinstance(read, Sentence)
    assert (read.payload, read.number, read.fill, read.tags) == (
        sentence.payload,
        sentence.number,
        sentence.fill,
        sentence.tags,
    )


@given(st.lists(sentences(), max_size=4), st.sampled_from([b"\r\n", b"\n", b"\r"]), st.data())
def test_lines_are_the_same_wherever_the_stream_is_cut(
    many: list[Sentence], end: bytes, data: st.DataObject
) -> None:
    frames = [CODEC.encode(each) for each in many]
    stream = b"".join(frame + end for frame in frames)
    place = data.draw(st.integers(0, len(stream)))
    buffer = bytearray(stream[:place])
    found = CODEC.cut(buffer)
    buffer += stream[place:]
    assert found + CODEC.cut(buffer) == frames
    assert not buffer


@given(st.one_of(st.binary(max_size=300), st.text("\\!$*,AB01\r\n", max_size=80).map(str.encode)), st.data())
def test_noise_is_cut_the_same_and_never_crashes(noise: bytes, data: st.DataObject) -> None:
    place = data.draw(st.integers(0, len(noise)))
    whole, buffer = bytearray(noise), bytearray(noise[:place])
    expected, found = CODEC.cut(whole), CODEC.cut(buffer)
    buffer += noise[place:]
    assert found + CODEC.cut(buffer) == expected
    assert buffer == whole
    assert {outcome_of(frame) for frame in expected} <= {"", "frame.bad", "frame.checksum"}


def test_what_never_ends_is_cut_all_the_same() -> None:
    buffer = bytearray(b"x" * (3 * LONGEST + 7))
    assert [len(frame) for frame in CODEC.cut(buffer)] == [LONGEST] * 3
    assert len(buffer) == 7


def test_sentences_without_ends_of_lines_are_told_apart() -> None:
    """Datagrams hold sentences back to back, with and without tag blocks."""
    first = CODEC.encode(Sentence("1", tail=""))
    second = CODEC.encode(tagged(Sentence("2"), s="wuhan", g="1-2-7"))
    buffer = bytearray(first + second + first + b"\n")
    assert CODEC.cut(buffer) == [first, second, first]


@pytest.mark.parametrize(
    ("frame", "key"),
    [
        (b"!AIVDM,1,1,,A,13HOI:0P0000VOHLCnHQKwvL05Ip,0*24", "frame.checksum"),
        (b"\\s:r1,c:1671533231*00\\!AIVDM,1,1,,A,13HOI:0P0000VOHLCnHQKwvL05Ip,0*23", "frame.checksum"),
        (b"\\s:r1,c:1671533231\\!AIVDM,1,1,,A,13HOI:0P0000VOHLCnHQKwvL05Ip,0*23", "frame.bad"),
        (b"!AIVDM,1,1,,A,13HOI:0P0000VOHLCnHQKwvL05Ip,0", "frame.bad"),
        (b"!AIVDM,1,2,,A,13HOI:0P0000VOHLCnHQKwvL05Ip,0*20", "frame.bad"),
        (b"!AIVDM,1,1,,A,13HOI:0P0000VOHLCnHQKwvL05Ip,6*25", "frame.bad"),
        (b"# a remark", "frame.bad"),
        (b"!AIVDM,1,1,,A,\xff,0*23", "frame.bad"),
    ],
)
def test_broken_sentences_are_refused(frame: bytes, key: str) -> None:
    with refused(key):
        CODEC.decode(frame)


def test_sentences_of_other_kinds_are_let_by() -> None:
    stamp = b"$PGHP,1,2008,5,9,0,0,0,10,338,2,,1,09*17"
    assert CODEC.decode(stamp) == Foreign(stamp.decode())
    assert CODEC.encode(Foreign(stamp.decode())) == stamp

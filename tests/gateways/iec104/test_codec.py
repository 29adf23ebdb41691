"""APDUs and ASDUs against the figures of the standard, and against bytes that are none."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.nodes import refused

from yunmeng.gateways.iec104.apci import (
    Apdu,
    Function,
    Iec104Codec,
    Numbered,
    Supervisory,
    Unnumbered,
)
from yunmeng.gateways.iec104.asdu import Asdu, Cause, Item, Shape, read_asdu, write_asdu
from yunmeng.gateways.iec104.types import LAST_MONITORED, TYPES
from yunmeng.kernel.base import BadInput

CODEC, SHAPE = Iec104Codec(), Shape()

# figures 6 to 8 of 104, then whole APDUs as 101 lays out their ASDUs
FRAMES: list[tuple[str, Apdu]] = [
    ("680407000000", Unnumbered(Function.STARTDT_ACT)),
    ("68040B000000", Unnumbered(Function.STARTDT_CON)),
    ("680413000000", Unnumbered(Function.STOPDT_ACT)),
    ("680423000000", Unnumbered(Function.STOPDT_CON)),
    ("680443000000", Unnumbered(Function.TESTFR_ACT)),
    ("680483000000", Unnumbered(Function.TESTFR_CON)),
    ("680401000200", Supervisory(1)),
    ("68040100FEFF", Supervisory(32_767)),
    ("680E0000000064010600010000000014", Numbered(0, 0, bytes.fromhex("64010600010000000014"))),
    ("680E0200FEFF64010A00010000000014", Numbered(1, 32_767, bytes.fromhex("64010A00010000000014"))),
]


@pytest.mark.parametrize(("octets", "message"), FRAMES)
def test_the_three_formats_are_read_and_written(octets: str, message: Apdu) -> None:
    frame = bytes.fromhex(octets)
    assert CODEC.decode(frame) == message
    assert CODEC.encode(message) == frame


@pytest.mark.parametrize(
    "octets",
    [
        "680403000000",  # a U frame without a function
        "68040F000000",  # with two
        "680407010000",
        "680401010000",  # an S frame has nothing in its second octet
        "680401000100",  # and an even third
        "680400000000",  # an I frame without an ASDU
        "68050100000000",  # an S frame with something behind it
        "6805000001000A",  # an I frame whose N(R) is odd
        "690407000000",
        "6804070000",
        "",
    ],
)
def test_what_is_no_apdu_is_refused(octets: str) -> None:
    with refused("frame.bad"):
        CODEC.decode(bytes.fromhex(octets))


ASDUS: list[tuple[str, Asdu]] = [
    # 64 = C_IC_NA_1, activation, station 1, object 0, QOI 20
    ("64010600010000000014", Asdu(100, Cause.ACTIVATION, 1, (Item(0, b"\x14"),))),
    # a sequence of two single points from 1 on
    ("018214000100010000 0110", Asdu(1, 20, 1, (Item(1, b"\x01"), Item(2, b"\x10")), sequence=True)),
]


def test_an_interrogation_has_the_layout_of_the_standard() -> None:
    octets, asdu = ASDUS[0]
    assert read_asdu(bytes.fromhex(octets), SHAPE) == asdu
    assert write_asdu(asdu, SHAPE) == bytes.fromhex(octets)


def test_a_sequence_counts_its_addresses_up() -> None:
    octets, asdu = ASDUS[1]
    assert read_asdu(bytes.fromhex(octets), SHAPE) == asdu


def test_objects_with_addresses_and_the_bits_of_the_cause() -> None:
    data = bytes.fromhex("0902C307FF00" + "010400" + "004000" + "020400" + "00C080")
    asdu = read_asdu(data, SHAPE)
    assert asdu == Asdu(
        9,
        3,
        255,
        (Item(0x401, bytes.fromhex("004000")), Item(0x402, bytes.fromhex("00C080"))),
        negative=True,
        test=True,
        originator=7,
    )
    assert write_asdu(asdu, SHAPE) == data


def test_short_addresses_of_a_101_dialect() -> None:
    short = Shape(1, 1, 2)
    data = bytes.fromhex("01010305010001")
    asdu = read_asdu(data, short)
    assert asdu == Asdu(1, 3, 5, (Item(1, b"\x01"),))
    assert write_asdu(asdu, short) == data


@pytest.mark.parametrize(
    ("octets", "reason"),
    [
        ("6401060001", "5 bytes"),
        ("7A01060001000000000000000000", "type 122"),
        ("640106000100000000", "objects"),
        ("6401060001000000001400", "objects"),
        ("64000600010000000014", "objects"),
        ("64810600010000000014", "C_IC_NA_1 as a sequence"),
        ("018214000100FFFFFF0110", "addresses"),
    ],
)
def test_what_is_no_asdu_is_refused_with_the_reason(octets: str, reason: str) -> None:
    with refused("frame.bad") as caught:
        read_asdu(bytes.fromhex(octets), SHAPE)
    assert reason in str(caught.value.facts["reason"])


def test_every_type_of_104_has_its_size() -> None:
    sizes = {
        1: 1,
        3: 1,
        5: 2,
        7: 5,
        9: 3,
        11: 3,
        13: 5,
        15: 5,
        20: 5,
        21: 2,
        30: 8,
        31: 8,
        32: 9,
        33: 12,
        34: 10,
        35: 10,
        36: 12,
        37: 12,
        38: 10,
        39: 11,
        40: 11,
        45: 1,
        46: 1,
        47: 1,
        48: 3,
        49: 3,
        50: 5,
        51: 4,
        58: 8,
        59: 8,
        60: 8,
        61: 10,
        62: 10,
        63: 12,
        64: 11,
        70: 1,
        100: 1,
        101: 1,
        102: 0,
        103: 7,
        104: 2,
        105: 1,
        106: 2,
        107: 9,
        110: 3,
        111: 3,
        112: 5,
        113: 1,
    }
    assert {number: known.size for number, known in TYPES.items()} == sizes


@st.composite
def asdus(draw: st.DrawFn) -> Asdu:
    number = draw(st.sampled_from(sorted(TYPES)))
    known = TYPES[number]
    sequence = number <= LAST_MONITORED and draw(st.booleans())
    most = min(127, (240 // (known.size + 3)))
    count = draw(st.integers(1, most))
    data = [draw(st.binary(min_size=known.size, max_size=known.size)) for _ in range(count)]
    first = draw(st.integers(0, (1 << 24) - 128))
    addresses = [first + n if sequence else draw(st.integers(0, (1 << 24) - 1)) for n in range(count)]
    items = tuple(map(Item, addresses, data))
    octet = st.integers(0, 255)
    return Asdu(
        number,
        draw(st.integers(0, 63)),
        draw(st.integers(0, 65_535)),
        items,
        sequence,
        draw(st.booleans()),
        draw(st.booleans()),
        draw(octet),
    )


@given(asdus(), st.integers(0, 32_767), st.integers(0, 32_767))
def test_every_asdu_travels_unchanged(asdu: Asdu, send: int, receive: int) -> None:
    data = write_asdu(asdu, SHAPE)
    frame = CODEC.encode(Numbered(send, receive, data))
    message = CODEC.decode(frame)
    assert message == Numbered(send, receive, data)
    assert read_asdu(data, SHAPE) == asdu


@given(st.binary(max_size=300))
def test_what_is_read_is_written_byte_by_byte(data: bytes) -> None:
    buffer = bytearray(data)
    frames = CODEC.cut(buffer)
    assert b"".join(frames) + bytes(buffer) == data, "nothing is lost"
    assert len(buffer) <= 255
    for frame in frames:
        try:
            message = CODEC.decode(frame)
        except BadInput:
            continue
        assert CODEC.encode(message) == frame
        if isinstance(message, Numbered):
            _written_back(message.asdu)


@given(st.sampled_from(sorted(TYPES)), st.binary(max_size=248))
def test_random_objects_of_a_type_are_read_whole_or_refused(type: int, rest: bytes) -> None:
    _written_back(bytes((type,)) + rest)


def _written_back(data: bytes) -> None:
    try:
        asdu = read_asdu(data, SHAPE)
    except BadInput:
        return
    assert write_asdu(asdu, SHAPE) == data


@given(st.lists(asdus(), min_size=1, max_size=4), st.data())
def test_a_stream_cut_anywhere_gives_the_same_frames(many: list[Asdu], data: st.DataObject) -> None:
    frames = [CODEC.encode(Numbered(n, 0, write_asdu(asdu, SHAPE))) for n, asdu in enumerate(many)]
    stream = b"".join([*frames, CODEC.encode(Supervisory(3))])
    place = data.draw(st.integers(0, len(stream)))
    buffer, found = bytearray(), []
    for part in (stream[:place], stream[place:]):
        buffer += part
        found += CODEC.cut(buffer)
    assert found == [*frames, CODEC.encode(Supervisory(3))]
    assert not buffer


def test_a_megabyte_without_a_start_leaves_nothing_behind() -> None:
    buffer = bytearray(1 << 20)
    assert sum(map(len, CODEC.cut(buffer))) == 1 << 20
    assert not buffer
    buffer = bytearray(b"\x68\xff" * 50_000)
    assert sum(map(len, CODEC.cut(buffer))) + len(buffer) == 100_000
    assert len(buffer) <= 255

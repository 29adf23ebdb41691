"""Heads and chunks of NTRIP, cut anywhere."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.nodes import refused

from yunmeng.gateways.ntrip.http import Chunks, chunk, head_end, read_request, read_response
from yunmeng.gateways.ntrip.nmea import Fix, read_gga, write_gga
from yunmeng.kernel.base import BadInput


def test_the_requests_of_both_revisions() -> None:
    rover = read_request(b"GET /WUHN HTTP/1.0\r\nUser-Agent: NTRIP x\r\nAuthorization: Basic YTpi\r\n\r\n")
    assert (rover.method, rover.mount, rover.revision, rover.credentials()) == ("GET", "WUHN", 1, ("a", "b"))
    rover = read_request(b"GET /WUHN HTTP/1.1\r\nNtrip-Version: Ntrip/2.0\r\nHost: x\r\n\r\n")
    assert (rover.mount, rover.revision, rover.credentials()) == ("WUHN", 2, ("", ""))
    source = read_request(b"SOURCE letmein /WUHN\r\nSource-Agent: NTRIP x\r\n\r\n")
    assert (source.method, source.mount, source.credentials()) == ("SOURCE", "WUHN", ("", "letmein"))
    source = read_request(
        b"POST /WUHN HTTP/1.1\r\nNtrip-Version: Ntrip/2.0\r\nTransfer-Encoding: chunked\r\n\r\n"
    )
    assert (source.method, source.revision, source.chunked) == ("POST", 2, True)
    assert read_request(b"GET / HTTP/1.1\r\n\r\n").mount == ""


@pytest.mark.parametrize(
    "head", [b"\r\n\r\n", b"PUT /x HTTP/1.1\r\n\r\n", b"GET /x\r\n\r\n", b"\xff\xfe\r\n\r\n"]
)
def test_what_is_no_request_is_refused(head: bytes) -> None:
    with refused("frame.bad"):
        read_request(head)


def test_credentials_that_are_none() -> None:
    for value in ("Basic ###", "Basic /w==", "Digest x"):
        head = f"GET /x HTTP/1.1\r\nAuthorization: {value}\r\n\r\n".encode()
        assert read_request(head).credentials() == ("", "")


@pytest.mark.parametrize(
    ("head", "status", "chunked", "table"),
    [
        (b"ICY 200 OK\r\n", 200, False, False),
        (b"SOURCETABLE 200 OK\r\nServer: x\r\n\r\n", 200, False, True),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", 200, True, False),
        (b"HTTP/1.1 200 OK\r\nContent-Type: gnss/sourcetable\r\n\r\n", 200, False, True),
        (b"HTTP/1.1 401 Unauthorized\r\n\r\n", 401, False, False),
        (b"ERROR - Bad Password\r\n", 401, False, False),
    ],
)
def test_how_casters_answer(head: bytes, status: int, chunked: bool, table: bool) -> None:
    response = read_response(head)
    assert (response.status, response.chunked, response.sourcetable) == (status, chunked, table)


def test_what_is_no_answer_is_refused() -> None:
    with refused("frame.bad"):
        read_response(b"220 mail ready\r\n")


def test_a_head_that_does_not_end_is_refused() -> None:
    assert head_end(bytearray(b"GET / HTTP/1.1\r\n")) == -1
    with refused("frame.bad"):
        head_end(bytearray(9000))


@given(st.lists(st.binary(min_size=1, max_size=300), max_size=5), st.data())
def test_chunks_cut_anywhere_hold_the_same(parts: list[bytes], data: st.DataObject) -> None:
    stream = b"".join(map(chunk, parts)) + b"0\r\n\r\n"
    place = data.draw(st.integers(0, len(stream)))
    chunks = Chunks()
    assert chunks.feed(stream[:place]) + chunks.feed(stream[place:]) == b"".join(parts)
    assert chunks.ended


@given(st.binary(max_size=300))
def test_random_chunks_are_read_or_refused(data: bytes) -> None:
    try:
        found = Chunks().feed(data)
    except BadInput:
        return
    assert len(found) <= len(data)


@pytest.mark.parametrize("data", [b"zz\r\n", b"-5\r\n", b"FFFFFFFF\r\n", b"1" * 70])
def test_what_is_no_chunk_is_refused(data: bytes) -> None:
    with refused("frame.bad"):
        Chunks().feed(data)


def test_a_chunk_may_have_an_extension() -> None:
    assert Chunks().feed(b"3;x=1\r\nabc\r\n") == b"abc"


# the sentence of the NMEA 0183 handbooks
GGA = "$GPGGA,123519,4807.038,N,01131.000,E,1,08,0.9,545.4,M,46.9,M,,*47"


def test_a_place() -> None:
    assert read_gga(GGA) == Fix(11.516666667, 48.1173, 1, 8, 0.9, 545.4, None)
    assert read_gga(GGA.replace(",1,08", ",0,08").partition("*")[0]) is None, "no fix"
    assert read_gga("$GPRMC,123519,A*00") is None


@pytest.mark.parametrize(
    ("old", "new", "key"),
    [
        ("*47", "*48", "frame.checksum"),
        ("*47", "*zz", "frame.bad"),
        ("4807.038,N,01131.000,E,1,08,0.9,545.4,M,46.9,M,,*47", "4807.038", "frame.bad"),
        (
            "4807.038,N,01131.000,E,1,08,0.9,545.4,M,46.9,M,,*47",
            "4867.038,N,01131.000,E,1,08,0.9,5,M,4,M,,",
            "frame.bad",
        ),
        (
            "4807.038,N,01131.000,E,1,08,0.9,545.4,M,46.9,M,,*47",
            "9907.038,N,01131.000,E,1,08,0.9,5,M,4,M,,",
            "frame.bad",
        ),
        ("01131.000,E,1,08,0.9,545.4,M,46.9,M,,*47", "01131.000,E,1,x,0.9,5,M,4,M,,", "frame.bad"),
        ("01131.000,E,1,08,0.9,545.4,M,46.9,M,,*47", "01131.000,E,1,08,inf,5,M,4,M,,", "frame.bad"),
    ],
)
def test_a_bad_sentence_is_refused(old: str, new: str, key: str) -> None:
    with refused(key):
        read_gga(GGA.replace(old, new))


@given(st.floats(-179.9, 179.9), st.floats(-89.9, 89.9))
def test_places_travel_to_a_centimetre(longitude: float, latitude: float) -> None:
    fix = read_gga(write_gga(longitude, latitude, 0))
    assert fix is not None
    assert (fix.longitude, fix.latitude) == pytest.approx((longitude, latitude), abs=1e-7)

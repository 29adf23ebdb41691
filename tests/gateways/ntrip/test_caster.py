"""A caster over real sockets: sources, rovers, the table, who may do what, and rovers that are slow."""

import asyncio
import re
import socket
from base64 import b64encode
from contextlib import suppress
from hashlib import sha256

import pytest
from msgspec import msgpack
from tests.field import Device, Field
from tests.gateways.conftest import Listening
from tests.gateways.ntrip.test_rtcm import EXAMPLE
from tests.kernel.keeper.conftest import OPERATOR, House
from tests.nodes import refused

from yunmeng.gateways.ntrip.http import chunk
from yunmeng.gateways.ntrip.rtcm import RtcmCodec
from yunmeng.gateways.ntrip.simulator import ReferenceStation, simulate
from yunmeng.kernel.link import sense_subject
from yunmeng.kernel.sense import DeviceRecord, FrameReport, Simulation

CODEC = RtcmCodec()
STATION = "urn:ngsi-ld:GNSSReferenceStation:ntrip:WUHN"
V2 = "Ntrip-Version: Ntrip/2.0\r\n"
HEAD_END = b"\r\n\r\n"
PATIENCE_S = 10.0


def key(password: str) -> str:
    return sha256(password.encode()).hexdigest()


def login(user: str, password: str) -> str:
    return f"Authorization: Basic {b64encode(f'{user}:{password}'.encode()).decode()}\r\n"


async def ask(field: Field, head: str) -> Device:
    device = await field.connect()
    await device.send(head.encode() + b"\r\n")
    return device


async def source(field: Field, mount: str = "WUHN", password: str = "-") -> Device:
    device = await ask(field, f"SOURCE {password} /{mount}\r\nSource-Agent: NTRIP test\r\n")
    assert await device.until(b"\r\n") == b"ICY 200 OK\r\n"
    return device


async def rover(field: Field, mount: str = "WUHN", more: str = "") -> Device:
    device = await ask(field, f"GET /{mount} HTTP/1.0\r\nUser-Agent: NTRIP test\r\n{more}")
    assert await device.until(HEAD_END) == b"ICY 200 OK\r\n\r\n"
    return device


async def rover_2(field: Field, mount: str = "WUHN", more: str = "") -> Device:
    device = await ask(field, f"GET /{mount} HTTP/1.1\r\nHost: x\r\nUser-Agent: NTRIP test\r\n{V2}{more}")
    head = await device.until(HEAD_END)
    assert head.startswith(b"HTTP/1.1 200 OK\r\n")
    assert b"Transfer-Encoding: chunked" in head
    assert b"Content-Type: gnss/data" in head
    return device


async def until(condition) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while not condition():
            await asyncio.sleep(0.01)


async def test_frames_are_relayed_as_they_came_to_both_revisions(listening: Listening) -> None:
    field = await listening("ntrip+tcp://")
    wuhan = await source(field)
    one, two = await rover(field), await rover_2(field)
    frames = ReferenceStation(1, 2).frames(1_800_000_000)
    await wuhan.send(b"".join(frames)[:100])
    await wuhan.send(b"".join(frames)[100:])
    assert await one.hear(sum(map(len, frames))) == b"".join(frames)
    for frame in frames:
        assert await two.hear(len(chunk(frame))) == chunk(frame)
    await wuhan.close()
    assert await one.rest() == b"", "the end of the source is the end of the stream"


async def test_a_source_of_revision_2_comes_in_chunks(listening: Listening) -> None:
    field = await listening("ntrip+tcp://")
    device = await ask(field, f"POST /WUHN HTTP/1.1\r\nHost: x\r\n{V2}Transfer-Encoding: chunked\r\n")
    assert (await device.until(HEAD_END)).startswith(b"HTTP/1.1 200 OK\r\n")
    listener = await rover(field)
    sent = chunk(EXAMPLE) + chunk(EXAMPLE[:7]) + chunk(EXAMPLE[7:])
    for place in range(0, len(sent), 3):
        await device.send(sent[place : place + 3])
    assert await listener.hear(2 * len(EXAMPLE)) == EXAMPLE * 2
    await device.send(b"0\r\n\r\n")
    assert await device.rest() == b""


async def test_a_frame_whose_crc_is_wrong_is_set_aside_and_not_relayed(
    listening: Listening, house: House
) -> None:
    field = await listening("ntrip+tcp://", bus=house.bus)
    wuhan = await source(field)
    listener = await rover(field)
    broken = EXAMPLE[:-1] + b"\x00"
    await wuhan.send(EXAMPLE + broken + EXAMPLE)
    assert await listener.hear(2 * len(EXAMPLE)) == EXAMPLE * 2
    await until(lambda: field.hub.sink.counts["refused"] == 1)


async def test_what_is_no_rtcm_at_all_is_hung_up_on(listening: Listening, house: House) -> None:
    field = await listening("ntrip+tcp://", bus=house.bus)
    wuhan = await source(field)
    with suppress(ConnectionError):
        await wuhan.send(b"\xd3\x00\x00" * 200_000)
        assert await wuhan.rest() == b""
    await until(lambda: not field.hub.channels)
    assert 100 <= field.hub.sink.counts["refused"] <= 2_000


async def test_the_state_of_a_station_is_told(listening: Listening, house: House) -> None:
    record = DeviceRecord("ntrip", "WUHN", division="420106")
    field = await listening("ntrip+tcp://?every=0.5", bus=house.bus, records=[record])
    wuhan = await source(field)
    listener = await rover(field)
    station = ReferenceStation(7, 3)
    frames = [frame for second in range(6) for frame in station.frames(1_800_000_000 + second)]
    await wuhan.send(b"".join(frames))
    await listener.hear(sum(map(len, frames)))
    seen = {each.attribute: each for each in await field.seen(11)}
    assert {each.entity for each in seen.values()} == {STATION}
    assert {each.division for each in seen.values()} == {"420106"}
    assert re.findall(r"(\d+)\(\d+\)", seen["rtcmMessages"].value) == ["1006", "1033", "1074", "1124"]
    assert seen["roversConnected"].value == 1
    assert (seen["framesDropped"].value, seen["badFrames"].value) == (0, 0)
    assert 7 <= seen["satellitesBeiDou"].value <= 11
    total = seen["satellitesBeiDou"].value + seen["satellitesGPS"].value
    assert seen["satellitesTracked"].value == total
    assert seen["antennaHeight"].value == 1.5
    assert -200_000 < seen["ellipsoidalHeight"].value < 200_000
    await field.hub.sink.flush()
    assert await kept(house, STATION, "receiverType") == "UNICORE UM980"
    assert await kept(house, STATION, "antennaType") == "HITAT45101CP    HITZ"
    assert await kept(house, STATION, "referenceStationId") == 7
    place = await kept(house, STATION, "location")
    assert place["coordinates"] == pytest.approx([114.4, 30.5], abs=1.0)


async def kept(house: House, id: str, attribute: str):
    """The value of an attribute as the keeper has it."""
    entity = await house.get(id)
    assert entity is not None
    (found,) = next(value for name, value in entity.items() if name.rpartition("/")[2] == attribute)
    return found["value"]


async def test_the_table_of_sources(listening: Listening) -> None:
    field = await listening("ntrip+tcp://?operator=Hubei")
    wuhan = await source(field)
    listener = await rover(field)
    await wuhan.send(EXAMPLE)
    await listener.hear(len(EXAMPLE))
    for head, first in (
        ("GET / HTTP/1.0\r\n", b"SOURCETABLE 200 OK\r\n"),
        (f"GET / HTTP/1.1\r\n{V2}", b"HTTP/1.1 200 OK\r\n"),
        ("GET /NOWHERE HTTP/1.0\r\n", b"SOURCETABLE 200 OK\r\n"),
    ):
        answer = await (await ask(field, head)).rest()
        assert answer.startswith(first)
        body = answer.partition(HEAD_END)[2]
        rows = body.decode().split("\r\n")
        assert rows[0].startswith("CAS;127.0.0.1;")
        assert rows[1].split(";")[:5] == ["STR", "WUHN", "WUHN", "RTCM 3.3", "1005"]
        assert rows[1].split(";")[9:11] == ["38.80", "-77.06"], "of the example's antenna"
        assert len(rows[1].split(";")) == 19
        assert rows[2:] == ["ENDSOURCETABLE", ""]
        assert f"Content-Length: {len(body)}".encode() in answer


async def test_a_mount_point_that_is_none(listening: Listening) -> None:
    field = await listening("ntrip+tcp://")
    answer = await (await ask(field, f"GET /NOWHERE HTTP/1.1\r\n{V2}")).rest()
    assert answer.startswith(b"HTTP/1.1 404 Not Found\r\n")
    answer = await (await ask(field, "SOURCE x /no;where\r\n")).rest()
    assert answer == b"ERROR - Bad Mount Point\r\n"
    answer = await (await ask(field, "DELETE /x HTTP/1.1\r\n")).rest()
    assert answer.startswith(b"HTTP/1.1 400 ")


async def test_a_mount_point_has_one_source(listening: Listening) -> None:
    field = await listening("ntrip+tcp://")
    first = await source(field)
    answer = await (await ask(field, "SOURCE x /WUHN\r\n")).rest()
    assert answer == b"ERROR - Mount Point Taken\r\n"
    answer = await (await ask(field, f"POST /WUHN HTTP/1.1\r\n{V2}")).rest()
    assert answer.startswith(b"HTTP/1.1 409 ")
    await first.close()
    await until(lambda: not field.hub.channels)
    await source(field)


async def test_a_source_shows_the_credential_of_its_registration(listening: Listening) -> None:
    records = [
        DeviceRecord("ntrip", "WUHN", key=key("letmein")),
        DeviceRecord("ntrip", "OLD", state="retired"),
    ]
    field = await listening("ntrip+tcp://?admit=known", records=records)
    assert await (await ask(field, "SOURCE wrong /WUHN\r\n")).rest() == b"ERROR - Bad Password\r\n"
    assert await (await ask(field, "SOURCE x /OLD\r\n")).rest() == b"ERROR - Bad Password\r\n"
    assert await (await ask(field, "SOURCE x /NEW\r\n")).rest() == b"ERROR - Bad Password\r\n"
    answer = await (await ask(field, f"POST /WUHN HTTP/1.1\r\n{V2}{login('WUHN', 'wrong')}")).rest()
    assert answer.startswith(b"HTTP/1.1 401 Unauthorized\r\n")
    assert b"WWW-Authenticate: Basic" in answer
    await source(field, password="letmein")
    assert field.hub.sink.counts["unwelcome"] == 4


@pytest.mark.parametrize(
    ("rovers", "admit", "user", "password", "welcome"),
    [
        ("", "all", "", "", True),
        ("", "all", "nobody", "x", True),
        ("", "known", "", "", False),
        ("", "known", "amy", "a", True),
        ("", "known", "amy", "b", False),
        ("*", "all", "bob", "b", True),
        ("*", "all", "", "", False),
        ("*", "all", "eve", "e", False),
        ("amy,cat", "all", "amy", "a", True),
        ("amy,cat", "all", "bob", "b", False),
        ("amy,cat", "all", "cat", "c", False),
    ],
)
async def test_who_may_listen_to_a_mount_point(
    listening: Listening, rovers: str, admit: str, user: str, password: str, welcome: bool
) -> None:
    records = [
        DeviceRecord("ntrip", "WUHN", options={"rovers": rovers} if rovers else {}),
        DeviceRecord("ntrip", "user:amy", key=key("a")),
        DeviceRecord("ntrip", "user:bob", key=key("b")),
        DeviceRecord("ntrip", "user:cat", key=key("c"), state="suspended"),
    ]
    field = await listening(f"ntrip+tcp://?admit={admit}", records=records)
    await source(field)
    more = login(user, password) if user else ""
    for head in (f"GET /WUHN HTTP/1.0\r\n{more}", f"GET /WUHN HTTP/1.1\r\n{V2}{more}"):
        answer = await (await ask(field, head)).until(b"\r\n")
        assert (b" 200 OK" in answer) == welcome
        assert (b" 401 " in answer) != welcome


async def test_a_slow_rover_slows_nobody_and_loses_whole_frames(listening: Listening) -> None:
    field = await listening("ntrip+tcp://?queue=20000&every=0.5")
    wuhan = await source(field)
    quick = await rover_2(field)
    with socket.socket() as slow:
        slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        slow.setblocking(False)
        loop = asyncio.get_running_loop()
        await loop.sock_connect(slow, ("127.0.0.1", field.port))
        await loop.sock_sendall(slow, b"GET /WUHN HTTP/1.0\r\n\r\n")
        head = b""
        while not head.endswith(HEAD_END):
            head += await loop.sock_recv(slow, 1)
        sent, dropped = 0, 0.0
        async with asyncio.timeout(60):
            while not dropped:
                for n in range(sent, sent + 200):
                    await wuhan.send(numbered(n))
                    assert await quick.hear(len(chunk(numbered(n)))) == chunk(numbered(n))
                sent += 200
                told = [each.value for each in await field.seen(0) if each.attribute == "framesDropped"]
                dropped = max(told, default=0.0)
        # the end of the source ends the stream; what the slow one got until then are whole frames in order
        await wuhan.close()
        got = bytearray()
        with suppress(ConnectionError):
            while data := await asyncio.wait_for(loop.sock_recv(slow, 65_536), PATIENCE_S):
                got += data
    heard = [int.from_bytes(CODEC.decode(frame)[2:6], "big") for frame in CODEC.cut(got)]
    assert heard == sorted(set(heard))
    assert 0 < len(heard) <= sent - dropped


def numbered(number: int) -> bytes:
    return CODEC.encode(b"\x10\x00" + number.to_bytes(4, "big") + bytes(1_000))


GGA = b"$GPGGA,123519,3030.000,N,11418.000,E,4,18,0.9,45.4,M,46.9,M,1.5,0001"


def checked(sentence: bytes) -> bytes:
    sum_ = 0
    for octet in sentence[1:]:
        sum_ ^= octet
    return b"%b*%02X\r\n" % (sentence, sum_)


async def test_a_rover_with_a_name_may_say_where_it_is(listening: Listening, house: House) -> None:
    records = [DeviceRecord("ntrip", "user:amy", key=key("a"), division="420111")]
    field = await listening("ntrip+tcp://", bus=house.bus, records=records)
    await source(field)
    amy = await rover(field, more=login("amy", "a"))
    await amy.send(b"$GPRMC,ignored*00\r\n" + checked(GGA))
    seen = {each.attribute: (each.value, each.division) for each in await field.seen(5)}
    assert seen == {
        "fixKind": ("fixed", "420111"),
        "satellitesTracked": (18.0, "420111"),
        "horizontalDilution": (0.9, "420111"),
        "altitude": (45.4, "420111"),
        "correctionAge": (1.5, "420111"),
    }
    name = "urn:ngsi-ld:GNSSRover:ntrip:amy"
    await field.hub.sink.flush()
    assert (await kept(house, name, "location"))["coordinates"] == [114.3, 30.5]
    await amy.send(b"$GPGGA,broken*00\r\n")
    await until(lambda: field.hub.sink.counts["refused"] == 1)


async def test_where_a_rover_without_a_name_is_is_not_kept(listening: Listening) -> None:
    field = await listening("ntrip+tcp://")
    wuhan = await source(field)
    listener = await rover_2(field, more=f"Ntrip-GGA: {checked(GGA).decode()}")
    await listener.send(checked(GGA))
    await wuhan.send(EXAMPLE)
    await listener.hear(len(chunk(EXAMPLE)))
    assert await field.seen(0) == []


async def test_recorded_frames_are_handed_in(listening: Listening, house: House) -> None:
    field = await listening("ntrip+tcp://", bus=house.bus)
    data = msgpack.encode([EXAMPLE, EXAMPLE[:-1] + b"\0"])
    said = await field.bus.request(sense_subject("frame", "ntrip"), data, OPERATOR)
    assert len(msgpack.decode(said, type=FrameReport).refused) == 1
    name = "urn:ngsi-ld:GNSSReferenceStation:ntrip:2003"
    assert await kept(house, name, "referenceStationId") == 2003, "named by its number"


async def test_played_stations_feed_a_caster(listening: Listening) -> None:
    field = await listening("ntrip+tcp://?every=0.5")
    for revision in ("1", "2"):
        play = Simulation("127.0.0.1", field.port, count=3, every_s=0.1, for_s=1.5, options={"rev": revision})
        assert await simulate(play) >= 60
    entities = {each.entity.rpartition(":")[2] for each in await field.seen(30)}
    assert entities == {"SIM001", "SIM002", "SIM003"}


async def test_a_caster_that_refuses_a_played_station_is_told(listening: Listening) -> None:
    field = await listening("ntrip+tcp://?admit=known")
    with pytest.raises(ExceptionGroup) as caught:
        await simulate(Simulation("127.0.0.1", field.port, count=1))
    (error,) = caught.value.exceptions
    assert getattr(error, "key", "") == "ntrip.refused"


async def test_another_transport_is_refused(listening: Listening) -> None:
    with refused("sense.transport"):
        field = await listening("ntrip+udp://127.0.0.1:1")
        await field.serving

"""Our client against our caster, and against casters of other manners; and both against pygnssutils."""

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from hashlib import sha256
from importlib.util import find_spec
from pathlib import Path

import pytest
from tests.gateways.conftest import Listening
from tests.gateways.ntrip.test_caster import rover, source, until
from tests.gateways.ntrip.test_rtcm import EXAMPLE
from tests.kernel.keeper.conftest import House
from tests.nodes import free_port, refused

from yunmeng.gateways.ntrip.http import chunk
from yunmeng.gateways.ntrip.simulator import ReferenceStation
from yunmeng.kernel.sense import DeviceRecord

PATIENCE_S = 10.0


@asynccontextmanager
async def played(answer: bytes, *then: bytes, heard: list[bytes] | None = None) -> AsyncIterator[int]:
    """A caster that answers each request with the same bytes; gives its port."""

    writers: list[asyncio.StreamWriter] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writers.append(writer)
        head = await reader.readuntil(b"\r\n\r\n")
        writer.write(answer)
        for part in then:
            await writer.drain()
            await asyncio.sleep(0.02)
            writer.write(part)
        if heard is not None:
            heard.extend([head, await reader.readline()])
        await reader.read()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1]
        for writer in writers:
            writer.close()


@pytest.mark.parametrize(
    ("answer", "then"),
    [
        (b"ICY 200 OK\r\n\r\n", (EXAMPLE,)),
        (b"ICY 200 OK\r\n", (EXAMPLE,)),
        (b"ICY 200 OK\r\nServer: NTRIP x\r\n", (b"\r\n", EXAMPLE)),
        (b"ICY 200 OK\r\n\r\n" + EXAMPLE[:5], (EXAMPLE[5:],)),
        (b"HTTP/1.1 200 OK\r\nContent-Type: gnss/data\r\n\r\n" + EXAMPLE, ()),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", (chunk(EXAMPLE)[:9], chunk(EXAMPLE)[9:])),
    ],
)
async def test_casters_of_many_manners_are_understood(
    listening: Listening, house: House, answer: bytes, then: tuple[bytes, ...]
) -> None:
    async with played(answer, *then) as port:
        field = await listening(f"ntrip+connect://127.0.0.1:{port}?mount=WUHN&every=0.5", bus=house.bus)
        seen = {each.attribute: each.value for each in await field.seen(4)}
        assert str(seen["rtcmMessages"]).startswith("1005(")
        assert seen["badFrames"] == 0
        assert field.hub.sink.counts["refused"] == 0


async def test_revision_2_says_who_and_where_in_the_head(
    listening: Listening, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NTRIP_TEST", "s3cret")
    heard: list[bytes] = []
    async with played(b"ICY 200 OK\r\n\r\n", heard=heard) as port:
        await listening(
            f"ntrip+connect://127.0.0.1:{port}?mount=VRS&user=amy&password=env:NTRIP_TEST&gga=30.5,114.3"
            "&gga_every=0.2"
        )
        await until(lambda: len(heard) == 2)
    head = heard[0].decode()
    assert head.startswith("GET /VRS HTTP/1.1\r\nHost: 127.0.0.1:")
    assert "Ntrip-Version: Ntrip/2.0\r\n" in head
    assert "Authorization: Basic YW15OnMzY3JldA==\r\n" in head
    assert "Ntrip-GGA: $GPGGA," in head
    assert ",3030.00000,N,11418.00000,E,1," in heard[1].decode(), "and says it again in the stream"


async def test_revision_1_says_where_in_the_stream(listening: Listening) -> None:
    heard: list[bytes] = []
    async with played(b"ICY 200 OK\r\n\r\n", heard=heard) as port:
        await listening(f"ntrip+connect://127.0.0.1:{port}?mount=VRS&rev=1&gga=-30.5,-114.3")
        await until(lambda: len(heard) == 2)
    assert heard[0].startswith(b"GET /VRS HTTP/1.0\r\n")
    assert b"Ntrip" not in heard[0].replace(b"NTRIP", b"")
    assert b",3030.00000,S,11418.00000,W,1," in heard[1]


@pytest.mark.parametrize(
    "answer",
    [
        b"SOURCETABLE 200 OK\r\n\r\nENDSOURCETABLE\r\n",
        b"HTTP/1.1 401 Unauthorized\r\n\r\n",
        b"ERROR - Bad Password\r\n",
        b"220 mail ready\r\n\r\n",
    ],
)
async def test_a_caster_that_gives_nothing_is_called_again(
    listening: Listening, caplog: pytest.LogCaptureFixture, answer: bytes
) -> None:
    calls = 0

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal calls
        calls += 1
        await reader.readuntil(b"\r\n\r\n")
        writer.write(answer)
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        field = await listening(f"ntrip+connect://127.0.0.1:{port}?mount=WUHN")
        await until(lambda: calls == 2)
        assert not field.hub.channels
    assert "next try in" in caplog.text


async def test_a_stream_goes_on_to_a_caster_of_ours(listening: Listening) -> None:
    records = [DeviceRecord("ntrip", "LOCAL", key=sha256(b"-").hexdigest())]
    ours = await listening("ntrip+tcp://?admit=all", records=records)
    async with played(b"ICY 200 OK\r\n", *[EXAMPLE] * 200) as port:
        await listening(f"ntrip+connect://127.0.0.1:{port}?mount=FAR&device=LOCAL&to=127.0.0.1:{ours.port}")
        await ours.online("LOCAL")
        listener = await rover(ours, "LOCAL")
        assert await listener.hear(2 * len(EXAMPLE)) == EXAMPLE * 2


async def test_a_lost_caster_is_called_again(listening: Listening) -> None:
    ours = await listening("ntrip+tcp://")
    wuhan = await source(ours)
    field = await listening(f"ntrip+connect://127.0.0.1:{ours.port}?mount=WUHN&rev=1&every=0.3")
    await field.online("WUHN")
    await wuhan.close()
    await until(lambda: not field.hub.channels)
    again = await source(ours)
    await field.online("WUHN")
    await again.send(EXAMPLE)
    assert str((await field.values(4))["rtcmMessages"]).startswith("1005(")


@pytest.mark.parametrize(
    "options", ["", "mount=a b", "mount=X&rev=3", "mount=X&gga=north", "mount=X&gga=91,0"]
)
async def test_options_that_are_none_are_refused(listening: Listening, options: str) -> None:
    with refused("sense.option"):
        field = await listening(f"ntrip+connect://127.0.0.1:1?{options}")
        await field.serving


with_outside = pytest.mark.skipif(find_spec("pygnssutils") is None, reason="pygnssutils is not installed")


@asynccontextmanager
async def outside(*arguments: str) -> AsyncIterator[asyncio.subprocess.Process]:
    """The outside program of that kind."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        str(Path(__file__).with_name("outside.py")),
        *arguments,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    try:
        yield process
    finally:
        process.kill()
        await process.communicate()


async def line(process: asyncio.subprocess.Process) -> str:
    """What it prints next."""
    assert process.stdout is not None
    async with asyncio.timeout(3 * PATIENCE_S):
        return (await process.stdout.readline()).decode().strip()


@with_outside
@pytest.mark.parametrize("revision", ["1.0", "2.0"])
async def test_an_outside_rover_listens_to_our_caster(listening: Listening, revision: str) -> None:
    records = [
        DeviceRecord("ntrip", "WUHN", options={"rovers": "amy"}),
        DeviceRecord("ntrip", "user:amy", key=sha256(b"a").hexdigest()),
    ]
    field = await listening("ntrip+tcp://", records=records)
    wuhan = await source(field)
    frames = ReferenceStation(7, 1).frames(1_800_000_000)

    async def send() -> None:
        while True:
            await wuhan.send(b"".join(frames))
            await asyncio.sleep(0.2)

    async with outside("rover", str(field.port), "WUHN", revision) as process:
        sending = asyncio.create_task(send())
        heard = {bytes.fromhex(await line(process)) for _ in range(6)}
        sending.cancel()
    assert heard <= set(frames), "frames are what was sent"
    assert len(heard) >= 3
    assert (await field.values(3))["fixKind"] == "single", "and it has said where it is"


@with_outside
async def test_an_outside_rover_reads_our_table(listening: Listening) -> None:
    field = await listening("ntrip+tcp://")
    await source(field)
    await source(field, "XIAN")
    async with outside("rover", str(field.port), "", "2.0") as process:
        assert await line(process) == "WUHN XIAN"


@with_outside
@pytest.mark.parametrize("revision", ["1.0", "2.0"])
async def test_our_client_listens_to_an_outside_caster(
    listening: Listening, revision: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NTRIP_TEST", "a")
    port = free_port()
    async with outside("caster", str(port), revision) as process:
        assert await line(process) == "ready"
        field = await listening(
            f"ntrip+connect://127.0.0.1:{port}?mount=pygnssutils&user=amy&password=env:NTRIP_TEST"
            f"&rev={revision[0]}&every=0.3"
        )
        await field.online("pygnssutils")
        assert process.stdin is not None
        station, told = ReferenceStation(7, 1), dict[str, object]()
        async with asyncio.timeout(PATIENCE_S):
            while told.get("satellitesBeiDou") is None:
                for frame in station.frames(1_800_000_000):
                    process.stdin.write(frame.hex().encode() + b"\n")
                await asyncio.sleep(0.1)
                told = {each.attribute: each.value for each in await field.seen(0)}
        assert told["badFrames"] == 0
        assert field.hub.sink.counts["refused"] == 0

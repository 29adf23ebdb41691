"""Devices over WebSocket: greeted, heard message by message, kept alive, stopped when they say too much."""

import asyncio
import socket
import ssl
import struct
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from tests.field import Field
from tests.kernel.keeper.conftest import House
from tests.kernel.sense.line import LINE, LineSession, line, write_mapping
from tests.kernel.sense.test_packer import SlowBus
from tests.nodes import refused
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidStatus
from websockets.typing import Subprotocol

from yunmeng.kernel.base import BadInput
from yunmeng.kernel.sense import Effect, Greeting, Send, Station

Start = Callable[..., Awaitable[Field]]


class Greeted(LineSession):
    """Tells the device what it knows of it; ``M2`` is a stranger, and everybody's password is ``s:1``."""

    def __init__(self, station: Station) -> None:
        super().__init__(station)
        # one is made before anybody comes, to see whether the options are right
        self._greeting = station.greeting or Greeting("")
        if self._greeting.path == "M2":
            raise BadInput("device.unknown", gateway="line", device="M2")
        if self._greeting.user and self._greeting.password != b"s:1":
            raise BadInput("device.credential", gateway="line", device=self._greeting.path)

    def opened(self, at: int) -> Iterable[Effect]:
        greeting = self._greeting
        words = (greeting.path, greeting.subprotocol, greeting.user, int(greeting.encrypted))
        return [Send(line("greeted", *[word if word != "" else "-" for word in words]))]


GREETED = replace(LINE, ports={"ws": 0, "wss": 0}, session=Greeted, subprotocols=("line.2", "line.1"))


@pytest.fixture
def start(listening: Start, tmp_path: Path) -> Start:
    async def begin(url: str = "line+ws://", **more: object) -> Field:
        return await listening(url, gateway=GREETED, mapping=write_mapping(tmp_path), **more)

    return begin


def dial(
    field: Field, path: str = "/M1", *, offers: tuple[str, ...] = ("line.1",), **more: object
) -> connect:
    subprotocols = [Subprotocol(each) for each in offers]
    scheme = "wss" if "ssl" in more else "ws"
    credential = f"{more.pop('credential')}@" if "credential" in more else ""
    url = f"{scheme}://{credential}127.0.0.1:{field.port}{path}"
    return connect(url, subprotocols=subprotocols or None, proxy=None, **more)  # type: ignore[arg-type]


async def hear(device: ClientConnection) -> bytes:
    async with asyncio.timeout(10):
        message = await device.recv()
    return message if isinstance(message, bytes) else message.encode()


@pytest.mark.parametrize(
    ("offers", "chosen"),
    [
        (("line.1",), "line.1"),
        (("line.1", "line.2"), "line.1"),
        (("x", "line.2", "line.1"), "line.2"),
    ],
)
async def test_the_session_knows_how_it_was_greeted(
    start: Start, offers: tuple[str, ...], chosen: str
) -> None:
    field = await start("line+ws:///plant/meters")
    async with dial(field, "/plant/meters/M%201?x=1", offers=offers, credential="M1:s%3A1") as device:
        assert device.subprotocol == chosen
        assert await hear(device) == line("greeted", "M 1", chosen, "M1", 0)
    async with dial(field, "/plant/metersM1") as device:
        assert await hear(device) == line("greeted", "-", "line.1", "-", 0), "another place than ours"


@pytest.mark.parametrize("offers", [(), ("other",)])
async def test_without_a_sub_protocol_in_common_the_connection_ends_at_once(
    start: Start, offers: tuple[str, ...]
) -> None:
    field = await start()
    async with dial(field, offers=offers) as device:
        assert device.subprotocol is None
        with pytest.raises(ConnectionClosed) as caught:
            await hear(device)
        assert caught.value.rcvd is not None
        assert caught.value.rcvd.code == 1002
    assert not field.hub.channels


@pytest.mark.parametrize(
    ("path", "credential", "status"), [("/M2", "", 404), ("/M1", "M1:wrong", 401), ("/M1", "M1:s", 401)]
)
async def test_who_is_refused_hears_why_and_lies_in_quarantine_without_the_password(
    start: Start, house: House, path: str, credential: str, status: int
) -> None:
    field = await start(bus=house.bus)
    more = {"credential": credential} if credential else {}
    with pytest.raises(InvalidStatus) as caught:
        await dial(field, path, **more)
    response = caught.value.response
    assert response.status_code == status
    assert ("WWW-Authenticate" in response.headers) == (status == 401)
    await field.hub.sink.flush()
    (found,) = await house.state.records("quarantine")
    assert (b"device.credential" if status == 401 else b"device.unknown") in found.body
    assert b"wrong" not in found.body
    assert not field.hub.channels


async def test_messages_are_heard_whole_however_they_are_cut_and_packed(start: Start) -> None:
    field = await start()
    async with dial(field) as device:
        await hear(device)
        await device.send(line("hello", "M1").decode())
        assert await hear(device) == line("welcome", "M1")
        data = line("data", 7, 1_700_000_000, 2500, 400).decode()
        await device.send(list(data))
        assert await hear(device) == line("ok", 7), "one frame a character"
        await device.send(line("data", 8, 1_700_000_000, 2500).decode())
        await device.send(line("data", 9, 1_700_000_000, 2500).decode())
        assert [await hear(device), await hear(device)] == [line("ok", 8), line("ok", 9)], "never joined"
        assert len(await field.seen(4)) == 4
    async with dial(field, compression=None) as device:
        await hear(device)
        await device.send(line("hello", "M1").decode())
        assert await hear(device) == line("welcome", "M1")


async def test_the_device_is_online_until_it_is_gone_and_commands_reach_it(start: Start) -> None:
    field = await start()
    async with dial(field) as device:
        await hear(device)
        await device.send(line("hello", "M1").decode())
        await hear(device)
        ordered = asyncio.create_task(field.command("M1", "do", number=5))
        assert await hear(device) == line("do", 5)
        await device.send(line("done", 5, "fine").decode())
        assert await ordered == {"said": ["fine"]}
        waiting = asyncio.create_task(field.command("M1", "do", number=6))
        await hear(device)
    with refused("device.gone"):
        await waiting
    with refused("device.offline"):
        await field.command("M1", "do", number=7)


async def test_bye_is_said_with_a_closing_handshake(start: Start) -> None:
    field = await start()
    async with dial(field) as device:
        await hear(device)
        await device.send(line("bye").decode())
        assert await hear(device) == line("bye")
        with pytest.raises(ConnectionClosed) as caught:
            await hear(device)
        assert caught.value.rcvd is not None
        assert caught.value.rcvd.code == 1000


@pytest.mark.parametrize("message", [b"x" * 5000, b"\xff\xfe"])
async def test_what_is_too_long_or_no_text_ends_the_connection(start: Start, message: bytes) -> None:
    field = await start("line+ws://?longest=4096")
    async with dial(field, compression="deflate") as device:
        await hear(device)
        await device.send(message, text=True)
        with pytest.raises(ConnectionClosed) as caught:
            await hear(device)
        assert caught.value.rcvd is not None
        assert caught.value.rcvd.code == (1009 if len(message) > 4096 else 1007)


async def test_a_slow_bus_stops_the_reading_and_all_is_kept_in_the_end(start: Start) -> None:
    bus = SlowBus()
    field = await start(bus=bus)
    many = 20_000
    async with dial(field, ping_interval=None) as device:
        await hear(device)
        bus.gate.clear()

        async def say() -> None:
            for n in range(many):
                await device.send(line("data", n, 1_700_000_000 + n, n, n).decode())

        async def listen() -> None:
            for n in range(many):
                assert await device.recv() == line("ok", n).decode()

        saying, hearing = asyncio.create_task(say()), asyncio.create_task(listen())
        async with asyncio.timeout(60):
            while not field.hub.sink.full:
                await asyncio.sleep(0.005)
            before = -1
            while before != field.hub.sink.counts["readings"]:
                before = field.hub.sink.counts["readings"]
                await asyncio.sleep(0.2)
            assert before < many * 0.9, "nothing more is heard while the bus does not take it"
            bus.gate.set()
            await saying
            await hearing
    assert len(await field.seen(2 * many)) == 2 * many


async def test_who_answers_no_ping_is_left_and_who_does_stays(start: Start) -> None:
    field = await start("line+ws://?ping=1")
    async with dial(field, ping_interval=None) as alive:
        await hear(alive)
        deaf = await field.connect()
        await deaf.send(handshake())
        await deaf.until(b"\r\n\r\n")
        assert b"\x89\x00" in await deaf.rest(), "it was asked"
        assert len(field.hub.channels) == 1
        await alive.send(line("hello", "M1").decode())
        assert await hear(alive) == line("welcome", "M1")


async def test_who_does_not_read_is_not_heard(start: Start) -> None:
    """What the gateway owes such a device never grows beyond what is in the pipes."""
    field = await start()
    device = await field.connect()
    await device.send(handshake())
    await device.until(b"\r\n\r\n")
    pings = 500 * (b"\x89\xfd\0\0\0\0" + bytes(125))

    async def flood() -> None:
        for _ in range((64 << 20) // len(pings)):
            device.writer.write(pings)
            async with asyncio.timeout(1.0):
                await device.writer.drain()

    with pytest.raises(TimeoutError):
        await flood()
    device.writer.transport.abort()


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", b"426"),
        (b"POST / HTTP/1.1\r\nHost: x\r\n\r\n", b"405"),
        (b"GET /" + b"a" * 20_000 + b" HTTP/1.1\r\n\r\n", b"414"),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", b""),
        (b"[2,1,2]\n", b""),
    ],
)
async def test_what_is_no_handshake_is_answered_by_http_and_ended(
    start: Start, request_: bytes, status: bytes
) -> None:
    field = await start()
    device = await field.connect()
    await device.send(request_)
    answer = await device.rest()
    assert answer.split(b" ")[1:2] == ([status] if status else [])
    assert not field.hub.channels


async def test_a_connection_that_breaks_is_gone(start: Start) -> None:
    field = await start()
    device = await field.connect()
    await device.send(handshake())
    # the example of RFC 6455, 1.3
    assert b"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n" in await device.until(b"\r\n\r\n")
    assert len(field.hub.channels) == 1
    raw: socket.socket = device.writer.get_extra_info("socket")
    raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    device.writer.transport.abort()
    async with asyncio.timeout(10):
        while field.hub.channels:
            await asyncio.sleep(0.01)


async def test_over_tls(start: Start, tmp_path: Path) -> None:
    cert, key = certificate(tmp_path)
    field = await start(f"line+wss://?cert={cert}&key={key}")
    trust = ssl.create_default_context(cafile=str(cert))
    async with dial(field, ssl=trust) as device:
        assert await hear(device) == line("greeted", "M1", "line.1", "-", 1)
    plain = await field.connect()
    await plain.send(handshake())
    assert not await plain.rest(), "nothing is said in clear"
    with pytest.raises((InvalidHandshake, OSError)):
        await dial(field, ssl=ssl.create_default_context())
    # the client gives up with its handshake half done; asyncio tells of it in the background
    await asyncio.sleep(0.05)


@pytest.mark.parametrize(
    ("url", "key"),
    [("line+ws://?longest=much", "sense.option"), ("line+wss://?cert=none.pem", "sense.option")],
)
async def test_wrong_options_are_told_at_the_start(start: Start, url: str, key: str) -> None:
    with refused(key):
        await start(url)


def handshake(path: str = "/M1") -> bytes:
    lines = [
        f"GET {path} HTTP/1.1",
        "Host: 127.0.0.1",
        "Upgrade: websocket",
        "Connection: Upgrade",
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
        "Sec-WebSocket-Version: 13",
        "Sec-WebSocket-Protocol: line.1",
    ]
    return "\r\n".join([*lines, "", ""]).encode()


def certificate(folder: Path) -> tuple[Path, Path]:
    """A certificate of 127.0.0.1 that signs itself, and its key."""
    secret = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.now(UTC)
    names = x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))])
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(secret.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(hours=1))
        .add_extension(names, critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(secret, hashes.SHA256())
    )
    cert, key = folder / "cert.pem", folder / "key.pem"
    cert.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    form = serialization.PrivateFormat.PKCS8
    key.write_bytes(secret.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption()))
    return cert, key

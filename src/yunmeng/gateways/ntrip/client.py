"""A client: takes one mount point from a caster outside, and may push it on to another (NTRIP 1 and 2)."""

import asyncio
import logging
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager, suppress

from yunmeng.gateways.ntrip.http import AGENT, Chunks, basic, head_end, read_response
from yunmeng.gateways.ntrip.nmea import write_gga
from yunmeng.gateways.ntrip.rtcm import PREAMBLE
from yunmeng.gateways.ntrip.session import PIECE, SourceSession, seconds
from yunmeng.kernel.base import BadInput, Secret, Unavailable, now_us
from yunmeng.kernel.sense import Channel, Hub

_PATIENCE_S, _LONGEST_PAUSE_S = 30.0, 60.0
_log = logging.getLogger("yunmeng.sense")


async def serve_client(hub: Hub) -> None:
    """Listens to a caster until it is cancelled, and calls again when it is lost.

    Options: ``mount``, ``user``, ``password`` (a reference), ``rev=1|2``, ``gga=LATITUDE,LONGITUDE`` for
    casters that want to know where we are, said every ``gga_every`` seconds; ``device`` (what the source is
    called; the mount point when left out); ``to=HOST:PORT`` of a caster that is to be fed with it.

    Raises:
        BadInput: ``sense.option``.
    """
    client = Client(hub)
    pause = 1.0
    while True:
        try:
            await client.listen()
            pause = 1.0
        except (OSError, Unavailable, BadInput) as reason:
            _log.warning("%s: %s, next try in %.0f s", hub.listen.name, reason, pause)
        await asyncio.sleep(pause)
        pause = min(pause * 2, _LONGEST_PAUSE_S)


class Client:
    """What one place to listen says of a caster outside."""

    def __init__(self, hub: Hub) -> None:
        options = hub.listen.options
        self._hub = hub
        self._mount = _needed(hub, "mount")
        self._device = options.get("device", self._mount)
        self._revision = 2 if _choice(hub, "rev", "2", ("1", "2")) == "2" else 1
        self._user = options.get("user", "")
        self._password = Secret(options.get("password", "")).reveal()
        self._place = _place(hub)
        self._gga_every = seconds(options, "gga_every", "10")
        self._feed = options.get("to", "")

    def request(self, at: int) -> bytes:
        """Returns the head that asks for the mount point."""
        listen = self._hub.listen
        lines = f"GET /{self._mount} HTTP/{'1.1' if self._revision == 2 else '1.0'}\r\n"
        lines += f"Host: {listen.host}:{listen.port}\r\nUser-Agent: {AGENT}\r\n"
        lines += basic(self._user, self._password)
        if self._revision == 2:
            lines += "Ntrip-Version: Ntrip/2.0\r\n"
            lines += f"Ntrip-GGA: {self._gga(at)}" if self._place else ""
        return f"{lines}Connection: close\r\n\r\n".encode()

    async def listen(self) -> None:
        """Takes the stream until it ends. Raises ``Unavailable`` for a caster that does not give it."""
        listen = self._hub.listen
        async with asyncio.timeout(_PATIENCE_S):
            reader, writer = await asyncio.open_connection(
                listen.host, listen.port or self._hub.gateway.ports["connect"]
            )
        try:
            self._hub.bound((listen.host, listen.port))
            writer.write(self.request(now_us()))
            async with asyncio.timeout(_PATIENCE_S):
                unpack, rest = await self._answered(reader)
            async with self._fed() as relay:
                telling = asyncio.create_task(self._tell(writer))
                try:
                    await self._take(reader, writer, unpack, rest, relay)
                finally:
                    telling.cancel()
        finally:
            writer.close()

    async def _answered(self, reader: asyncio.StreamReader) -> tuple[Callable[[bytes], bytes], bytes]:
        """Reads the caster's head; of revision 1 the first line is enough, whatever follows it."""
        buffer = bytearray()
        while not buffer.startswith(b"ICY 200 OK\r\n") and head_end(buffer) < 0:
            if not (data := await reader.read(4096)):
                break
            buffer += data
        end = len(b"ICY 200 OK\r\n") if buffer.startswith(b"ICY ") else max(head_end(buffer), 0)
        response = read_response(bytes(buffer[: end or len(buffer)]))
        if response.status != 200 or response.sourcetable:
            reason = f"{response.status}" + (" sourcetable" if response.sourcetable else "")
            raise Unavailable("ntrip.refused", mount=self._mount, reason=reason)
        if buffer.startswith(b"ICY "):
            return _Headless().feed, bytes(buffer[end:])
        return (Chunks().feed if response.chunked else bytes), bytes(buffer[end:])

    async def _take(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        unpack: Callable[[bytes], bytes],
        data: bytes,
        relay: Callable[[bytes], None],
    ) -> None:
        hub, peer = self._hub, f"{self._hub.listen.host}:{self._hub.listen.port}"
        session = SourceSession(hub.station(peer), self._device, relay)
        channel = Channel(hub, session, peer, writer.write, writer.close)
        channel.open()
        try:
            while not session.hopeless and (data or (data := await reader.read(PIECE))):
                channel.hear(unpack(data))
                data = b""
                if hub.sink.full:
                    await hub.sink.room()
        finally:
            channel.lost()

    async def _tell(self, writer: asyncio.StreamWriter) -> None:
        """Says where we are, again and again; in revision 2 the head has said it first."""
        if not self._place:
            return
        if self._revision == 2:
            await asyncio.sleep(self._gga_every)
        while True:
            writer.write(self._gga(now_us()).encode())
            await asyncio.sleep(self._gga_every)

    def _gga(self, at: int) -> str:
        latitude, longitude = self._place or (0.0, 0.0)
        return write_gga(longitude, latitude, at)

    @asynccontextmanager
    async def _fed(self) -> AsyncGenerator[Callable[[bytes], None]]:
        """Gives where frames go on to: nowhere, or as a source of revision 1 to the caster of ``to``."""
        if not self._feed:
            yield lambda _: None
            return
        host, _, port = self._feed.rpartition(":")
        async with asyncio.timeout(_PATIENCE_S):
            reader, writer = await asyncio.open_connection(host, int(port))
            secret = self._password or "-"
            writer.write(f"SOURCE {secret} /{self._device}\r\nSource-Agent: {AGENT}\r\n\r\n".encode())
            answer = await reader.readline()
        try:
            if not answer.startswith(b"ICY 200"):
                raise Unavailable(
                    "ntrip.refused", mount=self._device, reason=answer.decode("latin-1").strip()
                )
            yield writer.write
        finally:
            writer.close()
            with suppress(ConnectionError):
                await writer.wait_closed()


class _Headless:
    """A stream of revision 1: what is left of the head ends where the first frame begins."""

    def __init__(self) -> None:
        self._begun = False

    def feed(self, data: bytes) -> bytes:
        if not self._begun:
            begin = data.find(PREAMBLE)
            self._begun = begin >= 0
            data = data[begin:] if self._begun else b""
        return data


def _needed(hub: Hub, name: str) -> str:
    value = hub.listen.options.get(name, "")
    if not value or not value.isprintable() or " " in value:
        raise BadInput("sense.option", name=hub.listen.name, option=name, value=value)
    return value


def _choice(hub: Hub, name: str, usual: str, known: tuple[str, ...]) -> str:
    value = hub.listen.options.get(name, usual)
    if value not in known:
        raise BadInput("sense.option", name=hub.listen.name, option=name, value=value)
    return value


def _place(hub: Hub) -> tuple[float, float] | None:
    text = hub.listen.options.get("gga", "")
    if not text:
        return None
    try:
        latitude, longitude = map(float, text.split(","))
    except ValueError:
        latitude = longitude = 999.0
    if not (abs(latitude) <= 90 and abs(longitude) <= 180):
        raise BadInput("sense.option", name=hub.listen.name, option="gga", value=text)
    return latitude, longitude

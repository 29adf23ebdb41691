"""Plays outstations that wait for a controlling station, each on a port of its own."""

import asyncio
import math
from collections.abc import Iterable
from contextlib import AsyncExitStack

from yunmeng.gateways.iec104.apci import Iec104Codec, Numbered
from yunmeng.gateways.iec104.asdu import Asdu, Shape, read_asdu, write_asdu
from yunmeng.gateways.iec104.link import Limits, Link
from yunmeng.gateways.iec104.outstation import Outstation
from yunmeng.kernel.base import BadInput, now_us
from yunmeng.kernel.sense import Effect, Send, Simulation

_SHAPE = Shape()


async def simulate(play: Simulation) -> int:
    """Serves ``count`` outstations on the ports from ``port`` on; returns how many ASDUs they sent.

    Options ``station`` (their common address) and ``time=beijing|utc``.
    """
    options = play.options
    zone, station = options.get("time", "beijing"), int(options.get("station", "1"))
    sites = [Site(Outstation(play.seed + n, station, zone), play.every_s) for n in range(play.count)]
    async with AsyncExitStack() as stack:
        for place, site in enumerate(sites):
            server = await asyncio.start_server(site.serve, play.host, play.port + place)
            await stack.enter_async_context(server)
        await asyncio.sleep(play.for_s or math.inf)
    return sum(site.sent for site in sites)


class Site:
    """One outstation behind its port; every connection has numbers of its own."""

    def __init__(self, outstation: Outstation, every_s: float) -> None:
        self._outstation = outstation
        self._every_s = every_s
        self.sent = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Speaks with one controlling station until it goes."""
        line = _Line(self, self._outstation, writer)
        telling = asyncio.create_task(line.tell(self._every_s))
        try:
            while data := await reader.read(4096):
                line.hear(data)
                await writer.drain()
        except (BadInput, ConnectionError):
            pass  # who breaks the rules is hung up on
        finally:
            telling.cancel()
            writer.close()


class _Line:
    def __init__(self, site: Site, outstation: Outstation, writer: asyncio.StreamWriter) -> None:
        self._site = site
        self._outstation = outstation
        self._writer = writer
        self._codec = Iec104Codec()
        self._link = Link(self._codec, Limits(), controlling=False)
        self._buffer = bytearray()

    def hear(self, data: bytes) -> None:
        """Answers what came; what breaks the rules raises."""
        self._buffer += data
        for frame in self._codec.cut(self._buffer):
            message = self._codec.decode(frame)
            self._do(self._link.heard(message, now_us()))
            if isinstance(message, Numbered):
                self._do(self._link.kept(message.send, now_us()))
                self._say(self._outstation.heard(read_asdu(message.asdu, _SHAPE), now_us()))

    async def tell(self, every_s: float) -> None:
        """Reports while the transfer is on, and keeps the link's times."""
        due = every_s
        while True:
            await asyncio.sleep(min(1.0, every_s))
            due -= min(1.0, every_s)
            self._do(self._link.tick(now_us()))
            if due <= 0 and self._link.started:
                due = every_s
                self._say(self._outstation.report(now_us()))

    def _say(self, asdus: Iterable[Asdu]) -> None:
        for asdu in asdus:
            self._site.sent += 1
            self._do(self._link.push(write_asdu(asdu, _SHAPE), now_us()))

    def _do(self, effects: Iterable[Effect]) -> None:
        for effect in effects:
            self._writer.write(effect.data) if isinstance(effect, Send) else self._writer.close()

"""Plays reference stations that push observations of BeiDou and GPS, with what else a rover needs."""

import asyncio
import math
import random
import time
from contextlib import suppress

from yunmeng.gateways.ntrip.http import AGENT, basic, chunk
from yunmeng.gateways.ntrip.rtcm import RtcmCodec
from yunmeng.kernel.base import Secret, Unavailable
from yunmeng.kernel.sense import Simulation

_CODEC = RtcmCodec()
_PATIENCE_S = 10.0
_EVERY_SLOW = 5
_WEEK_MS, _BEIDOU_BEHIND_MS = 604_800_000, 14_000
_WUHAN = (-2_267_800.0, 5_009_300.0, 3_221_000.0)


class Writer:
    """Puts numbers into the bits of a message, one after the other."""

    def __init__(self) -> None:
        self._number = 0
        self._size = 0

    def put(self, *pairs: tuple[int, int]) -> "Writer":
        """Appends (value, bits); negative values as two's complement."""
        for value, size in pairs:
            self._number = self._number << size | value & (1 << size) - 1
            self._size += size
        return self

    def text(self, text: str) -> "Writer":
        """Appends a text after its length."""
        return self.put((len(text), 8), *((ord(each), 8) for each in text))

    def message(self) -> bytes:
        """Returns the bytes, filled up with zeros."""
        spare = -self._size % 8
        return (self._number << spare).to_bytes((self._size + spare) // 8, "big")


class ReferenceStation:
    """One station: 1006 and 1033 now and then, observations (MSM4) of BeiDou and GPS every epoch."""

    def __init__(self, number: int, seed: int) -> None:
        self._number = number
        self._random = random.Random(seed)  # noqa: S311  (plausible, not secret)
        self._place = [each + self._random.uniform(-40_000, 40_000) for each in _WUHAN]
        self._epochs = 0

    def frames(self, now: float) -> list[bytes]:
        """Returns the frames of one epoch; ``now`` is in seconds since 1970 UTC."""
        self._epochs += 1
        messages = [self._observed(1124, 9, now), self._observed(1074, 8, now)]
        if self._epochs % _EVERY_SLOW == 1:
            messages += [self._stands(), self._equipped()]
        return [_CODEC.encode(message) for message in messages]

    def _stands(self) -> bytes:
        x, y, z = (round(each * 10_000) for each in self._place)
        head = Writer().put((1006, 12), (self._number, 12), (0, 6), (0b1111, 4))
        return head.put((x, 38), (0, 2), (y, 38), (0, 2), (z, 38), (15_000, 16)).message()

    def _equipped(self) -> bytes:
        head = Writer().put((1033, 12), (self._number, 12)).text("HITAT45101CP    HITZ").put((0, 8))
        serial = f"{self._number:06}"
        return head.text(serial).text("UNICORE UM980").text("R4.10").text(serial).message()

    def _observed(self, number: int, mean: int, now: float) -> bytes:
        """MSM4: satellites of one signal each (table 3.5-78 ff.), with noise for ranges."""
        satellites = sorted(self._random.sample(range(1, 33), self._random.randint(mean - 2, mean + 2)))
        mask = sum(1 << 64 - each for each in satellites)
        epoch = round(now * 1000) % _WEEK_MS
        if number // 10 == 112:
            epoch = (epoch - _BEIDOU_BEHIND_MS) % _WEEK_MS
        head = Writer().put((number, 12), (self._number, 12), (epoch, 30), (0, 1), (0, 3), (0, 7), (0, 8))
        head.put((mask, 64), (1 << 30, 32), ((1 << len(satellites)) - 1, len(satellites)))
        head.put(*((self._random.randint(67, 85), 8) for _ in satellites))
        for size in (10, 15, 22, 4, 1, 6):
            head.put(*((self._random.getrandbits(size), size) for _ in satellites))
        return head.message()


async def simulate(play: Simulation) -> int:
    """Pushes ``count`` stations until the time is over; returns how many frames were sent.

    Options ``rev=1|2``, ``password`` (a reference), ``mount`` (what their names begin with).

    Raises:
        Unavailable: ``ntrip.refused`` when the caster does not take a station.
    """
    async with asyncio.TaskGroup() as group:
        works = [group.create_task(_push(play, number)) for number in range(1, play.count + 1)]
    return sum(work.result() for work in works)


async def _push(play: Simulation, number: int) -> int:
    mount = f"{play.options.get('mount', 'SIM')}{number:03}"
    station, sent = ReferenceStation(number, play.seed + number), 0
    until = time.monotonic() + play.for_s if play.for_s else math.inf
    reader, writer = await asyncio.open_connection(play.host, play.port)
    try:
        chunked = await _ask(play, mount, reader, writer)
        while time.monotonic() < until and not reader.at_eof():
            for frame in station.frames(time.time()):
                writer.write(chunk(frame) if chunked else frame)
                sent += 1
            await writer.drain()
            await asyncio.sleep(min(play.every_s, max(0.0, until - time.monotonic())))
    finally:
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()
    return sent


async def _ask(
    play: Simulation, mount: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> bool:
    """Asks to be let in; returns whether the body goes in chunks."""
    password, chunked = Secret(play.options.get("password", "")).reveal(), play.options.get("rev", "2") == "2"
    if chunked:
        head = f"POST /{mount} HTTP/1.1\r\nHost: {play.host}\r\nNtrip-Version: Ntrip/2.0\r\n"
        head += f"User-Agent: {AGENT}\r\n{basic(mount, password)}Transfer-Encoding: chunked\r\n\r\n"
    else:
        head = f"SOURCE {password or '-'} /{mount}\r\nSource-Agent: {AGENT}\r\n\r\n"
    writer.write(head.encode())
    async with asyncio.timeout(_PATIENCE_S):
        answer = await reader.readuntil(b"\r\n\r\n" if chunked else b"\r\n")
    if b" 200 " not in answer.partition(b"\r\n")[0] + b" ":
        raise Unavailable("ntrip.refused", mount=mount, reason=answer.partition(b"\r\n")[0].decode("latin-1"))
    return chunked

"""Plays telemetry stations of rain, rivers and reservoirs, over real sockets."""

import asyncio
import random
import time
from contextlib import suppress

from yunmeng.gateways.sl651.codec import Sl651Codec
from yunmeng.gateways.sl651.messages import ENQ, TIMED, Frame
from yunmeng.gateways.sl651.tables import Element, codes
from yunmeng.gateways.sl651.writing import element_item, station_item, time_item, write_text
from yunmeng.kernel.base import now_us
from yunmeng.kernel.sense import Simulation

_PASSWORD = 0x1234
_KINDS = {"P": ("PJ", "PT"), "H": ("PJ", "PT", "Z", "Q"), "K": ("PJ", "PT", "ZU", "QA")}
_MIDDLES = {"Z": 21.5, "ZU": 157.3, "Q": 820.0, "QA": 95.0}
_PATIENCE_S = 10.0


async def simulate(play: Simulation) -> int:
    """Plays the stations until the time is over; returns how many frames were answered.

    Option ``coding=ascii`` writes ASCII frames.
    """
    random_of = random.Random(play.seed)  # noqa: S311
    seeds = [random_of.getrandbits(32) for _ in range(play.count)]
    async with asyncio.TaskGroup() as group:
        works = [
            group.create_task(Rtu(play, number, seed).play()) for number, seed in enumerate(seeds, start=1)
        ]
    return sum(work.result() for work in works)


class Rtu:
    """One station: sends timed reports, answers queries and orders."""

    def __init__(self, play: Simulation, number: int, seed: int) -> None:
        self._play = play
        self._station = f"0061{number:06d}"
        self._random = random.Random(seed)  # noqa: S311
        self._kind = list(_KINDS)[number % len(_KINDS)]
        self._ascii = play.options.get("coding", "hex") == "ascii"
        self._codec = Sl651Codec(play.options.get("dialect", ""))
        self._buffer = bytearray()
        self._serial, self._rain, self._sent, self._answered = 0, 0.0, 0, 0

    async def play(self) -> int:
        """Speaks until the time is over; returns how many frames were answered."""
        until = time.monotonic() + self._play.for_s if self._play.for_s else float("inf")
        await asyncio.sleep(self._random.random() * min(self._play.every_s, 5.0))
        reader, writer = await asyncio.open_connection(self._play.host, self._play.port)
        hearing = asyncio.create_task(self._hear(reader, writer))
        try:
            while time.monotonic() < until and not hearing.done():
                writer.write(self.report())
                await writer.drain()
                await asyncio.wait([hearing], timeout=min(self._play.every_s, until - time.monotonic()))
            with suppress(TimeoutError):
                async with asyncio.timeout(_PATIENCE_S):
                    while self._answered < self._sent and not hearing.done():  # noqa: ASYNC110
                        await asyncio.sleep(0.02)
        finally:
            hearing.cancel()
            writer.close()
            with suppress(ConnectionError):
                await writer.wait_closed()
        return self._answered

    def report(self) -> bytes:
        """Writes the next timed report."""
        self._serial, self._sent = self._serial % 65_535 + 1, self._sent + 1
        return self._frame(TIMED, self._elements())

    def _elements(self) -> bytes:
        rain = 0.5 * self._random.randrange(0, 3)
        self._rain += rain
        values = {"PJ": rain, "PT": self._rain, "VT": 12.0 + self._random.random()}
        for code, middle in _MIDDLES.items():
            values[code] = self._random.gauss(middle, middle / 200)
        now = now_us()
        items = [station_item(self._station, self._kind), time_item(now)]
        for code in (*_KINDS[self._kind], "VT"):
            row = codes()[code]
            assert isinstance(row, Element)  # noqa: S101
            items.append(element_item(row, values[code]))
        return write_text(self._serial, now, items, is_ascii=self._ascii)

    def _frame(self, function: int, text: bytes) -> bytes:
        frame = Frame(self._station, function, text, 1, _PASSWORD, ascii=self._ascii)
        return self._codec.encode(frame)

    async def _hear(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65_536):
            self._buffer += data
            for raw in self._codec.cut(self._buffer):
                message = self._codec.decode(raw)
                if message.end != ENQ:
                    self._answered += message.function == TIMED
                    continue
                writer.write(self._answer(message.function))

    def _answer(self, function: int) -> bytes:
        if function in (0x37, 0x3A):
            return self._frame(function, self._elements())
        text = write_text(self._serial, now_us(), [station_item(self._station)], is_ascii=self._ascii)
        return self._frame(function, text)

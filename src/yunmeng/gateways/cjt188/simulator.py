"""Water meters to try the gateway with: a TCP server that answers as a line of meters does."""

import asyncio
import math
import random
import time

from yunmeng.gateways.cjt188.codec import Frame, MeterCodec
from yunmeng.gateways.cjt188.measures import MEASURED, OPEN, write_volumes
from yunmeng.kernel.base import BadInput
from yunmeng.kernel.sense import Simulation


class Meter:
    """One household's cold-water meter with a valve."""

    def __init__(self, address: str, seed: int) -> None:
        chance = random.Random(seed)  # noqa: S311  (plausible, not secret)
        self.address = address
        self.closed = False
        self._rate = chance.uniform(0.001, 0.05)
        self._volume = chance.uniform(10, 900)
        self._since = time.time()

    def answer(self, asked: Frame) -> Frame:
        """Returns what the meter says to a question."""
        if asked.function == 0x04:
            self.closed = asked.data[3] != OPEN
            return Frame(0x10, self.address, 0x84, asked.data[:3])
        now = time.time()
        self._volume += 0.0 if self.closed else self._rate * (now - self._since) / 3600
        self._since = now
        data = write_volumes(self._volume, math.floor(self._volume), int(self.closed))
        return Frame(0x10, self.address, 0x81, asked.data[:3] + data)


async def simulate(play: Simulation) -> int:
    """Serves meters 00000000000001… until the time is over; returns how many questions came."""
    meters = {f"{n:014d}": Meter(f"{n:014d}", play.seed + n) for n in range(1, play.count + 1)}
    asked = 0

    async def line(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal asked
        codec, buffer = MeterCodec(), bytearray()
        while data := await reader.read(4096):
            buffer += data
            for raw in codec.cut(buffer):
                asked += 1
                if answer := _answer(codec, raw, meters):
                    writer.write(answer)
        writer.close()

    server = await asyncio.start_server(line, play.host, play.port)
    async with server:
        await asyncio.sleep(play.for_s or math.inf)
    return asked


def _answer(codec: MeterCodec, raw: bytes, meters: dict[str, Meter]) -> bytes:
    """A meter is silent to what it cannot read, and to other meters' questions."""
    try:
        asked = codec.decode(raw)
    except BadInput:
        return b""
    meter = meters.get(asked.address)
    known = asked.function == 0x04 or asked.data[:2] in (
        MEASURED.to_bytes(2, "little"),
        MEASURED.to_bytes(2, "big"),
    )
    return codec.encode(meter.answer(asked)) if meter and known and not asked.from_meter else b""

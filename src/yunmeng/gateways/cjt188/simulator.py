"""Water meters to try the gateway with: a TCP server that answers as a line of meters does."""

import math
import random
import time

from yunmeng.gateways.cjt188.codec import Frame, MeterCodec
from yunmeng.gateways.cjt188.measures import MEASURED, OPEN, write_volumes
from yunmeng.kernel.sense import Simulation, play_line

WRITE = 0x04
_MEASURED = (MEASURED.to_bytes(2, "little"), MEASURED.to_bytes(2, "big"))


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
        if asked.function == WRITE:
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

    def answer(asked: Frame) -> Frame | None:
        meter = meters.get(asked.address)
        known = asked.function == WRITE or asked.data[:2] in _MEASURED
        return meter.answer(asked) if meter and known and not asked.from_meter else None

    return await play_line(play, MeterCodec(), answer)

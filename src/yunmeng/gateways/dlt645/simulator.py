"""Meters to try the gateway with: a TCP server that answers as a line of meters does."""

import math
import random
import time

from yunmeng.gateways.dlt645.codec import ANYONE, Frame, MeterCodec
from yunmeng.gateways.dlt645.items import items, write_value
from yunmeng.kernel.sense import Simulation, play_line

_NO_SUCH_DATA = b"\x02"


class Meter:
    """One household's meter: energy that grows with the power."""

    def __init__(self, address: str, seed: int) -> None:
        chance = random.Random(seed)  # noqa: S311  (plausible, not secret)
        self.address = address
        self._level = chance.uniform(0.1, 3.0)
        self._energy = chance.uniform(100, 20_000)
        self._since = time.time()

    def value(self, name: str, now: float) -> float:
        """Returns what the meter shows."""
        power = self._level * (1.1 + math.sin(now / 3600))
        self._energy += power * max(0.0, now - self._since) / 3600
        self._since = now
        shown = {
            "energy_imported": self._energy,
            "energy_total": self._energy,
            "active_power": power,
            "voltage_a": 228.0 + 4 * math.sin(now / 90),
            "current_a": power * 1000 / 228,
            "frequency": 50.0,
            "power_factor": 0.97,
        }
        return shown.get(name, 0.0)

    def answer(self, asked: Frame) -> Frame:
        """Returns what the meter says to a question."""
        if asked.function != 0x11:
            return Frame(self.address, asked.function | 0x80)
        for name, item in items().items():
            if asked.data.startswith(item.wire_id):
                data = item.wire_id + write_value(item, self.value(name, time.time()))
                return Frame(self.address, 0x91, data)
        return Frame(self.address, 0xD1, _NO_SUCH_DATA)


async def simulate(play: Simulation) -> int:
    """Serves meters 000000000001… until the time is over; returns how many questions came."""
    meters = {f"{n:012d}": Meter(f"{n:012d}", play.seed + n) for n in range(1, play.count + 1)}

    def answer(asked: Frame) -> Frame | None:
        meter = meters.get(asked.address) if asked.address != ANYONE else next(iter(meters.values()))
        return meter.answer(asked) if meter and not asked.from_meter else None

    return await play_line(play, MeterCodec(), answer)

"""Plays NB-IoT level sensors in manholes: they report, listen for a moment, and sleep."""

import asyncio
import math
import random
import time

from yunmeng.gateways.coap.endpoint import Ask, Endpoint, Told, open_client
from yunmeng.gateways.coap.payloads import CBOR, encode
from yunmeng.kernel.base import Unavailable
from yunmeng.kernel.sense import Simulation


async def simulate(play: Simulation) -> int:
    """Plays the sensors until the time is over; returns how many reports were answered.

    Raises:
        Unavailable: ``sense.extra`` without aiocoap.
    """
    endpoint = await open_client({})
    until = time.monotonic() + play.for_s if play.for_s else math.inf
    try:
        sensors = [Sensor(endpoint, play, number) for number in range(1, play.count + 1)]
        return sum(await asyncio.gather(*(sensor.work(until) for sensor in sensors)))
    finally:
        await endpoint.close()


class Sensor:
    """One sensor: the depth of water in its manhole, and its battery."""

    def __init__(self, endpoint: Endpoint, play: Simulation, number: int) -> None:
        self._endpoint = endpoint
        self._play = play
        self._number = number
        self._chance = random.Random(play.seed + number)  # noqa: S311  (plausible, not secret)
        self._depth = self._chance.uniform(0.1, 1.2)

    async def work(self, until: float) -> int:
        """Reports until then; returns how many reports were answered with success."""
        answered = 0
        await asyncio.sleep(self._chance.random() * min(self._play.every_s, 2.0))
        while time.monotonic() < until:
            answered += (await self._report()).is_good
            await asyncio.sleep(min(self._play.every_s, max(0.0, until - time.monotonic())))
        return answered

    async def _report(self) -> Told:
        self._depth = max(0.0, self._depth + self._chance.gauss(0, 0.02))
        report = {
            "t": int(time.time()),
            "depth": round(self._depth, 3),
            "battery": 90 - self._number % 20,
            "rsrp": -100 + round(self._chance.gauss(0, 6)),
        }
        _, payload = encode("cbor", report)
        try:
            return await self._endpoint.ask(
                Ask("POST", f"wells/well-{self._number:04d}", payload, CBOR),
                host=f"{self._play.host}:{self._play.port}",
            )
        except Unavailable:
            return Told("5.04")

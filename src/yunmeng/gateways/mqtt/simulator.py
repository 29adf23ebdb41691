"""Sensors that publish to a broker: ``yunmeng sense simulate mqtt --port 1883``.

Options: ``as=sparkplug`` for edge nodes with a meter each (weather sensors when left out); ``user`` and
``password`` (a reference) for the broker.
"""

import asyncio
import json
import math
import random
from collections import deque
from collections.abc import AsyncIterator, Iterable

from yunmeng.gateways.mqtt.codec import MqttCodec, connect, subscribe
from yunmeng.gateways.mqtt.messages import CONNACK, PUBACK, SUBACK, Packet, Publish
from yunmeng.gateways.mqtt.sparkplug import NAMESPACE, REBIRTH
from yunmeng.gateways.mqtt.sparkplug_payload import (
    BOOLEAN,
    DOUBLE,
    UINT64,
    Metric,
    Payload,
    metric_of,
    read_payload,
    write_payload,
)
from yunmeng.kernel.base import Secret, Unavailable, now_us
from yunmeng.kernel.sense import Simulation

_PATIENCE_S = 60.0
_CODEC = MqttCodec()


class Line:
    """One device's connection to the broker."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self._buffer = bytearray()
        self._frames: deque[bytes] = deque()
        self._packet = 0

    def send(self, message: Packet | Publish) -> None:
        """Sends a packet."""
        self._writer.write(_CODEC.encode(message))

    async def hear(self) -> AsyncIterator[Packet | Publish]:
        """Yields packets until the broker hangs up; what nobody took waits for the next call."""
        while True:
            while self._frames:
                yield _CODEC.decode(self._frames.popleft())
            data = await self._reader.read(65_536)
            if not data:
                return
            self._buffer += data
            self._frames += _CODEC.cut(self._buffer)

    async def wait(self, kind: int) -> list[Publish]:
        """Waits for a packet of this kind; returns what was published to us meanwhile."""
        told: list[Publish] = []
        async with asyncio.timeout(_PATIENCE_S):
            async for message in self.hear():
                if isinstance(message, Publish):
                    told.append(message)
                    if message.qos:
                        self.send(Packet(PUBACK, message.packet.to_bytes(2, "big")))
                elif message.kind == kind:
                    if kind == CONNACK and message.body[1:] != b"\0":
                        raise Unavailable("sense.port", name="mqtt", host="", port=0, reason="CONNACK")
                    return told
        return told

    async def publish(self, topic: str, payload: bytes) -> list[Publish]:
        """Publishes at QoS 1 and waits for the broker's word; returns what was published to us meanwhile."""
        self._packet = self._packet % 0xFFFF + 1
        self.send(Publish(topic, payload, 1, self._packet))
        return await self.wait(PUBACK)

    def close(self) -> None:
        """Hangs up."""
        self._writer.close()


async def simulate(simulation: Simulation) -> int:
    """Plays the devices; returns how many messages the broker took."""
    play = _sparkplug if simulation.options.get("as") == "sparkplug" else _weather
    return sum(await asyncio.gather(*[play(simulation, number) for number in range(simulation.count)]))


async def _signed_in(simulation: Simulation, name: str, will: Publish | None = None) -> Line:
    line = Line(*await asyncio.open_connection(simulation.host, simulation.port or 1883))
    options = simulation.options
    password = Secret(options.get("password", "")).reveal()
    line.send(connect(name, user=options.get("user", ""), password=password, clean=True, will=will))
    await line.wait(CONNACK)
    return line


async def _turns(simulation: Simulation, number: int) -> AsyncIterator[float]:
    """Yields now and again after each pause, until the time is over."""
    loop = asyncio.get_running_loop()
    await asyncio.sleep(simulation.every_s * number / max(1, simulation.count))
    end = loop.time() + simulation.for_s if simulation.for_s else math.inf
    while loop.time() < end:
        yield loop.time()
        await asyncio.sleep(min(simulation.every_s, max(0.0, end - loop.time())))


async def _weather(simulation: Simulation, number: int) -> int:
    chance = random.Random(f"{simulation.seed}-{number}")  # noqa: S311 (made-up weather, not secrets)
    name, warm, done = f"ws-{number:05d}", chance.uniform(10, 30), 0
    line = await _signed_in(simulation, f"sim-{simulation.seed}-{name}")
    try:
        async for now in _turns(simulation, number):
            body = {
                "ts": now_us() // 1000,
                "temperature": round(warm + 5 * math.sin(now / 600 + number), 1),
                "humidity": round(60 + 20 * math.sin(now / 900 + number), 1),
                "pressure": round(1010 + chance.uniform(-3, 3), 1),
                "wind": {"speed": round(chance.uniform(0, 8), 1), "direction": chance.randrange(360)},
            }
            await line.publish(f"sensors/{name}/telemetry", json.dumps(body).encode())
            done += 1
    finally:
        line.close()
    return done


class EdgeNode:
    """A Sparkplug edge node with one meter."""

    def __init__(self, number: int, seed: int) -> None:
        chance = random.Random(f"{seed}-{number}")  # noqa: S311
        self.name = f"node-{number:04d}"
        self._level, self._energy = chance.uniform(2, 40), chance.uniform(1_000, 90_000)
        self._seq = 255

    def topic(self, kind: str, device: str = "") -> str:
        """Returns a topic of this node."""
        return "/".join([NAMESPACE, "yunmeng", kind, self.name, *([device] if device else [])])

    def death(self) -> bytes:
        """NDEATH, which the broker tells for us."""
        return write_payload(Payload(metrics=(Metric("bdSeq", datatype=UINT64, field=11, raw=0),)))

    def birth(self) -> bytes:
        """NBIRTH."""
        self._seq, now = 255, now_us() // 1000
        rebirth = metric_of(REBIRTH, None, BOOLEAN, value=False, timestamp=now)
        return self._payload([metric_of("bdSeq", None, UINT64, 0, now), rebirth])

    def meter(self, *, birth: bool) -> bytes:
        """DBIRTH, or DDATA under the aliases of the birth."""
        now = now_us() // 1000
        self._energy += self._level / 360
        power = self._level * (1 + 0.3 * math.sin(now / 600_000))
        named = (("Power/Active", power), ("Energy/Imported", self._energy))
        return self._payload(
            metric_of(name if birth else None, alias, DOUBLE, round(value, 3), now)
            for alias, (name, value) in enumerate(named, start=1)
        )

    def _payload(self, metrics: Iterable[Metric]) -> bytes:
        self._seq = (self._seq + 1) & 0xFF
        return write_payload(Payload(now_us() // 1000, tuple(metrics), self._seq))


async def _sparkplug(simulation: Simulation, number: int) -> int:
    node, done = EdgeNode(number, simulation.seed), 0
    will = Publish(node.topic("NDEATH"), node.death(), 1)
    line = await _signed_in(simulation, f"sim-{simulation.seed}-{node.name}", will)
    try:
        line.send(subscribe(1, {node.topic("NCMD"): 1}))
        told, born = await line.wait(SUBACK), False
        async for _ in _turns(simulation, number):
            if not born or any(_wants_birth(each) for each in told):
                told = await line.publish(node.topic("NBIRTH"), node.birth())
                told += await line.publish(node.topic("DBIRTH", "meter"), node.meter(birth=True))
                born, done = True, done + 2
            else:
                told = await line.publish(node.topic("DDATA", "meter"), node.meter(birth=False))
                done += 1
    finally:
        line.close()
    return done


def _wants_birth(message: Publish) -> bool:
    return any(metric.name == REBIRTH and metric.raw for metric in read_payload(message.payload).metrics)

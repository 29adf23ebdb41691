"""Rates of the bus, with everything synced to disk: ``python -m benchmarks.bus [seconds]``.

Packed messages carry 1,000 observations of about 26 bytes. Every figure is for one Python process that
publishes and consumes, beside the server, on whatever machine this runs on.
"""

import asyncio
import json
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import nats
import uvloop

from benchmarks.figures import Figure
from yunmeng.kernel.link import Bus, MemoryBus, NatsBus, NatsServer, Request
from yunmeng.kernel.trust import Principal

ROWS = 1_000
PACKED = bytes(range(256)) * 102
SMALL = bytes(200)
IN_FLIGHT = 64
GATEWAY = Principal("gateway:mqtt", kind="service", tenant="demo")


async def publish_for(bus: Bus, body: bytes, seconds: float, in_flight: int = IN_FLIGHT) -> tuple[int, float]:
    """Publishes with ``in_flight`` outstanding; returns messages and seconds."""
    until = time.perf_counter() + seconds
    sent = 0

    async def one() -> None:
        nonlocal sent
        while time.perf_counter() < until:
            await bus.publish("obs.demo.mqtt", body, GATEWAY)
            sent += 1

    started = time.perf_counter()
    await asyncio.gather(*(one() for _ in range(in_flight)))
    return sent, time.perf_counter() - started


async def consume(bus: Bus, durable: str, number: int) -> float:
    """Fetches and acknowledges ``number`` messages; returns seconds."""
    consumer = await bus.consumer("OBS", durable)
    started = time.perf_counter()
    seen = 0
    while seen < number:
        batch = await consumer.fetch(500, 5)
        seen += len(batch)
        await consumer.ack(batch[-1].position)
    await consumer.close()
    return time.perf_counter() - started


async def library_fetch(url: str, token: str, number: int) -> float:
    """The same through nats-py's own fetch, for comparison; returns seconds."""
    client = await nats.connect(url, token=token)
    subscription = await client.jetstream().pull_subscribe("obs.>", durable="library", stream="OBS")
    started = time.perf_counter()
    seen = 0
    while seen < number:
        batch = await subscription.fetch(min(500, number - seen), timeout=5)
        seen += len(batch)
        for message in batch:
            await message.ack()
    took = time.perf_counter() - started
    await client.close()
    return took


async def requests_for(bus: Bus, seconds: float) -> float:
    """Returns requests a second with ``IN_FLIGHT`` outstanding."""

    async def echo(request: Request) -> bytes:
        return request.data

    await bus.serve("bench.echo", echo)
    return await _rate(lambda: bus.request("bench.echo", SMALL, GATEWAY), seconds)


async def _rate(work: Callable[[], Awaitable[object]], seconds: float) -> float:
    until = time.perf_counter() + seconds
    done = 0

    async def one() -> None:
        nonlocal done
        while time.perf_counter() < until:
            await work()
            done += 1

    started = time.perf_counter()
    await asyncio.gather(*(one() for _ in range(IN_FLIGHT)))
    return done / (time.perf_counter() - started)


async def both_ways(publisher: Bus, reader: Bus, seconds: float) -> float:
    """Publishes and consumes at once; returns packed observations a second from end to end."""
    consumer = await reader.consumer("OBS", "both")
    while batch := await consumer.fetch(1000, 0.1):
        await consumer.ack(batch[-1].position)
    started = time.perf_counter()
    writing = asyncio.create_task(publish_for(publisher, PACKED, seconds))
    seen = 0
    while not writing.done() or seen < writing.result()[0]:
        batch = await consumer.fetch(500, 0.1)
        if batch:
            seen += len(batch)
            await consumer.ack(batch[-1].position)
    return seen * ROWS / (time.perf_counter() - started)


async def measure(bus: Bus, seconds: float) -> dict[str, float]:
    """Measures one engine."""
    single, took = await publish_for(bus, SMALL, seconds)
    figures = {"publish 200 B, messages/s": single / took}
    figures["consume 200 B, messages/s"] = single / await consume(bus, "small", single)
    alone, alone_took = await publish_for(bus, PACKED, seconds / 2, in_flight=1)
    figures["publish one at a time, ms each"] = 1000 * alone_took / alone
    packed, took = await publish_for(bus, PACKED, seconds)
    figures["publish packed, observations/s"] = packed * ROWS / took
    figures["consume packed, observations/s"] = packed * ROWS / await consume(bus, "packed", packed)
    figures["both ways packed, observations/s"] = await both_ways(bus, bus, seconds)
    figures["requests/s"] = await requests_for(bus, seconds / 2)
    return figures


async def main(seconds: float) -> None:
    """Prints one line of JSON an engine."""
    print(json.dumps({"memory": _rounded(await measure(MemoryBus(), min(seconds, 0.3)))}))
    with tempfile.TemporaryDirectory() as folder:
        for sync in ("always", "2m"):
            server = NatsServer(Path(folder) / sync, sync=sync)
            await server.start()
            bus = await NatsBus.connect(server.url, server.token)
            figures = await measure(bus, seconds)
            took = await consume(bus, "ours", 5000)
            figures["ours, us a message"] = took / 5000 * 1e6
            took = await library_fetch(server.url, server.token, 5000)
            figures["nats-py fetch, us a message"] = took / 5000 * 1e6
            await bus.close()
            await server.stop()
            print(json.dumps({f"nats, sync {sync}": _rounded(figures)}))


def _rounded(figures: dict[str, float]) -> dict[str, float]:
    return {name: round(value, 1 if value < 1000 else 0) for name, value in figures.items()}


async def on_nats(seconds: float) -> dict[str, float]:
    """Measures the embedded server with everything synced."""
    with tempfile.TemporaryDirectory() as folder:
        server = NatsServer(Path(folder))
        await server.start()
        bus = await NatsBus.connect(server.url, server.token)
        try:
            return await measure(bus, seconds)
        finally:
            await bus.close()
            await server.stop()


def run(seconds: float = 2.0) -> list[Figure]:
    """Measures NATS with everything synced, in the shape that ``python -m benchmarks`` compares."""
    found = uvloop.run(on_nats(seconds))
    return [
        Figure("bus.packed", found["both ways packed, observations/s"], "observations/s", _rounded(found)),
        Figure("bus.requests", found["requests/s"], "requests/s"),
    ]


if __name__ == "__main__":
    uvloop.run(main(float(sys.argv[1]) if len(sys.argv) > 1 else 2.0))

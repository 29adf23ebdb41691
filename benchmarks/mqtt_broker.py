"""Single messages of QoS 1 through a mosquitto to the bus, and on into the history; each a process."""

import asyncio
import json
import os
import shutil
import socket
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

from benchmarks.figures import Figure, cpu_seconds
from benchmarks.keeper_process import settings_in
from yunmeng.gateways.mqtt.codec import MqttCodec, connect
from yunmeng.gateways.mqtt.messages import CONNACK, Publish
from yunmeng.gateways.mqtt.simulator import Line
from yunmeng.kernel.base import now_us
from yunmeng.kernel.link import NatsBus, NatsServer
from yunmeng.kernel.model import decode_batch
from yunmeng.kernel.store import HistoryServer, open_history

SENSORS, REPORTS = 500, 400
LINES = 4
# a broker that is not told so sends 20 messages at a time and drops what waits behind 1,000
_BROKER = "max_inflight_messages 0\nmax_queued_messages 0\nallow_anonymous true\n"


def messages(sensors: range, reports: int) -> bytes:
    """What sensors publish, a message each time, as packets."""
    encode, now, packets = MqttCodec().encode, now_us() // 1000, []
    for report in range(reports):
        for sensor in sensors:
            body = json.dumps({"ts": now + report, "temperature": 20 + report / 10}).encode()
            number = len(packets) % 0xFFFF + 1
            packets.append(encode(Publish(f"sensors/ws-{sensor:05d}/telemetry", body, 1, number)))
    return b"".join(packets)


async def through_broker() -> list[Figure]:
    """Returns how many messages a second come off a broker and are on disk; nothing without one."""
    binary = shutil.which("mosquitto", path="/usr/sbin:/usr/local/sbin:/usr/bin:/opt/homebrew/sbin")
    if binary is None:
        return []
    with tempfile.TemporaryDirectory() as name:
        nats = NatsServer(Path(name) / "bus")
        await nats.start()
        try:
            async with _mosquitto(binary, Path(name)) as (broker, port):
                return await _measured(nats, broker, port)
        finally:
            await nats.stop()


async def _measured(nats: NatsServer, broker: asyncio.subprocess.Process, port: int) -> list[Figure]:
    url = f"mqtt+connect://127.0.0.1:{port}?use=weather&clean=1"
    bus = await NatsBus.connect(nats.url, nats.token)
    async with _gateway(url, nats) as gateway:
        pids = {"broker": broker.pid, "gateway": gateway.pid, "bus": nats.pid}
        share = SENSORS // LINES
        streams = [messages(range(line * share, (line + 1) * share), REPORTS) for line in range(LINES)]
        before = {part: cpu_seconds(pid) for part, pid in pids.items()}
        began = time.perf_counter()
        await asyncio.gather(
            *[_sent(port, stream) for stream in streams], _kept(bus, share * LINES * REPORTS)
        )
        took = time.perf_counter() - began
        busy = {part: round(cpu_seconds(pid) - before[part], 2) for part, pid in pids.items()}
    await bus.close()
    count = share * LINES * REPORTS
    parts: dict[str, float] = {f"{part}, processor s": s for part, s in busy.items()}
    return [
        Figure("sense.mqtt-broker", count / took, "messages/s", parts),
        Figure("sense.mqtt-broker-core", count / busy["gateway"], "messages/s a core"),
    ]


async def into_history() -> list[Figure]:
    """Returns how many messages a second come off a broker and are in the history; nothing without one."""
    binary = shutil.which("mosquitto", path="/usr/sbin:/usr/local/sbin:/usr/bin:/opt/homebrew/sbin")
    if binary is None:
        return []
    with tempfile.TemporaryDirectory() as name:
        nats, history = NatsServer(Path(name) / "bus"), HistoryServer(Path(name) / "history")
        await asyncio.gather(nats.start(), history.start())
        try:
            async with (
                _keeper(name, nats, history) as keeper,
                _mosquitto(binary, Path(name)) as (broker, port),
                _gateway(f"mqtt+connect://127.0.0.1:{port}?use=weather&clean=1", nats) as gateway,
            ):
                pids = {
                    "gateway": gateway.pid,
                    "bus": nats.pid,
                    "keeper": keeper.pid,
                    "history": history.pid,
                    "broker": broker.pid,
                }
                return await _stored(Path(name), history, port, pids)
        finally:
            await asyncio.gather(nats.stop(), history.stop())


async def _stored(folder: Path, history: HistoryServer, port: int, pids: dict[str, int]) -> list[Figure]:
    reading = open_history(settings_in(folder), history.url, history.password)
    share = SENSORS // LINES
    streams = [messages(range(line * share, (line + 1) * share), REPORTS) for line in range(LINES)]
    count = share * LINES * REPORTS
    before = {part: cpu_seconds(pid) for part, pid in pids.items()}
    began = time.perf_counter()
    await asyncio.gather(*[_sent(port, stream) for stream in streams])
    while await reading.count() < count:  # noqa: ASYNC110 -- another process writes
        await asyncio.sleep(0.05)
    took = time.perf_counter() - began
    busy = {part: round(cpu_seconds(pid) - before[part], 2) for part, pid in pids.items()}
    await reading.close()
    ours = sum(seconds for part, seconds in busy.items() if part != "broker")
    parts: dict[str, float] = {f"{part}, processor s": s for part, s in busy.items()}
    return [
        Figure("sense.mqtt-history", count / took, "messages/s", parts),
        # what two cores carry that have nothing else to do, such as the broker and the devices
        Figure("sense.mqtt-history-capacity", count / (ours / 2), "messages/s on 2 cores"),
    ]


@asynccontextmanager
async def _keeper(
    folder: str, nats: NatsServer, history: HistoryServer
) -> AsyncIterator[asyncio.subprocess.Process]:
    arguments = (folder, nats.url, nats.token, history.url, history.password)
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "benchmarks.keeper_process", *arguments), stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    try:
        await asyncio.wait_for(process.stdout.readline(), 60)
        yield process
    finally:
        process.terminate()
        await process.wait()


async def _sent(port: int, stream: bytes) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    line = Line(reader, writer)
    line.send(connect(f"bench-{id(stream)}", clean=True))
    await line.wait(CONNACK)
    drained = asyncio.create_task(_acknowledged(reader, stream))
    for start in range(0, len(stream), 1 << 16):
        writer.write(stream[start : start + (1 << 16)])
        await writer.drain()
    await drained
    writer.close()


async def _acknowledged(reader: asyncio.StreamReader, stream: bytes) -> None:
    left = 4 * stream.count(b'{"ts"')
    while left > 0:
        left -= len(await reader.read(1 << 16))


async def _kept(bus: NatsBus, count: int) -> None:
    consumer = await bus.consumer("OBS", "bench")
    while count > 0:
        for message in await consumer.fetch(256, 1.0):
            count -= len(decode_batch(message.data))
    await consumer.close()


@asynccontextmanager
async def _gateway(url: str, nats: NatsServer) -> AsyncIterator[asyncio.subprocess.Process]:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "benchmarks.gateway_process", url, nats.url, nats.token),
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdout is not None
    try:
        await asyncio.wait_for(process.stdout.readline(), 60)
        await asyncio.sleep(1)  # until the broker knows what it wants
        yield process
    finally:
        process.terminate()
        await process.wait()


@asynccontextmanager
async def _mosquitto(binary: str, folder: Path) -> AsyncIterator[tuple[asyncio.subprocess.Process, int]]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    user = "user root\n" if os.geteuid() == 0 else ""
    (folder / "mosquitto.conf").write_text(f"{user}listener {port} 127.0.0.1\n{_BROKER}")
    quiet = asyncio.subprocess.DEVNULL
    process = await asyncio.create_subprocess_exec(
        binary, "-c", str(folder / "mosquitto.conf"), stdout=quiet, stderr=quiet
    )
    try:
        await asyncio.sleep(0.5)
        yield process, port
    finally:
        with suppress(ProcessLookupError):
            process.terminate()
        await process.wait()


if __name__ == "__main__":
    import uvloop

    for figure in (*uvloop.run(through_broker()), *uvloop.run(into_history())):
        print(figure)

"""Gateways: frames of field protocols to packed observations, and a TCP gateway with many vehicles.

Rates "a core" count processor time, so that a busy machine says the same as an idle one.
"""

import asyncio
import resource
import socket
import sys
import tempfile
import time
from asyncio.subprocess import Process
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import uvloop

from benchmarks.figures import Figure, cpu_seconds, pss_mb
from benchmarks.mqtt_broker import into_history, messages, through_broker
from yunmeng.gateways.hj212.session import Hj212Session
from yunmeng.gateways.hj212.simulator import Logger
from yunmeng.gateways.jt808.session import Jt808Session
from yunmeng.gateways.jt808.simulator import Terminal
from yunmeng.gateways.mqtt.session import MqttSession
from yunmeng.gateways.sl651.session import Sl651Session
from yunmeng.gateways.sl651.simulator import Rtu
from yunmeng.kernel.base import now_us, packages
from yunmeng.kernel.link import NatsServer
from yunmeng.kernel.model import Kinds, Reading, encode_batch, load_types, make_batch_of
from yunmeng.kernel.sense import Devices, Mapper, Observe, Session, Simulation, Station, read_mapping

VEHICLES, REPORTS = 500, 40
TCP_REPORTS = 400
# a machine may allow fewer open files than the 20,000 connections of the goal
IDLE = min(20_000, resource.getrlimit(resource.RLIMIT_NOFILE)[1] - 500)
_CHUNK, _PACK = 64 << 10, 4_000


def station(gateway: str) -> Station:
    """What a session of this gateway knows: its own mapping, no registered devices."""
    folders = {package.id: package.folder for package in packages()}
    types = load_types(list(folders.values()))
    tables = read_mapping(folders[gateway] / "mapping.toml")
    mappers = {
        name: Mapper(table, types, gateway=gateway, division="420100") for name, table in tables.items()
    }
    return Station(gateway, "420100", "bench", mappers, Devices())


def frames_a_core(session: Session, stream: bytes, frames: int) -> float:
    """Hears a stream in chunks, packs what was read as a gateway does; returns frames a second of a core."""
    waiting: list[Reading] = []
    rows, readings, kinds = 0, 0, Kinds()
    began = time.process_time()
    for start in range(0, len(stream), _CHUNK):
        for effect in session.received(stream[start : start + _CHUNK], now_us()):
            if isinstance(effect, Observe):
                waiting += effect.readings
                rows += sum(len(reading.series) for reading in effect.readings)
                readings += 1
                if rows >= _PACK:
                    encode_batch(make_batch_of(waiting, gateway="bench", received_at=now_us()), kinds)
                    waiting, rows = [], 0
    took = time.process_time() - began
    assert readings == frames, f"{readings} of {frames} frames were understood"
    return frames / took


def best(measure: Callable[[], float], rounds: int = 3) -> float:
    """The best of a few rounds: what disturbs only makes slower."""
    return max(measure() for _ in range(rounds))


def jt808() -> Figure:
    """JT/T 808 location reports with four additional items."""
    terminals = [Terminal(number, 42) for number in range(VEHICLES)]
    stream = b"".join(terminal.report() for _ in range(REPORTS) for terminal in terminals)
    of = station("jt808")
    return Figure(
        "sense.jt808",
        best(lambda: frames_a_core(Jt808Session(of), stream, VEHICLES * REPORTS)),
        "frames/s a core",
        {"bytes a frame": len(stream) / VEHICLES / REPORTS},
    )


def sl651() -> Figure:
    """SL 651 timed reports of rain, river and reservoir stations in HEX/BCD, with their confirmations."""
    play = Simulation("", 0)
    stations = [Rtu(play, number, number) for number in range(VEHICLES)]
    stream = b"".join(each.report() for _ in range(REPORTS) for each in stations)
    of = station("sl651")
    return Figure(
        "sense.sl651",
        best(lambda: frames_a_core(Sl651Session(of), stream, VEHICLES * REPORTS)),
        "frames/s a core",
        {"bytes a frame": len(stream) / VEHICLES / REPORTS},
    )


def hj212() -> Figure:
    """HJ 212 lines of values of four factors each, with their answers."""
    play = Simulation("", 0)
    loggers = [Logger(play, number, number) for number in range(VEHICLES)]
    stream = b"".join(each.report() for _ in range(REPORTS) for each in loggers)
    of = station("hj212")
    return Figure(
        "sense.hj212",
        best(lambda: frames_a_core(Hj212Session(of), stream, VEHICLES * REPORTS)),
        "frames/s a core",
        {"bytes a frame": len(stream) / VEHICLES / REPORTS},
    )


def mqtt() -> Figure:
    """MQTT messages of QoS 1 with one value each, as JSON."""
    stream, of = messages(range(VEHICLES), REPORTS), station("mqtt")

    def heard() -> float:
        session, waiting, rows = MqttSession(of), list[Reading](), 0
        began = time.process_time()
        for start in range(0, len(stream), _CHUNK):
            for effect in session.received(stream[start : start + _CHUNK], now_us()):
                if isinstance(effect, Observe):
                    waiting += effect.readings
                    rows += len(effect.readings)
            encode_batch(make_batch_of(waiting, gateway="bench", received_at=now_us()))
            waiting = []
        took = time.process_time() - began
        assert rows == VEHICLES * REPORTS, f"{rows} messages were understood"
        return rows / took

    return Figure(
        "sense.mqtt", best(heard), "messages/s a core", {"bytes a message": len(stream) / VEHICLES / REPORTS}
    )


async def tcp() -> list[Figure]:
    """Vehicles, each with a connection; a report is acknowledged once the bus has it on disk."""
    with tempfile.TemporaryDirectory() as name:
        nats = NatsServer(Path(name) / "bus")
        await nats.start()
        try:
            async with _gateway(nats.url, nats.token) as (gateway, port):
                return await _driven(gateway, port, nats.pid)
        finally:
            await nats.stop()


async def _driven(gateway: Process, port: str, bus_pid: int) -> list[Figure]:
    vehicles = await _process("benchmarks.vehicles_process", port, str(VEHICLES), str(TCP_REPORTS))
    await _said(vehicles)
    pids = {"gateway": gateway.pid, "vehicles": vehicles.pid, "bus": bus_pid}
    before = {part: cpu_seconds(pid) for part, pid in pids.items()}
    _tell(vehicles)
    took = float(await _said(vehicles))
    busy = {part: round(cpu_seconds(pid) - before[part], 2) for part, pid in pids.items()}
    await vehicles.wait()
    frames = VEHICLES * TCP_REPORTS
    return [
        Figure(
            "sense.tcp", frames / took, "frames/s", {f"{part}, processor s": s for part, s in busy.items()}
        ),
        # what one core carries that has nothing else to do: comparable on a machine that has
        Figure("sense.tcp-core", frames / busy["gateway"], "frames/s a core"),
    ]


async def idle() -> list[Figure]:
    """What a gateway needs for connections that say nothing."""
    async with _gateway("", "") as (gateway, port):
        empty = pss_mb(gateway.pid)
        vehicles = await _process("benchmarks.vehicles_process", port, str(IDLE), "0")
        await _said(vehicles)
        await asyncio.sleep(3)  # two ticks
        held = pss_mb(gateway.pid)
        _tell(vehicles)
        await vehicles.wait()
        return [Figure("sense.idle", held, f"MB for {IDLE:,}", {"without any": round(empty)})]


@asynccontextmanager
async def _gateway(nats_url: str, token: str) -> AsyncIterator[tuple[Process, str]]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    process = await _process("benchmarks.gateway_process", f"jt808+tcp://127.0.0.1:{port}", nats_url, token)
    try:
        yield process, await _said(process)
    finally:
        process.terminate()
        await process.wait()


async def _process(module: str, *arguments: str) -> Process:
    pipe = asyncio.subprocess.PIPE
    return await asyncio.create_subprocess_exec(
        sys.executable, "-m", module, *arguments, stdin=pipe, stdout=pipe
    )


async def _said(process: Process) -> str:
    assert process.stdout is not None
    return (await asyncio.wait_for(process.stdout.readline(), 300)).decode().strip()


def _tell(process: Process) -> None:
    assert process.stdin is not None
    process.stdin.write(b"\n")


def run() -> list[Figure]:
    """Measures every gateway that the goals name."""
    return [
        *(jt808(), sl651(), hj212(), mqtt()),
        *uvloop.run(tcp()),
        *uvloop.run(through_broker()),
        *uvloop.run(into_history()),
        *uvloop.run(idle()),
    ]


if __name__ == "__main__":
    for figure in run():
        print(figure, file=sys.stdout)

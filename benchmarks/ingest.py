"""Packed observations through the whole chain: bus, keeper, state and history, all of it synced.

A gateway (this process) publishes packs of 1,000 rows, each of another meter; the keeper is a process of its
own. The clock runs from the first pack until the last row is in the state and in the history.
"""

import asyncio
import os
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import uvloop

from benchmarks.figures import Figure, cpu_seconds
from benchmarks.keeper_process import settings_in
from yunmeng.kernel.base import now_us
from yunmeng.kernel.keeper import FLUSH
from yunmeng.kernel.link import NatsBus, NatsServer, obs_subject
from yunmeng.kernel.model import ObservationBatch, Series, encode_batch
from yunmeng.kernel.store import History, HistoryServer, open_history, open_state_reader
from yunmeng.kernel.trust import Principal, Reach

ROWS, METERS, IN_FLIGHT = 1_000, 20_000, 24
_CODES = tuple(f"42{number:02d}00" for number in (1, 2, 3, 5, 6, 7, 8, 9, 10, 11, 12, 13))
POWER, METER = "https://w3id.org/yunmeng/power", "https://w3id.org/yunmeng/Meter"
GATEWAY = Principal("urn:yunmeng:service:gateway", kind="service", roles=("service",))


class Gateway:
    """Publishes packs as fast as they are acknowledged."""

    def __init__(self, bus: NatsBus) -> None:
        self._bus = bus
        self._series = [
            tuple(_series(number) for number in range(first, first + ROWS))
            for first in range(0, METERS, ROWS)
        ]
        self._index = np.arange(ROWS, dtype=np.uint32)
        self._good = np.zeros(ROWS, np.uint8)
        self.packs = 0

    def pack(self, number: int) -> bytes:
        at = now_us()
        values = np.round(np.sin(np.arange(ROWS) + number) * 5 + 5, 3)
        batch = ObservationBatch(
            tenant="",
            gateway="bench",
            received_at=at,
            series=self._series[number % len(self._series)],
            index=self._index,
            observed_at=at + np.arange(ROWS),
            number=values,
            quality=self._good,
        )
        return encode_batch(batch)

    async def publish(self, packs: int) -> None:
        until = self.packs + packs
        await asyncio.gather(*(self._work(until) for _ in range(IN_FLIGHT)))

    async def _work(self, until: int) -> None:
        while self.packs < until:
            number, self.packs = self.packs, self.packs + 1
            await self._bus.publish(obs_subject("", "bench"), self.pack(number), GATEWAY)


def _series(number: int) -> Series:
    return Series(f"urn:ngsi-ld:Meter:{number:08d}", POWER, METER, _CODES[number % len(_CODES)], "KWT")


async def measure(packs: int) -> list[Figure]:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        nats, history = NatsServer(folder / "bus"), HistoryServer(folder / "history")
        await asyncio.gather(nats.start(), history.start())
        bus = await NatsBus.connect(nats.url, nats.token)
        arguments = (name, nats.url, nats.token, history.url, history.password)
        keeper = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "benchmarks.keeper_process", *arguments, stdout=asyncio.subprocess.PIPE
        )
        assert keeper.stdout is not None
        await keeper.stdout.readline()
        gateway = Gateway(bus)
        settings = settings_in(folder)
        state = await open_state_reader(settings)
        reading = open_history(settings, history.url, history.password)
        try:
            await gateway.publish(METERS // ROWS)
            await _stored(bus, reading, gateway.packs)
            pids = {"bus": nats.pid, "history": history.pid, "keeper": keeper.pid, "gateway": os.getpid()}
            before = {part: cpu_seconds(pid) for part, pid in pids.items()}
            began = time.perf_counter()
            await gateway.publish(packs)
            published = time.perf_counter() - began
            await _stored(bus, reading, gateway.packs)
            took = time.perf_counter() - began
            parts = {part: round(cpu_seconds(pid) - before[part], 2) for part, pid in pids.items()}
            last = _series(METERS - 1)
            assert await state.last(Reach(), last.entity, POWER) is not None
        finally:
            keeper.terminate()
            await keeper.wait()
            await reading.close()
            await state.close()
            await bus.close()
            await asyncio.gather(nats.stop(), history.stop())
    rows, busy = packs * ROWS, sum(parts.values())
    parts = {f"{part}, processor s": seconds for part, seconds in parts.items()}
    parts |= {"published after s": round(published, 2), "stored after s": round(took, 2)}
    return [
        Figure("ingest.observations", rows / took, "observations/s", parts),
        # What two cores carry that have nothing else to do: comparable on a machine that has.
        Figure(
            "ingest.capacity", rows / (busy / 2), "observations/s", {"µs of a core each": busy / rows * 1e6}
        ),
    ]


async def _stored(bus: NatsBus, history: History, packs: int) -> None:
    while await history.count() < packs * ROWS:  # noqa: ASYNC110 -- another process writes
        await asyncio.sleep(0.05)
    await bus.request(FLUSH, b"", GATEWAY, timeout_s=60)


def run(packs: int = 500) -> list[Figure]:
    """Measures ``packs`` packs after one round of all meters."""
    return uvloop.run(measure(packs))


if __name__ == "__main__":
    for figure in run(int(sys.argv[1]) if len(sys.argv) > 1 else 500):
        print(figure)

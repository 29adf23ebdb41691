"""One suite, two engines: in memory, and NATS as a child process."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from yunmeng.kernel.link import Bus, MemoryBus, NatsBus, NatsServer, Stream

STREAMS = (
    Stream("OBS", 64 * 1024**2),
    Stream("CHG", 64 * 1024**2, when_full="drop-oldest"),
    Stream("CMD", 256 * 1024),
    Stream("ALR", 256 * 1024, when_full="drop-oldest"),
    Stream("AUD", 64 * 1024**2, duplicate_window_s=0.5),
)


class MemoryEngine:
    """The in-memory bus: every process of a node would share one object."""

    name = "memory"

    def __init__(self) -> None:
        self._bus = MemoryBus(STREAMS)

    async def open(self) -> Bus:
        return self._bus

    async def close(self) -> None:
        await self._bus.close()


class NatsEngine:
    """The embedded server; each ``open`` is a connection of its own, as from another process."""

    name = "nats"

    def __init__(self, folder: Path) -> None:
        self.server = NatsServer(folder / "bus")
        self._buses: list[NatsBus] = []

    async def open(self) -> Bus:
        bus = await NatsBus.connect(self.server.url, self.server.token, streams=STREAMS)
        self._buses.append(bus)
        return bus

    async def kill(self) -> None:
        """Kills the server as a power cut would, and waits until it was started again."""
        before = self.server.restarts
        os.kill(self.server.pid, signal.SIGKILL)
        async with asyncio.timeout(20):
            while self.server.restarts == before:
                await asyncio.sleep(0.02)

    async def close(self) -> None:
        for bus in self._buses:
            await bus.close()
        await self.server.stop()


@pytest.fixture(params=["memory", "nats"])
async def engine(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[MemoryEngine | NatsEngine]:
    if request.param == "memory":
        made: MemoryEngine | NatsEngine = MemoryEngine()
    else:
        made = NatsEngine(tmp_path)
        await made.server.start()
    yield made
    await made.close()


@pytest.fixture
async def nats_engine(tmp_path: Path) -> AsyncIterator[NatsEngine]:
    made = NatsEngine(tmp_path)
    await made.server.start()
    yield made
    await made.close()


@pytest.fixture
async def bus(engine: MemoryEngine | NatsEngine) -> Bus:
    return await engine.open()

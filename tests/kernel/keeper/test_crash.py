"""The keeper, killed a hundred times under load: nothing lost, nothing twice, state and history agree."""

import asyncio
import os
import signal
import sys
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from random import Random

import httpx
import msgspec
import numpy as np
import psutil
import pytest
from tests.kernel.keeper import crash_process
from tests.kernel.keeper.conftest import OPERATOR
from tests.kernel.keeper.crash_load import LIMIT, METERS, POWER, Clients, Sensors, series

from yunmeng.kernel.keeper import FLUSH
from yunmeng.kernel.link import NatsBus, NatsServer
from yunmeng.kernel.store import HistoryServer, StateReader, open_state_reader
from yunmeng.kernel.trust import Reach

KILLS, SEED = int(os.environ.get("YUNMENG_CRASH_KILLS", "100")), 20261122


class Keepers:
    """One keeper at a time, killed and started again."""

    def __init__(self, host: asyncio.subprocess.Process) -> None:
        self._host = host
        self._said: asyncio.Queue[tuple[str, int]] = asyncio.Queue()
        self._reading = asyncio.create_task(self._read())
        self.ready_s: list[float] = []

    @classmethod
    async def load(cls, *arguments: str, log: Path) -> "Keepers":
        with log.open("ab") as errors:
            host = await asyncio.create_subprocess_exec(
                sys.executable,
                crash_process.__file__,
                *arguments,
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=errors,
            )
        return cls(host)

    async def _read(self) -> None:
        assert self._host.stdout is not None
        while line := await self._host.stdout.readline():
            word, pid = line.split()
            self._said.put_nowait((word.decode(), int(pid)))

    async def start(self) -> int:
        """Starts a keeper and returns its pid, before it is ready."""
        assert self._host.stdin is not None
        self._host.stdin.write(b"\n")
        return await self.hear("started")

    async def hear(self, expected: str, pid: int = 0) -> int:
        """Waits for a word of a keeper."""
        async with asyncio.timeout(30):
            while True:
                word, who = await self._said.get()
                assert word != "failed", "a keeper ended by itself: see its log"
                if word == expected and pid in (0, who):
                    return who

    async def close(self) -> None:
        """Ends the host."""
        assert self._host.stdin is not None
        self._host.stdin.close()
        await self._host.wait()
        await self._reading


class Site:
    """Real servers, a keeper that dies, and clients that remember what they were promised."""

    def __init__(self, folder: Path, nats: NatsServer, history: HistoryServer, bus: NatsBus) -> None:
        self.folder, self.nats, self.history, self.bus = folder, nats, history, bus
        self.random = Random(SEED)
        self.sensors = Sensors(bus)
        self.clients = Clients(bus, Random(SEED + 1))
        self.keepers: Keepers

    async def kill_often(self, times: int) -> None:
        """Kills a keeper at a random moment of its life, sometimes before it is ready; also its servers."""
        for number in range(times):
            pid = await self.keepers.start()
            if self.random.random() < 0.25:
                await asyncio.sleep(self.random.uniform(0, 0.25))
            else:
                await self.keepers.hear("ready", pid)
                await asyncio.sleep(self.random.uniform(0, 0.4))
            if number % 25 == 12:
                kill(self.nats.pid)
            if number % 25 == 20:
                kill(self.history.pid)
            kill(pid)
            self.clients.give_up()
            await gone(pid)

    async def flushed(self) -> None:
        """Waits until all that a keeper has committed is in the history."""
        await self.bus.request(FLUSH, b"", OPERATOR, timeout_s=60)

    async def start_keeper(self) -> int:
        """Starts a keeper and waits until it is ready."""
        pid = await self.keepers.start()
        return await self.keepers.hear("ready", pid)

    async def stop_keeper(self, pid: int) -> None:
        """Lets a keeper end in good order."""
        os.kill(pid, signal.SIGTERM)
        await self.keepers.hear("stopped", pid)

    async def kept(self) -> list[int]:
        """Counts what the history keeps of observations and of writes."""
        return [len(await self.rows("toUInt8(1)", attribute, [("n", "u1")])) for attribute in (POWER, LIMIT)]

    async def rows(self, columns: str, attribute: str, shape: list[tuple[str, str]]) -> np.ndarray:
        """Reads columns of fixed width of one attribute straight from the history's table."""
        sql = f"SELECT {columns} FROM yunmeng.history_points WHERE attribute = '{attribute}' FORMAT RowBinary"
        async with httpx.AsyncClient(auth=("default", self.history.password), trust_env=False) as client:
            answer = await client.post(self.history.url, content=sql, timeout=60)
        assert answer.status_code == 200, answer.text
        return np.frombuffer(answer.content, np.dtype(shape))


def kill(pid: int) -> None:
    """Ends a process that cannot say goodbye."""
    if pid:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


async def gone(pid: int) -> None:
    """Waits as a supervisor does: a process that was killed holds its locks until the system has ended it."""
    async with asyncio.timeout(10):
        while psutil.pid_exists(pid):
            await asyncio.sleep(0.002)


@asynccontextmanager
async def running_site(folder: Path) -> AsyncIterator[Site]:
    nats, history = NatsServer(folder / "bus"), HistoryServer(folder / "history")
    await asyncio.gather(nats.start(), history.start())
    bus = await NatsBus.connect(nats.url, nats.token)
    site = Site(folder, nats, history, bus)
    arguments = (str(folder), nats.url, nats.token, history.url, history.password)
    site.keepers = await Keepers.load(*arguments, log=folder / "keepers.log")
    try:
        yield site
    finally:
        await site.keepers.close()
        await bus.close()
        await asyncio.gather(nats.stop(), history.stop())


@pytest.mark.slow
@pytest.mark.timeout(300)
async def test_a_keeper_killed_a_hundred_times_loses_nothing_and_repeats_nothing(tmp_path):
    async with running_site(tmp_path) as site:
        load = [
            *(asyncio.create_task(site.sensors.publish_forever()) for _ in range(2)),
            *(asyncio.create_task(site.clients.write_forever(number)) for number in range(24)),
        ]
        await site.kill_often(KILLS)
        last = await site.start_keeper()
        site.sensors.stopped = site.clients.stopped = True
        await asyncio.gather(*load)
        state = await open_state_reader(crash_process.settings_in(tmp_path))
        await prove_observations(site, state)
        await prove_writes(site, state)
        assert site.nats.restarts >= KILLS // 25
        assert site.history.restarts >= KILLS // 25
        await prove_that_a_restart_changes_nothing(site, last)
        await state.close()


async def prove_observations(site: Site, state: StateReader) -> None:
    """Every acknowledged row is in the history once; the newest of each meter is its last value."""
    sent = np.concatenate([np.array(rows) for rows in site.sensors.acknowledged])
    assert len(sent) == site.sensors.next
    newest = {number % METERS: number for number in sorted(sent.tolist())}
    async with asyncio.timeout(60):
        for meter, number in newest.items():
            expected = (site.sensors.began + number, number)
            while await state.last(Reach(), series(meter).entity, POWER) != expected:
                await asyncio.sleep(0.05)
    await site.flushed()
    columns = "toInt64(number), toUnixTimestamp64Micro(at)"
    found = await site.rows(columns, POWER, [("n", "<i8"), ("at", "<i8")])
    assert np.array_equal(np.sort(found["n"]), np.sort(sent))
    assert np.array_equal(found["at"] - site.sensors.began, found["n"])


async def prove_writes(site: Site, state: StateReader) -> None:
    """Every answered version is in the history once, none unasked; the last one heard is in the state."""
    for gate in site.clients.gates:
        stored = await state.get(Reach(), gate.id)
        assert stored is not None
        assert msgspec.json.decode(stored)[LIMIT][0]["value"] == gate.version
    columns = "toInt64(if(deleted, -1, number)), toUInt8(deleted), toInt64(substring(entity, 18))"
    found = await site.rows(columns, LIMIT, [("n", "<i8"), ("deleted", "u1"), ("gate", "<i8")])
    for number, gate in enumerate(site.clients.gates):
        mine = found[found["gate"] == number]
        versions = Counter(mine["n"][mine["deleted"] == 0].tolist())
        assert set(versions.values()) <= {1}
        assert set(gate.answered) <= set(versions) <= {*gate.answered, *gate.unheard}
        deletes = int(mine["deleted"].sum())
        assert gate.deleted <= deletes <= gate.deleted + gate.deletes_unheard


async def prove_that_a_restart_changes_nothing(site: Site, last: int) -> None:
    """What the last keeper leaves behind is paid: another one adds nothing to the history."""
    before = await site.kept()
    await site.stop_keeper(last)
    last = await site.start_keeper()
    await site.flushed()
    assert await site.kept() == before
    await site.stop_keeper(last)

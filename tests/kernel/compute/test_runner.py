"""Runs: started, told, finished, failed, cancelled, taken up again by the next runner."""

import asyncio
import hashlib
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import psutil
import pytest
import pytest_asyncio
from tests.kernel.compute import sample_jobs
from tests.nodes import refused

from yunmeng.kernel.base import JobInput, Name, NotFound, Settings
from yunmeng.kernel.compute import (
    JobDefinition,
    JobRunner,
    Run,
    cancel_job,
    read_run,
    read_runs,
    start_job,
)
from yunmeng.kernel.keeper import Keeper
from yunmeng.kernel.link import NatsBus, NatsServer
from yunmeng.kernel.store import HistoryServer, StateWriter, open_history, open_objects, open_state_writer
from yunmeng.kernel.trust import Principal, Reach

ASKER = Principal("urn:yunmeng:user:planner", roles=("operator",))
pytestmark = pytest.mark.asyncio(loop_scope="module")


def definition(name: str, *inputs: JobInput) -> JobDefinition:
    return JobDefinition(f"test.{name}", "test", Name(name, name), f"{sample_jobs.__name__}:{name}", inputs)


def text(name: str) -> JobInput:
    return JobInput(name, Name(name, name))


JOBS = {
    job.id: job
    for job in (
        definition("count", JobInput("to", Name("到", "to"), "number", "5")),
        definition("make", text("where")),
        definition("fail"),
        definition("break_"),
        definition("die"),
        definition("wait", text("pids"), text("go")),
    )
}


def find(id: str) -> JobDefinition:
    if id not in JOBS:
        raise NotFound("job.unknown", job=id, known="")
    return JOBS[id]


@dataclass
class House:
    """A keeper with its stores, and ways to run jobs."""

    server: NatsServer
    bus: NatsBus
    state: StateWriter
    settings: Settings

    @asynccontextmanager
    async def runner(self, most: int = 2) -> AsyncIterator[JobRunner]:
        # a connection of its own, as each life of a worker has: what it served ends with it
        bus = await NatsBus.connect(self.server.url, self.server.token)
        runner = JobRunner(bus, self.state, self.settings, most, find)
        await runner.start()
        try:
            yield runner
        finally:
            await runner.stop()
            await bus.close()

    async def start(self, job: str, **inputs: str) -> str:
        return await start_job(self.bus, f"test.{job}", inputs, ASKER, Reach(prefixes=("42",)))

    async def until(self, id: str, check: Callable[[Run], bool]) -> Run:
        async with asyncio.timeout(60):
            while True:
                run = await read_run(self.state, id)
                if run is not None and check(run):
                    return run
                await asyncio.sleep(0.02)

    async def ended(self, id: str) -> Run:
        return await self.until(id, lambda run: run.ended)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def house(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[House]:
    data = tmp_path_factory.mktemp("jobs")
    settings = Settings()
    settings = replace(settings, node=replace(settings.node, data=data))
    settings = replace(settings, keeper=replace(settings.keeper, linger_ms=5))
    past, server = HistoryServer(data / "history"), NatsServer(data / "bus")
    await asyncio.gather(past.start(), server.start())
    bus = await NatsBus.connect(server.url, server.token)
    state, history = await open_state_writer(settings), open_history(settings)
    keeper = Keeper(bus, state, history, settings)
    await keeper.start()
    yield House(server, bus, state, settings)
    await keeper.stop()
    await history.close()
    await state.close()
    await bus.close()
    await server.stop()
    await past.stop()


async def pids(file: Path, most: int) -> list[int]:
    async with asyncio.timeout(60):
        while not file.exists() or len(file.read_text().split()) < most:
            await asyncio.sleep(0.02)
    return [int(pid) for pid in file.read_text().split()]


async def gone(pid: int) -> None:
    async with asyncio.timeout(20):
        while psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE:
            await asyncio.sleep(0.02)


async def test_a_run_tells_how_far_it_is_and_leaves_result_and_file(house: House) -> None:
    async with house.runner():
        id = await house.start("count", to="8")
        asked = await read_run(house.state, id)
        assert asked is not None, "stored before the answer"
        assert asked.inputs == {"to": "8"}
        assert len(asked.inputs_hash) == hashlib.sha256().digest_size * 2
        half = await house.until(id, lambda run: run.ended or 0 < run.progress < 1)
        assert half.state == "running"
        assert half.message == str(round(half.progress * 8))
        done = await house.ended(id)
    assert (done.state, done.progress, done.attempts) == ("done", 1.0, 1)
    assert done.result == {"counted": 8, "asked_by": ASKER.id, "prefixes": ["42"]}
    assert done.asked_at < done.started_at < done.ended_at
    objects = open_objects(house.settings)
    assert await objects.get(done.files[0].key) == b"0\n1\n2\n3\n4\n5\n6\n7"
    assert (done.files[0].name, done.files[0].size) == ("numbers.txt", 15)
    await objects.close()
    assert (await read_runs(house.state))[0].id == id


async def test_what_a_run_makes_is_stored_within_its_reach(house: House) -> None:
    async with house.runner():
        run = await house.ended(await house.start("make", where="420100"))
        assert (run.state, run.result) == ("done", {"made": "urn:ngsi-ld:Task:made"})
        assert await house.state.get(Reach(prefixes=("42",)), "urn:ngsi-ld:Task:made") is not None
        beyond = await house.ended(await house.start("make", where="110000"))
        assert (beyond.state, beyond.error) == ("failed", "job.entity")


async def test_the_same_inputs_have_the_same_hash(house: House) -> None:
    async with house.runner():
        ids = [await house.start("count", to=to) for to in ("1", "1", "2")]
        hashes = [(await house.ended(id)).inputs_hash for id in ids]
    assert hashes[0] == hashes[1] != hashes[2]


@pytest.mark.parametrize(
    ("job", "error", "facts"),
    [
        ("fail", "bus.full", {"stream": "OBS", "bytes": "7"}),
        ("break_", "job.broke", {"reason": "ZeroDivisionError: by nothing"}),
        ("die", "job.died", {}),
    ],
)
async def test_a_run_that_fails_says_why(house: House, job: str, error: str, facts: dict[str, str]) -> None:
    async with house.runner():
        run = await house.ended(await house.start(job))
    assert (run.state, run.error, run.facts) == ("failed", error, facts)


async def test_what_is_asked_wrongly_is_refused_and_not_stored(house: House) -> None:
    async with house.runner():
        before = len(await read_runs(house.state, 1000))
        with refused("job.unknown"):
            await house.start("nothing")
        with refused("job.input"):
            await house.start("count", to="many")
        with refused("job.input"):
            await house.start("count", colour="blue")
        assert len(await read_runs(house.state, 1000)) == before


async def test_a_run_is_cancelled_with_its_process(house: House, tmp_path: Path) -> None:
    async with house.runner(most=1):
        id = await house.start("wait", pids=str(tmp_path / "pids"), go=str(tmp_path / "go"))
        waiting = await house.start("count")
        [pid] = await pids(tmp_path / "pids", 1)
        await cancel_job(house.bus, waiting, ASKER)
        await cancel_job(house.bus, id, ASKER)
        assert (await house.ended(id)).state == "cancelled"
        await gone(pid)
        await cancel_job(house.bus, id, ASKER)
        with refused("job.no-run"):
            await cancel_job(house.bus, "nobody", ASKER)
        # the lane is free again, and the one that waited is never started
        assert (await house.ended(await house.start("count"))).state == "done"
    never = await read_run(house.state, waiting)
    assert never is not None
    assert (never.state, never.attempts) == ("cancelled", 0)


async def test_a_run_that_the_runner_left_is_taken_up_by_the_next(house: House, tmp_path: Path) -> None:
    place = {"pids": str(tmp_path / "pids"), "go": str(tmp_path / "go")}
    async with house.runner():
        id = await house.start("wait", **place)
        [first] = await pids(tmp_path / "pids", 1)
    await gone(first)
    left = await read_run(house.state, id)
    assert left is not None
    assert (left.state, left.attempts) == ("running", 1)
    async with house.runner():
        await pids(tmp_path / "pids", 2)
        (tmp_path / "go").touch()
        run = await house.ended(id)
    assert (run.state, run.attempts, run.result) == ("done", 2, {"went": True})


async def test_what_is_interrupted_again_and_again_is_given_up(house: House, tmp_path: Path) -> None:
    async with house.runner():
        id = await house.start("wait", pids=str(tmp_path / "pids"), go=str(tmp_path / "go"))
        await pids(tmp_path / "pids", 1)
    for attempt in (2, 3):
        async with house.runner():
            await pids(tmp_path / "pids", attempt)
    async with house.runner():
        run = await house.ended(id)
    assert (run.state, run.error, run.facts) == ("failed", "job.interrupted", {"times": "3"})


async def test_without_a_runner_nobody_answers(house: House) -> None:
    request = house.bus.request("jobs.start", b"", ASKER, timeout_s=0.5)
    with refused("bus.no-answer"):
        await request

"""The job runner: one process a run, at most as many at once as there are cores; survives its own restart."""

import asyncio
import logging
import multiprocessing
import os
import time
from collections.abc import Callable
from multiprocessing.context import SpawnProcess
from typing import Any
from uuid import uuid4

import msgspec

from yunmeng.kernel.base import NotFound, Settings, YunmengError, now_us
from yunmeng.kernel.compute.child import Report, Work, main
from yunmeng.kernel.compute.definitions import JobDefinition, job_definition
from yunmeng.kernel.compute.runs import (
    CANCEL,
    RUN_KIND,
    START,
    Run,
    StartRequest,
    new_run,
    read_run,
    read_runs,
)
from yunmeng.kernel.keeper import RECORDS, WRITE, RecordPut, RecordsRequest, WriteReply, WriteRequest, settle
from yunmeng.kernel.link import Bus, Request
from yunmeng.kernel.model import Upsert
from yunmeng.kernel.store import StateReader
from yunmeng.kernel.trust import Principal

_log = logging.getLogger("yunmeng.jobs")
_RUNNER = Principal("urn:yunmeng:service:jobs", kind="service", roles=("service",))
_MOST_ATTEMPTS = 3
_SHOWN_EVERY_S = 0.3


class JobRunner:
    """Serves ``jobs.start`` and ``jobs.cancel`` and runs what was asked for, oldest first.

    A run that a restart interrupted starts again from its recorded inputs (a job is a pure function of them);
    one that was interrupted three times fails.
    """

    def __init__(
        self,
        bus: Bus,
        state: StateReader,
        settings: Settings,
        most: int = 0,
        definition: Callable[[str], JobDefinition] = job_definition,
    ) -> None:
        self._bus = bus
        self._definition = definition
        self._state = state
        self._settings = settings
        self._queue: asyncio.Queue[str] = asyncio.Queue()
        self._runs: dict[str, Run] = {}
        self._processes: dict[str, SpawnProcess] = {}
        self._most = most or max(1, (os.cpu_count() or 2) - 1)
        self._lanes: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        """Takes up what an earlier life left unfinished, then begins to serve."""
        for run in reversed(await read_runs(self._state, 10_000)):
            if not run.ended:
                self._runs[run.id] = run
                self._queue.put_nowait(run.id)
        await self._bus.serve(START, self._on_start)
        await self._bus.serve(CANCEL, self._on_cancel)
        self._lanes = [asyncio.create_task(self._lane()) for _ in range(self._most)]

    async def run(self) -> None:
        """Runs until :meth:`stop`."""
        await asyncio.gather(*self._lanes)

    async def stop(self) -> None:
        """Ends the processes; their runs start again with the next runner."""
        for lane in self._lanes:
            lane.cancel()
        await asyncio.gather(*self._lanes, return_exceptions=True)
        for process in self._processes.values():
            process.kill()

    async def _on_start(self, request: Request) -> bytes:
        asked = msgspec.msgpack.decode(request.data, type=StartRequest)
        inputs = self._definition(asked.job).check(asked.inputs)
        run = new_run(uuid4().hex, msgspec.structs.replace(asked, inputs=inputs), request.principal)
        await self._store(run)
        self._queue.put_nowait(run.id)
        return run.id.encode()

    async def _on_cancel(self, request: Request) -> bytes:
        run_id = request.data.decode()
        run = self._runs.get(run_id) or await read_run(self._state, run_id)
        if run is None:
            raise NotFound("job.no-run", run=run_id)
        if not run.ended:
            await self._store(msgspec.structs.replace(run, state="cancelled", ended_at=now_us()))
            if run_id in self._processes:
                self._processes[run_id].terminate()
        return b""

    async def _lane(self) -> None:
        while True:
            run_id = await self._queue.get()
            run = self._runs.pop(run_id, None)
            if run is None or run.ended:
                continue
            self._runs[run_id] = run
            if run.attempts >= _MOST_ATTEMPTS:
                await self._finish(
                    run_id, Report("failed", error="job.interrupted", facts={"times": str(run.attempts)})
                )
            else:
                await self._work(run)
            self._runs.pop(run_id, None)

    async def _work(self, run: Run) -> None:
        try:
            target = self._definition(run.job).run
        except NotFound as error:
            # its package was removed while the run waited
            facts = {name: str(value) for name, value in error.facts.items()}
            await self._finish(run.id, Report("failed", error=error.key, facts=facts))
            return
        await self._store(
            msgspec.structs.replace(run, state="running", started_at=now_us(), attempts=run.attempts + 1)
        )
        if self._runs[run.id].ended:
            # it was cancelled while this was being written
            return
        await self._settle()
        context = multiprocessing.get_context("spawn")
        here, there = context.Pipe(duplex=False)
        work = Work(
            run.id,
            target,
            run.inputs,
            run.principal,
            run.reach,
            self._settings,
        )
        process = context.Process(target=main, args=(work, there), daemon=True)
        process.start()
        there.close()
        self._processes[run.id] = process
        try:
            await self._listen(run.id, here)
        except asyncio.CancelledError:
            process.kill()
            raise
        finally:
            self._processes.pop(run.id, None)
            await asyncio.to_thread(process.join, 5.0)
            if process.is_alive():
                process.kill()
            here.close()

    async def _settle(self) -> None:
        """Has the history take in what was told before the run, so that the run sees it."""
        try:
            await settle(self._bus, _RUNNER)
        except YunmengError as error:
            _log.warning("a run does without the last moments of the history: %s", error)

    async def _listen(self, run_id: str, pipe: Any) -> None:
        shown = 0.0
        while True:
            try:
                data = await asyncio.to_thread(pipe.recv_bytes)
            except EOFError:
                await self._finish(run_id, Report("failed", error="job.died"))
                return
            report = msgspec.msgpack.decode(data, type=Report)
            if report.kind == "entities":
                report = await self._written(run_id, report)
            if report.kind in ("done", "failed"):
                await self._finish(run_id, report)
                return
            if report.kind == "progress" and time.monotonic() - shown > _SHOWN_EVERY_S:
                shown = time.monotonic()
                await self._advance(run_id, report)

    async def _written(self, run_id: str, report: Report) -> Report:
        """Writes what a run made, in the name of who asked for it; returns a failure when one is refused."""
        run = self._runs[run_id]
        if run.ended:
            return report
        request = WriteRequest(run.reach, tuple(Upsert(each, "update") for each in report.entities))
        try:
            answer = await self._bus.request(WRITE, msgspec.msgpack.encode(request), run.principal)
        except YunmengError as error:
            return Report("failed", error=error.key, facts={k: str(v) for k, v in error.facts.items()})
        for outcome in msgspec.msgpack.decode(answer, type=WriteReply).outcomes:
            if outcome.done == "refused":
                facts = {"entity": outcome.id, "reason": outcome.error}
                return Report("failed", error="job.entity", facts=facts)
        return report

    async def _advance(self, run_id: str, report: Report) -> None:
        run = self._runs[run_id]
        if not run.ended:
            await self._store(msgspec.structs.replace(run, progress=report.progress, message=report.message))

    async def _finish(self, run_id: str, report: Report) -> None:
        run = self._runs[run_id]
        if run.ended:
            return
        await self._store(
            msgspec.structs.replace(
                run,
                state="done" if report.kind == "done" else "failed",
                progress=1.0 if report.kind == "done" else run.progress,
                ended_at=now_us(),
                result=report.result,
                files=report.files,
                error=report.error,
                facts=report.facts,
            )
        )
        _log.info("run %s of %s: %s %s", run_id, run.job, report.kind, report.error)

    async def _store(self, run: Run) -> None:
        self._runs[run.id] = run
        put = RecordPut(RUN_KIND, "", run.id, msgspec.json.encode(run))
        await self._bus.request(RECORDS, msgspec.msgpack.encode(RecordsRequest(puts=(put,))), _RUNNER)

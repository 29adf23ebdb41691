"""Jobs at set times 定时任务: which are due, and the run that begins then (settings ``[schedule]``)."""

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import parse_qsl

import msgspec

from yunmeng.kernel.base import BadInput, YunmengError, datetime_us, now_us, parse_instant, seconds_of
from yunmeng.kernel.compute.definitions import JobDefinition, job_definition
from yunmeng.kernel.compute.runs import RUN_KIND, Run, read_runs, start_job
from yunmeng.kernel.keeper import RECORDS, RecordsRequest
from yunmeng.kernel.link import Bus
from yunmeng.kernel.store import Objects, StateReader
from yunmeng.kernel.trust import Principal

SCHEDULER = Principal("urn:yunmeng:service:schedule", kind="service", roles=("service",))
KEPT = 100
"""So many of a job's scheduled runs are kept, with their files."""

# a Monday's midnight in Asia/Shanghai, so that days and weeks begin when people begin them
_FIRST_US = datetime_us(parse_instant("1970-01-05T00:00:00+08:00"))
_LEAST_S = 60
_LOOK_S = 1.0
_MOST = 10_000

_log = logging.getLogger("yunmeng.schedule")


@dataclass(frozen=True, slots=True)
class Appointment:
    """A job that runs every ``every_s`` seconds, counted from a Monday's midnight in Asia/Shanghai."""

    job: str
    every_s: int
    inputs: Mapping[str, str]

    def newest(self, at: int) -> int:
        """Returns when it was due last, at a time or before (both µs UTC)."""
        every = self.every_s * 1_000_000
        return at - (at - _FIRST_US) % every


def appointments(
    rows: Mapping[str, str], definition: Callable[[str], JobDefinition] = job_definition
) -> tuple[Appointment, ...]:
    """Reads ``{"water.permits": "P1D?division=420100"}``: how often, and the job's inputs.

    Raises:
        BadInput: ``job.schedule`` for what is no duration of a minute or longer, ``job.input``.
        NotFound: ``job.unknown``.
    """
    found: list[Appointment] = []
    for job, text in rows.items():
        duration, _, query = text.partition("?")
        every_s = seconds_of(duration) or 0
        if every_s < _LEAST_S:
            raise BadInput("job.schedule", job=job, value=text)
        inputs = dict(parse_qsl(query, keep_blank_values=True))
        definition(job).check(inputs)
        found.append(Appointment(job, every_s, inputs))
    return tuple(found)


class Scheduler:
    """Begins runs when they are due; of what was missed while the node was down, the newest only.

    A run that is due while the last one of its job still goes is left out.
    """

    def __init__(self, bus: Bus, state: StateReader, objects: Objects, held: Sequence[Appointment]) -> None:
        self._bus = bus
        self._state = state
        self._objects = objects
        self._held = held
        self._seen: dict[str, int] = {}

    async def run(self) -> None:
        """Begins what is due until it is cancelled."""
        began = now_us()
        runs = await self._runs() if self._held else []
        newest = {run.job: run.asked_at for run in reversed(runs)}
        self._seen = {each.job: newest.get(each.job, began) for each in self._held}
        while True:
            await self.look(now_us())
            await asyncio.sleep(_LOOK_S)

    async def look(self, at: int) -> None:
        """Begins what has become due by a time (µs UTC)."""
        for each in self._held:
            due = each.newest(at)
            if self._seen.setdefault(each.job, at) >= due:
                continue
            try:
                await self._begin(each)
            except YunmengError as error:
                _log.warning("%s is due and does not start yet: %s", each.job, error)
            else:
                self._seen[each.job] = due

    async def _begin(self, due: Appointment) -> None:
        runs = [run for run in await self._runs() if run.job == due.job]
        if any(not run.ended for run in runs):
            _log.warning("%s is due, but its last run still goes: left out", due.job)
            return
        await start_job(self._bus, due.job, dict(due.inputs), SCHEDULER)
        await self._drop(runs[KEPT - 1 :])

    async def _runs(self) -> list[Run]:
        """Returns the scheduled runs, newest first."""
        return [run for run in await read_runs(self._state, _MOST) if run.principal.id == SCHEDULER.id]

    async def _drop(self, runs: Sequence[Run]) -> None:
        for run in runs:
            for file in run.files:
                await self._objects.delete(file.key)
        if runs:
            request = RecordsRequest(drops=tuple((RUN_KIND, "", run.id) for run in runs))
            await self._bus.request(RECORDS, msgspec.msgpack.encode(request), SCHEDULER)

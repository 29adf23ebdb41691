"""One run of a job, as it is asked for, stored and shown."""

from hashlib import sha256
from typing import Any, Literal

import msgspec

from yunmeng.kernel.base import now_us
from yunmeng.kernel.link import Bus
from yunmeng.kernel.store import StateReader
from yunmeng.kernel.trust import Principal, Reach

RUN_KIND = "job-run"
START, CANCEL = "jobs.start", "jobs.cancel"

RunState = Literal["queued", "running", "done", "failed", "cancelled"]


class File(msgspec.Struct, frozen=True):
    """A file that a job made; ``key`` is its object key."""

    name: str
    key: str
    media_type: str
    size: int


class Run(msgspec.Struct, frozen=True, omit_defaults=True):
    """A run: who asked for what, how far it is, what came of it. Times are microseconds UTC, 0 for not yet.

    ``inputs_hash`` is the SHA-256 of the inputs in canonical JSON: what the result was made from.
    """

    id: str
    job: str
    inputs: dict[str, str]
    inputs_hash: str
    principal: Principal
    reach: Reach
    state: RunState = "queued"
    progress: float = 0.0
    message: str = ""
    asked_at: int = 0
    started_at: int = 0
    ended_at: int = 0
    attempts: int = 0
    result: dict[str, Any] = {}
    files: tuple[File, ...] = ()
    error: str = ""
    facts: dict[str, str] = {}

    @property
    def ended(self) -> bool:
        """Whether nothing more happens to it."""
        return self.state in ("done", "failed", "cancelled")


class StartRequest(msgspec.Struct, frozen=True):
    """Asks for a run."""

    job: str
    inputs: dict[str, str]
    reach: Reach


def inputs_hash(job: str, inputs: dict[str, str]) -> str:
    """Returns the SHA-256 by which the same work is known again."""
    return sha256(msgspec.json.encode([job, inputs], order="sorted")).hexdigest()


def new_run(id: str, request: StartRequest, principal: Principal) -> Run:
    """Returns a run that waits for its turn."""
    return Run(
        id,
        request.job,
        request.inputs,
        inputs_hash(request.job, request.inputs),
        principal,
        request.reach,
        asked_at=now_us(),
    )


async def start_job(
    bus: Bus, job: str, inputs: dict[str, str], principal: Principal, reach: Reach | None = None
) -> str:
    """Asks for a run and returns its id once it is stored.

    Raises:
        NotFound: ``job.unknown``.
        BadInput: ``job.input`` when an input is missing, unknown or of the wrong kind.
        Unavailable: ``bus.no-answer`` when no worker runs.
    """
    request = StartRequest(job, inputs, reach or Reach())
    return (await bus.request(START, msgspec.msgpack.encode(request), principal)).decode()


async def cancel_job(bus: Bus, run_id: str, principal: Principal) -> None:
    """Ends a run. Raises ``NotFound("job.no-run")``; one that has ended is left as it is."""
    await bus.request(CANCEL, run_id.encode(), principal)


async def read_run(state: StateReader, run_id: str) -> Run | None:
    """Returns a run as last stored."""
    record = await state.record(RUN_KIND, "", run_id)
    return None if record is None else msgspec.json.decode(record.body, type=Run)


async def read_runs(state: StateReader, most: int = 50) -> list[Run]:
    """Returns the newest runs, newest first."""
    runs = [msgspec.json.decode(r.body, type=Run) for r in await state.records(RUN_KIND)]
    return sorted(runs, key=lambda run: run.asked_at, reverse=True)[:most]

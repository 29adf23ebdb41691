"""Inside the process of one run: opens the stores for reading, calls the job, reports over a pipe."""

import asyncio
import os
import threading
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from multiprocessing import parent_process
from multiprocessing.connection import Connection, wait
from pkgutil import resolve_name
from typing import Any, Literal, cast

import msgspec

from yunmeng.kernel.base import Settings, YunmengError, packages
from yunmeng.kernel.compute.runs import File
from yunmeng.kernel.model import VOCABULARY_CONTEXT, Context, Document, TypeLibrary, expand_entity, load_types
from yunmeng.kernel.store import (
    History,
    Objects,
    StateReader,
    open_history,
    open_objects,
    open_state_reader,
)
from yunmeng.kernel.trust import Principal, Reach

_MOST_TOGETHER = 500


class Report(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a run's process tells: progress and entities on the way, then its end."""

    kind: Literal["progress", "entities", "done", "failed"]
    progress: float = 0.0
    message: str = ""
    result: dict[str, Any] = {}
    files: tuple[File, ...] = ()
    error: str = ""
    facts: dict[str, str] = {}
    entities: tuple[Document, ...] = ()


@dataclass(frozen=True, slots=True)
class Work:
    """All that the process of a run needs; plain data, so that it travels to a spawned process."""

    run_id: str
    target: str
    inputs: dict[str, str]
    principal: Principal
    reach: Reach
    settings: Settings


@dataclass
class JobContext:
    """What a job may use: the stores (reading, within its reach), progress, files, entities."""

    run_id: str
    principal: Principal
    reach: Reach
    settings: Settings
    state: StateReader
    history: History
    objects: Objects
    _pipe: Connection
    _files: list[File] = field(default_factory=list[File])

    def progress(self, fraction: float, message: str = "") -> None:
        """Tells how far the job is, 0 to 1."""
        self._pipe.send_bytes(
            msgspec.msgpack.encode(Report("progress", min(max(fraction, 0.0), 1.0), message))
        )

    async def file(self, name: str, data: bytes, media_type: str) -> None:
        """Adds a file to the result; it is kept in the object store under ``jobs/<run>/<name>``."""
        info = await self.objects.put(f"jobs/{self.run_id}/{name}", data, media_type)
        self._files.append(File(name, info.key, media_type, info.size))

    def entities(self, bodies: Iterable[Mapping[str, Any]]) -> None:
        """Writes entities (concise form, terms of the node's own context): made anew, or changed where named.

        They are written in the name of whoever asked for the run and within that reach; one that is refused
        ends the run as failed. Raises ``BadInput`` for a body that is no entity.
        """
        documents = tuple(expand_entity(dict(body), self._context) for body in bodies)
        for start in range(0, len(documents), _MOST_TOGETHER):
            report = Report("entities", entities=documents[start : start + _MOST_TOGETHER])
            self._pipe.send_bytes(msgspec.msgpack.encode(report))

    @cached_property
    def types(self) -> TypeLibrary:
        """The entity types of the kernel and of every package."""
        return load_types([package.folder for package in packages()])

    @cached_property
    def _context(self) -> Context:
        return Context((self.types.context()["@context"],), (VOCABULARY_CONTEXT,))

    @property
    def files(self) -> tuple[File, ...]:
        """The files added so far."""
        return tuple(self._files)


JobFunction = Callable[[JobContext, Mapping[str, str]], Awaitable[dict[str, Any]]]


def main(work: Work, pipe: Connection) -> None:
    """Runs one job to its end; the entry point of its process."""
    os.nice(5)
    threading.Thread(target=_end_with_the_runner, daemon=True).start()
    try:
        report = asyncio.run(_run(work, pipe))
    except YunmengError as error:
        facts = {name: str(value) for name, value in error.facts.items()}
        report = Report("failed", error=error.key, facts=facts)
    except Exception as error:
        # the run ends as failed with the reason; the traceback goes to the worker's log
        pipe.send_bytes(
            msgspec.msgpack.encode(
                Report("failed", error="job.broke", facts={"reason": f"{type(error).__name__}: {error}"})
            )
        )
        raise
    pipe.send_bytes(msgspec.msgpack.encode(report))


def _end_with_the_runner() -> None:
    """Ends the process when the runner was killed: its next life starts the run again."""
    parent = parent_process()
    if parent is not None:
        wait([parent.sentinel])
        os._exit(1)


async def _run(work: Work, pipe: Connection) -> Report:
    function = cast("JobFunction", resolve_name(work.target))
    state = await open_state_reader(work.settings)
    history = open_history(work.settings)
    objects = open_objects(work.settings)
    try:
        context = JobContext(
            work.run_id, work.principal, work.reach, work.settings, state, history, objects, pipe
        )
        result = await function(context, work.inputs)
        return Report("done", 1.0, result=result, files=context.files)
    finally:
        await history.close()
        await state.close()

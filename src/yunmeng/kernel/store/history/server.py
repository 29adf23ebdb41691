"""The embedded history: a supervised child process that owns chDB and serves this machine only."""

import asyncio
import contextlib
import logging
import sys
import time
from pathlib import Path

import msgspec

from yunmeng.kernel.base import Broken, Conflict, Unavailable, YunmengError
from yunmeng.kernel.store.history.chdb_server import Order, Ready, read_password

_log = logging.getLogger(__name__)

_MODULE = "yunmeng.kernel.store.history.chdb_server"
_CLASSES: dict[int, type[YunmengError]] = {409: Conflict, 500: Broken, 503: Unavailable}


class HistoryServer:
    """chDB behind ClickHouse's HTTP interface; started again when it dies, ended with its parent.

    ``memory`` is what its queries may take together, in bytes.
    """

    def __init__(self, folder: Path, *, port: int = 0, memory: int = 1 << 30, ready_s: float = 60.0) -> None:
        self._folder = folder.resolve()
        self._port = port
        self._memory = memory
        self._ready_s = ready_s
        self._child: asyncio.subprocess.Process | None = None
        self._supervisor: asyncio.Task[None] | None = None
        self.restarts = 0

    @property
    def url(self) -> str:
        """Where clients connect; the user is ``default``."""
        return f"http://127.0.0.1:{self._port}"

    @property
    def port(self) -> int:
        """The port that it listens on; chosen at the first start when none was asked for."""
        return self._port

    @property
    def password(self) -> str:
        """What clients show; also in the folder's ``password`` file."""
        return read_password(self._folder)

    @property
    def pid(self) -> int:
        """The child's process id; 0 when it does not run."""
        return self._child.pid if self._child is not None and self._child.returncode is None else 0

    async def start(self) -> None:
        """Starts the server and returns when it answers.

        Raises:
            Unavailable: ``history.extra-missing``, ``history.port-busy`` or ``history.not-ready``.
            Conflict: ``history.folder-in-use``.
            Broken: ``history.corrupt`` or ``history.newer``.
        """
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        try:
            child = await self._launch()
        except BaseException:
            await self._end_child()
            raise
        self._supervisor = asyncio.create_task(self._supervise(child))

    async def stop(self) -> None:
        """Lets running queries end, flushes and stops; harmless when it does not run."""
        if self._supervisor is not None:
            self._supervisor.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._supervisor
            self._supervisor = None
        await self._end_child()
        (self._folder / "port").unlink(missing_ok=True)

    async def _supervise(self, child: asyncio.subprocess.Process) -> None:
        pause = 0.1
        while True:
            started = time.monotonic()
            code = await child.wait()
            _log.warning("the history process ended with %s; starting it again", code)
            pause = 0.1 if time.monotonic() - started > 60 else min(pause * 2, 5.0)
            child = await self._relaunch(pause)

    async def _relaunch(self, pause: float) -> asyncio.subprocess.Process:
        while True:
            await asyncio.sleep(pause)
            try:
                child = await self._launch()
            except YunmengError as error:
                _log.error("the history process does not start again: %s", error.key)
                await self._end_child()
                pause = 5.0
            else:
                self.restarts += 1
                return child

    async def _launch(self) -> asyncio.subprocess.Process:
        with (self._folder / "server.log").open("wb") as log:
            child = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                _MODULE,
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=log,
                start_new_session=True,
            )
        self._child = child
        order = Order(folder=str(self._folder), port=self._port, memory=self._memory)
        ready = await self._wait_ready(child, order)
        self._port = ready.port
        (self._folder / "port").write_text(str(self._port), encoding="ascii")
        return child

    async def _wait_ready(self, child: asyncio.subprocess.Process, order: Order) -> Ready:
        if child.stdin is None or child.stdout is None:
            raise Unavailable("history.not-ready", seconds=0)
        child.stdin.write(msgspec.json.encode(order) + b"\n")
        try:
            async with asyncio.timeout(self._ready_s):
                line = await child.stdout.readline()
        except TimeoutError as cause:
            raise Unavailable("history.not-ready", seconds=self._ready_s) from cause
        if not line:
            # a folder that chDB cannot even refuse takes the process down
            code = await child.wait()
            raise Broken("history.corrupt", folder=self._folder, reason=f"exit {code}: {self._last_words()}")
        ready = msgspec.json.decode(line, type=Ready)
        if ready.error:
            raise _CLASSES.get(ready.status, Broken)(ready.error, **ready.facts)
        return ready

    def _last_words(self) -> str:
        log = (self._folder / "server.log").read_text(encoding="utf-8", errors="replace")
        return log.strip()[-300:]

    async def _end_child(self) -> None:
        child, self._child = self._child, None
        if child is None or child.returncode is not None:
            return
        with contextlib.suppress(ProcessLookupError):
            child.terminate()
        try:
            async with asyncio.timeout(30):
                await child.wait()
        except TimeoutError:
            child.kill()
            await child.wait()

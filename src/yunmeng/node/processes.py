"""Child processes of a node: started, awaited, watched, started again."""

import asyncio
import logging
import signal
import sys
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from yunmeng.kernel.base import Unavailable

_log = logging.getLogger("yunmeng.node")
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.5, 15.0
_STEADY_S = 30.0


@dataclass(slots=True)
class Role:
    """One process of ours, such as ``worker`` or ``api-2``; it writes a line when it is ready."""

    name: str
    arguments: Sequence[str]
    log: Path
    restarts: int = 0
    process: asyncio.subprocess.Process | None = None
    _watch: asyncio.Task[None] | None = field(default=None, repr=False)

    async def start(self, timeout_s: float = 60.0) -> None:
        """Starts the process and waits until it is ready. Raises ``Unavailable("node.role-failed")``."""
        await self._spawn(timeout_s)
        self._watch = asyncio.create_task(self._keep_running())

    async def stop(self, timeout_s: float = 10.0) -> None:
        """Asks the process to end, then ends it."""
        if self._watch is not None:
            self._watch.cancel()
            await asyncio.gather(self._watch, return_exceptions=True)
        if self.process is None or self.process.returncode is not None:
            return
        self.process.send_signal(signal.SIGTERM)
        try:
            async with asyncio.timeout(timeout_s):
                await self.process.wait()
        except TimeoutError:
            self.process.kill()
            await self.process.wait()

    async def _spawn(self, timeout_s: float) -> None:
        command = (sys.executable, "-m", "yunmeng.node.roles", *self.name.split("-"), *self.arguments)
        with self.log.open("ab") as log:
            starting = asyncio.ensure_future(
                asyncio.create_subprocess_exec(
                    *command,
                    stdin=asyncio.subprocess.DEVNULL,
                    stdout=asyncio.subprocess.PIPE,
                    stderr=log,
                    start_new_session=True,  # Ctrl-C is the supervisor's; it stops the parts in order
                )
            )
            try:
                process = await asyncio.shield(starting)
            except asyncio.CancelledError:
                # a stop in the very moment of the start must know the process to end it
                self.process = await starting
                raise
        self.process = process
        out = process.stdout
        line = b""
        # wait_for of Python 3.11 can swallow the cancellation by stop()
        with suppress(TimeoutError):
            async with asyncio.timeout(timeout_s):
                line = await out.readline() if out else b""
        if line.strip() != b"ready":
            if process.returncode is None:
                process.kill()
            await process.wait()
            raise Unavailable("node.role-failed", role=self.name, log=self.log, last=_last_line(self.log))

    async def _keep_running(self) -> None:
        loop = asyncio.get_running_loop()
        pause = _FIRST_PAUSE_S
        while self.process is not None:
            started = loop.time()
            code = await self.process.wait()
            pause = _FIRST_PAUSE_S if loop.time() - started > _STEADY_S else pause
            _log.error("%s ended with %s; starting it again in %.1f s", self.name, code, pause)
            await asyncio.sleep(pause)
            pause = min(pause * 2, _LONGEST_PAUSE_S)
            self.restarts += 1
            try:
                await self._spawn(60.0)
            except Unavailable as error:
                _log.error("%s", error)


def _last_line(log: Path) -> str:
    lines = log.read_text(encoding="utf-8", errors="replace").strip().splitlines() if log.exists() else []
    return lines[-1] if lines else ""

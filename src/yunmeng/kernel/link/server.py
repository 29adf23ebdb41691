"""The embedded NATS server: a supervised child process that serves this machine only."""

import asyncio
import contextlib
import ctypes
import json
import logging
import os
import re
import signal
import sys
import time
from pathlib import Path

from yunmeng.kernel.base import Broken, Unavailable, YunmengError
from yunmeng.kernel.link.server_folder import HOST, ServerFolder, check_port, choose_port, find_binary

_log = logging.getLogger(__name__)

_PR_SET_PDEATHSIG = 1
# An index is rebuilt from its messages and a lost consumer starts again from what is kept, so neither is
# damage; a stream that cannot be read is.
_DAMAGE = re.compile(
    r"\[(WRN|ERR|FTL)\]\s+(.*(stream metafile|error recreating stream|storage directory|permission denied|"
    r"not a directory|can't start jetstream).*)",
    re.IGNORECASE,
)
# Near its limit the server collects garbage without end: with 64 MiB that was three quarters of its time.
_MEMORY = "128MiB"
_WATCHER = 'while kill -0 "$0" && kill -0 "$1"; do sleep 1; done 2>/dev/null; kill "$1" 2>/dev/null'


class NatsServer:
    """A NATS server with JetStream in a data folder; started again when it dies, ended with its parent.

    With ``mqtt_port`` it is a server for MQTT 3.1.1 devices; :class:`MqttInbox` takes what they publish, and
    with ``each`` lets them in one by one.
    """

    def __init__(
        self,
        folder: Path,
        *,
        port: int = 0,
        sync: str = "always",
        ready_s: float = 20.0,
        mqtt_port: int = 0,
        each: bool = False,
    ) -> None:
        self._folder = ServerFolder(folder)
        self._wanted_port = port
        self._mqtt_port = mqtt_port
        self._each = each
        self._sync = sync
        self._ready_s = ready_s
        self._port = port
        self._token = ""
        self._child: asyncio.subprocess.Process | None = None
        self._watcher: asyncio.subprocess.Process | None = None
        self._supervisor: asyncio.Task[None] | None = None
        self.restarts = 0

    @property
    def url(self) -> str:
        """Where clients connect."""
        return f"nats://{HOST}:{self._port}"

    @property
    def port(self) -> int:
        """The port that it listens on; chosen at the first start when none was asked for."""
        return self._port

    @property
    def token(self) -> str:
        """What clients show; also in the folder's ``token`` file."""
        return self._token

    @property
    def pid(self) -> int:
        """The child's process id; 0 when it does not run."""
        return self._child.pid if self._child is not None and self._child.returncode is None else 0

    async def start(self) -> None:
        """Starts the server and returns when it answers.

        Raises ``Unavailable`` (``bus.no-server``, ``bus.port-busy``, ``bus.not-ready``),
        ``Conflict("bus.folder-in-use")`` or ``Broken`` (``bus.bad-folder``, ``bus.damaged``).
        """
        binary = find_binary()
        self._folder.prepare()
        try:
            self._port = self._wanted_port or self._port or choose_port()
            check_port(self._port)
            self._token = self._folder.token()
            if self._mqtt_port:
                check_port(self._mqtt_port)
            self._folder.write_config(self._port, self._sync, self._mqtt_port, each=self._each)
            child = await self._launch(binary)
            self._folder.write_ports(self._port, self._mqtt_port)
        except BaseException:
            await self._end_child()
            self._folder.release()
            raise
        self._supervisor = asyncio.create_task(self._supervise(binary, child))

    async def stop(self) -> None:
        """Stops the server cleanly and lets the folder go; harmless when it does not run."""
        if self._supervisor is not None:
            self._supervisor.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._supervisor
            self._supervisor = None
        await self._end_child()
        self._folder.ports.unlink(missing_ok=True)
        self._folder.release()

    async def _supervise(self, binary: Path, child: asyncio.subprocess.Process) -> None:
        pause = 0.1
        while True:
            started = time.monotonic()
            code = await child.wait()
            _log.warning("nats-server ended with %s; starting it again", code)
            pause = 0.1 if time.monotonic() - started > 60 else min(pause * 2, 5.0)
            child = await self._relaunch(binary, pause)

    async def _relaunch(self, binary: Path, pause: float) -> asyncio.subprocess.Process:
        while True:
            await asyncio.sleep(pause)
            try:
                child = await self._launch(binary)
            except YunmengError as error:
                _log.error("nats-server does not start again: %s", error.key)
                await self._end_child()
                pause = 5.0
            else:
                self.restarts += 1
                return child

    async def _launch(self, binary: Path) -> asyncio.subprocess.Process:
        offset = self._folder.log_size()
        parent = os.getpid()
        self._child = child = await asyncio.create_subprocess_exec(
            str(binary),
            "--config",
            str(self._folder.config),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.DEVNULL,
            cwd=self._folder.path,
            start_new_session=True,
            env={"GOMEMLIMIT": _MEMORY} | os.environ,
            preexec_fn=(lambda: _die_with(parent)) if sys.platform == "linux" else None,
        )
        if sys.platform != "linux":
            self._watcher = await asyncio.create_subprocess_exec(
                "/bin/sh", "-c", _WATCHER, str(parent), str(child.pid)
            )
        await self._wait_ready(child, offset)
        return child

    async def _wait_ready(self, child: asyncio.subprocess.Process, offset: int) -> None:
        until = time.monotonic() + self._ready_s
        while time.monotonic() < until:
            if child.returncode is not None:
                raise self._reason(self._folder.log_since(offset))
            if await _answers(self._port):
                self._check_recovery(self._folder.log_since(offset))
                return
            await asyncio.sleep(0.02)
        raise Unavailable("bus.not-ready", seconds=self._ready_s, log=str(self._folder.log))

    def _check_recovery(self, log: str) -> None:
        # The server goes on without a stream that it cannot read; we must not make it anew, empty.
        if damage := _first_damage(log):
            raise Broken("bus.damaged", folder=str(self._folder.store), reason=damage)

    def _reason(self, log: str) -> YunmengError:
        if "address already in use" in log:
            return Unavailable("bus.port-busy", port=self._port)
        if damage := _first_damage(log):
            return Broken("bus.damaged", folder=str(self._folder.store), reason=damage)
        return Unavailable("bus.not-ready", seconds=self._ready_s, log=str(self._folder.log))

    async def _end_child(self) -> None:
        child, self._child = self._child, None
        if child is not None and child.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                child.send_signal(signal.SIGTERM)
            try:
                async with asyncio.timeout(10):
                    await child.wait()
            except TimeoutError:
                child.kill()
                await child.wait()
        watcher, self._watcher = self._watcher, None
        if watcher is not None:
            await watcher.wait()


async def _answers(port: int) -> bool:
    """Tells whether a server with JetStream greets on ``port``."""
    try:
        reader, writer = await asyncio.open_connection(HOST, port)
    except OSError:
        return False
    try:
        async with asyncio.timeout(1):
            greeting = await reader.readline()
        return greeting.startswith(b"INFO ") and bool(json.loads(greeting[5:]).get("jetstream"))
    except (TimeoutError, OSError, ValueError):
        return False
    finally:
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()


def _die_with(parent: int) -> None:
    """In the child, before it runs: asks the kernel to end it when its parent is gone."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() != parent:
        os._exit(1)


def _first_damage(log: str) -> str:
    found = _DAMAGE.search(log)
    return found[2] if found else ""

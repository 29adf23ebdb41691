"""The data folder of a node: its version, its lock, and where its running parts can be reached."""

import fcntl
import os
from contextlib import suppress
from pathlib import Path
from typing import IO

import msgspec

from yunmeng import __version__
from yunmeng.kernel.base import Broken, Unavailable

FORMAT = 1


class Mark(msgspec.Struct, frozen=True):
    """What ``node.json`` says about the folder."""

    format: int
    made_by: str


class Endpoints(msgspec.Struct, frozen=True):
    """Where the running parts of a node listen, with the secrets that they ask for."""

    bus_url: str = ""
    bus_token: str = ""
    http_url: str = ""


class DataFolder:
    """A node's folder; one running node holds its lock."""

    def __init__(self, path: Path) -> None:
        self.path = path.expanduser().resolve()
        self._lock: IO[bytes] | None = None

    @property
    def logs(self) -> Path:
        """Where every process writes its log."""
        return self.path / "logs"

    @property
    def _mark(self) -> Path:
        return self.path / "node.json"

    @property
    def _endpoints(self) -> Path:
        return self.path / "run" / "endpoints.json"

    def open(self) -> None:
        """Makes or checks the folder and takes its lock.

        Raises:
            Broken: ``node.newer`` (a later version wrote it), ``node.foreign`` (it holds something else),
                ``node.corrupt``.
            Unavailable: ``node.running`` when another node holds it, ``node.unwritable``.
        """
        try:
            self.path.mkdir(parents=True, exist_ok=True, mode=0o700)
            marked = self._check_mark()
            for name in ("run", "logs"):
                (self.path / name).mkdir(exist_ok=True, mode=0o700)
            self._take_lock()
            if not marked:
                write_private(self._mark, msgspec.json.encode(Mark(FORMAT, __version__)))
            self._endpoints.unlink(missing_ok=True)
        except OSError as cause:
            raise Unavailable("node.unwritable", path=self.path, reason=cause.strerror) from cause

    def close(self) -> None:
        """Gives the lock back; the endpoints are gone with it."""
        with suppress(FileNotFoundError):
            self._endpoints.unlink()
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    def write_endpoints(self, endpoints: Endpoints) -> None:
        """Tells the node's own processes where to reach each other; readable by the owner only."""
        write_private(self._endpoints, msgspec.json.encode(endpoints))

    def endpoints(self) -> Endpoints:
        """Returns where the running node listens. Raises ``Unavailable("node.stopped")``."""
        try:
            return msgspec.json.decode(self._endpoints.read_bytes(), type=Endpoints)
        except OSError as cause:
            raise Unavailable("node.stopped", path=self.path) from cause

    def _take_lock(self) -> None:
        lock = (self.path / "run" / "lock").open("ab")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as cause:
            lock.close()
            raise Unavailable("node.running", path=self.path) from cause
        self._lock = lock

    def _check_mark(self) -> bool:
        """Tells whether the folder bears our mark; a folder that is refused stays as it was."""
        if not self._mark.exists():
            strangers = {entry.name for entry in self.path.iterdir() if not _may_lie_beside(entry)}
            if strangers:
                raise Broken("node.foreign", path=self.path, found=", ".join(sorted(strangers)[:3]))
            return False
        try:
            found = msgspec.json.decode(self._mark.read_bytes(), type=Mark)
        except msgspec.MsgspecError as cause:
            raise Broken("node.corrupt", path=self._mark) from cause
        if found.format > FORMAT:
            raise Broken("node.newer", path=self.path, made_by=found.made_by, version=__version__)
        return True


def _may_lie_beside(entry: Path) -> bool:
    """Our own folders, and the log of whoever started us: output is often redirected into the folder."""
    return entry.name in {"run", "logs"} or (entry.suffix == ".log" and entry.is_file())


def write_private(path: Path, data: bytes) -> None:
    """Replaces a file at once, readable by its owner only."""
    partial = path.with_suffix(".partial")
    descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    partial.replace(path)

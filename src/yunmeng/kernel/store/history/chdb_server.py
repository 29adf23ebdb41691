"""The process that owns chDB on one folder and shows it as ClickHouse over HTTP on 127.0.0.1.

It reads one line of JSON from its standard input (folder, port, limits), writes one line when it is ready
(or why it is not), and lives until its standard input ends or it is told to stop: it dies with its parent.
"""

import errno
import fcntl
import os
import secrets
import signal
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import IO

import msgspec

from yunmeng.kernel.base import Broken, Conflict, Unavailable, YunmengError
from yunmeng.kernel.store.history.engine import Engine, Limits, release_mapped_code
from yunmeng.kernel.store.history.http_interface import Interface
from yunmeng.kernel.store.history.promises import strike_unkept

FOLDER_FORMAT = 1
_IDLE_S = 20.0
_DRAIN_S = 20.0


class Order(msgspec.Struct, frozen=True):
    """What the parent asks for; ``memory`` is in bytes."""

    folder: str
    port: int = 0
    memory: int = 1 << 30


class Ready(msgspec.Struct, frozen=True, omit_defaults=True):
    """What the child answers: a port, or the error that stopped it."""

    port: int = 0
    error: str = ""
    status: int = 0
    facts: dict[str, str] = {}


class About(msgspec.Struct, frozen=True):
    """What a history folder says of itself."""

    format: int
    engine: str


def serve(order: Order, stop: threading.Event, ready: Callable[[int], None]) -> None:
    """Serves the folder until ``stop``; raises what keeps it from starting."""
    folder = Path(order.folder)
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    lock = _lock(folder)
    about = _about(folder)
    strike_unkept(folder / "data")
    engine = Engine(folder, Limits(memory=order.memory))
    try:
        _accept(folder, about, engine.version)
        interface = _listen(order.port, engine, read_password(folder))
        threading.Thread(target=interface.serve_forever, kwargs={"poll_interval": 0.5}, daemon=True).start()
        release_mapped_code()
        ready(interface.server_address[1])
        _tend(interface, stop)
        interface.shutdown()
        interface.drain(_DRAIN_S)
        interface.server_close()
    finally:
        engine.close()
        lock.close()


def read_password(folder: Path) -> str:
    """Returns the password of the folder's server, made at random the first time (the file is 0600)."""
    file = folder / "password"
    if not file.exists():
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="ascii") as out:
            out.write(secrets.token_urlsafe(32))
    return file.read_text(encoding="ascii").strip()


def _tend(interface: Interface, stop: threading.Event) -> None:
    released = time.monotonic()
    while not stop.wait(5.0):
        idle = time.monotonic() - interface.last_request
        if idle > _IDLE_S and released < interface.last_request:
            release_mapped_code()
            released = time.monotonic()


def _listen(port: int, engine: Engine, password: str) -> Interface:
    try:
        return Interface(port, engine, password)
    except OSError as cause:
        if cause.errno == errno.EADDRINUSE:
            raise Unavailable("history.port-busy", port=port) from cause
        raise Unavailable("history.no-port", port=port, reason=cause) from cause


def _lock(folder: Path) -> IO[str]:
    lock = (folder / "lock").open("w")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as cause:
        lock.close()
        raise Conflict("history.folder-in-use", folder=folder) from cause
    return lock


def _about(folder: Path) -> About | None:
    file = folder / "about.json"
    if not file.exists():
        return None
    try:
        about = msgspec.json.decode(file.read_bytes(), type=About)
    except (OSError, msgspec.DecodeError) as cause:
        raise Broken("history.corrupt", folder=folder, reason=cause) from cause
    if about.format > FOLDER_FORMAT or _numbers(about.engine) > _numbers(_installed()):
        raise Broken("history.newer", folder=folder, made_by=about.engine, installed=_installed())
    return about


def _accept(folder: Path, about: About | None, version: str) -> None:
    if about is None or about.engine != version:
        fresh = folder / "about.json.new"
        fresh.write_bytes(msgspec.json.encode(About(FOLDER_FORMAT, version)))
        fresh.rename(folder / "about.json")


def _installed() -> str:
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version("chdb-core")
    except PackageNotFoundError as cause:
        raise Unavailable("history.extra-missing", part="chdb") from cause


def _numbers(version: str) -> tuple[int, ...]:
    # year and month make a ClickHouse release; what follows never changes the format on disk
    return tuple(int(part) for part in version.split(".")[:2] if part.isdigit())


def _watch_parent(stop: threading.Event) -> None:
    while sys.stdin.buffer.read(4096):
        pass
    stop.set()


def _say(ready: Ready) -> None:
    sys.stdout.buffer.write(msgspec.json.encode(ready) + b"\n")
    sys.stdout.buffer.flush()


def main() -> int:
    """Runs the process; returns its exit status."""
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda _number, _frame: stop.set())
    order = msgspec.json.decode(sys.stdin.buffer.readline(), type=Order)
    threading.Thread(target=_watch_parent, args=(stop,), daemon=True).start()
    try:
        serve(order, stop, lambda port: _say(Ready(port=port)))
    except YunmengError as error:
        _say(Ready(error=error.key, status=error.status, facts={k: str(v) for k, v in error.facts.items()}))
        return 1
    return 0


if __name__ == "__main__":
    # chDB's threads do not survive the interpreter's end in good order; everything is flushed by now
    os._exit(main())

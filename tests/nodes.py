"""A real node as a person runs it: ``yunmeng up`` in a process of its own, on a free port of 127.0.0.1."""

import asyncio
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

import httpx
import msgspec
import psutil
import pytest

from yunmeng.kernel.base import YunmengError, load_settings, now_us
from yunmeng.kernel.link import obs_subject
from yunmeng.kernel.model import NAMESPACE, ObservationBatch, Row, Series, encode_batch, make_batch
from yunmeng.kernel.trust import Principal
from yunmeng.node.parts import Parts, connected

T = TypeVar("T")

PASSWORD = "Yunmeng-ze-1998-flood"
YUNMENG = (sys.executable, "-c", "from yunmeng.node.cli import main; main()")
PATIENCE_S = 90.0
GATEWAY = Principal("urn:yunmeng:service:test", kind="service", roles=("service",))


class Node:
    """One data folder and the node that runs in it, from start to stop and perhaps again."""

    def __init__(self, data: Path, *arguments: str, command: str = "up", prefix: Sequence[str] = ()) -> None:
        self.data = data
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.said = ""
        own = ("--data", str(data), "--set", f"http.port={self.port}")
        self._command = [*prefix, *YUNMENG, command, *own, *arguments]
        self._process: subprocess.Popen[str] | None = None
        self.clients: list[httpx.Client] = []

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    @property
    def one_time_password(self) -> str:
        """What the first start printed."""
        found = re.search(r"admin / (\S+)", self.said)
        assert found, self.said
        return found[1]

    def start(self) -> None:
        """Starts the node and returns when it has said where it is."""
        screen = self.begin()
        until(lambda: "╰" in screen.read_text() or self._process.poll() is not None, "the node's greeting")
        self.said = screen.read_text()
        assert self._process.poll() is None, f"{self.said}\n{self.logs()}"

    def begin(self) -> Path:
        """Starts the node and returns at once with the file that holds what it says."""
        screen = self.data.with_name(f"{self.data.name}.screen")
        with screen.open("w") as out:
            self._process = subprocess.Popen(self._command, stdout=out, stderr=out)
        return screen

    def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Stops the node as a person or a service manager does, and returns its exit status."""
        for client in self.clients:
            client.close()
        self.clients.clear()
        if self._process is None:
            return 0
        self._process.send_signal(number)
        try:
            return self._process.wait(PATIENCE_S)
        finally:
            self._process.kill()

    def parts(self) -> list[psutil.Process]:
        """Every process below the supervisor."""
        return psutil.Process(self.pid).children(recursive=True)

    def role(self, name: str) -> psutil.Process:
        """The process that plays a role."""
        for part in self.parts():
            if part.cmdline()[1:4] == ["-m", "yunmeng.node.roles", name]:
                return part
        raise LookupError(name)

    def logs(self) -> str:
        """The last words of every process."""
        return "\n".join(f"{file.name}: {file.read_text()[-800:]}" for file in self.data.glob("logs/*.log"))

    def client(self, name: str, password: str, language: str = "en") -> httpx.Client:
        """A client that is signed in."""
        client = httpx.Client(base_url=self.url, headers={"Accept-Language": language}, timeout=30)
        self.clients.append(client)
        said = client.post("/api/session", json={"name": name, "password": password})
        assert said.status_code == 201, said.text
        client.headers["X-CSRF-Token"] = said.json()["csrf"]
        return client

    def administrator(self) -> httpx.Client:
        """The administrator after the first sign-in: the one-time password is changed."""
        client = self.client("admin", self.one_time_password)
        said = client.post("/api/session/password", json={"old": self.one_time_password, "new": PASSWORD})
        assert said.status_code == 200, said.text
        client.headers["X-CSRF-Token"] = said.json()["csrf"]
        return client

    def cli(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Runs a command of the command line against this node."""
        return yunmeng(*arguments, "--data", str(self.data))


def yunmeng(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Runs the command line as a person does."""
    return subprocess.run(
        [*YUNMENG, *arguments],
        env={**os.environ, "COLUMNS": "200", "TERM": "dumb", **environment},
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE_S,
    )


def free_port() -> int:
    """A port of 127.0.0.1 that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def until(check: Callable[[], T], what: str, seconds: float = PATIENCE_S) -> T:
    """Waits for the check to return something true, and returns it."""
    end = time.monotonic() + seconds
    while not (found := check()):
        assert time.monotonic() < end, f"waited {seconds} s for {what}"
        time.sleep(0.05)
    return found


@contextmanager
def refused(key: str) -> Iterator[pytest.ExceptionInfo[YunmengError]]:
    """Expects an error of this key."""
    with pytest.raises(YunmengError) as caught:
        yield caught
    assert caught.value.key == key


def with_parts(node: Node, work: Callable[[Parts], Awaitable[T]]) -> T:
    """Does something on the bus and the stores of a running node, as one of its processes."""

    async def run() -> T:
        async with connected(load_settings(env={}, overrides=[f"node.data={node.data}"])) as parts:
            return await work(parts)

    return asyncio.run(run())


def observe(node: Node, *batches: ObservationBatch | bytes) -> list[int]:
    """Publishes batches as a gateway does; returns their positions, once the bus has them on disk."""

    async def publish(parts: Parts) -> list[int]:
        data = [each if isinstance(each, bytes) else encode_batch(each) for each in batches]
        return [await parts.bus.publish(obs_subject("", "test"), each, GATEWAY) for each in data]

    return with_parts(node, publish)


def level(entity: str, value: float | str, at: int, **more: object) -> ObservationBatch:
    """A batch of one water level."""
    series = Series(entity, f"{NAMESPACE}waterLevel", f"{NAMESPACE}Reservoir", "420100", "MTR", True)
    series = msgspec.structs.replace(series, **more)
    return make_batch([Row(series, at, value)], gateway="test", received_at=now_us())

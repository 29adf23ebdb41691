"""The speed goals of a broker over HTTP: ``python -m benchmarks.broker [entities] [seconds] [--profile]``.

``yunmeng broker`` runs as its users run it; the load comes from ``wrk`` and from a process of its own that
writes ready bytes into sockets. Everything shares the machine, so each figure says where its processor time
went. ``--profile`` needs ``py-spy`` on the path: it prints the busiest functions of the slowest path.
"""

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.figures import Figure, cpu_seconds, pss_mb

CONNECTIONS = 64
_LUA = Path(__file__).with_name("broker.lua")
_ROLE = re.compile(r"yunmeng\.node\.roles\x00(\w+)")
_PERCENTILES = re.compile(r"^\s+(50|95|99)%\s+([\d.]+)(us|ms|s)$", re.MULTILINE)
_UNITS = {"us": 1e-3, "ms": 1.0, "s": 1e3}


@dataclass(frozen=True, slots=True)
class Path_:
    """One path of the broker under load; ``target`` of how many a second is in ``budgets.toml``."""

    name: str
    unit: str


PATHS = (
    Path_("read", "reads/s"),
    Path_("query", "queries/s"),
    Path_("search", "queries/s"),
    Path_("update", "updates/s"),
    Path_("create", "entities/s"),
)


class Broker:
    """A running broker with the processes that belong to it."""

    def __init__(self, port: int, process: "subprocess.Popen[bytes]", data: Path) -> None:
        self.port, self.process, self.data = port, process, data

    def processes(self) -> dict[str, int]:
        """Returns the process ids by what the processes do."""
        found: dict[str, int] = {}
        for pid in _descendants(self.process.pid):
            name = _part(pid)
            found[name if name not in found else f"{name} {pid}"] = pid
        return found

    def memory_mb(self) -> float:
        """Returns the memory of all processes in MB, shared pages counted once."""
        return sum(pss_mb(pid) for pid in self.processes().values())

    def disk_mb(self) -> float:
        """Returns the size of the data folder in MB."""
        files = (path.stat() for path in self.data.rglob("*") if path.is_file())
        return sum(file.st_blocks * 512 for file in files) / 1024**2


def _part(pid: int) -> str:
    line = Path(f"/proc/{pid}/cmdline").read_text()
    role = _ROLE.search(line)
    if role:
        return role[1]
    return "bus" if "nats-server" in line else "history" if "history" in line else "supervisor"


def _descendants(pid: int) -> list[int]:
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [pid, *(below for child in children for below in _descendants(int(child)))]


@contextmanager
def running(port: int, data: Path, *settings: str):
    """Starts a broker on an empty folder and stops it at the end."""
    sets = [part for setting in settings for part in ("--set", setting)]
    command = ["yunmeng", "broker", "--port", str(port), "--data", str(data), *sets]
    program = Path(sys.executable).with_name("yunmeng")
    process = subprocess.Popen(
        [str(program), *command[1:]], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    broker = Broker(port, process, data)
    try:
        _await(broker)
        yield broker
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(30)


def _await(broker: Broker) -> None:
    until = time.monotonic() + 60
    while True:
        try:
            with socket.create_connection(("127.0.0.1", broker.port), 1) as probe:
                probe.sendall(b"GET /ready HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
                if b" 200 " in probe.recv(64):
                    return
        except OSError:
            pass
        if time.monotonic() > until:
            raise TimeoutError("the broker does not come up")
        time.sleep(0.1)


def measured(broker: Broker, name: str, unit: str, work: Callable[[], tuple[float, dict[str, float]]]) -> Figure:
    """Carries out the work and adds what each process needed of a processor, in percent."""
    pids = broker.processes()
    before, began = {part: cpu_seconds(pid) for part, pid in pids.items()}, time.perf_counter()
    value, parts = work()
    took = time.perf_counter() - began
    shares = {part: round(100 * (cpu_seconds(pid) - before[part]) / took) for part, pid in pids.items()}
    busy = {f"{part} %": share for part, share in shares.items() if share}
    return Figure(f"broker.{name}", value, unit, {**parts, **busy})


def upsert(broker: Broker, entities: int) -> tuple[float, dict[str, float]]:
    """Loads the entities by batches from a process of its own; returns entities a second."""
    began = time.perf_counter()
    command = [sys.executable, "-m", "benchmarks.broker_load", str(broker.port), str(entities)]
    subprocess.run(command, check=True)
    took = time.perf_counter() - began
    return entities / took, {"s": round(took, 1)}


def press(broker: Broker, path: str, entities: int, seconds: float) -> tuple[float, dict[str, float]]:
    """Has ``wrk`` drive one path; returns answers a second and the latencies in ms."""
    done = subprocess.run(
        [
            *("wrk", "-t1", f"-c{CONNECTIONS}", f"-d{seconds:.0f}s", "-s", str(_LUA), "--latency"),
            f"http://127.0.0.1:{broker.port}",
        ],
        env={**os.environ, "ENTITIES": str(entities), "KIND": path},
        capture_output=True,
        text=True,
        check=True,
    )
    rate = re.search(r"Requests/sec:\s+([\d.]+)", done.stdout)
    if rate is None or "Non-2xx" in done.stdout:
        raise AssertionError(done.stdout + done.stderr)
    waits = {f"p{p} ms": round(float(n) * _UNITS[u], 2) for p, n, u in _PERCENTILES.findall(done.stdout)}
    return float(rate[1]), waits


def profile(broker: Broker, path: str, entities: int) -> None:
    """Prints the busiest functions of api and keeper while a path is driven."""
    spy = shutil.which("py-spy")
    if spy is None:
        print("no py-spy on the path, no profile")
        return
    watched = {part: pid for part, pid in broker.processes().items() if part.startswith(("api", "keeper"))}
    with tempfile.TemporaryDirectory() as folder:
        spies = {
            part: subprocess.Popen(
                [spy, "record", "-p", str(pid), "-d", "5", "-r", "250", "-f", "raw", "-o", f"{folder}/{pid}"],
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
            for part, pid in watched.items()
        }
        work(broker, path, entities, 6)
        for part, spy_process in spies.items():
            spy_process.wait(30)
            print(f"{path}: {part}")
            print(_busiest(Path(folder, str(watched[part])).read_text()))


def _busiest(raw: str, most: int = 25) -> str:
    own: Counter[str] = Counter()
    below: Counter[str] = Counter()
    for line in raw.splitlines():
        stack, _, count = line.rpartition(" ")
        frames = stack.split(";")
        own[frames[-1]] += int(count)
        below.update({frame: int(count) for frame in set(frames)})
    whole = sum(own.values()) or 1
    rows = [f"  {100 * n / whole:5.1f} % itself  {frame}" for frame, n in own.most_common(most)]
    rows += [f"  {100 * n / whole:5.1f} % below   {frame}" for frame, n in below.most_common(2 * most)]
    return "\n".join(rows)


def work(broker: Broker, path: str, entities: int, seconds: float) -> tuple[float, dict[str, float]]:
    """Drives one path."""
    if path == "upsert":
        return upsert(broker, min(entities, int(8_000 * seconds)))
    return press(broker, path, entities, seconds)


def measure(entities: int, seconds: float, *, profiled: bool, settings: tuple[str, ...] = ()) -> list[Figure]:
    """Measures every goal on one broker."""
    with tempfile.TemporaryDirectory() as folder, running(_free_port(), Path(folder), *settings) as broker:
        figures = [measured(broker, "upsert", "entities/s", lambda: upsert(broker, entities))]
        time.sleep(2)
        figures += [
            Figure("broker.memory", broker.memory_mb(), "MB"),
            Figure("broker.disk", broker.disk_mb(), "MB"),
        ]
        for path in PATHS:
            # the first question of its kind may wish for an index
            press(broker, path.name, entities, 1)
            drive = lambda path=path: press(broker, path.name, entities, seconds)  # noqa: E731
            figures.append(measured(broker, path.name, path.unit, drive))
        if profiled:
            for path in ("upsert", "create", "read"):
                profile(broker, path, entities)
    return figures


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def run(entities: int = 100_000, seconds: float = 5.0) -> list[Figure]:
    """Measures in the shape that ``python -m benchmarks`` compares."""
    return measure(entities, seconds, profiled=False)


if __name__ == "__main__":
    words = [word for word in sys.argv[1:] if not word.startswith("-") and "=" not in word]
    chosen = tuple(word for word in sys.argv[1:] if "=" in word)
    count, length = int(words[0]) if words else 100_000, float(words[1]) if len(words) > 1 else 5.0
    for figure in measure(count, length, profiled="--profile" in sys.argv, settings=chosen):
        print(f"{figure.name:<16} {figure.value:>10,.0f} {figure.unit:<11} {figure.parts}")

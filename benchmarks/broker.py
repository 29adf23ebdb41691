"""The speed goals of a broker over HTTP: ``python -m benchmarks.broker --help``.

``yunmeng broker`` runs as its users run it; the load comes from ``wrk`` and from a process of its own that
writes ready bytes into sockets. Everything shares the machine, so each figure says how much processor time an
answer took, process by process: those figures can be compared between runs, rates only on a quiet machine.
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
from collections.abc import Callable, Sequence
from contextlib import contextmanager
from pathlib import Path

import click

from benchmarks.figures import Figure, cpu_seconds, pss_mb

CONNECTIONS = 64
# writes share messages and commits, so their rate grows with those who wait; an answer to a search must not
WAITING = {"create": 256, "update": 256, "search": 32}
UNITS = {
    "upsert": "entities/s",
    "read": "reads/s",
    "query": "queries/s",
    "search": "queries/s",
    "update": "updates/s",
    "create": "entities/s",
}
_LUA = Path(__file__).with_name("broker.lua")
_ROLE = re.compile(r"yunmeng\.node\.roles\x00([a-z]+(?:\x00\d+)?)")
_PERCENTILES = re.compile(r"^\s+(50|95|99)%\s+([\d.]+)(us|ms|s)$", re.MULTILINE)
_IN_MS = {"us": 1e-3, "ms": 1.0, "s": 1e3}
_DULL = (
    "threading.py",
    "concurrent/futures",
    "click/",
    "runpy",
    "asyncio/runners",
    "uvloop/__init__",
    "options.py",
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

    def memory_mb(self) -> dict[str, float]:
        """Returns the memory of each process in MB, a shared page counted as a part of each."""
        return {part: pss_mb(pid) for part, pid in self.processes().items()}

    def disk_mb(self) -> float:
        """Returns the size of the data folder in MB."""
        files = (path.stat() for path in self.data.rglob("*") if path.is_file())
        return sum(file.st_blocks * 512 for file in files) / 1024**2


def _part(pid: int) -> str:
    line = Path(f"/proc/{pid}/cmdline").read_text()
    role = _ROLE.search(line)
    if role:
        return role[1].replace("\0", " ")
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


def measured(broker: Broker, path: str, work: Callable[[], tuple[float, dict[str, float]]]) -> Figure:
    """Carries out the work and adds what an answer took of each process, in µs of processor time."""
    pids = broker.processes()
    before, began = {part: cpu_seconds(pid) for part, pid in pids.items()}, time.perf_counter()
    rate, parts = work()
    took = time.perf_counter() - began
    spent = {part: (cpu_seconds(pid) - before[part]) for part, pid in pids.items()}
    answers = rate * parts.get("s", took)
    each = {f"{part} µs": round(1e6 * s / answers, 1) for part, s in spent.items() if s > 0.01 * took}
    each["all µs"] = round(sum(each.values()), 1)
    each["processors"] = round(sum(spent.values()) / took, 2)
    return Figure(f"broker.{path}", rate, UNITS[path], {**parts, **each})


def upsert(broker: Broker, entities: int) -> tuple[float, dict[str, float]]:
    """Loads the entities by batches from a process of its own; returns entities a second."""
    command = [sys.executable, "-m", "benchmarks.broker_load", str(broker.port), str(entities)]
    took = float(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    return entities / took, {"s": round(took, 1)}


def rest(broker: Broker, most_s: float = 180.0) -> float:
    """Waits until nothing of a load is left to do, merges of the history above all; returns for how long."""
    began = time.perf_counter()
    idle = False
    while not idle and time.perf_counter() - began < most_s:
        before = sum(map(cpu_seconds, broker.processes().values()))
        time.sleep(3)
        idle = sum(map(cpu_seconds, broker.processes().values())) - before < 0.3
    return round(time.perf_counter() - began, 1)


def press(broker: Broker, path: str, entities: int, seconds: float) -> tuple[float, dict[str, float]]:
    """Has ``wrk`` drive one path; returns answers a second and the latencies in ms."""
    done = subprocess.run(
        [
            *("wrk", "-t1", f"-c{WAITING.get(path, CONNECTIONS)}", f"-d{seconds:.0f}s"),
            *("-s", str(_LUA)),
            f"http://127.0.0.1:{broker.port}",
        ],
        env={**os.environ, "ENTITIES": str(entities), "KIND": path},
        capture_output=True,
        text=True,
        check=True,
    )
    return rate_of(done.stdout)


def rate_of(report: str) -> tuple[float, dict[str, float]]:
    """Reads what ``wrk`` reports: answers a second and the latencies in ms."""
    rate = re.search(r"Requests/sec:\s+([\d.]+)", report)
    if rate is None or "Non-2xx" in report:
        raise AssertionError(report)
    waits = {f"p{p} ms": round(float(n) * _IN_MS[u], 2) for p, n, u in _PERCENTILES.findall(report)}
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


def _busiest(raw: str, most: int = 20) -> str:
    own: Counter[str] = Counter()
    below: Counter[str] = Counter()
    for line in raw.splitlines():
        stack, _, count = line.rpartition(" ")
        frames = [frame for frame in stack.split(";") if not any(part in frame for part in _DULL)]
        if not frames:
            continue
        own[frames[-1]] += int(count)
        below.update(dict.fromkeys(frames, int(count)))
    whole = sum(own.values()) or 1
    rows = [f"  {100 * n / whole:5.1f} % itself  {frame}" for frame, n in own.most_common(most)]
    rows += [f"  {100 * n / whole:5.1f} % below   {frame}" for frame, n in below.most_common(most)]
    return "\n".join(rows)


def work(broker: Broker, path: str, entities: int, seconds: float) -> tuple[float, dict[str, float]]:
    """Drives one path."""
    if path == "upsert":
        return upsert(broker, min(entities, int(8_000 * seconds)))
    return press(broker, path, entities, seconds)


def measure(
    entities: int,
    seconds: float,
    paths: Sequence[str],
    profiled: Sequence[str] = (),
    settings: Sequence[str] = (),
) -> list[Figure]:
    """Measures paths on one broker, which holds the entities then."""
    with tempfile.TemporaryDirectory() as folder, running(free_port(), Path(folder), *settings) as broker:
        figures = [measured(broker, "upsert", lambda: upsert(broker, entities))]
        figures[0].parts["rest s"] = rest(broker)
        memory = broker.memory_mb()
        figures += [
            Figure("broker.memory", sum(memory.values()), "MB", memory),
            Figure("broker.disk", broker.disk_mb(), "MB"),
        ]
        for path in paths:
            # the first question of its kind may wish for an index
            press(broker, path, entities, 1)
            figures.append(measured(broker, path, lambda path=path: press(broker, path, entities, seconds)))
        for path in profiled:
            profile(broker, path, entities)
    return figures


def free_port() -> int:
    """Returns a port that nobody listens at."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def run(entities: int = 100_000, seconds: float = 5.0) -> list[Figure]:
    """Measures in the shape that ``python -m benchmarks`` compares."""
    return measure(entities, seconds, [path for path in UNITS if path != "upsert"])


@click.command()
@click.option("--entities", default=100_000, help="How many there are.")
@click.option("--seconds", default=5.0, help="How long each path is driven.")
@click.option("--path", "paths", multiple=True, type=click.Choice(list(UNITS)), help="Only these paths.")
@click.option("--profile", "profiled", multiple=True, type=click.Choice(list(UNITS)), help="With py-spy.")
@click.option("--set", "settings", multiple=True, help="A setting of the broker.")
def main(
    entities: int,
    seconds: float,
    paths: tuple[str, ...],
    profiled: tuple[str, ...],
    settings: tuple[str, ...],
) -> None:
    """Loads template entities by batch upserts, then drives the paths one after the other."""
    chosen = [path for path in UNITS if path != "upsert" and (not paths or path in paths)]
    for figure in measure(entities, seconds, chosen, profiled, settings):
        print(f"{figure.name:<14} {figure.value:>9,.0f} {figure.unit:<10}", figure.parts or "")


if __name__ == "__main__":
    main()

"""Queries that ask 34 sources each: ``python -m benchmarks.federation [seconds]``.

``yunmeng broker`` runs as its users run it; the sources are light and live in one process of their own, the
load comes from ``wrk``. Everything shares the machine.
"""

import json
import shutil
import subprocess
import sys
import tempfile
import urllib.request
from contextlib import contextmanager
from pathlib import Path

from benchmarks.broker import Broker, free_port, rate_of, running
from benchmarks.figures import Figure, cpu_seconds

SOURCES, ENTITIES, CONNECTIONS = 34, 3, 16


@contextmanager
def sources():
    """Starts the sources and returns their process and ports."""
    command = [sys.executable, "-m", "benchmarks.source_process", str(SOURCES), str(ENTITIES)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE)
    try:
        assert process.stdout is not None
        yield process, [int(port) for port in process.stdout.readline().split()]
    finally:
        process.terminate()
        process.wait(10)


def register(broker: Broker, ports: list[int]) -> None:
    """Registers one source a port."""
    for number, port in enumerate(ports):
        body = {
            "id": f"urn:ngsi-ld:ContextSourceRegistration:{number}",
            "type": "ContextSourceRegistration",
            "information": [{"entities": [{"type": "Meter"}]}],
            "endpoint": f"http://127.0.0.1:{port}",
        }
        request = urllib.request.Request(
            f"http://127.0.0.1:{broker.port}/ngsi-ld/v1/csourceRegistrations",
            json.dumps(body).encode(),
            {"Content-Type": "application/json"},
        )
        urllib.request.urlopen(request, timeout=10).read()


def press(broker: Broker, seconds: float) -> tuple[float, dict[str, float]]:
    """Has ``wrk`` ask for pages of 20; returns answers a second and the latencies in ms."""
    target = f"http://127.0.0.1:{broker.port}/ngsi-ld/v1/entities?type=Meter&limit=20"
    command = ["wrk", "-t1", f"-c{CONNECTIONS}", f"-d{seconds:.0f}s", "--latency", "--timeout", "10s", target]
    return rate_of(subprocess.run(command, capture_output=True, text=True, check=True).stdout)


def check(broker: Broker) -> None:
    """Proves that what is measured is a whole answer."""
    target = f"http://127.0.0.1:{broker.port}/ngsi-ld/v1/entities?type=Meter&limit=1000&count=true"
    with urllib.request.urlopen(target, timeout=30) as answer:
        assert int(answer.headers["NGSILD-Results-Count"]) == SOURCES * ENTITIES
        assert answer.headers["NGSILD-Warning"] is None
        assert len(json.load(answer)) == SOURCES * ENTITIES


def measure(seconds: float) -> list[Figure]:
    """Measures one api worker over all sources."""
    with (
        tempfile.TemporaryDirectory() as folder,
        sources() as (process, ports),
        running(free_port(), Path(folder)) as broker,
    ):
        register(broker, ports)
        check(broker)
        press(broker, 1)
        pids = {**broker.processes(), "sources": process.pid}
        before = {part: cpu_seconds(pid) for part, pid in pids.items()}
        rate, waits = press(broker, seconds)
        spent = {part: cpu_seconds(pid) - before[part] for part, pid in pids.items()}
    each = {f"{part} µs": round(1e6 * s / seconds / rate) for part, s in spent.items() if s > 0.01 * seconds}
    return [
        Figure("federation.query", rate, "queries/s", {**waits, **each}),
        Figure("federation.p99", waits["p99 ms"], "ms"),
    ]


def run(seconds: float = 5.0) -> list[Figure]:
    """Measures in the shape that ``python -m benchmarks`` compares; nothing where ``wrk`` is missing."""
    return measure(seconds) if shutil.which("wrk") else []


if __name__ == "__main__":
    for figure in run(*map(float, sys.argv[1:])):
        print(figure)

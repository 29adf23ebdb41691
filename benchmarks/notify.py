"""Notifications from end to end: ``python -m benchmarks.notify [SUBSCRIPTIONS] [SECONDS] [PORT]``.

A broker as its users run it, updates of single entities over HTTP, and a receiver in a process of its own.
Each update is told to every subscription by a POST of its own. All share the machine, so the figures say what
a POST took of each process: what the notifier alone can do is in ``notify.capacity``.
"""

import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx

from benchmarks.broker import Broker, running
from benchmarks.figures import Figure, cpu_seconds
from benchmarks.serve import meter

SENDERS = 2


@contextmanager
def receiving(port: int) -> Iterator[int]:
    """Starts a receiver and stops it at the end; gives its process id."""
    command = [sys.executable, "-m", "benchmarks.notify_receiver", str(port)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        yield process.pid
        process.terminate()


def prepare(api: httpx.Client, subscriptions: int, receiver: int) -> None:
    """Creates what is to be updated, then subscribes to it."""
    entities = [meter(number) for number in range(SENDERS)]
    assert api.post("/entityOperations/upsert", json=entities).is_success
    for number in range(subscriptions):
        endpoint = {"uri": f"http://127.0.0.1:{receiver}/{number}"}
        body = {
            "type": "Subscription",
            "entities": [{"type": "Meter"}],
            "notification": {"endpoint": endpoint},
        }
        assert api.post("/subscriptions", json=body).status_code == 201


def update(port: int, number: int, until: float, done: list[int]) -> None:
    """Updates one entity, again and again, over one connection; no value comes twice."""
    with socket.create_connection(("127.0.0.1", port)) as wire:
        while time.monotonic() < until:
            done[number] += 1
            body = b'{"power":{"value":%d}}' % time.monotonic_ns()
            head = b"PATCH /ngsi-ld/v1/entities/urn:ngsi-ld:Meter:%08d/attrs HTTP/1.1\r\n" % number
            wire.sendall(
                head
                + b"Host: x\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%b"
                % (len(body), body)
            )
            assert b" 204 " in wire.recv(65536)


def send(port: int, seconds: float) -> int:
    """Updates from several connections; returns how many updates there were."""
    done = [0] * SENDERS
    until = time.monotonic() + seconds
    threads = [threading.Thread(target=update, args=(port, number, until, done)) for number in range(SENDERS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sum(done)


def await_all(receiver: int, expected: int) -> tuple[int, int]:
    """Waits until so many different rows are there, or nothing more comes; returns posts and those rows."""
    before, still = -1, 0
    with httpx.Client(base_url=f"http://127.0.0.1:{receiver}", trust_env=False) as client:
        while True:
            posts, _, different = map(int, client.get("/").text.split())
            if different >= expected:
                return posts, different
            still = still + 1 if posts == before else 0
            if still > 100:
                return posts, different
            before = posts
            time.sleep(0.1)


def measure(broker: Broker, subscriptions: int, seconds: float) -> list[Figure]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        receiver = int(probe.getsockname()[1])
    url = f"http://127.0.0.1:{broker.port}/ngsi-ld/v1"
    with receiving(receiver) as pid, httpx.Client(base_url=url, trust_env=False, timeout=30) as api:
        prepare(api, subscriptions, receiver)
        warm, known = await_all(receiver, send(broker.port, 1.0) * subscriptions)
        pids = {**broker.processes(), "receiver": pid}
        before, began = {part: cpu_seconds(pid) for part, pid in pids.items()}, time.perf_counter()
        updates = send(broker.port, seconds)
        sent = time.perf_counter() - began
        posts, different = await_all(receiver, known + updates * subscriptions)
        took = time.perf_counter() - began
        spent = {part: cpu_seconds(pid) - before[part] for part, pid in pids.items()}
    posts -= warm
    each = {f"{part} µs": round(1e6 * s / posts, 1) for part, s in spent.items() if s > 0.01 * took}
    lost = known + updates * subscriptions - different
    figures = {"sent in s": round(sent, 2), "s": round(took, 2), "lost": float(lost)}
    return [
        Figure("notify.posts", posts / took, "POST/s", {**figures, **each}),
        Figure("notify.capacity", posts / spent["worker"], "POST/s", {"worker s": round(spent["worker"], 2)}),
    ]


def run(subscriptions: int = 48, seconds: float = 8.0, port: int = 21199) -> list[Figure]:
    """Measures one broker."""
    with tempfile.TemporaryDirectory() as name, running(port, Path(name) / "data") as broker:
        return measure(broker, subscriptions, seconds)


if __name__ == "__main__":
    for figure in run(*(int(argument) for argument in sys.argv[1:])):
        print(figure)

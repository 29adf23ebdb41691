"""The HTTP edge of a real node, one api worker: batch upsert, create, read by id; the load comes from here.

Bus, keeper, history, api and load share the machine; reads are driven by ``wrk`` where it is installed.
``python -m benchmarks.serve [entities] [seconds]``
"""

import asyncio
import json
import re
import shutil
import socket
import sys
import tempfile
import time
from pathlib import Path

import httpx
import uvloop

from benchmarks.figures import Figure, cpu_seconds
from yunmeng.kernel.link import NatsServer
from yunmeng.kernel.store import HistoryServer

PER_BATCH, SENDERS = 1_000, 4
OWN = "https://w3id.org/yunmeng/"
LUA = """
local n = tonumber(os.getenv("ENTITIES"))
local count = 0
request = function()
  count = (count + 7919) % n
  return wrk.format("GET", string.format("/ngsi-ld/v1/entities/urn:ngsi-ld:Meter:%08d", count))
end
"""


def meter(number: int) -> dict[str, object]:
    """About 0.7 kB with six attributes."""
    at = "2026-11-01T04:00:00Z"
    return {
        "id": f"urn:ngsi-ld:Meter:{number:08d}",
        "type": "Meter",
        "power": {"type": "Property", "value": number / 7, "unitCode": "KWT", "observedAt": at},
        "voltage": {"type": "Property", "value": 220.5, "unitCode": "VLT", "observedAt": at},
        "name": {"type": "Property", "value": f"meter {number}"},
        "maker": {"type": "Relationship", "object": f"urn:ngsi-ld:Maker:{number % 50}"},
        OWN + "division": {"type": "Property", "value": "420100"},
        "location": {
            "type": "GeoProperty",
            "value": {"type": "Point", "coordinates": [114.0 + number % 1000 / 1000, 30.5]},
        },
    }


class Load:
    """Drives one api worker."""

    def __init__(self, base: str, token: str, pids: dict[str, int]) -> None:
        self.headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
        self.base, self.pids = base, pids

    def client(self) -> httpx.AsyncClient:
        return httpx.AsyncClient(base_url=self.base, headers=self.headers, timeout=60, trust_env=False)

    async def upsert(self, entities: int) -> Figure:
        bodies = [
            json.dumps([meter(number) for number in range(first, first + PER_BATCH)]).encode()
            for first in range(0, entities, PER_BATCH)
        ]
        before, began = self._cpu(), time.perf_counter()
        async with self.client() as client:
            waiting = iter(bodies)

            async def send() -> None:
                for body in waiting:
                    answer = await client.post("/ngsi-ld/v1/entityOperations/upsert", content=body)
                    assert answer.is_success, answer.text

            await asyncio.gather(*(send() for _ in range(SENDERS)))
        return self._figure("serve.upsert", entities, "entities/s", before, began)

    async def create(self, seconds: float, first: int) -> Figure:
        numbers = iter(range(first, first + 10_000_000))
        before, began = self._cpu(), time.perf_counter()
        done = 0
        async with self.client() as client:

            async def send() -> None:
                nonlocal done
                while time.perf_counter() - began < seconds:
                    answer = await client.post("/ngsi-ld/v1/entities", json=meter(next(numbers)))
                    assert answer.status_code == 201, answer.text
                    done += 1

            await asyncio.gather(*(send() for _ in range(64)))
        return self._figure("serve.create", done, "entities/s", before, began)

    async def read(self, seconds: float, entities: int, folder: Path) -> Figure:
        script = folder / "read.lua"
        script.write_text(LUA)
        before, began = self._cpu(), time.perf_counter()
        token = self.headers["Authorization"]
        wrk = await asyncio.create_subprocess_exec(
            *("wrk", "-t1", "-c32", f"-d{seconds:.0f}s", "-s", str(script), "--latency"),
            *("-H", f"Authorization: {token}", self.base),
            stdout=asyncio.subprocess.PIPE,
            env={"ENTITIES": str(entities)},
        )
        text = (await wrk.communicate())[0].decode()
        rate = re.search(r"Requests/sec:\s+([\d.]+)", text)
        assert rate is not None, text
        assert "Non-2xx" not in text, text
        figure = self._figure("serve.read", float(rate[1]) * seconds, "reads/s", before, began)
        slowest = re.search(r"99%\s+(\S+)", text)
        parts = {**figure.parts, f"p99 {slowest[1] if slowest else '?'}": 0.0}
        return Figure("serve.read", float(rate[1]), "reads/s", parts)

    def _cpu(self) -> dict[str, float]:
        return {part: cpu_seconds(pid) for part, pid in self.pids.items()}

    def _figure(self, name: str, count: float, unit: str, before: dict[str, float], began: float) -> Figure:
        took = time.perf_counter() - began
        parts = {f"{part}, processor s": round(at - before[part], 2) for part, at in self._cpu().items()}
        return Figure(name, count / took, unit, {**parts, "s": round(took, 2)})


async def measure(entities: int, seconds: float) -> list[Figure]:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        nats, history = NatsServer(folder / "bus"), HistoryServer(folder / "history")
        await asyncio.gather(nats.start(), history.start())
        arguments = (name, nats.url, nats.token, history.url, history.password)
        port = _free_port()
        keeper = await _child("benchmarks.keeper_process", *arguments)
        await _line(keeper)
        api = await _child("benchmarks.api_process", *arguments, str(port))
        try:
            token = await _line(api)
            pids = {"bus": nats.pid, "history": history.pid, "keeper": keeper.pid, "api": api.pid}
            load = Load(f"http://127.0.0.1:{port}", token, pids)
            await _answering(load)
            figures = [await load.upsert(entities)]
            await asyncio.sleep(2)
            if shutil.which("wrk"):
                figures.append(await load.read(seconds, entities, folder))
            figures.append(await load.create(seconds, entities))
        finally:
            for child in (api, keeper):
                if child.returncode is None:
                    child.terminate()
                await child.wait()
            await asyncio.gather(nats.stop(), history.stop())
    return figures


async def _child(module: str, *arguments: str) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        sys.executable, "-m", module, *arguments, stdout=asyncio.subprocess.PIPE
    )


async def _line(child: asyncio.subprocess.Process) -> str:
    assert child.stdout is not None
    return (await child.stdout.readline()).decode().strip()


async def _answering(load: Load) -> None:
    async with asyncio.timeout(20), load.client() as client:
        while True:
            try:
                if (await client.get("/health")).is_success:
                    return
            except httpx.ConnectError:
                await asyncio.sleep(0.05)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def run(entities: int = 60_000, seconds: float = 4.0) -> list[Figure]:
    """Measures one api worker."""
    return uvloop.run(measure(entities, seconds))


if __name__ == "__main__":
    for figure in run(*(int(argument) for argument in sys.argv[1:])):
        print(figure)

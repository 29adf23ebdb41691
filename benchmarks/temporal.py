"""Temporal aggregates over HTTP: each answer sums up 100,000 instances of one attribute of one entity.

``yunmeng broker`` runs as its users run it; eight meters have a value a minute for some seventy days, and
``wrk`` asks for one after the other. Everything shares the machine, so the figures say how much processor
time an answer took. ``python -m benchmarks.temporal [seconds]``
"""

import asyncio
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import httpx
import numpy as np

from benchmarks.broker import Broker, rate_of, running
from benchmarks.figures import Figure, cpu_seconds
from benchmarks.serve import _free_port
from yunmeng.kernel.base import format_us
from yunmeng.kernel.model import ObservationBatch, Series
from yunmeng.kernel.store import HistoryBlock
from yunmeng.kernel.store.history.clickhouse import ClickHouseHistory

METERS, INSTANCES, CONNECTIONS = 8, 100_000, 8
MINUTE = 60_000_000
DAY = 1440 * MINUTE
T0 = 1_780_000_000_000_000 // DAY * DAY
POWER = "https://uri.etsi.org/ngsi-ld/default-context/power"
METER = "https://uri.etsi.org/ngsi-ld/default-context/Meter"
LUA = """
local count = 0
request = function()
  count = count + 1
  return wrk.format("GET", string.format(os.getenv("ADDRESS"), count % 8))
end
done = function(summary, latency)
  for _, p in pairs({50, 95, 99}) do
    io.write(string.format("  %d%% %.2fms\\n", p, latency:percentile(p) / 1000))
  end
end
"""
# merged parts have their hours, fresh ones have not, and neither merges with the other: the last fresh ones,
# which would wait for the next inserts, are brought up to the others
SETTLING = (
    "OPTIMIZE TABLE yunmeng.history_points FINAL",
    "ALTER TABLE yunmeng.history_points MATERIALIZE PROJECTION hourly SETTINGS mutations_sync = 2",
)
KINDS = {
    "days": "aggrPeriodDuration=P1D&aggrMethods=avg,max",
    "hours": "aggrPeriodDuration=PT1H&aggrMethods=avg,max",
    "whole": "aggrMethods=avg,max,stddev",
}


def name(number: int) -> str:
    return f"urn:ngsi-ld:Meter:{number}"


def block(number: int) -> HistoryBlock:
    """All instances of one meter."""
    random = np.random.default_rng(number)
    return HistoryBlock(
        f"bench-{number}",
        [
            ObservationBatch(
                tenant="",
                gateway="",
                received_at=T0,
                series=(Series(name(number), POWER, METER, "420100", "KWT"),),
                index=np.zeros(INSTANCES, np.uint32),
                observed_at=T0 + np.arange(INSTANCES) * MINUTE + random.integers(0, 999, INSTANCES) * 1000,
                number=random.normal(3, 1, INSTANCES).round(3),
                quality=np.zeros(INSTANCES, np.uint8),
            )
        ],
    )


async def fill(broker: Broker) -> None:
    """Writes the meters through the API and their past into the history, and lets it merge."""
    folder = broker.data / "history"
    url = f"http://127.0.0.1:{(folder / 'port').read_text()}"
    password = (folder / "password").read_text().strip()
    entities = [
        {"id": name(n), "type": "Meter", "power": {"type": "Property", "value": 1}} for n in range(METERS)
    ]
    create = f"http://127.0.0.1:{broker.port}/ngsi-ld/v1/entityOperations/create"
    async with httpx.AsyncClient(trust_env=False, timeout=60) as client:
        made = await client.post(create, json=entities)
        made.raise_for_status()
        history = ClickHouseHistory(url, password=password)
        for number in range(METERS):
            await history.insert(block(number))
        await history.close()
        for settling in SETTLING:
            done = await client.post(url, content=settling, auth=("default", password))
            done.raise_for_status()


def press(broker: Broker, kind: str, seconds: float, script: Path) -> Figure:
    """Drives one kind of aggregate; returns answers a second."""
    # wrk fills in the number of the meter
    address = (
        "/ngsi-ld/v1/temporal/entities/urn:ngsi-ld:Meter:%d?attrs=power&options=aggregatedValues"
        f"&timerel=between&timeAt={format_us(T0)}&endTimeAt={format_us(T0 + 70 * DAY)}&{KINDS[kind]}"
    )
    pids = broker.processes()
    before = {part: cpu_seconds(pid) for part, pid in pids.items()}
    done = subprocess.run(
        [
            *("wrk", "-t1", f"-c{CONNECTIONS}", f"-d{seconds:.0f}s", "-s", str(script)),
            f"http://127.0.0.1:{broker.port}",
        ],
        env={**os.environ, "ADDRESS": address},
        capture_output=True,
        text=True,
        check=True,
    )
    rate, waits = rate_of(done.stdout)
    spent = {part: (cpu_seconds(pid) - before[part]) / seconds / rate * 1000 for part, pid in pids.items()}
    parts = {f"{part} ms": round(ms, 2) for part, ms in spent.items() if ms > 0.05}
    return Figure(
        f"temporal.{kind}", rate, "answers/s", {**waits, **parts, "all ms": round(sum(spent.values()), 2)}
    )


def run(seconds: float = 8.0) -> list[Figure]:
    """Measures aggregates by day, by hour and of the whole."""
    with tempfile.TemporaryDirectory() as folder, running(_free_port(), Path(folder) / "data") as broker:
        asyncio.run(fill(broker))
        script = Path(folder) / "temporal.lua"
        script.write_text(LUA)
        figures = [press(broker, kind, seconds, script) for kind in KINDS]
    slowest = Figure("temporal.days-p95", figures[0].parts["p95 ms"], "ms")
    return [*figures, slowest]


if __name__ == "__main__":
    for figure in run(*(float(argument) for argument in sys.argv[1:])):
        print(figure)

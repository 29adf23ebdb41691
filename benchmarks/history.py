"""The history: rows in, rows out. ``python -m benchmarks.history [million rows]`` prints JSON.

The rows are those of meters that speak once a minute for a day, in blocks as the keeper makes them
(one minute of every meter), with a daily curve and noise; nothing repeats that a real meter would not repeat.
"""

import asyncio
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import httpx
import numpy as np

from benchmarks.figures import Figure
from yunmeng.kernel.model import ObservationBatch, Row, Series, make_batch
from yunmeng.kernel.store import HistoryBlock, HistoryServer, TemporalQuery
from yunmeng.kernel.store.history.clickhouse import ClickHouseHistory
from yunmeng.kernel.trust import Reach

POWER, METER = "https://w3id.org/yunmeng/power", "https://w3id.org/yunmeng/Meter"
DAY_US = 86_400_000_000
T0 = 1_790_000_000_000_000 // DAY_US * DAY_US
BLOCK = 10_000
ALL = Reach()


def series(meters: int) -> tuple[Series, ...]:
    return tuple(
        Series(f"urn:ngsi-ld:Meter:{n:08d}", POWER, METER, f"42{n % 13 + 1:02d}{n % 7 + 1:02d}", "KWT")
        for n in range(meters)
    )


def blocks(rows: int, known: tuple[Series, ...]) -> list[HistoryBlock]:
    random, made = np.random.default_rng(42), list[HistoryBlock]()
    for first in range(0, rows, BLOCK):
        number = np.arange(first, min(first + BLOCK, rows))
        minute = number // len(known)
        value = 3 + 2 * np.sin(minute / 1440 * 2 * np.pi) + random.normal(0, 0.2, len(number))
        batch = ObservationBatch(
            tenant="",
            gateway="mqtt",
            received_at=T0 + int(minute[-1]) * 60_000_000 + 900_000,
            series=known,
            index=(number % len(known)).astype(np.uint32),
            observed_at=T0 + minute * 60_000_000 + random.integers(0, 1000, len(number)) * 1000,
            number=value.round(3),
            quality=np.zeros(len(number), np.uint8),
        )
        made.append(HistoryBlock(f"bench-{first}", [batch]))
    return made


async def milliseconds(call: Callable[[], Awaitable[Any]], times: int) -> dict[str, float]:
    await call()
    taken: list[float] = []
    for _ in range(times):
        began = time.perf_counter()
        await call()
        taken.append((time.perf_counter() - began) * 1000)
    taken.sort()
    return {"median": round(statistics.median(taken), 2), "p95": round(taken[int(len(taken) * 0.95) - 1], 2)}


async def per_second(call: Callable[[], Awaitable[Any]], tasks: int, seconds: float) -> float:
    until, done = time.perf_counter() + seconds, 0

    async def work() -> None:
        nonlocal done
        while time.perf_counter() < until:
            await call()
            done += 1

    began = time.perf_counter()
    await asyncio.gather(*(work() for _ in range(tasks)))
    return round(done / (time.perf_counter() - began))


def pss_mb(pid: int) -> float:
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith("Pss:"):
            return round(int(line.split()[1]) / 1024, 1)
    return 0.0


async def bytes_per_row(server: HistoryServer) -> float:
    sql = "SELECT sum(bytes_on_disk) / sum(rows) FROM system.parts WHERE active AND table = 'history_points'"
    async with httpx.AsyncClient(auth=("default", server.password), trust_env=False, timeout=120) as client:
        await client.post(server.url, content="OPTIMIZE TABLE yunmeng.history_points FINAL")
        return round(float((await client.post(server.url, content=sql)).text), 2)


async def insert(history: ClickHouseHistory, made: list[HistoryBlock]) -> float:
    began = time.perf_counter()
    for block in made:
        await history.insert(block)
    return round(BLOCK * len(made) / (time.perf_counter() - began))


async def deletions(history: ClickHouseHistory) -> list[float]:
    """Deletes the history of entities that was written a little at a time, in milliseconds each."""
    taken: list[float] = []
    for number in range(20):
        one = Series(f"urn:ngsi-ld:Meter:short-{number}", POWER, METER, "420100", "KWT")
        batch = make_batch([Row(one, T0, 1.0)], gateway="modbus", received_at=T0)
        await history.insert(HistoryBlock(f"bench-short-{number}", [batch]))
        began = time.perf_counter()
        await history.delete("", one.entity)
        taken.append(1000 * (time.perf_counter() - began))
    return taken


async def one_long_series(history: ClickHouseHistory) -> TemporalQuery:
    """100,000 seconds of one meter."""
    rows = 100_000
    batch = ObservationBatch(
        tenant="",
        gateway="modbus",
        received_at=T0,
        series=(Series("urn:ngsi-ld:Meter:long", POWER, f"{METER}Long", "420100", "KWT"),),
        index=np.zeros(rows, np.uint32),
        observed_at=T0 + np.arange(rows) * 1_000_000,
        number=np.random.default_rng(7).normal(5, 1, rows).round(3),
        quality=np.zeros(rows, np.uint8),
    )
    await history.insert(HistoryBlock("bench-long", [batch]))
    return TemporalQuery(ALL, ("urn:ngsi-ld:Meter:long",), (POWER,), "between", T0, T0 + rows * 1_000_000)


async def measure(folder: Path, rows: int) -> dict[str, Any]:
    server, found = HistoryServer(folder), dict[str, Any]()
    began = time.perf_counter()
    await server.start()
    found["start_s"] = round(time.perf_counter() - began, 2)
    found["idle_pss_mb"] = pss_mb(server.pid)
    history = ClickHouseHistory(server.url, password=server.password)
    meters = max(rows // 1440, 1)
    known = series(meters)
    found["rows"], found["insert_rows_per_s"] = rows, await insert(history, blocks(rows, known))
    found["pss_after_inserts_mb"] = pss_mb(server.pid)
    found["bytes_per_row"] = await bytes_per_row(server)
    day = {"relation": "between", "start": T0, "end": T0 + DAY_US}
    one = TemporalQuery(ALL, (known[meters // 2].entity,), limit=100_000, **day)
    found["one_entity_one_day_points"] = len(await history.points(one))
    found["one_entity_one_day_ms"] = await milliseconds(lambda: history.points(one), 30)
    many = TemporalQuery(ALL, tuple(s.entity for s in known[: 100_000 // 1440 + 1]), (POWER,), **day)
    found["aggregate_100k_instances_70_entities_hourly_ms"] = await milliseconds(
        lambda: history.aggregate(many, ["avg", "max"], 3600), 30
    )
    found["aggregate_100k_whole_range_per_s_8_tasks"] = await per_second(
        lambda: history.aggregate(many, ["avg"], 0), 8, 3
    )
    long = await one_long_series(history)
    found["aggregate_100k_instances_1_entity_hourly_ms"] = await milliseconds(
        lambda: history.aggregate(long, ["avg", "max"], 3600), 30
    )
    found["aggregate_100k_1_entity_per_s_8_tasks"] = await per_second(
        lambda: history.aggregate(long, ["avg"], 3600), 8, 3
    )
    found["summary_by_prefecture_all_rows_hourly_ms"] = await milliseconds(
        lambda: history.summary(ALL, METER, POWER, "avg", T0, T0 + DAY_US, 3600, 4), 10
    )
    found["trend_all_rows_hourly_ms"] = await milliseconds(
        lambda: history.trend(ALL, METER, POWER, "sum", T0, T0 + DAY_US, 3600), 10
    )
    taken = await deletions(history)
    found["delete_ms"] = {"median": round(statistics.median(taken), 1), "most": round(max(taken), 1)}
    await asyncio.sleep(26)
    found["idle_again_pss_mb"] = pss_mb(server.pid)
    await history.close()
    await server.stop()
    return found


def run(rows: int = 1_000_000) -> list[Figure]:
    """Measures in the shape that ``python -m benchmarks`` compares."""
    with tempfile.TemporaryDirectory() as folder:
        found = asyncio.run(measure(Path(folder), rows))
    hourly = found["aggregate_100k_instances_70_entities_hourly_ms"]
    return [
        Figure("history.insert", found["insert_rows_per_s"], "rows/s"),
        Figure("history.bytes", found["bytes_per_row"], "bytes/row"),
        Figure("history.day", found["one_entity_one_day_ms"]["p95"], "ms"),
        Figure("history.aggregates", found["aggregate_100k_whole_range_per_s_8_tasks"], "queries/s"),
        Figure("history.delete", found["delete_ms"]["median"], "ms", {"most ms": found["delete_ms"]["most"]}),
        Figure("history.aggregate", hourly["p95"], "ms", {"median ms": hourly["median"]}),
    ]


def main() -> None:
    rows = int(float(sys.argv[1]) * 1_000_000) if len(sys.argv) > 1 else 2_000_000
    with tempfile.TemporaryDirectory() as folder:
        print(json.dumps(asyncio.run(measure(Path(folder), rows)), indent=2))


if __name__ == "__main__":
    main()

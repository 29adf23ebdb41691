"""The state store's hot paths on SQLite: `python -m benchmarks.state [entities]` (100,000 unless told)."""

import asyncio
import json
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import numpy as np

from benchmarks.figures import Figure
from yunmeng.kernel.model import (
    Compare,
    GeoCondition,
    ObservationBatch,
    Operand,
    Series,
    TypeIs,
)
from yunmeng.kernel.model import Path as To
from yunmeng.kernel.store import Commit, EntityPut, EntityQuery
from yunmeng.kernel.store.state.sqlite import SqliteReader, SqliteWriter
from yunmeng.kernel.trust import Reach

OWN = "https://w3id.org/yunmeng/"
PLACE = "https://uri.etsi.org/ngsi-ld/location"
METER, LEVEL, LOAD, STATUS = OWN + "Meter", OWN + "level", OWN + "load", OWN + "status"
ALL = Reach()
DIVISIONS = [f"42{unit:02d}{county:02d}" for unit in range(1, 14) for county in range(1, 9)]


def template(number: int, dice: random.Random) -> EntityPut:
    """An entity of about 1.5 kB with twelve attributes, one of them a place."""
    id = f"urn:ngsi-ld:Meter:{number:08d}"
    at = "2026-11-22T04:00:00Z"
    document: dict[str, object] = {"id": id, "type": [METER], "createdAt": at, "modifiedAt": at}
    for name in ("level", "load", "voltage", "current", "power", "temperature"):
        document[OWN + name] = [
            {
                "type": "Property",
                "value": round(dice.random() * 1e6) / 1e3,
                "observedAt": at,
                "unitCode": "KWH",
            }
        ]
    document[STATUS] = [{"type": "Property", "value": f"s{dice.randrange(20_000)}"}]
    document[OWN + "name"] = [{"type": "Property", "value": f"湖北省智能电表 {number}"}]
    document[OWN + "maker"] = [{"type": "Relationship", "object": f"urn:ngsi-ld:Maker:{number % 50}"}]
    document[OWN + "synthetic"] = [{"type": "Property", "value": True}]
    ground = random.Random(number)
    place = {"type": "Point", "coordinates": [108.5 + ground.random() * 7.5, 29.1 + ground.random() * 4]}
    document[PLACE] = [{"type": "GeoProperty", "value": place}]
    division = DIVISIONS[number % len(DIVISIONS)]
    document[OWN + "division"] = [{"type": "Property", "value": division}]
    document[OWN + "note"] = [{"type": "Property", "value": "x" * 100}]
    return EntityPut("", id, (METER,), division, json.dumps(document, ensure_ascii=False).encode())


async def timed(name: str, times: int, work: Callable[[int], Awaitable[object]]) -> float:
    """Prints the median and the 95th percentile of a call, and returns the median in microseconds."""
    taken: list[float] = []
    for turn in range(times):
        start = time.perf_counter()
        await work(turn)
        taken.append((time.perf_counter() - start) * 1e6)
    taken.sort()
    print(f"{name:<44} {statistics.median(taken):>10.0f} µs   p95 {taken[int(len(taken) * 0.95)]:>10.0f} µs")
    return statistics.median(taken)


async def load(writer: SqliteWriter, entities: int, dice: random.Random) -> None:
    spent = 0.0
    for first in range(0, entities, 1000):
        puts = [template(n, dice) for n in range(first, min(first + 1000, entities))]
        start = time.perf_counter()
        await writer.commit(Commit(puts=puts))
        spent += time.perf_counter() - start
    print(f"{'new entities, batches of 1,000':<44} {entities / spent:>10.0f} /s")


async def upsert(writer: SqliteWriter, entities: int, name: str, dice: random.Random) -> float:
    batches = [[template(dice.randrange(entities), dice) for _ in range(1000)] for _ in range(10)]
    start = time.perf_counter()
    for puts in batches:
        await writer.commit(Commit(puts=puts))
    rate = 10_000 / (time.perf_counter() - start)
    print(f"{name:<44} {rate:>10.0f} /s")
    return rate


def readings(entities: int, dice: random.Random, at: int) -> list[ObservationBatch]:
    """Ten batches of 1,000 observations, every one of another series out of 100,000."""
    chosen = dice.sample(range(min(entities, 100_000)), 10_000)
    return [
        ObservationBatch(
            "",
            "gateway",
            0,
            tuple(
                Series(f"urn:ngsi-ld:Meter:{n:08d}", OWN + "energy", METER, "420106", "KWH")
                for n in chosen[part : part + 1000]
            ),
            np.arange(1000, dtype=np.uint32),
            np.full(1000, at, np.int64),
            np.array([dice.random() * 100 for _ in range(1000)]),
            np.zeros(1000, np.uint8),
        )
        for part in range(0, 10_000, 1000)
    ]


async def observe(writer: SqliteWriter, entities: int, name: str, dice: random.Random) -> float:
    rounds = [readings(entities, dice, at) for at in range(1, 21)]
    wall, core = time.perf_counter(), time.process_time()
    for batches in rounds:
        await writer.commit(Commit(observations=batches))
    wall, core = time.perf_counter() - wall, time.process_time() - core
    print(f"{name:<44} {200_000 / wall:>10.0f} /s   {core / 2e5 * 1e6:>6.1f} µs of a core each")
    return 200_000 / wall


def query(reach: Reach = ALL, **asked: object) -> EntityQuery:
    return EntityQuery(reach, types=TypeIs(METER), **asked)  # type: ignore[arg-type]


def number(uri: str, sign: str, value: float) -> Compare:
    return Compare(To(uri), sign, (Operand("number", value),))  # type: ignore[arg-type]


async def ask(reader: SqliteReader, entities: int, dice: random.Random) -> None:
    def status() -> Compare:
        return Compare(To(STATUS), "==", (Operand("string", f"s{dice.randrange(20_000)}"),))

    def near() -> GeoCondition:
        centre = [109 + dice.random() * 6, 29.5 + dice.random() * 3]
        return GeoCondition("near", {"type": "Point", "coordinates": centre}, PLACE, max_distance=2_000.0)

    wuhan = Reach("", ("4201",))
    await timed("get", 5000, lambda _: reader.get(ALL, f"urn:ngsi-ld:Meter:{dice.randrange(entities):08d}"))
    await timed("page of a type", 500, lambda _: reader.query(query(offset=0)))
    await timed(
        "page after an id", 500, lambda n: reader.query(query(after=f"urn:ngsi-ld:Meter:{n * 97:08d}"))
    )
    await timed("q, text equality", 500, lambda _: reader.query(query(conditions=status())))
    await timed(
        "q, number, selective", 500, lambda _: reader.query(query(conditions=number(LEVEL, ">", 999.99)))
    )
    await timed(
        "q, number, half of all", 100, lambda _: reader.query(query(conditions=number(LEVEL, ">", 500)))
    )
    await timed(
        "q, number, one county", 100, lambda _: reader.query(query(wuhan, conditions=number(LEVEL, ">", 990)))
    )
    await timed(
        "q, telemetry, selective",
        200,
        lambda _: reader.query(query(conditions=number(OWN + "energy", ">", 99.9))),
    )
    await timed("geo, 2 km around", 500, lambda _: reader.query(query(geo=near())))
    await timed(
        "q and geo", 500, lambda _: reader.query(query(geo=near(), conditions=number(LEVEL, ">", 500)))
    )
    await timed(
        "count of q, half of all",
        3,
        lambda _: reader.query(query(conditions=number(LEVEL, ">", 500), count=True)),
    )
    await timed("types", 200, lambda _: reader.types(ALL))
    await timed(
        "summary of telemetry by county", 3, lambda _: reader.summary(ALL, METER, OWN + "energy", "avg")
    )


async def main(entities: int) -> None:
    dice = random.Random(42)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "state" / "state.sqlite"
        writer = SqliteWriter(path, "42")
        print(f"{entities} entities of {len(template(1, dice).body)} B")
        await load(writer, entities, dice)
        await upsert(writer, entities, "upserts of all values, no index asked for", dice)
        await observe(writer, entities, "last values, series new", dice)
        await observe(writer, entities, "last values, series known", dice)
        reader = SqliteReader(path, "42")
        for condition in (
            number(LEVEL, ">", 1e9),
            number(OWN + "energy", ">", 1e9),
            number(STATUS, ">", 1e9),
        ):
            start = time.perf_counter()
            await reader.query(query(conditions=condition))
            print(
                f"{'first question of its kind (a scan)':<44} {(time.perf_counter() - start) * 1e3:>10.0f} ms"
            )
        start = time.perf_counter()
        await writer.fill()
        print(f"{'growing three indexes':<44} {time.perf_counter() - start:>10.1f} s")
        await ask(reader, entities, dice)
        await upsert(writer, entities, "upserts of all values, two indexes", dice)
        await observe(writer, entities, "last values, indexed", dice)
        size = sum(file.stat().st_size for file in path.parent.iterdir())
        print(f"{'on disk':<44} {size / entities:>10.0f} B an entity")
        await reader.close()
        await writer.close()


async def hot_paths(entities: int) -> list[Figure]:
    dice = random.Random(42)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "state" / "state.sqlite"
        writer = SqliteWriter(path, "42")
        await load(writer, entities, dice)
        upserts = await upsert(writer, entities, "upserts of all values", dice)
        await observe(writer, entities, "last values, series new", dice)
        last = await observe(writer, entities, "last values, series known", dice)
        reader = SqliteReader(path, "42")
        ids = [f"urn:ngsi-ld:Meter:{dice.randrange(entities):08d}" for _ in range(2000)]
        read = await timed("read by id", len(ids), lambda turn: reader.get(ALL, ids[turn]))
        await reader.close()
        await writer.close()
    return [
        Figure("state.upserts", upserts, "entities/s"),
        Figure("state.last-values", last, "observations/s"),
        Figure("state.read", read, "µs"),
    ]


def run(entities: int = 100_000) -> list[Figure]:
    """Measures writes and reads by id in the shape that ``python -m benchmarks`` compares."""
    return asyncio.run(hot_paths(entities))


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]) if len(sys.argv) > 1 else 100_000))

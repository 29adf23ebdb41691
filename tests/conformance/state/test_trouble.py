"""What can go wrong with a store: newer, busy, absent, killed in the middle of a commit."""

import asyncio
import contextlib
import json
import sys
from pathlib import Path

import psycopg
import pytest

from yunmeng.kernel.base import Broken, Unavailable
from yunmeng.kernel.store import Commit, EntityQuery, EntityRemoval, OutboxItem, StateWriter

from .conftest import Engine, PostgresqlEngine, SqliteEngine
from .entities import ALL, LEVEL, METER, STATUS, document, ids, keep, observed, put, urn


async def test_what_was_committed_is_there_after_reopening(engine: Engine) -> None:
    first = await engine.writer()
    await first.commit(
        Commit(
            puts=[put(urn(1), {STATUS: "x"})],
            observations=[observed((urn(1), LEVEL, 4, "1.50"))],
            outbox=[OutboxItem("chg", b"1")],
            positions={"OBS": 3},
        )
    )
    await first.close()
    second = await engine.writer()
    assert (await document(second, urn(1)))[LEVEL][0]["value"] == 1.5
    assert await second.position("OBS") == 3
    assert (
        await second.commit(Commit(puts=[put(urn(2), {STATUS: "y"})], outbox=[OutboxItem("chg", b"2")])) == 2
    )
    assert await ids(second, attributes=(STATUS,)) == ["1", "2"]
    assert await second.types(ALL) == {METER: 2}
    await second.close()


async def test_a_position_may_go_back_after_the_loss_of_its_stream(engine: Engine) -> None:
    writer = await engine.writer()
    await writer.commit(Commit(positions={"OBS": 1000, "CMD": 7}))
    await writer.commit(Commit(positions={"OBS": 3}))
    assert (await writer.position("OBS"), await writer.position("CMD")) == (3, 7)
    await writer.close()
    again = await engine.writer()
    assert await again.position("OBS") == 3
    await again.close()


async def test_only_one_writes_at_a_time(engine: Engine) -> None:
    first = await engine.writer()
    with pytest.raises(Unavailable) as caught:
        await engine.writer()
    assert caught.value.key == "store.busy"
    await first.close()
    await (await engine.writer()).close()


async def test_a_store_that_is_not_there_yet(engine: Engine) -> None:
    with pytest.raises(Unavailable) as caught:
        await engine.reader()
    assert caught.value.key == "store.absent"


async def test_a_store_whose_version_cannot_be_seen_yet(engine: Engine) -> None:
    if not isinstance(engine, PostgresqlEngine):
        pytest.skip("a SQLite snapshot holds tables and version alike")
    # what a reader sees whose snapshot is older than the tables that the catalogue already shows it
    with psycopg.connect(engine.url, autocommit=True) as connection:
        connection.execute("CREATE TABLE yunmeng_state(version int NOT NULL)")
    with pytest.raises(Unavailable) as caught:
        await engine.reader()
    assert caught.value.key == "store.absent"


async def test_a_newer_store_is_refused(engine: Engine) -> None:
    await (await engine.writer()).close()
    await make_newer(engine)
    for opened in (engine.writer, engine.reader):
        with pytest.raises(Broken) as caught:
            await opened()
        assert caught.value.key == "store.newer"
        known = {"sqlite": 3, "postgresql": 1}[engine.name]
        assert (caught.value.facts["found"], caught.value.facts["known"]) == (99, known)


async def make_newer(engine: Engine) -> None:
    if isinstance(engine, SqliteEngine):
        import apsw

        apsw.Connection(str(engine.path)).execute("PRAGMA user_version=99").fetchall()
    elif isinstance(engine, PostgresqlEngine):
        with psycopg.connect(engine.url, autocommit=True) as connection:
            connection.execute("UPDATE yunmeng_state SET version = 99")


KILLED = """
import asyncio, json, sys
from pathlib import Path
import numpy as np
from yunmeng.kernel.model import ObservationBatch, Series
from yunmeng.kernel.store import Commit, EntityPut, OutboxItem

METER, LEVEL, ROUND = (f"https://w3id.org/yunmeng/{name}" for name in ("Meter", "level", "round"))

def put(n, round_):
    id = f"urn:ngsi-ld:Thing:{n:03d}"
    document = {"id": id, "type": [METER], ROUND: [{"type": "Property", "value": round_}]}
    return EntityPut("", id, (METER,), "420106", json.dumps(document).encode())

def batch(round_):
    series = tuple(Series(f"urn:ngsi-ld:Thing:{n:03d}", LEVEL, METER, "420106") for n in range(200))
    index, times = np.arange(200, dtype=np.uint32), np.full(200, round_, np.int64)
    numbers, quality = np.full(200, float(round_)), np.zeros(200, np.uint8)
    return ObservationBatch("", "g", 0, series, index, times, numbers, quality)

async def main():
    kind, place = sys.argv[1:]
    if kind == "sqlite":
        from yunmeng.kernel.store.state.sqlite import SqliteWriter
        writer = SqliteWriter(Path(place), "42")
    else:
        from yunmeng.kernel.store.state.postgresql import PostgresqlWriter
        writer = await PostgresqlWriter.connect(place, "42")
    round_ = await writer.position("OBS")
    while True:
        round_ += 1
        items = [OutboxItem("chg", str(round_).encode())]
        puts = [put(n, round_) for n in range(200)]
        commit = Commit(puts, observations=[batch(round_)], outbox=items, emitted=max(round_ - 2, 0))
        commit.positions = {"OBS": round_}
        await writer.commit(commit)
        print(round_, flush=True)

asyncio.run(main())
"""


async def test_a_writer_killed_in_a_commit_leaves_it_whole_or_not_at_all(
    engine: Engine, tmp_path: Path
) -> None:
    script = tmp_path / "killed.py"
    script.write_text(KILLED, encoding="utf-8")
    place = str(engine.path) if isinstance(engine, SqliteEngine) else getattr(engine, "url", "")
    told = 0
    for wait in (0.15, 0.31, 0.07):
        child = await asyncio.create_subprocess_exec(
            sys.executable, str(script), engine.name, place, stdout=asyncio.subprocess.PIPE
        )
        assert child.stdout is not None
        told = int(await child.stdout.readline())
        await asyncio.sleep(wait)
        child.kill()
        rest = (await child.stdout.read()).split()
        await child.wait()
        # a line cut off by the kill is no promise
        told = max([told, *(int(line) for line in rest[:-1])])
        await check_whole(engine, told)


async def check_whole(engine: Engine, told: int) -> None:
    writer = await reopened(engine)
    reached = await writer.position("OBS")
    assert reached >= told
    page = await writer.query(EntityQuery(ALL, limit=1000, count=True))
    assert page.count == 200
    for body in page.documents:
        found = json.loads(body)
        assert found["https://w3id.org/yunmeng/round"][0]["value"] == reached
        assert found[LEVEL][0]["value"] == reached
    assert [item.body for item in await writer.outbox(5)][-1] == str(reached).encode()
    await keep(writer, put(urn("after")))
    await writer.commit(Commit(removals=[EntityRemoval("", urn("after"))]))
    await writer.close()


async def reopened(engine: Engine) -> StateWriter:
    for _ in range(100):
        # the server may take a moment to notice that the killed process is gone
        with contextlib.suppress(Unavailable):
            return await engine.writer()
        await asyncio.sleep(0.05)
    raise AssertionError("the killed writer still holds the store")

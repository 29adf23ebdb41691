"""Commits of the SQLite engine: small ones at once, large ones on their thread, one after the other."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from yunmeng.kernel.base import Unavailable
from yunmeng.kernel.store import Commit, EntityPut, EntityQuery, EntityRemoval
from yunmeng.kernel.store.state.sqlite import SqliteWriter
from yunmeng.kernel.trust import Reach

LARGE = 5_000


def put(number: int, value: str = "") -> EntityPut:
    id = f"urn:ngsi-ld:Thing:{number}"
    body = f'{{"id":"{id}","type":["urn:x:T"],"urn:x:a":[{{"type":"Property","value":"{value}"}}]}}'
    return EntityPut("", id, ("urn:x:T",), "420106", body.encode())


def large(value: str) -> Commit:
    return Commit(puts=[put(number, value) for number in range(LARGE)])


@pytest_asyncio.fixture
async def writer(tmp_path: Path) -> AsyncIterator[SqliteWriter]:
    writer = SqliteWriter(tmp_path / "state.sqlite", "42")
    yield writer
    await writer.close()


async def test_large_and_small_commits_follow_each_other_as_they_were_asked_for(writer: SqliteWriter) -> None:
    commits = [
        large("first"),
        Commit(puts=[put(1, "second")]),
        large("third"),
        Commit(puts=[put(2, "fourth")]),
    ]
    await asyncio.gather(*map(writer.commit, commits))
    bodies = await writer.documents("", [put(number).id for number in (1, 2, 3)])
    assert [bodies[put(number).id] for number in (1, 2, 3)] == [
        put(1, "third").body,
        put(2, "fourth").body,
        put(3, "third").body,
    ]


async def test_a_large_commit_leaves_the_loop_to_others(writer: SqliteWriter) -> None:
    turns = 0
    commit = asyncio.create_task(writer.commit(large("x")))
    while not commit.done():
        await asyncio.sleep(0)
        turns += 1
    assert turns > 50


async def test_who_leaves_a_large_commit_does_not_open_the_door_before_its_end(writer: SqliteWriter) -> None:
    leaving = asyncio.create_task(writer.commit(large("left")))
    await asyncio.sleep(0)
    leaving.cancel()
    with pytest.raises(asyncio.CancelledError):
        await leaving
    await writer.commit(Commit(removals=[EntityRemoval("", put(1).id)]))
    assert (await writer.query(EntityQuery(Reach(), limit=0, count=True))).count == LARGE - 1


async def test_a_small_commit_that_fails_leaves_the_writer_free(writer: SqliteWriter) -> None:
    await writer.commit(Commit(puts=[put(1)]))
    pages = writer.limit_pages(1)
    with pytest.raises(Unavailable):
        await writer.commit(Commit(puts=[put(n, "long" * 900) for n in range(100)]))
    writer.limit_pages(pages)
    await writer.commit(Commit(puts=[put(2)]))
    assert await writer.known("", [put(n).id for n in range(100)]) == {put(1).id, put(2).id}

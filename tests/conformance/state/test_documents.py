"""Documents, reach, removal, everything in one transaction."""

import json

import pytest

from yunmeng.kernel.store import (
    Commit,
    EntityQuery,
    EntityRemoval,
    OutboxItem,
    Record,
    StateReader,
    StateWriter,
)
from yunmeng.kernel.trust import Reach

from .entities import ALL, LEVEL, METER, PUMP, STATUS, document, ids, keep, observed, put, urn


async def test_a_document_comes_back_byte_for_byte(store: StateWriter, reader: StateReader) -> None:
    stored = put(urn(1), {LEVEL: 1.5, STATUS: "水位正常"})
    await keep(store, stored)
    assert await reader.get(ALL, urn(1)) == stored.body
    assert await store.documents("", [urn(1), urn(2)]) == {urn(1): stored.body}
    assert await store.known("", [urn(1), urn(2)]) == {urn(1)}
    assert await reader.get(ALL, urn(2)) is None


async def test_the_last_put_of_a_commit_stays(store: StateWriter) -> None:
    await keep(store, put(urn(1), {LEVEL: 1}), put(urn(1), {LEVEL: 2}))
    await keep(store, put(urn(1), {STATUS: "open"}, types=(PUMP,), division="420500"))
    assert STATUS in await document(store, urn(1))
    assert await store.types(ALL) == {PUMP: 1}
    assert await ids(store, attributes=(LEVEL,)) == []


@pytest.mark.parametrize(
    ("prefixes", "seen"),
    [
        (None, ["1", "2", "3", "4"]),
        (("42",), ["1", "2", "3", "4"]),
        (("4201",), ["1"]),
        (("4205", "429004"), ["2", "3"]),
        ((), []),
        (("43",), []),
    ],
)
async def test_nothing_out_of_reach_is_seen(
    store: StateWriter, prefixes: tuple[str, ...] | None, seen: list[str]
) -> None:
    await keep(
        store,
        put(urn(1), {LEVEL: 1}, division="420106"),
        put(urn(2), {LEVEL: 2}, division="420500"),
        put(urn(3), {LEVEL: 3}, division="429004"),
        put(urn(4), {LEVEL: 4}, division=""),
        put(urn(9), {LEVEL: 4}, tenant="other", division="420106"),
    )
    reach = Reach("", prefixes)
    page = await store.query(EntityQuery(reach, count=True))
    assert await ids(store, reach=reach) == seen
    assert page.count == len(seen)
    assert await store.types(reach) == ({METER: len(seen)} if seen else {})
    for local in "1234":
        assert (await store.get(reach, urn(local)) is not None) == (local in seen)
    assert await store.get(reach, urn(9)) is None


async def test_tenants_are_apart(store: StateWriter) -> None:
    await keep(store, put(urn(1), {LEVEL: 1}), put(urn(1), {LEVEL: 2}, tenant="water"))
    assert (await document(store, urn(1), Reach("water")))[LEVEL][0]["value"] == 2
    await store.commit(Commit(removals=[EntityRemoval("water", urn(1))]))
    assert await store.get(Reach("water"), urn(1)) is None
    assert await store.types(Reach("water")) == {}
    assert await store.types(ALL) == {METER: 1}


async def test_a_removal_takes_last_values_along(store: StateWriter) -> None:
    await store.commit(Commit(puts=[put(urn(1))], observations=[observed((urn(1), LEVEL, 5, 1.0))]))
    await store.commit(Commit(removals=[EntityRemoval("", urn(1))]))
    assert await store.get(ALL, urn(1)) is None
    assert await store.last(ALL, urn(1), LEVEL) is None
    await keep(store, put(urn(1)))
    assert LEVEL not in await document(store, urn(1))
    assert await ids(store, attributes=(LEVEL,)) == []


async def test_removed_and_put_in_one_commit_is_new(store: StateWriter) -> None:
    await store.commit(Commit(puts=[put(urn(1))], observations=[observed((urn(1), LEVEL, 5, 1.0))]))
    await store.commit(Commit(puts=[put(urn(1), {STATUS: "new"})], removals=[EntityRemoval("", urn(1))]))
    assert set(await document(store, urn(1))) == {"id", "type", "createdAt", STATUS}


async def test_records_outbox_and_positions(store: StateWriter, reader: StateReader) -> None:
    jobs = [Record("job", "", "b", b"{}", 7), Record("job", "x", "a", b"[1]", 8)]
    first = await store.commit(
        Commit(records=jobs, outbox=[OutboxItem("chg", b"1"), OutboxItem("aud", b"2")], positions={"OBS": 41})
    )
    second = await store.commit(
        Commit(outbox=[OutboxItem("chg", b"3")], positions={"OBS": 42}, emitted=first - 1)
    )
    assert second == first + 1
    assert [(item.number, item.topic, item.body) for item in await store.outbox(10)] == [
        (first, "aud", b"2"),
        (second, "chg", b"3"),
    ]
    assert len(await store.outbox(1)) == 1
    assert (await store.position("OBS"), await store.position("CMD")) == (42, 0)
    assert await reader.record("job", "", "b") == jobs[0]
    assert await reader.records("job") == [jobs[1], jobs[0]]
    assert await reader.records("job", "x") == [jobs[1]]
    assert list((await store.record_sizes("job")).items()) == [
        ((each.tenant, each.id), len(each.body)) for each in jobs
    ]
    await store.commit(Commit(drop_records=[("job", "", "b")], emitted=second))
    assert await reader.record("job", "", "b") is None
    assert await store.outbox(10) == []
    assert await store.commit(Commit(outbox=[OutboxItem("chg", b"4")])) == second + 1


async def test_a_commit_that_fails_leaves_nothing(store: StateWriter) -> None:
    await keep(store, put(urn(1), {LEVEL: 1}))
    bad = put(urn(3), {STATUS: "new"})
    broken = type(bad)(bad.tenant, bad.id, bad.types, bad.division, b"{not json")
    with pytest.raises(ValueError, match="JSON"):
        await store.commit(
            Commit(
                puts=[put(urn(2), {STATUS: "x"}, types=(PUMP,)), broken],
                removals=[EntityRemoval("", urn(1))],
                positions={"OBS": 9},
            )
        )
    assert await ids(store) == ["1"]
    assert await store.position("OBS") == 0
    await keep(store, put(urn(2), {STATUS: "x"}, types=(PUMP,)))
    assert await ids(store, attributes=(STATUS,)) == ["2"]


async def test_another_connection_sees_what_was_committed_after_it_opened(
    store: StateWriter, reader: StateReader
) -> None:
    assert await ids(reader) == []
    await store.commit(
        Commit(puts=[put(urn(1), {STATUS: "x"})], observations=[observed((urn(1), LEVEL, 1, 2.0))])
    )
    assert await ids(reader, attributes=(LEVEL,)) == ["1"]
    assert json.loads((await reader.get(ALL, urn(1))) or b"")[LEVEL][0]["value"] == 2

"""Telemetry's last values: only newer ones, exact as the source wrote them, merged into the document."""

from datetime import UTC, datetime

import pytest

from yunmeng.kernel.model import Quality
from yunmeng.kernel.store import Commit, StateWriter
from yunmeng.kernel.trust import Reach

from .entities import (
    ALL,
    LEVEL,
    METER,
    PLACE,
    PUMP,
    QUALITY,
    STATUS,
    compare,
    document,
    ids,
    keep,
    observed,
    put,
    urn,
)


async def observe(store: StateWriter, *batches: object) -> None:
    await store.commit(Commit(observations=list(batches)))  # type: ignore[arg-type]


async def test_the_newest_is_merged_as_the_default_instance(store: StateWriter) -> None:
    await keep(store, put(urn(1), {STATUS: "ok"}))
    await observe(
        store, observed((urn(1), LEVEL, 3, 1.0), (urn(1), LEVEL, 5, 2.5), (urn(1), LEVEL, 4, 9.0), unit="MTR")
    )
    assert (await document(store, urn(1)))[LEVEL] == [
        {"type": "Property", "value": 2.5, "observedAt": "1970-01-01T00:00:05.000Z", "unitCode": "MTR"}
    ]
    assert await store.last(ALL, urn(1), LEVEL) == (5_000_000, 2.5)
    assert await store.last(Reach("", ("43",)), urn(1), LEVEL) is None


async def test_older_is_ignored_across_commits_and_batches(store: StateWriter) -> None:
    await keep(store, put(urn(1)))
    await observe(store, observed((urn(1), LEVEL, 5, 2.5)))
    await observe(store, observed((urn(1), LEVEL, 4, 1.0)), observed((urn(1), LEVEL, 3, 7.0)))
    assert await store.last(ALL, urn(1), LEVEL) == (5_000_000, 2.5)
    await observe(store, observed((urn(1), LEVEL, 9, 4.0)), observed((urn(1), LEVEL, 8, 3.0)))
    assert await store.last(ALL, urn(1), LEVEL) == (9_000_000, 4.0)


async def test_missing_keeps_the_value_before_and_never_makes_one(store: StateWriter) -> None:
    await keep(store, put(urn(1)))
    await observe(store, observed((urn(1), LEVEL, 5, None)))
    assert LEVEL not in await document(store, urn(1))
    await observe(store, observed((urn(1), LEVEL, 6, 2.0)))
    await observe(store, observed((urn(1), LEVEL, 7, None)))
    assert await store.last(ALL, urn(1), LEVEL) == (6_000_000, 2.0)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("12.50", b'"value":12.50,'),
        ("0.1000000000000000055511151231257827", b'"value":0.1000000000000000055511151231257827,'),
        ("-3", b'"value":-3,'),
        ("007", b'"value":"007",'),
        ("1e999", b'"value":"1e999",'),
        ("NaN", b'"value":"NaN",'),
        ('开"闸', '"value":"开\\"闸",'.encode()),
        ("", b'"value":"",'),
    ],
)
async def test_a_text_keeps_every_character(store: StateWriter, text: str, shown: bytes) -> None:
    await keep(store, put(urn(1)))
    await observe(store, observed((urn(1), LEVEL, 5, text)))
    assert shown in (await store.get(ALL, urn(1)) or b"")


async def test_doubt_about_a_value_is_a_sub_attribute(store: StateWriter) -> None:
    await keep(store, put(urn(1)))
    await observe(store, observed((urn(1), LEVEL, 5, 1.0), quality=Quality.SUBSTITUTED))
    assert (await document(store, urn(1)))[LEVEL][0][QUALITY] == [
        {"type": "Property", "value": "SUBSTITUTED"}
    ]
    await observe(store, observed((urn(1), LEVEL, 6, 1.0)))
    assert QUALITY not in (await document(store, urn(1)))[LEVEL][0]


async def test_with_a_stored_instance_the_newer_wins_and_sub_attributes_stay(store: StateWriter) -> None:
    accuracy = {"https://w3id.org/yunmeng/accuracy": [{"type": "Property", "value": 0.1}]}
    stored = {
        "type": "Property",
        "value": 1,
        "unitCode": "CMT",
        "observedAt": "1970-01-01T00:00:05Z",
        **accuracy,
    }
    other = {"type": "Property", "value": 8, "datasetId": "urn:ngsi-ld:x:1"}
    await keep(store, put(urn(1), {LEVEL: [other, stored]}))
    await observe(store, observed((urn(1), LEVEL, 4, 2.0), unit="MTR"))
    assert (await document(store, urn(1)))[LEVEL] == [other, stored]
    await observe(store, observed((urn(1), LEVEL, 6, 3.0), unit="MTR"))
    newer = {
        "type": "Property",
        "value": 3,
        "unitCode": "MTR",
        "observedAt": "1970-01-01T00:00:06.000Z",
        **accuracy,
    }
    assert (await document(store, urn(1)))[LEVEL] == [other, newer]
    await keep(store, put(urn(1), {LEVEL: [{**stored, "observedAt": "1970-01-01T00:00:07Z"}]}))
    assert (await document(store, urn(1)))[LEVEL][0]["value"] == 1


async def test_a_new_document_keeps_telemetry_and_dropping_it_forgets(store: StateWriter) -> None:
    await store.commit(Commit(puts=[put(urn(1))], observations=[observed((urn(1), LEVEL, 5, 1.0))]))
    await keep(store, put(urn(1), {STATUS: "x"}, types=(PUMP,)))
    assert {LEVEL, STATUS} <= set(await document(store, urn(1)))
    await store.commit(Commit(drop_last=[("", urn(1), LEVEL), ("", urn(1), PLACE), ("", urn(2), LEVEL)]))
    assert LEVEL not in await document(store, urn(1))
    assert await ids(store, attributes=(LEVEL,)) == []
    await observe(store, observed((urn(1), LEVEL, 1, 4.0)))
    assert await store.last(ALL, urn(1), LEVEL) == (1_000_000, 4.0)


async def test_an_absent_entity_keeps_no_last_value(store: StateWriter) -> None:
    await observe(store, observed((urn(1), LEVEL, 5, 1.0)))
    assert await store.get(ALL, urn(1)) is None
    await keep(store, put(urn(1)))
    assert LEVEL not in await document(store, urn(1))


async def test_queries_see_last_values_before_and_after_an_index(store: StateWriter) -> None:
    await keep(store, *(put(urn(n)) for n in range(10)))
    await observe(store, observed(*((urn(n), LEVEL, 1, float(n)) for n in range(10))))
    await observe(store, observed(*((urn(n), STATUS, 1, f"s{n}") for n in range(5))))
    for _ in range(2):
        assert await ids(store, conditions=compare(LEVEL, ">", 7.5)) == ["8", "9"]
        assert await ids(store, conditions=compare(LEVEL, "==", 3)) == ["3"]
        assert await ids(store, conditions=compare(STATUS, "==", "s4", "s2")) == ["2", "4"]
        await store.fill()  # type: ignore[attr-defined]
    await observe(
        store, observed((urn(9), LEVEL, 2, -1.0), (urn(0), LEVEL, 2, 8.0), (urn(2), STATUS, 2, "s9"))
    )
    assert await ids(store, conditions=compare(LEVEL, ">", 7.5)) == ["0", "8"]
    assert await ids(store, conditions=compare(LEVEL, "<", 0)) == ["9"]
    assert await ids(store, conditions=compare(STATUS, "==", "s4", "s2")) == ["4"]


async def test_summaries_by_division(store: StateWriter) -> None:
    await keep(
        store,
        put(urn(1), {LEVEL: 1}, division="420106"),
        put(urn(2), {LEVEL: 3}, division="420102"),
        put(urn(3), division="420500"),
        put(urn(4), {LEVEL: 100}, division="420500", types=(PUMP,)),
        put(urn(5), {STATUS: "x"}, division="420500"),
    )
    await observe(store, observed((urn(3), LEVEL, 7, 5.0), (urn(2), LEVEL, 9, 7.0)))
    assert await store.summary(ALL, METER, LEVEL, "avg", 4) == {"4201": (2, 4.0), "4205": (1, 5.0)}
    assert await store.summary(ALL, METER, LEVEL, "sum", 2) == {"42": (3, 13.0)}
    assert await store.summary(ALL, METER, LEVEL, "max") == {
        "420102": (1, 7.0),
        "420106": (1, 1.0),
        "420500": (1, 5.0),
    }
    assert await store.summary(ALL, METER, LEVEL, "min", 2) == {"42": (3, 1.0)}
    assert await store.summary(ALL, METER, LEVEL, "newest", 2) == {"42": (3, 9_000_000.0)}
    assert await store.summary(ALL, METER, "", "count", 4) == {"4201": (2, 2.0), "4205": (2, 2.0)}
    assert await store.summary(Reach("", ("4205",)), METER, LEVEL, "count", 4) == {"4205": (1, 1.0)}
    assert await store.summary(ALL, METER, "https://w3id.org/yunmeng/none", "sum") == {}


async def test_times_are_utc_with_their_fraction(store: StateWriter) -> None:
    at = datetime(2026, 11, 22, 4, 0, 0, 123_000, tzinfo=UTC)
    batch = observed((urn(1), LEVEL, 0, 1.0))
    batch.observed_at[0] = int(at.timestamp() * 1e6)
    await store.commit(Commit(puts=[put(urn(1))], observations=[batch]))
    assert (await document(store, urn(1)))[LEVEL][0]["observedAt"] == "2026-11-22T04:00:00.123Z"

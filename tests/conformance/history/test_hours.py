"""Aggregates that come from hourly ones are those of the values themselves."""

import math
from collections import defaultdict
from itertools import product
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from yunmeng.kernel.base import format_us
from yunmeng.kernel.model import ObservationBatch, Series
from yunmeng.kernel.store import HistoryBlock, Instance, TemporalQuery
from yunmeng.kernel.store.history.clickhouse import ClickHouseHistory
from yunmeng.kernel.store.history.hours import hours_for
from yunmeng.kernel.store.history.queries import Statement, aggregate
from yunmeng.kernel.store.history.schema import TABLE
from yunmeng.kernel.trust import Reach

HOUR = 3_600_000_000
T0 = 1_700_000_000_000_000 // HOUR * HOUR
LEVEL = "https://uri.etsi.org/ngsi-ld/default-context/level"
METHODS = ["totalCount", "sum", "avg", "min", "max", "sumsq", "stddev"]
ONE, TWO = "urn:ngsi-ld:Buoy:1", "urn:ngsi-ld:Buoy:2"
WINDOWS: list[dict[str, Any]] = [
    {"relation": "any"},
    {"relation": "between", "start": T0, "end": T0 + 40 * HOUR},
    {"relation": "between", "start": T0 + HOUR + 1, "end": T0 + 39 * HOUR - 1},
    {"relation": "between", "start": T0 + 2 * HOUR, "end": T0 + 30 * HOUR + 12_345},
    {"relation": "between", "start": T0 + 5, "end": T0 + HOUR // 2},
    {"relation": "before", "start": T0 + 20 * HOUR},
    {"relation": "before", "start": T0 + 20 * HOUR + 7},
    {"relation": "after", "start": T0 + 3 * HOUR},
    {"relation": "after", "start": T0 - 5 * HOUR + 999},
]


def observations(seed: int, entity: str, rows: int, first: int = T0) -> ObservationBatch:
    """Values at odd moments of some forty hours, some of them on the hour."""
    random = np.random.default_rng(seed)
    at: NDArray[np.int64] = first + random.integers(0, 40 * HOUR, rows)
    at[::7] -= at[::7] % HOUR
    number = random.normal(3, 2, rows).round(2)
    number[::11] = math.nan
    return ObservationBatch(
        tenant="",
        gateway="",
        received_at=first,
        series=(Series(entity, LEVEL, "https://example.org/Buoy", "420100", ""),),
        index=np.zeros(rows, np.uint32),
        observed_at=at,
        number=number,
        quality=np.zeros(rows, np.uint8),
        text={int(row): "bad" for row in np.flatnonzero(np.isnan(number))},
    )


def pairs(*batches: ObservationBatch) -> dict[str, list[tuple[int, float]]]:
    found: defaultdict[str, list[tuple[int, float]]] = defaultdict(list)
    for batch in batches:
        found[batch.series[0].entity] += zip(batch.observed_at.tolist(), batch.number.tolist(), strict=True)
    return found


def expected(
    held: dict[str, list[tuple[int, float]]], query: TemporalQuery, period: int
) -> dict[Any, list[float | None]]:
    """Works the aggregates out value by value, by entity and bucket."""
    low = query.start if query.relation in ("after", "between") else -(1 << 62)
    high = {"before": query.start, "between": query.end}.get(query.relation, 1 << 62)
    buckets: defaultdict[tuple[str, int], list[float]] = defaultdict(list)
    for entity, rows in held.items():
        if not query.entities or entity in query.entities:
            for at, value in rows:
                if low <= at < high:
                    buckets[entity, (at - query.start) // period if period else 0].append(value)
    return {key: worked_out(values) for key, values in buckets.items()}


def worked_out(values: list[float]) -> list[float | None]:
    numbers = [value for value in values if not math.isnan(value)]
    if not numbers:
        return [len(values), *[None] * 6]
    total = sum(numbers)
    squares = sum(value * value for value in numbers)
    return [
        len(values),
        total,
        total / len(numbers),
        min(numbers),
        max(numbers),
        squares,
        float(np.std(numbers)),
    ]


def comparable(values: list[float | None]) -> list[float]:
    return [math.nan if value is None else value for value in values]


async def found_of(
    history: ClickHouseHistory, query: TemporalQuery, period: int
) -> dict[Any, list[float | None]]:
    rows: defaultdict[tuple[str, int], list[float | None]] = defaultdict(list)
    for one in await history.aggregate(query, METHODS, period // 1_000_000):  # pyright: ignore[reportArgumentType]
        rows[one.entity, (one.start - query.start) // period if period else 0].append(one.value)
    return dict(rows)


@pytest.mark.parametrize("merged", [False, True])
@pytest.mark.parametrize("window", WINDOWS, ids=lambda window: str(window["relation"]))
async def test_they_are_those_of_the_values(history: ClickHouseHistory, window: Any, merged: bool) -> None:
    # where there is no start, periods begin with the first value of all
    periods = (0, HOUR, 5 * HOUR, 8 * HOUR, 24 * HOUR, HOUR // 4) if "start" in window else (0,)
    periods = periods if window["relation"] != "before" else (0,)
    first, second, late = observations(1, ONE, 900), observations(2, TWO, 300), observations(3, ONE, 50)
    later = observations(7, TWO, 70)
    old = observations(4, TWO, 40, first=T0 - 600_000 * HOUR)
    for token, batches in (("a", [first, second]), ("b", [late]), ("b", [late]), ("c", [old])):
        await history.insert(HistoryBlock(token, batches))
    held = pairs(first, second, late, old)
    if merged:
        await history._wire.ask(Statement(f"OPTIMIZE TABLE {TABLE} FINAL"))
        await history.insert(HistoryBlock("d", [later]))
        held = pairs(first, second, late, old, later)
    for entities, period in product(((), (ONE,), (ONE, TWO)), periods):
        query = TemporalQuery(Reach(), entities, (LEVEL,), **window)
        found, wanted = await found_of(history, query, period), expected(held, query, period)
        assert found.keys() == wanted.keys()
        for key, values in wanted.items():
            assert comparable(found[key]) == pytest.approx(
                comparable(values), rel=1e-9, abs=1e-9, nan_ok=True
            )


async def test_the_spread_over_hours_is_that_of_the_values(history: ClickHouseHistory) -> None:
    batch = observations(5, ONE, 500)
    await history.insert(HistoryBlock("a", [batch]))
    numbers = batch.number[np.isfinite(batch.number)]
    for start in (T0, T0 - 1):
        query = TemporalQuery(Reach(), (ONE,), (LEVEL,), relation="after", start=start)
        [one] = await history.aggregate(query, ["stddev"], 0)
        assert one.value == pytest.approx(float(numbers.std()))
        assert (one.start, one.end) == (start, int(batch.observed_at.max()) + 1)


async def test_what_is_deleted_or_replaced_does_not_count(history: ClickHouseHistory) -> None:
    def instance(n: int, value: float) -> Instance:
        at = T0 + n * HOUR // 2
        body = f'{{"type":"Property","value":{value},"observedAt":"{format_us(at)}"}}'.encode()
        return Instance("", ONE, "https://example.org/Buoy", "", LEVEL, "", at, at, body, f"urn:i:{n}")

    await history.insert(HistoryBlock("a", instances=[instance(n, n) for n in range(40)]))
    query = TemporalQuery(Reach(), (ONE,), (LEVEL,), relation="between", start=T0, end=T0 + 20 * HOUR)
    assert [one.value for one in await history.aggregate(query, ["sum", "max"], 0)] == [780, 39]
    await history.delete("", ONE, LEVEL, ("urn:i:39", "urn:i:0"))
    await history.insert(HistoryBlock("b", instances=[instance(0, 5)]))
    assert [one.value for one in await history.aggregate(query, ["sum", "max"], 0)] == [746, 38]
    by_hour = await history.aggregate(query, ["sum"], 3600)
    assert [one.value for one in by_hour] == [6, *[4 * n + 1 for n in range(1, 19)], 38]


async def test_even_windows_are_answered_from_hours(history: ClickHouseHistory) -> None:
    await history.insert(HistoryBlock("a", [observations(6, ONE, 2_000)]))
    query = TemporalQuery(Reach(), (ONE,), (LEVEL,), relation="between", start=T0, end=T0 + 40 * HOUR)
    statement, _ = aggregate(query, ["avg", "max", "stddev"], 3600)
    await history._wire.ask(Statement(f"OPTIMIZE TABLE {TABLE} FINAL"))
    force = {**statement.settings, "force_optimize_projection": "1"}
    # the engine refuses where it would read rows
    assert (await history._wire.ask(statement, force)).count(b"\n") == 40


@pytest.mark.parametrize(
    ("window", "methods", "period_s", "even"),
    [
        ({"relation": "between", "start": T0, "end": T0 + 24 * HOUR}, ["avg"], 3600, True),
        ({"relation": "between", "start": T0, "end": T0 + 24 * HOUR}, ["avg"], 600, None),
        ({"relation": "between", "start": T0 + 1, "end": T0 + 24 * HOUR}, ["avg"], 3600, None),
        ({"relation": "between", "start": T0 + 1, "end": T0 + 24 * HOUR}, ["avg"], 86_400, None),
        ({"relation": "between", "start": T0, "end": T0 + 24 * HOUR - 1}, ["avg"], 86_400, False),
        ({"relation": "between", "start": T0 + 1, "end": T0 + 24 * HOUR}, ["stddev"], 0, False),
        ({"relation": "between", "start": T0, "end": T0 + 24 * HOUR}, ["distinctCount"], 3600, None),
        ({"relation": "between", "start": T0, "end": T0 + HOUR}, ["avg"], 0, None),
        ({"relation": "after", "start": T0, "property": "modifiedAt"}, ["avg"], 0, None),
        ({"relation": "before", "start": T0}, ["avg"], 3600, None),
        ({}, ["avg"], 0, True),
    ],
)
def test_hours_stand_for_rows_only_where_they_can(
    window: Any, methods: Any, period_s: int, even: Any
) -> None:
    found = hours_for(TemporalQuery(Reach(), (ONE,), **window), methods, period_s)
    assert (None if found is None else found.even) is even

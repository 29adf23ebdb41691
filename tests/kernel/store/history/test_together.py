"""Aggregates that are asked for at once: read together, answered one by one."""

import asyncio
from collections.abc import AsyncIterator, Sequence

import numpy as np
import pytest
import pytest_asyncio

from yunmeng.kernel.base import BadInput
from yunmeng.kernel.model import ObservationBatch, Series
from yunmeng.kernel.store import Aggregate, HistoryBlock, HistoryServer, Method, TemporalQuery
from yunmeng.kernel.store.history.clickhouse import ClickHouseHistory
from yunmeng.kernel.store.history.together import Together
from yunmeng.kernel.trust import Reach

LEVEL, STATION = "https://w3id.org/yunmeng/level", "https://w3id.org/yunmeng/Station"
T0 = 1_790_000_000_000_000 // 86_400_000_000 * 86_400_000_000
HOUR = 3_600_000_000
METHODS: tuple[Method, ...] = ("avg", "totalCount")


def name(number: int) -> str:
    return f"urn:ngsi-ld:Station:{number:02}"


def question(*numbers: int, hours: int = 24) -> TemporalQuery:
    names = tuple(map(name, numbers))
    return TemporalQuery(Reach(), names, (LEVEL,), "between", T0, T0 + hours * HOUR)


class Counting:
    """Reads from the real history and keeps what was asked."""

    def __init__(self, history: ClickHouseHistory) -> None:
        self.history = history
        self.read: list[TemporalQuery] = []

    async def __call__(
        self, query: TemporalQuery, methods: Sequence[Method], period_s: int
    ) -> Sequence[Aggregate]:
        self.read.append(query)
        if name(99) in query.entities:
            raise BadInput("history.bad-period", seconds=-1)
        return await self.history.aggregate(query, methods, period_s)


@pytest_asyncio.fixture
async def reading(shared: HistoryServer) -> AsyncIterator[Counting]:
    history = ClickHouseHistory(shared.url, password=shared.password, database="together")
    batch = ObservationBatch(
        tenant="",
        gateway="sl651",
        received_at=T0,
        series=tuple(Series(name(n), LEVEL, STATION, "420100") for n in range(20)),
        index=np.repeat(np.arange(20, dtype=np.uint32), 24),
        observed_at=np.tile(T0 + np.arange(24) * HOUR, 20),
        number=np.repeat(np.arange(20.0), 24),
        quality=np.zeros(480, np.uint8),
    )
    await history.insert(HistoryBlock("stations", [batch]))
    yield Counting(history)
    await history.close()


async def test_what_waits_is_read_in_one_statement_and_answered_one_by_one(reading: Counting) -> None:
    together = Together(reading)
    asked = [question(n) for n in range(20)] + [question(3, 1), question(77)]
    answers = await asyncio.gather(*(together.ask(query, METHODS, 0) for query in asked))
    assert len(reading.read) == 1
    for number, answer in enumerate(answers[:20]):
        assert [(one.entity, one.method, one.value) for one in answer] == [
            (name(number), "avg", float(number)),
            (name(number), "totalCount", 24.0),
        ]
    assert [one.entity for one in answers[20]] == [name(1), name(1), name(3), name(3)]
    assert answers[21] == []


async def test_a_later_question_waits_for_the_next_statement(reading: Counting) -> None:
    together = Together(reading)
    first = asyncio.create_task(together.ask(question(1), METHODS, 0))
    while not reading.read:
        await asyncio.sleep(0)
    later = [asyncio.create_task(together.ask(question(n), METHODS, 0)) for n in (1, 2)]
    await asyncio.gather(first, *later)
    assert [query.entities for query in reading.read] == [(name(1),), (name(1), name(2))]


async def test_other_windows_and_periods_do_not_wait(reading: Counting) -> None:
    together = Together(reading)
    one, other, daily = await asyncio.gather(
        together.ask(question(1), METHODS, 0),
        together.ask(question(1, hours=12), METHODS, 0),
        together.ask(question(1), METHODS, 6 * 3600),
    )
    assert len(reading.read) == 3
    assert [one[1].value, other[1].value, len(daily)] == [24.0, 12.0, 8]


async def test_whoever_leaves_is_not_read_for(reading: Counting) -> None:
    together = Together(reading)
    staying, leaving = (asyncio.create_task(together.ask(question(n), METHODS, 0)) for n in (1, 2))
    await asyncio.sleep(0)
    leaving.cancel()
    assert len(await staying) == 2
    assert [query.entities for query in reading.read] == [(name(1),)]
    with pytest.raises(asyncio.CancelledError):
        await leaving
    # the reader of a kind ends with its last question, and the next one starts anew
    assert len(await together.ask(question(2), METHODS, 0)) == 2


async def test_an_error_reaches_everybody_it_concerns_and_nobody_after(reading: Counting) -> None:
    together = Together(reading)
    asked = (together.ask(question(n), METHODS, 0) for n in (1, 99))
    refused = await asyncio.gather(*asked, return_exceptions=True)
    assert all(isinstance(one, BadInput) for one in refused)
    assert len(await together.ask(question(1), METHODS, 0)) == 2


async def test_many_entities_are_read_in_several_statements(reading: Counting) -> None:
    together = Together(reading)
    asked = [together.ask(question(*range(n, n + 600)), METHODS, 0) for n in (100, 700, 1300)]
    await asyncio.gather(*asked)
    assert [len(query.entities) for query in reading.read] == [600, 600, 600]


async def test_close_leaves_nobody_waiting(reading: Counting) -> None:
    together = Together(reading)
    waiting = [asyncio.create_task(together.ask(question(n), METHODS, 0)) for n in range(3)]
    await asyncio.sleep(0)
    await together.close()
    assert all(
        isinstance(one, asyncio.CancelledError)
        for one in await asyncio.gather(*waiting, return_exceptions=True)
    )

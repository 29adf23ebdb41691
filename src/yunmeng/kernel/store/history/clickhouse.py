"""The history in ClickHouse, reached over HTTP: chDB behind its server, or a cluster."""

import asyncio
from collections.abc import Iterator, Sequence
from typing import Any, Literal, TypeVar

import msgspec

from yunmeng.kernel.base import BadInput, Broken, now_us
from yunmeng.kernel.store.history import queries, schema
from yunmeng.kernel.store.history.aggregates import aggregates
from yunmeng.kernel.store.history.port import (
    Aggregate,
    DivisionStep,
    HistoryBlock,
    Method,
    Point,
    TemporalQuery,
    TrendStep,
)
from yunmeng.kernel.store.history.queries import Statement
from yunmeng.kernel.store.history.rows import COLUMNS, encode
from yunmeng.kernel.store.history.together import Together
from yunmeng.kernel.store.history.wire import Wire
from yunmeng.kernel.trust import Reach

_Row = TypeVar("_Row")

_PointRow = tuple[str, str, str, int, float | None, str | None, str, int, str, str, str]
_POINTS = msgspec.json.Decoder(_PointRow)
_COUNTS = msgspec.json.Decoder(tuple[int])
_TRENDS = msgspec.json.Decoder(tuple[int, int, float | None])
_SUMMARIES = msgspec.json.Decoder(tuple[str, int, int, float | None])
_AGGREGATES = msgspec.json.Decoder(tuple[Any, ...])
_INSERT = f"INSERT INTO {schema.TABLE} ({', '.join(COLUMNS)}) FORMAT Native"
_LONGEST_TOKEN = 512
_UNKNOWN_SETTING = 115


class ClickHouseHistory:
    """The history port over ClickHouse's HTTP interface; makes its tables at the first use."""

    def __init__(
        self, url: str, *, user: str = "default", password: str = "", database: str = "yunmeng"
    ) -> None:
        self._wire = Wire(url, user, password, database)
        self._together = Together(self._aggregate)
        self._prepared = False
        self._preparing = asyncio.Lock()

    async def insert(self, block: HistoryBlock) -> None:
        """Appends the block durably; idempotent by its token.

        Raises:
            BadInput: ``history.no-token`` for a block without a token (or one over 512 characters).
        """
        if not block.token or len(block.token) > _LONGEST_TOKEN:
            raise BadInput("history.no-token", longest=_LONGEST_TOKEN)
        await self._prepare()
        rows, data = await asyncio.to_thread(encode, block)
        if rows:
            await self._wire.insert(_INSERT, data, _insert_settings(block.token, rows))

    async def points(self, query: TemporalQuery) -> Sequence[Point]:
        """Returns points ordered by entity, attribute, time (ascending); ``last`` keeps the newest n each."""
        return [_point(row) for row in _lines(_POINTS, await self._ask(queries.points(query)))]

    async def aggregate(
        self, query: TemporalQuery, methods: Sequence[Method], period_s: int
    ) -> Sequence[Aggregate]:
        """Returns aggregates by period (0: one over the whole range), pushed down to the engine."""
        if not methods:
            return []
        read = self._together.ask if query.entities else self._aggregate
        return await read(query, methods, period_s)

    async def _aggregate(
        self, query: TemporalQuery, methods: Sequence[Method], period_s: int
    ) -> Sequence[Aggregate]:
        statement, layout = queries.aggregate(query, methods, period_s)
        rows = _lines(_AGGREGATES, await self._ask(statement, statement.settings))
        return list(aggregates(rows, layout, query, methods, period_s * 1_000_000))

    async def trend(
        self,
        reach: Reach,
        type: str,
        attribute: str,
        method: Literal["sum", "avg", "min", "max"],
        start: int,
        end: int,
        period_s: int,
    ) -> Sequence[TrendStep]:
        """Returns a numeric attribute of all entities of a type over time, ordered by time, in one query."""
        found = await self._ask(queries.trend(reach, type, attribute, method, (start, end), period_s))
        period = period_s * 1_000_000
        return [
            TrendStep(start + bucket * period, entities, value)
            for bucket, entities, value in _lines(_TRENDS, found)
        ]

    async def summary(
        self,
        reach: Reach,
        type: str,
        attribute: str,
        method: Method,
        start: int,
        end: int,
        period_s: int,
        digits: int,
    ) -> Sequence[DivisionStep]:
        """Returns a numeric attribute over all values of a type by division code cut to ``digits``."""
        found = await self._ask(
            queries.summary(reach, type, attribute, method, (start, end), period_s, digits)
        )
        period = period_s * 1_000_000 or end - start
        return [
            DivisionStep(division, first := start + bucket * period, min(first + period, end), values, value)
            for division, bucket, values, value in _lines(_SUMMARIES, found)
        ]

    async def count(self, tenant: str | None = None) -> int:
        """Returns how many values are kept of a tenant (None: of all)."""
        return _COUNTS.decode(await self._ask(queries.count(tenant)))[0]

    async def delete(
        self,
        tenant: str,
        entity: str | None,
        attribute: str = "",
        instances: Sequence[str] = (),
        dataset_id: str | None = None,
    ) -> None:
        """Deletes the history of a tenant, an entity, an attribute, or instances; gone on return."""
        removal = queries.removal(tenant, entity, attribute, instances, dataset_id)
        await self._ask(removal, {"lightweight_deletes_sync": "2"})

    async def close(self) -> None:
        """Closes the connections."""
        await self._together.close()
        await self._wire.close()

    async def _ask(self, statement: Statement, settings: dict[str, str] | None = None) -> bytes:
        await self._prepare()
        return await self._wire.ask(statement, settings)

    async def _prepare(self) -> None:
        if self._prepared:
            return
        async with self._preparing:
            if not self._prepared:
                await self._make_tables()
                self._prepared = True

    async def _make_tables(self) -> None:
        quoted = self._wire.database.replace("`", "``")
        await self._wire.ask(Statement(f"CREATE DATABASE IF NOT EXISTS `{quoted}`"), database="default")
        for ddl in (schema.MARK, schema.POINTS):
            await self._wire.ask(Statement(ddl))
        found = await self._wire.ask(Statement(schema.LATEST))
        version = _COUNTS.decode(found)[0]
        if version > schema.VERSION:
            raise Broken("history.newer", folder=self._wire.url, made_by=version, installed=schema.VERSION)
        if version < schema.VERSION:
            for ddl in schema.HOURS if version else ():
                await self._wire.ask(Statement(ddl))
            await self._ease_inserts()
            mark = Statement()
            since = mark.moment("since", now_us())
            mark.sql = f"INSERT INTO {schema.VERSIONS} SELECT {schema.VERSION}, toDateTime({since})"
            await self._wire.ask(mark)

    async def _ease_inserts(self) -> None:
        for setting in schema.EASE:
            try:
                await self._wire.ask(Statement(setting))
            except Broken as error:
                if error.facts.get("code") != _UNKNOWN_SETTING:
                    raise


def _insert_settings(token: str, rows: int) -> dict[str, str]:
    # one block whatever its size: a replay must be cut where the first attempt was
    size = str(max(rows, 1 << 20))
    return {
        "insert_deduplication_token": token,
        "insert_deduplicate": "1",
        "async_insert": "0",
        "max_insert_block_size": size,
        "min_insert_block_size_rows": size,
        "min_insert_block_size_bytes": "0",
        "max_partitions_per_insert_block": "5000",
    }


def _lines(decoder: "msgspec.json.Decoder[_Row]", found: bytes) -> Iterator[_Row]:
    return iter(decoder.decode_lines(found))


def _point(row: _PointRow) -> Point:
    entity, attribute, dataset_id, at, number, text, unit, quality, gateway, instance_id, body = row
    return Point(
        entity=entity,
        attribute=attribute,
        dataset_id=dataset_id,
        at=at,
        value=text if number is None else number,
        unit=unit,
        quality=quality,
        gateway=gateway,
        instance_id=instance_id,
        body=msgspec.json.decode(body) if body else None,
        text=None if number is None else text,
    )

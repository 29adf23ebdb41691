"""The reader of the PostgreSQL engine; the server's own planner picks the indexes."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from dataclasses import replace
from typing import Self

from yunmeng.kernel.model import Order, TypeIs
from yunmeng.kernel.store.state.candidates import Judge
from yunmeng.kernel.store.state.merge import Last, merge
from yunmeng.kernel.store.state.ordering import Ordering
from yunmeng.kernel.store.state.plan import Plan, Sql, every, make_plan, within
from yunmeng.kernel.store.state.port import EntityPage, EntityQuery, Record, Summary
from yunmeng.kernel.store.state.postgresql.server import (
    Connection,
    PostgresqlDialect,
    Row,
    Server,
    fetch,
    text_of,
)
from yunmeng.kernel.store.state.shapes import NAMES, SCOPES, SHAPES, Book, count_types, take_in
from yunmeng.kernel.store.state.summing import TELEMETRY, Group, Part, combine, of_document
from yunmeng.kernel.store.state.telemetry import last_key, split_key
from yunmeng.kernel.trust import Reach

SCAN_MOST = 500
"""Up to so many entities are put to the matcher without wishing for an index."""

_CONNECTIONS_MOST = 4
_CHUNK = 500
_FIND = "SELECT e.entity, e.id, e.shape, d.body FROM entities e JOIN documents d ON d.entity = e.entity WHERE"
_LAST = (
    "SELECT l.key, l.observed_at, l.number, l.text, l.quality, l.unit FROM unnest(?::bigint[]) AS r(entity)"
    " JOIN last l ON l.key BETWEEN r.entity * 1048576 AND r.entity * 1048576 + 1048575 ORDER BY l.key"
)


class PostgresqlReader:
    """Reads the state; any number of processes at once."""

    def __init__(self, server: Server, home: str, scan_most: int = SCAN_MOST) -> None:
        self._server = server
        self._home = home
        self._scan_most = scan_most
        self._dialect = PostgresqlDialect()
        self._book = Book()
        self._version = -1
        self._idle: list[Connection] = []
        self._free = asyncio.Semaphore(_CONNECTIONS_MOST)
        self._wished: set[int] = set()

    @classmethod
    async def connect(cls, url: str, home: str, password: str = "", scan_most: int = SCAN_MOST) -> Self:
        """Opens the store; the first connection checks it."""
        reader = cls(Server(url, password), home, scan_most)
        try:
            async with reader._connection() as connection:
                await reader._server.prepare(connection, make=False)
        except BaseException:
            await reader.close()
            raise
        return reader

    async def get(self, reach: Reach, id: str) -> bytes | None:
        """Returns the document with last values merged in, or None when absent or out of reach."""
        limit = self._limit(
            reach, "e.division", [Sql("e.tenant = ?", (reach.tenant,)), Sql("e.id = ?", (id,))]
        )
        async with self._connection() as connection:
            rows = await fetch(connection, f"{_FIND} {limit.text}", limit.parameters)
            await self._refresh(connection)
            return (await self._merged(connection, rows))[0] if rows else None

    async def query(self, query: EntityQuery) -> EntityPage:
        """Returns the page of entities that match."""
        if query.order is not None:
            return await self._in_order(query, query.order)
        if query.count and query.after:
            page = await self.query(replace(query, count=False))
            total = await self.query(replace(query, after="", limit=0, offset=0))
            return EntityPage(page.documents, total.count)
        async with self._connection() as connection:
            await self._refresh(connection)
            plan = make_plan(query, self._book, self._home, self._dialect)
            if not plan.shapes:
                return EntityPage((), 0 if query.count else None)
            where = every(self._where(plan))
            page = await self._page(connection, plan, query, where)
        await self._note_wishes(plan)
        return page

    async def _in_order(self, query: EntityQuery, order: Order) -> EntityPage:
        ordering = Ordering(query, order)
        while ordering.chunk is not None:
            ordering.take((await self.query(ordering.chunk)).documents)
        return ordering.page()

    async def types(self, reach: Reach) -> Mapping[str, int]:
        """Returns how many entities of each type there are."""
        async with self._connection() as connection:
            await self._refresh(connection)
            limit = self._shapes_limit(reach, self._book.of_tenant(reach.tenant), "c")
            sql = f"SELECT c.shape, sum(c.entities)::bigint FROM counts c WHERE {limit.text} GROUP BY 1"  # noqa: S608 -- own pieces
            counts = await fetch(connection, sql, limit.parameters)
        return count_types(self._book, {shape: count for shape, count in counts if count})

    async def last(self, reach: Reach, entity: str, attribute: str) -> tuple[int, float | str | None] | None:
        """Returns the last telemetry value as (observed_at in µs, value)."""
        limit = self._limit(
            reach, "e.division", [Sql("e.tenant = ?", (reach.tenant,)), Sql("e.id = ?", (entity,))]
        )
        async with self._connection() as connection:
            await self._refresh(connection)
            sql = f"SELECT e.entity FROM entities e WHERE {limit.text}"  # noqa: S608 -- own pieces
            rows = await fetch(connection, sql, limit.parameters)
            number = self._book.names.get(attribute)
            if not rows or number is None:
                return None
            sql = "SELECT observed_at, number, text FROM last WHERE key = ?"
            found = await fetch(connection, sql, (last_key(rows[0][0], number),))
        if not found:
            return None
        at, value, text = found[0]
        return at, value if value is not None else text_of(text)

    async def summary(
        self, reach: Reach, type: str, attribute: str, method: Summary, digits: int = 6
    ) -> Mapping[str, Group]:
        """Returns (entities, value) of a numeric attribute by division code cut to ``digits``."""
        async with self._connection() as connection:
            await self._refresh(connection)
            shapes = self._book.of_tenant(reach.tenant) & self._book.of_types(TypeIs(type))
            if not attribute:
                limit = self._shapes_limit(reach, shapes, "c")
                sql = f"SELECT left(c.division, {int(digits)}), sum(c.entities)::bigint FROM counts c WHERE {limit.text} GROUP BY 1"  # noqa: S608, E501
                rows = await fetch(connection, sql, limit.parameters)
                return {division: (count, float(count)) for division, count in sorted(rows) if count}
            return combine(
                [p async for p in self._parts(connection, reach, shapes, attribute, digits)], method
            )

    async def record(self, kind: str, tenant: str, id: str) -> Record | None:
        """Returns one record."""
        async with self._connection() as connection:
            sql = "SELECT body, modified_at FROM records WHERE kind = ? AND tenant = ? AND id = ?"
            rows = await fetch(connection, sql, (kind, tenant, id))
        return Record(kind, tenant, id, *rows[0]) if rows else None

    async def records(self, kind: str, tenant: str | None = None) -> Sequence[Record]:
        """Returns the records of a kind, ordered by id."""
        sql = (
            "SELECT tenant, id, body, modified_at FROM records"
            " WHERE kind = ? AND (?::text IS NULL OR tenant = ?)"
        )
        async with self._connection() as connection:
            rows = await fetch(connection, f"{sql} ORDER BY id, tenant", (kind, tenant, tenant))
        return [Record(kind, *row) for row in rows]

    async def close(self) -> None:
        """Closes the connections."""
        for connection in self._idle:
            await connection.close()
        self._idle.clear()

    @contextlib.asynccontextmanager
    async def _connection(self) -> AsyncGenerator[Connection, None]:
        """Lends a connection inside one transaction; one that breaks is thrown away."""
        async with self._free:
            connection = self._idle.pop() if self._idle else await self._server.connect(snapshots=True)
            try:
                with self._server.explained():
                    async with connection.transaction():
                        yield connection
            finally:
                if connection.broken or connection.closed:
                    await connection.close()
                else:
                    self._idle.append(connection)

    async def _refresh(self, connection: Connection) -> None:
        rows = await fetch(connection, "SELECT value FROM counters WHERE name = 'book'")
        if rows and rows[0][0] != self._version:
            await read_book(connection, self._book)
            self._version = rows[0][0]

    def _limit(self, reach: Reach, column: str, parts: list[Sql]) -> Sql:
        limit = within(column, reach, self._home)
        return every(parts if limit is None else [*parts, limit])

    def _shapes_limit(self, reach: Reach, shapes: frozenset[int], table: str) -> Sql:
        return self._limit(
            reach, f"{table}.division", [self._dialect.among(f"{table}.shape", sorted(shapes))]
        )

    def _where(self, plan: Plan) -> list[Sql]:
        rows = [Sql(f"e.entity IN ({rows.text})", rows.parameters) for rows in plan.rows]
        shapes = [self._dialect.among("e.shape", sorted(plan.shapes))] if plan.narrow else []
        return [*plan.where, *shapes, *rows, *plan.rest]

    async def _page(self, connection: Connection, plan: Plan, query: EntityQuery, where: Sql) -> EntityPage:
        if not plan.is_exact:
            return await self._ask_each(connection, plan, query, where)
        sql = f"{_FIND} {where.text} ORDER BY e.id LIMIT ? OFFSET ?"
        rows = await fetch(connection, sql, (*where.parameters, max(query.limit, 0), query.offset))
        count = None
        if query.count:
            sql = f"SELECT count(*) FROM entities e WHERE {where.text}"  # noqa: S608 -- own pieces
            count = int((await fetch(connection, sql, where.parameters))[0][0])
        return EntityPage(await self._merged(connection, rows), count)

    async def _ask_each(
        self, connection: Connection, plan: Plan, query: EntityQuery, where: Sql
    ) -> EntityPage:
        documents: list[bytes] = []
        judge, found = Judge(plan, query), 0
        async for body in self._candidates(connection, plan, where):
            if not judge.accepts(body):
                continue
            if query.offset <= found < query.offset + query.limit:
                documents.append(body)
            found += 1
            if found >= query.offset + query.limit and not query.count:
                break
        return EntityPage(documents, found if query.count else None)

    async def _candidates(self, connection: Connection, plan: Plan, where: Sql) -> AsyncIterator[bytes]:
        after = ""
        while True:
            sql = f"{_FIND} {where.text} AND e.id > ? ORDER BY e.id LIMIT ?"
            rows = await fetch(connection, sql, (*where.parameters, after, _CHUNK))
            chosen = [row for row in rows if plan.admits(row[1], row[2])]
            for body in await self._merged(connection, chosen):
                yield body
            if len(rows) < _CHUNK:
                return
            after = rows[-1][1]

    async def _merged(self, connection: Connection, rows: Sequence[Row]) -> list[bytes]:
        """Returns the documents of (entity, id, shape, body) with their last values."""
        shapes = self._book.shapes
        measured = [row[0] for row in rows if shapes[row[2]].last]
        values: dict[int, list[Last]] = {}
        if measured:
            for row in await fetch(connection, _LAST, (measured,)):
                entity, attribute = split_key(row[0])
                last = Last(self._book.uris[attribute], row[1], row[2], text_of(row[3]), row[4], row[5])
                values.setdefault(entity, []).append(last)
        return [
            merge(
                body, values.get(entity, ()), overlap=not shapes[shape].last.isdisjoint(shapes[shape].stored)
            )
            for entity, _, shape, body in rows
        ]

    async def _parts(
        self, connection: Connection, reach: Reach, shapes: frozenset[int], attribute: str, digits: int
    ) -> AsyncIterator[Part]:
        number, book = self._book.names.get(attribute, 0), self._book
        stored = frozenset(n for n in shapes if number in book.shapes[n].stored)
        limit = self._shapes_limit(reach, shapes - stored, "e")
        sql = f"SELECT left(e.division, {int(digits)}), {TELEMETRY}{limit.text} GROUP BY 1"
        for row in await fetch(connection, sql, (number, *limit.parameters)):
            yield Part(*row)
        limit = self._shapes_limit(reach, stored, "e")
        sql = _FIND.replace("e.id,", f"left(e.division, {int(digits)}),")
        rows = await fetch(connection, f"{sql} {limit.text}", limit.parameters)
        for row, body in zip(rows, await self._merged(connection, rows), strict=True):
            part = of_document(row[1], body, attribute)
            if part is not None:
                yield part

    async def _note_wishes(self, plan: Plan) -> None:
        fresh = plan.wished - self._wished
        if not fresh:
            return
        connection = await self._server.connect(snapshots=False)
        with self._server.explained():
            sql = "SELECT coalesce(sum(entities), 0)::bigint FROM counts WHERE shape = ANY(?::bigint[])"
            rows = await fetch(connection, sql, (sorted(plan.shapes),))
            if rows[0][0] > self._scan_most:
                self._wished |= fresh
                sql = "INSERT INTO wanted SELECT unnest(?::bigint[]) ON CONFLICT DO NOTHING"
                await fetch(connection, sql, (sorted(fresh),))
            await connection.close()


async def read_book(connection: Connection, book: Book) -> None:
    """Brings the dictionaries up to date; what they hold already stays."""
    newest = max(book.shapes, default=0)
    names, scopes = await fetch(connection, NAMES), await fetch(connection, SCOPES)
    take_in(book, names, await fetch(connection, SHAPES, (newest,)), scopes)

"""The one writer of the PostgreSQL engine; an advisory lock keeps a second one out."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from typing import Self, TypeVar

from yunmeng.kernel.base import Unavailable
from yunmeng.kernel.store.state.ledger import Changes, Ledger
from yunmeng.kernel.store.state.port import Commit, EntityPut, OutboxItem
from yunmeng.kernel.store.state.postgresql.last import LastValues
from yunmeng.kernel.store.state.postgresql.reader import SCAN_MOST, PostgresqlReader, read_book
from yunmeng.kernel.store.state.postgresql.server import Connection, Server, fetch
from yunmeng.kernel.store.state.postgresql.tables import Tables
from yunmeng.kernel.store.state.shapes import INDEXED, Book

T = TypeVar("T")

_FILL_ROWS = 2_000
_TEND_S = 0.5


class PostgresqlWriter(PostgresqlReader):
    """Writes the state, and reads it as it was last committed."""

    def __init__(self, server: Server, home: str, scan_most: int = SCAN_MOST) -> None:
        super().__init__(server, home, scan_most)
        self._writing: Connection | None = None
        self._turn = asyncio.Lock()
        self._filling: set[int] = set()
        self._ledger = Ledger(Book(), 1)
        self._tending: asyncio.Task[None] | None = None

    @classmethod
    async def connect(cls, url: str, home: str, password: str = "", scan_most: int = SCAN_MOST) -> Self:
        """Opens the store, making its tables when the database has none."""
        writer = cls(Server(url, password), home, scan_most)
        await writer._open()
        writer._tending = asyncio.create_task(writer._tend())
        return writer

    async def documents(self, tenant: str, ids: Iterable[str]) -> Mapping[str, bytes]:
        """Returns stored documents as they are (no last values), for read-modify-write."""
        sql = (
            "SELECT e.id, d.body FROM entities e JOIN documents d ON d.entity = e.entity"
            " WHERE e.tenant = ? AND e.id = ANY(?::text[])"
        )
        async with self._connection() as connection:
            return {row[0]: row[1] for row in await fetch(connection, sql, (tenant, list(ids)))}

    async def known(self, tenant: str, ids: Sequence[str]) -> set[str]:
        """Returns which of the ids exist."""
        sql = "SELECT id FROM entities WHERE tenant = ? AND id = ANY(?::text[])"
        async with self._connection() as connection:
            return {row[0] for row in await fetch(connection, sql, (tenant, list(ids)))}

    async def record_sizes(self, kind: str) -> Mapping[tuple[str, str], int]:
        """Returns the bytes of the records of a kind by tenant and id, oldest first."""
        sql = (
            "SELECT tenant, id, octet_length(body) FROM records WHERE kind = ?"
            " ORDER BY modified_at, id, tenant"
        )
        async with self._connection() as connection:
            return {(tenant, id): size for tenant, id, size in await fetch(connection, sql, (kind,))}

    async def commit(self, commit: Commit) -> int:
        """Stores all of it durably in one transaction and returns the highest outbox number.

        Removals come before puts, so that both of one entity make it new; then dropped last values, then
        observations.

        Raises:
            Unavailable: ``store.full`` on a full disk; nothing is stored then.
        """
        return await self._write(lambda tables: self._store(tables, commit))

    async def outbox(self, most: int) -> Sequence[OutboxItem]:
        """Returns the oldest items not dropped yet."""
        async with self._connection() as connection:
            sql = "SELECT topic, body, number FROM outbox ORDER BY number LIMIT ?"
            return [OutboxItem(*row) for row in await fetch(connection, sql, (most,))]

    async def position(self, stream: str) -> int:
        """Returns the stream position that the last commit reached (0: none)."""
        async with self._connection() as connection:
            rows = await fetch(connection, "SELECT reached FROM positions WHERE stream = ?", (stream,))
        return rows[0][0] if rows else 0

    async def wish(self, attributes: Iterable[str]) -> None:
        """Has the values of these attributes (URIs) indexed from now on."""
        uris = tuple(attributes)
        await self._write(lambda tables: self._wish_for(tables, uris))

    async def fill(self) -> None:
        """Finishes the indexes that readers have wished for, which otherwise grow in the background."""
        while await self._write(self._fill):
            pass

    async def close(self) -> None:
        """Waits for the commit under way and closes the connections."""
        if self._tending is not None:
            self._tending.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._tending
        async with self._turn:
            if self._writing is not None:
                await self._writing.close()
                self._writing = None
        await super().close()

    async def _open(self) -> Connection:
        connection = await self._server.connect(snapshots=False)
        try:
            with self._server.explained():
                await self._server.lock(connection)
                await self._server.prepare(connection, make=True)
                await self._load(connection)
        except BaseException:
            await connection.close()
            raise
        self._writing = connection
        return connection

    async def _load(self, connection: Connection) -> None:
        """Reads the dictionaries; after a transaction that failed, too."""
        book = Book()
        await read_book(connection, book)
        rows = await fetch(connection, "SELECT attribute FROM names WHERE indexed = 1")
        self._filling = {row[0] for row in rows}
        newest = await fetch(
            connection,
            "SELECT greatest((SELECT max(entity) FROM entities),"
            " (SELECT value FROM counters WHERE name = 'entities'), 0)",
        )
        self._ledger = Ledger(book, newest[0][0] + 1)
        self._ledger.refresh_indexed(self._filling)

    async def _write(self, work: Callable[[Tables], Awaitable[T]]) -> T:
        async with self._turn:
            connection = self._writing
            if connection is None or connection.broken or connection.closed:
                connection = await self._open()
            try:
                with self._server.explained():
                    async with connection.transaction():
                        done = await work(Tables(connection))
            except BaseException:
                if not (connection.broken or connection.closed):
                    await self._load(connection)
                raise
            self._ledger.settle()
            return done

    async def _store(self, tables: Tables, commit: Commit) -> int:
        await self._remove(tables, commit)
        await self._put(tables, commit.puts)
        last = LastValues(tables)
        if commit.drop_last:
            await last.drop(commit.drop_last, self._ledger)
        if commit.observations:
            await last.store(commit.observations, self._ledger, self._filling | self._ledger.book.indexed)
        await tables.save(self._ledger)
        await self._store_records(tables, commit)
        return await self._store_outbox(tables, commit)

    async def _remove(self, tables: Tables, commit: Commit) -> None:
        changes = Changes()
        by_tenant: dict[str, set[str]] = {}
        for removal in commit.removals:
            by_tenant.setdefault(removal.tenant, set()).add(removal.id)
        for tenant, ids in by_tenant.items():
            for kept in (await tables.kept(tenant, sorted(ids))).values():
                self._ledger.remove(changes, kept)
        if changes.gone:
            # a row is never given out twice: a reader may still hold its number
            await tables.set_counter("entities", self._ledger.highest)
            await tables.apply(changes)

    async def _put(self, tables: Tables, puts: Sequence[EntityPut]) -> None:
        changes = Changes()
        by_tenant: dict[str, dict[str, EntityPut]] = {}
        for put in puts:
            by_tenant.setdefault(put.tenant, {})[put.id] = put
        for tenant, group in by_tenant.items():
            kept = await tables.kept(tenant, list(group))
            for put in group.values():
                self._ledger.put(changes, put, kept.get(put.id))
        await tables.apply(changes)

    async def _store_records(self, tables: Tables, commit: Commit) -> None:
        records = {(r.kind, r.tenant, r.id): (r.modified_at, r.body) for r in commit.records}
        sql = (
            "INSERT INTO records SELECT * FROM {rows} ON CONFLICT(kind, tenant, id) DO UPDATE SET"
            " modified_at = excluded.modified_at, body = excluded.body"
        )
        await tables.many(sql, "text text text bigint bytea", [(*key, *row) for key, row in records.items()])
        sql = (
            "DELETE FROM records t USING {rows} AS r(a, b, c)"
            " WHERE t.kind = r.a AND t.tenant = r.b AND t.id = r.c"
        )
        await tables.many(sql, "text text text", commit.drop_records)

    async def _store_outbox(self, tables: Tables, commit: Commit) -> int:
        highest = await tables.counter("outbox")
        rows = [(highest + place, item.topic, item.body) for place, item in enumerate(commit.outbox, 1)]
        await tables.many("INSERT INTO outbox SELECT * FROM {rows}", "bigint text bytea", rows)
        if rows:
            await tables.set_counter("outbox", highest + len(rows))
        if commit.emitted:
            await tables.all("DELETE FROM outbox WHERE number <= ?", commit.emitted)
        sql = (
            "INSERT INTO positions SELECT * FROM {rows}"
            " ON CONFLICT(stream) DO UPDATE SET reached = excluded.reached"
        )
        await tables.many(sql, "text bigint", list(commit.positions.items()))
        return highest + len(rows)

    async def _tend(self) -> None:
        while True:
            await asyncio.sleep(_TEND_S)
            with contextlib.suppress(Unavailable):
                await self._fill_gently()

    async def _fill_gently(self) -> None:
        more = True
        while more:
            more = await self._write(self._fill)
            # commits go first
            await asyncio.sleep(0.01)

    async def _fill(self, tables: Tables) -> bool:
        """Goes one step with the indexes that were wished for; tells whether there is more to do."""
        await self._take_wishes(tables)
        if not self._filling:
            return False
        reached = await tables.counter("filled")
        sql = (
            "SELECT e.entity, d.body FROM entities e JOIN documents d ON d.entity = e.entity"
            " WHERE e.entity > ?"
        )
        rows = await tables.all(f"{sql} ORDER BY e.entity LIMIT ?", reached, _FILL_ROWS)
        if not rows:
            await self._finish_filling(tables)
            return False
        changes = Changes()
        kept = await tables.kept_rows([row[0] for row in rows])
        for entity, body in rows:
            self._ledger.reindex(changes, kept[entity], body)
        await tables.apply(changes)
        await LastValues(tables).reindex(rows[0][0], rows[-1][0], self._filling)
        await tables.set_counter("filled", rows[-1][0])
        return True

    async def _take_wishes(self, tables: Tables) -> None:
        wished = {row[0] for row in await tables.all("SELECT attribute FROM wanted")}
        if not wished:
            return
        await tables.all("DELETE FROM wanted WHERE attribute = ANY(?::bigint[])", sorted(wished))
        await self._begin(tables, {n for n in wished if n in self._ledger.book.uris})

    async def _wish_for(self, tables: Tables, uris: Sequence[str]) -> None:
        numbers = {self._ledger.name(uri) for uri in uris}
        await tables.save(self._ledger)
        await self._begin(tables, numbers)

    async def _begin(self, tables: Tables, wished: set[int]) -> None:
        fresh = wished - self._ledger.book.indexed - self._filling
        if fresh:
            self._filling |= fresh
            self._ledger.refresh_indexed(fresh)
            await tables.all("UPDATE names SET indexed = 1 WHERE attribute = ANY(?::bigint[])", sorted(fresh))
            await tables.set_counter("filled", 0)

    async def _finish_filling(self, tables: Tables) -> None:
        sql = "UPDATE names SET indexed = ? WHERE attribute = ANY(?::bigint[])"
        await tables.all(sql, INDEXED, sorted(self._filling))
        await tables.touch_book()
        self._ledger.book.indexed |= self._filling
        self._filling = set()

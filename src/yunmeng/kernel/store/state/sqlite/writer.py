"""The one writer of the SQLite engine: a commit is one transaction, a large one on a thread of its own."""

import asyncio
import contextlib
import fcntl
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import IO, TypeVar

from yunmeng.kernel.base import Unavailable
from yunmeng.kernel.store.state.ledger import Changes, Ledger
from yunmeng.kernel.store.state.port import Commit, EntityPut, OutboxItem
from yunmeng.kernel.store.state.shapes import Book
from yunmeng.kernel.store.state.sqlite.bodies import unpack_body
from yunmeng.kernel.store.state.sqlite.finder import SCAN_MOST
from yunmeng.kernel.store.state.sqlite.last import LastValues
from yunmeng.kernel.store.state.sqlite.reader import SqliteReader
from yunmeng.kernel.store.state.sqlite.schema import explained, open_for_writing
from yunmeng.kernel.store.state.sqlite.session import read_book
from yunmeng.kernel.store.state.sqlite.tables import Tables

T = TypeVar("T")

_FILL_ROWS = 2_000
_TEND_S = 0.5

# to hand a commit of a few writes to the thread and back takes as long as the commit: two threads of Python
# wait for each other's lock (decision 0017)
_FEW_ENTITIES, _FEW_ROWS = 250, 1_000


class SqliteWriter(SqliteReader):
    """Writes the state, and reads it as it was last committed."""

    def __init__(self, path: Path, home: str, scan_most: int = SCAN_MOST) -> None:
        self._lock = _take_lock(path)
        try:
            self._connection = open_for_writing(path)
            super().__init__(path, home, scan_most)
        except BaseException:
            self._lock.close()
            raise
        self._tables = Tables(self._connection)
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="state-writer")
        self._turn = asyncio.Lock()
        self._load()
        self._tending = asyncio.ensure_future(self._tend())

    def _load(self) -> None:
        """Reads the dictionaries; after a transaction that failed, too."""
        book = Book()
        read_book(self._connection, book)
        rows = self._tables.all("SELECT attribute FROM names WHERE indexed = 1")
        self._filling: set[int] = {row[0] for row in rows}
        newest = self._tables.all("SELECT coalesce(max(entity), 0) FROM entities")[0][0]
        floor = self._tables.all("SELECT coalesce(max(value), 0) FROM counters WHERE name = 'entities'")[0][0]
        self._ledger = Ledger(book, max(newest, floor) + 1)
        self._ledger.refresh_indexed(self._filling)
        self._last_values = LastValues(self._tables)

    async def documents(self, tenant: str, ids: Iterable[str]) -> Mapping[str, bytes]:
        """Returns stored documents as they are (no last values), for read-modify-write."""
        wanted = tuple(ids)
        sql = (
            "SELECT e.id, d.body FROM entities e CROSS JOIN documents d ON d.entity = e.entity"
            " WHERE e.tenant = ?"
        )
        among = self._session.dialect.among_texts("e.id", wanted) if wanted else None
        if among is None:
            return {}
        with explained(self._path):
            rows = self._session.all(f"{sql} AND {among.text}", (tenant, *among.parameters))
            return {id: unpack_body(stored) for id, stored in rows}

    async def known(self, tenant: str, ids: Sequence[str]) -> set[str]:
        """Returns which of the ids exist."""
        if not ids:
            return set()
        among = self._session.dialect.among_texts("e.id", ids)
        with explained(self._path):
            rows = self._session.all(
                f"SELECT e.id FROM entities e WHERE e.tenant = ? AND {among.text}",  # noqa: S608 -- own pieces
                (tenant, *among.parameters),
            )
        return {row[0] for row in rows}

    async def record_sizes(self, kind: str) -> Mapping[tuple[str, str], int]:
        """Returns the bytes of the records of a kind by tenant and id, oldest first."""
        sql = "SELECT tenant, id, length(body) FROM records WHERE kind = ? ORDER BY modified_at, id, tenant"
        with explained(self._path):
            return {(tenant, id): size for tenant, id, size in self._session.all(sql, (kind,))}

    async def commit(self, commit: Commit) -> int:
        """Stores all of it durably in one transaction and returns the highest outbox number.

        Removals come before puts, so that both of one entity make it new; then dropped last values, then
        observations.

        Raises:
            Unavailable: ``store.full`` on a full disk; nothing is stored then.
        """
        if not _small(commit):
            return await self._write(lambda: self._store(commit))
        async with self._turn:
            return self._transact(lambda: self._store(commit))

    async def outbox(self, most: int) -> Sequence[OutboxItem]:
        """Returns the oldest items not dropped yet."""
        with explained(self._path):
            rows = self._session.all(
                "SELECT topic, body, number FROM outbox ORDER BY number LIMIT ?", (most,)
            )
        return [OutboxItem(*row) for row in rows]

    async def position(self, stream: str) -> int:
        """Returns the stream position that the last commit reached (0: none)."""
        with explained(self._path):
            rows = self._session.all("SELECT reached FROM positions WHERE stream = ?", (stream,))
        return rows[0][0] if rows else 0

    async def wish(self, attributes: Iterable[str]) -> None:
        """Has the values of these attributes (URIs) indexed from now on."""
        uris = tuple(attributes)
        await self._write(lambda: self._wish_for(uris))

    async def fill(self) -> None:
        """Finishes the indexes that readers have wished for, which otherwise grow in the background."""
        while await self._write(self._fill):
            pass

    def limit_pages(self, most: int) -> int:
        """Lets the file grow to so many pages of 4 KiB and no further; returns the limit before."""
        before = self._tables.all("PRAGMA max_page_count")[0][0]
        self._tables.all(f"PRAGMA max_page_count={int(most)}")
        return before

    async def close(self) -> None:
        """Waits for the commit under way and closes the engine."""
        self._tending.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._tending
        await asyncio.to_thread(self._thread.shutdown)
        await super().close()
        self._connection.close()
        self._lock.close()

    async def _write(self, work: Callable[[], T]) -> T:
        await self._turn.acquire()
        job = asyncio.get_running_loop().run_in_executor(self._thread, self._transact, work)
        job.add_done_callback(lambda _: self._turn.release())
        # who asked may leave: the connection is free only when the work is done
        return await asyncio.shield(job)

    def _transact(self, work: Callable[[], T]) -> T:
        with explained(self._path):
            return self._settled(work)

    def _settled(self, work: Callable[[], T]) -> T:
        try:
            with self._connection.transaction():
                done = work()
        except BaseException:
            self._load()
            raise
        self._ledger.settle()
        return done

    def _store(self, commit: Commit) -> int:
        self._remove(commit)
        self._put(commit.puts)
        if commit.drop_last:
            self._last_values.drop(commit.drop_last, self._ledger)
        if commit.observations:
            self._last_values.store(
                commit.observations, self._ledger, self._filling | self._ledger.book.indexed
            )
        self._tables.save(self._ledger)
        self._store_records(commit)
        return self._store_outbox(commit)

    def _remove(self, commit: Commit) -> None:
        changes = Changes()
        by_tenant: dict[str, list[str]] = {}
        for removal in commit.removals:
            by_tenant.setdefault(removal.tenant, []).append(removal.id)
            self._last_values.forget(removal.tenant, removal.id)
        for tenant, ids in by_tenant.items():
            for kept in self._tables.kept(tenant, sorted(set(ids))).values():
                self._ledger.remove(changes, kept)
        if changes.gone:
            # a row is never given out twice: a reader may still hold its number
            self._tables.all("INSERT OR REPLACE INTO counters VALUES('entities', ?)", self._ledger.highest)
            self._tables.apply(changes)

    def _put(self, puts: Sequence[EntityPut]) -> None:
        changes = Changes()
        final = {(put.tenant, put.id): put for put in puts}
        by_tenant: dict[str, list[EntityPut]] = {}
        for put in final.values():
            by_tenant.setdefault(put.tenant, []).append(put)
        for tenant, group in by_tenant.items():
            kept = self._tables.kept(tenant, [put.id for put in group])
            for put in group:
                row = self._ledger.put(changes, put, kept.get(put.id))
                self._last_values.note(tenant, put.id, row)
        self._tables.apply(changes)

    def _store_records(self, commit: Commit) -> None:
        self._tables.many(
            "INSERT OR REPLACE INTO records VALUES(?, ?, ?, ?, ?)",
            [(r.kind, r.tenant, r.id, r.modified_at, r.body) for r in commit.records],
        )
        self._tables.many("DELETE FROM records WHERE kind = ? AND tenant = ? AND id = ?", commit.drop_records)

    def _store_outbox(self, commit: Commit) -> int:
        self._tables.many(
            "INSERT INTO outbox(topic, body) VALUES(?, ?)",
            [(item.topic, item.body) for item in commit.outbox],
        )
        if commit.emitted:
            self._tables.all("DELETE FROM outbox WHERE number <= ?", commit.emitted)
        self._tables.many("INSERT OR REPLACE INTO positions VALUES(?, ?)", commit.positions.items())
        rows = self._tables.all("SELECT seq FROM sqlite_sequence WHERE name = 'outbox'")
        return rows[0][0] if rows else 0

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

    def _fill(self) -> bool:
        """Goes one step with the indexes that were wished for; tells whether there is more to do."""
        self._take_wishes()
        if not self._filling:
            return False
        (reached,) = self._tables.all("SELECT coalesce(max(value), 0) FROM counters WHERE name = 'filled'")[0]
        rows = self._tables.all(
            "SELECT entity FROM entities WHERE entity > ? ORDER BY entity LIMIT ?", reached, _FILL_ROWS
        )
        if not rows:
            self._finish_filling()
            return False
        self._fill_rows([row[0] for row in rows])
        self._tables.all("INSERT OR REPLACE INTO counters VALUES('filled', ?)", rows[-1][0])
        return True

    def _take_wishes(self) -> None:
        if not self._wanted.is_dir():
            return
        wished = {int(file.name) for file in self._wanted.iterdir() if file.name.isdecimal()}
        self._begin({n for n in wished if n in self._ledger.book.uris})

    def _wish_for(self, uris: Sequence[str]) -> None:
        numbers = {self._ledger.name(uri) for uri in uris}
        self._tables.save(self._ledger)
        self._begin(numbers)

    def _begin(self, wished: set[int]) -> None:
        fresh = wished - self._ledger.book.indexed - self._filling
        if fresh:
            self._filling |= fresh
            self._ledger.refresh_indexed(fresh)
            self._tables.many(
                "UPDATE names SET indexed = 1 WHERE attribute = ?", [(n,) for n in sorted(fresh)]
            )
            self._tables.all("INSERT OR REPLACE INTO counters VALUES('filled', 0)")

    def _fill_rows(self, entities: Sequence[int]) -> None:
        changes = Changes()
        shapes = self._ledger.book.shapes
        for row, kept in self._tables.kept_rows(entities).items():
            if not self._filling.isdisjoint(shapes[kept.shape].stored):
                (stored,) = self._tables.all("SELECT body FROM documents WHERE entity = ?", row)[0]
                self._ledger.reindex(changes, kept, unpack_body(stored))
        self._tables.apply(changes)
        self._last_values.reindex(entities[0], entities[-1], self._filling)

    def _finish_filling(self) -> None:
        done = [(number,) for number in sorted(self._filling)]
        self._tables.many("UPDATE names SET indexed = 2 WHERE attribute = ?", done)
        self._tables.touch_book()
        for number in self._filling:
            self._ledger.book.indexed.add(number)
            (self._wanted / str(number)).unlink(missing_ok=True)
        self._filling = set[int]()


def _small(commit: Commit) -> bool:
    rows = sum(len(batch) for batch in commit.observations)
    entities = len(commit.puts) + len(commit.removals) + len(commit.records)
    return entities <= _FEW_ENTITIES and rows <= _FEW_ROWS


def _take_lock(path: Path) -> IO[bytes]:
    path.parent.mkdir(parents=True, exist_ok=True)
    lock = path.with_suffix(".lock").open("ab")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as cause:
        lock.close()
        raise Unavailable("store.busy", path=path) from cause
    return lock

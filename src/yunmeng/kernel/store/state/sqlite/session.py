"""One read-only connection: snapshots, the dictionaries kept in memory, documents with their last values."""

from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path

from yunmeng.kernel.store.state.facets import Box
from yunmeng.kernel.store.state.merge import Last, merge
from yunmeng.kernel.store.state.plan import Sql, within
from yunmeng.kernel.store.state.port import Record
from yunmeng.kernel.store.state.shapes import NAMES, SCOPES, SHAPES, Book, Shape, count_types, take_in
from yunmeng.kernel.store.state.sqlite.bodies import unpack_body
from yunmeng.kernel.store.state.sqlite.connection import Connection, Row, whole_numbers
from yunmeng.kernel.store.state.sqlite.connection import texts as as_array
from yunmeng.kernel.store.state.sqlite.schema import explained, open_for_reading
from yunmeng.kernel.store.state.telemetry import last_key, last_keys
from yunmeng.kernel.trust import Reach

# pages and maps ask for the same entities again and again; an entity takes about 3 kB here
unpacked = lru_cache(maxsize=2048)(unpack_body)

_GET = (
    "SELECT e.entity, e.shape, d.body FROM entities e CROSS JOIN documents d ON d.entity = e.entity"
    " WHERE e.tenant = ? AND e.id = ?"
)
_LAST = "SELECT key, observed_at, number, text, quality, unit FROM last WHERE key BETWEEN ? AND ?"


class SqliteDialect:
    """How SQLite asks for one of many: an array bound to the statement, so that its text stays the same."""

    def among(self, column: str, numbers: Sequence[int]) -> Sql:
        """Returns ``column`` is one of many whole numbers."""
        if len(numbers) <= 8:
            return Sql(f"{column} IN ({', '.join(map(str, numbers))})")
        return Sql(f"{column} IN (SELECT value FROM carray(?))", (whole_numbers(numbers),))  # noqa: S608 -- own pieces

    def among_texts(self, column: str, texts: Sequence[str]) -> Sql:
        """Returns ``column`` is one of many texts."""
        return Sql(f"{column} IN (SELECT value FROM carray(?))", (as_array(texts),))  # noqa: S608 -- own pieces

    def in_box(self, box: Box) -> Sql:
        """Returns a select of the entities with a geometry whose box meets ``box``."""
        west, south, east, north = box
        return Sql(
            "SELECT key / 16 AS entity FROM boxes"
            " WHERE west <= ? AND east >= ? AND south <= ? AND north >= ?",
            (east, west, north, south),
        )


def read_book(connection: Connection, book: Book) -> None:
    """Brings the dictionaries up to date; what they hold already stays."""
    newest = max(book.shapes, default=0)
    take_in(book, connection.all(NAMES), connection.all(SHAPES, (newest,)), connection.all(SCOPES))


class Session:
    """Reads on one connection; not for two threads at once."""

    def __init__(self, path: Path, home: str) -> None:
        self.path = path
        self.home = home
        self.book = Book()
        self.dialect = SqliteDialect()
        self._connection = open_for_reading(path)
        self._version = -1
        self._reaches: dict[Reach, Sql] = {}

    def all(self, sql: str, parameters: Sequence[object] = ()) -> list[Row]:
        """Returns all rows of a statement."""
        return self._connection.all(sql, parameters)

    def each(self, sql: Sql) -> Iterator[Row]:
        """Yields rows as they are found."""
        return self._connection.each(sql.text, sql.parameters)

    def number(self, sql: Sql) -> int:
        """Returns the one number that a statement finds, 0 for none."""
        rows = self.all(sql.text, sql.parameters)
        return int(rows[0][0] or 0) if rows else 0

    @contextmanager
    def snapshot(self) -> Generator[Book, None, None]:
        """Holds one state of the store, with the dictionaries that belong to it."""
        with explained(self.path):
            self._connection.all("BEGIN")
            try:
                self._refresh()
                yield self.book
            finally:
                self._connection.all("COMMIT")

    def get(self, reach: Reach, id: str) -> bytes | None:
        """Returns a document with its last values, or None when absent or out of reach."""
        limit = self._within(reach)
        with explained(self.path):
            rows = self.all(_GET + limit.text, (reach.tenant, id, *limit.parameters))
            if not rows:
                return None
            entity, shape, stored = rows[0]
            return self.merged(entity, shape, unpacked(stored))

    def merged(self, entity: int, shape: int, body: bytes | None = None) -> bytes:
        """Returns an entity's document with its last values."""
        if body is None:
            body = self.body(entity)
        known = self.shape(shape)
        if not known.last:
            return body
        return merge(body, self._last_of(entity), overlap=not known.last.isdisjoint(known.stored))

    def body(self, entity: int) -> bytes:
        """Returns an entity's document as it is stored."""
        return unpacked(self.all("SELECT body FROM documents WHERE entity = ?", (entity,))[0][0])

    def shape(self, number: int) -> Shape:
        """Returns a shape; one that was made since is read first."""
        if number not in self.book.shapes:
            self._refresh()
        return self.book.shapes[number]

    def last(self, reach: Reach, entity: str, attribute: str) -> tuple[int, float | str | None] | None:
        """Returns the last telemetry value of a series."""
        limit = self._within(reach)
        with explained(self.path):
            if attribute not in self.book.names:
                self._refresh()
            rows = self.all(
                "SELECT e.entity FROM entities e WHERE e.tenant = ? AND e.id = ?" + limit.text,  # noqa: S608 -- own pieces
                (reach.tenant, entity, *limit.parameters),
            )
            if not rows or attribute not in self.book.names:
                return None
            key = last_key(rows[0][0], self.book.names[attribute])
            found = self.all("SELECT observed_at, number, text FROM last WHERE key = ?", (key,))
        return None if not found else (found[0][0], found[0][1] if found[0][1] is not None else found[0][2])

    def types(self, reach: Reach) -> Mapping[str, int]:
        """Returns how many entities of each type there are."""
        with self.snapshot() as book:
            return count_types(book, self.counts(reach, book.of_tenant(reach.tenant)))

    def counts(self, reach: Reach, shapes: frozenset[int]) -> dict[int, int]:
        """Returns how many entities of each shape lie within a reach."""
        limit = within("c.division", reach, self.home)
        among = self.dialect.among("c.shape", sorted(shapes))
        parts = [among] if limit is None else [among, limit]
        sql = " AND ".join(part.text for part in parts)
        rows = self.all(
            f"SELECT c.shape, sum(c.entities) FROM counts c WHERE {sql} GROUP BY 1",  # noqa: S608 -- own pieces
            [p for part in parts for p in part.parameters],
        )
        return {shape: count for shape, count in rows if count}

    def record(self, kind: str, tenant: str, id: str) -> Record | None:
        """Returns one record."""
        with explained(self.path):
            rows = self.all(
                "SELECT body, modified_at FROM records WHERE kind = ? AND tenant = ? AND id = ?",
                (kind, tenant, id),
            )
        return Record(kind, tenant, id, rows[0][0], rows[0][1]) if rows else None

    def records(self, kind: str, tenant: str | None) -> list[Record]:
        """Returns the records of a kind, ordered by id."""
        limit, parameters = ("", (kind,)) if tenant is None else (" AND tenant = ?", (kind, tenant))
        with explained(self.path):
            rows = self.all(
                f"SELECT tenant, id, body, modified_at FROM records WHERE kind = ?{limit}"  # noqa: S608 -- own pieces
                " ORDER BY id, tenant",
                parameters,
            )
        return [Record(kind, *row) for row in rows]

    def close(self) -> None:
        """Closes the connection."""
        self._connection.close()

    def _last_of(self, entity: int) -> list[Last]:
        rows = self.all(_LAST, last_keys(entity))
        mask = (1 << 20) - 1
        if any(row[0] & mask not in self.book.uris for row in rows):
            self._refresh()
        return [Last(self.book.uris[row[0] & mask], *row[1:]) for row in rows]

    def _within(self, reach: Reach) -> Sql:
        found = self._reaches.get(reach)
        if found is None:
            limit = within("e.division", reach, self.home)
            found = Sql("") if limit is None else Sql(f" AND {limit.text}", limit.parameters)
            if len(self._reaches) >= 1024:
                self._reaches.clear()
            self._reaches[reach] = found
        return found

    def _refresh(self) -> None:
        version = self.number(Sql("SELECT value FROM counters WHERE name = 'book'"))
        if version != self._version:
            read_book(self._connection, self.book)
            self._version = version

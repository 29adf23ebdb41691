"""Connections to the server, its tables, and its errors as ones that a person can act on."""

from collections.abc import Generator, Sequence
from contextlib import contextmanager
from typing import Any, LiteralString, cast

import psycopg
from psycopg import AsyncConnection
from psycopg.conninfo import conninfo_to_dict

from yunmeng.kernel.base import Broken, Unavailable
from yunmeng.kernel.store.state.facets import Box
from yunmeng.kernel.store.state.plan import Sql

VERSION = 1
"""Of the tables below; a store of a newer one is refused."""

WRITER_LOCK = 0x594D5354

Connection = AsyncConnection[tuple[Any, ...]]
Row = tuple[Any, ...]

_TABLES = """
CREATE TABLE yunmeng_state(version int NOT NULL);
CREATE TABLE names(attribute bigint PRIMARY KEY, uri text NOT NULL, indexed int NOT NULL DEFAULT 0);
CREATE TABLE shapes(shape bigint PRIMARY KEY, tenant text NOT NULL, types text NOT NULL, stored text NOT NULL,
    last text NOT NULL);
CREATE TABLE scopes(scope bigint PRIMARY KEY, paths text NOT NULL);
CREATE TABLE counts(shape bigint, division text COLLATE "C", entities bigint NOT NULL,
    PRIMARY KEY(shape, division));
CREATE TABLE entities(entity bigint PRIMARY KEY, tenant text COLLATE "C" NOT NULL,
    id text COLLATE "C" NOT NULL, division text COLLATE "C" NOT NULL, shape bigint NOT NULL,
    scope bigint NOT NULL, facets bytea NOT NULL);
CREATE UNIQUE INDEX entities_by_id ON entities(tenant, id);
CREATE INDEX entities_by_shape ON entities(shape, id, division);
CREATE INDEX entities_by_division ON entities(division);
CREATE INDEX entities_by_scope ON entities(scope) WHERE scope <> 0;
CREATE TABLE documents(entity bigint PRIMARY KEY, body bytea NOT NULL);
CREATE TABLE numbers(attribute bigint, value float8, entity bigint, PRIMARY KEY(attribute, value, entity));
CREATE TABLE texts(attribute bigint, value text COLLATE "C", entity bigint,
    PRIMARY KEY(attribute, value, entity));
CREATE TABLE boxes(key bigint PRIMARY KEY, area box NOT NULL);
CREATE INDEX boxes_by_area ON boxes USING gist(area);
CREATE TABLE last(key bigint PRIMARY KEY, observed_at bigint NOT NULL, number float8, text bytea,
    quality smallint NOT NULL, unit text NOT NULL);
CREATE TABLE bands(attribute bigint, band bigint, entity bigint, PRIMARY KEY(attribute, band, entity));
CREATE TABLE last_texts(attribute bigint, value text COLLATE "C", entity bigint,
    PRIMARY KEY(attribute, value, entity));
CREATE TABLE records(kind text, tenant text COLLATE "C", id text COLLATE "C", modified_at bigint NOT NULL,
    body bytea NOT NULL, PRIMARY KEY(kind, tenant, id));
CREATE TABLE outbox(number bigint PRIMARY KEY, topic text NOT NULL, body bytea NOT NULL);
CREATE TABLE positions(stream text PRIMARY KEY, reached bigint NOT NULL);
CREATE TABLE counters(name text PRIMARY KEY, value bigint NOT NULL);
CREATE TABLE wanted(attribute bigint PRIMARY KEY);
"""


class PostgresqlDialect:
    """How PostgreSQL asks for one of many: an array parameter."""

    def among(self, column: str, numbers: Sequence[int]) -> Sql:
        """Returns ``column`` is one of many whole numbers."""
        return Sql(f"{column} = ANY(?::bigint[])", (list(numbers),))

    def among_texts(self, column: str, texts: Sequence[str]) -> Sql:
        """Returns ``column`` is one of many texts."""
        return Sql(f"{column} = ANY(?::text[])", (list(texts),))

    def in_box(self, box: Box) -> Sql:
        """Returns a select of the entities with a geometry whose box meets ``box``."""
        return Sql("SELECT key / 16 AS entity FROM boxes WHERE area && box(point(?, ?), point(?, ?))", box)


class Server:
    """One database: makes connections, names itself in errors without its password."""

    def __init__(self, url: str, password: str = "") -> None:
        self._url = url
        self._password = password
        self.place = _place(url)

    async def connect(self, *, snapshots: bool) -> Connection:
        """Opens a connection; ``snapshots`` gives every transaction one unchanging view, for reading."""
        extra = {"password": self._password} if self._password else {}
        with self.explained():
            connection = await AsyncConnection.connect(
                self._url, autocommit=not snapshots, **cast("Any", extra)
            )
            if snapshots:
                await connection.set_isolation_level(psycopg.IsolationLevel.REPEATABLE_READ)
                await connection.set_read_only(True)
        return connection

    async def prepare(self, connection: Connection, *, make: bool) -> None:
        """Checks the tables' version, or makes the tables.

        Raises:
            Unavailable: ``store.absent`` when there are none and none may be made.
            Broken: ``store.newer``.
        """
        found = await fetch(connection, "SELECT to_regclass('yunmeng_state') IS NOT NULL")
        if not found[0][0]:
            if not make:
                raise Unavailable("store.absent", path=self.place)
            async with connection.transaction():
                await connection.execute(_TABLES)
                await connection.execute("INSERT INTO yunmeng_state VALUES(%s)", (VERSION,))
        versions = await fetch(connection, "SELECT version FROM yunmeng_state")
        if not versions:
            # the catalogue shows tables that were made after this connection's snapshot
            raise Unavailable("store.absent", path=self.place)
        if versions[0][0] > VERSION:
            raise Broken("store.newer", path=self.place, found=versions[0][0], known=VERSION)

    async def lock(self, connection: Connection) -> None:
        """Takes the writer's lock, which goes when its connection does.

        Raises:
            Unavailable: ``store.busy`` when another writer has it.
        """
        if not (await fetch(connection, "SELECT pg_try_advisory_lock(?)", (WRITER_LOCK,)))[0][0]:
            raise Unavailable("store.busy", path=self.place)

    @contextmanager
    def explained(self) -> Generator[None, None, None]:
        """Turns the server's errors into those that a person can act on."""
        try:
            yield
        except psycopg.errors.DiskFull as cause:
            raise Unavailable("store.full", path=self.place) from cause
        except (psycopg.errors.DataCorrupted, psycopg.errors.IndexCorrupted) as cause:
            raise Broken("store.corrupt", path=self.place) from cause
        except (psycopg.OperationalError, psycopg.InterfaceError) as cause:
            raise Unavailable("store.unreachable", path=self.place, reason=str(cause).strip()) from cause


async def fetch(connection: Connection, sql: str, parameters: Sequence[object] = ()) -> list[Row]:
    """Returns all rows of a statement written with ``?``."""
    query = cast("LiteralString", sql.replace("?", "%s"))
    async with connection.cursor(binary=True) as cursor:
        await cursor.execute(query, tuple(parameters))
        return await cursor.fetchall() if cursor.description else []


def text_of(kept: bytes | None) -> str | None:
    """Returns a telemetry text, which is kept as bytes because PostgreSQL's own texts hold no NUL."""
    return None if kept is None else kept.decode()


def _place(url: str) -> str:
    try:
        known = conninfo_to_dict(url)
    except psycopg.ProgrammingError as cause:
        raise Unavailable("store.unreachable", path="postgresql", reason="the URL cannot be read") from cause
    return f"postgresql://{known.get('host') or 'localhost'}/{known.get('dbname') or ''}"

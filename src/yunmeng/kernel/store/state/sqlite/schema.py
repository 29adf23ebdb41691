"""The tables of the SQLite engine, and what opening a file can meet: newer, foreign, corrupt, busy, full."""

import errno
import zlib
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import apsw
import zstandard

from yunmeng.kernel.base import Broken, Unavailable
from yunmeng.kernel.store.state.sqlite.connection import Connection

VERSION = 3
"""Of the tables below; a store of a newer one is refused. 1 had documents as plain JSON, 2 deflated them."""

_APPLICATION = 0x594D5354  # "YMST"
_PAGE_BYTES = 4096
_MMAP_BYTES = 1 << 36
_WRITER_CACHE_KIB = 65_536
_READER_CACHE_KIB = 4_096
_CHECKPOINT_PAGES = 16_000

_TABLES = """
CREATE TABLE names(attribute INTEGER PRIMARY KEY, uri TEXT NOT NULL, indexed INTEGER NOT NULL DEFAULT 0);
CREATE TABLE shapes(shape INTEGER PRIMARY KEY, tenant TEXT NOT NULL, types TEXT NOT NULL,
    stored TEXT NOT NULL, last TEXT NOT NULL);
CREATE TABLE scopes(scope INTEGER PRIMARY KEY, paths TEXT NOT NULL);
CREATE TABLE counts(shape INTEGER, division TEXT, entities INTEGER NOT NULL, PRIMARY KEY(shape, division))
    WITHOUT ROWID;
CREATE TABLE entities(entity INTEGER PRIMARY KEY, tenant TEXT NOT NULL, id TEXT NOT NULL,
    division TEXT NOT NULL, shape INTEGER NOT NULL, scope INTEGER NOT NULL, facets BLOB NOT NULL);
CREATE UNIQUE INDEX entities_by_id ON entities(tenant, id);
CREATE INDEX entities_by_shape ON entities(shape, id, division);
CREATE INDEX entities_by_division ON entities(division);
CREATE INDEX entities_by_scope ON entities(scope) WHERE scope <> 0;
CREATE TABLE documents(entity INTEGER PRIMARY KEY, body BLOB NOT NULL);
CREATE TABLE numbers(attribute INTEGER, value REAL, entity INTEGER, PRIMARY KEY(attribute, value, entity))
    WITHOUT ROWID;
CREATE TABLE texts(attribute INTEGER, value TEXT, entity INTEGER, PRIMARY KEY(attribute, value, entity))
    WITHOUT ROWID;
CREATE VIRTUAL TABLE boxes USING rtree(key, west, east, south, north);
CREATE TABLE last(key INTEGER PRIMARY KEY, observed_at INTEGER NOT NULL, number REAL, text TEXT,
    quality INTEGER NOT NULL, unit TEXT NOT NULL);
CREATE TABLE bands(attribute INTEGER, band INTEGER, entity INTEGER, PRIMARY KEY(attribute, band, entity))
    WITHOUT ROWID;
CREATE TABLE last_texts(attribute INTEGER, value TEXT, entity INTEGER, PRIMARY KEY(attribute, value, entity))
    WITHOUT ROWID;
CREATE TABLE records(kind TEXT, tenant TEXT, id TEXT, modified_at INTEGER NOT NULL, body BLOB NOT NULL,
    PRIMARY KEY(kind, tenant, id)) WITHOUT ROWID;
CREATE TABLE outbox(number INTEGER PRIMARY KEY AUTOINCREMENT, topic TEXT NOT NULL, body BLOB NOT NULL);
CREATE TABLE positions(stream TEXT PRIMARY KEY, reached INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE counters(name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
"""


def open_for_writing(path: Path) -> Connection:
    """Opens the store, making its tables when the file is new; commits are synced before they return."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with explained(path):
        connection = Connection(path)
        for pragma in (
            f"page_size={_PAGE_BYTES}",
            "journal_mode=WAL",
            "synchronous=FULL",
            f"wal_autocheckpoint={_CHECKPOINT_PAGES}",
            f"cache_size=-{_WRITER_CACHE_KIB}",
            f"mmap_size={_MMAP_BYTES}",
            "temp_store=MEMORY",
        ):
            connection.all(f"PRAGMA {pragma}")
        if _ask(connection, "SELECT count(*) FROM sqlite_master") == 0:
            with connection.transaction():
                connection.all(_TABLES)
                connection.all(f"PRAGMA user_version={VERSION}")
                connection.all(f"PRAGMA application_id={_APPLICATION}")
        _check(connection, path)
        if _ask(connection, "PRAGMA user_version") < VERSION:
            # an older program could not read what is written from now on
            connection.all(f"PRAGMA user_version={VERSION}")
    return connection


def open_for_reading(path: Path) -> Connection:
    """Opens the store read-only.

    Raises:
        Unavailable: ``store.absent`` when no keeper has made it yet, or is only just making it.
    """
    if not path.exists():
        raise Unavailable("store.absent", path=path)
    with explained(path):
        connection = Connection(path, read_only=True)
        if _ask(connection, "SELECT count(*) FROM sqlite_master") == 0:
            connection.close()
            raise Unavailable("store.absent", path=path)
        connection.all(f"PRAGMA mmap_size={_MMAP_BYTES}")
        connection.all(f"PRAGMA cache_size=-{_READER_CACHE_KIB}")
        connection.all("PRAGMA temp_store=MEMORY")
        _check(connection, path)
    return connection


@contextmanager
def explained(path: Path) -> Generator[None, None, None]:
    """Turns the engine's errors into those that a person can act on."""
    try:
        yield
    except (apsw.NotADBError, apsw.CorruptError, apsw.FormatError, zlib.error, zstandard.ZstdError) as cause:
        raise Broken("store.corrupt", path=path) from cause
    except apsw.FullError as cause:
        raise Unavailable("store.full", path=path) from cause
    except (apsw.BusyError, apsw.LockedError) as cause:
        raise Unavailable("store.busy", path=path) from cause
    except (apsw.IOError, apsw.CantOpenError, OSError) as cause:
        if getattr(cause, "errno", None) in (errno.ENOSPC, errno.EDQUOT):
            raise Unavailable("store.full", path=path) from cause
        raise Unavailable("store.unreadable", path=path, reason=str(cause)) from cause


def _check(connection: Connection, path: Path) -> None:
    version = _ask(connection, "PRAGMA user_version")
    if _ask(connection, "PRAGMA application_id") != _APPLICATION:
        raise Broken("store.foreign", path=path)
    if version > VERSION:
        raise Broken("store.newer", path=path, found=version, known=VERSION)


def _ask(connection: Connection, sql: str) -> int:
    return int(connection.all(sql)[0][0])

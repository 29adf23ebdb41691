"""SQLite through apsw: the embedded engine of the state."""

from yunmeng.kernel.store.state.sqlite.reader import SqliteReader
from yunmeng.kernel.store.state.sqlite.writer import SqliteWriter

__all__ = ["SqliteReader", "SqliteWriter"]

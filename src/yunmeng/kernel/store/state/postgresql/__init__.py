"""PostgreSQL through psycopg: what the state grows into."""

from yunmeng.kernel.store.state.postgresql.reader import PostgresqlReader
from yunmeng.kernel.store.state.postgresql.writer import PostgresqlWriter

__all__ = ["PostgresqlReader", "PostgresqlWriter"]

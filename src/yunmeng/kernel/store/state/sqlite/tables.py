"""How the writer's changes become rows: few statements, each over many rows in the order of its index."""

import json
from collections.abc import Iterable, Sequence
from typing import Any, cast

from yunmeng.kernel.store.state.ledger import Changes, Kept, Ledger
from yunmeng.kernel.store.state.sqlite.bodies import pack_bodies
from yunmeng.kernel.store.state.sqlite.connection import Connection, Row, texts, whole_numbers
from yunmeng.kernel.store.state.telemetry import IndexRows, index_rows, last_keys, split_key

_KEPT = "SELECT e.entity, e.id, e.division, e.shape, e.scope, e.facets FROM"


class Tables:
    """Statements of the one writing connection, inside its transaction."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def all(self, sql: str, *parameters: object) -> list[Row]:
        """Returns all rows of a statement."""
        return self._connection.all(sql, parameters)

    def many(self, sql: str, rows: Iterable[Sequence[object]]) -> None:
        """Carries out a statement for each row."""
        self._connection.many(sql, rows)

    def kept(self, tenant: str, ids: Sequence[str]) -> dict[str, Kept]:
        """Returns what is kept of the entities that exist."""
        if not ids:
            return {}
        rows = self.all(
            f"{_KEPT} carray(?) c CROSS JOIN entities e ON e.tenant = ? AND e.id = c.value",
            texts(ids),
            tenant,
        )
        return {row[1]: Kept(*row) for row in rows}

    def kept_rows(self, entities: Sequence[int]) -> dict[int, Kept]:
        """Returns what is kept of the entities with these rows."""
        if not entities:
            return {}
        rows = self.all(
            f"{_KEPT} carray(?) c CROSS JOIN entities e ON e.entity = c.value", whole_numbers(entities)
        )
        return {row[0]: Kept(*row) for row in rows}

    def apply(self, changes: Changes) -> None:
        """Writes what the ledger worked out."""
        self._drop_index(changes)
        for entity in changes.gone:
            self._remove(entity)
        self.many(
            "INSERT INTO entities VALUES(?, ?, ?, ?, ?, ?, ?) ON CONFLICT(entity) DO UPDATE SET"
            " division = excluded.division, shape = excluded.shape, scope = excluded.scope,"
            " facets = excluded.facets",
            changes.entities,
        )
        self.many("UPDATE entities SET facets = ? WHERE entity = ?", changes.facets)
        self._put_documents(sorted(changes.documents))
        self.many("INSERT OR IGNORE INTO numbers VALUES(?, ?, ?)", sorted(changes.numbers_added))
        self.many("INSERT OR IGNORE INTO texts VALUES(?, ?, ?)", sorted(changes.texts_added))
        self.many("INSERT OR REPLACE INTO boxes VALUES(?, ?, ?, ?, ?)", changes.boxes_added)

    def _put_documents(self, documents: Sequence[tuple[int, bytes]]) -> None:
        packed = pack_bodies([body for _, body in documents])
        rows = zip((row for row, _ in documents), packed, strict=True)
        self.many("INSERT OR REPLACE INTO documents VALUES(?, ?)", rows)

    def _drop_index(self, changes: Changes) -> None:
        for table in ("numbers", "texts"):
            rows = changes.numbers_dropped if table == "numbers" else changes.texts_dropped
            self.many(
                f"DELETE FROM {table} WHERE attribute = ? AND value = ? AND entity = ?",  # noqa: S608 -- own names
                sorted(cast("list[tuple[int, Any, int]]", rows)),
            )
        self.many("DELETE FROM boxes WHERE key = ?", ((key,) for key in changes.boxes_dropped))

    def _remove(self, entity: int) -> None:
        keys = [
            row[0] for row in self.all("SELECT key FROM last WHERE key BETWEEN ? AND ?", *last_keys(entity))
        ]
        self.drop_last(keys)
        self.all("DELETE FROM documents WHERE entity = ?", entity)
        self.all("DELETE FROM entities WHERE entity = ?", entity)

    def drop_last(self, keys: Sequence[int]) -> None:
        """Removes series with their index rows."""
        for key in keys:
            for number, text in self.all("SELECT number, text FROM last WHERE key = ?", key):
                self.drop_index_rows(index_rows([split_key(key)], [number], [text]))
            self.all("DELETE FROM last WHERE key = ?", key)

    def drop_index_rows(self, rows: IndexRows) -> None:
        """Removes index rows of last values."""
        self.many("DELETE FROM bands WHERE attribute = ? AND band = ? AND entity = ?", sorted(rows[0]))
        self.many("DELETE FROM last_texts WHERE attribute = ? AND value = ? AND entity = ?", sorted(rows[1]))

    def add_index_rows(self, rows: IndexRows) -> None:
        """Adds index rows of last values."""
        self.many("INSERT OR IGNORE INTO bands VALUES(?, ?, ?)", sorted(rows[0]))
        self.many("INSERT OR IGNORE INTO last_texts VALUES(?, ?, ?)", sorted(rows[1]))

    def save(self, ledger: Ledger) -> None:
        """Writes the dictionaries' new entries and the moved counts."""
        self.many("INSERT INTO names(attribute, uri) VALUES(?, ?)", ledger.new_names)
        self.many(
            "INSERT INTO shapes VALUES(?, ?, ?, ?, ?)",
            (
                (
                    s.number,
                    s.tenant,
                    json.dumps(s.types),
                    json.dumps(sorted(s.stored)),
                    json.dumps(sorted(s.last)),
                )
                for s in ledger.new_shapes
            ),
        )
        self.many(
            "INSERT INTO scopes VALUES(?, ?)", ((n, json.dumps(paths)) for n, paths in ledger.new_scopes)
        )
        moved = [
            (shape, division, moved) for (shape, division), moved in sorted(ledger.counts.items()) if moved
        ]
        self.many(
            "INSERT INTO counts VALUES(?, ?, ?) ON CONFLICT(shape, division) DO UPDATE SET"
            " entities = entities + excluded.entities",
            moved,
        )
        if ledger.new_names or ledger.new_shapes or ledger.new_scopes:
            self.touch_book()

    def touch_book(self) -> None:
        """Tells the readers that the dictionaries have changed."""
        self.all("INSERT INTO counters VALUES('book', 1) ON CONFLICT(name) DO UPDATE SET value = value + 1")

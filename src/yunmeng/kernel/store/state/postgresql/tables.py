"""How the writer's changes become rows: each statement takes whole columns as arrays."""

import json
from collections.abc import Iterable, Sequence
from typing import Any, cast

from yunmeng.kernel.store.state.ledger import Changes, Kept, Ledger
from yunmeng.kernel.store.state.postgresql.server import Connection, Row, fetch
from yunmeng.kernel.store.state.telemetry import IndexRows

_KEPT = "SELECT e.entity, e.id, e.division, e.shape, e.scope, e.facets FROM entities e WHERE"
_ENTITIES = (
    "INSERT INTO entities SELECT * FROM {rows} ON CONFLICT(entity) DO UPDATE SET"
    " division = excluded.division, shape = excluded.shape, scope = excluded.scope, facets = excluded.facets"
)
_COUNTS = (
    "INSERT INTO counts SELECT * FROM {rows} ON CONFLICT(shape, division) DO UPDATE SET"
    " entities = counts.entities + excluded.entities"
)
_BOXES = (
    "INSERT INTO boxes SELECT r.key, box(point(r.west, r.south), point(r.east, r.north))"
    " FROM {rows} AS r(key, west, east, south, north)"
)


class Tables:
    """Statements of the one writing connection, inside its transaction."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def all(self, sql: str, *parameters: object) -> list[Row]:
        """Returns all rows of a statement."""
        return await fetch(self._connection, sql, parameters)

    async def many(self, sql: str, types: str, rows: Iterable[Sequence[object]]) -> None:
        """Carries out a statement over rows: ``{rows}`` is the table of them, ``types`` their columns'."""
        columns = list(zip(*rows, strict=True))
        if columns:
            arrays = ", ".join(f"?::{type}[]" for type in types.split())
            await fetch(
                self._connection, sql.replace("{rows}", f"unnest({arrays})"), [list(c) for c in columns]
            )

    async def kept(self, tenant: str, ids: Sequence[str]) -> dict[str, Kept]:
        """Returns what is kept of the entities that exist."""
        rows = (
            await self.all(f"{_KEPT} e.tenant = ? AND e.id = ANY(?::text[])", tenant, list(ids))
            if ids
            else []
        )
        return {row[1]: Kept(*row) for row in rows}

    async def kept_rows(self, entities: Sequence[int]) -> dict[int, Kept]:
        """Returns what is kept of the entities with these rows."""
        rows = await self.all(f"{_KEPT} e.entity = ANY(?::bigint[])", list(entities)) if entities else []
        return {row[0]: Kept(*row) for row in rows}

    async def apply(self, changes: Changes) -> None:
        """Writes what the ledger worked out."""
        await self._drop(changes)
        entities = {row[0]: row for row in changes.entities}
        await self.many(_ENTITIES, "bigint text text text bigint bigint bytea", entities.values())
        sql = (
            "UPDATE entities e SET facets = r.facets FROM {rows} AS r(facets, entity)"
            " WHERE e.entity = r.entity"
        )
        await self.many(sql, "bytea bigint", changes.facets)
        sql = (
            "INSERT INTO documents SELECT * FROM {rows}"
            " ON CONFLICT(entity) DO UPDATE SET body = excluded.body"
        )
        await self.many(sql, "bigint bytea", changes.documents)
        await self._add("numbers", "bigint float8 bigint", changes.numbers_added)
        await self._add("texts", "bigint text bigint", changes.texts_added)
        await self.many(_BOXES, "bigint float8 float8 float8 float8", changes.boxes_added)

    async def drop_last(self, entities: Sequence[int], keys: Sequence[int] | None = None) -> None:
        """Removes series of entities, all of them without ``keys``, with their index rows."""
        rows = await self.all(
            "SELECT l.key FROM unnest(?::bigint[]) AS r(entity)"
            " JOIN last l ON l.key BETWEEN r.entity * 1048576 AND r.entity * 1048576 + 1048575",
            list(entities),
        )
        gone = [row[0] for row in rows if keys is None or row[0] in set(keys)]
        for table in ("bands", "last_texts"):
            await self.all(
                f"DELETE FROM {table} t USING unnest(?::bigint[]) AS r(key)"  # noqa: S608 -- own names
                " WHERE t.entity = r.key / 1048576 AND t.attribute = mod(r.key, 1048576)",
                gone,
            )
        await self.all("DELETE FROM last WHERE key = ANY(?::bigint[])", gone)

    async def drop_index_rows(self, rows: IndexRows) -> None:
        """Removes index rows of last values."""
        await self._remove("bands", "band", "bigint bigint bigint", rows[0])
        await self._remove("last_texts", "value", "bigint text bigint", rows[1])

    async def add_index_rows(self, rows: IndexRows) -> None:
        """Adds index rows of last values."""
        await self._add("bands", "bigint bigint bigint", rows[0])
        await self._add("last_texts", "bigint text bigint", rows[1])

    async def save(self, ledger: Ledger) -> None:
        """Writes the dictionaries' new entries and the moved counts."""
        await self.many(
            "INSERT INTO names(attribute, uri) SELECT * FROM {rows}", "bigint text", ledger.new_names
        )
        shapes = [
            (
                s.number,
                s.tenant,
                json.dumps(s.types),
                json.dumps(sorted(s.stored)),
                json.dumps(sorted(s.last)),
            )
            for s in ledger.new_shapes
        ]
        await self.many("INSERT INTO shapes SELECT * FROM {rows}", "bigint text text text text", shapes)
        scopes = [(number, json.dumps(paths)) for number, paths in ledger.new_scopes]
        await self.many("INSERT INTO scopes SELECT * FROM {rows}", "bigint text", scopes)
        moved = [(*place, moved) for place, moved in sorted(ledger.counts.items()) if moved]
        await self.many(_COUNTS, "bigint text bigint", moved)
        if ledger.new_names or ledger.new_shapes or ledger.new_scopes:
            await self.touch_book()

    async def touch_book(self) -> None:
        """Tells the readers that the dictionaries have changed."""
        await self.all(
            "INSERT INTO counters VALUES('book', 1)"
            " ON CONFLICT(name) DO UPDATE SET value = counters.value + 1"
        )

    async def set_counter(self, name: str, value: int) -> None:
        """Keeps a number under a name."""
        sql = "INSERT INTO counters VALUES(?, ?) ON CONFLICT(name) DO UPDATE SET value = excluded.value"
        await self.all(sql, name, value)

    async def counter(self, name: str) -> int:
        """Returns a number kept under a name, 0 for none."""
        rows = await self.all("SELECT value FROM counters WHERE name = ?", name)
        return rows[0][0] if rows else 0

    async def _drop(self, changes: Changes) -> None:
        await self._remove("numbers", "value", "bigint float8 bigint", changes.numbers_dropped)
        await self._remove("texts", "value", "bigint text bigint", changes.texts_dropped)
        if changes.boxes_dropped:
            await self.all("DELETE FROM boxes WHERE key = ANY(?::bigint[])", changes.boxes_dropped)
        if changes.gone:
            await self.drop_last(changes.gone)
            await self.all("DELETE FROM documents WHERE entity = ANY(?::bigint[])", changes.gone)
            await self.all("DELETE FROM entities WHERE entity = ANY(?::bigint[])", changes.gone)

    async def _add(self, table: str, types: str, rows: Sequence[Sequence[object]]) -> None:
        sql = f"INSERT INTO {table} SELECT * FROM {{rows}} ON CONFLICT DO NOTHING"  # noqa: S608 -- own names
        await self.many(sql, types, sorted(cast("list[Any]", rows)))

    async def _remove(self, table: str, column: str, types: str, rows: Sequence[Sequence[object]]) -> None:
        await self.many(
            f"DELETE FROM {table} t USING {{rows}} AS r(attribute, {column}, entity)"  # noqa: S608 -- own names
            f" WHERE t.attribute = r.attribute AND t.{column} = r.{column} AND t.entity = r.entity",
            types,
            rows,
        )

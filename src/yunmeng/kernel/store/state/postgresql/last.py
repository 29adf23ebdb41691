"""The table of last values on PostgreSQL; the same rules as everywhere, columns to and fro as arrays."""

from collections.abc import Sequence

import numpy as np

from yunmeng.kernel.model import ObservationBatch
from yunmeng.kernel.store.state.ledger import Changes, Ledger
from yunmeng.kernel.store.state.postgresql.server import text_of
from yunmeng.kernel.store.state.postgresql.tables import Tables
from yunmeng.kernel.store.state.telemetry import (
    Newest,
    index_rows_of,
    last_key,
    newest,
    split_key,
)

_LAST = (
    "INSERT INTO last SELECT * FROM {rows} ON CONFLICT(key) DO UPDATE SET observed_at = excluded.observed_at,"
    " number = excluded.number, text = excluded.text, quality = excluded.quality, unit = excluded.unit"
)


class LastValues:
    """Keeps the newest value of each series."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables

    async def store(self, batches: Sequence[ObservationBatch], ledger: Ledger, indexed: set[int]) -> None:
        """Stores the newest of the batches; a series of an absent entity keeps no last value."""
        entities = await self._rows(batches)

        def resolve(tenant: str, entity: str, attribute: str) -> int | None:
            row = entities.get((tenant, entity))
            return None if row is None else last_key(row, ledger.name(attribute))

        fresh = newest(batches, resolve)
        if not len(fresh.keys):
            return
        sql = "SELECT key, observed_at, number, text FROM last WHERE key = ANY(?::bigint[]) ORDER BY key"
        rows = await self._tables.all(sql, fresh.keys.tolist())
        stored = {row[0]: (row[0], row[1], row[2], text_of(row[3])) for row in rows}
        await self._gain([key for key in fresh.keys.tolist() if key not in stored], ledger)
        taken = np.array(
            [
                key not in stored or at >= stored[key][1]
                for key, at in zip(fresh.keys.tolist(), fresh.observed_at.tolist(), strict=True)
            ],
            np.bool_,
        )
        await self._write(fresh.pick(taken), stored, indexed)

    async def drop(self, drops: Sequence[tuple[str, str, str]], ledger: Ledger) -> None:
        """Drops the last values of attributes that were removed or written through the API."""
        lost: dict[int, list[int]] = {}
        for tenant, entity, attribute in drops:
            number = ledger.book.names.get(attribute)
            kept = (await self._tables.kept(tenant, [entity])).get(entity)
            if number is not None and kept is not None:
                lost.setdefault(kept.row, []).append(number)
        changes = Changes()
        for row, kept in (await self._tables.kept_rows(sorted(lost))).items():
            await self._tables.drop_last([row], [last_key(row, number) for number in lost[row]])
            ledger.relast(changes, kept, lost=lost[row])
        await self._tables.apply(changes)

    async def reindex(self, low: int, high: int, attributes: set[int]) -> None:
        """Adds the index rows that ``attributes`` need for the series of the entities ``low`` to ``high``."""
        sql = "SELECT key, number, text FROM last WHERE key BETWEEN ? AND ?"
        rows = await self._tables.all(sql, low << 20, ((high + 1) << 20) - 1)
        keys, numbers = [row[0] for row in rows], [row[1] for row in rows]
        await self._tables.add_index_rows(
            index_rows_of(keys, numbers, [text_of(row[2]) for row in rows], attributes)
        )

    async def _rows(self, batches: Sequence[ObservationBatch]) -> dict[tuple[str, str], int]:
        wanted: dict[str, set[str]] = {}
        for batch in batches:
            wanted.setdefault(batch.tenant, set()).update(series.entity for series in batch.series)
        return {
            (tenant, id): kept.row
            for tenant, ids in wanted.items()
            for id, kept in (await self._tables.kept(tenant, sorted(ids))).items()
        }

    async def _gain(self, keys: Sequence[int], ledger: Ledger) -> None:
        gained: dict[int, list[int]] = {}
        for key in keys:
            row, attribute = split_key(key)
            gained.setdefault(row, []).append(attribute)
        changes = Changes()
        for row, kept in (await self._tables.kept_rows(sorted(gained))).items():
            ledger.relast(changes, kept, gained=gained[row])
        await self._tables.apply(changes)

    async def _write(
        self, values: Newest, stored: dict[int, tuple[int, int, float | None, str | None]], indexed: set[int]
    ) -> None:
        keys = values.keys.tolist()
        numbers = [None if number != number else number for number in values.numbers.tolist()]
        if indexed:
            old = [stored[key] for key in keys if key in stored]
            gone = index_rows_of(
                [row[0] for row in old], [row[2] for row in old], [row[3] for row in old], indexed
            )
            await self._tables.drop_index_rows(gone)
        rows = zip(
            keys,
            values.observed_at.tolist(),
            numbers,
            [None if text is None else text.encode() for text in values.texts],
            values.quality.tolist(),
            values.units,
            strict=True,
        )
        await self._tables.many(_LAST, "bigint bigint float8 bytea smallint text", rows)
        if indexed:
            await self._tables.add_index_rows(index_rows_of(keys, numbers, values.texts, indexed))

"""The table of last values: one row a series, written only by what is newer; by band where asked for."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from yunmeng.kernel.model import ObservationBatch
from yunmeng.kernel.store.state.ledger import Changes, Ledger
from yunmeng.kernel.store.state.sqlite.connection import whole_numbers
from yunmeng.kernel.store.state.sqlite.tables import Tables
from yunmeng.kernel.store.state.telemetry import (
    Newest,
    index_rows_of,
    last_key,
    newest,
    split_key,
)

_ROWS_MOST = 300_000


class LastValues:
    """Keeps the newest value of each series; remembers the rows of the entities it met."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables
        self._rows: dict[tuple[str, str], int] = {}

    def forget(self, tenant: str, id: str) -> None:
        """Forgets the row of an entity that is removed."""
        self._rows.pop((tenant, id), None)

    def note(self, tenant: str, id: str, row: int) -> None:
        """Remembers the row of an entity."""
        if len(self._rows) >= _ROWS_MOST:
            self._rows.clear()
        self._rows[tenant, id] = row

    def store(self, batches: Sequence[ObservationBatch], ledger: Ledger, indexed: set[int]) -> None:
        """Stores the newest of the batches; a series of an absent entity keeps no last value."""
        self._load_rows(batches)

        def resolve(tenant: str, entity: str, attribute: str) -> int | None:
            row = self._rows.get((tenant, entity))
            return None if row is None else last_key(row, ledger.name(attribute))

        fresh = newest(batches, resolve)
        if not len(fresh.keys):
            return
        keys, times, numbers, texts = self._stored(fresh.keys)
        places = np.minimum(np.searchsorted(keys, fresh.keys), max(len(keys) - 1, 0))
        known = keys[places] == fresh.keys if len(keys) else np.zeros(len(fresh.keys), np.bool_)
        absent: list[int] = fresh.keys[~known].tolist()
        self._gain(absent, ledger)
        taken = ~known
        taken[known] = fresh.observed_at[known] >= times[places[known]]
        if indexed:
            old: list[int] = places[known & taken].tolist()
            self._tables.drop_index_rows(
                index_rows_of(
                    keys[old].tolist(), numbers[old].tolist(), [texts[place] for place in old], indexed
                )
            )
        self._write(fresh.pick(taken), indexed)

    def drop(self, drops: Sequence[tuple[str, str, str]], ledger: Ledger) -> None:
        """Drops the last values of attributes that were removed or written through the API."""
        lost: dict[int, list[int]] = {}
        for tenant, entity, attribute in drops:
            number = ledger.book.names.get(attribute)
            kept = self._tables.kept(tenant, [entity]).get(entity)
            if number is not None and kept is not None:
                lost.setdefault(kept.row, []).append(number)
        changes = Changes()
        for row, kept in self._tables.kept_rows(sorted(lost)).items():
            self._tables.drop_last([last_key(row, number) for number in lost[row]])
            ledger.relast(changes, kept, lost=lost[row])
        self._tables.apply(changes)

    def reindex(self, low: int, high: int, attributes: set[int]) -> None:
        """Adds the index rows that ``attributes`` need for the series of the entities ``low`` to ``high``."""
        rows = self._tables.all(
            "SELECT key, number, text FROM last WHERE key BETWEEN ? AND ?", low << 20, ((high + 1) << 20) - 1
        )
        keys, numbers = [row[0] for row in rows], [row[1] for row in rows]
        self._tables.add_index_rows(index_rows_of(keys, numbers, [row[2] for row in rows], attributes))

    def _load_rows(self, batches: Sequence[ObservationBatch]) -> None:
        missing: dict[str, set[str]] = {}
        for batch in batches:
            wanted = {s.entity for s in batch.series if (batch.tenant, s.entity) not in self._rows}
            missing.setdefault(batch.tenant, set()).update(wanted)
        for tenant, ids in missing.items():
            for id, kept in self._tables.kept(tenant, sorted(ids)).items():
                self.note(tenant, id, kept.row)

    def _stored(
        self, keys: NDArray[np.int64]
    ) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64], list[str | None]]:
        rows = self._tables.all(
            "SELECT l.key, l.observed_at, l.number, l.text"
            " FROM carray(?) c CROSS JOIN last l ON l.key = c.value",
            whole_numbers(keys.tolist()),
        )
        return (
            np.array([row[0] for row in rows], np.int64),
            np.array([row[1] for row in rows], np.int64),
            np.array([row[2] for row in rows], np.float64),
            [row[3] for row in rows],
        )

    def _gain(self, keys: list[int], ledger: Ledger) -> None:
        gained: dict[int, list[int]] = {}
        for key in keys:
            row, attribute = split_key(key)
            gained.setdefault(row, []).append(attribute)
        changes = Changes()
        for row, kept in self._tables.kept_rows(sorted(gained)).items():
            ledger.relast(changes, kept, gained=gained[row])
        self._tables.apply(changes)

    def _write(self, values: Newest, indexed: set[int]) -> None:
        numbers = [None if number != number else number for number in values.numbers.tolist()]
        self._tables.many(
            "INSERT OR REPLACE INTO last VALUES(?, ?, ?, ?, ?, ?)",
            zip(
                values.keys.tolist(),
                values.observed_at.tolist(),
                numbers,
                values.texts,
                values.quality.tolist(),
                values.units,
                strict=True,
            ),
        )
        if indexed:
            self._tables.add_index_rows(index_rows_of(values.keys.tolist(), numbers, values.texts, indexed))

"""Aggregates over hours that are worked out already: the projection of the history's table.

The engine works the projection out when it merges parts of the table, and a deletion takes it from the parts
that it changes; whatever has none is read row by row. So it is as exact as the rows, and as idempotent. An
hour stands for its rows where it lies within the window and within one period; the rows of other hours are
read one by one.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from yunmeng.kernel.store.history.port import Method, TemporalQuery

HOUR_US = 3_600_000_000
NAME = "hourly"
FEW_ROWS = {"max_threads": "1", "query_plan_optimize_prewhere": "0"}
"""Settings under which a few thousand rows are read with the least ado."""

# hours are counted from so long before 1970 that none is negative, where division would round upwards
_BEFORE_US = 3_000_000 * HOUR_US
COLUMN = f"hour Int32 MATERIALIZED intDiv(toUnixTimestamp64Micro(at) + {_BEFORE_US}, {HOUR_US})"
_FINITE = "isFinite(number)"
_FEWEST = 6

PARTS = {
    "rows": "count()",
    "numbers": f"countIf({_FINITE})",
    "total": f"sumIf(number, {_FINITE})",
    "squares": f"sumIf(number * number, {_FINITE})",
    "low": f"minIf(number, {_FINITE})",
    "high": f"maxIf(number, {_FINITE})",
    "spread": f"varPopStableIf(number, {_FINITE})",
}
"""What is kept of an hour, and asked of single rows alike."""

_KEYS = "tenant, attribute, entity, hour, timed, deleted, dataset_id, division"
DEFINITION = f"SELECT {_KEYS}, {', '.join(PARTS.values())}, min(at), max(at) GROUP BY {_KEYS}"
"""The projection, as a table's definition has it."""


@dataclass(frozen=True, slots=True)
class Hours:
    """Which hours stand for their rows, as SQL, and the number of their period.

    ``start`` and ``end`` (µs UTC) are set where the window cuts an hour: the rows before the first whole hour
    and those after the last one are wanted as well.
    """

    inside: str
    bucket: str
    start: int | None = None
    end: int | None = None

    @property
    def even(self) -> bool:
        """Whether no rows are wanted beside."""
        return self.start is None and self.end is None


def hours_for(query: TemporalQuery, methods: Sequence[Method], period_s: int) -> Hours | None:
    """Returns which hours can stand for rows of a query, None when its rows have to be read."""
    if query.property != "observedAt" or "distinctCount" in methods:
        return None
    start = query.start + _BEFORE_US if query.relation in ("after", "between") else None
    end = {"before": query.start, "between": query.end}.get(query.relation)
    end = None if end is None else end + _BEFORE_US
    period = period_s * 1_000_000
    if period and (start is None or start % HOUR_US or period % HOUR_US):
        # periods that cut hours, or begin with the first value, wherever that is
        return None
    first = None if start is None else -(-start // HOUR_US)
    last = None if end is None else end // HOUR_US
    if first is not None and last is not None and last - first < _FEWEST:
        return None
    inside = [] if first is None else [f"hour >= {first}"]
    inside += [] if last is None else [f"hour < {last}"]
    bucket = f"intDiv(hour - {first}, {period // HOUR_US})" if period else ""
    return Hours(" AND ".join(inside), bucket, _cut(start, first), _cut(end, last))


def _cut(edge: int | None, hour: int | None) -> int | None:
    """Returns where the whole hours begin or end if that is not at the edge of the window."""
    if edge is None or hour is None or edge == hour * HOUR_US:
        return None
    return hour * HOUR_US - _BEFORE_US

"""From what the engine says of hours and rows to aggregates: joined, ordered, one value a method."""

import math
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any, NamedTuple

from yunmeng.kernel.store.history.port import Aggregate, Method, TemporalQuery

_NEEDS: dict[Method, tuple[str, ...]] = {
    "totalCount": (),
    "distinctCount": ("different",),
    "sum": ("total",),
    "avg": ("total",),
    "min": ("low",),
    "max": ("high",),
    "sumsq": ("squares",),
    "stddev": ("total", "spread"),
}


@dataclass(frozen=True, slots=True)
class Layout:
    """What the columns of an answer are; ``entity`` and ``attribute`` are given where the query fixes one."""

    entity: str = ""
    attribute: str = ""
    bucketed: bool = False
    bounded: bool = False
    origin: bool = False
    parts: tuple[str, ...] = ()


class _Part(NamedTuple):
    """What is known of one period of one series; times in microseconds UTC."""

    values: dict[str, Any]
    first: int
    last: int
    origin: int


def parts_for(methods: Sequence[Method]) -> tuple[str, ...]:
    """Returns what has to be known of rows and hours for these methods."""
    return tuple(dict.fromkeys(("rows", "numbers", *(part for method in methods for part in _NEEDS[method]))))


def aggregates(
    rows: Iterable[Sequence[Any]],
    layout: Layout,
    query: TemporalQuery,
    methods: Sequence[Method],
    period: int,
) -> Iterator[Aggregate]:
    """Yields aggregates by entity, attribute and time; ``period`` is in µs, 0 for the whole range."""
    found: defaultdict[tuple[str, str, int], list[_Part]] = defaultdict(list)
    for row in rows:
        key, part = _read(iter(row), layout)
        if part.values["rows"]:
            found[key].append(part)
    for (entity, attribute), keys in groupby(sorted(found), lambda key: key[:2]):
        for key in list(keys)[-query.last :]:
            parts = found[key]
            part = parts[0] if len(parts) == 1 else _joined(parts)
            start, end = _span(part, key[2], query, period)
            values = part.values
            for method in methods:
                yield Aggregate(entity, attribute, method, start, end, _value(method, values))


def _read(row: Iterator[Any], layout: Layout) -> tuple[tuple[str, str, int], _Part]:
    entity = layout.entity or next(row)
    attribute = layout.attribute or next(row)
    bucket = next(row) if layout.bucketed else 0
    origin = next(row) if layout.origin else 0
    first, last = (0, 0) if layout.bounded else (next(row), next(row))
    return (entity, attribute, bucket), _Part(dict(zip(layout.parts, row, strict=True)), first, last, origin)


def _joined(parts: list[_Part]) -> _Part:
    """Joins what hours and what single rows say of one period."""
    one = parts[0]
    for other in parts[1:]:
        one = _Part(
            _sums(one.values, other.values),
            min(one.first, other.first),
            max(one.last, other.last),
            one.origin,
        )
    return one


def _sums(one: dict[str, Any], other: dict[str, Any]) -> dict[str, Any]:
    if not one["numbers"] or not other["numbers"]:
        with_numbers = one if one["numbers"] else other
        return {**with_numbers, "rows": one["rows"] + other["rows"]}
    joined = {name: _plus(value, other[name]) for name, value in one.items()}
    for name, better in (("low", min), ("high", max)):
        if name in one:
            joined[name] = better(one[name], other[name])
    if "spread" in one:
        joined["spread"] = _spread(one, other)
    return joined


def _plus(one: Any, other: Any) -> Any:
    # what is too large for a number arrives as null
    return None if one is None or other is None else one + other


def _spread(one: dict[str, Any], other: dict[str, Any]) -> float:
    """Returns the variance of two sets together, without the cancellation of squares."""
    n, m = one["numbers"], other["numbers"]
    apart = one["total"] / n - other["total"] / m if None not in (one["total"], other["total"]) else math.nan
    return (n * one["spread"] + m * other["spread"] + apart * apart * n * m / (n + m)) / (n + m)


def _span(part: _Part, bucket: int, query: TemporalQuery, period: int) -> tuple[int, int]:
    starts = query.relation in ("after", "between")
    limit = {"between": query.end, "before": query.start}.get(query.relation, part.last + 1)
    origin = query.start if starts else part.origin
    start = origin + bucket * period if period or starts else part.first
    end = start + period if period else limit
    return start, min(end, limit) if query.relation in ("between", "before") else end


def _value(method: Method, values: dict[str, Any]) -> float | None:
    if method == "totalCount":
        return float(values["rows"])
    if method == "distinctCount":
        return float(values["different"])
    value = values[_NEEDS[method][-1]]
    if not values["numbers"] or value is None:
        return None
    if method == "avg":
        return float(value / values["numbers"])
    return math.sqrt(value) if method == "stddev" else float(value)

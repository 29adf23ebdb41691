"""Aggregates over values of several brokers, which no engine holds together (ETSI GS CIM 009 §4.5.19)."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from math import fsum, sqrt
from typing import cast

from yunmeng.kernel.base import instant_us
from yunmeng.kernel.store import Aggregate, Method, Point, TemporalQuery


def aggregated(
    points: Sequence[Point], query: TemporalQuery, methods: Sequence[Method], period_s: int
) -> list[Aggregate]:
    """Returns the methods by entity, attribute and period (0 s: one over the whole window).

    Periods count from the start of the window, from the first value where it has none, and end with it.
    """
    dated = [(_moment(point, query), point) for point in points if not _deleted(point, query)]
    if not dated:
        return []
    origin = query.start if query.relation in ("after", "between") else min(at for at, _ in dated)
    period = period_s * 1_000_000
    buckets: defaultdict[tuple[str, str, int], list[tuple[int, Point]]] = defaultdict(list)
    for at, point in dated:
        buckets[point.entity, point.attribute, (at - origin) // period if period else 0].append((at, point))
    kept = _newest(buckets, query.last)
    return [
        one for key in sorted(kept) for one in _bucket(key, buckets[key], query, methods, (origin, period))
    ]


def _newest(
    buckets: dict[tuple[str, str, int], list[tuple[int, Point]]], last: int
) -> set[tuple[str, str, int]]:
    by_series: defaultdict[tuple[str, str], list[int]] = defaultdict(list)
    for entity, attribute, bucket in sorted(buckets):
        by_series[entity, attribute].append(bucket)
    return {(*series, one) for series, found in by_series.items() for one in found[-last:]}


def _bucket(
    key: tuple[str, str, int],
    rows: Sequence[tuple[int, Point]],
    query: TemporalQuery,
    methods: Sequence[Method],
    grid: tuple[int, int],
) -> Iterator[Aggregate]:
    entity, attribute, bucket = key
    start, end = _span(query, bucket, grid, [at for at, _ in rows])
    values = [point.value for _, point in rows]
    for method in methods:
        yield Aggregate(entity, attribute, method, start, end, _value(method, values))


def _span(query: TemporalQuery, bucket: int, grid: tuple[int, int], moments: list[int]) -> tuple[int, int]:
    origin, period = grid
    start = origin + bucket * period if period or query.relation in ("after", "between") else min(moments)
    limit = max(moments) + 1
    if query.relation in ("between", "before"):
        limit = query.end if query.relation == "between" else query.start
    if not period:
        return start, limit
    return start, min(start + period, limit) if query.relation in ("between", "before") else start + period


def _value(method: Method, values: Sequence[float | str | None]) -> float | None:
    if method == "totalCount":
        return float(len(values))
    if method == "distinctCount":
        return float(len(set(values) - {None}))
    numbers = [float(one) for one in values if isinstance(one, (int, float))]
    if not numbers:
        return None
    mean = fsum(numbers) / len(numbers)
    match method:
        case "min" | "max":
            return min(numbers) if method == "min" else max(numbers)
        case "avg" | "sum":
            return mean if method == "avg" else fsum(numbers)
        case "sumsq":
            return fsum(one * one for one in numbers)
        case _:
            return sqrt(fsum((one - mean) ** 2 for one in numbers) / len(numbers))


def _moment(point: Point, query: TemporalQuery) -> int:
    given = cast("dict[str, object]", point.body or {}).get(query.property)
    return instant_us(given) if isinstance(given, str) else point.at


def _deleted(point: Point, query: TemporalQuery) -> bool:
    return query.property != "deletedAt" and "deletedAt" in (point.body or {})

"""A numeric attribute by division: grouped in SQL, except where a document and telemetry both have it."""

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from yunmeng.kernel.base import YunmengError, instant_us
from yunmeng.kernel.model import TypeIs
from yunmeng.kernel.store.state.plan import Sql, every, within
from yunmeng.kernel.store.state.port import Summary
from yunmeng.kernel.store.state.shapes import Book
from yunmeng.kernel.store.state.sqlite.session import Session
from yunmeng.kernel.trust import Reach

Group = tuple[int, float | None]


def summarise(
    session: Session, reach: Reach, type: str, attribute: str, method: Summary, digits: int
) -> Mapping[str, Group]:
    """Returns (entities, value) by division code cut to ``digits``; see the port."""
    with session.snapshot() as book:
        shapes = book.of_tenant(reach.tenant) & book.of_types(TypeIs(type))
        if not attribute:
            return _count(session, reach, shapes, digits)
        number = book.names.get(attribute)
        if number is None:
            return {}
        values = [*_from_last(session, reach, shapes, book, number, digits)]
        values += _from_documents(session, reach, shapes, book, attribute, digits)
    return combine(values, method)


def combine(values: Iterable[tuple[str, float, int]], method: Summary) -> dict[str, Group]:
    """Returns one group a division of (division, value, observed at)."""
    groups: dict[str, list[tuple[float, int]]] = {}
    for division, value, at in values:
        groups.setdefault(division, []).append((value, at))
    return {division: _reduce(group, method) for division, group in sorted(groups.items())}


def default_number(instances: Sequence[Mapping[str, Any]]) -> tuple[float, int] | None:
    """Returns the number of the default instance and its time (µs), or None where there is none."""
    for instance in instances:
        value = instance.get("value")
        if "datasetId" not in instance and isinstance(value, int | float) and not isinstance(value, bool):
            return float(value), _instant(instance.get("observedAt"))
    return None


def _reduce(group: Sequence[tuple[float, int]], method: Summary) -> Group:
    numbers = [value for value, _ in group]
    if method == "count":
        return len(group), float(len(group))
    if method == "newest":
        newest = max(at for _, at in group)
        return len(group), float(newest) if newest else None
    if method == "avg":
        return len(group), math.fsum(numbers) / len(group)
    return len(group), {"sum": math.fsum, "min": min, "max": max}[method](numbers)


def _count(session: Session, reach: Reach, shapes: frozenset[int], digits: int) -> dict[str, Group]:
    limit = _limit(session, reach, shapes, "c")
    rows = session.all(
        f"SELECT substr(c.division, 1, {int(digits)}), sum(c.entities) FROM counts c"  # noqa: S608 -- own pieces
        f" WHERE {limit.text} GROUP BY 1 ORDER BY 1",
        limit.parameters,
    )
    return {division: (count, float(count)) for division, count in rows if count}


def _limit(session: Session, reach: Reach, shapes: frozenset[int], table: str) -> Sql:
    parts = [session.dialect.among(f"{table}.shape", sorted(shapes))]
    reached = within(f"{table}.division", reach, session.home)
    return every([*parts, reached] if reached is not None else parts)


def _from_last(
    session: Session, reach: Reach, shapes: frozenset[int], book: Book, number: int, digits: int
) -> Iterable[tuple[str, float, int]]:
    only = frozenset(n for n in shapes if number in book.shapes[n].last and number not in book.shapes[n].stored)
    if not only:
        return []
    limit = _limit(session, reach, only, "e")
    return session.all(
        f"SELECT substr(e.division, 1, {int(digits)}), l.number, l.observed_at"  # noqa: S608 -- own pieces
        f" FROM entities e CROSS JOIN last l ON l.key = e.entity * 1048576 + ?"
        f" WHERE l.number IS NOT NULL AND {limit.text}",
        (number, *limit.parameters),
    )


def _from_documents(
    session: Session, reach: Reach, shapes: frozenset[int], book: Book, attribute: str, digits: int
) -> Iterable[tuple[str, float, int]]:
    stored = frozenset(n for n in shapes if book.names[attribute] in book.shapes[n].stored)
    if not stored:
        return
    limit = _limit(session, reach, stored, "e")
    rows = session.all(
        f"SELECT substr(e.division, 1, {int(digits)}), e.entity, e.shape FROM entities e WHERE {limit.text}",  # noqa: S608
        limit.parameters,
    )
    for division, entity, shape in rows:
        found = default_number(json.loads(session.merged(entity, shape))[attribute])
        if found is not None:
            yield division, *found


def _instant(text: object) -> int:
    try:
        return instant_us(text) if text else 0
    except YunmengError:
        return 0

"""A numeric attribute by division: grouped in SQL, except where a document and telemetry both have it."""

from collections.abc import Iterable, Mapping

from yunmeng.kernel.model import TypeIs
from yunmeng.kernel.store.state.plan import Sql, every, within
from yunmeng.kernel.store.state.port import Summary
from yunmeng.kernel.store.state.shapes import Book
from yunmeng.kernel.store.state.sqlite.session import Session
from yunmeng.kernel.store.state.summing import TELEMETRY, Group, Part, combine, of_document
from yunmeng.kernel.trust import Reach


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
        parts = [
            *_from_last(session, reach, shapes, book, number, digits),
            *_from_documents(session, reach, shapes, book, attribute, digits),
        ]
    return combine(parts, method)


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
) -> Iterable[Part]:
    only = frozenset(
        n for n in shapes if number in book.shapes[n].last and number not in book.shapes[n].stored
    )
    if not only:
        return []
    limit = _limit(session, reach, only, "e")
    sql = f"SELECT substr(e.division, 1, {int(digits)}), {TELEMETRY}{limit.text} GROUP BY 1"
    return [Part(*row) for row in session.all(sql, (number, *limit.parameters))]


def _from_documents(
    session: Session, reach: Reach, shapes: frozenset[int], book: Book, attribute: str, digits: int
) -> Iterable[Part]:
    stored = frozenset(n for n in shapes if book.names[attribute] in book.shapes[n].stored)
    if not stored:
        return
    limit = _limit(session, reach, stored, "e")
    sql = f"SELECT substr(e.division, 1, {int(digits)}), e.entity, e.shape FROM entities e WHERE {limit.text}"  # noqa: S608
    for division, entity, shape in session.all(sql, limit.parameters):
        part = of_document(division, session.merged(entity, shape), attribute)
        if part is not None:
            yield part

"""Queries on SQLite: which index drives, what is read in order of id, what the matcher is asked.

The engine does not know how many rows a condition leaves, so it is told: a bounded count on each index
term picks the driver, and when none is selective the entities are walked by id until the page is full.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from itertools import islice

from yunmeng.kernel.model import Order
from yunmeng.kernel.store.state.candidates import Judge
from yunmeng.kernel.store.state.ordering import Ordering
from yunmeng.kernel.store.state.plan import Plan, Sql, every, make_plan
from yunmeng.kernel.store.state.port import EntityPage, EntityQuery
from yunmeng.kernel.store.state.sieve import Sieve
from yunmeng.kernel.store.state.sqlite.connection import whole_numbers
from yunmeng.kernel.store.state.sqlite.session import Session, unpacked
from yunmeng.kernel.trust import Reach

SELECTIVE = 4_000
"""Up to so many rows of an index are sorted by id; more, and walking by id fills a page sooner."""

SCAN_MOST = 500
"""Up to so many entities are put to the matcher without wishing for an index."""

_ARMS = 40
_FAR_MORE, _FEW = 4, 64
_BATCH = 64
_COLUMNS = "SELECT e.entity, e.id, e.shape FROM"
_WITH_FACETS = "SELECT e.entity, e.id, e.shape, e.facets FROM"
_BODIES = "SELECT d.body FROM carray(?) c CROSS JOIN documents d ON d.entity = c.value"

Wish = Callable[[set[int]], None]


@dataclass(slots=True)
class Walk:
    """Candidates in order of id; ``light`` when only few can be looked at."""

    sql: Sql
    light: bool


class Finder:
    """Carries out entity queries on one session."""

    def __init__(self, session: Session, wish: Wish, scan_most: int = SCAN_MOST) -> None:
        self._session = session
        self._wish = wish
        self._scan_most = scan_most

    def find(self, query: EntityQuery, *, only_light: bool = False) -> EntityPage | None:
        """Returns the page; None when it would take long and only light work was asked for."""
        if query.order is not None:
            return None if only_light else self._in_order(query, query.order)
        if query.count and query.after:
            # what is counted does not depend on where the page begins
            page = self.find(replace(query, count=False), only_light=only_light)
            total = self.find(replace(query, after="", limit=0, offset=0), only_light=only_light)
            return None if page is None or total is None else EntityPage(page.documents, total.count)
        with self._session.snapshot() as book:
            plan = make_plan(query, book, self._session.home, self._session.dialect)
            if not plan.shapes:
                return EntityPage((), 0 if query.count else None)
            self._note_wishes(plan)
            countable = plan.is_exact
            walk = self._walk(plan, query)
            if only_light and not walk.light:
                return None
            count = self._count(plan, query) if query.count and countable else None
            if not plan.is_exact:
                return self._ask_each(plan, query, walk, count)
            return EntityPage(self._page(query, walk), count)

    def _in_order(self, query: EntityQuery, order: Order) -> EntityPage:
        ordering = Ordering(query, order)
        while ordering.chunk is not None:
            found = self.find(ordering.chunk)
            ordering.take(found.documents if found is not None else ())
        return ordering.page()

    def _note_wishes(self, plan: Plan) -> None:
        if plan.wished and self._total(plan.shapes) > self._scan_most:
            self._wish(plan.wished)

    def _total(self, shapes: frozenset[int], prefixes: tuple[str, ...] | None = None) -> int:
        return sum(self._session.counts(Reach(prefixes=prefixes), shapes).values())

    def _walk(self, plan: Plan, query: EntityQuery) -> Walk:
        where = [*plan.where, *self._shape_limit(plan)]
        if query.ids:
            return self._ordered(plan, "entities e INDEXED BY entities_by_id", [*where, *self._rest(plan)])
        if plan.rows and (driven := self._driven(plan, where)) is not None:
            return driven
        if plan.rows or plan.rest:
            # too many rows to sort: the matcher decides while walking
            plan.ask = plan.ask or query.conditions is not None
        few = plan.prefixes is not None and self._total(plan.shapes, plan.prefixes) <= SELECTIVE
        if few:
            source = "entities e INDEXED BY entities_by_division"
            return self._ordered(plan, source, where, light=not plan.ask)
        light = plan.is_exact and not query.count
        if plan.narrow and len(plan.shapes) <= _ARMS:
            return Walk(_arms(_columns(plan), sorted(plan.shapes), plan.where), light)
        return self._ordered(plan, "entities e INDEXED BY entities_by_id", where, light=light)

    def _driven(self, plan: Plan, where: list[Sql]) -> Walk | None:
        found = [entities for entities in self._found(plan.rows) if entities is not None]
        if not found:
            return None
        plan.ask = plan.ask or len(found) < len(plan.rows)
        entities = sorted(found[0].intersection(*found[1:]))
        if not entities:
            return self._ordered(plan, "entities e", [Sql("1 = 0")])
        source = Sql("carray(?) r CROSS JOIN entities e ON e.entity = r.value", (whole_numbers(entities),))
        light = min(map(len, found)) <= SELECTIVE // 4
        return self._ordered(plan, source, [*where, *plan.rest], light=light)

    def _found(self, rows: list[Sql]) -> list[set[int] | None]:
        """Returns the entities that each leaves; of what leaves far more than the best None.

        A box, which stands last, is the cheapest to search and mostly the best.
        """
        found: list[set[int] | None] = [None] * len(rows)
        most = SELECTIVE
        for place in reversed(range(len(rows))):
            entities = found[place] = self._entities(rows[place], most)
            if entities is not None:
                most = min(most, max(len(entities) * _FAR_MORE, _FEW))
        return found

    def _entities(self, rows: Sql, most: int) -> set[int] | None:
        # the limit is inside, so that a huge set is not searched to its end
        text = f"SELECT entity FROM ({rows.text}) LIMIT ?"  # noqa: S608 -- own pieces
        found = self._session.all(text, (*rows.parameters, most + 1))
        return None if len(found) > most else {row[0] for row in found}

    def _shape_limit(self, plan: Plan) -> list[Sql]:
        return [self._session.dialect.among("e.shape", sorted(plan.shapes))] if plan.narrow else []

    def _rest(self, plan: Plan) -> list[Sql]:
        return [*plan.rest, *(Sql(f"e.entity IN ({rows.text})", rows.parameters) for rows in plan.rows)]

    def _ordered(self, plan: Plan, source: Sql | str, where: list[Sql], *, light: bool = True) -> Walk:
        source = Sql(source) if isinstance(source, str) else source
        limit = every(where)
        text = f"{_columns(plan)} {source.text} WHERE {limit.text} ORDER BY e.id"
        return Walk(Sql(text, (*source.parameters, *limit.parameters)), light)

    def _page(self, query: EntityQuery, walk: Walk) -> list[bytes]:
        if query.limit <= 0:
            return []
        text = (
            f"SELECT p.entity, p.shape, d.body FROM ({walk.sql.text} LIMIT ? OFFSET ?) p "  # noqa: S608 -- own pieces
            "CROSS JOIN documents d ON d.entity = p.entity ORDER BY p.id"
        )
        rows = self._session.all(text, (*walk.sql.parameters, query.limit, query.offset))
        return [self._session.merged(entity, shape, unpacked(body)) for entity, shape, body in rows]

    def _count(self, plan: Plan, query: EntityQuery) -> int:
        narrowed = query.ids or query.selectors or query.scope is not None or query.divisions
        if not plan.rows and not plan.rest and not narrowed:
            return sum(self._session.counts(query.reach, plan.shapes).values())
        limit = every([*plan.where, *self._shape_limit(plan), *self._rest(plan)])
        text = f"SELECT count(*) FROM entities e WHERE {limit.text}"  # noqa: S608 -- own pieces
        return self._session.number(Sql(text, limit.parameters))

    def _ask_each(self, plan: Plan, query: EntityQuery, walk: Walk, count: int | None) -> EntityPage:
        documents: list[bytes] = []
        end, found = query.offset + query.limit, 0
        to_the_end = query.count and count is None
        if query.limit <= 0 and not to_the_end:
            return EntityPage((), count)
        for entity, shape, body in self._accepted(plan, query, walk):
            if query.offset <= found < end:
                documents.append(self._session.merged(entity, shape, body))
            found += 1
            if found >= end and not to_the_end:
                break
        return EntityPage(documents, found if to_the_end else count)

    def _accepted(self, plan: Plan, query: EntityQuery, walk: Walk) -> Iterator[tuple[int, int, bytes]]:
        sieve = Sieve(plan)
        judge = Judge(plan, query, decided=sieve.exact)
        names = self._session.book.names
        asked = {names[uri] for uri in judge.attributes if uri in names}
        step = min(_BATCH, query.offset + query.limit or _BATCH)
        for some in _batches(self._candidates(plan, sieve, walk), step):
            numbers = whole_numbers([entity for entity, _ in some])
            rows = self._session.all(_BODIES, (numbers,))
            for (entity, shape), (stored,) in zip(some, rows, strict=True):
                body = unpacked(stored)
                measured = not asked.isdisjoint(self._session.shape(shape).last)
                if judge.accepts(self._session.merged(entity, shape, body) if measured else body):
                    yield entity, shape, body

    def _candidates(self, plan: Plan, sieve: Sieve, walk: Walk) -> Iterator[tuple[int, int]]:
        tested = plan.pattern is not None or bool(plan.choices)
        for entity, id, shape, facets in self._session.each(walk.sql):
            if sieve.useful and not sieve.lets(facets, shape):
                continue
            if not tested or plan.admits(id, shape):
                yield entity, shape


def _batches(candidates: Iterator[tuple[int, int]], step: int) -> Iterator[list[tuple[int, int]]]:
    while some := list(islice(candidates, step)):
        yield some


def _columns(plan: Plan) -> str:
    return _COLUMNS if plan.is_exact else _WITH_FACETS


def _arms(columns: str, shapes: list[int], where: list[Sql]) -> Sql:
    limit = every(where)
    arm = f"{columns} entities e INDEXED BY entities_by_shape WHERE e.shape = ? AND {limit.text}"
    text = " UNION ALL ".join([arm] * len(shapes)) + (" ORDER BY id" if len(shapes) > 1 else " ORDER BY e.id")
    return Sql(text, tuple(p for shape in shapes for p in (shape, *limit.parameters)))

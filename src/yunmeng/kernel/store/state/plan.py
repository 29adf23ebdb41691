"""A query made ready for SQL: the shapes it allows, the terms of the index, what each candidate is asked."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple, Protocol

from yunmeng.kernel.model import (
    GeoCondition,
    GeoMatcher,
    Pattern,
    ScopeSelection,
    check_pattern,
    matches_scopes,
)
from yunmeng.kernel.store.state.facets import Box, place_of
from yunmeng.kernel.store.state.port import EntityQuery
from yunmeng.kernel.store.state.shapes import Book
from yunmeng.kernel.store.state.telemetry import band
from yunmeng.kernel.store.state.terms import (
    Every,
    InShapes,
    Interval,
    Some,
    Term,
    Values,
    compile_condition,
)
from yunmeng.kernel.trust import Reach

Parameter = object


class Sql(NamedTuple):
    """A piece of SQL with ``?`` for each of its parameters."""

    text: str
    parameters: tuple[Parameter, ...] = ()


class Dialect(Protocol):
    """What the engines write differently."""

    def among(self, column: str, numbers: Sequence[int]) -> Sql:
        """Returns ``column`` is one of many whole numbers."""
        ...

    def among_texts(self, column: str, texts: Sequence[str]) -> Sql:
        """Returns ``column`` is one of many texts."""
        ...

    def in_box(self, box: Box) -> Sql:
        """Returns a select of the entities with a geometry whose box meets ``box``."""
        ...


@dataclass(frozen=True, slots=True)
class Choice:
    """What a selector takes: entities of these shapes, with these ids (none: any), that match the pattern."""

    shapes: frozenset[int]
    ids: tuple[str, ...]
    pattern: Pattern | None

    def takes(self, id: str, shape: int) -> bool:
        """Tells whether it takes an entity."""
        fitting = shape in self.shapes and (not self.ids or id in self.ids)
        return fitting and (self.pattern is None or self.pattern.search(id) is not None)


@dataclass(slots=True)
class Plan:
    """A query for one snapshot of the dictionaries.

    ``rows`` are selects of entity rows that the index can answer, ``rest`` the terms that only narrow;
    ``where`` are conditions on single columns. ``ask`` tells that candidates must be put to the matcher;
    ``term`` is what the index can say of the condition, all of it where ``exact_term``.
    """

    shapes: frozenset[int]
    narrow: bool
    rows: list[Sql] = field(default_factory=list[Sql])
    rest: list[Sql] = field(default_factory=list[Sql])
    where: list[Sql] = field(default_factory=list[Sql])
    prefixes: tuple[str, ...] | None = None
    pattern: Pattern | None = None
    choices: tuple[Choice, ...] = ()
    ask: bool = False
    geo: GeoMatcher | None = None
    term: Term | None = None
    exact_term: bool = False
    wished: set[int] = field(default_factory=set[int])

    @property
    def is_exact(self) -> bool:
        """Tells whether SQL alone finds what matches."""
        return not (self.ask or self.geo or self.pattern or self.choices)

    def admits(self, id: str, shape: int) -> bool:
        """Tells whether a candidate has an id and types that SQL could not decide about."""
        if self.pattern is not None and self.pattern.search(id) is None:
            return False
        return not self.choices or any(one.takes(id, shape) for one in self.choices)


def make_plan(query: EntityQuery, book: Book, home: str, dialect: Dialect) -> Plan:
    """Returns the plan of a query; ``home`` is the division of the node itself.

    Raises:
        BadInput: ``pattern.bad`` when the id pattern is no usable regular expression.
    """
    plan = Plan(*_shapes(query, book))
    _add_columns(plan, query, book, home, dialect)
    _add_conditions(plan, query, book, dialect)
    if query.geo is not None:
        _add_geo(plan, query.geo, book, dialect)
    if query.selectors:
        _add_choices(plan, query, book, dialect)
    if query.id_pattern:
        plan.pattern = check_pattern(query.id_pattern)
    return plan


def within(column: str, reach: Reach, home: str) -> Sql | None:
    """Returns the condition that holds a column of division codes within a reach; None for no limit."""
    if reach.prefixes is None:
        return None
    parts = _beginnings(column, reach.prefixes)
    if any(home.startswith(prefix) for prefix in reach.prefixes):
        parts.append(Sql(f"{column} = ''"))
    return either(parts)


def either(parts: Sequence[Sql]) -> Sql:
    """Returns that one of the parts holds; none of them: nothing does."""
    return _joined(parts, " OR ") if parts else Sql("1 = 0")


def every(parts: Sequence[Sql]) -> Sql:
    """Returns that all parts hold."""
    return _joined(parts, " AND ") if parts else Sql("1 = 1")


def prefix_of(code: str) -> str:
    """Returns the beginning that all codes under a GB/T 2260 code share."""
    return re.sub(r"^(\d{2}(?:\d{2})??)(?:00)+$", r"\1", code) if len(code) == 6 else code


def _joined(parts: Sequence[Sql], word: str) -> Sql:
    text = word.join(part.text for part in parts)
    return Sql(f"({text})", tuple(p for part in parts for p in part.parameters))


def _beginnings(column: str, prefixes: Iterable[str]) -> list[Sql]:
    return [
        Sql(f"({column} >= ? AND {column} < ?)", (prefix, prefix[:-1] + chr(ord(prefix[-1]) + 1)))
        if prefix
        else Sql("1 = 1")
        for prefix in prefixes
    ]


def _shapes(query: EntityQuery, book: Book) -> tuple[frozenset[int], bool]:
    shapes = book.of_tenant(query.reach.tenant)
    if query.types is not None:
        shapes &= book.of_types(query.types)
    if query.attributes:
        shapes &= frozenset[int]().union(*map(book.having, query.attributes))
    return shapes, len(shapes) < len(book.shapes)


def _add_columns(plan: Plan, query: EntityQuery, book: Book, home: str, dialect: Dialect) -> None:
    plan.where.append(Sql("e.tenant = ?", (query.reach.tenant,)))
    limit = within("e.division", query.reach, home)
    if limit is not None:
        plan.where.append(limit)
        plan.prefixes = query.reach.prefixes
    if query.divisions:
        prefixes = tuple(map(prefix_of, query.divisions))
        plan.where.append(either(_beginnings("e.division", prefixes)))
        plan.prefixes = prefixes
    if query.scope is not None:
        plan.where.append(dialect.among("e.scope", _scopes(query.scope, book)))
    if query.ids:
        plan.where.append(dialect.among_texts("e.id", query.ids))
    if query.after:
        plan.where.append(Sql("e.id > ?", (query.after,)))


def _add_choices(plan: Plan, query: EntityQuery, book: Book, dialect: Dialect) -> None:
    choices = [
        Choice(
            plan.shapes & book.of_types(one.types) if one.types is not None else plan.shapes,
            one.ids,
            check_pattern(one.id_pattern) if one.id_pattern else None,
        )
        for one in query.selectors
    ]
    plan.shapes = frozenset[int]().union(*(one.shapes for one in choices))
    plan.narrow = True
    plan.where.append(either([_choice(one, dialect) for one in choices]))
    # patterns are for Python to match
    plan.choices = tuple(choices) if any(one.pattern for one in choices) else ()


def _choice(choice: Choice, dialect: Dialect) -> Sql:
    shapes = dialect.among("e.shape", sorted(choice.shapes))
    return every([shapes, dialect.among_texts("e.id", choice.ids)] if choice.ids else [shapes])


def _scopes(selection: ScopeSelection, book: Book) -> list[int]:
    return [n for n, scopes in book.scopes.items() if matches_scopes({"scope": list(scopes)}, selection)]


def _add_conditions(plan: Plan, query: EntityQuery, book: Book, dialect: Dialect) -> None:
    if query.conditions is None:
        return
    compiled = compile_condition(query.conditions, book, plan.shapes)
    plan.ask, plan.wished = not compiled.exact, compiled.wished
    plan.term, plan.exact_term = compiled.term, compiled.exact
    for part in _flat(compiled.term):
        if isinstance(part, InShapes):
            plan.shapes &= part.shapes
            plan.narrow = True
        elif (rows := rows_of(part)) is not None:
            plan.rows.append(rows)
        else:
            plan.rest.append(where_of(part, dialect))


def _add_geo(plan: Plan, geo: GeoCondition, book: Book, dialect: Dialect) -> None:
    plan.geo = GeoMatcher(geo)
    plan.shapes &= book.having(geo.property)
    plan.narrow = True
    if plan.geo.bounds is not None:
        plan.rows.append(dialect.in_box(plan.geo.bounds))


def _flat(term: Term) -> list[Term]:
    if isinstance(term, Every):
        return [inner for part in term.parts for inner in _flat(part)]
    return [term]


def rows_of(term: Term) -> Sql | None:
    """Returns a select of the entity rows a term accepts, or None where only a condition can say it."""
    if isinstance(term, Values):
        return _union(
            [_interval_rows(term, interval, last) for interval in term.intervals for last in _sides(term)]
        )
    if isinstance(term, Some) and term.parts:
        parts = [rows_of(part) for part in term.parts]
        return None if any(part is None for part in parts) else _union([part for part in parts if part])
    return None


def where_of(term: Term, dialect: Dialect) -> Sql:
    """Returns a term as a condition on the entity ``e``."""
    if isinstance(term, InShapes):
        return dialect.among("e.shape", sorted(term.shapes))
    if isinstance(term, Values):
        rows = rows_of(term)
        return Sql("1 = 0") if rows is None else Sql(f"e.entity IN ({rows.text})", rows.parameters)
    parts = [where_of(part, dialect) for part in term.parts]
    return every(parts) if isinstance(term, Every) else either(parts)


def _sides(term: Values) -> list[bool]:
    return [last for last, there in ((False, term.stored), (True, term.last)) if there]


def _union(parts: Sequence[Sql]) -> Sql:
    if not parts:
        return Sql("SELECT entity FROM numbers WHERE 1 = 0")
    return Sql(
        " UNION ALL ".join(part.text for part in parts), tuple(p for part in parts for p in part.parameters)
    )


def _interval_rows(term: Values, interval: Interval, last: bool) -> Sql:
    worded = isinstance(interval.low if interval.low is not None else interval.high, str)
    ends = _ends("value", interval)
    if last:
        if not worded:
            return _band_rows(term.attribute, interval)
        text = f"SELECT entity FROM last_texts WHERE attribute = ? AND {ends.text}"  # noqa: S608 -- own pieces
        return Sql(text, (term.attribute, *ends.parameters))
    places = [place_of(term.attribute, place) for place in term.places]
    among = f"attribute IN ({', '.join('?' * len(places))})"
    table = "texts" if worded else "numbers"
    return Sql(f"SELECT entity FROM {table} WHERE {among} AND {ends.text}", (*places, *ends.parameters))  # noqa: S608 -- own pieces


def _band_rows(attribute: int, interval: Interval) -> Sql:
    low, high = (
        None if end is None or isinstance(end, str) else band(end) for end in (interval.low, interval.high)
    )
    coarse = _ends("b.band", replace(interval, low=low, high=high, low_open=False, high_open=False))
    ends = _ends("l.number", interval)
    return Sql(
        "SELECT b.entity FROM bands b JOIN last l ON l.key = b.entity * 1048576 + b.attribute"  # noqa: S608 -- own pieces
        f" WHERE b.attribute = ? AND {coarse.text} AND {ends.text}",
        (attribute, *coarse.parameters, *ends.parameters),
    )


def _ends(column: str, interval: Interval) -> Sql:
    parts: list[Sql] = []
    if interval.low is not None:
        parts.append(Sql(f"{column} {'>' if interval.low_open else '>='} ?", (interval.low,)))
    if interval.high is not None:
        parts.append(Sql(f"{column} {'<' if interval.high_open else '<='} ?", (interval.high,)))
    return every(parts)

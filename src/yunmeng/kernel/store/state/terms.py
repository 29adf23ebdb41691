"""The query compiler: a parsed ``q`` as a tree of terms that an index can answer.

A tree accepts every entity that the condition accepts; when ``exact`` it accepts no other. What an index
cannot say (patterns, sub-attributes, keys inside values) becomes the weaker term "has the attribute" and the
reader asks the pure matcher about each candidate.
"""

from collections.abc import Callable
from dataclasses import dataclass

from yunmeng.kernel.model import And, Compare, Condition, Exists, Linked, Operand, Or, Range
from yunmeng.kernel.store.state.facets import (
    BOOLEAN,
    ELEMENT,
    SCALAR,
    TEXT_MOST,
    Scalar,
    as_float,
    as_text,
    is_attribute,
)
from yunmeng.kernel.store.state.shapes import Book

_SAFE_WHOLE = 2.0**53
_OPERANDS_MOST = 100
"""An engine joins only so many searches of its index in one question."""


@dataclass(frozen=True, slots=True)
class Interval:
    """Scalars between two ends, of one kind; None is open."""

    low: Scalar | None
    high: Scalar | None
    low_open: bool = False
    high_open: bool = False


@dataclass(frozen=True, slots=True)
class Values:
    """Some instance of the attribute has a scalar in one of the intervals."""

    attribute: int
    places: tuple[int, ...]
    intervals: tuple[Interval, ...]
    stored: bool
    last: bool


@dataclass(frozen=True, slots=True)
class InShapes:
    """The entity has one of these shapes."""

    shapes: frozenset[int]


@dataclass(frozen=True, slots=True)
class Every:
    """All parts hold; no parts: anything."""

    parts: "tuple[Term, ...]"


@dataclass(frozen=True, slots=True)
class Some:
    """One part holds."""

    parts: "tuple[Term, ...]"


Term = Values | InShapes | Every | Some

ANYTHING = Every(())


@dataclass(slots=True)
class Compiled:
    """A tree of terms, whether it is exact, and the attributes that an index would have helped with."""

    term: Term
    exact: bool
    wished: set[int]


def compile_condition(condition: Condition, book: Book, shapes: frozenset[int]) -> Compiled:
    """Returns what the index of ``book`` can say about a condition on entities of the ``shapes``."""
    wished: set[int] = set()
    term, exact = _compile(condition, book, shapes, wished)
    return Compiled(term, exact, wished)


def _compile(condition: Condition, book: Book, shapes: frozenset[int], wished: set[int]) -> tuple[Term, bool]:
    if isinstance(condition, Exists):
        path = condition.path
        if not is_attribute(path.attribute):
            return ANYTHING, False
        exact = not path.sub and not path.keys
        having = book.having(path.attribute)
        if condition.negated:
            return (InShapes(shapes - having), True) if exact else (ANYTHING, False)
        return InShapes(having), exact
    if isinstance(condition, Compare):
        return _compare(condition, book, shapes, wished)
    if isinstance(condition, Linked):
        raise TypeError("a condition on linked entities must be resolved before it is asked of a store")
    parts = [_compile(part, book, shapes, wished) for part in condition.parts]
    terms, exact = tuple(term for term, _ in parts), all(exact for _, exact in parts)
    return _GROUPS[type(condition)](terms), exact


_GROUPS: dict[type, Callable[[tuple[Term, ...]], Term]] = {And: Every, Or: Some}


def _compare(compare: Compare, book: Book, shapes: frozenset[int], wished: set[int]) -> tuple[Term, bool]:
    path = compare.path
    if not is_attribute(path.attribute):
        return ANYTHING, False
    having = InShapes(book.having(path.attribute))
    attribute = book.names.get(path.attribute)
    intervals = _intervals(compare)
    if attribute is None or intervals is None or path.sub or path.keys:
        return having, False
    if attribute not in book.indexed:
        wished.add(attribute)
        return having, False
    stored, last, both = book.sources(attribute, shapes)
    exact = not both and all(map(_is_exact, intervals))
    return Values(attribute, _places(compare), intervals, stored, last), exact


def _places(compare: Compare) -> tuple[int, ...]:
    if any(isinstance(operand, Operand) and operand.kind == "boolean" for operand in compare.operands):
        return (BOOLEAN,)
    return (SCALAR, ELEMENT) if compare.operator == "==" else (SCALAR,)


def _intervals(compare: Compare) -> tuple[Interval, ...] | None:
    if len(compare.operands) > _OPERANDS_MOST:
        return None
    kinds = {operand.kind for operand in compare.operands if isinstance(operand, Operand)}
    if "boolean" in kinds and (len(kinds) > 1 or compare.operator != "=="):
        return None
    found: list[Interval] = []
    for operand in compare.operands if compare.operator == "==" else compare.operands[:1]:
        interval = _interval(compare.operator, operand)
        if interval is None:
            return None
        found.append(interval)
    return tuple(found)


def _interval(operator: str, operand: Operand | Range) -> Interval | None:
    if isinstance(operand, Range):
        low, high = _scalar(operand.low), _scalar(operand.high)
        if low is None or high is None or type(low) is not type(high) or operator != "==":
            return None
        return Interval(low, high)
    scalar = _scalar(operand)
    if scalar is None:
        return None
    return {
        "==": Interval(scalar, scalar),
        ">": Interval(scalar, None, low_open=not _is_cut(scalar)),
        ">=": Interval(scalar, None),
        "<": Interval(None, scalar, high_open=not _is_cut(scalar)),
        "<=": Interval(None, scalar),
    }.get(operator)


def _scalar(operand: Operand) -> Scalar | None:
    value = operand.value
    if operand.kind == "boolean":
        return "true" if value else "false"
    if operand.kind == "number" and not isinstance(value, str):
        return as_float(value)
    # times are compared as instants, which texts do not sort by
    return as_text(value) if operand.kind in ("string", "uri") and isinstance(value, str) else None


def _is_cut(scalar: Scalar) -> bool:
    return isinstance(scalar, str) and len(scalar) >= TEXT_MOST


def _is_exact(interval: Interval) -> bool:
    ends = [end for end in (interval.low, interval.high) if end is not None]
    return not any(_is_cut(end) if isinstance(end, str) else abs(end) >= _SAFE_WHOLE for end in ends)

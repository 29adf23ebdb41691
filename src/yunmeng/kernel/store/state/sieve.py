"""What the index row of a candidate says already: most that do not match go before they are decoded."""

from collections.abc import Callable
from typing import Any

from yunmeng.kernel.store.state.facets import Box, Scalar, place_of, unpack
from yunmeng.kernel.store.state.plan import Plan
from yunmeng.kernel.store.state.terms import Every, InShapes, Interval, Term, Values

Test = Callable[[list[tuple[int, Scalar]], int], bool]


class Sieve:
    """Tries candidates by their facets; what it lets through may match.

    ``exact`` tells that of the condition nothing is left to ask.
    """

    def __init__(self, plan: Plan) -> None:
        # what has no box is only found where no bounds are
        self._geo = plan.geo if plan.geo is not None and plan.geo.bounds is not None else None
        self._test = None if plan.term is None else _test_of(plan.term)
        self.exact = plan.exact_term and plan.term is not None and _is_stored(plan.term)
        self.useful = self._geo is not None or (plan.term is not None and bool(_values_in(plan.term)))

    def lets(self, packed: bytes, shape: int) -> bool:
        """Tells whether a candidate may match."""
        values, boxes = unpack(packed)
        if self._test is not None and not self._test(values, shape):
            return False
        return self._geo is None or self._near(boxes)

    def _near(self, boxes: list[Box]) -> bool:
        geo = self._geo
        return geo is None or any(map(geo.may_match, boxes))


def _values_in(term: Term) -> list[Values]:
    if isinstance(term, Values):
        return [term]
    return [] if isinstance(term, InShapes) else [one for part in term.parts for one in _values_in(part)]


def _is_stored(term: Term) -> bool:
    """Tells whether last values, which stand elsewhere, have no say."""
    return not any(one.last for one in _values_in(term))


def _test_of(term: Term) -> Test:
    if isinstance(term, InShapes):
        return lambda _, shape: shape in term.shapes
    if isinstance(term, Values):
        return _test_of_values(term)
    parts = [_test_of(part) for part in term.parts]
    if len(parts) == 1:
        return parts[0]
    decide = all if isinstance(term, Every) else any
    return lambda values, shape: decide(part(values, shape) for part in parts)


def _test_of_values(term: Values) -> Test:
    if term.last:
        return lambda _, __: True
    places = frozenset(place_of(term.attribute, place) for place in term.places)

    def test(values: list[tuple[int, Scalar]], _: int) -> bool:
        for place, scalar in values:
            if place in places:
                for interval in term.intervals:
                    if _holds(interval, scalar):
                        return True
        return False

    return test


def _holds(interval: Interval, scalar: Any) -> bool:
    low: Any = interval.low
    high: Any = interval.high
    if isinstance(low if low is not None else high, str) != isinstance(scalar, str):
        return False
    if low is not None and (scalar < low or (interval.low_open and scalar == low)):
        return False
    return high is None or (scalar < high or (scalar == high and not interval.high_open))

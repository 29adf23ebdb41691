"""Candidates that go by what their index row says, and those that must be looked at."""

import pytest

from yunmeng.kernel.model import GeoCondition, GeoMatcher
from yunmeng.kernel.store.state.facets import SCALAR, pack
from yunmeng.kernel.store.state.plan import Plan
from yunmeng.kernel.store.state.sieve import Sieve
from yunmeng.kernel.store.state.terms import Every, InShapes, Interval, Some, Term, Values

SHAPE, POWER, NAME = 3, 7, 8
LOCATION = "https://uri.etsi.org/ngsi-ld/location"
WUHAN = (114.3, 30.6, 114.3, 30.6)


def values(attribute: int, interval: Interval, *, last: bool = False) -> Values:
    return Values(attribute, (SCALAR,), (interval,), not last, last)


def row(power: float, name: str = "b") -> bytes:
    return pack(([(POWER * 4, power), (NAME * 4, name)], [WUHAN]))


ABOVE = values(POWER, Interval(5.0, None, low_open=True))


@pytest.mark.parametrize(
    ("term", "lets"),
    [
        (ABOVE, [6.0]),
        (values(POWER, Interval(5.0, None)), [5.0, 6.0]),
        (values(POWER, Interval(None, 5.0, high_open=True)), [4.0]),
        (values(POWER, Interval(5.0, 5.0)), [5.0]),
        (values(NAME, Interval("b", "b")), [4.0, 5.0, 6.0]),
        (values(NAME, Interval("c", None)), []),
        (Every((ABOVE, InShapes(frozenset((SHAPE,))))), [6.0]),
        (Every((ABOVE, InShapes(frozenset((4,))))), []),
        (Some((ABOVE, values(POWER, Interval(4.0, 4.0)))), [4.0, 6.0]),
        (Some((ABOVE, InShapes(frozenset((SHAPE,))))), [4.0, 5.0, 6.0]),
    ],
)
def test_values_that_are_indexed_decide(term: Term, lets: list[float]) -> None:
    sieve = Sieve(Plan(frozenset((SHAPE,)), True, term=term, exact_term=True))
    assert sieve.exact
    assert [power for power in (4.0, 5.0, 6.0) if sieve.lets(row(power), SHAPE)] == lets


def test_what_telemetry_may_have_moved_is_let_through() -> None:
    both = Values(POWER, (SCALAR,), (Interval(5.0, None),), stored=True, last=True)
    sieve = Sieve(Plan(frozenset((SHAPE,)), True, term=both, exact_term=True))
    assert not sieve.exact
    assert sieve.lets(row(1.0), SHAPE)


def test_points_too_far_away_go() -> None:
    condition = GeoCondition("near", {"type": "Point", "coordinates": [114.3, 30.61]}, LOCATION, None, 1200.0)
    sieve = Sieve(Plan(frozenset((SHAPE,)), True, geo=GeoMatcher(condition)))
    assert sieve.lets(row(1.0), SHAPE)
    assert not sieve.lets(pack(([], [(114.32, 30.61, 114.32, 30.61)])), SHAPE)
    # of what is no point the box says too little
    assert sieve.lets(pack(([], [(114.32, 30.61, 114.4, 30.7)])), SHAPE)
    assert not sieve.lets(b"", SHAPE)


def test_points_outside_an_area_go_inside_its_box() -> None:
    corner = [[[114.0, 30.0], [115.0, 30.0], [114.0, 31.0], [114.0, 30.0]]]
    condition = GeoCondition("within", {"type": "Polygon", "coordinates": corner}, LOCATION, None, None)
    sieve = Sieve(Plan(frozenset((SHAPE,)), True, geo=GeoMatcher(condition)))
    assert sieve.lets(row(1.0), SHAPE)
    assert not sieve.lets(pack(([], [(114.9, 30.9, 114.9, 30.9)])), SHAPE)


def test_a_place_apart_lets_all_through_that_have_none() -> None:
    condition = GeoCondition("disjoint", {"type": "Point", "coordinates": [1.0, 1.0]}, LOCATION, None, None)
    assert Sieve(Plan(frozenset((SHAPE,)), True, geo=GeoMatcher(condition))).lets(b"", SHAPE)

"""Whatever text arrives, a parser of NGSI-LD either reads it or refuses it with an error of the house."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from yunmeng.kernel.base import YunmengError
from yunmeng.kernel.model import (
    ContextLibrary,
    check_geometry,
    check_pattern,
    context_link,
    expand_entity,
    expand_fragment,
    parse_geo,
    parse_order,
    parse_q,
    parse_scopes,
    parse_types,
)
from yunmeng.kernel.serve.ngsild.parameters import page, pattern, urns
from yunmeng.kernel.serve.ngsild.projection import parse_projection
from yunmeng.kernel.serve.ngsild.temporal_parameters import read_aggregation, read_window

CORE = ContextLibrary().core
MANY = settings(derandomize=True, deadline=None, max_examples=250)
LONG = 20_000

# the marks of the grammars (§4.9, §4.10, §4.17, §4.19, §4.21), and what lies just beside them
_MARKS = [
    *("(", ")", "[", "]", "{", "}", ";", "|", ",", ".", "..", "=", "==", "!=", ">", ">=", "<", "~=", "!~="),
    *("!", '"', "'", "\\", "/", "#", "+", "*", "%", ":", " ", "\n", "\x00", "é", "名称", "-", "@"),
    *("a", "type", "id", "urn:a:b", "urn:ngsi-ld:Room:1", "5", "-1e400", "1e5", "true", "null", "NaN"),
    *("2020-01-01T00:00:00Z", "2020-13-01", "near", "maxDistance==5", "within", "Point", "asc", "desc"),
]
WORDS = st.lists(st.sampled_from(_MARKS), max_size=24).map("".join) | st.text(max_size=60)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.sampled_from(_MARKS),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)


def resolve(member: Any) -> object:
    """Resolves a context without leaving the machine."""
    return asyncio.run(ContextLibrary(timeout_s=0.05).resolve(member))


TEXTS: dict[str, Callable[[str], object]] = {
    "q": lambda text: parse_q(text, CORE),
    "types": lambda text: parse_types(text, CORE),
    "scopes": parse_scopes,
    "order": lambda text: parse_order(text.split(","), CORE),
    "projection": lambda text: parse_projection(text, CORE),
    "link": context_link,
    "ids": urns,
    "pattern": pattern,
    "name": CORE.expand,
    "limit": lambda text: page({"limit": text, "offset": text, "count": text}),
    "window": lambda text: read_window(
        {"timerel": "between", "timeAt": text, "endTimeAt": text}, needed=True
    ),
    "relation": lambda text: read_window({"timerel": text, "timeAt": "2020-01-01T00:00:00Z"}, needed=True),
    "last": lambda text: read_window({"lastN": text}, needed=False),
    "aggregates": lambda text: read_aggregation(
        {"options": "aggregatedValues", "aggrMethods": text, "aggrPeriodDuration": text}
    ),
    "period": lambda text: read_aggregation(
        {"options": "aggregatedValues", "aggrMethods": "avg", "aggrPeriodDuration": text}
    ),
    "georel": lambda text: parse_geo({"georel": text, "geometry": "Point", "coordinates": "[1,2]"}, CORE),
    "geometry": lambda text: parse_geo({"georel": "within", "geometry": text, "coordinates": "[1,2]"}, CORE),
    "coordinates": lambda text: parse_geo(
        {"georel": "within", "geometry": "Polygon", "coordinates": text}, CORE
    ),
}


def survive(parse: Callable[[Any], object], given_: Any) -> None:
    """Lets the parser read or refuse; any other exception is a defect."""
    told: YunmengError | None = None
    try:
        parse(given_)
    except RecursionError:
        return  # the edge of HTTP answers 400 json.deep
    except YunmengError as error:
        told = error
    assert told is None or told.status in (400, 504), told


@pytest.mark.parametrize("name", TEXTS)
def test_any_text_is_read_or_refused(name: str) -> None:
    @MANY
    @given(WORDS)
    def check(text: str) -> None:
        survive(TEXTS[name], text)

    check()


_FLOODS = {
    "an opening": "(",
    "a bracket": "[",
    "a brace": "a{",
    "a nesting": "((a",
    "a condition": "a==1;",
    "a choice": "a|",
    "a list": "a,",
    "a path": "a.",
    "a range": "1..",
    "a mark": "==",
    "a not": "!",
    "a quote": '"',
    "a backslash": "\\",
    "a blank": " ",
    "a digit": "9",
    "a letter": "a",
    "a slash": "/",
    "a hash": "/#",
    "a link": '<a>;rel="b";',
    "an open link": "<",
    "a parameter": "<a>;;",
    "a repetition": "a*",
    "a group": "(a+)+",
    "an encoding": "%41",
    "a colon": "urn:a:",
}


@pytest.mark.timeout(30)
@pytest.mark.parametrize("name", TEXTS)
@pytest.mark.parametrize("flood", _FLOODS)
def test_a_flood_of_one_mark_does_not_hang(name: str, flood: str) -> None:
    """A parser that backtracks, or copies the rest at each step, would run into the limit."""
    many = _FLOODS[flood] * (LONG // len(_FLOODS[flood]))
    for text in (many, f"a{many}", f"{many}x", f'a=="{many}', f"a=={many}!"):
        survive(TEXTS[name], text)


@MANY
@given(JSON)
def test_any_json_as_an_entity_is_read_or_refused(value: Any) -> None:
    if isinstance(value, dict):
        survive(lambda body: expand_entity(body, CORE), value)
        survive(lambda body: expand_fragment(body, CORE), value)
    survive(
        lambda inner: expand_entity({"id": "urn:ngsi-ld:Room:1", "type": "Room", "a": inner}, CORE), value
    )


_KINDS = ("Property", "GeoProperty", "Relationship", "LanguageProperty", "VocabProperty", "JsonProperty")
_MEMBERS = (
    *("value", "object", "languageMap", "vocab", "json", "valueList", "objectList", "observedAt", "unitCode"),
    *("datasetId", "previousValue", "instanceId", "createdAt", "expiresAt", "objectType", "sub"),
)
INSTANCES = st.fixed_dictionaries(
    {"type": st.sampled_from((*_KINDS, "ListProperty", "ListRelationship")) | JSON},
    optional=dict.fromkeys(_MEMBERS, JSON),
)


@MANY
@given(INSTANCES | st.lists(INSTANCES, max_size=3))
def test_any_attribute_is_read_or_refused(value: Any) -> None:
    for body in ({"a": value}, {"location": value}, {"scope": value}, {"type": value}):
        survive(lambda body: expand_fragment(body, CORE), body)


@MANY
@given(st.sampled_from(("Point", "LineString", "Polygon", "MultiPolygon", "GeometryCollection")), JSON)
def test_any_geometry_is_read_or_refused(kind: str, coordinates: Any) -> None:
    survive(lambda value: check_geometry("location", value), {"type": kind, "coordinates": coordinates})


_TERMS = st.sampled_from(
    ("@id", "@type", "@vocab", "@base", "@import", "@context", "@reverse", "a", "a:b", "")
)
CONTEXTS = st.recursive(
    st.none() | st.booleans() | st.integers() | WORDS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_TERMS | WORDS, inner, max_size=4),
    max_leaves=10,
)


@settings(MANY, max_examples=200)
@given(CONTEXTS)
def test_any_context_is_read_or_refused(member: Any) -> None:
    survive(resolve, member)


@pytest.mark.parametrize("depth", [10, 1_000, 100_000])
def test_deep_nesting_is_read_or_refused(depth: int) -> None:
    value: Any = 1
    for _ in range(depth):
        value = [value]
    fragment = {"a": {"type": "Property", "value": value}}
    survive(lambda body: expand_fragment(body, CORE), fragment)


@pytest.mark.timeout(30)
@pytest.mark.parametrize("pattern_", [".*.*.*.*.*.*x", "(a+)+$", "(a|a)*$", "a?" * 60 + "a" * 60, "(.*)*x"])
def test_no_pattern_takes_longer_than_its_text(pattern_: str) -> None:
    """The patterns on which an engine that goes back spends years."""
    compiled = check_pattern(pattern_)
    for text in ("a" * 59 + "!", " " * 100_000):
        assert compiled.search(text) is None or pattern_.endswith("$")

"""Queries: ids, types, attributes, scopes, divisions, pages, geography; SQL finds what the matcher finds."""

import json
from itertools import count
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from yunmeng.kernel.base import BadInput
from yunmeng.kernel.model import (
    And,
    Compare,
    Condition,
    Exists,
    GeoCondition,
    Operand,
    Or,
    Path,
    Range,
    ScopeAll,
    ScopeAny,
    ScopeIs,
    TypeAll,
    TypeAny,
    TypeIs,
    matches,
    matches_geo,
)
from yunmeng.kernel.store import Commit, EntityQuery, Selector, StateReader, StateWriter
from yunmeng.kernel.trust import Reach

from .entities import ALL, LEVEL, METER, PLACE, PUMP, STATUS, compare, ids, keep, observed, point, put, urn

_tenants = count()


async def test_ids_patterns_types_and_attributes(store: StateWriter, reader: StateReader) -> None:
    await keep(
        store,
        put(urn("a1"), {LEVEL: 1}),
        put(urn("a2"), {STATUS: "x"}, types=(PUMP,)),
        put(urn("b1"), {LEVEL: 1, STATUS: "x"}, types=(METER, PUMP)),
    )
    assert await ids(reader) == ["a1", "a2", "b1"]
    assert await ids(reader, ids=(urn("b1"), urn("a1"), urn("none"))) == ["a1", "b1"]
    assert await ids(reader, id_pattern=r":a\d$") == ["a1", "a2"]
    assert await ids(reader, id_pattern="^urn:ngsi-ld:Thing:b") == ["b1"]
    assert await ids(reader, types=TypeIs(PUMP)) == ["a2", "b1"]
    assert await ids(reader, types=TypeAll((TypeIs(PUMP), TypeIs(METER)))) == ["b1"]
    assert await ids(reader, types=TypeAny((TypeIs(PUMP), TypeIs(METER)))) == ["a1", "a2", "b1"]
    assert await ids(reader, types=TypeIs("https://w3id.org/yunmeng/None")) == []
    assert await ids(reader, attributes=(LEVEL,)) == ["a1", "b1"]
    assert await ids(reader, attributes=(LEVEL, STATUS)) == ["a1", "a2", "b1"]
    assert await ids(reader, attributes=(PLACE,)) == []
    with pytest.raises(BadInput) as caught:
        await ids(reader, id_pattern="(")
    assert caught.value.key == "pattern.bad"


async def test_one_of_several_selectors_is_enough(store: StateWriter, reader: StateReader) -> None:
    await keep(
        store,
        *(put(urn(name), {LEVEL: number}) for number, name in enumerate(("a1", "a2", "b1"))),
        *(put(urn(name), types=(PUMP,)) for name in ("p1", "p2")),
    )
    one, pumps = Selector((urn("a1"),), types=TypeIs(METER)), Selector(types=TypeIs(PUMP))
    assert await ids(reader, selectors=(one, pumps)) == ["a1", "p1", "p2"]
    assert await ids(reader, selectors=(one, Selector((urn("p2"), urn("b1")), types=TypeIs(PUMP)))) == [
        "a1",
        "p2",
    ]
    pattern = Selector(id_pattern=":[ap]2$", types=TypeIs(METER))
    assert await ids(reader, selectors=(pattern, pumps)) == ["a2", "p1", "p2"]
    assert await ids(reader, selectors=(pattern, Selector((urn("b1"),)))) == ["a2", "b1"]
    assert await ids(reader, selectors=(one, pattern), conditions=compare(LEVEL, ">", 0)) == ["a2"]
    assert await ids(reader, selectors=(pattern, pumps), ids=(urn("p1"), urn("a1"))) == ["p1"]
    for selectors, total in (((one, pumps), 3), ((pattern, pumps), 3), ((one, one), 1)):
        page = await reader.query(EntityQuery(ALL, selectors=selectors, count=True, limit=1))
        assert (len(page.documents), page.count) == (1, total)


async def test_scopes_and_divisions(store: StateWriter, reader: StateReader) -> None:
    await keep(
        store,
        put(urn(1), scope=("/hubei/wuhan/hankou",), division="420102"),
        put(urn(2), scope=("/hubei/wuhan", "/water"), division="420100"),
        put(urn(3), scope=("/hubei/yichang",), division="420500"),
        put(urn(4), division="429004"),
    )
    assert await ids(reader, scope=ScopeIs("/hubei/wuhan")) == ["2"]
    assert await ids(reader, scope=ScopeIs("/hubei/+")) == ["2", "3"]
    assert await ids(reader, scope=ScopeIs("/hubei/wuhan/#")) == ["1", "2"]
    assert await ids(reader, scope=ScopeAll((ScopeIs("/hubei/#"), ScopeIs("/water")))) == ["2"]
    assert await ids(reader, scope=ScopeAny((ScopeIs("/water"), ScopeIs("/hubei/yichang")))) == ["2", "3"]
    assert await ids(reader, scope=ScopeIs("/none")) == []
    assert await ids(reader, divisions=("420100",)) == ["1", "2"]
    assert await ids(reader, divisions=("420500", "429004")) == ["3", "4"]
    assert await ids(reader, divisions=("420000",)) == ["1", "2", "3", "4"]
    assert await ids(reader, divisions=("420100",), reach=Reach("", ("4205",))) == []


async def test_pages_follow_each_other(store: StateWriter, reader: StateReader) -> None:
    await keep(store, *(put(urn(f"{n:02d}"), {LEVEL: n}) for n in range(25)))
    condition = compare(LEVEL, ">=", 5)
    for _ in range(2):
        for asked in ({}, {"conditions": condition}, {"conditions": condition, "id_pattern": "[0-9]$"}):
            whole = await ids(reader, **asked)
            assert whole == [f"{n:02d}" for n in range(5 if asked else 0, 25)]
            assert await ids(reader, **asked, limit=7, offset=3) == whole[3:10]
            assert await ids(reader, **asked, limit=4, after=urn(whole[6])) == whole[7:11]
            page = await reader.query(EntityQuery(ALL, **asked, limit=3, after=urn(whole[-2]), count=True))
            assert (len(page.documents), page.count) == (1, len(whole))
            page = await reader.query(EntityQuery(ALL, **asked, limit=0, count=True))
            assert (list(page.documents), page.count) == ([], len(whole))
        await store.fill()  # type: ignore[attr-defined]


@pytest.mark.parametrize("filled", [False, True])
async def test_an_index_stays_right_through_changes(
    store: StateWriter, reader: StateReader, filled: bool
) -> None:
    await keep(store, *(put(urn(n), {LEVEL: n, STATUS: f"s{n}"}) for n in range(6)))
    assert await ids(reader, conditions=And((compare(LEVEL, ">", 3), compare(STATUS, "!=", "s5")))) == ["4"]
    assert await ids(reader, conditions=compare(STATUS, "==", "s5")) == ["5"]
    if filled:
        await store.fill()  # type: ignore[attr-defined]
    await keep(
        store,
        put(urn(0), {LEVEL: 9}),
        put(urn(5), {LEVEL: 0, STATUS: "s4"}),
        put(
            urn(7),
            {
                LEVEL: [
                    {"type": "Property", "value": 1},
                    {"type": "Property", "value": 50, "datasetId": "urn:ngsi-ld:d:1"},
                ]
            },
        ),
    )
    await store.fill()  # type: ignore[attr-defined]
    assert await ids(reader, conditions=compare(LEVEL, ">", 3)) == ["0", "4", "7"]
    assert await ids(reader, conditions=compare(STATUS, "==", "s4")) == ["4", "5"]
    assert await ids(reader, conditions=compare(STATUS, "==", "s0")) == []


async def test_an_index_is_there_before_the_first_question(store: StateWriter, reader: StateReader) -> None:
    await keep(store, put(urn(1), {LEVEL: 1, STATUS: "s1"}))
    await store.wish([LEVEL, "urn:x:not-stored-yet"])
    await keep(store, put(urn(2), {LEVEL: 2, "urn:x:not-stored-yet": 5}))
    await store.fill()  # type: ignore[attr-defined]
    book = store._ledger.book  # type: ignore[attr-defined]
    assert {book.uris[number] for number in book.indexed} == {LEVEL, "urn:x:not-stored-yet"}
    await keep(store, put(urn(3), {LEVEL: 3}))
    assert await ids(reader, conditions=compare(LEVEL, ">", 1)) == ["2", "3"]
    assert await ids(reader, conditions=compare("urn:x:not-stored-yet", "==", 5)) == ["2"]


SQUARE = {"type": "Polygon", "coordinates": [[[114, 30], [115, 30], [115, 31], [114, 31], [114, 30]]]}


@pytest.mark.parametrize(
    ("relation", "geometry", "distances", "found"),
    [
        ("near", {"type": "Point", "coordinates": [114.5, 30.5]}, {"max_distance": 1000.0}, ["in"]),
        (
            "near",
            {"type": "Point", "coordinates": [114.5, 30.5]},
            {"min_distance": 1000.0},
            ["edge", "out", "road"],
        ),
        ("within", SQUARE, {}, ["in"]),
        ("intersects", SQUARE, {}, ["edge", "in", "road"]),
        ("disjoint", SQUARE, {}, ["out"]),
        ("equals", {"type": "Point", "coordinates": [116, 31]}, {}, ["out"]),
        ("contains", {"type": "Point", "coordinates": [114.25, 30.25]}, {}, ["road"]),
        ("overlaps", {"type": "LineString", "coordinates": [[113.5, 30.25], [114.3, 30.25]]}, {}, ["road"]),
    ],
)
async def test_geography(
    store: StateWriter,
    reader: StateReader,
    relation: Any,
    geometry: dict[str, Any],
    distances: Any,
    found: list[str],
) -> None:
    road = {"type": "LineString", "coordinates": [[113.8, 30.25], [114.5, 30.25]]}
    await keep(
        store,
        put(urn("in"), {PLACE: point(114.5, 30.5)}),
        put(urn("edge"), {PLACE: point(115, 30.5)}),
        put(urn("out"), {PLACE: point(116, 31)}),
        put(urn("road"), {PLACE: [{"type": "GeoProperty", "value": road}]}),
        put(urn("none"), {LEVEL: 1}),
    )
    condition = GeoCondition(relation, geometry, PLACE, **distances)
    assert await ids(reader, geo=condition) == found
    page = await reader.query(EntityQuery(ALL, geo=condition, count=True, limit=1))
    assert page.count == len(found)
    await keep(store, put(urn("in"), {PLACE: point(0, 0)}), put(urn("road"), {LEVEL: 1}))
    moved = [
        json.loads(body)["id"] for body in (await reader.query(EntityQuery(ALL, geo=condition))).documents
    ]
    every = [json.loads(body) for body in (await reader.query(EntityQuery(ALL))).documents]
    assert moved == [document["id"] for document in every if matches_geo(document, condition)]


URIS = [f"https://w3id.org/yunmeng/{name}" for name in "abc"]
numbers = st.integers(-3, 3) | st.floats(-3, 3, width=16) | st.sampled_from([2**53, 2**53 + 1, 1e300, -1e300])
texts = st.text("a\x00\x01é😀B7", max_size=3) | st.sampled_from(
    [
        "x" * 63,
        "x" * 64,
        "x" * 65,
        "true",
        "2026-01-01T00:00:00Z",
        "2026-01-01T00:00:00.5Z",
        "2026-01-01",
        "07:00:00Z",
    ]
)
scalars = numbers | texts | st.booleans()
values = scalars | st.lists(scalars, max_size=3) | st.fixed_dictionaries({"k": scalars})
instances = st.one_of(
    values.map(lambda value: {"type": "Property", "value": value}),
    texts.map(lambda text: {"type": "Property", "value": {"@type": "DateTime", "@value": text}}),
    texts.map(lambda text: {"type": "Relationship", "object": text}),
    texts.map(lambda text: {"type": "LanguageProperty", "languageMap": {"zh": text, "en": "a"}}),
    texts.map(lambda text: {"type": "VocabProperty", "vocab": text}),
    st.lists(scalars, max_size=2).map(lambda items: {"type": "ListProperty", "valueList": items}),
    texts.map(lambda text: {"type": "ListRelationship", "objectList": [{"object": text}]}),
    st.tuples(scalars, scalars).map(
        lambda pair: {"type": "Property", "value": pair[0], URIS[0]: [{"type": "Property", "value": pair[1]}]}
    ),
)
attributes = st.dictionaries(
    st.sampled_from(URIS),
    st.lists(instances, min_size=1, max_size=2).map(
        lambda found: [
            {**item, **({"datasetId": "urn:ngsi-ld:d:1"} if place else {})}
            for place, item in enumerate(found)
        ]
    ),
)
operands = st.one_of(
    numbers.map(lambda value: Operand("number", float(value))),
    texts.map(lambda text: Operand("string", text)),
    texts.map(lambda text: Operand("uri", text)),
    st.booleans().map(lambda value: Operand("boolean", value)),
    st.just(Operand("datetime", "2026-01-01T00:00:00Z")),
)
number_operands = numbers.map(lambda value: Operand("number", float(value)))
text_operands = texts.map(lambda text: Operand("string", text))
ranges = st.tuples(number_operands, number_operands).map(lambda ends: Range(*ends)) | st.tuples(
    text_operands, text_operands
).map(lambda ends: Range(*ends))
paths = st.builds(
    Path,
    st.sampled_from([*URIS, "createdAt"]),
    st.sampled_from([(), (), (), (URIS[0],), ("datasetId",)]),
    st.sampled_from([(), (), (), ("k",)]),
)
compares = st.one_of(
    st.builds(
        Compare,
        paths,
        st.sampled_from(["==", "!="]),
        st.lists(operands | ranges, min_size=1, max_size=3).map(tuple),
    ),
    st.builds(Compare, paths, st.sampled_from([">", ">=", "<", "<="]), st.tuples(operands)),
    st.builds(Compare, paths, st.sampled_from(["~=", "!~="]), st.just((Operand("string", "a|7"),))),
)
conditions: st.SearchStrategy[Condition] = st.recursive(
    compares | st.builds(Exists, paths),
    lambda inner: (
        st.builds(And, st.lists(inner, min_size=1, max_size=3).map(tuple))
        | st.builds(Or, st.lists(inner, min_size=1, max_size=3).map(tuple))
    ),
    max_leaves=4,
)
telemetry = st.lists(
    st.tuples(
        st.integers(0, 3), st.sampled_from(URIS), st.integers(0, 9), st.floats(-3, 3, width=16) | texts
    ),
    max_size=4,
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(attributes, max_size=4), telemetry, st.lists(conditions, min_size=1, max_size=4), st.booleans()
)
async def test_sql_finds_what_the_matcher_finds(
    store: StateWriter,
    documents: list[dict[str, Any]],
    measured: list[tuple[int, str, int, float | str]],
    asked: list[Condition],
    again: bool,
) -> None:
    tenant = f"t{next(_tenants)}"
    reach = Reach(tenant)
    puts = [put(urn(n), found, tenant=tenant) for n, found in enumerate(documents)]
    rows = [(urn(n), uri, at, value) for n, uri, at, value in measured]
    observations = [observed(*rows, tenant=tenant)] if rows else []
    await store.commit(Commit(puts=puts, observations=observations))
    if again:
        await store.commit(Commit(puts=[put(urn(0), documents[-1], tenant=tenant)] if documents else []))
    bodies = [await store.get(reach, urn(n)) for n in range(len(documents))]
    known = [json.loads(body) for body in bodies if body is not None]
    assert len(known) == len(documents)
    for condition in asked:
        expected = [document["id"].rpartition(":")[2] for document in known if matches(document, condition)]
        assert await ids(store, reach=reach, conditions=condition) == expected
        page = await store.query(EntityQuery(reach, conditions=condition, limit=1, count=True))
        assert page.count == len(expected)
    await store.fill()  # type: ignore[attr-defined]

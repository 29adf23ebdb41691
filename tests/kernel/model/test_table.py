"""Entities that are read by columns become what each becomes when it is read alone."""

import copy

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from yunmeng.kernel.model import EXPIRY, NULL, ContextLibrary, Table, alike, expand_entity, read_table

CORE = ContextLibrary().core
AT = "2026-11-01T04:00:00Z"
OTHER = "urn:ngsi-ld:Dataset:other"


def measured(value: object, **more: object) -> dict[str, object]:
    return {"type": "Property", "value": value, "unitCode": "MTR", "observedAt": AT, **more}


def linked(to: object) -> dict[str, object]:
    return {"type": "Relationship", "object": to}


def place(east: object, north: object = 30.5) -> dict[str, object]:
    return {"type": "GeoProperty", "value": {"type": "Point", "coordinates": [east, north]}}


GOOD = {
    "level": measured(1.5),
    "twice": [measured(1), measured(2, datasetId=OTHER)],
    "name": {"type": "Property", "value": "水库"},
    "open": {"type": "Property", "value": True},
    "location": place(114.3),
    "river": linked("urn:ngsi-ld:River:1"),
    "rivers": linked(["urn:ngsi-ld:River:1", "urn:ngsi-ld:River:2"]),
    "kind": {"type": "VocabProperty", "vocab": "Gravity"},
    "called": {"type": "LanguageProperty", "languageMap": {"zh": "丹江口"}},
    "deep": {"type": "Property", "value": {"a": [1, {"b": 2}]}, "accuracy": measured(0.1)},
    "concise": {"value": 3},
    "bare": 4,
    "list": [1, 2, 3],
}


def bodies(count: int = 9, **attributes: object) -> list[dict[str, object]]:
    return [
        {"id": f"urn:ngsi-ld:Dam:{n}", "type": "Dam", **copy.deepcopy(attributes or GOOD)}
        for n in range(count)
    ]


def documents(table: Table) -> list[dict[str, object]]:
    """Returns what the columns say, entity by entity."""
    found = [{"id": id_, "type": list(table.types)} for id_ in table.ids]
    for column in table.columns:
        for document, instance in zip(found, column.instances, strict=True):
            document.setdefault(column.attribute, []).append(instance)
    return found


def alone(several: list[dict[str, object]]) -> list[dict[str, object]]:
    return [expand_entity(copy.deepcopy(body), CORE) for body in several]


def test_columns_hold_what_each_entity_becomes_alone() -> None:
    several = bodies()
    table = read_table(copy.deepcopy(several), CORE)
    assert table is not None
    assert documents(table) == alone(several)
    plain = {column.attribute.rpartition("/")[2] for column in table.columns if column.kind}
    assert plain == {"level", "twice", "name", "open", "location", "river"}


def test_the_stored_form_keeps_the_order_of_the_members() -> None:
    several = bodies(level={"type": "Property", "observedAt": AT, "value": 1})
    table = read_table(several, CORE)
    assert table is not None
    assert msgspec.json.encode(documents(table)) == msgspec.json.encode(alone(several))


# these are read one by one, yet stand in columns with the others
UNUSUAL = {
    "another member": {"level": {**measured(1), "accuracy": measured(0.1)}},
    "the default dataset by its name": {"level": measured(1, datasetId="@none")},
    "a place in words": {
        "location": {"type": "GeoProperty", "value": '{"type":"Point","coordinates":[1,2]}'}
    },
    "a time of the system": {"level": {**measured(1), "createdAt": AT}},
}
# one of nine that is like this sends all of them the long way; what is wrong with it is told there
ODD = {
    "members in another order": {"level": {"value": 1.0, "type": "Property"}},
    "another unit": {"level": measured(1, unitCode="CMT")},
    "another dataset": {"level": measured(1, datasetId=OTHER)},
    "an instance more": {
        "twice": [measured(1), measured(2, datasetId=OTHER), measured(3, datasetId="urn:x:y")]
    },
    "a dataset twice": {"twice": [measured(1), measured(2)]},
    "a null": {"level": measured(NULL)},
    "a null as unit": {"level": measured(1, unitCode=NULL)},
    "a null within": {"deep": {"type": "Property", "value": {"a": NULL}}},
    "an offset": {"level": measured(1, observedAt="2026-11-01T12:00:00+08:00")},
    "no time": {"level": measured(1, observedAt="yesterday")},
    "a time that is a number": {"level": measured(1, observedAt=5)},
    "a unit that is a number": {"level": measured(1, unitCode=True)},
    "a place that is none": {"location": place(200)},
    "a place that is no geometry": {"location": measured(1)},
    "no object": {"river": linked(5)},
    "an object that is no URI": {"river": linked("river one")},
    "an end": {"level": {**measured(1), EXPIRY: "2030-01-01T00:00:00Z"}},
    "a kind that is none": {"level": {"type": ["Property"], "value": 1}},
    "nothing": {"level": None},
    "another type": {"type": "Weir"},
    "a bad id": {"id": "dam one"},
    "the id of another": {"id": "urn:ngsi-ld:Dam:0"},
    "a scope": {"scope": "/a"},
    "a member more": {"more": 1},
}


@pytest.mark.parametrize("odd", ODD)
def test_what_is_unlike_the_others_is_not_read_by_columns(odd: str) -> None:
    several = bodies()
    several[4] |= copy.deepcopy(ODD[odd])
    assert read_table(several, CORE) is None


@pytest.mark.parametrize("unusual", UNUSUAL)
@pytest.mark.parametrize("among", ["one of them", "all of them"])
def test_unusual_instances_stand_in_columns_too(unusual: str, among: str) -> None:
    several = bodies()
    for body in several if among == "all of them" else several[4:5]:
        body |= copy.deepcopy(UNUSUAL[unusual])
    table = read_table(copy.deepcopy(several), CORE)
    assert table is not None
    assert documents(table) == alone(several)


@pytest.mark.parametrize("name", ["@context", "createdAt", EXPIRY, "https://uri.etsi.org/ngsi-ld/createdAt"])
def test_members_of_the_system_are_no_attributes(name: str) -> None:
    assert read_table([body | {name: AT} for body in bodies()], CORE) is None


def test_two_names_of_one_attribute_go_the_long_way() -> None:
    full = CORE.expand("level")
    assert read_table([body | {full: measured(1)} for body in bodies()], CORE) is None


def test_entities_of_several_forms_are_parted_by_form() -> None:
    dams, gauges = bodies(3), bodies(2, flow=measured(1))
    assert alike([dams[0], gauges[0], dams[1], gauges[1], dams[2]]) == [dams, gauges]


SCALARS = st.one_of(
    st.none(), st.floats(allow_nan=False, allow_infinity=False), st.integers(), st.text(), st.booleans()
)
JSON = st.recursive(
    SCALARS,
    lambda inner: st.one_of(st.lists(inner, max_size=2), st.dictionaries(st.text(max_size=3), inner)),
    max_leaves=4,
)
MEMBERS = ("type", "value", "object", "unitCode", "observedAt", "datasetId", "accuracy", "createdAt")
WORDS = st.sampled_from(["Property", "Relationship", "GeoProperty", AT, OTHER, "MTR", NULL, "@none"])
INSTANCES = st.one_of(
    st.builds(measured, SCALARS),
    st.builds(lambda value: {"type": "Property", "value": value}, JSON),
    st.builds(linked, st.one_of(WORDS, JSON)),
    st.builds(place, st.one_of(st.floats(-190, 190), JSON)),
    st.dictionaries(st.sampled_from(MEMBERS), st.one_of(WORDS, JSON)),
    JSON,
)
ATTRIBUTES = st.fixed_dictionaries(
    {"level": st.one_of(INSTANCES, st.lists(INSTANCES, max_size=2)), "location": INSTANCES}
)


@given(st.lists(ATTRIBUTES, min_size=1, max_size=3))
def test_whatever_comes_it_is_the_same_or_left_to_the_long_way(some: list[dict[str, object]]) -> None:
    several = [{"id": f"urn:ngsi-ld:Dam:{n}", "type": "Dam", **one} for n, one in enumerate(some)]
    table = read_table(copy.deepcopy(several), CORE)
    if table is not None:
        assert documents(table) == alone(several)


@given(st.one_of(st.sampled_from(["id", "type", "level"]), st.text(max_size=5)), JSON)
def test_whatever_a_member_is_nothing_breaks(name: str, value: object) -> None:
    several = [{**body, name: value} for body in bodies(3)]
    table = read_table(copy.deepcopy(several), CORE)
    if table is not None:
        assert documents(table) == alone(several)

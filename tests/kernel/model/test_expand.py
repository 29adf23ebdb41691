import copy

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from yunmeng.kernel.base import BadInput
from yunmeng.kernel.model import (
    NULL,
    ContextLibrary,
    compact_entity,
    expand_entity,
    expand_fragment,
    expand_instance,
)

from .conftest import LOCATION, PARKING, VOCAB

CORE = ContextLibrary().core


def entity(**attributes: object) -> dict[str, object]:
    return {"id": "urn:ngsi-ld:T:1", "type": "T", **attributes}


def test_names_become_uris_and_instances_lists(parking):
    assert parking["type"] == [VOCAB + "OffStreetParking"]
    assert parking[LOCATION] == [PARKING["location"]]
    spots = parking[VOCAB + "availableSpotNumber"][0]
    assert spots[VOCAB + "providedBy"] == [{"type": "Relationship", "object": "urn:ngsi-ld:Camera:C1"}]
    assert parking[VOCAB + "category"][0]["vocab"] == [VOCAB + "public", VOCAB + "forDisabled"]
    assert [instance.get("datasetId") for instance in parking[VOCAB + "speed"]] == [
        "urn:ngsi-ld:Dataset:gps",
        None,
    ]


def test_the_body_is_not_changed(core):
    before = copy.deepcopy(PARKING)
    expand_entity(PARKING, core)
    assert before == PARKING


@pytest.mark.parametrize("representation", ["normalized", "concise"])
def test_what_goes_in_comes_out(core, parking, representation):
    shown = compact_entity(parking, core, representation)
    assert expand_entity(shown, core) == parking
    assert compact_entity(parking, core) == PARKING


def test_concise_input_finds_the_kind(core):
    document = expand_entity(
        entity(
            a=7,
            b={"value": 7, "unitCode": "MTR", "c": "x"},
            d={"object": "urn:xx:1"},
            e={"languageMap": {"zh": "水"}},
            f={"type": "Point", "coordinates": [1, 2]},
            g={"value": {"type": "Point", "coordinates": [1, 2]}},
            h=[1, 2],
            i={"vocab": "v"},
            j={"json": {"x": None}},
            k={"valueList": [1]},
            m={"objectList": ["urn:xx:1"]},
        ),
        core,
    )
    kinds = {
        name.removeprefix(VOCAB): document[name][0]["type"] for name in document if name.startswith(VOCAB)
    }
    assert kinds == {
        "a": "Property", "b": "Property", "d": "Relationship", "e": "LanguageProperty", "f": "GeoProperty",
        "g": "GeoProperty", "h": "Property", "i": "VocabProperty", "j": "JsonProperty", "k": "ListProperty",
        "m": "ListRelationship",
    }  # fmt: skip
    assert document[VOCAB + "b"][0][VOCAB + "c"] == [{"type": "Property", "value": "x"}]


def test_simplified_input_keeps_objects_as_values(core):
    document = expand_entity(
        entity(
            address={"type": "PostalAddress", "city": "武汉"}, speed={"dataset": {"@none": 1, "urn:xx:g": 2}}
        ),
        core,
        simplified=True,
    )
    assert document[VOCAB + "address"] == [
        {"type": "Property", "value": {"type": "PostalAddress", "city": "武汉"}}
    ]
    assert document[VOCAB + "speed"] == [
        {"type": "Property", "value": 1},
        {"type": "Property", "value": 2, "datasetId": "urn:xx:g"},
    ]


def test_times_come_in_utc_and_system_times_are_left_out(core):
    body = entity(
        a={"value": 1, "observedAt": "2026-11-22T04:00:00.000Z", "createdAt": "2020-01-01T00:00:00Z"},
        b={"value": 1, "observedAt": "2026-11-22T04:00:00.5Z"},
        createdAt="2020-01-01T00:00:00Z",
    )
    document = expand_entity(body, core)
    assert document[VOCAB + "a"] == [
        {"type": "Property", "value": 1, "observedAt": "2026-11-22T04:00:00.000Z"}
    ]
    assert document[VOCAB + "b"][0]["observedAt"] == "2026-11-22T04:00:00.5Z"
    assert "createdAt" not in document
    with pytest.raises(BadInput) as refused:
        expand_entity(entity(a={"value": 1, "observedAt": "2026-11-22T12:00:00+08:00"}), core)
    assert refused.value.key == "time.offset"


@pytest.mark.parametrize(
    ("attribute", "key"),
    [
        ({"type": "Relationship", "object": "urn:ngsi-ld:T:2", "unitCode": "MTR"}, "attribute.member"),
        ({"type": "JsonProperty", "json": 5}, "attribute.json"),
        ({"type": "Property", "value": 1, "previousValue": 0}, "attribute.member"),
        ({"type": "Property", "value": 1, "entityIdSealed": "urn:ngsi-ld:T:1"}, "attribute.member"),
        ({"type": "Property", "value": 1, "@context": {"a": "urn:a:b"}}, "context.nested"),
        ({"type": "Property", "value": {"a": {"b": "urn:ngsi-ld:null"}}}, "attribute.null"),
        (
            {"type": "LanguageProperty", "languageMap": {"en": "x"}, "valueType": "string"},
            "attribute.value-type",
        ),
        ({"type": "Property", "value": 1, "expiresAt": "soon"}, "time.bad"),
        ({"type": "Property", "value": 1, "datasetId": "urn:ngsi-ld:null"}, "attribute.null"),
    ],
)
def test_members_that_a_kind_cannot_have(core, attribute, key):
    with pytest.raises(BadInput) as refused:
        expand_entity(entity(a=attribute), core)
    assert refused.value.key == key


def test_a_proof_keeps_its_sealed_members(core):
    proof = {
        "type": "Property",
        "value": {"proofValue": "z"},
        "entityIdSealed": "urn:ngsi-ld:T:1",
        "entityTypeSealed": "T",
    }
    document = expand_entity(entity(ngsildproof=proof), core)
    assert compact_entity(document, core)["ngsildproof"] == proof
    with pytest.raises(BadInput, match="proof"):
        expand_entity(entity(ngsildproof={"type": "Property", "value": "z"}), core)


def test_a_geometry_may_come_as_text(core):
    text = '{"type": "Point", "coordinates": [17.1, 48.7]}'
    document = expand_entity(entity(location={"type": "GeoProperty", "value": text}), core)
    assert document["https://uri.etsi.org/ngsi-ld/location"][0]["value"]["coordinates"] == [17.1, 48.7]
    with pytest.raises(BadInput):
        expand_entity(entity(location={"type": "Property", "value": 7}), core)


POLYGON = [[[0, 0], [1, 0], [1, 1], [0, 0]]]


@pytest.mark.parametrize(
    ("body", "key"),
    [
        ([], "entity.not-object"),
        ({"type": "T"}, "entity.no-id"),
        ({"id": "urn:ngsi-ld:T:1"}, "entity.no-type"),
        ({"id": "no uri", "type": "T"}, "id.bad"),
        ({"id": 7, "type": "T"}, "id.bad"),
        ({"id": "urn:ngsi-ld:T:1\n", "type": "T"}, "id.bad"),
        ({"id": "urn:ngsi-ld:T:1", "type": []}, "entity.type"),
        ({"id": "urn:ngsi-ld:T:1", "type": [7]}, "entity.type"),
        ({"id": "urn:ngsi-ld:T:1", "type": "a b"}, "name.invalid"),
        (entity(scope="a b"), "scope.invalid"),
        (entity(scope=["/1a"]), "scope.invalid"),
        (entity(**{"a\u0000b": 1}), "name.invalid"),
        (entity(value=1), "name.reserved"),
        (entity(observedAt="2026-11-22T04:00:00Z"), "name.reserved"),
        (entity(**{"a": 1, VOCAB + "a": 2}), "name.twice"),
        (entity(a=None), "attribute.null"),
        (entity(a=NULL), "attribute.null"),
        (entity(a={"type": "Property", "value": None}), "attribute.null"),
        (entity(a={"type": "Property"}), "attribute.no-value"),
        (entity(a={}), "attribute.no-value"),
        (entity(a={"type": "Property", "object": "urn:xx:1"}), "attribute.no-value"),
        (entity(a={"type": "Property", "value": 1, "object": "urn:xx:1"}), "attribute.member"),
        (entity(a={"type": "Attribute", "value": 1}), "attribute.kind"),
        (entity(a={"type": ["Property"], "value": 1}), "attribute.kind"),
        (entity(a={"type": "Relationship", "object": "no uri"}), "attribute.object"),
        (entity(a={"type": "Relationship", "object": 7}), "attribute.object"),
        (entity(a={"type": "Relationship", "object": []}), "attribute.object"),
        (entity(a={"languageMap": {"zh": 7}}), "attribute.language"),
        (entity(a={"languageMap": {"not a tag": "x"}}), "attribute.language"),
        (entity(a={"languageMap": "x"}), "attribute.language"),
        (entity(a={"vocab": 7}), "attribute.vocab"),
        (entity(a={"valueList": 7}), "attribute.list"),
        (entity(a={"objectList": ["x y"]}), "attribute.object"),
        (entity(a={"value": 1, "observedAt": "yesterday"}), "time.bad"),
        (entity(a={"value": 1, "observedAt": "2026-11-22T04:00:00"}), "time.naive"),
        (entity(a={"value": 1, "unitCode": 7}), "attribute.unit"),
        (entity(a={"value": 1, "datasetId": "x"}), "id.bad"),
        (entity(a=[{"value": 1}, {"value": 2}]), "dataset.twice"),
        (entity(a={"value": {"@type": "DateTime", "@value": "x"}}), "time.bad"),
        (entity(a={"type": "GeoProperty", "value": {"type": "Point"}}), "geometry.position"),
        (entity(a={"type": "GeoProperty", "value": {"type": ["Point"]}}), "geometry.type"),
        (entity(a={"type": "Point", "coordinates": [30.6, 114.3]}), "geometry.range"),
        (entity(a={"type": "Point", "coordinates": [1, "2"]}), "geometry.position"),
        (entity(a={"type": "Point", "coordinates": [True, 2]}), "geometry.position"),
        (entity(a={"type": "LineString", "coordinates": [[1, 2]]}), "geometry.line"),
        (entity(a={"type": "Polygon", "coordinates": [[[0, 0], [1, 0], [1, 1], [0, 1]]]}), "geometry.ring"),
        (entity(a={"value": 1, "b": {"value": 1, "c": {"type": "Property"}}}), "attribute.no-value"),
    ],
)
def test_broken_rules_are_named(core, body, key):
    with pytest.raises(BadInput) as caught:
        expand_entity(body, core)
    assert caught.value.key == key
    assert "?" not in str(caught.value), "every placeholder of the sentence has its fact"


def test_fragments_may_ask_for_removals(core):
    fragment = expand_fragment(
        {
            "a": NULL,
            "b": {"type": "Relationship", "object": NULL},
            "c": {"languageMap": {"@none": NULL}},
            "d": {"value": 1, "unitCode": NULL, "e": NULL},
            "scope": NULL,
        },
        core,
    )
    assert fragment[VOCAB + "a"] == [{"type": "Property", "value": NULL}]
    assert fragment[VOCAB + "b"] == [{"type": "Relationship", "object": NULL}]
    assert fragment[VOCAB + "c"] == [{"type": "LanguageProperty", "languageMap": NULL}]
    assert fragment["scope"] == [NULL]


def test_partial_instances_need_no_value(core):
    assert expand_instance("speed", {"unitCode": "KMH"}, core, partial=True) == {"unitCode": "KMH"}
    with pytest.raises(BadInput):
        expand_instance("speed", {"unitCode": "KMH"}, core)
    assert expand_instance("speed", 7, core) == {"type": "Property", "value": 7}


def test_temporal_entities_repeat_datasets(core):
    body = entity(a=[{"value": 1, "observedAt": "2026-11-22T04:00:00Z"}, {"value": 2}])
    assert len(expand_entity(body, core, temporal=True)[VOCAB + "a"]) == 2


MEMBERS = [
    "type",
    "value",
    "object",
    "languageMap",
    "vocab",
    "json",
    "valueList",
    "objectList",
    "datasetId",
    "observedAt",
    "unitCode",
    "coordinates",
    "dataset",
    "id",
    "scope",
    "a",
    "b",
    "@type",
    "@value",
]
json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(MEMBERS),
            inner | st.sampled_from(["Property", "Relationship", "Point", "GeoProperty", NULL, "urn:xx:1"]),
            max_size=4,
        )
    ),
    max_leaves=12,
)


@given(json, st.booleans(), st.booleans())
@settings(max_examples=300, deadline=None)
def test_anything_is_expanded_or_refused(body, simplified, partial):
    try:
        fragment = expand_fragment(body, CORE, simplified=simplified, partial=partial)
    except BadInput:
        return
    for name, instances in fragment.items():
        assert name in ("id", "type", "scope") or (":" in name and isinstance(instances, list) and instances)


@given(st.dictionaries(st.from_regex(r"\A[a-z]{1,4}\Z"), json, max_size=3))
@settings(max_examples=200, deadline=None)
def test_what_is_expanded_survives_the_way_back(attributes):
    reserved = {"id", "type", "scope"}
    try:
        document = expand_entity(
            entity(**{name: value for name, value in attributes.items() if name not in reserved}), CORE
        )
    except BadInput:
        return
    assert expand_entity(compact_entity(document, CORE), CORE) == document

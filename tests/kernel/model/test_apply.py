import copy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from yunmeng.kernel.model import (
    DIVISION,
    NULL,
    Append,
    Applied,
    ContextLibrary,
    Create,
    Delete,
    DeleteAttribute,
    Document,
    Merge,
    Operation,
    PartialUpdate,
    Replace,
    ReplaceAttribute,
    Update,
    Upsert,
    apply,
    compact_entity,
    expand_entity,
    expand_fragment,
    expand_instance,
)
from yunmeng.kernel.model.apply.merge import merge_json

from .conftest import VOCAB

CORE = ContextLibrary().core
ID = "urn:ngsi-ld:Vehicle:A4567"
T0, T1 = 1_700_000_000_000_000, 1_700_000_060_000_000
AT0, AT1 = "2023-11-14T22:13:20.000Z", "2023-11-14T22:14:20.000Z"
TEMPERATURE = {"type": "Property", "value": 25, "unitCode": "CEL", "observedAt": "2022-03-14T01:59:26.535Z"}
VEHICLE: dict[str, Any] = {
    "id": ID,
    "type": "Vehicle",
    "scope": "/Hubei",
    "temperature": TEMPERATURE,
    "brand": {"type": "Property", "value": "Mercedes", "checked": {"type": "Property", "value": True}},
    "address": {"type": "Property", "value": {"street": "17. Juni", "city": "Berlin", "country": "Germany"}},
    "parked": {"type": "Relationship", "object": "urn:ngsi-ld:OffStreetParking:Downtown1"},
    "label": {"type": "LanguageProperty", "languageMap": {"zh": "车", "en": "car"}},
    "speed": [
        {"type": "Property", "value": 55, "datasetId": "urn:ngsi-ld:Dataset:gps"},
        {"type": "Property", "value": 54},
    ],
}


@pytest.fixture
def vehicle() -> Document:
    document = apply(Create(expand_entity(VEHICLE, CORE)), None, T0).document
    assert document is not None
    return document


def fragment(body: dict[str, Any], **options: Any) -> Document:
    return expand_fragment(body, CORE, **options)


def carry(operation: Operation, current: Document) -> Applied:
    before = copy.deepcopy(current)
    applied = apply(operation, current, T1, "t", "p")
    assert current == before, "nothing is changed in place"
    return applied


def shown(applied: Applied) -> dict[str, Any]:
    assert applied.document is not None
    return compact_entity(applied.document, CORE)


def names(applied: Applied) -> set[str]:
    return {uri.removeprefix(VOCAB) for uri in applied.outcome.updated}


def test_create_stamps_the_entity_and_its_attributes():
    body = {**VEHICLE, DIVISION: "420106"}
    applied = apply(Create(expand_entity(body, CORE)), None, T0, "t", "p")
    assert applied.outcome.done == "created"
    assert applied.document is not None
    assert applied.document["createdAt"] == applied.document["modifiedAt"] == AT0
    assert applied.document[VOCAB + "brand"][0]["createdAt"] == AT0
    change = applied.change
    assert change is not None
    assert (change.kind, change.tenant, change.principal, change.at) == ("created", "t", "p", AT0)
    assert (change.division, change.types, change.before) == ("420106", (VOCAB + "Vehicle",), {})
    assert len(applied.instances) == 8
    observed = next(one for one in applied.instances if one.attribute == VOCAB + "temperature")
    assert (observed.observed_at, observed.modified_at) == (1_647_223_166_535_000, T0)


@pytest.mark.parametrize(
    "operation",
    [
        Replace(expand_entity(VEHICLE, CORE)),
        Append(ID, {}),
        Update(ID, {}),
        Merge(ID, {}),
        PartialUpdate(ID, "a:b", {}),
        ReplaceAttribute(ID, "a:b", {}),
        Delete(ID),
        DeleteAttribute(ID, "a:b"),
    ],
    ids=lambda operation: type(operation).__name__,
)
def test_what_is_not_there_cannot_be_changed(operation):
    outcome = apply(operation, None, T0).outcome
    assert (outcome.done, outcome.error, outcome.status, outcome.facts) == (
        "refused", "entity.unknown", 404, {"id": ID},
    )  # fmt: skip


def test_create_refuses_what_exists(vehicle):
    applied = carry(Create(vehicle), vehicle)
    assert (applied.outcome.error, applied.outcome.status) == ("entity.exists", 409)
    assert (applied.document, applied.change, applied.instances) == (None, None, ())


@pytest.mark.parametrize("operation", [Replace, Upsert])
def test_replace_drops_what_is_not_named(vehicle, operation):
    new = expand_entity({"id": ID, "type": "Car", "brand": "BMW", "speed": {"value": 1}}, CORE)
    applied = carry(operation(new), vehicle)
    assert shown(applied) == {
        "id": ID,
        "type": "Car",
        "brand": {"type": "Property", "value": "BMW"},
        "speed": {"type": "Property", "value": 1},
    }
    assert applied.document is not None
    assert (applied.document["createdAt"], applied.document["modifiedAt"]) == (AT0, AT1)
    assert applied.document[VOCAB + "brand"][0]["createdAt"] == AT0
    gone = {(one.attribute.removeprefix(VOCAB), one.dataset_id) for one in applied.instances if one.deleted}
    assert gone == {
        ("temperature", ""),
        ("address", ""),
        ("parked", ""),
        ("label", ""),
        ("speed", "urn:ngsi-ld:Dataset:gps"),
    }
    assert {"temperature", "type", "scope"} <= names(applied)


def test_upsert_creates_or_updates(vehicle):
    new = expand_entity({"id": ID, "type": "Car", "brand": "BMW"}, CORE)
    assert apply(Upsert(new, "update"), None, T0).outcome.done == "created"
    applied = carry(Upsert(new, "update"), vehicle)
    assert applied.outcome.done == "updated"
    assert shown(applied)["type"] == ["Vehicle", "Car"]
    assert shown(applied)["temperature"] == TEMPERATURE
    assert names(applied) == {"type", "brand"}


def test_append_overwrites_or_not(vehicle):
    new = fragment({"type": "Car", "scope": "/Wuhan", "brand": "BMW", "doors": 4})
    applied = carry(Append(ID, new), vehicle)
    assert shown(applied)["brand"] == {"type": "Property", "value": "BMW"}
    assert shown(applied)["scope"] == "/Wuhan"
    applied = carry(Append(ID, new, overwrite=False), vehicle)
    assert shown(applied)["brand"]["value"] == "Mercedes"
    assert shown(applied)["scope"] == ["/Hubei", "/Wuhan"]
    assert shown(applied)["type"] == ["Vehicle", "Car"]
    assert applied.outcome.not_updated == {VOCAB + "brand": "attribute.exists"}
    assert names(applied) == {"type", "scope", "doors"}


def test_append_of_known_things_only_changes_nothing(vehicle):
    applied = carry(Append(ID, fragment({"brand": "BMW"}), overwrite=False), vehicle)
    assert (applied.outcome.done, applied.change, applied.instances) == ("unchanged", None, ())
    assert applied.document == vehicle


def test_datasets_are_told_apart(vehicle):
    applied = carry(Append(ID, fragment({"speed": {"value": 9, "datasetId": "urn:xx:radar"}})), vehicle)
    assert [one["value"] for one in shown(applied)["speed"]] == [55, 54, 9]
    applied = carry(
        Update(ID, fragment({"speed": {"value": 9, "datasetId": "urn:ngsi-ld:Dataset:gps"}})), vehicle
    )
    assert [one["value"] for one in shown(applied)["speed"]] == [9, 54]


def test_update_replaces_whole_attributes_and_adds_the_missing(vehicle):
    new = {"temperature": {"type": "Property", "value": 100, "observedAt": "2022-03-14T13:00:00.000Z"}}
    applied = carry(Update(ID, fragment({**new, "doors": 4, "wings": NULL})), vehicle)
    assert shown(applied)["temperature"] == new["temperature"]
    assert shown(applied)["doors"]["value"] == 4
    assert applied.outcome.not_updated == {VOCAB + "wings": "attribute.unknown"}
    assert names(applied) == {"temperature", "doors"}


def test_update_with_null_deletes(vehicle):
    applied = carry(Update(ID, fragment({"temperature": {"type": "Property", "value": NULL}})), vehicle)
    assert "temperature" not in shown(applied)
    assert [(one.deleted, one.body["value"], one.body["deletedAt"]) for one in applied.instances] == [
        (True, NULL, AT1)
    ]


def partial(name: str, body: dict[str, Any]) -> PartialUpdate:
    return PartialUpdate(ID, CORE.expand(name), expand_instance(name, body, CORE, partial=True))


def test_partial_update_keeps_what_is_not_named(vehicle):
    new = {"type": "Property", "value": 100, "observedAt": "2022-03-14T13:00:00.000Z"}
    assert shown(carry(partial("temperature", new), vehicle))["temperature"] == {**new, "unitCode": "CEL"}
    applied = carry(partial("brand", {"checked": NULL, "note": "new"}), vehicle)
    assert shown(applied)["brand"] == {
        "type": "Property",
        "value": "Mercedes",
        "note": {"type": "Property", "value": "new"},
    }
    assert applied.document is not None
    assert applied.document[VOCAB + "brand"][0]["createdAt"] == AT0
    assert applied.document[VOCAB + "brand"][0]["modifiedAt"] == AT1
    assert "unitCode" not in shown(carry(partial("temperature", {"unitCode": NULL}), vehicle))["temperature"]


@pytest.mark.parametrize(
    ("name", "body", "error", "status"),
    [
        ("doors", {"value": 4}, "attribute.unknown", 404),
        ("brand", {"value": 4, "datasetId": "urn:xx:y"}, "attribute.unknown", 404),
        ("brand", {"object": "urn:xx:y"}, "attribute.kind-fixed", 400),
    ],
)
def test_partial_updates_that_are_refused(vehicle, name, body, error, status):
    outcome = carry(partial(name, body), vehicle).outcome
    assert (outcome.done, outcome.error, outcome.status) == ("refused", error, status)


def test_replace_attribute(vehicle):
    new = expand_instance("temperature", {"value": 1}, CORE)
    applied = carry(ReplaceAttribute(ID, VOCAB + "temperature", new), vehicle)
    assert shown(applied)["temperature"] == {"type": "Property", "value": 1}
    assert carry(ReplaceAttribute(ID, VOCAB + "doors", new), vehicle).outcome.status == 404


def test_merge_goes_to_any_depth(vehicle):
    body = {
        "temperature": {"value": 100, "observedAt": "2022-03-14T13:00:00.000Z"},
        "address": {"value": {"street": "Pariser Platz", "country": NULL}},
        "label": {"languageMap": {"de": "Auto", "en": NULL}},
        "brand": {"checked": {"value": False}},
        "parked": NULL,
        "doors": 4,
        "wheels": NULL,
        "type": "Car",
    }
    applied = carry(Merge(ID, fragment(body, partial=True)), vehicle)
    after = shown(applied)
    assert after["temperature"] == {**TEMPERATURE, "value": 100, "observedAt": "2022-03-14T13:00:00.000Z"}
    assert after["address"]["value"] == {"street": "Pariser Platz", "city": "Berlin"}
    assert after["label"]["languageMap"] == {"zh": "车", "de": "Auto"}
    assert after["brand"] == {
        "type": "Property",
        "value": "Mercedes",
        "checked": {"type": "Property", "value": False},
    }
    assert "parked" not in after
    assert after["doors"]["value"] == 4
    assert after["type"] == ["Vehicle", "Car"]
    assert applied.outcome.not_updated == {VOCAB + "wheels": "attribute.unknown"}


def test_merge_of_plain_values_keeps_kinds(vehicle):
    body = {"temperature": 30, "parked": "urn:ngsi-ld:OffStreetParking:2", "label": "auto"}
    operation = Merge(ID, fragment(body, simplified=True), observed_at="2026-01-01T00:00:00Z", lang="de")
    after = shown(carry(operation, vehicle))
    assert after["parked"] == {"type": "Relationship", "object": "urn:ngsi-ld:OffStreetParking:2"}
    assert after["label"]["languageMap"] == {"zh": "车", "en": "car", "de": "auto"}
    assert after["temperature"] == {**TEMPERATURE, "value": 30, "observedAt": "2026-01-01T00:00:00Z"}


def test_merge_cannot_add_an_attribute_without_a_value(vehicle):
    applied = carry(Merge(ID, fragment({"doors": {"unitCode": "C62"}}, partial=True)), vehicle)
    assert applied.outcome.done == "unchanged"
    assert applied.outcome.not_updated == {VOCAB + "doors": "attribute.no-value"}


def test_delete_leaves_marks_in_the_history(vehicle):
    applied = carry(Delete(ID), vehicle)
    assert (applied.outcome.done, applied.document) == ("deleted", None)
    assert applied.change is not None
    assert (applied.change.kind, applied.change.after, applied.change.before) == ("deleted", {}, vehicle)
    assert len(applied.instances) == 7
    assert all(one.deleted for one in applied.instances)


@pytest.mark.parametrize(
    ("operation", "left"),
    [
        (DeleteAttribute(ID, VOCAB + "speed"), 1),
        (DeleteAttribute(ID, VOCAB + "speed", "urn:ngsi-ld:Dataset:gps"), 1),
        (DeleteAttribute(ID, VOCAB + "speed", all=True), 0),
        (DeleteAttribute(ID, VOCAB + "speed", "urn:xx:other"), None),
        (DeleteAttribute(ID, VOCAB + "doors", all=True), None),
    ],
)
def test_delete_attribute(vehicle, operation, left):
    applied = carry(operation, vehicle)
    if left is None:
        assert (applied.outcome.error, applied.outcome.status) == ("attribute.unknown", 404)
    else:
        assert applied.document is not None
        assert len(applied.document.get(VOCAB + "speed", ())) == left
        assert len(applied.instances) == 2 - left


def test_scopes_can_be_removed(vehicle):
    assert "scope" not in shown(carry(Merge(ID, fragment({"scope": NULL})), vehicle))
    assert "scope" not in shown(carry(DeleteAttribute(ID, "scope"), vehicle))


json = st.recursive(
    st.booleans() | st.integers() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from("abc"), inner, max_size=3),
    max_leaves=6,
)


@given(json, json)
def test_merging_a_patch_twice_is_merging_it_once(known, patch):
    once = merge_json(known, patch)
    assert merge_json(once, patch) == once


@given(json)
def test_null_removes_every_member(known):
    if isinstance(known, dict):
        assert merge_json(known, dict.fromkeys(known, NULL)) == {}

"""Any sequence of operations keeps the stored form sound."""

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from yunmeng.kernel.model import (
    NULL,
    Append,
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

CORE = ContextLibrary().core
ID = "urn:ngsi-ld:T:1"
NAMES = st.sampled_from("abc")
DATASETS = st.sampled_from([{}, {"datasetId": "urn:ngsi-ld:D:1"}, {"datasetId": "urn:ngsi-ld:D:2"}])
VALUES = st.sampled_from(
    [
        {"type": "Property", "value": 1},
        {"type": "Property", "value": {"x": 1, "y": {"z": 2}}},
        {"type": "Property", "value": 2, "unitCode": "MTR", "observedAt": "2026-01-01T00:00:00Z"},
        {"type": "Property", "value": 3, "sub": {"type": "Property", "value": 4}},
        {"type": "Relationship", "object": "urn:ngsi-ld:T:2"},
        {"type": "LanguageProperty", "languageMap": {"zh": "水"}},
        {"type": "ListProperty", "valueList": [1, 2]},
        {"type": "GeoProperty", "value": {"type": "Point", "coordinates": [1, 2]}},
    ]
)
PATCHES = st.sampled_from(
    [
        {"value": {"x": NULL}},
        {"value": NULL},
        {"unitCode": NULL},
        {"sub": NULL},
        {"sub": {"value": 5, "deep": 6}},
        {"languageMap": {"zh": NULL, "en": "water"}},
        {"object": NULL},
    ]
)
MORE = st.sampled_from([{}, {"type": "U"}, {"scope": "/a"}, {"scope": ["/a", "/b"]}, {"scope": NULL}])


def instance(strategy: st.SearchStrategy[dict[str, Any]]) -> st.SearchStrategy[dict[str, Any]]:
    return st.builds(lambda value, dataset: {**value, **dataset}, strategy, DATASETS)


whole = st.dictionaries(NAMES, instance(VALUES), max_size=3).map(
    lambda attributes: expand_entity({"id": ID, "type": "T", **attributes}, CORE)
)
fragments = st.builds(
    lambda attributes, more: expand_fragment({**attributes, **more}, CORE, partial=True),
    st.dictionaries(NAMES, instance(VALUES | PATCHES), max_size=3),
    MORE,
)
full = st.builds(
    lambda attributes, more: expand_fragment({**attributes, **more}, CORE),
    st.dictionaries(NAMES, instance(VALUES | st.just({"value": NULL})), max_size=3),
    MORE,
)
uris = NAMES.map(CORE.expand)
instances = instance(VALUES).map(lambda body: expand_instance("a", body, CORE))
patches = instance(VALUES | PATCHES.filter(lambda body: body.get("value") != {"x": NULL})).map(
    lambda body: expand_instance("a", body, CORE, partial=True)
)
operations: st.SearchStrategy[Operation] = st.one_of(
    st.builds(Create, whole),
    st.builds(Upsert, whole, st.sampled_from(["replace", "update"])),
    st.builds(Replace, whole),
    st.builds(Append, st.just(ID), full, st.booleans()),
    st.builds(Update, st.just(ID), full),
    st.builds(Merge, st.just(ID), fragments, st.sampled_from(["", "2026-02-02T00:00:00Z"])),
    st.builds(PartialUpdate, st.just(ID), uris, patches),
    st.builds(ReplaceAttribute, st.just(ID), uris, instances),
    st.builds(Delete, st.just(ID)),
    st.builds(DeleteAttribute, st.just(ID), uris, st.sampled_from(["", "urn:ngsi-ld:D:1"]), st.booleans()),
)


def check(document: Document) -> None:
    """The way out and back in again gives the same document, times of the system apart."""
    shown = compact_entity(document, CORE)
    again = expand_entity(shown, CORE)
    assert compact_entity(again, CORE) == shown
    assert document["createdAt"] <= document["modifiedAt"]
    for name, instances in document.items():
        if ":" in name:
            datasets = [instance.get("datasetId", "") for instance in instances]
            assert datasets
            assert len(datasets) == len(set(datasets))
            assert all(instance["createdAt"] <= instance["modifiedAt"] for instance in instances)


@given(st.lists(operations, min_size=1, max_size=8))
@settings(max_examples=120, deadline=None)
def test_documents_stay_sound(sequence):
    current: Document | None = None
    for step, operation in enumerate(sequence):
        applied = apply(operation, current, 1_700_000_000_000_000 + step * 1_000_000)
        outcome = applied.outcome
        assert (applied.change is None) == (outcome.done in ("refused", "unchanged"))
        if outcome.done == "refused":
            assert outcome.error
            assert outcome.status >= 400
            continue
        if applied.change is not None:
            assert applied.change.kind == outcome.done
            assert {one.attribute for one in applied.instances} <= set(applied.change.attributes)
        current = applied.document
        if current is not None:
            check(current)

"""Transient entities and attributes (ETSI GS CIM 009 §4.22)."""

from yunmeng.kernel.base import instant_us
from yunmeng.kernel.model import (
    Create,
    Expire,
    Merge,
    PartialUpdate,
    Update,
    alive,
    apply,
    next_expiry,
)

ID = "urn:ngsi-ld:T:1"
A = "https://uri.etsi.org/ngsi-ld/default-context/a"
SOON, LATE = "2026-01-01T00:00:10Z", "2026-01-01T00:01:00Z"
START = instant_us("2026-01-01T00:00:00Z")


def made(**members):
    document = {"id": ID, "type": ["urn:x:T"], **members}
    return apply(Create(document), None, START).document


def instance(value, **members):
    return {"type": "Property", "value": value, **members}


def test_an_entity_ends():
    document = made(expiresAt=SOON, **{A: [instance(1)]})
    assert next_expiry(document) == instant_us(SOON)
    assert alive(document, instant_us(SOON) - 1) == document
    assert alive(document, instant_us(SOON)) is None
    early = apply(Expire(ID), document, START + 1)
    assert early.outcome.done == "unchanged"
    gone = apply(Expire(ID), document, instant_us(SOON))
    assert (gone.document, gone.outcome.done) == (None, "deleted")


def test_one_instance_ends_and_the_others_stay():
    document = made(**{A: [instance(1), instance(2, datasetId="urn:dd:1", expiresAt=SOON)]})
    after = apply(Expire(ID), document, instant_us(SOON)).document
    assert [one["value"] for one in after[A]] == [1]
    assert next_expiry(after) == 0


def test_what_replaces_clears_the_expiry_and_what_merges_keeps_it():
    document = made(**{A: [instance(1, expiresAt=SOON)]})
    replaced = apply(Update(ID, {A: [instance(2)]}), document, START + 1).document
    patched = apply(PartialUpdate(ID, A, instance(2)), document, START + 1).document
    merged = apply(Merge(ID, {A: [instance(2)]}), document, START + 1).document
    assert "expiresAt" not in replaced[A][0]
    assert patched[A][0]["expiresAt"] == merged[A][0]["expiresAt"] == SOON


def test_the_expiry_of_an_entity_is_set_and_lifted():
    document = made()
    later = apply(Merge(ID, {"expiresAt": LATE}), document, START + 1).document
    assert later["expiresAt"] == LATE
    lifted = apply(Merge(ID, {"expiresAt": "urn:ngsi-ld:null"}), later, START + 2).document
    assert "expiresAt" not in lifted


def test_an_expired_entity_makes_room_for_a_new_one():
    document = made(expiresAt=SOON, **{A: [instance(1)]})
    again = apply(Create({"id": ID, "type": ["urn:x:T"]}), document, instant_us(SOON))
    assert again.outcome.done == "created"
    assert A not in again.document

"""What is shown without being parsed is what is shown otherwise."""

import msgspec
import pytest

from yunmeng.kernel.model import Context, Document, compact_entity, compact_stored

VOCAB = "https://uri.etsi.org/ngsi-ld/default-context/"
AT = "2026-11-22T04:00:00.123Z"
TIMES = {"createdAt": AT, "modifiedAt": AT}
CONTEXT = Context(({"speed": "https://example.org/speed", "Car": "https://example.org/Car"},), ())


def stored(**attributes: list[Document]) -> Document:
    return {"id": "urn:ngsi-ld:Car:1", "type": ["https://example.org/Car"], **attributes, **TIMES}


ORDINARY = {
    "type": "Property",
    "value": {"a": [1.5, None, "é"]},
    "unitCode": "KMH",
    "observedAt": AT,
    **TIMES,
}
DOCUMENTS = [
    pytest.param(stored(**{"https://example.org/speed": [ORDINARY]}), id="property"),
    pytest.param(
        stored(**{VOCAB + "x": [ORDINARY, {**ORDINARY, "datasetId": "urn:ngsi-ld:d:1"}]}), id="datasets"
    ),
    pytest.param(
        stored(
            **{VOCAB + "x": [{**ORDINARY, VOCAB + "accuracy": [{"type": "Property", "value": 1, **TIMES}]}]}
        ),
        id="sub-attribute",
    ),
    pytest.param(
        stored(
            **{
                VOCAB + "r": [
                    {"type": "Relationship", "object": ["urn:a:b"], "objectType": "https://example.org/Car"}
                ],
                VOCAB + "v": [{"type": "VocabProperty", "vocab": ["https://example.org/speed"]}],
                VOCAB + "l": [{"type": "LanguageProperty", "languageMap": {"zh": "水"}}],
                VOCAB + "j": [{"type": "JsonProperty", "json": {"createdAt": AT, "modifiedAt": "mine"}}],
                VOCAB + "n": [{"type": "ListRelationship", "objectList": [{"object": "urn:a:b"}]}],
                VOCAB + "m": [{"type": "ListProperty", "valueList": [1, 2]}],
            }
        ),
        id="every other kind",
    ),
    pytest.param(
        {**stored(), "type": [VOCAB + "A", VOCAB + "B"], "scope": ["/a", "/b"]}, id="types and scopes"
    ),
    pytest.param({**stored(), "scope": ["/a"]}, id="one scope"),
]


@pytest.mark.parametrize("document", DOCUMENTS)
def test_it_says_the_same(document: Document) -> None:
    shown = msgspec.json.decode(msgspec.json.encode(compact_stored(msgspec.json.encode(document), CONTEXT)))
    assert shown == compact_entity(document, CONTEXT)


def test_what_may_expire_or_stands_apart_is_left_to_others() -> None:
    speed = "https://example.org/speed"
    plain = msgspec.json.encode(stored(**{speed: [ORDINARY]}))
    assert compact_stored(plain, CONTEXT, frozenset((speed,))) is None
    assert compact_stored(plain, CONTEXT, frozenset((VOCAB + "other",))) is not None
    odd = msgspec.json.encode(stored(**{speed: [{**ORDINARY, VOCAB + "a": [ORDINARY]}]}))
    assert compact_stored(odd, CONTEXT, frozenset((speed,))) is None
    expiring = msgspec.json.encode({**stored(**{speed: [ORDINARY]}), "expiresAt": AT})
    assert compact_stored(expiring, CONTEXT) is None

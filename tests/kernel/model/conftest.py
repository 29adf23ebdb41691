"""Contexts and entities in the style of the standard's own examples."""

from typing import Any

import pytest

from yunmeng.kernel.model import Context, ContextLibrary, Document, expand_entity

VOCAB = "https://uri.etsi.org/ngsi-ld/default-context/"
LOCATION = "https://uri.etsi.org/ngsi-ld/location"
PARKING: dict[str, Any] = {
    "id": "urn:ngsi-ld:OffStreetParking:Downtown1",
    "type": "OffStreetParking",
    "scope": ["/Madrid/Centro", "/Parking"],
    "name": {"type": "Property", "value": "Downtown One"},
    "availableSpotNumber": {
        "type": "Property",
        "value": 121,
        "observedAt": "2017-07-29T12:05:02Z",
        "unitCode": "C62",
        "reliability": {"type": "Property", "value": 0.7},
        "providedBy": {"type": "Relationship", "object": "urn:ngsi-ld:Camera:C1"},
    },
    "totalSpotNumber": {"type": "Property", "value": 200},
    "open": {"type": "Property", "value": True},
    "location": {"type": "GeoProperty", "value": {"type": "Point", "coordinates": [-8.5, 41.2]}},
    "street": {"type": "LanguageProperty", "languageMap": {"zh": "珞喻路", "en": "Luoyu Road"}},
    "category": {"type": "VocabProperty", "vocab": ["public", "forDisabled"]},
    "address": {"type": "Property", "value": {"city": "Porto", "street": {"name": "Rua", "number": 7}}},
    "owner": {"type": "Relationship", "object": ["urn:ngsi-ld:Org:1", "urn:ngsi-ld:Org:2"]},
    "ticket": {"type": "JsonProperty", "json": {"id": "85a6cc52", "value": None}},
    "periods": {"type": "ListProperty", "valueList": ["First", "Second"]},
    "route": {
        "type": "ListRelationship",
        "objectList": [{"object": "urn:ngsi-ld:BusStop:1"}, {"object": "urn:ngsi-ld:BusStop:2"}],
    },
    "speed": [
        {"type": "Property", "value": 55, "datasetId": "urn:ngsi-ld:Dataset:gps"},
        {"type": "Property", "value": 54.5},
    ],
}


@pytest.fixture(scope="session")
def core() -> Context:
    return ContextLibrary().core


@pytest.fixture
def parking(core: Context) -> Document:
    return expand_entity(PARKING, core)

import copy

import pytest

from yunmeng.kernel.model import ContextLibrary, Create, apply, compact_entity, expand_entity, pick_language

from .conftest import LOCATION, PARKING, VOCAB

AT = 1_700_000_000_000_000


def test_simplified_shows_values_only(core, parking):
    assert compact_entity(parking, core, "simplified") == {
        "id": PARKING["id"],
        "type": "OffStreetParking",
        "scope": ["/Madrid/Centro", "/Parking"],
        "name": "Downtown One",
        "availableSpotNumber": 121,
        "totalSpotNumber": 200,
        "open": True,
        "location": {"type": "Point", "coordinates": [-8.5, 41.2]},
        "street": {"languageMap": {"zh": "珞喻路", "en": "Luoyu Road"}},
        "category": {"vocab": ["public", "forDisabled"]},
        "address": {"city": "Porto", "street": {"name": "Rua", "number": 7}},
        "owner": ["urn:ngsi-ld:Org:1", "urn:ngsi-ld:Org:2"],
        "ticket": {"json": {"id": "85a6cc52", "value": None}},
        "periods": ["First", "Second"],
        "route": ["urn:ngsi-ld:BusStop:1", "urn:ngsi-ld:BusStop:2"],
        "speed": {"dataset": {"urn:ngsi-ld:Dataset:gps": 55, "@none": 54.5}},
    }


def test_concise_leaves_kinds_out(core, parking):
    shown = compact_entity(parking, core, "concise")
    assert shown["name"] == "Downtown One"
    assert shown["address"] == {"value": {"city": "Porto", "street": {"name": "Rua", "number": 7}}}
    assert shown["availableSpotNumber"] == {
        "value": 121,
        "observedAt": "2017-07-29T12:05:02Z",
        "unitCode": "C62",
        "reliability": 0.7,
        "providedBy": {"object": "urn:ngsi-ld:Camera:C1"},
    }
    assert shown["speed"] == [{"value": 55, "datasetId": "urn:ngsi-ld:Dataset:gps"}, {"value": 54.5}]


def test_geojson_has_the_geometry_outside(core, parking):
    feature = compact_entity(parking, core, "geojson-simplified")
    assert (feature["id"], feature["type"]) == (PARKING["id"], "Feature")
    assert feature["geometry"] == {"type": "Point", "coordinates": [-8.5, 41.2]}
    assert feature["properties"]["type"] == "OffStreetParking"
    assert feature["properties"]["name"] == "Downtown One"
    assert compact_entity(parking, core, "geojson", geometry_property="urn:xx:other")["geometry"] is None


def test_times_of_the_system_on_request_only(core):
    document = apply(Create(expand_entity(PARKING, core)), None, AT).document
    assert document is not None
    assert compact_entity(document, core) == PARKING
    shown = compact_entity(document, core, sysattrs=True)
    assert (
        shown["createdAt"] == shown["modifiedAt"] == shown["name"]["createdAt"] == "2023-11-14T22:13:20.000Z"
    )


def test_projections(core, parking):
    name, location = VOCAB + "name", LOCATION
    assert set(compact_entity(parking, core, attrs=[name])) == {"id", "type", "scope", "name"}
    assert set(compact_entity(parking, core, pick=["id", name])) == {"id", "name"}
    assert "name" not in compact_entity(parking, core, omit=[name, "scope"])
    assert "scope" not in compact_entity(parking, core, omit=[name, "scope"])
    assert set(compact_entity(parking, core, pick=[name, location], omit=[name])) == {"location"}


def test_datasets_are_chosen(core, parking):
    shown = compact_entity(parking, core, dataset_ids=["urn:ngsi-ld:Dataset:gps"])
    assert shown["speed"] == {"type": "Property", "value": 55, "datasetId": "urn:ngsi-ld:Dataset:gps"}
    assert "name" not in shown
    assert compact_entity(parking, core, dataset_ids=["@none"])["speed"] == {
        "type": "Property",
        "value": 54.5,
    }


def test_a_language_makes_a_plain_value(core, parking):
    shown = compact_entity(parking, core, lang="zh")
    assert shown["street"] == {"type": "Property", "value": "珞喻路", "lang": "zh"}
    assert compact_entity(parking, core, "simplified", lang="en-GB")["street"] == "Luoyu Road"


@pytest.mark.parametrize(
    ("wanted", "language"),
    [
        ("zh-Hans-CN", "zh"),
        ("fr,en;q=0.5", "en"),
        ("EN", "en"),
        ("fr", "@none"),
        ("", "@none"),
        ("zh;q=0.2,en;q=0.9", "en"),
        ("zh;q=0,fr", "@none"),
        ("*,zh;q=0.1", "@none"),
    ],
)
def test_languages_are_looked_up_as_rfc_4647_says(wanted, language):
    assert pick_language({"zh": "水", "en": "water", "@none": "H2O"}, wanted)[1] == language


async def test_types_and_vocabulary_follow_the_readers_context(parking):
    context = await ContextLibrary().resolve({"P": VOCAB + "OffStreetParking", "pub": VOCAB + "public"})
    before = copy.deepcopy(parking)
    shown = compact_entity(parking, context)
    assert shown["type"] == "P"
    assert shown["category"]["vocab"] == ["pub", "forDisabled"]
    assert parking == before

"""Writing evolutions: ETSI GS CIM 009 §5.6.11 to §5.6.16."""

import pytest

TEMPORAL = "/ngsi-ld/v1/temporal/entities"
ID = "urn:ngsi-ld:Buoy:evolved"
WINDOW = "timerel=before&timeAt=2027-01-01T00:00:00Z"


def level(value: int, minute: int, **more: str) -> dict[str, object]:
    return {"type": "Property", "value": value, "observedAt": f"2026-01-01T00:{minute:02}:00Z", **more}


async def fill(node, id_: str = ID) -> str:
    body = {
        "id": id_,
        "type": "Buoy",
        "level": [level(1, 1), level(2, 2), level(3, 3, datasetId="urn:dataset:1")],
    }
    made = await node.admin.post(TEMPORAL, json=body)
    assert made.status_code == 201, made.text
    return made.headers["location"]


CURRENT = f"/ngsi-ld/v1/entities/{ID}"


async def test_an_evolution_of_an_unknown_entity(node) -> None:
    location = await fill(node)
    found = (await node.admin.get(location)).json()
    assert [row["value"] for row in found["level"]] == [1, 2, 3]
    assert all(row["instanceId"].startswith("urn:ngsi-ld:Instance:") for row in found["level"])
    listed = await node.admin.get(f"{TEMPORAL}?type=Buoy&{WINDOW}")
    assert [row["id"] for row in listed.json()] == [ID]


def values(instances: object) -> list[object]:
    return [row["value"] for row in (instances if isinstance(instances, list) else [instances])]


async def test_the_newest_values_are_the_current_ones(node) -> None:
    location = await fill(node)
    assert values((await node.admin.get(CURRENT)).json()["level"]) == [2, 3]
    for minute, value in ((9, 9), (5, 5)):
        await node.admin.post(f"{location}/attrs", json={"level": [level(value, minute)]})
    assert sorted(values((await node.admin.get(CURRENT)).json()["level"])) == [3, 9]
    assert values((await node.admin.get(location)).json()["level"]) == [1, 2, 3, 5, 9]


async def test_what_is_deleted_of_the_current_entity_shows_in_the_evolution(node) -> None:
    location = await fill(node)
    assert (await node.admin.delete(f"{CURRENT}/attrs/level?deleteAll=true")).status_code == 204
    gone = (await node.admin.get(f"{location}?timeproperty=deletedAt")).json()
    assert values(gone["level"]) == ["urn:ngsi-ld:null"]
    assert values((await node.admin.get(location)).json()["level"]) == [1, 2, 3]


async def test_the_null_of_what_is_gone_is_of_its_kind(node) -> None:
    """§4.5.0, §4.5.18, §4.8."""
    entity = {"id": ID, "type": "Buoy", "scope": "/a", "title": {"languageMap": {"zh": "水"}}}
    await node.admin.post("/ngsi-ld/v1/entities", json=entity)
    for name in ("title", "scope"):
        assert (await node.admin.delete(f"{CURRENT}/attrs/{name}")).status_code == 204
    gone = (await node.admin.get(f"{TEMPORAL}/{ID}?timeproperty=deletedAt")).json()
    assert gone["title"][0]["languageMap"] == {"@none": "urn:ngsi-ld:null"}
    assert "deletedAt" in gone["scope"][0]
    assert "observedAt" not in gone["scope"][0]


async def test_a_null_in_an_evolution_deletes_nothing(node) -> None:
    """§4.5.0."""
    location = await fill(node)
    null = {"level": [{**level(0, 9), "value": "urn:ngsi-ld:null"}]}
    assert (await node.admin.post(f"{location}/attrs", json=null)).status_code == 204
    assert values((await node.admin.get(location)).json()["level"]) == [1, 2, 3, "urn:ngsi-ld:null"]
    assert values((await node.admin.get(CURRENT)).json()["level"]) == [2, 3]


async def test_the_current_entity_goes_with_the_evolution_that_made_it(node) -> None:
    location = await fill(node)
    assert (await node.admin.delete(location)).status_code == 204
    assert (await node.admin.get(CURRENT)).status_code == 404
    assert (await node.admin.get(location)).status_code == 404
    await fill(node)


async def test_an_entity_that_was_made_otherwise_stays(node) -> None:
    entity = {"id": ID, "type": "Buoy", "level": level(1, 1)}
    await node.admin.post("/ngsi-ld/v1/entities", json=entity)
    await node.admin.post(f"{TEMPORAL}/{ID}/attrs", json={"level": [level(4, 4), level(0, 0)]})
    assert values((await node.admin.get(CURRENT)).json()["level"]) == [4]
    assert (await node.admin.delete(f"{TEMPORAL}/{ID}")).status_code == 204
    assert values((await node.admin.get(CURRENT)).json()["level"]) == [4]


async def test_an_entity_that_was_deleted_stays_so(node) -> None:
    location = await fill(node)
    assert (await node.admin.delete(CURRENT)).status_code == 204
    await node.admin.post(f"{location}/attrs", json={"level": [level(7, 7)]})
    assert (await node.admin.get(CURRENT)).status_code == 404
    assert values((await node.admin.get(location)).json()["level"]) == [1, 2, 3, 7]


async def test_an_observation_that_comes_again_is_one(node) -> None:
    location = await fill(node)
    again = {"id": ID, "type": "Buoy", "level": [level(1, 1), level(20, 2), level(3, 3)]}
    for _ in range(2):
        assert (await node.admin.post(TEMPORAL, json=again)).status_code == 204
    found = (await node.admin.get(location)).json()["level"]
    assert [(row["value"], row["observedAt"][14:16]) for row in found] == [
        (1, "01"),
        (20, "02"),
        (3, "03"),
        (3, "03"),
    ]
    assert {row.get("datasetId") for row in found[2:]} == {None, "urn:dataset:1"}
    assert sorted(values((await node.admin.get(CURRENT)).json()["level"])) == [3, 3]


async def test_a_second_write_extends_it(node) -> None:
    location = await fill(node)
    more = {"id": ID, "type": ["Buoy", "Station"], "level": [level(4, 4)]}
    assert (await node.admin.post(TEMPORAL, json=more)).status_code == 204
    added = await node.admin.post(f"{location}/attrs", json={"pressure": [level(9, 9)]})
    assert added.status_code == 204
    found = (await node.admin.get(location)).json()
    assert set(found["type"]) == {"Buoy", "Station"}
    assert [row["value"] for row in found["level"]] == [1, 2, 3, 4]
    assert found["pressure"][0]["value"] == 9


async def test_one_instance_is_changed_and_deleted(node) -> None:
    location = await fill(node)
    instance = (await node.admin.get(location)).json()["level"][0]["instanceId"]
    patch = {"type": "Property", "value": 7}
    assert (await node.admin.patch(f"{location}/attrs/level/{instance}", json=patch)).status_code == 204
    first = (await node.admin.get(location)).json()["level"][0]
    assert (first["value"], first["observedAt"], first["instanceId"]) == (7, "2026-01-01T00:01:00Z", instance)
    assert (await node.admin.delete(f"{location}/attrs/level/{instance}")).status_code == 204
    assert [row["value"] for row in (await node.admin.get(location)).json()["level"]] == [2, 3]
    assert (await node.admin.delete(f"{location}/attrs/level/{instance}")).status_code == 404


@pytest.mark.parametrize(
    ("query", "left"), [("", [3]), ("?datasetId=urn:dataset:1", [1, 2]), ("?deleteAll=true", None)]
)
async def test_an_attribute_goes_by_dataset(node, query, left) -> None:
    location = await fill(node)
    assert (await node.admin.delete(f"{location}/attrs/level{query}")).status_code == 204
    if left is None:
        assert (await node.admin.get(location)).status_code == 404
    else:
        assert [row["value"] for row in (await node.admin.get(location)).json()["level"]] == left


async def test_what_is_gone_can_still_be_followed(node) -> None:
    entity = {"id": ID, "type": "Buoy", "level": {"type": "Property", "value": 1}, "scope": "/a"}
    await node.admin.post("/ngsi-ld/v1/entities", json=entity)
    await node.admin.delete(f"/ngsi-ld/v1/entities/{ID}")
    kept = await node.admin.get(f"{TEMPORAL}/{ID}")
    assert [row["value"] for row in kept.json()["level"]] == [1]
    gone = (await node.admin.get(f"{TEMPORAL}/{ID}?timeproperty=deletedAt")).json()
    assert gone["level"][0]["value"] == "urn:ngsi-ld:null"
    assert "deletedAt" in gone["level"][0]
    assert (await node.admin.delete(f"{TEMPORAL}/{ID}")).status_code == 204
    assert (await node.admin.get(f"{TEMPORAL}/{ID}")).status_code == 404


async def test_conditions_hold_within_the_window(node) -> None:
    await fill(node)
    inside = f"{TEMPORAL}?type=Buoy&timerel=before&timeAt=2026-01-01T00:02:00Z"
    assert [row["id"] for row in (await node.admin.get(f"{inside}&q=level==1")).json()] == [ID]
    assert (await node.admin.get(f"{inside}&q=level==2")).json() == []


async def test_a_query_by_body_says_the_same(node) -> None:
    await fill(node)
    body = {
        "type": "Query",
        "entities": [{"type": "Buoy"}],
        "temporalQ": {"timerel": "after", "timeAt": "2026-01-01T00:02:00Z", "lastN": 1},
    }
    found = await node.admin.post("/ngsi-ld/v1/temporal/entityOperations/query", json=body)
    assert found.status_code == 200, found.text
    assert [row["value"] for row in found.json()[0]["level"]] == [3]
    body["temporalQ"] = {"timerel": "during", "timeAt": "2026-01-01T00:02:00Z"}
    refused = await node.admin.post("/ngsi-ld/v1/temporal/entityOperations/query", json=body)
    assert refused.json()["type"].endswith("BadRequestData")


async def test_a_scope_counts_while_it_is_valid(node) -> None:
    scope = [
        {"type": "Property", "value": "/old", "observedAt": "2026-01-01T00:00:00Z"},
        {"type": "Property", "value": "/new", "observedAt": "2026-01-01T00:30:00Z"},
    ]
    body = {"id": ID, "type": "Buoy", "scope": scope, "level": [level(1, 10), level(2, 40)]}
    assert (await node.admin.post(TEMPORAL, json=body)).status_code == 201
    found = (await node.admin.get(f"{TEMPORAL}?type=Buoy&scopeQ=/old&{WINDOW}")).json()
    assert [row["value"] for row in found[0]["level"]] == [1]
    assert [row["value"] for row in found[0]["scope"]] == ["/old"]

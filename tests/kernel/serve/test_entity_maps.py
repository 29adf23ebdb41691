"""Entity maps: the entities of a query held fast for its pages (ETSI GS CIM 009 §5.5.9.3, §5.14)."""

from typing import Any

import httpx
import pytest

from yunmeng.kernel.serve.ngsild import entity_maps

from .conftest import Node

ENTITIES = "/ngsi-ld/v1/entities"
MAPS = "/ngsi-ld/v1/entityMaps"
HEADER = "NGSILD-EntityMap"


def urn(number: int) -> str:
    return f"urn:ngsi-ld:Meter:{number}"


def meter(number: int) -> dict[str, Any]:
    return {"id": urn(number), "type": "Meter", "level": {"type": "Property", "value": number}}


@pytest.fixture
async def filled(admin: httpx.AsyncClient) -> httpx.AsyncClient:
    made = await admin.post("/ngsi-ld/v1/entityOperations/create", json=[meter(n) for n in range(5)])
    assert made.status_code == 201, made.text
    return admin


async def pages(client: httpx.AsyncClient, location: str, query: str) -> tuple[list[str], httpx.Response]:
    found = await client.get(f"{ENTITIES}?type=Meter&{query}", headers={HEADER: location})
    assert found.status_code == 200, found.text
    return [row["id"] for row in found.json()], found


async def test_a_map_names_the_entities_and_their_holders(filled: httpx.AsyncClient) -> None:
    made = await filled.get(f"{MAPS}?type=Meter&q=level>2")
    assert made.status_code == 201
    body = made.json()
    assert (body["type"], body["entityMap"]) == ("EntityMap", {urn(3): ["@none"], urn(4): ["@none"]})
    again = await filled.get(made.headers[HEADER])
    assert again.status_code == 200
    assert again.json() == body


async def test_pages_of_a_map_know_no_later_entity_and_lose_deleted_ones(filled: httpx.AsyncClient) -> None:
    made = await filled.get(f"{ENTITIES}?type=Meter&limit=2&entityMap=true")
    assert made.status_code == 201
    assert [row["id"] for row in made.json()] == [urn(0), urn(1)]
    location = made.headers[HEADER]
    await filled.post(ENTITIES, json=meter(9))
    await filled.delete(f"{ENTITIES}/{urn(2)}")

    found, page = await pages(filled, location, "limit=2&offset=2&count=true")
    assert found == [urn(3), urn(4)]
    assert page.headers["ngsild-results-count"] == "4"
    assert page.headers[HEADER] == location
    assert 'rel="next"' not in page.headers["link"]
    assert urn(2) not in (await filled.get(location)).json()["entityMap"]
    assert (await pages(filled, location, "q=level>3"))[0] == [urn(4)]


async def test_the_order_of_the_first_query_stays(filled: httpx.AsyncClient) -> None:
    made = await filled.get(f"{ENTITIES}?type=Meter&orderBy=level;desc&limit=1&entityMap=true")
    assert list((await filled.get(made.headers[HEADER])).json()["entityMap"]) == [
        urn(n) for n in (4, 3, 2, 1, 0)
    ]
    found, _ = await pages(filled, made.headers[HEADER], "orderBy=level;desc&limit=2&offset=1")
    assert found == [urn(3), urn(2)]


async def test_a_retrieved_entity_comes_with_a_map(filled: httpx.AsyncClient) -> None:
    got = await filled.get(f"{ENTITIES}/{urn(1)}?entityMap=true")
    assert got.status_code == 200
    location = got.headers[HEADER]
    assert (await filled.get(location)).json()["entityMap"] == {urn(1): ["@none"]}
    same = await filled.get(f"{ENTITIES}/{urn(1)}", headers={HEADER: location})
    assert same.headers[HEADER] == location
    fresh = await filled.get(f"{ENTITIES}/{urn(1)}", headers={HEADER: "urn:ngsi-ld:EntityMap:gone"})
    assert fresh.headers[HEADER].startswith(f"{MAPS}/urn:ngsi-ld:EntityMap:")


async def test_only_the_end_can_be_moved_and_not_far(filled: httpx.AsyncClient) -> None:
    made = await filled.get(f"{MAPS}?type=Meter&entityMapLifetime=PT1M")
    location, first = made.headers[HEADER], made.json()["expiresAt"]
    fragment = {"expiresAt": "2999-01-01T00:00:00Z", "entityMap": {urn(7): ["@none"]}}
    assert (await filled.patch(location, json=fragment)).status_code == 204
    changed = (await filled.get(location)).json()
    assert first < changed["expiresAt"] < "2999"
    assert urn(7) not in changed["entityMap"]
    assert (await filled.patch(location, json={"expiresAt": "soon"})).status_code == 400


async def test_an_ended_map_is_gone_and_another_takes_its_place(filled: httpx.AsyncClient) -> None:
    location = (await filled.get(f"{MAPS}?type=Meter")).headers[HEADER]
    await filled.patch(location, json={"expiresAt": "2000-01-01T00:00:00Z"})
    assert (await filled.get(location)).json()["key"] == "entity-map.absent"
    found = await filled.get(f"{ENTITIES}?type=Meter", headers={HEADER: location})
    assert found.status_code == 201
    assert found.headers[HEADER] != location


async def test_a_deleted_map_is_gone(filled: httpx.AsyncClient) -> None:
    location = (await filled.get(f"{MAPS}?type=Meter")).headers[HEADER]
    assert (await filled.delete(location)).status_code == 204
    assert (await filled.get(location)).status_code == 404
    assert (await filled.delete(location)).status_code == 404


async def test_maps_are_their_makers_alone(filled: httpx.AsyncClient, node: Node) -> None:
    location = (await filled.get(f"{MAPS}?type=Meter")).headers[HEADER]
    other = await node.client("administrator", clearance=4)
    assert (await other.get(location)).status_code == 404
    assert (await filled.get(location, headers={"NGSILD-Tenant": "other"})).status_code == 404


async def test_there_is_room_for_so_many_maps(
    filled: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(entity_maps, "MAPS_MOST", 2)
    made = [
        (await filled.get(f"{MAPS}?type=Meter&entityMapLifetime=PT{minutes}M")).headers[HEADER]
        for minutes in (5, 3, 4)
    ]
    assert [(await filled.get(location)).status_code for location in made] == [200, 404, 200]


@pytest.mark.parametrize(
    ("query", "status", "key"),
    [
        (f"id={urn(1)}", 400, "query.wide"),
        ("type=Meter&entityMapLifetime=1hour", 400, "query.duration"),
        ("", 400, "query.selector"),
    ],
)
async def test_what_makes_no_map(filled: httpx.AsyncClient, query: str, status: int, key: str) -> None:
    refused = await filled.get(f"{MAPS}?{query}")
    assert (refused.status_code, refused.json()["key"]) == (status, key)


async def test_a_map_has_an_upper_size(filled: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(entity_maps, "ENTITIES_MOST", 4)
    refused = await filled.get(f"{MAPS}?type=Meter")
    assert (refused.status_code, refused.json()["key"]) == (403, "entity-map.too-many")


async def test_temporal_queries_make_and_use_maps(filled: httpx.AsyncClient) -> None:
    """§5.7.3.4, §5.7.4.4 and §5.14.5."""
    temporal, window = (
        "/ngsi-ld/v1/temporal",
        "timerel=after&timeAt=2000-01-01T00:00:00Z&timeproperty=createdAt",
    )
    made = await filled.get(f"{temporal}/entityMaps?type=Meter&q=level>2&{window}")
    assert (made.status_code, list(made.json()["entityMap"])) == (201, [urn(3), urn(4)])
    location = made.headers[HEADER]
    found = await filled.get(f"{temporal}/entities?type=Meter&{window}", headers={HEADER: location})
    assert (found.status_code, found.headers[HEADER]) == (200, location)
    assert [row["id"] for row in found.json()] == [urn(3), urn(4)]

    fresh = await filled.get(f"{temporal}/entities?type=Meter&{window}", headers={HEADER: "urn:x:gone"})
    assert fresh.status_code == 201
    assert len((await filled.get(fresh.headers[HEADER])).json()["entityMap"]) == 5
    one = await filled.get(f"{temporal}/entities/{urn(2)}?{window}&entityMap=true")
    assert list((await filled.get(one.headers[HEADER])).json()["entityMap"]) == [urn(2)]

    none = await filled.get(f"{temporal}/entityMaps?type=Meter&timerel=before&timeAt=2000-01-01T00:00:00Z")
    assert none.json()["entityMap"] == {}
    empty = await filled.get(
        f"{temporal}/entities?type=Meter&{window}", headers={HEADER: none.headers[HEADER]}
    )
    assert empty.json() == []
    assert (await filled.get(f"{temporal}/entityMaps?type=Meter")).status_code == 400

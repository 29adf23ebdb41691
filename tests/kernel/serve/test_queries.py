from typing import Any

import httpx
import pytest

ENTITIES = "/ngsi-ld/v1/entities"
OPERATIONS = "/ngsi-ld/v1/entityOperations"


def station(number: int, **more: Any) -> dict[str, Any]:
    return {
        "id": f"urn:ngsi-ld:Station:{number}",
        "type": "Station" if number % 2 else "Pump",
        "level": {"type": "Property", "value": number},
        "location": {
            "type": "GeoProperty",
            "value": {"type": "Point", "coordinates": [114.0 + number / 10, 30.5]},
        },
        "scope": "/hubei/wuhan" if number < 3 else "/hubei/yichang",
        **more,
    }


@pytest.fixture
async def filled(admin: httpx.AsyncClient) -> httpx.AsyncClient:
    made = await admin.post(f"{OPERATIONS}/create", json=[station(number) for number in range(6)])
    assert made.status_code == 201, made.text
    assert made.json() == [f"urn:ngsi-ld:Station:{number}" for number in range(6)]
    return admin


@pytest.mark.parametrize(
    ("query", "numbers"),
    [
        ("type=Station", [1, 3, 5]),
        ("type=Station,Pump", [0, 1, 2, 3, 4, 5]),
        ("id=urn:ngsi-ld:Station:1,urn:ngsi-ld:Station:4", [1, 4]),
        ("idPattern=.*:[23]$", [2, 3]),
        ("q=level>=4", [4, 5]),
        ("type=Pump&q=level==0|level==2", [0, 2]),
        ("attrs=level&q=level<1", [0]),
        ("scopeQ=/hubei/wuhan", [0, 1, 2]),
        ("georel=near;maxDistance==15000&geometry=Point&coordinates=[114.1,30.5]", [0, 1, 2]),
        (
            "georel=within&geometry=Polygon&coordinates=[[[114.25,30],[115,30],[115,31],[114.25,31],[114.25,30]]]",
            [3, 4, 5],
        ),
        ("type=Absent", []),
        ("type=*", [0, 1, 2, 3, 4, 5]),
        ("type=*&q=!location", []),
        ("type=*&q=!extra;level>3", [4, 5]),
        ("type=*&orderBy=level;desc&limit=2", [5, 4]),
        ("type=*&orderBy=type;desc,level;desc", [5, 3, 1, 4, 2, 0]),
        ("type=*&orderBy=location;dist-asc&orderFrom=[114.31,30.5]&limit=3", [3, 4, 2]),
    ],
)
async def test_queries(filled: httpx.AsyncClient, query: str, numbers: list[int]) -> None:
    found = await filled.get(f"{ENTITIES}?{query}")
    assert found.status_code == 200, found.text
    assert [row["id"] for row in found.json()] == [f"urn:ngsi-ld:Station:{number}" for number in numbers]


async def test_pages_are_counted_and_linked(filled: httpx.AsyncClient) -> None:
    page = await filled.get(f"{ENTITIES}?type=Station,Pump&limit=2&offset=2&count=true")
    assert page.headers["ngsild-results-count"] == "6"
    assert len(page.json()) == 2
    links = page.headers["link"]
    assert 'rel="prev"' in links
    assert 'rel="next"' in links
    following = next(part for part in links.split(", ") if 'rel="next"' in part)
    last = await filled.get(following[1 : following.index(">")])
    assert [row["level"]["value"] for row in last.json()] == [4, 5]
    assert 'rel="next"' not in last.headers["link"]
    nothing = await filled.get(f"{ENTITIES}?type=Station&limit=0&count=true")
    assert nothing.json() == []
    assert nothing.headers["ngsild-results-count"] == "3"


async def test_answers_as_geojson(filled: httpx.AsyncClient) -> None:
    found = await filled.get(f"{ENTITIES}?type=Station", headers={"accept": "application/geo+json"})
    assert found.json()["type"] == "FeatureCollection"
    assert [row["geometry"]["coordinates"][0] for row in found.json()["features"]] == [114.1, 114.3, 114.5]


async def test_a_query_in_the_body(filled: httpx.AsyncClient) -> None:
    body = {
        "type": "Query",
        "entities": [{"type": "Station"}, {"type": "Pump", "idPattern": ".*"}],
        "q": "level>2",
        "geoQ": {
            "georel": "near;maxDistance==15000",
            "geometry": "Point",
            "coordinates": [114.4, 30.5],
        },
    }
    found = await filled.post(f"{OPERATIONS}/query?limit=2", json=body)
    assert found.status_code == 200, found.text
    assert [row["level"]["value"] for row in found.json()] == [3, 4]
    assert 'rel="next"' in found.headers["link"]
    assert (await filled.post(f"{OPERATIONS}/query", json={"type": "Other"})).json()["key"] == "query.type"


async def test_types_and_attributes(filled: httpx.AsyncClient) -> None:
    types = (await filled.get("/ngsi-ld/v1/types")).json()
    assert types["typeList"] == ["Pump", "Station"]
    detailed = (await filled.get("/ngsi-ld/v1/types?details=true")).json()
    assert detailed[1]["attributeNames"] == ["level", "location"]
    one = (await filled.get("/ngsi-ld/v1/types/Pump")).json()
    assert one["entityCount"] == 3
    assert one["attributeDetails"][1]["attributeTypes"] == ["GeoProperty"]
    assert (await filled.get("/ngsi-ld/v1/types/Absent")).status_code == 404
    assert (await filled.get("/ngsi-ld/v1/attributes")).json()["attributeList"] == ["level", "location"]
    level = (await filled.get("/ngsi-ld/v1/attributes/level")).json()
    assert level["attributeCount"] == 6
    assert level["typeNames"] == ["Pump", "Station"]
    assert (await filled.get("/ngsi-ld/v1/attributes/absent")).status_code == 404


async def test_batches(filled: httpx.AsyncClient) -> None:
    async def send(name: str, body: Any, query: str = "") -> httpx.Response:
        return await filled.post(f"{OPERATIONS}/{name}{query}", json=body)

    mixed = await send("create", [station(1), station(7), {"id": "bad"}])
    assert mixed.status_code == 207
    assert mixed.json()["success"] == ["urn:ngsi-ld:Station:7"]
    errors = mixed.json()["errors"]
    assert {row["entityId"] for row in errors} == {"urn:ngsi-ld:Station:1", "bad"}
    assert {row["error"]["status"] for row in errors} == {400, 409}

    assert (await send("create", [station(9), None])).status_code == 400
    assert (await filled.get(f"{ENTITIES}/urn:ngsi-ld:Station:9")).status_code == 404

    upserted = await send("upsert", [station(1), station(8)])
    assert upserted.status_code == 201
    assert upserted.json() == ["urn:ngsi-ld:Station:8"]
    part = {"id": "urn:ngsi-ld:Station:1", "type": "Station", "extra": {"value": 1}}
    assert (await send("upsert", [part], "?options=update")).status_code == 204
    assert {"extra", "level"} <= set((await filled.get(f"{ENTITIES}/urn:ngsi-ld:Station:1")).json())
    assert (await send("upsert", [part])).status_code == 204
    assert "level" not in (await filled.get(f"{ENTITIES}/urn:ngsi-ld:Station:1")).json()

    changed = {"id": "urn:ngsi-ld:Station:3", "level": {"value": 33}}
    assert (await send("update", [changed])).status_code == 204
    lost = await send("update", [{"id": "urn:ngsi-ld:Station:99", "level": {"value": 1}}])
    assert lost.status_code == 207
    assert lost.json()["errors"][0]["error"]["type"].endswith("ResourceNotFound")
    assert (await send("update", [changed], "?options=noOverwrite")).status_code == 207
    assert (await send("merge", [{"id": "urn:ngsi-ld:Station:3", "level": {"value": 34}}])).status_code == 204
    assert (await filled.get(f"{ENTITIES}/urn:ngsi-ld:Station:3?options=keyValues")).json()["level"] == 34

    assert (await send("delete", ["urn:ngsi-ld:Station:3"])).status_code == 204
    gone = await send("delete", ["urn:ngsi-ld:Station:3", "urn:ngsi-ld:Station:4", "x"])
    assert gone.status_code == 207
    assert gone.json()["success"] == ["urn:ngsi-ld:Station:4"]
    assert (await send("create", [])).status_code == 400


async def ordered(client: httpx.AsyncClient, ordering: dict[str, Any]) -> httpx.Response:
    body = {"type": "Query", "entities": [{"type": "*"}], "ordering": ordering}
    return await client.post(f"{OPERATIONS}/query?options=keyValues", json=body)


async def test_a_query_in_the_body_orders_too(filled: httpx.AsyncClient) -> None:
    """Table 5.2.43-1."""
    far = {"orderBy": ["location;dist-desc"], "coordinates": [114.0, 30.5], "geometry": "Point"}
    assert [row["level"] for row in (await ordered(filled, far)).json()] == [5, 4, 3, 2, 1, 0]
    assert (await ordered(filled, {"orderBy": ["location;dist-asc"]})).json()["key"] == "order.origin"
    assert (await ordered(filled, {**far, "coordinates": "114,30"})).json()["key"] == "json.array"
    assert (await ordered(filled, {**far, "geometry": 5})).json()["key"] == "json.text"
    assert (await ordered(filled, {"orderBy": ["id"], "collation": "no tag!"})).status_code == 400


async def test_values_that_are_names_are_expanded_when_asked(admin: httpx.AsyncClient) -> None:
    """Example 12 of §4.9."""
    shop = {
        "id": "urn:ngsi-ld:Shop:1",
        "type": "Shop",
        "category": {"type": "VocabProperty", "vocab": "food"},
    }
    await admin.post(ENTITIES, json=shop)
    query = f"{ENTITIES}?type=Shop&q=category==food"
    assert (await admin.get(query)).json() == []
    assert len((await admin.get(f"{query}&expandValues=category")).json()) == 1
    body = {
        "type": "Query",
        "entities": [{"type": "Shop"}],
        "q": "category==food",
        "expandValues": ["category"],
    }
    assert len((await admin.post(f"{OPERATIONS}/query", json=body)).json()) == 1


@pytest.mark.parametrize(
    ("selectors", "numbers"),
    [
        ([{"type": "Pump"}, {"type": "Station"}], [0, 1, 2, 3, 4, 5]),
        ([{"type": "Pump", "id": "urn:ngsi-ld:Station:2"}, {"type": "Station"}], [1, 2, 3, 5]),
        ([{"type": "Pump", "idPattern": ".*:[45]$"}, {"type": "*", "id": "urn:ngsi-ld:Station:1"}], [1, 4]),
        ([{"type": "Pump;Station"}, {"type": "Pump|Absent", "idPattern": ".*:0$"}], [0]),
    ],
)
async def test_an_entity_must_suit_one_of_the_selectors(
    filled: httpx.AsyncClient, selectors: list[dict[str, Any]], numbers: list[int]
) -> None:
    """§5.2.23: entities of a Query."""
    found = await filled.post(f"{OPERATIONS}/query", json={"type": "Query", "entities": selectors})
    assert found.status_code == 200, found.text
    assert [row["id"] for row in found.json()] == [f"urn:ngsi-ld:Station:{number}" for number in numbers]


async def test_the_id_of_a_selector_outranks_its_pattern(filled: httpx.AsyncClient) -> None:
    """Table 5.2.33-1."""
    selector = {"type": "*", "id": "urn:ngsi-ld:Station:1", "idPattern": ".*:2$"}
    body = {"type": "Query", "entities": [selector]}
    found = (await filled.post(f"{OPERATIONS}/query", json=body)).json()
    assert [row["id"] for row in found] == ["urn:ngsi-ld:Station:1"]


@pytest.mark.parametrize(
    ("query", "key"),
    [
        ("type=*&csf=))", "q.name"),
        ("type=*&local=false", "query.everywhere"),
        ("type=*&geometryProperty=location", "query.geometry-property"),
        ("type=*&georel=near;maxDistance==0&geometry=Point&coordinates=[1,2]", "geo.distance"),
        (
            "type=*&georel=near;minDistance==1;maxDistance==5&geometry=Point&coordinates=[1,2]",
            "geo.distance",
        ),
        ("type=*&orderBy=level;sideways", "order.key"),
        ("type=*&orderBy=location;dist-asc", "order.origin"),
        ("type=*&orderBy=level&collation=xx", "collation.unknown"),
    ],
)
async def test_what_cannot_be_asked(filled: httpx.AsyncClient, query: str, key: str) -> None:
    refused = await filled.get(f"{ENTITIES}?{query}")
    assert (refused.status_code, refused.json()["key"]) == (400, key)


async def test_a_temporal_query_belongs_elsewhere(filled: httpx.AsyncClient) -> None:
    when = {"timerel": "before", "timeAt": "2030-01-01T00:00:00Z"}
    body = {"type": "Query", "entities": [{"type": "*"}], "temporalQ": when}
    refused = await filled.post(f"{OPERATIONS}/query", json=body)
    assert (refused.status_code, refused.json()["key"]) == (400, "query.temporal")


async def test_page_links_name_their_media_type_and_keep_the_query(filled: httpx.AsyncClient) -> None:
    query = f"{ENTITIES}?type=*&idPattern=urn:ngsi-ld:.*&limit=2&offset=2"
    page = await filled.get(query, headers={"Accept": "application/ld+json"})
    start = f"<{ENTITIES}?idPattern=urn:ngsi-ld:.*&limit=2&offset="
    assert page.headers["link"] == (
        f'{start}0&type=*>;rel="prev";type="application/ld+json", '
        f'{start}4&type=*>;rel="next";type="application/ld+json"'
    )
    plain = (await filled.get(query)).headers["link"]
    assert f'{start}4&type=*>;rel="next";type="application/json"' in plain


async def test_geojson_may_come_without_a_context_inside(filled: httpx.AsyncClient) -> None:
    """§6.3.6: Prefer body=json."""
    headers = {"Accept": "application/geo+json"}
    assert "@context" in (await filled.get(f"{ENTITIES}?type=Pump", headers=headers)).json()
    bare = await filled.get(f"{ENTITIES}?type=Pump", headers={**headers, "Prefer": "body=json"})
    assert "@context" not in bare.json()
    assert "json-ld#context" in bare.headers["link"]

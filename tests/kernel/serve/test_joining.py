"""Linked entities (ETSI GS CIM 009 §4.5.23) and projections with braces (§4.21)."""

import pytest

ENTITIES = "/ngsi-ld/v1/entities"
HOUSE, CITY, LAND = (f"urn:ngsi-ld:{name}:1" for name in ("House", "City", "Land"))


async def fill(node) -> None:
    for body in (
        {"id": HOUSE, "type": "House", "name": "h", "within": {"type": "Relationship", "object": CITY}},
        {"id": CITY, "type": "City", "name": "c", "within": {"type": "Relationship", "object": LAND}},
        {"id": LAND, "type": "Land", "name": "l", "holds": {"type": "Relationship", "object": HOUSE}},
    ):
        assert (await node.admin.post(ENTITIES, json=body)).status_code == 201


async def test_inline(node) -> None:
    await fill(node)
    one = (await node.admin.get(f"{ENTITIES}/{HOUSE}?join=inline")).json()
    assert one["within"]["entity"]["name"]["value"] == "c"
    assert "entity" not in one["within"]["entity"]["within"]
    deep = (await node.admin.get(f"{ENTITIES}/{HOUSE}?join=inline&joinLevel=5&options=keyValues")).json()
    assert deep["within"]["within"]["name"] == "l"
    # what contains itself is named, not repeated
    assert deep["within"]["within"]["holds"] == HOUSE


async def test_flat(node) -> None:
    await fill(node)
    rows = (await node.admin.get(f"{ENTITIES}?type=House&join=flat&joinLevel=3")).json()
    assert [row["id"] for row in rows] == [HOUSE, CITY, LAND]


async def test_braces_choose_members_of_what_is_linked(node) -> None:
    await fill(node)
    address = f"{ENTITIES}/{HOUSE}?join=inline&options=keyValues"
    picked = (await node.admin.get(f"{address}&pick=id,within{{name}}")).json()
    assert picked == {"id": HOUSE, "within": {"name": "c"}}
    omitted = (await node.admin.get(f"{address}&omit=within{{name}}")).json()
    assert omitted["name"] == "h"
    assert "name" not in omitted["within"]


@pytest.mark.parametrize(
    "query",
    [
        "pick=within{name}", "join=inline&pick=a,,b", "join=inline&pick=a{b", "join=sideways", "joinLevel=0",
        "join=inline&pick=within{within{name}}", "join=flat&joinLevel=2&omit=a{b{c{d}}}",
    ],
)  # fmt: skip
async def test_what_cannot_be_read_is_refused(node, query) -> None:
    await fill(node)
    assert (await node.admin.get(f"{ENTITIES}/{HOUSE}?{query}")).status_code == 400


async def test_what_is_not_there_is_not_joined(node) -> None:
    body = {"id": HOUSE, "type": "House", "within": {"type": "Relationship", "object": CITY}}
    assert (await node.admin.post(ENTITIES, json=body)).status_code == 201
    alone = (await node.admin.get(f"{ENTITIES}/{HOUSE}?join=flat&options=keyValues")).json()
    assert alone == {"id": HOUSE, "type": "House", "within": CITY}


async def test_a_query_in_the_body_joins_too(node) -> None:
    """Table 5.2.23-1: join and joinLevel."""
    await fill(node)
    body = {"type": "Query", "entities": [{"type": "House"}], "join": "inline", "joinLevel": 2}
    address = "/ngsi-ld/v1/entityOperations/query"
    (found,) = (await node.admin.post(f"{address}?options=keyValues", json=body)).json()
    assert found["within"]["within"]["name"] == "l"
    assert (await node.admin.post(address, json={**body, "joinLevel": 0})).status_code == 400


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ('q=within{name}=="c"', [HOUSE]),
        ('q=within{City:name}=="c"', [HOUSE]),
        ('q=within{Land:name}=="c"', []),
        ('q=within{name}=="nobody"', []),
        ("q=within{within}", [HOUSE]),
        ('q=within{name}=="c"|name=="l"', [HOUSE, LAND]),
        ('q=within{within{name}}=="l"&joinLevel=2', [HOUSE]),
        ('q=within{within{holds{name}}}=="h"&joinLevel=3', [HOUSE]),
    ],
)
async def test_conditions_on_linked_entities(node, query, found) -> None:
    """The examples of §4.9 with a path into the linked entity, and with the types it may have."""
    await fill(node)
    rows = await node.admin.get(f"{ENTITIES}?type=House,City,Land&join=inline&{query}")
    assert rows.status_code == 200, rows.text
    assert sorted(row["id"] for row in rows.json()) == sorted(found)


@pytest.mark.parametrize("query", ['q=within{name}=="c"', 'join=inline&q=within{within{name}}=="l"'])
async def test_conditions_deeper_than_the_join_are_refused(node, query) -> None:
    refused = await node.admin.get(f"{ENTITIES}?type=House&{query}")
    assert (refused.status_code, refused.json()["key"]) == (400, "q.links")

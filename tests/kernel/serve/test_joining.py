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
    ["pick=within{name}", "join=inline&pick=a,,b", "join=inline&pick=a{b", "join=sideways", "joinLevel=0"],
)
async def test_what_cannot_be_read_is_refused(node, query) -> None:
    await fill(node)
    assert (await node.admin.get(f"{ENTITIES}/{HOUSE}?{query}")).status_code == 400

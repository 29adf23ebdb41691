"""Purging (ETSI GS CIM 009 §5.6.21) and transient entities (§4.22) over HTTP."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

ENTITIES = "/ngsi-ld/v1/entities"


async def fill(node) -> None:
    for number in range(3):
        body = {"id": f"urn:ngsi-ld:Tank:{number}", "type": "Tank", "level": number, "colour": "red"}
        assert (await node.admin.post(ENTITIES, json=body)).status_code == 201


async def ids(node) -> list[str]:
    return [row["id"] for row in (await node.admin.get(f"{ENTITIES}?type=Tank")).json()]


@pytest.mark.parametrize(
    ("query", "key"),
    [
        ("", "query.selector"),
        ("?id=urn:ngsi-ld:Tank:1", "query.wide"),
        ("?idPattern=.*", "query.wide"),
        ("?attrs=createdAt", "query.wide"),
        ("?q=modifiedAt>2020-01-01T00:00:00Z", "query.wide"),
        ("?type=Tank&keep=level&drop=colour", "purge.keep-and-drop"),
        ("?type=Tank&q=owner{name}==1", "purge.linked"),
    ],
)
async def test_what_would_take_too_much_is_refused(node, query, key) -> None:
    await fill(node)
    refused = await node.admin.delete(f"{ENTITIES}{query}")
    assert (refused.status_code, refused.json()["key"]) == (400, key)
    assert len(await ids(node)) == 3


async def test_a_query_purges_entities_or_attributes(node) -> None:
    await fill(node)
    assert (await node.admin.delete(f"{ENTITIES}?type=Tank&q=level==0")).status_code == 204
    assert await ids(node) == ["urn:ngsi-ld:Tank:1", "urn:ngsi-ld:Tank:2"]
    assert (await node.admin.delete(f"{ENTITIES}?type=Tank&drop=colour")).status_code == 204
    assert all("colour" not in row for row in (await node.admin.get(f"{ENTITIES}?type=Tank")).json())
    assert (await node.admin.delete(f"{ENTITIES}?type=Tank&keep=colour")).status_code == 204
    assert all("level" not in row for row in (await node.admin.get(f"{ENTITIES}?type=Tank")).json())
    assert (await node.admin.delete(f"{ENTITIES}?local=true")).status_code == 204
    assert await ids(node) == []


async def test_a_type_gates_what_is_done_to_an_entity(node) -> None:
    await fill(node)
    address = f"{ENTITIES}/urn:ngsi-ld:Tank:0"
    assert (await node.admin.delete(f"{address}?type=Ship")).status_code == 404
    assert (await node.admin.patch(f"{address}/attrs?type=Ship", json={"level": 4})).status_code == 404
    assert (await node.admin.patch(f"{address}/attrs?type=Tank", json={"level": 4})).status_code == 204
    assert (await node.admin.delete(f"{address}?type=Tank")).status_code == 204


async def test_a_transient_entity_is_gone_within_two_seconds(node) -> None:
    end = (datetime.now(UTC) + timedelta(seconds=1.2)).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    body = {"id": "urn:ngsi-ld:Tank:x", "type": "Tank", "level": 1, "expiresAt": end}
    assert (await node.admin.post(ENTITIES, json=body)).status_code == 201
    address = f"{ENTITIES}/{body['id']}"
    shown = await node.admin.get(f"{address}?options=sysAttrs")
    assert shown.json()["expiresAt"].startswith(end[:19])
    assert "expiresAt" not in (await node.admin.get(address)).json()
    await asyncio.sleep(1.3)
    assert (await node.admin.get(address)).status_code == 404
    await asyncio.sleep(1.0)
    again = {**body, "expiresAt": "2999-01-01T00:00:00Z"}
    assert (await node.admin.post(ENTITIES, json=again)).status_code == 201
    evolved = await node.admin.get(f"/ngsi-ld/v1/temporal/entities/{body['id']}")
    assert [row["value"] for row in evolved.json()["level"]] == [1, 1]

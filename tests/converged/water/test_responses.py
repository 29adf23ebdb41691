"""The response that is due: one at a time in a division, however many begin it at once."""

import asyncio
from typing import Any

import httpx
from tests.kernel.serve.conftest import Node

ENTITIES = "/ngsi-ld/v1/entities"
RESPONSE = "/api/water/response"


async def stand(node: Node, level: float) -> None:
    """Lets a large reservoir stand so high; its design flood level is 108 m, its check flood level 110 m."""
    body = {
        "id": "urn:ngsi-ld:Reservoir:HIGH",
        "type": "Reservoir",
        "division": "420000",
        "scale": "large-1",
        "designFloodLevel": {"type": "Property", "value": 108.0, "unitCode": "MTR"},
        "checkFloodLevel": {"type": "Property", "value": 110.0, "unitCode": "MTR"},
        "waterLevel": {"type": "Property", "value": level, "unitCode": "MTR"},
        "@context": node.services.types.context()["@context"],
    }
    sent = {"content-type": "application/ld+json"}
    said = await node.admin.post("/ngsi-ld/v1/entityOperations/upsert", json=[body], headers=sent)
    assert said.status_code in (201, 204), said.text


async def events(node: Node) -> list[dict[str, Any]]:
    return list((await node.admin.get("/api/events", params={"rule": "water.response"})).json())


async def begun(office: httpx.AsyncClient, times: int) -> set[str]:
    said = await asyncio.gather(*(office.post(RESPONSE) for _ in range(times)))
    assert {each.status_code for each in said} <= {201, 409}, [each.text for each in said]
    return {each.json()["event"] for each in said if each.status_code == 201}


async def test_two_who_begin_it_at_once_open_one_event(water: Node, office: httpx.AsyncClient) -> None:
    await stand(water, 108.5)
    (id,) = await begun(office, 2)
    (event,) = await events(water)
    assert (event["id"], event["responseLevel"], event["stage"]) == (id, "II", "received")


async def test_a_response_rises_and_a_new_one_follows_one_that_ended(
    water: Node, office: httpx.AsyncClient
) -> None:
    await stand(water, 108.5)
    (first,) = await begun(office, 1)
    await stand(water, 110.5)
    assert await begun(office, 8) == {first}
    (event,) = await events(water)
    assert event["responseLevel"] == "I"
    assert event["headline"]["languageMap"]["zh-CN"] == "防汛I级应急响应"
    steps = (
        {"stage": "assigned", "owner": "省防办", "due": "2030-01-01T00:00:00Z"},
        {"stage": "handled", "note": "水位回落"},
        {"stage": "verified"},
    )
    for step in steps:
        said = await water.admin.post(f"/api/events/{first}/steps", json=step)
        assert said.status_code == 200, said.text
    (second,) = await begun(office, 5)
    assert second != first
    assert len(await events(water)) == 2


async def test_a_calm_day_opens_none(water: Node, office: httpx.AsyncClient) -> None:
    await stand(water, 100.0)
    said = await office.post(RESPONSE)
    assert (said.status_code, said.json()["level"]) == (200, None)
    assert await events(water) == []

"""One observation from the wire to the number on the screen; ``docs`` tells the same way in words."""

import uuid

import httpx
import pytest
from tests.nodes import Node, level, observe, until

from yunmeng.kernel.base import format_us, now_us

pytestmark = pytest.mark.xdist_group("province")


def tile(client: httpx.Client, id: str) -> dict:
    """A tile of Wuhan as the first screen asks for it."""
    told = client.get("/api/tiles?division=420100").raise_for_status().json()
    tiles = told["tiles"] if isinstance(told, dict) else told
    return next(one for one in tiles if one["id"] == id)


def test_one_observation_from_the_wire_to_the_screen(province: Node, administrator: httpx.Client) -> None:
    entity = f"urn:ngsi-ld:Reservoir:walk:{uuid.uuid4().hex[:8]}"
    before = tile(administrator, "water-over-limit")["value"] or 0
    at = now_us()

    # wire: a gateway packs the value, and the bus has it on disk before it is acknowledged
    [position] = observe(province, level(entity, 104.25, at))
    assert position > 0

    # current state: the keeper made the entity, marked as it came, with its value, unit, time and division
    address = f"/ngsi-ld/v1/entities/{entity}"
    until(lambda: administrator.get(address).status_code == 200, "the entity")
    body = administrator.get(address).json()
    value = next(each for key, each in body.items() if key.endswith("waterLevel"))
    assert (value["value"], value["unitCode"]) == (104.25, "MTR")
    assert value["observedAt"] == format_us(at)

    # history: the same value at the same time
    past = until(
        lambda: (
            administrator.get(f"/ngsi-ld/v1/temporal/entities/{entity}?lastN=5")
            .json()
            .get("https://w3id.org/yunmeng/waterLevel")
        ),
        "the history",
    )
    past = past if isinstance(past, list) else [past]
    assert [(one["value"], one["observedAt"]) for one in past] == [(104.25, format_us(at))]

    # screen: the entity's page and its trend
    page = administrator.get(f"/api/entities/{entity}").raise_for_status()
    assert "104.25" in page.text
    assert "synthetic" in page.text
    trend = administrator.get(f"/api/entities/{entity}/history?attribute=waterLevel").raise_for_status()
    assert "104.25" in trend.text

    # rules: with a limit, the next level is judged, and the tile counts one reservoir more over it
    limit = {"https://w3id.org/yunmeng/floodLimitLevel": {"type": "Property", "value": 104.0}}
    said = administrator.post(f"{address}/attrs", json=limit)
    assert said.status_code == 204, said.text
    observe(province, level(entity, 104.5, now_us()))
    until(lambda: tile(administrator, "water-over-limit")["value"] == before + 1, "one more over the limit")

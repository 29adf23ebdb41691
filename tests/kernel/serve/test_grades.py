"""Classified attributes: closed above the clearance, noted when revealed, never told by a query."""

from dataclasses import replace
from pathlib import Path

import httpx
import pytest

from yunmeng.kernel.model import load_types
from yunmeng.kernel.serve import NGSI_LD_ROUTES, create_app

TABLE = """
[[types]]
name = "Vault"
zh = "金库"
en = "Vault"

[[types.attributes]]
name = "guard"
zh = "守卫"
en = "Guard"
datatype = "string"
grade = 3
"""
GUARD = "https://w3id.org/yunmeng/guard"
VAULT = "/ngsi-ld/v1/entities/urn:ngsi-ld:Vault:1"


@pytest.fixture
async def classified(node, tmp_path: Path):
    folder = tmp_path / "package" / "model"
    folder.mkdir(parents=True)
    (folder / "vault.toml").write_text(TABLE)
    services = replace(node.services, types=load_types([tmp_path / "package"]))
    app = create_app(services, NGSI_LD_ROUTES)
    body = {"id": "urn:ngsi-ld:Vault:1", "type": "Vault", GUARD: {"value": "Li"}, "name": {"value": "one"}}
    assert (await node.admin.post("/ngsi-ld/v1/entities", json=body)).status_code == 201

    async def client(clearance: int) -> httpx.AsyncClient:
        one = await node.client("viewer", divisions=("420000",), clearance=clearance)
        made = httpx.AsyncClient(
            transport=httpx.ASGITransport(app), base_url="http://node.test", headers=one.headers
        )
        node.clients.append(made)
        return made

    yield client, app
    await app.desk.trail.flush()


async def test_a_graded_attribute_stays_closed(classified) -> None:
    client, _ = classified
    low = await client(2)
    shown = (await low.get(VAULT)).json()
    assert "name" in shown
    assert GUARD not in shown
    listed = (await low.get("/ngsi-ld/v1/entities?id=urn:ngsi-ld:Vault:1")).json()
    assert GUARD not in listed[0]
    link = '<http://node.test/contexts/yunmeng.jsonld>; rel="http://www.w3.org/ns/json-ld#context"'
    for query in ("q=guard==%22Li%22", "attrs=guard", "type=Vault&q=name;guard", "type=Vault&pick=guard"):
        answer = await low.get(f"/ngsi-ld/v1/entities?{query}", headers={"link": link})
        assert answer.status_code == 403, query
        assert answer.json()["key"] == "attribute.graded"


async def test_what_is_revealed_is_noted(classified, node) -> None:
    client, _ = classified
    high = await client(3)
    assert (await high.get(VAULT)).json()[GUARD]["value"] == "Li"
    (event,) = [event for event in await node.audited() if event.action == "entity.reveal"]
    assert event.facts["attributes"] == GUARD
    assert event.facts["grade"] == "3"
    assert event.facts["first"] == "urn:ngsi-ld:Vault:1"
    await high.get("/ngsi-ld/v1/entities?type=Absent")
    assert len([event for event in await node.audited() if event.action == "entity.reveal"]) == 1

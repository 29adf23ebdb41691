"""Every route is behind the decision point, and there is no other way in."""

import asyncio
import re
from dataclasses import replace
from pathlib import Path

import httpx
import pytest

from yunmeng.kernel.serve import NGSI_LD_ROUTES, PLATFORM_ROUTES, Route, create_app
from yunmeng.kernel.trust import Policy, Principal

ROUTES = (*NGSI_LD_ROUTES, *PLATFORM_ROUTES)
OPEN = {"node.health", "page.read", "session.create", "notification.receive"}


def address(route: Route) -> str:
    return re.sub(r"\{\w+(:path)?\}", "urn:ngsi-ld:X:1", route.path)


@pytest.mark.parametrize("route", ROUTES, ids=lambda r: f"{r.method} {r.path}")
async def test_every_action_is_known_to_the_policy(route: Route) -> None:
    assert route.action in Policy().actions


async def test_every_route_asks_the_decision_point(node, tmp_path: Path) -> None:
    """With one rule that forbids everything, nothing answers; so no handler runs undecided."""
    rules = tmp_path / "rules"
    rules.mkdir()
    (rules / "never.cedar").write_text('@id("never")\nforbid (principal, action, resource);\n')
    ran: list[str] = []

    async def spy(call):
        ran.append(call.request.url.path)
        raise AssertionError("a handler ran")

    services = replace(node.services, policy=Policy("420000", rules))
    pages = tmp_path / "pages"
    pages.mkdir()
    (pages / "index.html").write_text("<!doctype html>")
    app = create_app(services, [replace(route, handler=spy) for route in ROUTES], pages)
    headers = {"authorization": node.admin.headers["authorization"]}
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://node.test") as client:
        for route in app.table.routes:
            for extra, status in (({}, 401), (headers, 403)):
                answer = await client.request(route.method, address(route), headers=extra)
                assert answer.status_code == status, (route.method, route.path, answer.text)
    assert ran == []
    refused = [event for event in await node.audited() if event.decision == "refuse"]
    await app.desk.trail.flush()
    refused = [event for event in await node.audited() if event.decision == "refuse"]
    assert len(refused) == 2 * len(app.table.routes)
    assert {event.reasons for event in refused if event.principal.startswith("service:")} == {("never",)}


async def test_what_is_not_open_is_refused_to_anybody(node) -> None:
    for route in ROUTES:
        answer = await node.anonymous.request(route.method, address(route))
        if route.action in OPEN:
            assert answer.status_code in (200, 400, 415), (route, answer.text)
        else:
            assert answer.status_code == 401, (route.method, route.path, answer.text)
            assert answer.headers["www-authenticate"] == "Bearer"


async def test_a_viewer_reads_and_changes_nothing(node) -> None:
    viewer = await node.client("viewer")
    for route in NGSI_LD_ROUTES:
        answer = await viewer.request(route.method, address(route))
        forbidden = answer.status_code == 403
        open_ = route.action.endswith(".read") or route.action in OPEN
        assert forbidden != open_, (route.method, route.path, answer.text)


async def test_nothing_answers_outside_of_the_table(node) -> None:
    known = {(route.method, route.path) for route in ROUTES}
    assert {(route.method, route.path) for route in node.app.table.routes} == known
    assert not hasattr(node.app, "routes")
    for path in ("/admin", "/ngsi-ld/v1", "/openapi", "/docs/oauth2-redirect", "/static/x", "/.well-known/x"):
        assert (await node.admin.get(path)).status_code == 404


async def test_a_division_is_enforced_in_reads_and_writes(node) -> None:
    def station(code: str) -> dict:
        return {
            "id": f"urn:ngsi-ld:S:{code}",
            "type": "S",
            "https://w3id.org/yunmeng/division": {"type": "Property", "value": code},
        }

    made = await node.admin.post(
        "/ngsi-ld/v1/entityOperations/create", json=[station("420100"), station("420500")]
    )
    assert made.status_code == 201, made.text
    wuhan = await node.client("operator", divisions=("420100",))
    found = await wuhan.get("/ngsi-ld/v1/entities?type=S")
    assert [row["id"] for row in found.json()] == ["urn:ngsi-ld:S:420100"]
    other = "/ngsi-ld/v1/entities/urn:ngsi-ld:S:420500"
    assert (await wuhan.get(other)).status_code == 404
    assert (await wuhan.delete(other)).status_code == 404
    outside = await wuhan.post("/ngsi-ld/v1/entities", json={**station("420600")})
    assert outside.status_code == 403
    assert outside.json()["key"] == "keeper.out-of-reach"


async def test_a_tenant_is_a_wall(node) -> None:
    body = {"id": "urn:ngsi-ld:S:1", "type": "S", "a": {"value": 1}}
    blue = {"NGSILD-Tenant": "blue"}
    assert (await node.admin.post("/ngsi-ld/v1/entities", json=body, headers=blue)).status_code == 201
    assert (await node.admin.get("/ngsi-ld/v1/entities/urn:ngsi-ld:S:1")).status_code == 404
    red = await node.client("operator", tenant="red")
    assert (await red.get("/ngsi-ld/v1/entities?type=S", headers=blue)).status_code == 403
    own = await node.client("operator", tenant="blue", divisions=("420000",))
    assert (await own.get("/ngsi-ld/v1/entities/urn:ngsi-ld:S:1")).status_code == 200


async def test_changes_and_refusals_are_audited(node) -> None:
    viewer = await node.client("viewer")
    body = {"id": "urn:ngsi-ld:S:1", "type": "S"}
    given = await node.admin.post("/ngsi-ld/v1/entities", json=body, headers={"X-Request-Id": "abc-1"})
    assert given.headers["x-request-id"] == "abc-1"
    await node.admin.get("/ngsi-ld/v1/entities/urn:ngsi-ld:S:1")
    await viewer.delete("/ngsi-ld/v1/entities/urn:ngsi-ld:S:1")
    events = await node.audited()
    assert [(event.action, event.decision) for event in events] == [
        ("entity.write", "allow"),
        ("entity.delete", "refuse"),
    ]
    assert events[0].request == "abc-1"
    assert events[1].reasons == ("no.permit",)


async def test_security_headers_are_on_every_answer(node) -> None:
    for answer in (await node.anonymous.get("/health"), await node.anonymous.get("/nowhere")):
        assert "default-src 'self'" in answer.headers["content-security-policy"]
        assert "unsafe-eval" not in answer.headers["content-security-policy"]
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["x-request-id"]


async def test_a_revoked_token_ends_within_a_second(node) -> None:
    viewer = await node.client("viewer", name="leaving")
    assert (await viewer.get("/openapi.json")).status_code == 200
    (token,) = [one for one in await node.services.accounts.tokens() if one.name == "leaving"]
    await node.services.accounts.revoke_token(token.id, by=Principal("person:root", roles=("administrator",)))
    await asyncio.sleep(1.05)
    assert (await viewer.get("/openapi.json")).status_code == 401

import re

import httpx
import pytest

from yunmeng.kernel.serve import NGSI_LD_ROUTES, PLATFORM_ROUTES, create_app

SESSION = "/api/session"
PASSWORD = "lantern quarry 83 otter violin"


async def test_health_readiness_and_metrics(node) -> None:
    assert (await node.anonymous.get("/health")).json() == {"status": "ok"}
    ready = await node.anonymous.get("/ready")
    assert ready.status_code == 200
    assert ready.json()["parts"] == {"bus": "ok", "state": "ok", "history": "ok"}
    text = (await node.admin.get("/metrics")).text
    assert 'yunmeng_http_requests_total{action="node.health",status="200"} 2' in text
    assert re.search(r'yunmeng_http_request_seconds_count\{action="node.health"\} 2', text)
    assert 'le="+Inf"' in text


async def test_readiness_names_what_is_down(node) -> None:
    await node.services.history.close()
    await node.bus.close()
    ready = await node.anonymous.get("/ready", headers={"accept-language": "en"})
    assert ready.status_code == 503
    assert set(ready.json()["down"]) == {"bus", "history"}
    assert ready.json()["parts"]["state"] == "ok"


async def test_the_api_describes_itself(node) -> None:
    document = (await node.admin.get("/openapi.json")).json()
    assert document["openapi"] == "3.1.0"
    listed = {(m.upper(), path) for path, rows in document["paths"].items() for m in rows}
    assert listed == {(route.method, route.path) for route in (*NGSI_LD_ROUTES, *PLATFORM_ROUTES)}
    operations = [row["operationId"] for rows in document["paths"].values() for row in rows.values()]
    assert len(operations) == len(set(operations))
    page = await node.admin.get("/docs")
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert "/ngsi-ld/v1/entities/{id}" in page.text
    assert "<script" not in page.text
    assert "http" not in re.sub(r"https?://w3id.org\S*", "", page.text.split("</style>")[1].split("<h2>")[0])
    context = await node.admin.get("/contexts/yunmeng.jsonld")
    assert context.headers["content-type"] == "application/ld+json"
    assert "@context" in context.json()


async def sign_up(node) -> None:
    first = await node.services.accounts.first_start()
    async with fresh(node) as client:
        made = await client.post(SESSION, json={"name": "admin", "password": first})
        assert made.status_code == 201, made.text
        assert made.json()["mustChange"] is True
        refused = await client.get("/ngsi-ld/v1/types")
        assert refused.status_code == 403
        csrf = {"X-CSRF-Token": made.json()["csrf"]}
        changed = await client.post(f"{SESSION}/password", json={"old": first, "new": PASSWORD}, headers=csrf)
        assert changed.status_code == 200, changed.text


def fresh(node) -> httpx.AsyncClient:
    return httpx.AsyncClient(transport=httpx.ASGITransport(node.app), base_url="http://node.test")


async def test_signing_in_and_out(node) -> None:
    await sign_up(node)
    async with fresh(node) as client:
        made = await client.post(SESSION, json={"name": "admin", "password": PASSWORD})
        cookie = made.headers["set-cookie"]
        assert "HttpOnly" in cookie
        assert "samesite=strict" in cookie.lower()
        csrf = {"X-CSRF-Token": made.json()["csrf"]}
        assert (await client.get(SESSION)).json()["name"] == "admin"
        body = {"id": "urn:ngsi-ld:S:1", "type": "S"}
        without = await client.post("/ngsi-ld/v1/entities", json=body)
        assert without.status_code == 403
        assert without.json()["key"] == "session.csrf"
        assert (await client.post("/ngsi-ld/v1/entities", json=body, headers=csrf)).status_code == 201
        assert (await client.delete(SESSION)).status_code == 403
        assert (await client.delete(SESSION, headers=csrf)).status_code == 204
        assert (await client.get(SESSION)).status_code == 401
    signed = [event for event in await node.audited() if event.action == "session.create"]
    assert "person:admin" in {event.principal for event in signed}


async def test_guessing_is_slowed_down(node) -> None:
    await sign_up(node)
    answers = [
        await node.anonymous.post(SESSION, json={"name": "admin", "password": f"wrong {number}"})
        for number in range(8)
    ]
    assert {answer.status_code for answer in answers} == {401}
    assert answers[0].json()["key"] == "session.wrong"
    assert answers[-1].json()["key"] == "session.locked"
    assert int(answers[-1].headers["retry-after"]) > 0
    right = await node.anonymous.post(SESSION, json={"name": "admin", "password": PASSWORD})
    assert right.status_code == 401


@pytest.mark.parametrize("authorization", ["Bearer ym_nonsense", "Basic YTpi", "Bearer", ""])
async def test_bad_credentials_are_refused_not_ignored(node, authorization: str) -> None:
    answer = await node.anonymous.get("/health", headers={"authorization": authorization})
    assert answer.status_code == 401


async def test_the_pages_are_served_and_nothing_beside_them(node, tmp_path) -> None:
    pages = tmp_path / "pages"
    (pages / "assets").mkdir(parents=True)
    (pages / "index.html").write_text("<!doctype html><title>console</title>")
    (pages / "assets" / "app-1a2b.js").write_text("export {}")
    (tmp_path / "secret.txt").write_text("secret")
    app = create_app(node.services, (*NGSI_LD_ROUTES, *PLATFORM_ROUTES), pages)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://node.test") as client:
        for path in ("/", "/plan", "/entities/urn:x"):
            assert "console" in (await client.get(path)).text
        script = await client.get("/assets/app-1a2b.js")
        assert "immutable" in script.headers["cache-control"]
        again = await client.get("/", headers={"if-none-match": (await client.get("/")).headers["etag"]})
        assert again.status_code == 304
        for path in (
            "/assets/none.js",
            "/%2e%2e/secret.txt",
            "/..%2fsecret.txt",
            "/api/none",
            "/ngsi-ld/none",
        ):
            answer = await client.get(path)
            assert answer.status_code == 404, path


async def test_hosted_contexts(node) -> None:
    contexts = "/ngsi-ld/v1/jsonldContexts"
    body = {"@context": {"level": "https://example.org/level"}}
    made = await node.admin.post(contexts, json=body)
    assert made.status_code == 201, made.text
    address = made.headers["location"]
    assert (await node.admin.get(address)).json() == body
    (url,) = (await node.admin.get(f"{contexts}?kind=Hosted")).json()
    assert url == f"http://node.test{address}"
    linked = {"content-type": "application/ld+json"}
    entity = {"id": "urn:ngsi-ld:S:1", "type": "S", "level": {"value": 1}, "@context": [url]}
    assert (await node.admin.post("/ngsi-ld/v1/entities", json=entity, headers=linked)).status_code == 201
    plain = (await node.admin.get("/ngsi-ld/v1/entities/urn:ngsi-ld:S:1")).json()
    assert "https://example.org/level" in plain
    assert (await node.admin.delete(address)).status_code == 204
    assert (await node.admin.get(address)).status_code == 404
    assert (await node.admin.post(contexts, json={"no": 1})).status_code == 400

"""Context sources: registrations, and operations shared with sources over real sockets."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest

from yunmeng.kernel.base import format_us, now_us
from yunmeng.kernel.serve import Notifier

from .conftest import CORE, Node, until

REGISTRATIONS = "/ngsi-ld/v1/csourceRegistrations"
SUBSCRIPTIONS = "/ngsi-ld/v1/csourceSubscriptions"
ENTITIES = "/ngsi-ld/v1/entities"
GAUGE = "urn:ngsi-ld:Gauge:danjiangkou"


@dataclass
class Source:
    """A context source that answers what it is told to; ``replies`` are by method and path."""

    url: str = ""
    replies: dict[tuple[str, str], tuple[int, Any]] = field(default_factory=dict)
    delay_s: float = 0.0
    asked: list[tuple[str, str, dict[str, str], Any]] = field(default_factory=list)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                first, *lines = head.decode().split("\r\n")[:-2]
                method, target, _ = first.split(" ")
                headers = {k.lower(): v for k, v in (line.split(": ", 1) for line in lines)}
                body = await reader.readexactly(int(headers.get("content-length", "0")))
                self.asked.append((method, target, headers, json.loads(body) if body else None))
                await asyncio.sleep(self.delay_s)
                status, payload = self.replies.get((method, target.partition("?")[0]), (404, None))
                data = (
                    payload
                    if isinstance(payload, bytes)
                    else json.dumps(payload).encode()
                    if payload
                    else b""
                )
                writer.write(f"HTTP/1.1 {status} X\r\nContent-Length: {len(data)}\r\n\r\n".encode() + data)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    def says(self, method: str, path: str, status: int, payload: Any = None) -> None:
        self.replies[method, f"/ngsi-ld/v1{path}"] = (status, payload)


@asynccontextmanager
async def listening(source: Source) -> AsyncIterator[Source]:
    server = await asyncio.start_server(source.serve, "127.0.0.1", 0)
    source.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield source
    finally:
        server.close()


@pytest.fixture
async def source() -> AsyncIterator[Source]:
    async with listening(Source()) as made:
        yield made


def registration(url: str, name: str = "one", **members: Any) -> dict[str, Any]:
    return {
        "id": f"urn:ngsi-ld:ContextSourceRegistration:{name}",
        "type": "ContextSourceRegistration",
        "information": [{"entities": [{"type": "Gauge"}]}],
        "endpoint": url,
        **members,
    }


def gauge(**attributes: Any) -> dict[str, Any]:
    rows = {name: {"type": "Property", "value": value} for name, value in attributes.items()}
    return {"id": GAUGE, "type": "Gauge", **rows}


async def register(admin: httpx.AsyncClient, body: dict[str, Any], status: int = 201) -> httpx.Response:
    answer = await admin.post(REGISTRATIONS, json=body)
    assert answer.status_code == status, answer.text
    return answer


async def test_a_registration_is_kept_changed_and_deleted(admin: httpx.AsyncClient) -> None:
    body = registration("http://source.test", refreshRate="PT5M")
    made = await register(admin, body)
    location = made.headers["location"]
    assert (await admin.get(location)).json() == body
    assert (await admin.post(REGISTRATIONS, json=body)).status_code == 409
    assert (await admin.patch(location, json={"refreshRate": None, "description": "水位"})).status_code == 204
    changed = (await admin.get(location)).json()
    assert changed["description"] == "水位"
    assert "refreshRate" not in changed
    assert (await admin.delete(location)).status_code == 204
    assert (await admin.get(location)).status_code == 404


@pytest.mark.parametrize(
    "members",
    [
        {"type": "Subscription"},
        {"information": []},
        {"information": [{}]},
        {"information": [{"entities": [{"type": "Gauge", "idPattern": "["}]}]},
        {"endpoint": "ftp://source.test"},
        {"mode": "sometimes"},
        {"operations": ["everything"]},
        {"mode": "exclusive"},
        {"mode": "auxiliary", "operations": ["createEntity"]},
        {"expiresAt": "2001-01-01T00:00:00Z"},
        {"expiresAt": "2101-01-01T00:00:00+08:00"},
        {"management": {"timeout": 0}},
        {"management": {"cacheDuration": "soon"}},
        {"contextSourceInfo": [{"key": "X-Key", "value": 5}]},
        {"observationInterval": {"startAt": "2026-02-02T00:00:00Z", "endAt": "2026-01-01T00:00:00Z"}},
        {"location": {"type": "Point", "coordinates": [200, 95]}},
    ],
)
async def test_a_registration_that_cannot_be_is_refused(
    admin: httpx.AsyncClient, members: dict[str, Any]
) -> None:
    answer = await register(admin, registration("http://source.test", **members), 400)
    assert answer.json()["type"].endswith("BadRequestData")


async def test_a_registration_that_has_expired_is_there_no_more(admin: httpx.AsyncClient) -> None:
    soon = format_us(now_us() + 300_000)
    made = await register(admin, registration("http://source.test", expiresAt=soon))
    location = made.headers["location"]
    assert (await admin.get(location)).status_code == 200

    async def gone() -> bool:
        return (await admin.get(location)).status_code == 404

    await until(gone)
    assert (await admin.get(REGISTRATIONS, params={"type": "Gauge"})).json() == []


async def test_what_one_source_holds_alone_no_other_may_claim(admin: httpx.AsyncClient) -> None:
    """§4.3.6.3 and §5.9.2.4."""
    part = [{"entities": [{"id": GAUGE, "type": "Gauge"}], "propertyNames": ["level"]}]
    await register(admin, registration("http://a.test", mode="exclusive", information=part))
    answer = await register(
        admin, registration("http://b.test", "two", mode="redirect", information=part), 409
    )
    assert answer.json()["type"].endswith("Conflict")
    other = [{**part[0], "propertyNames": ["flow"]}]
    await register(admin, registration("http://b.test", "two", mode="exclusive", information=other))
    await register(admin, registration("http://c.test", "three", information=part))


async def test_an_entity_of_this_node_is_not_redirected_away(admin: httpx.AsyncClient) -> None:
    assert (await admin.post(ENTITIES, json=gauge(level=1))).status_code == 201
    await register(admin, registration("http://a.test", mode="redirect"), 409)


async def test_registrations_are_found_by_what_they_hold(admin: httpx.AsyncClient) -> None:
    near = {"location": {"type": "Point", "coordinates": [111.5, 32.5]}, "scope": "/Hubei", "owner": "水利"}
    await register(admin, registration("http://a.test", "one", **near))
    dam = [{"entities": [{"idPattern": "urn:ngsi-ld:Dam:.*", "type": "Dam"}], "propertyNames": ["height"]}]
    await register(admin, registration("http://b.test", "two", information=dam))

    async def found(**parameters: str) -> list[str]:
        answer = await admin.get(REGISTRATIONS, params=parameters)
        assert answer.status_code == 200, answer.text
        return [row["id"].rpartition(":")[2] for row in answer.json()]

    assert await found(type="Gauge") == ["one"]
    assert await found(attrs="height") == ["one", "two"]
    assert await found(type="Dam", attrs="width") == []
    assert await found(id="urn:ngsi-ld:Dam:3") == ["one", "two"]
    assert await found(type="Gauge,Dam", csf='owner=="水利"') == ["one"]
    assert await found(type="Gauge,Dam", scopeQ="/Hubei") == ["one"]
    place = {"georel": "near;maxDistance==1000", "geometry": "Point", "coordinates": "[111.5,32.5]"}
    assert await found(**place) == ["one"]
    assert await found(type="Gauge", timerel="before", timeAt="2026-01-01T00:00:00Z") == []
    assert (await admin.get(REGISTRATIONS)).status_code == 400


async def test_an_entity_is_merged_from_here_and_there(admin: httpx.AsyncClient, source: Source) -> None:
    """§4.3.6.2: of an inclusive source the newer value counts."""
    here = gauge(name="丹江口", level=1)
    here["level"]["observedAt"] = "2026-01-01T00:00:00Z"
    assert (await admin.post(ENTITIES, json=here)).status_code == 201
    there = gauge(level=2, flow=3)
    there["level"]["observedAt"] = "2026-01-02T00:00:00Z"
    source.says("GET", f"/entities/{GAUGE}", 200, there)
    source.says("GET", "/entities", 200, [there])
    await register(admin, registration(source.url))

    shown = (await admin.get(f"{ENTITIES}/{GAUGE}")).json()
    assert (shown["name"]["value"], shown["level"]["value"], shown["flow"]["value"]) == ("丹江口", 2, 3)
    listed = await admin.get(ENTITIES, params={"type": "Gauge", "count": "true"})
    assert listed.json() == [shown]
    assert listed.headers["ngsild-results-count"] == "1"
    assert (await admin.get(f"{ENTITIES}/{GAUGE}", params={"local": "true"})).json()["level"]["value"] == 1


async def test_an_auxiliary_source_only_fills_gaps(admin: httpx.AsyncClient, source: Source) -> None:
    assert (await admin.post(ENTITIES, json=gauge(level=1))).status_code == 201
    source.says("GET", f"/entities/{GAUGE}", 200, gauge(level=9, flow=3))
    await register(admin, registration(source.url, mode="auxiliary"))
    shown = (await admin.get(f"{ENTITIES}/{GAUGE}")).json()
    assert (shown["level"]["value"], shown["flow"]["value"]) == (1, 3)


async def test_a_source_that_fails_is_a_warning(admin: httpx.AsyncClient, source: Source) -> None:
    """§6.3.17: 199 for no answer in time, 299 for a refusal, 111 for nonsense; none for a 404."""
    assert (await admin.post(ENTITIES, json=gauge(level=1))).status_code == 201
    await register(admin, registration(source.url, management={"timeout": 200}))

    async def warning() -> str:
        answer = await admin.get(f"{ENTITIES}/{GAUGE}")
        assert answer.status_code == 200
        return answer.headers.get("ngsild-warning", "")[:3]

    assert await warning() == ""
    source.says("GET", f"/entities/{GAUGE}", 403, {"title": "no"})
    assert await warning() == "299"
    source.says("GET", f"/entities/{GAUGE}", 200, b"nonsense")
    assert await warning() == "111"
    source.delay_s = 1.0
    assert await warning() == "199"


async def test_a_query_says_the_same_to_the_source(admin: httpx.AsyncClient, source: Source) -> None:
    source.says("GET", "/entities", 200, [gauge(level=7)])
    await register(admin, registration(source.url, tenant="upstream"))
    asked = {"type": "Gauge", "q": 'level>5;(name=="丹|江"|flow)', "scopeQ": "/Hubei/#"}
    answer = await admin.get(ENTITIES, params=asked)
    assert [row["id"] for row in answer.json()] == [GAUGE]
    _, target, headers, _ = source.asked[-1]
    sent = httpx.URL(target).params
    assert sent["q"] == 'level>5;(name=="丹|江"|flow)'
    assert (sent["type"], sent["scopeQ"]) == ("Gauge", "/Hubei/#")
    assert headers["ngsild-tenant"] == "upstream"
    assert headers["via"].startswith("1.1 yunmeng-")
    await admin.get(ENTITIES, params={**asked, "splitEntities": "true"})
    assert "q" not in httpx.URL(source.asked[-1][1]).params


async def test_exclusive_attributes_are_written_to_their_source_alone(
    admin: httpx.AsyncClient, source: Source
) -> None:
    """§5.6.1.4: the rest of the entity stays here."""
    part = [{"entities": [{"id": GAUGE, "type": "Gauge"}], "propertyNames": ["level"]}]
    exclusive = {"mode": "exclusive", "information": part, "operations": ["redirectionOps"]}
    await register(admin, registration(source.url, **exclusive))
    source.says("POST", "/entities", 201)
    assert (await admin.post(ENTITIES, json=gauge(level=1, name="丹江口"))).status_code == 201
    assert source.asked[-1][3] == gauge(level=1)
    here = (await admin.get(f"{ENTITIES}/{GAUGE}", params={"local": "true"})).json()
    assert "level" not in here
    assert here["name"]["value"] == "丹江口"

    source.says("PATCH", f"/entities/{GAUGE}/attrs", 500)
    mixed = await admin.patch(f"{ENTITIES}/{GAUGE}/attrs", json=gauge(level=2, name="新名"))
    assert mixed.status_code == 207
    assert mixed.json()["updated"] == ["name"]
    assert [row["attributeName"] for row in mixed.json()["notUpdated"]] == ["level"]


async def test_a_redirect_that_does_not_offer_the_write_is_a_conflict(
    admin: httpx.AsyncClient, source: Source
) -> None:
    await register(admin, registration(source.url, mode="redirect", operations=["retrieveOps"]))
    answer = await admin.post(ENTITIES, json=gauge(level=1))
    assert answer.status_code == 409
    assert answer.json()["type"].endswith("Conflict")
    assert source.asked == []


async def test_a_request_that_comes_back_is_stopped(admin: httpx.AsyncClient, node: Node) -> None:
    """§6.3.17: 508 for what a source holds alone, a warning for a read."""
    await register(
        admin,
        registration("http://127.0.0.1:9", mode="redirect", operations=["redirectionOps", "retrieveOps"]),
    )
    via = {"Via": f"1.1 elsewhere, 1.1 {node.app.desk.sources.registry.alias}"}
    assert (await admin.post(ENTITIES, json=gauge(level=1), headers=via)).status_code == 508
    read = await admin.get(f"{ENTITIES}/{GAUGE}", headers=via)
    assert read.status_code == 404
    assert read.headers["ngsild-warning"].startswith("199 ")


async def test_a_batch_goes_to_each_source_once(admin: httpx.AsyncClient, source: Source) -> None:
    await register(admin, registration(source.url, mode="redirect", operations=["createBatch"]))
    source.says("POST", "/entityOperations/create", 201, [GAUGE])
    dam = {"id": "urn:ngsi-ld:Dam:3", "type": "Dam"}
    answer = await admin.post("/ngsi-ld/v1/entityOperations/create", json=[gauge(level=1), dam])
    assert answer.status_code == 201
    assert sorted(answer.json()) == sorted([GAUGE, dam["id"]])
    assert [asked[3] for asked in source.asked] == [[gauge(level=1)]]
    assert (await admin.get(f"{ENTITIES}/{dam['id']}", params={"local": "true"})).status_code == 200
    source.says("POST", "/entityOperations/create", 503)
    broken = await admin.post("/ngsi-ld/v1/entityOperations/create", json=[gauge(level=1)])
    assert broken.status_code == 207
    assert [error["entityId"] for error in broken.json()["errors"]] == [GAUGE]


async def test_subscribers_hear_of_sources(admin: httpx.AsyncClient, node: Node, source: Source) -> None:
    """§5.11.7: at once what matches already, then what comes, changes and goes."""
    source.replies["POST", "/told"] = (200, None)
    await register(admin, registration("http://a.test", "one"))
    notifier = Notifier(node.services)
    await notifier.start()
    running = asyncio.create_task(notifier.run())
    try:
        body = {
            "type": "Subscription",
            "entities": [{"type": "Gauge"}],
            "notification": {"endpoint": {"uri": f"{source.url}/told"}},
        }
        made = await admin.post(SUBSCRIPTIONS, json=body)
        assert made.status_code == 201
        await until(lambda: len(source.asked) == 1)
        location = (await register(admin, registration("http://b.test", "two"))).headers["location"]
        await until(lambda: len(source.asked) == 2)
        assert (await admin.patch(location, json={"description": "二"})).status_code == 204
        await until(lambda: len(source.asked) == 3)
        assert (await admin.delete(location)).status_code == 204
        await until(lambda: len(source.asked) == 4)
        told = [asked[3] for asked in source.asked]
        assert [one["triggerReason"] for one in told] == [
            *("newlyMatching", "newlyMatching", "updated", "noLongerMatching")
        ]
        assert [row["id"].rpartition(":")[2] for one in told for row in one["data"]] == [
            *("one", "two", "two", "two")
        ]
        assert {one["type"] for one in told} == {"ContextSourceNotification"}
        assert len((await admin.get(SUBSCRIPTIONS)).json()) == 1
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        await notifier.stop()


async def test_a_purge_reaches_sources_too(admin: httpx.AsyncClient, source: Source) -> None:
    """§5.6.21."""
    part = [{"entities": [{"id": GAUGE, "type": "Gauge"}], "propertyNames": ["level"]}]
    exclusive = {"mode": "exclusive", "information": part, "operations": ["redirectionOps"]}
    await register(admin, registration(source.url, **exclusive))
    assert (await admin.post(ENTITIES, json=gauge(name="丹江口"))).status_code == 201
    source.says("DELETE", "/entities", 204)
    answer = await admin.delete(ENTITIES, params={"type": "Gauge"})
    assert answer.status_code == 204, answer.text
    assert source.asked[-1][1] == "/ngsi-ld/v1/entities?type=Gauge"
    gone = await admin.get(f"{ENTITIES}/{GAUGE}", params={"local": "true"})
    assert gone.status_code == 404


async def test_a_context_that_a_registration_asks_for_is_named_to_its_source(
    admin: httpx.AsyncClient, source: Source
) -> None:
    """§4.3.6.6, §6.3.19: also where it is the core context; the key is no header of its own."""
    await register(
        admin, registration(source.url, contextSourceInfo=[{"key": "jsonldContext", "value": CORE}])
    )
    assert (await admin.get(ENTITIES, params={"type": "Gauge"})).status_code == 200
    headers = source.asked[-1][2]
    assert headers["link"].startswith(f"<{CORE}>")
    assert "jsonldcontext" not in headers


async def test_a_source_without_batches_is_asked_entity_by_entity(
    admin: httpx.AsyncClient, source: Source
) -> None:
    """§5.6.7.4 to §5.6.10.4: an upsert is a create, and an update of what is there already."""
    await register(admin, registration(source.url, mode="redirect", operations=["redirectionOps"]))
    batch = "/ngsi-ld/v1/entityOperations"

    async def ask(name: str, body: Any, status: int, **parameters: str) -> list[tuple[str, str, Any]]:
        source.asked.clear()
        answer = await admin.post(f"{batch}/{name}", json=body, params=parameters)
        assert answer.status_code == status, answer.text
        return [
            (method, target.removeprefix("/ngsi-ld/v1"), sent) for method, target, _, sent in source.asked
        ]

    entity, path = gauge(level=1), f"/entities/{GAUGE}"
    attributes = {"level": entity["level"]}
    source.says("POST", "/entities", 201)
    assert await ask("create", [entity], 201) == [("POST", "/entities", entity)]
    source.says("POST", "/entities", 409)
    source.says("PATCH", f"{path}/attrs", 204)
    source.says("PUT", path, 204)
    create = ("POST", "/entities", entity)
    assert await ask("upsert", [entity], 204, options="update") == [
        create,
        ("PATCH", f"{path}/attrs", attributes),
    ]
    assert await ask("upsert", [entity], 204) == [create, ("PUT", path, entity)]
    source.says("POST", f"{path}/attrs", 204)
    kept = await ask("update", [entity], 204, options="noOverwrite")
    assert kept == [("POST", f"{path}/attrs?options=noOverwrite", attributes)]
    source.says("PATCH", path, 204)
    assert await ask("merge", [entity], 204) == [("PATCH", path, entity)]
    source.says("DELETE", path, 404)
    assert await ask("delete", [GAUGE], 207) == [("DELETE", path, None)]


async def test_what_fails_alike_everywhere_is_one_error(admin: httpx.AsyncClient, source: Source) -> None:
    """§5.6.6.4: nobody has the entity; where a source had it, the answer is of two minds."""
    await register(admin, registration(source.url, operations=["deleteEntity"]))
    assert (await admin.delete(f"{ENTITIES}/{GAUGE}")).status_code == 404
    source.says("DELETE", f"/entities/{GAUGE}", 204)
    mixed = await admin.delete(f"{ENTITIES}/{GAUGE}")
    assert mixed.status_code == 207
    assert [error["error"]["status"] for error in mixed.json()["errors"]] == [404]
    assert (await admin.post(ENTITIES, json={"id": "no uri", "type": "Gauge"})).status_code == 400


async def test_sources_are_asked_by_operation_and_dataset(admin: httpx.AsyncClient, source: Source) -> None:
    """§4.20, §5.12: a source for retrievals gets no query; two that name datasets must share one."""
    dataset = {"datasetId": ["urn:ngsi-ld:Dataset:b"]}
    location = (
        await register(admin, registration(source.url, operations=["retrieveEntity"], **dataset))
    ).headers["location"]
    source.says("GET", f"/entities/{GAUGE}", 200, gauge(level=7))
    source.says("GET", "/entities", 200, [gauge(level=7)])
    assert (await admin.get(ENTITIES, params={"type": "Gauge"})).json() == []
    assert (await admin.get(f"{ENTITIES}/{GAUGE}")).status_code == 200
    assert (await admin.patch(location, json={"operations": ["queryEntity"]})).status_code == 204
    query = {"type": "Gauge", "datasetId": "urn:ngsi-ld:Dataset:a"}
    asked = len(source.asked)
    assert (await admin.get(ENTITIES, params=query)).json() == []
    assert len(source.asked) == asked
    assert len((await admin.get(ENTITIES, params={"type": "Gauge"})).json()) == 1


async def test_who_names_an_entity_need_not_name_its_type(admin: httpx.AsyncClient, source: Source) -> None:
    body = registration(source.url, information=[{"entities": [{"id": GAUGE}], "propertyNames": ["level"]}])
    await register(admin, body)
    assert (await admin.get(f"{REGISTRATIONS}/{body['id']}")).json() == body
    source.says("GET", f"/entities/{GAUGE}", 200, gauge(level=7))
    assert (await admin.get(f"{ENTITIES}/{GAUGE}")).json()["level"]["value"] == 7
    assert (await admin.get(f"{ENTITIES}/urn:ngsi-ld:Gauge:other")).status_code == 404


async def test_an_entity_map_names_the_holders(admin: httpx.AsyncClient, source: Source) -> None:
    """§5.2.39: @none for this node, and the registrations that are relevant."""
    here = {"id": "urn:ngsi-ld:Gauge:here", "type": "Gauge", "level": {"type": "Property", "value": 1}}
    assert (await admin.post(ENTITIES, json=here)).status_code == 201
    body = registration(source.url)
    await register(admin, body)
    source.says("GET", "/entities", 200, [gauge(level=2)])
    for address in (f"{ENTITIES}?type=Gauge&entityMap=true", "/ngsi-ld/v1/entityMaps?type=Gauge"):
        made = await admin.get(address)
        assert made.status_code == 201, made.text
        held = (await admin.get(made.headers["NGSILD-EntityMap"])).json()["entityMap"]
        assert held == {here["id"]: ["@none"], GAUGE: [body["id"]]}
    headers = {"NGSILD-EntityMap": made.headers["NGSILD-EntityMap"]}
    source.says("GET", "/entities", 200, [])
    rows = (await admin.get(f"{ENTITIES}?type=Gauge", headers=headers)).json()
    assert [row["id"] for row in rows] == [here["id"]]


async def test_a_snapshot_keeps_what_sources_hold(admin: httpx.AsyncClient, source: Source) -> None:
    """§5.16.1.4: its queries look beyond this node, questions in it do not."""
    await register(admin, registration(source.url))
    source.says("GET", "/entities", 200, [gauge(level=2)])
    body = {"type": "Snapshot", "snapshotQueries": [{"type": "Query", "entities": [{"type": "Gauge"}]}]}
    made = await admin.post("/ngsi-ld/v1/snapshots", json=body)
    assert made.status_code == 201, made.text
    snapshot = (await admin.get(made.headers["location"])).json()
    assert snapshot["snapshotStatus"] == "success"
    asked = len(source.asked)
    answer = await admin.get(
        f"{ENTITIES}?type=Gauge&options=keyValues", headers={"NGSILD-Snapshot": snapshot["id"]}
    )
    assert [row["level"] for row in answer.json()] == [2]
    assert len(source.asked) == asked
    assert (await admin.delete(made.headers["location"])).status_code == 204


async def test_only_what_one_broker_holds_is_put_in_order(admin: httpx.AsyncClient, source: Source) -> None:
    """§4.23.1: a registration that matches makes a query one of several brokers; another does not."""
    await register(admin, registration(source.url))
    refused = await admin.get(f"{ENTITIES}?type=Gauge&orderBy=level")
    assert (refused.status_code, refused.json()["key"]) == (400, "source.ordered")
    for query in ("type=Pump&orderBy=level", "type=Gauge&orderBy=level&local=true"):
        assert (await admin.get(f"{ENTITIES}?{query}")).status_code == 200
    assert not source.asked


async def test_sources_tell_of_their_types_and_attributes(admin: httpx.AsyncClient, source: Source) -> None:
    """§5.7.5 to §5.7.10: lists are joined, counts are added up, names are of the caller's context."""
    assert (await admin.post(ENTITIES, json=gauge(level=1))).status_code == 201
    await register(admin, registration(source.url))
    vocabulary = "https://uri.etsi.org/ngsi-ld/default-context/"
    flow = {"id": f"{vocabulary}flow", "type": "Attribute", "attributeName": "flow"}
    level = {"id": f"{vocabulary}level", "type": "Attribute", "attributeName": "level"}
    source.says(
        "GET", "/types", 200, {"id": "urn:x:1", "type": "EntityTypeList", "typeList": ["Dam", "Gauge"]}
    )
    listed = (await admin.get("/ngsi-ld/v1/types")).json()
    assert (listed["type"], listed["typeList"]) == ("EntityTypeList", ["Dam", "Gauge"])

    row = {"id": f"{vocabulary}Gauge", "type": "EntityType", "typeName": "Gauge", "attributeNames": ["flow"]}
    source.says("GET", "/types", 200, [row])
    detailed = (await admin.get("/ngsi-ld/v1/types", params={"details": "true"})).json()
    assert [one["attributeNames"] for one in detailed] == [["flow", "level"]]
    assert source.asked[-1][1].endswith("/types?details=true")

    details = [{**flow, "attributeTypes": ["Property"]}, {**level, "attributeTypes": ["GeoProperty"]}]
    info = {"id": row["id"], "type": "EntityTypeInfo", "typeName": "Gauge", "entityCount": 4}
    source.says("GET", "/types/Gauge", 200, {**info, "attributeDetails": details})
    one = (await admin.get("/ngsi-ld/v1/types/Gauge")).json()
    assert one["entityCount"] == 5
    found = {row["attributeName"]: row["attributeTypes"] for row in one["attributeDetails"]}
    assert found == {"flow": ["Property"], "level": ["GeoProperty", "Property"]}

    names = {"id": "urn:x:2", "type": "AttributeList", "attributeList": ["flow"]}
    source.says("GET", "/attributes", 200, names)
    assert (await admin.get("/ngsi-ld/v1/attributes")).json()["attributeList"] == ["flow", "level"]
    told = {**flow, "attributeCount": 4, "attributeTypes": ["Property"], "typeNames": ["Dam"]}
    source.says("GET", "/attributes/flow", 200, told)
    assert (await admin.get("/ngsi-ld/v1/attributes/flow")).json()["typeNames"] == ["Dam"]
    source.says("GET", "/attributes/flow", 200, {**told, "typeNames": "Dam"})
    assert (await admin.get("/ngsi-ld/v1/attributes/flow")).status_code == 404
    assert (await admin.get("/ngsi-ld/v1/attributes", params={"local": "true"})).json()["attributeList"] == [
        "level"
    ]


async def test_a_registration_tells_how_its_source_fares(admin: httpx.AsyncClient, source: Source) -> None:
    """§5.2.9: output-only members, which nobody can write."""
    body = registration(source.url)
    location = (await register(admin, {**body, "timesSent": 7, "status": "failed"})).headers["location"]
    assert (await admin.get(location)).json() == body
    await admin.get(f"{ENTITIES}/{GAUGE}")
    told = (await admin.get(location)).json()
    assert (told["status"], told["timesSent"], told["timesFailed"]) == ("ok", 1, 0)
    assert told["lastSuccess"].endswith("Z")
    assert "lastFailure" not in told
    source.says("GET", f"/entities/{GAUGE}", 500)
    await admin.get(f"{ENTITIES}/{GAUGE}")
    told = (await admin.get(REGISTRATIONS, params={"type": "Gauge"})).json()[0]
    assert (told["status"], told["timesSent"], told["timesFailed"]) == ("failed", 2, 1)
    assert told["lastFailure"] > told["lastSuccess"]

"""Subscriptions that reach as far as sources do (ETSI GS CIM 009 §5.8.1 to §5.8.6), over real sockets."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest

from yunmeng.kernel.serve import Notifier

from .conftest import Node, until
from .test_sources import GAUGE, REGISTRATIONS, Source, gauge, listening, register, registration

SUBSCRIPTIONS = "/ngsi-ld/v1/subscriptions"
ENTITIES = "/ngsi-ld/v1/entities"


@pytest.fixture
async def notifier(node: Node) -> AsyncIterator[Notifier]:
    made = Notifier(node.services)
    await made.start()
    running = asyncio.create_task(made.run())
    yield made
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    await made.stop()


@pytest.fixture
async def source() -> AsyncIterator[Source]:
    async with listening(Source()) as made:
        made.says("POST", "/subscriptions", 201)
        made.replies["POST", "/told"] = (200, None)
        yield made


def asked(source: Source, method: str) -> list[tuple[str, dict[str, str], Any]]:
    """What the source was asked about subscriptions by this method."""
    return [
        (target, headers, body)
        for how, target, headers, body in source.asked
        if how == method and urlsplit(target).path.startswith(SUBSCRIPTIONS)
    ]


def told(source: Source) -> list[Any]:
    """What the subscriber heard; it lives on the same server as the source."""
    return [body for _, target, _, body in source.asked if target == "/told"]


async def subscribe(admin: httpx.AsyncClient, source: Source, **members: Any) -> str:
    body = {
        "type": "Subscription",
        "entities": [{"type": "Gauge"}],
        "notification": {"endpoint": {"uri": f"{source.url}/told"}},
        **members,
    }
    made = await admin.post(SUBSCRIPTIONS, json=body)
    assert made.status_code == 201, made.text
    return made.headers["location"]


async def notify(admin: httpx.AsyncClient, copy: dict[str, Any], *rows: dict[str, Any]) -> httpx.Response:
    """Does what a source does that holds this copy of a subscription."""
    path = urlsplit(copy["notification"]["endpoint"]["uri"]).path
    body = {
        "id": "urn:ngsi-ld:Notification:1",
        "type": "Notification",
        "subscriptionId": copy["id"],
        "notifiedAt": "2026-11-01T00:00:00Z",
        "data": list(rows),
    }
    return await admin.post(path, json=body)


async def test_a_source_holds_what_it_has_of_a_subscription(
    admin: httpx.AsyncClient, source: Source, notifier: Notifier
) -> None:
    """§5.8.1.4: reduced to what its registration says, with this node as the endpoint."""
    part = [
        {"entities": [{"type": "Gauge", "idPattern": "^urn:ngsi-ld:Gauge:d"}], "propertyNames": ["level"]}
    ]
    await register(admin, registration(source.url, information=part))
    await subscribe(admin, source, q="level>5")
    await until(lambda: len(asked(source, "POST")) == 1)
    _, headers, copy = asked(source, "POST")[0]
    assert copy["entities"] == [{"type": "Gauge", "idPattern": "^urn:ngsi-ld:Gauge:d"}]
    assert copy["watchedAttributes"] == ["level"]
    assert copy["notification"]["attributes"] == ["level"]
    assert (copy["q"], copy["isActive"]) == ("level>5", True)
    assert copy["notification"]["endpoint"]["uri"] == "http://127.0.0.1:8420/ngsi-ld/ex/remote-notify"
    assert headers["via"].startswith("1.1 yunmeng-")


async def test_what_a_source_notifies_of_is_told_here(
    admin: httpx.AsyncClient, node: Node, source: Source, notifier: Notifier
) -> None:
    """§5.8.6: with the id of the subscription of this node; nobody else is heard."""
    await register(admin, registration(source.url))
    location = await subscribe(admin, source)
    await until(lambda: len(asked(source, "POST")) == 1)
    copy = asked(source, "POST")[0][2]
    row = gauge(level=7)
    assert (await notify(node.anonymous, copy, row)).status_code == 200
    await until(lambda: len(told(source)) == 1)
    assert told(source)[0]["data"] == [row]
    assert told(source)[0]["subscriptionId"] == location.rpartition("/")[2]
    gone = {"id": GAUGE, "type": "Gauge", "deletedAt": "2026-11-01T00:00:00Z"}
    await notify(node.anonymous, copy, gone)
    await until(lambda: len(told(source)) == 2)
    assert told(source)[1]["data"] == [gone]

    forged = {**copy, "id": "urn:ngsi-ld:Subscription:forged"}
    assert (await notify(node.anonymous, forged, row)).status_code == 404
    assert len(told(source)) == 2


async def test_the_part_at_a_source_follows_the_subscription(
    admin: httpx.AsyncClient, source: Source, notifier: Notifier
) -> None:
    """§5.8.2.4 and §5.8.5.4."""
    await register(admin, registration(source.url))
    location = await subscribe(admin, source)
    await until(lambda: len(asked(source, "POST")) == 1)
    own = f"{SUBSCRIPTIONS}/{asked(source, 'POST')[0][2]['id']}"
    source.says("PATCH", own.removeprefix("/ngsi-ld/v1"), 204)
    source.says("DELETE", own.removeprefix("/ngsi-ld/v1"), 204)
    assert (await admin.patch(location, json={"isActive": False})).status_code == 204
    await until(lambda: len(asked(source, "PATCH")) == 1)
    assert asked(source, "PATCH")[0][0] == own
    assert asked(source, "PATCH")[0][2]["isActive"] is False
    assert (await admin.delete(location)).status_code == 204
    await until(lambda: len(asked(source, "DELETE")) == 1)
    assert asked(source, "DELETE")[0][0] == own


async def test_the_part_at_a_source_comes_and_goes_with_its_registration(
    admin: httpx.AsyncClient, source: Source, notifier: Notifier
) -> None:
    """§5.8.1.4, §5.3.3: newlyMatching and noLongerMatching."""
    await subscribe(admin, source)
    location = (await register(admin, registration(source.url))).headers["location"]
    await until(lambda: len(asked(source, "POST")) == 1)
    assert (await admin.delete(location)).status_code == 204
    await until(lambda: len(asked(source, "DELETE")) == 1)


async def test_a_source_that_comes_back_gets_its_part(
    admin: httpx.AsyncClient, source: Source, notifier: Notifier
) -> None:
    source.says("POST", "/subscriptions", 503)
    await register(admin, registration(source.url))
    await subscribe(admin, source)
    await until(lambda: len(asked(source, "POST")) == 1)
    source.says("POST", "/subscriptions", 201)
    await until(lambda: len(asked(source, "POST")) == 2)
    first, second = (body["id"] for _, _, body in asked(source, "POST"))
    assert first == second


@pytest.mark.parametrize(
    ("members", "parameters"),
    [
        ({"operations": ["retrieveOps"]}, {}),
        ({"mode": "auxiliary", "operations": ["retrieveOps"]}, {}),
        ({"information": [{"entities": [{"type": "Dam"}]}]}, {}),
        ({}, {"local": "true"}),
        ({"contextSourceAlias": "elsewhere"}, {}),
    ],
)
async def test_no_part_goes_where_it_does_not_belong(
    admin: httpx.AsyncClient, source: Source, notifier: Notifier, members: Any, parameters: Any
) -> None:
    """§4.20, §4.3.6.3, §5.12, §6.3.18: a source that does not offer it, has none of it, or asked for it."""
    await register(admin, registration(source.url, **members))
    async with listening(Source()) as second:
        second.says("POST", "/subscriptions", 201)
        await register(admin, registration(second.url, "two"))
        body = {
            "type": "Subscription",
            "entities": [{"type": "Gauge"}],
            "notification": {"endpoint": {"uri": f"{source.url}/told"}},
        }
        headers = {"Via": "1.1 elsewhere"}
        made = await admin.post(SUBSCRIPTIONS, json=body, params=parameters, headers=headers)
        assert made.status_code == 201
        wanted = 0 if parameters else 1
        control = await admin.post(SUBSCRIPTIONS, json=body | {"entities": [{"type": "Gauge"}]})
        assert control.status_code == 201
        await until(lambda: len(asked(second, "POST")) == wanted + 1)
    # the second subscription came without Via, so the one that asked before is a source like others to it
    fitting = 1 if parameters or "contextSourceAlias" in members else 0
    await until(lambda: len(asked(source, "POST")) >= fitting)
    assert len(asked(source, "POST")) == fitting


async def test_a_subscription_that_comes_back_is_refused(admin: httpx.AsyncClient, node: Node) -> None:
    """§6.3.18: it would tell everything twice."""
    body = {
        "type": "Subscription",
        "entities": [{"type": "Gauge"}],
        "notification": {"endpoint": {"uri": "http://127.0.0.1:9/told"}},
    }
    via = {"Via": f"1.1 {node.app.desk.sources.registry.alias}, 1.1 elsewhere"}
    assert (await admin.post(SUBSCRIPTIONS, json=body, headers=via)).status_code == 508
    assert (await admin.get(SUBSCRIPTIONS)).json() == []
    assert (await admin.post(SUBSCRIPTIONS, json=body, headers={"Via": "1.1 elsewhere"})).status_code == 201


async def test_split_entities_are_told_whole(
    admin: httpx.AsyncClient, source: Source, notifier: Notifier
) -> None:
    """§5.8.6: what this node and other sources have of it comes along, and the conditions see it all."""
    await register(admin, registration(source.url))
    assert (await admin.post(ENTITIES, json=gauge(name="丹江口"))).status_code == 201
    await subscribe(admin, source, splitEntities=True, q='level>5;name=="丹江口"')
    await until(lambda: len(asked(source, "POST")) == 1)
    copy = asked(source, "POST")[0][2]
    assert "q" not in copy
    assert copy["splitEntities"] is True
    await notify(admin, copy, gauge(level=3))
    await notify(admin, copy, gauge(level=7))
    await until(lambda: len(told(source)) == 1)
    (row,) = told(source)[0]["data"]
    assert (row["level"]["value"], row["name"]["value"]) == (7, "丹江口")


async def test_a_periodic_subscription_tells_what_sources_have(
    admin: httpx.AsyncClient, source: Source, notifier: Notifier
) -> None:
    """§5.8.6: all entities that match, wherever they are; no source holds a part of it."""
    source.says("GET", "/entities", 200, [gauge(level=7)])
    await register(admin, registration(source.url))
    await subscribe(admin, source, timeInterval=1)
    await until(lambda: len(told(source)) == 1)
    assert [row["id"] for row in told(source)[0]["data"]] == [GAUGE]
    assert asked(source, "POST") == []


async def test_parts_survive_a_restart(admin: httpx.AsyncClient, node: Node, source: Source) -> None:
    first = Notifier(node.services)
    await first.start()
    running = asyncio.create_task(first.run())
    await register(admin, registration(source.url))
    location = await subscribe(admin, source)
    await until(lambda: len(asked(source, "POST")) == 1)

    async def taken() -> bool:
        return all(b'"sent":""' not in one.body for one in await node.state.records("subscription-leg"))

    await until(taken)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    await first.stop()
    assert (await admin.delete(location)).status_code == 204
    assert (await admin.delete(f"{REGISTRATIONS}/{registration('')['id']}")).status_code == 204
    second = Notifier(node.services)
    await second.start()
    running = asyncio.create_task(second.run())
    try:
        await until(lambda: len(asked(source, "DELETE")) == 1)
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        await second.stop()

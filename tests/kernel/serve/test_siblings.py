"""Two api processes of one node: whichever is asked, the answer is the node's."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import replace
from urllib.parse import quote

import httpx
import pytest

from yunmeng.kernel.model import ContextLibrary
from yunmeng.kernel.serve import NGSI_LD_ROUTES, PLATFORM_ROUTES, EdgeServer, create_app

from .conftest import Node, browser

CONTEXTS = "/ngsi-ld/v1/jsonldContexts"
REGISTRATIONS = "/ngsi-ld/v1/csourceRegistrations"
ENTITIES = "/ngsi-ld/v1/entities"


@pytest.fixture
async def pair(node: Node) -> AsyncIterator[tuple[httpx.AsyncClient, httpx.AsyncClient]]:
    """Clients of the administrator at the first and at the second process."""
    settings = replace(node.settings, http=replace(node.settings.http, workers=2))
    async with AsyncExitStack() as stack:
        clients: list[httpx.AsyncClient] = []
        for nth in (1, 2):
            services = replace(node.services, settings=settings, contexts=ContextLibrary({}))
            app = create_app(services, (*NGSI_LD_ROUTES, *PLATFORM_ROUTES), nth=nth)
            server = EdgeServer(app, "127.0.0.1", 0)
            await server.start()
            stack.push_async_callback(server.stop)
            client = browser(app, {"authorization": node.admin.headers["authorization"]})
            clients.append(await stack.enter_async_context(client))
        yield clients[0], clients[1]


async def test_uses_of_a_hosted_context_add_up(pair: tuple[httpx.AsyncClient, httpx.AsyncClient]) -> None:
    first, second = pair
    made = await first.post(CONTEXTS, json={"@context": {"level": "https://example.org/level"}})
    address = made.headers["location"]
    link = {"link": f'<http://node.test{address}>; rel="http://www.w3.org/ns/json-ld#context"'}
    for client in (first, second, second):
        assert (await client.get(f"{ENTITIES}?type=Gauge", headers=link)).status_code == 200
    (row,) = (await first.get(f"{CONTEXTS}?kind=Hosted&details=true")).json()
    (same,) = (await second.get(f"{CONTEXTS}?kind=Hosted&details=true")).json()
    assert row["numberOfHits"] == same["numberOfHits"] == 3
    assert row["lastUsage"] == same["lastUsage"]


async def test_what_one_has_fetched_the_other_serves_and_forgets(
    pair: tuple[httpx.AsyncClient, httpx.AsyncClient], node: Node
) -> None:
    first, second = pair
    made = await first.post(CONTEXTS, json={"@context": {"level": "https://example.org/level"}})
    address = made.headers["location"]
    url = f"http://node.test{address}"
    link = {"link": f'<{url}>; rel="http://www.w3.org/ns/json-ld#context"'}
    await second.get(f"{ENTITIES}?type=Gauge", headers=link)
    # without its record it is a document that the second process alone holds
    fetched = f"{CONTEXTS}/{quote(url, safe='')}"
    assert (await first.get(f"{fetched}?details=true")).json()["numberOfHits"] == 1
    assert (await first.get(fetched)).json()["@context"] == {"level": "https://example.org/level"}
    assert (await first.delete(fetched)).status_code == 204
    for client in pair:
        assert (await client.get(fetched)).status_code == 404
    assert (await first.delete(address)).status_code == 204
    gone = await second.get(f"{ENTITIES}?type=Gauge", headers=link)
    assert gone.status_code >= 500, "the context is hosted no more, and nobody else serves it"


async def test_a_registration_counts_everywhere_once_it_is_answered(
    pair: tuple[httpx.AsyncClient, httpx.AsyncClient],
) -> None:
    first, second = pair
    body = {
        "id": "urn:ngsi-ld:ContextSourceRegistration:gauges",
        "type": "ContextSourceRegistration",
        "information": [{"entities": [{"type": "Gauge", "id": "urn:ngsi-ld:Gauge:1"}]}],
        "endpoint": "http://127.0.0.1:9",
    }
    sources = f"{REGISTRATIONS}?type=Gauge"
    assert (await second.get(sources)).json() == []
    made = await first.post(REGISTRATIONS, json=body)
    assert made.status_code == 201, made.text
    assert [one["id"] for one in (await second.get(sources)).json()] == [body["id"]]
    for client in pair:
        # nobody is at the other end: each process has asked once, and both tell of two
        await client.get(f"{ENTITIES}?type=Gauge")
    for client in pair:
        (told,) = (await client.get(sources)).json()
        assert (told["timesSent"], told["timesFailed"], told["status"]) == (2, 2, "failed")
    assert (await first.delete(made.headers["location"])).status_code == 204
    assert (await second.get(sources)).json() == []
    assert (await second.post(REGISTRATIONS, json=body)).status_code == 201
    assert "timesSent" not in (await first.get(sources)).json()[0]


async def test_a_source_that_failed_rests_from_all(
    pair: tuple[httpx.AsyncClient, httpx.AsyncClient],
) -> None:
    first, second = pair
    body = {
        "id": "urn:ngsi-ld:ContextSourceRegistration:resting",
        "type": "ContextSourceRegistration",
        "information": [{"entities": [{"type": "Weir"}]}],
        "management": {"cooldown": 60_000},
        "endpoint": "http://127.0.0.1:9",
    }
    assert (await first.post(REGISTRATIONS, json=body)).status_code == 201
    for client in pair:
        await client.get(f"{ENTITIES}?type=Weir")
    (told,) = (await second.get(f"{REGISTRATIONS}?type=Weir")).json()
    assert told["timesSent"] == 1, "who is asked second knows that the source rests"


async def test_metrics_are_those_of_the_node(pair: tuple[httpx.AsyncClient, httpx.AsyncClient]) -> None:
    for client in (*pair, *pair):
        assert (await client.get("/health")).status_code == 200
    for client in pair:
        text = (await client.get("/metrics")).text
        assert 'yunmeng_http_requests_total{action="node.health",status="200"} 4' in text
        assert 'yunmeng_http_request_seconds_count{action="node.health"} 4' in text

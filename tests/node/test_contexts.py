"""Contexts beside the node: a broker for this machine fetches them, a node that others reach does not."""

from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread
from uuid import uuid4

import httpx
import pytest
from tests.nodes import PASSWORD, Node

from yunmeng.client import BrokerError, Client


class Contexts(BaseHTTPRequestHandler):
    """Serves one context at every path."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "application/ld+json")
        self.end_headers()
        self.wfile.write(b'{"@context": {"heat": "https://example.org/heat"}}')

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def beside() -> Iterator[str]:
    server = HTTPServer(("127.0.0.1", 0), Contexts)
    Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/context.jsonld"
    server.shutdown()
    server.server_close()


def warm(context: str) -> dict[str, object]:
    return {"id": f"urn:ngsi-ld:Oven:{uuid4().hex}", "type": "Oven", "heat": 3, "@context": context}


def test_a_broker_of_this_machine_fetches_them(broker: Node, beside: str) -> None:
    oven = warm(beside)
    with Client(broker.url) as client:
        client.create(oven)
        assert client.get(str(oven["id"]))["https://example.org/heat"] == 3


def test_a_node_does_not(province: Node, administrator: httpx.Client, beside: str) -> None:
    with Client(province.url) as client:
        client.sign_in("admin", PASSWORD)
        with pytest.raises(BrokerError, match=r"context\.private") as caught:
            client.create(warm(beside))
    assert caught.value.status == 504
    assert caught.value.type == "https://uri.etsi.org/ngsi-ld/errors/LdContextNotAvailable"

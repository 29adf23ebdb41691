"""Two brokers as people run them: one registers the other as its context source (ETSI GS CIM 009 §4.3.6)."""

import json
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import httpx
import pytest

from ..nodes import Node, until

API = "/ngsi-ld/v1"
GAUGE = "urn:ngsi-ld:Gauge:danjiangkou"


class Ear(ThreadingHTTPServer):
    """A subscriber that remembers what it is told."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Listen)
        self.heard: list[Any] = []
        self.url = f"http://127.0.0.1:{self.server_port}/told"
        self._thread = Thread(target=self.serve_forever, daemon=True)
        self._thread.start()


class _Listen(BaseHTTPRequestHandler):
    server: Ear

    def do_POST(self) -> None:
        self.server.heard.append(json.loads(self.rfile.read(int(self.headers["content-length"]))))
        self.send_response(200)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: Any) -> None:
        """Says nothing."""


@pytest.fixture(scope="module")
def brokers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[httpx.Client, httpx.Client]]:
    """The province, and the city that is its source."""
    nodes = [broker(tmp_path_factory.mktemp("federation") / name, name) for name in ("province", "city")]
    try:
        for node in nodes:
            node.start()
        province, city = (httpx.Client(base_url=f"{node.url}{API}") for node in nodes)
        with province, city:
            body = {
                "id": "urn:ngsi-ld:ContextSourceRegistration:city",
                "type": "ContextSourceRegistration",
                "information": [{"entities": [{"type": "Gauge"}]}],
                "endpoint": nodes[1].url,
                "operations": ["federationOps", "retrieveTemporal", "queryTemporal"],
            }
            assert province.post("/csourceRegistrations", json=body).status_code == 201
            yield province, city
    finally:
        for node in nodes:
            node.stop()


def broker(folder: Path, alias: str) -> Node:
    return Node(folder, "--set", f"http.alias={alias}", command="broker")


def gauge(level: float, at: str) -> dict[str, Any]:
    row = {"type": "Property", "value": level, "observedAt": at}
    return {"id": GAUGE, "type": "Gauge", "level": row}


def test_the_province_sees_subscribes_to_and_remembers_what_the_city_has(
    brokers: tuple[httpx.Client, httpx.Client],
) -> None:
    province, city = brokers
    ear = Ear()
    body = {
        "type": "Subscription",
        "entities": [{"type": "Gauge"}],
        "notification": {"endpoint": {"uri": ear.url}},
    }
    assert province.post("/subscriptions", json=body).status_code == 201
    until(lambda: len(city.get("/subscriptions").json()) == 1, "the city to hold its part")

    assert city.post("/entities", json=gauge(157.2, "2026-11-01T00:00:00Z")).status_code == 201
    until(lambda: len(ear.heard) == 1, "the subscriber of the province to hear of it")
    assert ear.heard[0]["data"][0]["level"]["value"] == 157.2

    assert province.get(f"/entities/{GAUGE}").json() == city.get(f"/entities/{GAUGE}").json()
    assert [row["id"] for row in province.get("/entities", params={"type": "Gauge"}).json()] == [GAUGE]
    assert province.get("/types").json()["typeList"] == ["Gauge"]
    assert province.get("/entities", params={"type": "Gauge", "local": "true"}).json() == []

    change = {"level": {"type": "Property", "value": 158.4, "observedAt": "2026-11-02T00:00:00Z"}}
    assert city.patch(f"/entities/{GAUGE}/attrs", json=change).status_code == 204
    until(lambda: len(ear.heard) == 2, "the subscriber to hear of the change")
    asked = {"timerel": "after", "timeAt": "2026-10-01T00:00:00Z"}
    evolution = province.get(f"/temporal/entities/{GAUGE}", params=asked).json()
    assert [row["value"] for row in evolution["level"]] == [157.2, 158.4]
    ear.shutdown()
    ear.server_close()


def test_brokers_that_register_each_other_do_not_go_in_circles(
    brokers: tuple[httpx.Client, httpx.Client],
) -> None:
    """§6.3.18: a request carries whom it has come through; nothing is told twice."""
    province, city = brokers
    body = {
        "type": "ContextSourceRegistration",
        "information": [{"entities": [{"type": "Gauge"}]}],
        "endpoint": str(province.base_url).removesuffix(f"{API}/"),
    }
    assert city.post("/csourceRegistrations", json=body).status_code == 201
    answer = province.get("/entities", params={"type": "Gauge"})
    assert answer.status_code == 200
    # the city tells of the circle, and the province passes the warning on
    assert answer.headers["ngsild-warning"].startswith("199 ")

    ear, other = Ear(), {**gauge(1, "2026-11-03T00:00:00Z"), "id": f"{GAUGE}:2"}
    subscription = {
        "type": "Subscription",
        "entities": [{"type": "Gauge", "id": other["id"]}],
        "notification": {"endpoint": {"uri": ear.url}},
    }
    held = len(city.get("/subscriptions").json())
    assert province.post("/subscriptions", json=subscription).status_code == 201
    until(lambda: len(city.get("/subscriptions").json()) == held + 1, "the city to hold its part")
    assert province.post("/entities", json=other).status_code == 201
    until(lambda: len(ear.heard) == 1, "the subscriber to hear of the new entity")
    for level in (2, 3, 4):
        change = {"level": {"type": "Property", "value": level}}
        assert province.patch(f"/entities/{other['id']}/attrs", json=change).status_code == 204
        until(lambda level=level: len(ear.heard) >= level, "the subscriber to hear of it")
    assert [one["data"][0]["level"]["value"] for one in ear.heard] == [1, 2, 3, 4]
    ear.shutdown()
    ear.server_close()

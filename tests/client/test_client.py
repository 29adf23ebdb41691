"""The client against a real broker: what goes in comes out, pages are followed, refusals are errors."""

import inspect
import json
import pickle
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread
from uuid import uuid4

import httpx
import pytest
from tests.nodes import PASSWORD, Node, refused, until

from yunmeng.client import (
    AsyncClient,
    BatchError,
    BrokerError,
    Client,
    Entity,
    from_features,
    geo,
    prop,
    rel,
    to_features,
)
from yunmeng.kernel.base import Unavailable

ETSI = "https://uri.etsi.org/ngsi-ld/errors/"
NOON = datetime(2026, 11, 1, 12, 0, tzinfo=UTC)


@pytest.fixture
def client(broker: Node) -> Iterator[Client]:
    with Client(broker.url, language="en") as connected:
        yield connected


def room(number: int, temperature: float = 20.0, type: str = "Room") -> Entity:
    return {
        "id": f"urn:ngsi-ld:{type}:{number:04d}",
        "type": type,
        "temperature": prop(temperature, unit="CEL"),
        "location": geo((114.3 + number / 1000, 30.5)),
    }


def new_type() -> str:
    return f"T{uuid4().hex}"


def test_the_helpers_write_what_the_standard_asks() -> None:
    # annex C.2.2 (a vehicle) in the normalized representation
    assert prop("Mercedes") == {"type": "Property", "value": "Mercedes"}
    assert prop(21, unit="CEL", at=NOON, accuracy=prop(0.5)) == {
        "type": "Property",
        "value": 21,
        "unitCode": "CEL",
        "observedAt": "2026-11-01T12:00:00Z",
        "accuracy": {"type": "Property", "value": 0.5},
    }
    assert rel("urn:ngsi-ld:Person:Bob") == {"type": "Relationship", "object": "urn:ngsi-ld:Person:Bob"}
    assert rel(["urn:a:1", "urn:a:2"])["object"] == ["urn:a:1", "urn:a:2"]
    point = {"type": "Point", "coordinates": [114.3, 30.5]}
    assert geo((114.3, 30.5)) == geo(point) == {"type": "GeoProperty", "value": point}


def test_an_entity_from_its_creation_to_its_end(client: Client) -> None:
    kind = new_type()
    first = room(1, 20, kind)
    client.create(first)
    id_ = first["id"]
    assert client.get(id_)["temperature"] == 20
    assert client.get(id_, format="normalized")["temperature"] == prop(20, unit="CEL")
    assert client.get(id_, format="concise")["temperature"] == {"value": 20, "unitCode": "CEL"}
    assert set(client.get(id_, ["temperature"])) == {"id", "type", "temperature"}
    client.update(id_, {"temperature": prop(22)})
    client.append(id_, {"humidity": 40})
    client.merge(id_, {"humidity": 41, "location": None})
    assert {"temperature": 22, "humidity": 41}.items() <= client.get(id_).items()
    assert "location" not in client.get(id_)
    client.delete_attribute(id_, "humidity")
    assert "humidity" not in client.get(id_)
    client.replace({"id": id_, "type": kind, "name": "two"})
    assert client.get(id_) == {"id": id_, "type": kind, "name": "two"}
    client.delete(id_)
    with pytest.raises(BrokerError) as gone:
        client.get(id_)
    assert (gone.value.status, gone.value.type) == (404, f"{ETSI}ResourceNotFound")


def test_a_refusal_says_what_the_broker_said(client: Client) -> None:
    one = room(1, type=new_type())
    client.create(one)
    with pytest.raises(BrokerError) as caught:
        client.create(one)
    error = pickle.loads(pickle.dumps(caught.value))
    assert (error.status, error.type) == (409, f"{ETSI}AlreadyExists")
    assert error.title
    assert one["id"] in error.detail
    assert error.title in str(error) or error.detail in str(error)


def test_what_is_no_entity_is_not_sent(client: Client) -> None:
    with refused("client.entity"):
        client.create({"id": "urn:ngsi-ld:Room:1"})
    with refused("client.entity"):
        client.replace({"type": "Room"})
    with refused("client.url"):
        Client("localhost:1026")


def test_pages_are_followed(client: Client) -> None:
    kind = new_type()
    rooms = [room(number, number, kind) for number in range(25)]
    assert client.upsert(rooms) == [one["id"] for one in rooms]
    assert client.upsert(rooms) == []
    for page in (7, 25, 100):
        found = [one["temperature"] for one in client.query(kind, page=page)]
        assert sorted(found) == list(range(25)), page
    assert client.count(kind) == 25
    assert client.count(kind, q="temperature>=20") == 5


def test_entities_are_found_by_condition_and_place(client: Client) -> None:
    kind = new_type()
    client.upsert([room(number, number, kind) for number in range(10)])
    warm = client.query(kind, q="temperature>6", attributes=("temperature",))
    assert [set(one) for one in warm] == [{"id", "type", "temperature"}] * 3
    # a thousandth of a degree of longitude is 96 m here
    near = client.query(kind, near=(114.3, 30.5, 250))
    assert sorted(one["temperature"] for one in near) == [0, 1, 2]
    square = [[114.2995, 30.4], [114.3015, 30.4], [114.3015, 30.6], [114.2995, 30.6], [114.2995, 30.4]]
    inside = client.query(kind, within={"type": "Polygon", "coordinates": [square]})
    assert sorted(one["temperature"] for one in inside) == [0, 1]
    assert [one["temperature"] for one in client.query(id=room(3, type=kind)["id"], type=kind)] == [3]


def test_upsert_keeps_what_else_there_is_unless_told(client: Client) -> None:
    one = room(1, type=new_type())
    client.upsert(one)
    client.upsert({"id": one["id"], "type": one["type"], "name": "a"})
    assert {"name", "temperature"} <= set(client.get(one["id"]))
    client.upsert({"id": one["id"], "type": one["type"], "name": "b"}, replace=True)
    assert client.get(one["id"]) == {"id": one["id"], "type": one["type"], "name": "b"}


def test_a_large_batch_is_split_and_its_refusals_are_told(client: Client) -> None:
    kind = new_type()
    rooms = [room(number, number, kind) for number in range(1201)]
    taken = rooms[700]
    client.create(taken)
    wrong: Entity = {"id": "no uri", "type": kind}
    with pytest.raises(BatchError) as caught:
        client.batch("create", [*rooms, wrong])
    assert len(caught.value.done) == 1200
    assert {one.id for one in caught.value.refused} == {taken["id"], "no uri"}
    assert {one.type for one in caught.value.refused} == {f"{ETSI}AlreadyExists", f"{ETSI}BadRequestData"}
    assert client.count(kind) == 1201
    client.batch("delete", [one["id"] for one in rooms])
    assert client.count(kind) == 0


def test_a_batch_is_split_by_its_size_too(client: Client) -> None:
    kind = new_type()
    heavy = [{"id": f"urn:ngsi-ld:{kind}:{n}", "type": kind, "text": "x" * 300_000} for n in range(40)]
    assert len(client.batch("create", heavy)) == 40  # 12 MB: more than one body may have


def test_tenants_are_apart(broker: Node, client: Client) -> None:
    one = room(1, type=new_type())
    with Client(broker.url, tenant="others") as other:
        other.create(one)
        assert other.get(one["id"])["temperature"] == 20
    with pytest.raises(BrokerError, match=one["id"]):
        client.get(one["id"])


def test_names_are_those_of_the_context(broker: Node, client: Client) -> None:
    kind = new_type()
    url = client.add_context({kind: f"https://example.org/{kind}", "heat": "https://example.org/heat"})
    assert url in client.contexts()
    assert client.context(url)["@context"]["heat"] == "https://example.org/heat"
    id_ = f"urn:ngsi-ld:{kind}:1"
    with Client(broker.url, context=url) as own:
        own.create({"id": id_, "type": kind, "heat": 3})
        assert own.get(id_)["heat"] == 3
        assert kind in own.types()
        assert "heat" in own.attributes()
        # an entity may bring a context of its own, which goes before the client's
        theirs = {
            "id": f"{id_}1",
            "type": kind,
            "warmth": 4,
            "@context": {"warmth": "https://example.org/heat"},
        }
        own.upsert([{"id": f"{id_}2", "type": kind, "heat": 5}, theirs])
        assert own.get(f"{id_}2")["heat"] == 5
    assert client.get(id_)["https://example.org/heat"] == 3
    assert client.get(f"{id_}1")["https://example.org/heat"] == 4
    client.delete_context(url)
    assert url not in client.contexts()


def test_history_and_aggregates(client: Client) -> None:
    one = room(1, type=new_type())
    for minute in range(6):
        at = NOON + timedelta(minutes=minute)
        client.upsert({**one, "temperature": prop(20.0 + minute, unit="CEL", at=at)})
    series = until(
        lambda: (found := client.history(one["id"], "temperature")["temperature"])[5:] and found,
        "the history",
    )
    assert series == [(20.0 + minute, NOON + timedelta(minutes=minute)) for minute in range(6)]
    last = client.history(one["id"], "temperature", last=2, until=NOON + timedelta(minutes=4))
    assert [value for value, _ in last["temperature"]] == [22, 23]
    window = {"since": NOON, "until": NOON + timedelta(minutes=6)}
    both = client.aggregates(one["id"], "temperature", methods=("avg", "max"), period="PT3M", **window)
    assert both["temperature"]["avg"] == [
        (21.0, NOON, NOON + timedelta(minutes=3)),
        (24.0, NOON + timedelta(minutes=3), NOON + timedelta(minutes=6)),
    ]
    assert [value for value, *_ in both["temperature"]["max"]] == [22.0, 25.0]


class Receiver(BaseHTTPRequestHandler):
    told: list[dict[str, object]]

    def do_POST(self) -> None:
        self.told.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
        self.send_response(200)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        pass


def test_a_subscription_tells(client: Client) -> None:
    told: list[dict[str, object]] = []
    receiver = HTTPServer(("127.0.0.1", 0), type("Mine", (Receiver,), {"told": told}))
    Thread(target=receiver.serve_forever, daemon=True).start()
    one = room(1, type=new_type())
    client.create(one)
    address = f"http://127.0.0.1:{receiver.server_port}/told"
    id_ = client.subscribe(address, one["type"], watched="temperature", attributes="temperature")
    try:
        assert id_ in [held["id"] for held in client.subscriptions()]
        client.update(one["id"], {"temperature": 30})
        until(lambda: told, "the notification")
        assert told[0]["data"] == [{"id": one["id"], "type": one["type"], "temperature": 30}]
    finally:
        client.unsubscribe(id_)
        receiver.shutdown()
        receiver.server_close()
    assert id_ not in [held["id"] for held in client.subscriptions()]


async def test_the_asynchronous_client_does_the_same(broker: Node) -> None:
    kind = new_type()
    async with AsyncClient(broker.url) as client:
        await client.upsert([room(number, number, kind) for number in range(15)])
        assert [one["temperature"] async for one in client.query(kind, page=4)] == list(range(15))
        with pytest.raises(BrokerError) as caught:
            await client.get("urn:ngsi-ld:Room:none")
        assert caught.value.status == 404
        assert await client.count(kind) == 15


def test_both_clients_offer_the_same() -> None:
    def offered(kind: type) -> dict[str, list[str]]:
        methods = inspect.getmembers(kind, inspect.isfunction)
        return {
            name: list(inspect.signature(method).parameters)
            for name, method in methods
            if not name.startswith("_")
        }

    assert offered(Client) == offered(AsyncClient)
    assert len(offered(Client)) > 20


def test_nobody_answers() -> None:
    with Client("http://127.0.0.1:9") as client, pytest.raises(Unavailable) as caught:
        client.types()
    assert caught.value.key == "client.no-answer"
    assert "127.0.0.1:9" in str(caught.value)


def test_what_is_no_broker_is_told(broker: Node) -> None:
    with Client(f"{broker.url}/ngsi-ld/../docs?") as client, pytest.raises((Unavailable, BrokerError)):
        client.types()


def test_a_node_wants_a_sign_in(province: Node, administrator: httpx.Client) -> None:
    with Client(province.url, language="en") as stranger:
        with pytest.raises(BrokerError) as caught:
            stranger.count("Reservoir")
        assert caught.value.status == 401
        assert caught.value.key == "client.unauthenticated"
        stranger.sign_in("admin", PASSWORD)
        stranger.upsert({**room(1, type="Shed"), "division": "420106"})
        assert stranger.count("Shed") == 1
    said = administrator.post(
        "/api/tokens", json={"name": "client", "kind": "service", "divisions": ["420000"]}
    ).json()
    with Client(province.url, token=said["token"]) as service:
        assert service.count("Shed") == 1


def test_features_are_entities_on_a_map() -> None:
    one = {"id": "urn:ngsi-ld:Room:1", "type": "Room", "name": "A", "location": geo((114.3, 30.5))["value"]}
    collection = to_features([one])
    assert collection["features"][0]["geometry"] == one["location"]
    assert collection["features"][0]["properties"] == {"type": "Room", "name": "A"}
    back = list(from_features(collection))
    assert back == [{**one, "location": geo((114.3, 30.5))}]
    plain = {"type": "Feature", "id": 7, "geometry": None, "properties": {"name": "B"}}
    assert list(from_features(plain, "Room")) == [{"id": "urn:ngsi-ld:Room:7", "type": "Room", "name": "B"}]
    with refused("client.entity"):
        list(from_features(plain))

"""Subscriptions and their notifications, delivered over real sockets to receivers of different manners."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest

from yunmeng.kernel.base import BadInput, now_us
from yunmeng.kernel.link import obs_subject
from yunmeng.kernel.model import Change, ContextLibrary, Row, Series, encode_batch, make_batch
from yunmeng.kernel.serve import Notifier
from yunmeng.kernel.serve.matching import tell
from yunmeng.kernel.serve.watching import Kept, work_out
from yunmeng.kernel.trust import Principal

SUBSCRIPTIONS = "/ngsi-ld/v1/subscriptions"
ENTITIES = "/ngsi-ld/v1/entities"
VOCABULARY = "https://uri.etsi.org/ngsi-ld/default-context/"
GATEWAY = Principal("device:gate", kind="device", roles=("device",))


@dataclass
class Receiver:
    """An HTTP server that keeps what it is told; ``status`` is what it answers, after ``delay_s``."""

    url: str = ""
    status: int = 200
    delay_s: float = 0.0
    got: list[tuple[dict[str, str], dict[str, Any]]] = field(default_factory=list)
    attempts: int = 0
    delay_of: dict[str, float] = field(default_factory=dict)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                request, *lines = head.decode().split("\r\n")[:-2]
                headers = {k.lower(): v for k, v in (line.split(": ", 1) for line in lines)}
                body = await reader.readexactly(int(headers["content-length"]))
                self.attempts += 1
                await asyncio.sleep(self.delay_of.get(request.split()[1], self.delay_s))
                if self.status == 200:
                    self.got.append((headers, json.loads(body)))
                writer.write(f"HTTP/1.1 {self.status} X\r\nContent-Length: 0\r\n\r\n".encode())
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    @property
    def root(self) -> str:
        return self.url.rpartition("/")[0]

    @property
    def rows(self) -> list[dict[str, Any]]:
        return [row for _, body in self.got for row in body["data"]]

    async def expect(self, count: int, seconds: float = 8.0) -> None:
        async with asyncio.timeout(seconds):
            while len(self.got) < count:
                await asyncio.sleep(0.01)


@asynccontextmanager
async def receiver(**manners: Any) -> AsyncIterator[Receiver]:
    made = Receiver(**manners)
    server = await asyncio.start_server(made.serve, "127.0.0.1", 0)
    made.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/notify"
    try:
        yield made
    finally:
        server.close()


@asynccontextmanager
async def notifying(node) -> AsyncIterator[Notifier]:
    notifier = Notifier(node.services)
    await notifier.start()
    running = asyncio.create_task(notifier.run())
    try:
        yield notifier
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        await notifier.stop()


def subscription(url: str, **more: Any) -> dict[str, Any]:
    return {
        "type": "Subscription",
        "entities": [{"type": "Station"}],
        "notification": {"endpoint": {"uri": url, "accept": "application/json"}},
        **more,
    }


async def subscribe(node, url: str, **more: Any) -> str:
    made = await node.admin.post(SUBSCRIPTIONS, json=subscription(url, **more))
    assert made.status_code == 201, made.text
    return made.headers["location"]


async def station(node, number: int, level: float = 1) -> None:
    body = {"id": f"urn:ngsi-ld:Station:{number}", "type": "Station", "level": {"value": level}}
    made = await node.admin.post("/ngsi-ld/v1/entityOperations/upsert?options=update", json=[body])
    assert made.is_success, made.text


async def test_a_subscription_is_kept_shown_changed_and_dropped(node) -> None:
    address = await subscribe(node, "http://127.0.0.1:9/x", watchedAttributes=["level"], q="level>3")
    shown = (await node.admin.get(address)).json()
    assert shown["watchedAttributes"] == ["level"]
    assert shown["entities"] == [{"type": "Station"}]
    assert shown["status"] == "active"
    assert "timesSent" not in shown["notification"]
    assert shown["notificationTrigger"] == ["attributeCreated", "attributeUpdated"]
    assert (await node.admin.get(SUBSCRIPTIONS)).json()[0]["id"] == shown["id"]
    assert (await node.admin.patch(address, json={"isActive": False, "q": None})).status_code == 204
    changed = (await node.admin.get(address)).json()
    assert changed["status"] == "paused"
    assert "q" not in changed
    same = {**subscription("http://127.0.0.1:9/x"), "id": shown["id"]}
    assert (await node.admin.post(SUBSCRIPTIONS, json=same)).status_code == 409
    assert (await node.admin.delete(address)).status_code == 204
    assert (await node.admin.get(address)).status_code == 404
    assert (await node.admin.delete(address)).status_code == 404


@pytest.mark.parametrize(
    ("changes", "key"),
    [
        ({"type": "Other"}, "subscription.type"),
        ({"entities": None}, "subscription.empty"),
        ({"entities": [{"id": "urn:ngsi-ld:X:1"}]}, "json.text"),
        ({"q": "level>"}, None),
        ({"geoQ": {"georel": "near"}}, None),
        ({"throttling": -1}, "subscription.number"),
        ({"timeInterval": 5, "throttling": 5}, "subscription.interval"),
        ({"notificationTrigger": ["everything"]}, "subscription.trigger"),
        ({"expiresAt": "2020-01-01T00:00:00Z"}, "subscription.expired"),
        ({"expiresAt": "2020-01-01T00:00:00"}, "time.naive"),
        ({"isActive": "yes"}, "json.boolean"),
        ({"notification": {}}, "json.object"),
        ({"notification": {"endpoint": {"uri": "mqtt://x"}}}, "subscription.endpoint"),
        ({"notification": {"endpoint": {"uri": "mqtt://x/a/#"}}}, "subscription.endpoint"),
        ({"notification": {"endpoint": {"uri": "http://x:port/"}}}, "subscription.endpoint"),
        (
            {"notification": {"endpoint": {"uri": "http://x", "notifierInfo": [{"key": "K", "value": {}}]}}},
            "json.text",
        ),
        ({"notification": {"endpoint": {"uri": "http://x", "cooldown": -1}}}, "subscription.number"),
        ({"notification": {"endpoint": {"uri": "http://x"}, "join": "deep"}}, "query.value"),
        ({"notification": {"endpoint": {"uri": "http://x"}, "joinLevel": 0}}, "subscription.number"),
        (
            {
                "notification": {
                    "endpoint": {
                        "uri": "mqtt://x/t",
                        "notifierInfo": [{"key": "MQTT-QoS", "value": "3"}],
                    }
                }
            },
            "subscription.notifier",
        ),
        ({"notification": {"endpoint": {"uri": "http://x", "accept": "text/csv"}}}, "subscription.accept"),
        ({"notification": {"endpoint": {"uri": "http://x"}, "format": "odd"}}, "subscription.format"),
        (
            {"notification": {"endpoint": {"uri": "http://y", "receiverInfo": [{"key": " ", "value": ""}]}}},
            "subscription.header",
        ),
    ],
)
async def test_unsound_subscriptions_are_refused(admin, changes: dict[str, Any], key: str | None) -> None:
    body = {k: v for k, v in {**subscription("http://127.0.0.1:9/"), **changes}.items() if v is not None}
    answer = await admin.post(SUBSCRIPTIONS, json=body)
    assert answer.status_code == 400, answer.text
    assert key is None or answer.json()["key"] == key
    assert (await admin.get(SUBSCRIPTIONS)).json() == []


async def test_what_matches_is_told(node) -> None:
    async with notifying(node), receiver() as eager:
        info = [{"key": "X-Key", "value": "secret"}]
        address = await subscribe(
            node,
            eager.url,
            watchedAttributes=["level"],
            q="level>3",
            notification={
                "endpoint": {"uri": eager.url, "accept": "application/json", "receiverInfo": info},
                "attributes": ["level"],
                "format": "keyValues",
            },
        )
        await station(node, 1, 1)
        await station(node, 1, 5)
        other = {"id": "urn:ngsi-ld:Pump:1", "type": "Pump", "level": {"value": 9}}
        await node.admin.post(ENTITIES, json=other)
        unwatched = {"name": {"value": "one"}}
        await node.admin.post(f"{ENTITIES}/urn:ngsi-ld:Station:1/attrs", json=unwatched)
        await station(node, 2, 7)
        await eager.expect(2)
        await asyncio.sleep(0.1)
        assert eager.rows == [
            {"id": "urn:ngsi-ld:Station:1", "type": "Station", "level": 5},
            {"id": "urn:ngsi-ld:Station:2", "type": "Station", "level": 7},
        ]
        headers, body = eager.got[0]
        assert headers["x-key"] == "secret"
        assert "json-ld#context" in headers["link"]
        assert body["type"] == "Notification"
        assert address.endswith(body["subscriptionId"])
        async with asyncio.timeout(5):
            while (await node.admin.get(address)).json()["notification"]["timesSent"] != 2:
                await asyncio.sleep(0.02)
        shown = (await node.admin.get(address)).json()["notification"]
        assert shown["status"] == "ok"
        assert shown["lastSuccess"] >= shown["lastNotification"][:10]
        await node.admin.patch(address, json={"isActive": False})
        await station(node, 1, 8)
        await node.admin.delete(address)
        await station(node, 1, 9)
        await asyncio.sleep(0.2)
        assert len(eager.got) == 2


async def test_telemetry_is_told_with_the_whole_entity(node) -> None:
    async with notifying(node), receiver() as eager:
        await subscribe(node, eager.url, watchedAttributes=["level"])
        await node.admin.post(
            ENTITIES, json={"id": "urn:ngsi-ld:Station:1", "type": "Station", "name": {"value": "one"}}
        )
        series = Series(
            "urn:ngsi-ld:Station:1", f"{VOCABULARY}level", f"{VOCABULARY}Station", "420100", "MTR"
        )
        batch = make_batch([Row(series, now_us(), 4.5)], gateway="gate", received_at=now_us())
        await node.bus.publish(obs_subject("", "gate"), encode_batch(batch), GATEWAY)
        await eager.expect(1)
        assert eager.rows[0]["level"]["value"] == 4.5
        assert eager.rows[0]["name"]["value"] == "one"


async def test_triggers(node) -> None:
    async with notifying(node), receiver() as births, receiver() as deaths:
        await subscribe(node, births.url, notificationTrigger=["entityCreated"])
        await subscribe(node, deaths.url, notificationTrigger=["entityDeleted"])
        await station(node, 1, 1)
        await station(node, 1, 2)
        await node.admin.delete(f"{ENTITIES}/urn:ngsi-ld:Station:1")
        await births.expect(1)
        await deaths.expect(1)
        await asyncio.sleep(0.1)
        assert [row["level"]["value"] for row in births.rows] == [1]
        assert [(row["id"], "deletedAt" in row) for row in deaths.rows] == [("urn:ngsi-ld:Station:1", True)]


async def test_throttling_and_intervals(node) -> None:
    async with notifying(node), receiver() as calm, receiver() as steady:
        await subscribe(node, calm.url, throttling=60)
        for number in range(3):
            await station(node, 1, number)
        await calm.expect(1)
        await subscribe(node, steady.url, timeInterval=1)
        await steady.expect(1)
        await asyncio.sleep(0.1)
        assert len(calm.got) == 1
        assert steady.rows[0]["level"]["value"] == 2


async def test_a_dead_and_a_slow_receiver_slow_nobody(node) -> None:
    dying, dozing = receiver(status=500), receiver(delay_s=5)
    async with notifying(node), receiver() as eager, dozing as slow, dying as dead:
        for one in (slow, dead, eager):
            await subscribe(node, one.url)
        started = asyncio.get_running_loop().time()
        for number in range(20):
            await station(node, number)
        await eager.expect(20)
        assert asyncio.get_running_loop().time() - started < 4
        assert not slow.got
        assert not dead.got
        dead.status = 200
        await dead.expect(20, 15)
        assert [row["id"] for row in dead.rows] == [f"urn:ngsi-ld:Station:{number}" for number in range(20)]


async def test_nothing_is_lost_over_a_restart(node) -> None:
    async with receiver(status=503) as sleepy:
        async with notifying(node):
            address = await subscribe(node, sleepy.url)
            for number in range(5):
                await station(node, number)
            async with asyncio.timeout(5):
                while len(await node.state.records("notification")) < 5:
                    await asyncio.sleep(0.02)
        for number in range(5, 8):
            await station(node, number)
        sleepy.status = 200
        async with notifying(node):
            await sleepy.expect(8)
            async with asyncio.timeout(5):
                while await node.state.records("notification"):
                    await asyncio.sleep(0.02)
        told = [row["id"] for row in sleepy.rows]
        assert told == [f"urn:ngsi-ld:Station:{number}" for number in range(8)]
        async with asyncio.timeout(5):
            while (shown := (await node.admin.get(address)).json()["notification"])["timesSent"] != 8:
                await asyncio.sleep(0.02)
        assert shown["timesFailed"] == 1


async def test_a_subscription_sees_only_what_its_owner_may(node) -> None:
    async with notifying(node), receiver() as local:
        wuhan = await node.client("operator", divisions=("420100",))
        made = await wuhan.post(SUBSCRIPTIONS, json=subscription(local.url))
        assert made.status_code == 201
        for number, code in ((1, "420500"), (2, "420100")):
            body = {
                "id": f"urn:ngsi-ld:Station:{number}",
                "type": "Station",
                "level": {"value": 1},
                "https://w3id.org/yunmeng/division": {"value": code},
            }
            assert (await node.admin.post(ENTITIES, json=body)).status_code == 201
        await local.expect(1)
        await asyncio.sleep(0.1)
        assert [row["id"] for row in local.rows] == ["urn:ngsi-ld:Station:2"]


AT = "2026-01-01T00:00:00.000Z"


async def test_changes_are_told_with_what_was_before() -> None:
    uri = "https://uri.etsi.org/ngsi-ld/default-context/level"
    body = {
        "type": "Subscription",
        "entities": [{"type": "*"}],
        "notification": {"endpoint": {"uri": "http://127.0.0.1:9/"}, "showChanges": True},
    }
    kept = Kept("urn:ngsi-ld:Subscription:1", body, None, Principal("p"), AT, AT)
    watch = await work_out(kept, "", ContextLibrary())
    document = {"id": "urn:ngsi-ld:T:1", "type": ["urn:x:T"]}
    before = {**document, uri: [{"type": "Property", "value": 1}]}
    after = {**document, uri: [{"type": "Property", "value": 2}]}
    changed = Change("", document["id"], ("urn:x:T",), "", AT, "updated", (uri,), after, before)
    assert tell(watch, after, (), changed)["level"] == {"type": "Property", "value": 2, "previousValue": 1}
    deleted = Change("", document["id"], ("urn:x:T",), "", AT, "deleted", (uri,), {}, before)
    gone = tell(watch, {}, (), deleted)
    assert gone["level"] == {"type": "Property", "value": "urn:ngsi-ld:null", "previousValue": 1}
    assert gone["deletedAt"] == AT


async def test_what_a_notification_cannot_be() -> None:
    endpoint = {"uri": "http://127.0.0.1:9/"}
    for wrong, key in (
        ({"showChanges": True, "format": "keyValues"}, "subscription.changes"),
        ({"pick": ["a"], "omit": ["a"]}, "query.pick-and-omit"),
    ):
        notification = {"endpoint": endpoint, **wrong}
        body = {"type": "Subscription", "entities": [{"type": "T"}], "notification": notification}
        kept = Kept("urn:ngsi-ld:Subscription:1", body, None, Principal("p"), AT, AT)
        with pytest.raises(BadInput) as refused:
            await work_out(kept, "", ContextLibrary())
        assert refused.value.key == key


async def test_how_a_subscription_fares_is_known_at_once(node) -> None:
    async with notifying(node), receiver() as eager:
        address = await subscribe(node, eager.url)
        for number in range(1, 4):
            await station(node, number)
            await eager.expect(number)
            # the answer to the receiver's own answer may still be on its way
            async with asyncio.timeout(0.4):
                while (await node.admin.get(address)).json()["notification"].get("timesSent") != number:
                    await asyncio.sleep(0)
        both = (await node.admin.get(f"{SUBSCRIPTIONS}?limit=5")).json()
        assert [one["notification"]["timesSent"] for one in both] == [3]


async def test_one_path_of_a_server_does_not_slow_another(node) -> None:
    async with notifying(node), receiver() as shared:
        shared.delay_of["/slow"] = 3.0
        for _ in range(10):
            await subscribe(node, f"{shared.root}/slow")
        for _ in range(10):
            await subscribe(node, f"{shared.root}/quick")
        await station(node, 1)
        await shared.expect(10, 2.0)


async def test_a_new_notification_ends_a_long_pause(node) -> None:
    async with notifying(node), receiver(status=500) as tired:
        await subscribe(node, tired.url)
        await station(node, 1, 1)
        async with asyncio.timeout(10):
            while tired.attempts < 3:
                await asyncio.sleep(0.02)
        # the pause is two seconds by now, and would be four and eight
        tired.status = 200
        await station(node, 1, 2)
        await tired.expect(2, 3.0)


async def test_a_changed_endpoint_is_used_at_once(node) -> None:
    async with notifying(node), receiver(status=500) as old, receiver() as new:
        address = await subscribe(node, old.url)
        await station(node, 1, 1)
        async with asyncio.timeout(10):
            while old.attempts < 3:
                await asyncio.sleep(0.02)
        changed = {"notification": {"endpoint": {"uri": new.url}}}
        assert (await node.admin.patch(address, json=changed)).status_code == 204
        await new.expect(1, 3.0)


async def test_after_a_failure_a_receiver_is_left_alone_as_long_as_it_asked(node) -> None:
    async with notifying(node), receiver(status=500) as tired:
        endpoint = {"uri": tired.url, "cooldown": 3000}
        await subscribe(node, tired.url, notification={"endpoint": endpoint})
        for level in range(4):
            await station(node, 1, level)
            await asyncio.sleep(0.3)
        assert tired.attempts == 1


async def test_without_the_library_mqtt_is_refused_with_the_command(admin, monkeypatch) -> None:
    monkeypatch.setattr("yunmeng.kernel.serve.endpoint.find_spec", lambda _: None)
    refused = await admin.post(SUBSCRIPTIONS, json=subscription("mqtt://127.0.0.1/t"))
    assert refused.json()["key"] == "subscription.mqtt-missing"
    assert "pip install 'yunmeng[mqtt]'" in refused.json()["remedy"]

"""Devices that sign in one by one at the node's own listener: real NATS server, real MQTT clients."""

import asyncio
import json
from collections.abc import AsyncIterator
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from tests.field import Field, working
from tests.gateways.mqtt.test_node import at, subscribed, weather
from tests.nodes import free_port

from yunmeng.gateways.mqtt.rights import rights_of
from yunmeng.gateways.mqtt.tables import TopicRow
from yunmeng.kernel.link import NatsServer
from yunmeng.kernel.link.mqtt_doorman import public_key
from yunmeng.kernel.sense import DeviceRecord

aiomqtt = pytest.importorskip("aiomqtt", reason="yunmeng[mqtt] is not installed")

RECORDS = [
    DeviceRecord("mqtt", name, "420106", key=sha256(f"{name}-secret".encode()).hexdigest(), state=state)
    for name, state in (("a", "active"), ("b", "active"), ("old", "retired"), ("l1", "active"))
] + [DeviceRecord("mqtt", "bare", "420106")]


@pytest.fixture
async def door(tmp_path: Path) -> AsyncIterator[tuple[Field, int]]:
    port = free_port()
    server = NatsServer(tmp_path / "mqtt", mqtt_port=port, each=True)
    await server.start()
    async with working("mqtt+node://127.0.0.1:1", gateway=at(tmp_path), records=RECORDS) as field:
        await subscribed(field)
        yield field, port
    await server.stop()


def client(port: int, name: str, password: str = "", **more: Any) -> Any:
    return aiomqtt.Client(
        "127.0.0.1",
        port,
        username=name,
        password=password or f"{name}-secret",
        identifier=f"c-{name}",
        **more,
    )


async def test_a_device_with_its_credential_is_heard(door: tuple[Field, int]) -> None:
    field, port = door
    async with client(port, "a") as a, client(port, "b") as b:
        await a.publish("sensors/a/telemetry", weather(1), qos=1)
        await b.publish("sensors/b/telemetry", weather(2), qos=0)
        seen = await field.seen(2)
    assert {each.entity: each.value for each in seen} == {
        "urn:ngsi-ld:WeatherObserved:mqtt:a": 1,
        "urn:ngsi-ld:WeatherObserved:mqtt:b": 2,
    }


@pytest.mark.parametrize(
    ("name", "password"),
    [
        ("a", "b-secret"),
        ("a", "wrong"),
        ("old", "old-secret"),
        ("nobody", "x"),
        ("bare", "anything"),
        ("device", "device"),
    ],
)
async def test_whoever_is_not_known_is_not_let_in(door: tuple[Field, int], name: str, password: str) -> None:
    _, port = door
    with pytest.raises(aiomqtt.MqttError):
        async with client(port, name, password):
            pass


async def test_a_device_speaks_for_itself_only(door: tuple[Field, int]) -> None:
    field, port = door
    async with client(port, "a") as a:
        await a.publish("sensors/b/telemetry", weather(666), qos=0)
        await a.publish("sensors/a/telemetry", weather(1), qos=1)
        await asyncio.sleep(0.5)
    assert [(each.entity[-1], each.value) for each in await field.seen(1)] == [("a", 1)]


async def test_a_device_hears_its_own_commands(door: tuple[Field, int]) -> None:
    field, port = door
    async with client(port, "l1") as lamp:
        await lamp.subscribe("lamps/l1/command", qos=1)
        await lamp.publish("lamps/l1/state", json.dumps({"time": "2026-07-01T08:00:00Z", "on": True}), qos=1)
        await field.online("l1")
        command = asyncio.create_task(field.command("l1", "set", level=0.8))
        asked = json.loads((await anext(aiter(lamp.messages))).payload)
        await lamp.publish("lamps/l1/response", json.dumps({"id": asked["id"], "ok": True}), qos=1)
        assert (await command)["ok"] is True


def test_the_rights_of_a_sparkplug_node_are_its_own_topics() -> None:
    rows = {"meter": TopicRow(sparkplug="{group}/{node}/{device}")}
    rights = rights_of("plant:line1", rows)
    assert rights.publish == ("spBv1//0.plant.*.line1", "spBv1//0.plant.*.line1.*")
    assert rights_of("plant", rows).publish == ("_",), "nothing, which is not everything"
    assert rights_of("plant:#", rows).publish == ("_",)


def test_a_public_key_is_written_as_nats_writes_it() -> None:
    # the seed of 32 zero bytes: the form of an account key, 56 characters that begin with A
    key = public_key(bytes(32))
    assert len(key) == 56
    assert key.startswith("A")

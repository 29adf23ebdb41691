"""The node's own listener: a real NATS server, and devices that speak MQTT 3.1.1 to it."""

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.field import Field, working
from tests.nodes import free_port

from yunmeng.gateways.mqtt import GATEWAY
from yunmeng.gateways.mqtt.node import serve_node
from yunmeng.kernel.base import Unavailable
from yunmeng.kernel.link import MemoryBus, MqttInbox, NatsServer
from yunmeng.kernel.link.mqtt_inbox import to_subject, to_topic
from yunmeng.kernel.sense import Gateway, Hub

aiomqtt = pytest.importorskip("aiomqtt", reason="yunmeng[mqtt] is not installed")
WHEN_MS = 1_782_000_000_000


@pytest.fixture
async def listener(tmp_path: Path) -> AsyncIterator[tuple[Path, int]]:
    port = free_port()
    server = NatsServer(tmp_path / "mqtt", mqtt_port=port)
    await server.start()
    yield tmp_path, port
    await server.stop()


def at(folder: Path) -> Gateway:
    async def run(hub: Hub) -> None:
        hub.folder = folder
        await serve_node(hub)

    return replace(GATEWAY, run=run)


async def subscribed(field: Field) -> None:
    async with asyncio.timeout(10):
        while not any(channel._session.subscribed for channel in field.hub.channels):  # type: ignore[attr-defined]
            await asyncio.sleep(0.01)
    await asyncio.sleep(0.3)


def device(folder: Path, port: int, **more: Any) -> Any:
    password = (folder / "mqtt" / "device-token").read_text()
    return aiomqtt.Client("127.0.0.1", port, username="device", password=password, **more)


def weather(value: float) -> bytes:
    return json.dumps({"ts": WHEN_MS, "temperature": value}).encode()


@pytest.mark.parametrize("qos", [0, 1, 2])
async def test_a_message_becomes_a_reading_once(listener: tuple[Path, int], qos: int) -> None:
    folder, port = listener
    async with working("mqtt+node://127.0.0.1:1", gateway=at(folder)) as field:
        await subscribed(field)
        async with device(folder, port) as sensor:
            await sensor.publish("sensors/a.b/telemetry", weather(21.5), qos=qos)
            await sensor.publish("sensors/a.b/telemetry", weather(22.5), qos=qos)
            seen = await field.seen(2)
    assert [each.value for each in seen] == [21.5, 22.5]
    assert seen[0].entity == "urn:ngsi-ld:WeatherObserved:mqtt:a.b"


async def test_what_came_while_the_gateway_was_away_comes_once(listener: tuple[Path, int]) -> None:
    folder, port = listener
    async with working("mqtt+node://127.0.0.1:1", gateway=at(folder)) as field:
        await subscribed(field)
        async with device(folder, port) as sensor:
            await sensor.publish("sensors/a/telemetry", weather(1), qos=1)
            await field.seen(1)
            await asyncio.sleep(0.3)
    async with device(folder, port) as sensor:
        await sensor.publish("sensors/a/telemetry", weather(2), qos=1)
    async with working("mqtt+node://127.0.0.1:1", gateway=at(folder)) as field:
        assert [each.value for each in await field.seen(1)] == [2]


class Refusing(MemoryBus):
    """A bus that does not take the first observations."""

    refused = 0

    async def publish(self, subject: str, *rest: Any, **more: Any) -> int:
        if not self.refused and subject.startswith("obs."):
            self.refused += 1
            raise Unavailable("bus.down", url="here")
        return await super().publish(subject, *rest, **more)


async def test_what_the_bus_refused_comes_again(listener: tuple[Path, int]) -> None:
    folder, port = listener
    bus = Refusing()
    async with working("mqtt+node://127.0.0.1:1", gateway=at(folder), bus=bus) as field:
        await subscribed(field)
        async with device(folder, port) as sensor:
            await sensor.publish("sensors/a/telemetry", weather(1), qos=1)
            assert [each.value for each in await field.seen(1)] == [1]
    assert bus.refused == 1


async def test_a_command_goes_to_the_device_and_its_answer_comes_back(listener: tuple[Path, int]) -> None:
    folder, port = listener
    async with working("mqtt+node://127.0.0.1:1", gateway=at(folder)) as field:
        await subscribed(field)
        async with device(folder, port) as lamp:
            await lamp.subscribe("lamps/l1/command", qos=1)
            await lamp.publish(
                "lamps/l1/state", json.dumps({"time": "2026-07-01T08:00:00Z", "on": True}), qos=1
            )
            await field.online("l1")
            command = asyncio.create_task(field.command("l1", "set", level=0.8))
            asked = json.loads((await anext(aiter(lamp.messages))).payload)
            assert asked["command"] == "set"
            await lamp.publish("lamps/l1/response", json.dumps({"id": asked["id"], "ok": True}), qos=1)
            assert (await command)["ok"] is True


@pytest.mark.parametrize("access", [{}, {"username": "device", "password": "wrong"}])
async def test_a_stranger_is_not_let_in(listener: tuple[Path, int], access: dict[str, str]) -> None:
    _, port = listener
    with pytest.raises(aiomqtt.MqttError):
        async with aiomqtt.Client("127.0.0.1", port, **access):
            pass


async def test_a_device_cannot_reach_the_server_itself(listener: tuple[Path, int]) -> None:
    folder, port = listener
    async with working("mqtt+node://127.0.0.1:1", gateway=at(folder)) as field:
        await subscribed(field)
        async with device(folder, port) as sensor:
            await sensor.publish("$JS/API/STREAM/DELETE/$MQTT_msgs", b"{}", qos=0)
            await sensor.publish("sensors/a/telemetry", weather(3), qos=1)
            assert [each.value for each in await field.seen(1)] == [3]
    inbox = await MqttInbox.open(folder / "mqtt")
    await (await inbox.kept("sensors/+/telemetry")).close()
    await inbox.close()


async def test_without_a_listener_it_says_so(tmp_path: Path) -> None:
    with pytest.raises(Unavailable) as refused:
        async with working("mqtt+node://127.0.0.1:1", gateway=at(tmp_path)) as field:
            await field.serving
    assert refused.value.key == "mqtt.listener"


LEVELS = st.lists(
    st.text(st.characters(codec="ascii", exclude_characters=" /+#*>\0\t\r\n"), max_size=6),
    min_size=1,
    max_size=5,
)


@given(LEVELS)
def test_a_topic_comes_back_from_its_subject(levels: list[str]) -> None:
    topic = "/".join(levels)
    if topic:
        assert to_topic(to_subject(topic)) == topic

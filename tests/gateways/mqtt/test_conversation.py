"""The gateway and a real mosquitto, with devices that speak through another MQTT library."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest
from tests.field import Field
from tests.kernel.serve.test_mqtt_notifications import MOSQUITTO, mosquitto, self_signed

from yunmeng.gateways.mqtt.simulator import simulate
from yunmeng.kernel.base import BadInput, Unavailable
from yunmeng.kernel.link import MemoryBus
from yunmeng.kernel.sense import DeviceRecord, Simulation

aiomqtt = pytest.importorskip("aiomqtt", reason="yunmeng[mqtt] is not installed")
pytestmark = pytest.mark.skipif(MOSQUITTO is None, reason="mosquitto is not installed")

WHEN_MS = 1_782_000_000_000
PATIENCE_S = 10.0

Start = Callable[..., Awaitable[Field]]


class Broker:
    """A mosquitto, and gateways that have subscribed at it."""

    def __init__(self, port: int, listening: Start) -> None:
        self.port = port
        self._listening = listening

    async def gateway(self, query: str = "", **more: Any) -> Field:
        field = await self._listening(f"mqtt+connect://127.0.0.1:{self.port}?{query}", **more)
        async with asyncio.timeout(PATIENCE_S):
            while not any(channel.heard_at and _subscribed(channel) for channel in field.hub.channels):
                await asyncio.sleep(0.01)
        return field

    def client(self, **more: Any) -> Any:
        return aiomqtt.Client("127.0.0.1", self.port, **more)


def _subscribed(channel: Any) -> bool:
    return channel._session.subscribed


@pytest.fixture
async def broker(tmp_path: Path, listening: Start) -> AsyncIterator[Broker]:
    async with AsyncExitStack() as stack:
        port = await stack.enter_async_context(mosquitto(tmp_path))
        yield Broker(port, listening)


def weather(**fields: object) -> bytes:
    return json.dumps({"ts": WHEN_MS, **fields}).encode()


async def test_a_message_becomes_readings(broker: Broker) -> None:
    field = await broker.gateway("division=420106")
    async with broker.client() as device:
        await device.publish("sensors/ws 1/telemetry", weather(temperature=21.5, wind={"speed": 3}), qos=1)
        warm, wind = await field.seen(2)
    assert (warm.entity, warm.attribute) == ("urn:ngsi-ld:WeatherObserved:mqtt:ws%201", "temperature")
    assert (warm.value, warm.at, warm.division, warm.unit) == (21.5, WHEN_MS * 1000, "420106", "CEL")
    assert (wind.attribute, wind.value) == ("windSpeed", 3)


async def test_what_came_while_we_were_away_comes_later(broker: Broker) -> None:
    field = await broker.gateway("client=here")
    for channel in list(field.hub.channels):
        channel.hang_up()
    async with broker.client() as device:
        await device.publish("sensors/a/telemetry", weather(temperature=1), qos=1)
        assert (await field.values())["temperature"] == 1


class Refusing(MemoryBus):
    """A bus that does not take observations."""

    down = True

    async def publish(self, subject: str, *rest: Any, **more: Any) -> int:
        if self.down and subject.startswith("obs."):
            raise Unavailable("bus.down", url="here")
        return await super().publish(subject, *rest, **more)


async def test_the_broker_is_answered_once_the_bus_has_it(broker: Broker) -> None:
    bus = Refusing()
    field = await broker.gateway("client=here", bus=bus)
    async with broker.client() as device:
        await device.publish("sensors/a/telemetry", weather(temperature=7), qos=1)
        async with asyncio.timeout(PATIENCE_S):
            while not field.hub.sink.counts["readings"]:
                await asyncio.sleep(0.01)
        # the bus refused it, so the broker was told nothing and says it again on the next connection
        bus.down = False
        assert (await field.values())["temperature"] == 7


@pytest.mark.parametrize(
    ("topic", "payload", "reason"),
    [
        ("sensors/a/telemetry", b"{not json", "mqtt.payload"),
        ("sensors/a/telemetry", weather(unknown=1), "mqtt.payload"),
        ("sensors/a/telemetry", b'{"temperature": 1}', "mqtt.payload"),
        ("sensors/a/telemetry", weather(temperature={"value": 1}), "mqtt.payload"),
        ("sensors/x/telemetry", weather(temperature=1), "device.unknown"),
    ],
)
async def test_what_does_not_map_goes_to_quarantine(
    broker: Broker, house: Any, topic: str, payload: bytes, reason: str
) -> None:
    known = DeviceRecord("mqtt", "a")
    field = await broker.gateway("admit=known", bus=house.bus, records=[known])
    async with broker.client() as device:
        await device.publish(topic, payload, qos=1)
        async with asyncio.timeout(PATIENCE_S):
            while not (held := await house.state.records("quarantine")):
                await asyncio.sleep(0.02)
    kept = json.loads(held[0].body)
    assert kept["reason"]["key"] == reason
    if reason == "mqtt.payload":
        assert kept["reason"]["facts"]["topic"] == topic
    assert field.hub.sink.counts["readings"] == 0


async def answering(client: Any, **answer: object) -> None:
    await client.subscribe("lamps/+/command", qos=1)
    async for message in client.messages:
        asked = json.loads(message.payload)
        device = str(message.topic).split("/")[1]
        reply = {"id": asked["id"], "level": asked.get("level"), **answer}
        await client.publish(f"lamps/{device}/response", json.dumps({"id": "another"}), qos=1)
        await client.publish(f"lamps/{device}/response", json.dumps(reply), qos=1)
        return


@pytest.mark.parametrize("answer", [{"ok": True}, {"error": "lamp broken"}])
async def test_a_command_waits_for_its_own_answer(broker: Broker, answer: dict[str, object]) -> None:
    field = await broker.gateway()
    async with broker.client() as device:
        task = asyncio.create_task(answering(device, **answer))
        state = {"time": "2026-07-01T08:00:00Z", "on": True, "level": 0.5}
        await device.publish("lamps/l1/state", json.dumps(state), qos=1)
        await field.online("l1")
        assert (await field.values(2))["powerState"] == "on"
        if "error" in answer:
            with pytest.raises(Unavailable) as refused:
                await field.command("l1", "set", level=0.8)
            assert refused.value.key == "command.refused"
        else:
            assert (await field.command("l1", "set", level=0.8))["level"] == 0.8
        with pytest.raises(BadInput):
            await field.command("l1", "explode")
        await task


async def test_a_wrong_credential_is_not_tried_forever_at_once(tmp_path: Path, listening: Start) -> None:
    async with mosquitto(tmp_path, "allow_anonymous false") as port:
        field = await listening(f"mqtt+connect://127.0.0.1:{port}")
        await asyncio.sleep(0.5)
        assert not any(_subscribed(channel) for channel in field.hub.channels)
        assert not field.serving.done()


@pytest.mark.parametrize("trusted", [True, False])
async def test_tls_trusts_whom_it_is_told_to(tmp_path: Path, listening: Start, trusted: bool) -> None:
    certificate, key = self_signed(tmp_path)
    secure = ("allow_anonymous true", f"certfile {certificate}", f"keyfile {key}")
    async with mosquitto(tmp_path, *secure) as port:
        ca = f"&ca={certificate}" if trusted else ""
        field = await listening(f"mqtt+connect://localhost:{port}?tls=1{ca}")
        if trusted:
            async with asyncio.timeout(PATIENCE_S):
                while not any(_subscribed(channel) for channel in field.hub.channels):
                    await asyncio.sleep(0.01)
        else:
            await asyncio.sleep(0.5)
            assert not field.hub.channels
            assert not field.hub.address.done()


async def test_tls_wants_a_file_of_certificates(tmp_path: Path, listening: Start) -> None:
    async def serving() -> None:
        field = await listening(f"mqtt+connect://localhost:1?tls=1&ca={tmp_path}/none")
        await field.serving

    with pytest.raises(BadInput) as refused:
        await serving()
    assert refused.value.key == "sense.option"


async def test_simulated_sensors_are_heard(broker: Broker) -> None:
    field = await broker.gateway()
    play = Simulation("127.0.0.1", broker.port, "connect", count=3, every_s=0.05, for_s=0.2)
    sent = await simulate(play)
    assert sent >= 3
    seen = await field.seen(sent * 5)
    assert {each.entity.rpartition(":")[2] for each in seen} == {"ws-00000", "ws-00001", "ws-00002"}

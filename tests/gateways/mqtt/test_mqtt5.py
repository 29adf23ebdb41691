"""MQTT 5 with a real mosquitto; devices that speak 3.1.1 and 5 through another library."""

import asyncio
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.gateways.mqtt.test_conversation import MOSQUITTO, Broker, broker, weather
from tests.nodes import refused

from yunmeng.gateways.mqtt.codec5 import Mqtt5Codec, connect5, reasons, subscribe5
from yunmeng.gateways.mqtt.messages import PUBACK, Packet, Publish
from yunmeng.kernel.base import BadInput

__all__ = ["broker"]

aiomqtt = pytest.importorskip("aiomqtt", reason="yunmeng[mqtt] is not installed")
from paho.mqtt.packettypes import PacketTypes  # noqa: E402
from paho.mqtt.properties import Properties  # noqa: E402

with_broker = pytest.mark.skipif(MOSQUITTO is None, reason="mosquitto is not installed")
CODEC = Mqtt5Codec()


def properties() -> Any:
    """What a device may add, and we pass over."""
    found = Properties(PacketTypes.PUBLISH)
    found.MessageExpiryInterval = 60
    found.ContentType = "application/json"
    found.UserProperty = ("site", "江汉" * 40)
    return found


@with_broker
@pytest.mark.parametrize("protocol", ["V31", "V311", "V5"])
@pytest.mark.parametrize("qos", [0, 1, 2])
async def test_a_message_becomes_a_reading(broker: Broker, protocol: str, qos: int) -> None:
    field = await broker.gateway("version=5")
    more = {"properties": properties()} if protocol == "V5" else {}
    async with broker.client(protocol=aiomqtt.ProtocolVersion[protocol]) as device:
        await device.publish("sensors/a/telemetry", weather(temperature=21.5), qos=qos, **more)
        assert [each.value for each in await field.seen(1)] == [21.5]


@with_broker
async def test_the_session_outlives_the_connection(broker: Broker) -> None:
    field = await broker.gateway("version=5&client=here")
    for channel in list(field.hub.channels):
        channel.hang_up()
    async with broker.client() as device:
        await device.publish("sensors/a/telemetry", weather(temperature=1), qos=1)
        assert (await field.values())["temperature"] == 1


@with_broker
async def test_a_command_and_its_answer(broker: Broker) -> None:
    field = await broker.gateway("version=5")
    async with broker.client(protocol=aiomqtt.ProtocolVersion.V5) as lamp:
        await lamp.subscribe("lamps/l1/command", qos=1)
        await lamp.publish("lamps/l1/state", json.dumps({"time": "2026-07-01T08:00:00Z", "on": True}), qos=1)
        await field.online("l1")
        command = asyncio.create_task(field.command("l1", "set", level=0.8))
        asked = json.loads((await anext(aiter(lamp.messages))).payload)
        await lamp.publish("lamps/l1/response", json.dumps({"id": asked["id"], "ok": True}), qos=1)
        assert (await command)["ok"] is True


def test_packets_are_those_of_the_standard() -> None:
    # §3.1.3.6's order, a session expiry of 7 days (0x00093A80) among the properties
    whole = CODEC.encode(connect5("id", user="u", password="p"))
    assert (
        whole.hex()
        == "101a" + "00044d515454" + "05c0003c" + "05" + "1100093a80" + "00026964" + "000175" + "000170"
    )
    assert CODEC.encode(subscribe5(10, {"a/b": 1})).hex() == "8209" + "000a" + "00" + "0003612f62" + "01"
    # §3.9: packet identifier, no properties or one, then the codes
    assert reasons(bytes.fromhex("000a0001")) == b"\x01"
    assert reasons(bytes.fromhex("000a041f0001610187")) == b"\x01\x87"


PUBLISHES = st.builds(
    Publish,
    st.text(st.characters(exclude_characters="\0+#", exclude_categories=("Cs",)), min_size=1, max_size=20),
    st.binary(max_size=300),
    st.just(1),
    st.integers(1, 65_535),
    st.booleans(),
    st.booleans(),
    st.binary(max_size=300),
)


@given(PUBLISHES)
def test_what_is_written_is_read_again(message: Publish) -> None:
    frame = CODEC.encode(message)
    assert CODEC.decode(frame) == message
    (cut,) = CODEC.cut(bytearray(frame))
    assert cut == frame


@given(st.binary(max_size=60))
def test_no_bytes_break_it(noise: bytes) -> None:
    for frame in CODEC.cut(bytearray(noise)):
        try:
            found = CODEC.decode(frame)
        except BadInput:
            continue
        assert CODEC.encode(found) == frame


def test_properties_that_are_longer_than_the_packet_are_refused() -> None:
    with refused("frame.bad"):
        CODEC.decode(bytes.fromhex("3006") + b"\x00\x01a" + b"\x09ab")
    assert CODEC.decode(bytes.fromhex("40040001 1000")) == Packet(PUBACK, bytes.fromhex("00011000"))

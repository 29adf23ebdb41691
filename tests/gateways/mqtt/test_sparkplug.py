"""Sparkplug B (Eclipse Sparkplug 3.0.0): payloads, and edge nodes through their lives."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.field import Field, station
from tests.gateways.conftest import Listening
from tests.kernel.serve.test_mqtt_notifications import MOSQUITTO, mosquitto

from yunmeng.gateways.mqtt.codec import MqttCodec
from yunmeng.gateways.mqtt.messages import Publish
from yunmeng.gateways.mqtt.session import MqttSession
from yunmeng.gateways.mqtt.simulator import simulate
from yunmeng.gateways.mqtt.sparkplug_payload import (
    BOOLEAN,
    DATETIME,
    DOUBLE,
    FLOAT,
    INT8,
    INT16,
    INT32,
    INT64,
    STRING,
    UINT8,
    UINT64,
    Metric,
    Payload,
    metric_of,
    quality_of,
    read_payload,
    value_of,
    write_payload,
)
from yunmeng.kernel.base import BadInput
from yunmeng.kernel.model import Quality
from yunmeng.kernel.sense import Command, Effect, Identify, Lose, Observe, Refuse, Send, Simulation

U64 = st.integers(0, 2**64 - 1)
OPTIONAL = st.none() | U64
VALUES = st.one_of(
    st.tuples(st.just(10), st.integers(0, 2**32 - 1)),
    st.tuples(st.just(11), U64),
    st.tuples(st.just(12), st.floats(width=32, allow_nan=False)),
    st.tuples(st.just(13), st.floats(allow_nan=False)),
    st.tuples(st.just(14), st.booleans()),
    st.tuples(st.just(15), st.text(max_size=9)),
    st.tuples(st.sampled_from([16, 17, 18]), st.binary(max_size=9)),
    st.just((0, None)),
)
METRICS = st.builds(
    lambda name, alias, stamp, datatype, flags, more, value: Metric(
        name, alias, stamp, datatype, *flags, *more, field=value[0], raw=value[1]
    ),
    st.none() | st.text(max_size=9),
    OPTIONAL,
    OPTIONAL,
    st.none() | st.integers(0, 34),
    st.tuples(*[st.none() | st.booleans()] * 3),
    st.tuples(*[st.none() | st.binary(max_size=9)] * 2),
    VALUES,
)
PAYLOADS = st.builds(
    Payload,
    OPTIONAL,
    st.lists(METRICS, max_size=4).map(tuple),
    st.none() | st.integers(0, 255),
    st.none() | st.text(max_size=9),
    st.none() | st.binary(max_size=9),
)
NOW = 1_782_000_000_000_000
MS = NOW // 1000


@given(PAYLOADS)
def test_a_payload_is_read_as_it_was_written(payload: Payload) -> None:
    data = write_payload(payload)
    assert read_payload(data) == payload
    assert write_payload(read_payload(data)) == data


@given(st.binary(max_size=60))
def test_any_bytes_are_a_payload_or_refused(data: bytes) -> None:
    try:
        payload = read_payload(data)
    except BadInput:
        return
    for metric in payload.metrics:
        for read in (lambda m: value_of(m, m.datatype or 0), quality_of):
            try:
                read(metric)
            except BadInput:
                continue


def test_a_payload_is_the_protocol_buffer_of_the_specification() -> None:
    # sparkplug_b.proto by hand: timestamp 1, metrics 2 (name 1, alias 2, datatype 4, int_value 10), seq 3
    data = bytes.fromhex("08e807" + "1209" + "0a0178" + "1005" + "2003" + "502a" + "1807")
    assert read_payload(data) == Payload(1000, (Metric("x", 5, datatype=3, field=10, raw=42),), 7)
    assert write_payload(read_payload(data)) == data


@pytest.mark.parametrize(
    ("datatype", "field", "raw", "value"),
    # §6.4.16: signed integers travel as two's complement in an unsigned field
    [
        (INT8, 10, 0xFFFFFFFF, -1),
        (INT8, 10, 0xFF, -1),
        (INT16, 10, 0x8000, -32_768),
        (INT32, 10, 0xFFFFFFD6, -42),
        (INT64, 11, 2**64 - 5, -5),
        (UINT8, 10, 200, 200),
        (UINT64, 11, 2**64 - 1, 2**64 - 1),
        (FLOAT, 12, 21.299999237060547, 21.3),
        (DOUBLE, 13, 0.1, 0.1),
        (DOUBLE, 13, float("nan"), None),
        (BOOLEAN, 14, True, 1),
        (STRING, 15, "on", "on"),
        (DATETIME, 11, MS, MS),
    ],
)
def test_a_value_is_what_its_datatype_means(datatype: int, field: int, raw: Any, value: object) -> None:
    assert value_of(Metric("m", field=field, raw=raw), datatype) == value


def test_null_is_missing_and_another_field_is_refused() -> None:
    assert value_of(Metric("m", is_null=True), DOUBLE) is None
    for metric, datatype in ((Metric("m", field=15, raw="x"), DOUBLE), (Metric("m", field=17, raw=b""), 16)):
        with pytest.raises(BadInput):
            value_of(metric, datatype)


@given(st.sampled_from([INT8, INT16, INT32, INT64]), st.data())
def test_a_number_that_fits_comes_back(datatype: int, data: st.DataObject) -> None:
    bits = {INT8: 8, INT16: 16, INT32: 32, INT64: 64}[datatype]
    value = data.draw(st.integers(-(2 ** (bits - 1)), 2 ** (bits - 1) - 1))
    assert value_of(metric_of("m", None, datatype, value, 0), datatype) == value
    with pytest.raises(BadInput):
        metric_of("m", None, datatype, 2 ** (bits - 1), 0)


def test_the_quality_is_a_property() -> None:
    # §6.4.14: keys 1, values 2 with type 1 and int_value 3; 500 is stale
    def with_quality(code: bytes) -> Metric:
        value = bytes.fromhex("0803") + b"\x18" + code
        return Metric("m", properties=b"\x0a\x07Quality" + b"\x12" + bytes([len(value)]) + value)

    assert quality_of(Metric("m")) is Quality.GOOD
    assert quality_of(with_quality(b"\xc0\x01")) is Quality.GOOD
    assert quality_of(with_quality(b"\x00")) is Quality.BAD
    assert quality_of(with_quality(b"\xf4\x03")) is Quality.UNCERTAIN


class Plant:
    """An edge node with a meter, as a session hears it."""

    def __init__(self, **options: str) -> None:
        self.session = MqttSession(station("mqtt", use="sparkplug-meter", **options))
        self.at = NOW
        self.seq = -1

    def say(self, kind: str, *metrics: Metric, seq: int | None = -1, device: str = "") -> list[Effect]:
        self.seq = (self.seq + 1) % 256 if seq == -1 else seq if seq is not None else self.seq
        self.at += 10_000_000
        payload = write_payload(Payload(MS, metrics, None if kind == "NDEATH" else self.seq))
        topic = "/".join(["spBv1.0", "g", kind, "n", *([device] if device else [])])
        return list(self.session.received(MqttCodec().encode(Publish(topic, payload)), self.at))

    def birth(self, bd_seq: int = 3) -> list[Effect]:
        self.seq = -1
        return self.say("NBIRTH", metric_of("bdSeq", None, UINT64, bd_seq, MS))

    def meter_birth(self) -> list[Effect]:
        return self.say("DBIRTH", metric_of("Power/Active", 7, DOUBLE, 5.0, MS), device="m")

    def power(self, value: float, **more: Any) -> list[Effect]:
        return self.say("DDATA", Metric(alias=7, timestamp=MS + 1, field=13, raw=value), device="m", **more)


def rebirths(effects: list[Effect]) -> list[str]:
    """The topics on which a new birth is asked for."""
    sent = [MqttCodec().decode(each.data) for each in effects if isinstance(each, Send)]
    asked = [each for each in sent if isinstance(each, Publish)]
    assert all(read_payload(each.payload).metrics[0].name == "Node Control/Rebirth" for each in asked)
    return [each.topic for each in asked]


def observed(effects: list[Effect]) -> list[tuple[int, tuple[object, ...]]]:
    kept = [each for each in effects if isinstance(each, Observe)]
    return [(reading.observed_at, reading.values) for each in kept for reading in each.readings]


def test_data_under_an_alias_is_that_of_the_birth() -> None:
    plant = Plant()
    assert Identify("g:n") in plant.birth()
    born = plant.meter_birth()
    assert Identify("g:n:m") in born
    assert observed(born) == [(MS * 1000, (5.0,))]
    effects = plant.power(6.5)
    assert observed(effects) == [((MS + 1) * 1000, (6.5,))]
    assert not rebirths(effects)


def test_a_null_metric_is_missing() -> None:
    plant = Plant()
    plant.birth()
    plant.meter_birth()
    effects = plant.say("DDATA", Metric(alias=7, is_null=True), device="m")
    assert observed(effects) == [(MS * 1000, (None,))]


def test_data_before_the_birth_asks_for_one_and_lies_in_quarantine() -> None:
    plant = Plant()
    effects = plant.power(6.5)
    assert rebirths(effects) == ["spBv1.0/g/NCMD/n"]
    assert [each.reason.key for each in effects if isinstance(each, Refuse)] == ["frame.bad"]
    assert not observed(effects)


def test_a_gap_in_the_order_asks_for_a_birth_and_keeps_the_data() -> None:
    plant = Plant()
    plant.birth()
    plant.meter_birth()
    effects = plant.power(6.5, seq=9)
    assert rebirths(effects) == ["spBv1.0/g/NCMD/n"]
    assert observed(effects)
    assert not rebirths(plant.power(6.5))


def test_the_order_goes_round_at_256() -> None:
    plant = Plant()
    plant.birth()
    plant.meter_birth()
    assert not any(rebirths(plant.power(1.0)) for _ in range(600))


def test_a_death_counts_when_it_is_of_this_birth() -> None:
    plant = Plant()
    plant.birth(bd_seq=3)
    plant.meter_birth()
    assert not plant.say("NDEATH", metric_of("bdSeq", None, UINT64, 2, MS), seq=None)
    died = plant.say("NDEATH", metric_of("bdSeq", None, UINT64, 3, MS), seq=None)
    assert died == [Lose("g:n:m"), Lose("g:n")]
    assert rebirths(plant.power(1.0)) == ["spBv1.0/g/NCMD/n"]


def test_a_device_dies_alone() -> None:
    plant = Plant()
    plant.birth()
    plant.meter_birth()
    assert Lose("g:n:m") in plant.say("DDEATH", device="m")


@pytest.mark.parametrize(
    "topic", ["spBv1.0/g/NDATA", "spBv1.0/g/DDATA/n", "spBv1.0/g/XDATA/n", "spBv1.0/g/NDATA/n/m"]
)
def test_a_topic_that_is_none_is_refused(topic: str) -> None:
    session = MqttSession(station("mqtt", use="sparkplug-meter"))
    (effect,) = session.received(MqttCodec().encode(Publish(topic, b"")), NOW)
    assert isinstance(effect, Refuse)
    assert effect.reason.key == "mqtt.topic"


def test_a_written_metric_is_answered_by_the_data() -> None:
    plant = Plant()
    plant.birth()
    plant.meter_birth()
    order = Command("1", "g:n:m", "write", {"metric": "Power/Active", "value": 8})
    (sent,) = plant.session.command(order, NOW)
    assert isinstance(sent, Send)
    asked = MqttCodec().decode(sent.data)
    assert isinstance(asked, Publish)
    assert asked.topic == "spBv1.0/g/DCMD/n/m"
    (metric,) = read_payload(asked.payload).metrics
    assert (metric.alias, metric.name, metric.raw) == (7, None, 8.0)
    results = [each.result for each in plant.power(8.0) if type(each).__name__ == "Answer"]
    assert results == [{"metric": "Power/Active", "value": 8.0}]
    with pytest.raises(BadInput):
        list(plant.session.command(Command("2", "g:n:m", "write", {"metric": "none", "value": 8}), NOW))


@pytest.fixture
async def plant(tmp_path: Path, listening: Listening) -> AsyncIterator[tuple[int, Field]]:
    if MOSQUITTO is None:
        pytest.skip("mosquitto is not installed")
    async with mosquitto(tmp_path) as port:
        yield port, await listening(f"mqtt+connect://127.0.0.1:{port}?use=sparkplug-meter&host=yunmeng")


async def test_simulated_nodes_are_born_and_heard(plant: tuple[int, Field]) -> None:
    port, field = plant
    play = Simulation("127.0.0.1", port, count=2, every_s=0.05, for_s=2.0, options={"as": "sparkplug"})
    task = asyncio.create_task(simulate(play))
    await field.online("yunmeng:node-0000:meter")
    assert await field.command("yunmeng:node-0000", "rebirth") == {"reborn": True}
    assert await task >= 4
    seen = await field.seen(4)
    assert {each.attribute for each in seen} == {"activePower", "energyImported"}
    assert seen[0].entity.startswith("urn:ngsi-ld:SmartMeter:mqtt:yunmeng:node-")


async def test_the_primary_host_says_that_it_is_there(plant: tuple[int, Field]) -> None:
    aiomqtt = pytest.importorskip("aiomqtt", reason="yunmeng[mqtt] is not installed")
    port, field = plant
    async with aiomqtt.Client("127.0.0.1", port) as node, asyncio.timeout(10):
        await node.subscribe("spBv1.0/STATE/yunmeng", qos=1)
        messages = aiter(node.messages)
        there = json.loads((await anext(messages)).payload)
        assert there["online"] is True
        # somebody else's word about us is put right (§5.14)
        await node.publish("spBv1.0/STATE/yunmeng", json.dumps({"online": False, "timestamp": 1}), qos=1)
        words = [json.loads((await anext(messages)).payload)["online"] for _ in range(2)]
        assert words == [False, True]
        # torn off without a word, the broker tells our will
        (channel,) = field.hub.channels
        transport = channel._close.__self__
        transport.abort()
        gone = json.loads((await anext(messages)).payload)
        assert gone == {"online": False, "timestamp": there["timestamp"]}

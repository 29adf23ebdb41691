"""Receivers that speak over sockets: tag blocks, parts, two receivers of one ship, the simulator."""

import asyncio
from typing import Any

import pytest
from tests.field import Field, station
from tests.gateways.ais.test_decoding import AT, DIADEM, SHIP
from tests.gateways.conftest import Listening
from tests.kernel.keeper.conftest import House

from yunmeng.gateways.ais.codec import AisCodec, tagged
from yunmeng.gateways.ais.session import AisSession
from yunmeng.gateways.ais.simulator import simulate
from yunmeng.kernel.base import instant_us
from yunmeng.kernel.sense import DeviceRecord, Effect, Identify, Locate, Observe, Refuse, Simulation

pyais = pytest.importorskip("pyais", reason="the extra `ais` is not installed")
CODEC = AisCodec()
ENTITY = "urn:ngsi-ld:Vessel:mmsi:413761234"


def lines(*, seq: int = 3, tags: dict[str, object] | None = None, **message: Any) -> list[bytes]:
    made = pyais.encode_dict({"type": 1, **SHIP, **message}, sentence_type="VDM", seq_id=seq)
    found = [CODEC.decode(text.encode()) for text in made]
    if tags:
        found[0] = tagged(found[0], **tags)  # type: ignore[arg-type]
    return [CODEC.encode(each) + b"\r\n" for each in found]


def hear(session: AisSession, *data: bytes, at: int = AT) -> list[Effect]:
    return [effect for each in data for effect in session.received(each, at)]


def kept(effects: list[Effect]) -> list[Observe]:
    return [effect for effect in effects if isinstance(effect, Observe)]


async def test_a_ship_reaches_the_bus_in_our_units(listening: Listening) -> None:
    field = await listening("ais+tcp://")
    async with await field.connect() as device:
        await device.send(b"".join(lines(speed=9.3, course=87.5, heading=511, status=0, turn=-128.0)))
        seen = await field.seen(7)
    values = {each.attribute: each.value for each in seen}
    assert values["speedOverGround"] == 9.3
    assert values["courseOverGround"] == 87.5
    assert values["navigationStatus"] == "underWayUsingEngine"
    assert values["longitude"] == pytest.approx(114.29)
    assert values["heading"] is None
    assert values["rateOfTurn"] is None
    assert {each.entity for each in seen} == {ENTITY}
    assert next(each for each in seen if each.attribute == "speedOverGround").unit == "KNT"


async def test_two_receivers_of_one_message_are_one_reading(listening: Listening) -> None:
    field = await listening("ais+tcp://")
    heard = lines(speed=9.3)
    for name, late in (("wuhan", 0), ("huangshi", 4)):
        async with await field.connect() as device:
            await device.send(
                b"".join([*lines(tags={"s": name, "c": 1_782_012_030 + late}, speed=9.3), b"\r\n"])
            )
            await field.online(name)
            await field.seen(1)
    assert heard
    async with await field.connect() as device:
        await device.send(b"".join(lines(tags={"s": "wuhan", "c": 1_782_012_040}, speed=8.0, second=40)))
        while not any(each.value == 8.0 for each in await field.seen(1)):
            await asyncio.sleep(0.01)
    seen = await field.seen(1)
    assert [each.value for each in seen if each.attribute == "speedOverGround"] == [9.3, 8.0]


async def test_the_place_and_the_refused_go_through_the_keeper(listening: Listening, house: House) -> None:
    field = await listening("ais+udp://", bus=house.bus)
    async with field.peer() as peer:
        # a datagram without an end of line, and a broken one
        await peer.send(lines()[0].strip())
        await peer.send(lines()[0].replace(b",A,1", b",B,1"))
        async with asyncio.timeout(15):
            while field.hub.sink.counts["refused"] < 1 or not await _location(house):
                await asyncio.sleep(0.05)
    assert await _location(house) == pytest.approx([114.29, 30.55])
    (record,) = await house.state.records("quarantine")
    assert b"frame.checksum" in record.body


async def _location(house: House) -> Any:
    found = await house.get(ENTITY) or {}
    instances = found.get("https://uri.etsi.org/ngsi-ld/location")
    return instances and instances[0]["value"]["coordinates"]


def test_a_message_in_parts_is_joined_in_any_order() -> None:
    session = AisSession(station("ais"))
    first, second = (text.encode() + b"\n" for text in DIADEM)
    (observed,) = kept(hear(session, second, first))
    (reading,) = observed.readings
    values = dict(zip([s.attribute.rpartition("/")[2] for s in reading.series], reading.values, strict=True))
    assert values["vesselName"] == "EVER DIADEM"
    assert values["shipType"] == "cargo"
    assert values["lengthOverall"] == 295


def test_parts_of_two_sources_do_not_mix() -> None:
    """An aggregator's sentences interleave; the group of the tag block tells which belong together."""
    session = AisSession(station("ais"))
    one = lines(type=5, shipname="ONE", tags={"s": "a"})
    two = lines(type=5, shipname="TWO", mmsi=413_000_002, tags={"s": "b"})
    joined = []
    for number, (first, second) in enumerate((one, two), start=1):
        for place, line in enumerate((first, second), start=1):
            bare = CODEC.decode(line.strip().rpartition(b"\\")[2])
            joined.append((place, CODEC.encode(tagged(bare, g=f"{place}-2-{number}")) + b"\n"))  # type: ignore[arg-type]
    joined.sort(key=lambda each: each[0])
    found = kept(hear(session, *(line for _, line in joined)))
    assert sorted(effect.readings[0].series[0].entity[-9:] for effect in found) == ["413000002", "413761234"]


def test_a_lost_part_is_refused_and_mixes_with_nothing() -> None:
    session = AisSession(station("ais"))
    old, new = lines(type=5, shipname="OLD"), lines(type=5, shipname="NEW")
    effects = hear(session, old[0], new[0], new[1])
    (refusal,) = [effect for effect in effects if isinstance(effect, Refuse)]
    assert refusal.frame == old[0]
    (observed,) = kept(effects)
    assert "NEW" in observed.readings[0].values


def test_what_stays_unfinished_is_given_up() -> None:
    session = AisSession(station("ais"))
    assert not kept(hear(session, lines(type=5)[0]))
    assert not list(session.tick(AT + 1_000_000))
    (refusal,) = session.tick(AT + 10_000_000)
    assert isinstance(refusal, Refuse)
    assert not list(session.tick(AT + 20_000_000))


def test_the_time_and_the_source_of_the_tag_block_count() -> None:
    session = AisSession(station("ais"))
    effects = hear(session, *lines(tags={"s": "r003669945", "c": 1_671_533_231}, second=60))
    assert Identify("r003669945") in effects
    (observed,) = kept(effects)
    assert observed.readings[0].observed_at == instant_us("2022-12-20T10:47:11Z")
    (place,) = [effect for effect in effects if isinstance(effect, Locate)]
    assert (place.entity, place.type) == (ENTITY, "Vessel")


def test_a_time_behind_the_checksum_counts_too() -> None:
    line = lines(second=60)[0].strip() + b",rWuhan,1671533231\r\n"
    (observed,) = kept(hear(AisSession(station("ais")), line))
    assert observed.readings[0].observed_at == instant_us("2022-12-20T10:47:11Z")


def test_static_data_that_stays_the_same_is_kept_once_an_hour() -> None:
    session = AisSession(station("ais"))
    start = AT // 3_600_000_000 * 3_600_000_000
    keys = [
        kept(hear(session, *lines(type=24, partno=0, shipname="X"), at=start + n * 6 * 60_000_000))[0].key
        for n in range(11)
    ]
    assert len(set(keys)) == 2


def test_only_known_receivers_are_heard_where_that_is_wanted() -> None:
    session = AisSession(station("ais", DeviceRecord("ais", "wuhan", "420102"), admit="known"))
    effects = hear(session, *lines(tags={"s": "wuhan"}), *lines(tags={"s": "stranger"}, second=21))
    (observed,) = kept(effects)
    assert observed.readings[0].series[0].division == "420102"
    (refusal,) = [effect for effect in effects if isinstance(effect, Refuse)]
    assert getattr(refusal.reason, "key", "") == "device.unknown"


@pytest.mark.parametrize("type_", [10, 13, 15, 16, 20, 22, 23])
def test_messages_that_manage_the_link_say_nothing_of_a_ship(type_: int) -> None:
    effects = hear(AisSession(station("ais")), *lines(type=type_, dest_mmsi=413_000_001, mmsi1=413_000_001))
    assert [type(effect) for effect in effects] == [Identify]


def test_a_safety_message_is_kept() -> None:
    effects = hear(AisSession(station("ais")), *lines(type=14, mmsi=4_132_001, text="LOW WATER AT KM 1045"))
    (observed,) = kept(effects)
    assert observed.readings[0].values == ("LOW WATER AT KM 1045",)
    assert observed.readings[0].series[0].entity == "urn:ngsi-ld:AisBaseStation:mmsi:004132001"


def test_a_refused_message_of_several_parts_is_heard_when_it_is_handed_in_again() -> None:
    session = AisSession(station("ais", replayed=True))
    whole = b"".join(lines(type=5, shipname="AGAIN")).strip()
    (observed,) = kept(hear(session, whole))
    assert "AGAIN" in observed.readings[0].values


@pytest.mark.parametrize("transport", ["tcp", "udp"])
async def test_the_simulators_traffic_is_heard_whole(listening: Listening, transport: str) -> None:
    field: Field = await listening(f"ais+{transport}://")
    play = Simulation("127.0.0.1", field.port, transport, count=5, every_s=0.2, for_s=0.1)
    assert await simulate(play) == 12
    async with asyncio.timeout(10):
        while len({each.entity for each in await field.seen(1)}) < 7:
            await asyncio.sleep(0.02)
    assert field.hub.sink.counts["refused"] == 0
    names = {each.value for each in await field.seen(1) if each.attribute == "vesselName"}
    assert "CHANG JIANG 0003" in names

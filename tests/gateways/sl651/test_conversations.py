"""Stations that speak over sockets: M1 to M4, pictures in packets, orders, clocks, the simulator."""

import asyncio
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path

import pytest
from tests.field import Field, station
from tests.gateways.conftest import Listening
from tests.gateways.sl651.test_codec import LINK, PUBLISHED
from tests.kernel.keeper.conftest import House
from tests.nodes import refused

from yunmeng.gateways.sl651.codec import Sl651Codec
from yunmeng.gateways.sl651.messages import ACK, ENQ, EOT, ESC, ETB, ETX, NAK, Frame
from yunmeng.gateways.sl651.session import Sl651Session
from yunmeng.gateways.sl651.simulator import simulate
from yunmeng.gateways.sl651.writing import raw_item, station_item, write_text
from yunmeng.kernel.model import Quality
from yunmeng.kernel.sense import Command, DeviceRecord, Observe, Refuse, Send, Simulation
from yunmeng.kernel.store.objects.folder import FolderObjects

TEST, TIMED = bytes.fromhex(PUBLISHED[2]), bytes.fromhex(PUBLISHED[3])
ADDRESS = "0011223344"
ENTITY = f"urn:ngsi-ld:HydrologicalStation:sl651:{ADDRESS}"
# 2017-07-18 11:00 in Beijing
ELEVEN = int(datetime(2017, 7, 18, 3, tzinfo=UTC).timestamp()) * 1_000_000
CODEC = Sl651Codec()


def up(function: int, text: bytes, **more: object) -> bytes:
    return CODEC.encode(Frame(ADDRESS, function, text, 5, 0x03E8, **more))


def text(*items: object, serial: int = 9, at: int = ELEVEN) -> bytes:
    return write_text(serial, at, items, is_ascii=False)


async def hear(device) -> Frame:
    head = await device.hear(14)
    size = (head[11] & 0x0F) << 8 | head[12]
    return CODEC.decode(head + await device.hear(size + 3))


async def test_a_report_is_kept_and_confirmed(listening: Listening) -> None:
    field = await listening("sl651+tcp://")
    async with await field.connect() as device:
        await device.send(LINK + TIMED)
        answer = await hear(device)
        assert (answer.down, answer.function, answer.station, answer.end) == (True, 0x32, ADDRESS, EOT)
        assert (answer.centre, answer.password, answer.body[:2]) == (5, 0x03E8, b"\x00\x34")
        # what comes again is confirmed and not kept twice
        await device.send(TIMED)
        assert (await hear(device)).body[:2] == b"\x00\x34"
    seen = await field.seen(4)
    assert {(each.attribute, each.value, each.unit) for each in seen} == {
        ("rainfall", 4.0, "MMT"),
        ("accumulatedRainfall", 4.0, "MMT"),
        ("waterLevel", 10.49, "MTR"),
        ("supplyVoltage", 10.99, "VLT"),
    }
    assert {(each.entity, each.at, each.quality) for each in seen} == {(ENTITY, ELEVEN, Quality.GOOD)}
    assert len(seen) == 4


def test_the_confirmation_is_the_published_one_to_the_byte() -> None:
    """The station sends at 15:49:47, and is told to stay on the line."""
    at = int(datetime(2059, 10, 11, 7, 49, 47, tzinfo=UTC).timestamp()) * 1_000_000
    session = Sl651Session(station("sl651", online="yes"))
    (observed,) = [effect for effect in session.received(TEST, at) if isinstance(effect, Observe)]
    assert observed.reply == bytes.fromhex(PUBLISHED[8])
    # a test belongs to the test data (6.6.4.3), not to the station's
    assert {series.entity for reading in observed.readings for series in reading.series} == {
        "urn:ngsi-ld:HydrologicalStation:sl651:0012345678:test"
    }


@pytest.mark.parametrize(
    ("options", "end", "said"),
    [({}, ETX, EOT), ({}, ETB, ACK), ({"online": "yes"}, ETX, ESC), ({"mode": "m1"}, ETX, None)],
)
def test_how_a_report_is_confirmed(options: dict, end: int, said: int | None) -> None:
    session = Sl651Session(station("sl651", **options))
    frame = up(0x32, CODEC.decode(TIMED).body, end=end)
    (observed,) = [effect for effect in session.received(frame, ELEVEN) if isinstance(effect, Observe)]
    assert (CODEC.decode(observed.reply).end if observed.reply else None) == said


def test_ascii_stations_are_answered_in_ascii() -> None:
    session = Sl651Session(station("sl651"))
    words = b"0034170718110016ST 0011223344 H TT 1707181100 Z 10.490 VT 10.99 "
    (observed,) = [
        effect
        for effect in session.received(up(0x32, words, ascii=True), ELEVEN)
        if isinstance(effect, Observe)
    ]
    answer = CODEC.decode(observed.reply)
    assert (answer.ascii, answer.end, answer.body) == (True, EOT, b"0034170718110000")
    assert observed.readings[0].values == (10.49, 10.99)


def test_a_reservoirs_level_is_the_reservoirs_as_well() -> None:
    session = Sl651Session(station("sl651"))
    body = text(
        station_item(ADDRESS, "K"),
        raw_item(bytes.fromhex("F0F01707181100" + "3B2300157300" + "46120775")),
    )
    (observed,) = [e for e in session.received(up(0x32, body), ELEVEN) if isinstance(e, Observe)]
    kept = {
        (series.entity.split(":")[2], series.attribute.rpartition("/")[2]): value
        for reading in observed.readings
        for series, value in zip(reading.series, reading.values, strict=True)
    }
    assert kept[("WaterQualityObserved", "pH")] == 7.75
    assert kept[("Reservoir", "waterLevel")] == kept[("HydrologicalStation", "waterLevelAbove")] == 157.3


def packets(picture: bytes, parts: int) -> list[bytes]:
    body = text(station_item(ADDRESS, "H"), raw_item(bytes.fromhex("F0F01707181100F3F3") + picture))
    size = -(-len(body) // parts)
    return [
        up(
            0x36,
            body[number * size : (number + 1) * size],
            total=parts,
            number=number + 1,
            end=ETX if number + 1 == parts else ETB,
        )
        for number in range(parts)
    ]


async def test_a_picture_comes_in_packets_and_a_lost_one_is_asked_for(
    listening: Listening, tmp_path: Path
) -> None:
    objects = FolderObjects(tmp_path / "objects")
    field = await listening("sl651+tcp://", objects=objects)
    picture = b"\xff\xd8" + bytes(range(256)) * 8
    first, second, third, last = packets(picture, 4)
    async with await field.connect() as device:
        await device.send(first + third + last)
        asked = await hear(device)
        assert (asked.end, asked.total, asked.number) == (NAK, 4, 2)
        # a packet that is sent again ends with ETX (6.3.1.2 c)
        again = CODEC.decode(second)
        await device.send(up(0x36, again.body, total=4, number=2, end=ETX))
        answer = await hear(device)
        assert (answer.end, answer.total, answer.number, answer.body[:2]) == (EOT, 4, 4, b"\x00\x09")
    name = f"{ADDRESS}/20170718T1100-9.jpg"
    assert await objects.get(f"field/{name}") == picture
    (seen,) = await field.seen(1)
    assert (seen.attribute, seen.value, seen.at) == ("picture", name, ELEVEN)


def test_packets_that_never_come_are_asked_for_and_then_refused() -> None:
    session = Sl651Session(station("sl651"))
    first, *_ = packets(b"\xff\xd8" * 100, 3)
    at = ELEVEN
    assert not [e for e in session.received(first, at) if isinstance(e, Send)]
    asked = [CODEC.decode(e.data) for s in range(60) for e in session.tick(at + s * 1_000_000)]
    assert [(each.end, each.number) for each in asked] == [(NAK, 2), (NAK, 2)]
    (refusal,) = list(session.tick(at + 400_000_000))
    assert (refusal.frame, refusal.reason.key) == (first, "frame.bad")


ORDERS = [
    # name, arguments, function, text of the order after serial number and time
    ("query-now", {}, 0x37, ""),
    ("query-elements", {"elements": ["Z", "PJ"]}, 0x3A, "3923" + "2019"),
    (
        "query-series",
        {"start": "2017-07-18T00:00:00Z", "end": "2017-07-18T03:00:00Z", "elements": "Z"},
        0x38,
        "17071808" + "17071811" + "0418000100" + "3923",
    ),
    (
        "query-series",
        {"start": "2017-07-18T00:00:00Z", "end": "2017-07-18T03:00:00Z", "elements": ["DRP"]},
        0x38,
        "17071808" + "17071811" + "0418000000" + "F460",
    ),
    ("read-config", {"parameters": ["01", "02"]}, 0x41, "0100" + "0200"),
    ("set-config", {"parameters": {"01": "05000000", "0C": 2}}, 0x40, "012005000000" + "0C0802"),
    (
        "set-parameters",
        {"parameters": {"20": 1, "25": 0.5, "28": -1.25}},
        0x42,
        "200801" + "250905" + "282BFF00001250",
    ),
    ("query-version", {}, 0x45, ""),
    ("clear-storage", {}, 0x47, "9700"),
    ("factory-reset", {}, 0x48, "9800"),
    ("set-password", {"old": "1234", "new": "1003"}, 0x49, "03101234" + "03101003"),
    ("set-card", {"on": True}, 0x4B, "452000000200"),
    ("set-pumps", {"on": [True, False, True]}, 0x4C, "0105"),
    ("set-gates", {"on": [True, False], "openings_cm": [150, 0]}, 0x4E, "0201" + "0150" + "0000"),
    ("set-quota", {"on": True}, 0x4F, "FF"),
    ("raw", {"function": "E1", "text": "0102"}, 0xE1, "0102"),
]


@pytest.mark.parametrize(
    ("name", "arguments", "function", "written"), ORDERS, ids=lambda value: str(value)[:24]
)
def test_how_an_order_is_written(name: str, arguments: dict, function: int, written: str) -> None:
    session = Sl651Session(station("sl651"))
    list(session.received(up(0x2F, text()), ELEVEN))
    (sent,) = session.command(Command("1", ADDRESS, name, arguments), ELEVEN)
    order = CODEC.decode(sent.data)
    assert (order.down, order.function, order.end, order.password) == (True, function, ENQ, 0x03E8)
    # the centre's own serial number is 0, its time that of now (6.6.2.4)
    assert order.body[:8] == bytes.fromhex("0000170718110000")
    assert order.body[8:].hex().upper() == written


@pytest.mark.parametrize(
    ("name", "arguments", "key"),
    [
        ("fly", {}, "command.unknown"),
        ("query-elements", {"elements": ["XX"]}, "command.arguments"),
        ("query-elements", {}, "command.arguments"),
        ("set-parameters", {"parameters": {"20": "many"}}, "command.arguments"),
        ("set-gates", {"on": [True], "openings_cm": []}, "command.arguments"),
        ("raw", {"function": "32"}, "command.arguments"),
    ],
)
def test_orders_that_make_no_sense_are_refused(name: str, arguments: dict, key: str) -> None:
    session = Sl651Session(station("sl651"))
    list(session.received(up(0x2F, text()), ELEVEN))
    with refused(key):
        list(session.command(Command("1", ADDRESS, name, arguments), ELEVEN))


# what stations answered, as published; the text after the header
ANSWERS = [
    (
        "query-status",
        {},
        0x46,
        "F1F10011223344" + "452000000400",
        {"status": 0x400, "set": ["pumps-stopped"]},
    ),
    (
        "query-version",
        {},
        0x45,
        "F1F10011223344" + "114441544138362D53572D56312E32284829",
        {"version": "DATA86-SW-V1.2(H)"},
    ),
    ("set-password", {"old": "03E8", "new": "1003"}, 0x49, "F1F10011223344031003E8", {"password": "03E8"}),
    (
        "read-parameters",
        {"parameters": ["20", "30", "38"]},
        0x43,
        "F1F10011223344" + "200801" + "301B000200" + "38120050",
        {"parameters": {"20": 1, "30": 0.2, "38": 0.5}},
    ),
    (
        "read-config",
        {"parameters": ["02", "0F"]},
        0x41,
        "F1F10011223344" + "02280011223344" + "0F6831303133313132333435363738",
        {"parameters": {"02": "0011223344", "0F": "1013112345678"}},
    ),
    (
        "set-gates",
        {"on": [1, 0], "openings_cm": [150, 0]},
        0x4E,
        "F1F10011223344" + "020101500000",
        {"on": [True, False], "openings_cm": [150, 0]},
    ),
    ("set-clock", {}, 0x4A, "F1F10011223344", {}),
]


@pytest.mark.parametrize(
    ("name", "arguments", "function", "answer", "result"), ANSWERS, ids=lambda v: str(v)[:16]
)
async def test_an_order_comes_back_with_the_stations_word(
    listening: Listening, name: str, arguments: dict, function: int, answer: str, result: dict
) -> None:
    field = await listening("sl651+tcp://")
    async with await field.connect() as device:
        await device.send(up(0x2F, text()))
        await field.online(ADDRESS)
        waiting = asyncio.create_task(field.command(ADDRESS, name, **arguments))
        order = await hear(device)
        assert (order.function, order.end) == (function, ENQ)
        await device.send(up(function, text(raw_item(bytes.fromhex(answer)), serial=0x21)))
        # the centre confirms the answer, and the conversation is over (figure 2)
        assert (await hear(device)).end == EOT
        told = await waiting
    assert told.pop("serial") == 0x21
    assert told.pop("sentAt") == "2017-07-18T03:00:00.000Z"
    assert told == result


async def test_asked_values_are_told_and_kept(listening: Listening) -> None:
    field = await listening("sl651+tcp://")
    async with await field.connect() as device:
        await device.send(up(0x2F, text()))
        await field.online(ADDRESS)
        waiting = asyncio.create_task(field.command(ADDRESS, "query-now"))
        await hear(device)
        await device.send(up(0x37, CODEC.decode(TIMED).body))
        assert (await waiting)["values"]["Z"] == 10.49
    assert (await field.values(4))["waterLevel"] == 10.49


def test_a_clock_that_is_off_is_set() -> None:
    session = Sl651Session(station("sl651", clock="60"))
    late = ELEVEN + 3_600_000_000
    sent = [CODEC.decode(e.data) for e in session.received(TIMED, late) if isinstance(e, Send)]
    assert [(each.function, each.end, each.body.hex()) for each in sent] == [(0x4A, ENQ, "0000170718120000")]
    session = Sl651Session(station("sl651", clock="60"))
    assert not [e for e in session.received(TIMED, ELEVEN) if isinstance(e, Send)]


def test_a_station_must_show_its_password() -> None:
    record = DeviceRecord("sl651", ADDRESS, key=sha256(b"03E8").hexdigest(), division="420800")
    session = Sl651Session(station("sl651", record))
    (observed,) = [e for e in session.received(TIMED, ELEVEN) if isinstance(e, Observe)]
    assert {series.division for series in observed.readings[0].series} == {"420800"}
    wrong = CODEC.encode(Frame(ADDRESS, 0x32, CODEC.decode(TIMED).body, 5, 0x9999))
    (refusal,) = list(session.received(wrong, ELEVEN))
    assert refusal.reason.key == "device.credential"


def test_the_register_of_devices_may_name_the_table() -> None:
    record = DeviceRecord("sl651", ADDRESS, mapping="K")
    (observed,) = [
        e for e in Sl651Session(station("sl651", record)).received(TIMED, ELEVEN) if isinstance(e, Observe)
    ]
    types = {series.type.rpartition("/")[2] for reading in observed.readings for series in reading.series}
    assert types == {"HydrologicalStation", "Reservoir"}
    absent = DeviceRecord("sl651", ADDRESS, mapping="none")
    (refusal,) = list(Sl651Session(station("sl651", absent)).received(TIMED, ELEVEN))
    assert refusal.reason.key == "mapping.absent"


def test_the_county_of_a_station_is_in_its_address() -> None:
    """Stations that are not hydrological ones begin with six digits of GB/T 2260 (table 14)."""
    session = Sl651Session(station("sl651"))
    frame = CODEC.encode(
        Frame(
            "420802000A",
            0x32,
            CODEC.decode(TIMED).body.replace(bytes.fromhex(ADDRESS), bytes.fromhex("420802000A")),
        )
    )
    (observed,) = [e for e in session.received(frame, ELEVEN) if isinstance(e, Observe)]
    assert {series.division for series in observed.readings[0].series} == {"420802"}


def test_a_line_on_which_the_centre_asks() -> None:
    options = {"stations": ADDRESS, "centre": "5", "password": "03E8", "poll": "300"}
    session = Sl651Session(station("sl651", **options))
    list(session.opened(ELEVEN))
    (asked,) = session.tick(ELEVEN)
    order = CODEC.decode(asked.data)
    assert (order.function, order.station, order.centre, order.password) == (0x37, ADDRESS, 5, 0x03E8)
    assert not list(session.tick(ELEVEN + 299_000_000))
    assert len(list(session.tick(ELEVEN + 300_000_000))) == 1


async def test_what_is_broken_lies_in_quarantine(listening: Listening, house: House) -> None:
    field = await listening("sl651+tcp://", bus=house.bus)
    broken = TIMED.replace(b"\x04\x90", b"\x04\x91")
    async with await field.connect() as device:
        await device.send(broken + TIMED)
        await hear(device)
        await field.hub.sink.flush()
    assert len(await house.state.records("quarantine")) == 1


@pytest.mark.parametrize("coding", ["hex", "ascii"])
async def test_simulated_stations_are_all_confirmed(listening: Listening, coding: str) -> None:
    field = await listening("sl651+tcp://")
    play = Simulation("127.0.0.1", field.port, count=4, every_s=0.1, for_s=0.5, options={"coding": coding})
    confirmed = await simulate(play)
    assert confirmed >= 4
    assert not field.hub.sink.counts["refused"]
    entities = {each.entity for each in await field.seen(confirmed)}
    assert len({entity.rpartition(":")[2] for entity in entities}) == 4


async def test_stations_may_speak_over_udp(listening: Listening) -> None:
    field: Field = await listening("sl651+udp://")
    async with field.peer() as peer:
        await peer.send(TIMED)
        assert CODEC.decode(await peer.hear()).end == EOT
    assert len(await field.seen(4)) == 4


def test_what_is_missing_has_the_quality_of_that_and_strangers_are_kept() -> None:
    session = Sl651Session(station("sl651"))
    elements = "3923FFFFFFFF" + "20190000FF"[:4] + "000005" + "76110042" + "F4600500000014FFFFFFFFFF0000"
    body = text(station_item(ADDRESS, "H"), raw_item(bytes.fromhex("F0F01707181100" + elements)))
    (observed,) = [e for e in session.received(up(0x32, body), ELEVEN) if isinstance(e, Observe)]
    kept = [
        (series.attribute.rpartition("/")[2], value, reading.quality)
        for reading in observed.readings
        for series, value in zip(reading.series, reading.values, strict=True)
    ]
    assert kept[:3] == [
        ("rainfall", 0.5, Quality.GOOD),
        ("otherElements", '{"76": 4.2}', Quality.GOOD),
        ("waterLevel", None, Quality.MISSING),
    ]
    assert [quality for _, value, quality in kept[3:] if value is None] == [Quality.MISSING] * 5
    assert [value for _, value, quality in kept[3:] if quality is Quality.GOOD] == [0.5, 0, 0, 0, 2.0, 0, 0]


def test_more_texts_in_packets_than_fit_are_refused_and_forgotten() -> None:
    session = Sl651Session(station("sl651"))
    for function in range(0xE0, 0x100):
        list(session.received(up(function, b"x", total=2, number=1, end=ETB), ELEVEN))
    refused_ = [effect for effect in session.tick(ELEVEN) if isinstance(effect, Refuse)]
    assert len(refused_) == 16
    assert not [effect for effect in session.tick(ELEVEN) if isinstance(effect, Refuse)]

"""Terminals over real sockets: known, acknowledged once their data is safe, told what to do."""

import asyncio
from collections.abc import Awaitable, Callable
from hashlib import sha256
from pathlib import Path
from struct import pack, unpack

import pytest
from tests.field import Device, Field
from tests.kernel.keeper.conftest import House
from tests.kernel.sense.test_packer import SlowBus
from tests.nodes import refused

from yunmeng.gateways.jt808.codec import NO_VERSION, Jt808Codec, Packet, parts_of
from yunmeng.gateways.jt808.fields import write_time
from yunmeng.gateways.jt808.location import Location, write_location
from yunmeng.gateways.jt808.simulator import Terminal, simulate
from yunmeng.kernel.base import instant_us
from yunmeng.kernel.sense import DeviceRecord, Simulation
from yunmeng.kernel.store.objects.folder import FolderObjects

CODEC = Jt808Codec()
PHONE = bytes.fromhex("013000000007")
VEHICLE = "urn:ngsi-ld:Vehicle:jt808:13000000007"
AT = instant_us("2026-07-01T12:00:00+08:00")
HERE = Location(0, 3, 30.59, 114.3, 25, 605, 178, AT, ((1, pack(">I", 1234)), (0x31, b"\x0c")))

Start = Callable[..., Awaitable[Field]]


class Vehicle:
    """A terminal that a test plays by hand."""

    def __init__(self, device: Device, version: int = NO_VERSION) -> None:
        self.device = device
        self.version = version
        self.phone = PHONE if version == NO_VERSION else bytes(4) + PHONE
        self.serial = 0

    def packet(self, id: int, body: bytes = b"") -> Packet:
        self.serial += 1
        return Packet(id, self.phone, self.serial, body, self.version)

    async def say(self, id: int, body: bytes = b"") -> Packet:
        """Sends a message and returns it."""
        packet = self.packet(id, body)
        for part in parts_of(packet):
            await self.device.send(CODEC.encode(part))
            self.serial = part.serial
        return packet

    async def hear(self, id: int) -> Packet:
        """The next message of the platform, which has to be this one."""
        await self.device.hear(1)
        packet = CODEC.decode(b"\x7e" + await self.device.until(b"\x7e"))
        assert f"{packet.id:04X}" == f"{id:04X}"
        assert packet.phone == self.phone
        return packet

    async def acknowledged(self, packet: Packet) -> int:
        """The result in the acknowledgement of a message."""
        serial, id, result = unpack(">HHB", (await self.hear(0x8001)).body)
        assert (serial, id) == (packet.serial, packet.id)
        return result


async def met(field: Field, version: int = NO_VERSION) -> Vehicle:
    vehicle = Vehicle(await field.connect(), version)
    assert await vehicle.acknowledged(await vehicle.say(0x0002)) == 0
    return vehicle


@pytest.mark.parametrize("version", [NO_VERSION, 1])
async def test_a_terminal_registers_shows_its_code_and_reports(listening: Start, version: int) -> None:
    field = await listening("jt808+tcp://")
    vehicle = Vehicle(await field.connect(), version)
    terminal = Terminal(7, 42, version)
    await vehicle.device.send(terminal.registration())
    answer = (await vehicle.hear(0x8100)).body
    assert answer == b"\0\0\0" + b"13000000007"
    await vehicle.device.send(terminal.authentication(answer[3:]))
    assert (await vehicle.hear(0x8001)).body == pack(">HHB", 1, 0x0102, 0)
    assert await vehicle.acknowledged(await vehicle.say(0x0200, write_location(HERE))) == 0
    seen = {each.attribute: (each.value, each.unit) for each in await field.seen(11)}
    assert seen == {
        "speed": (60.5, "KMH"),
        "heading": (178, "DD"),
        "vehicleAltitude": (25, "MTR"),
        "latitude": (30.59, "DD"),
        "longitude": (114.3, "DD"),
        "alarmFlags": (0, ""),
        "statusFlags": (3, ""),
        "ignitionOn": (1, ""),
        "positionFixed": (1, ""),
        "mileageFromOdometer": (123.4, "KMT"),
        "satelliteCount": (12, ""),
    }
    assert {(each.entity, each.at, each.quality) for each in await field.seen()} == {(VEHICLE, AT, 0)}
    assert await vehicle.acknowledged(await vehicle.say(0x0003)) == 0
    await vehicle.device.close()


async def test_a_location_is_acknowledged_once_the_bus_has_it_and_kept_once(listening: Start) -> None:
    bus = SlowBus()
    field = await listening("jt808+tcp://", bus=bus)
    vehicle = await met(field)
    bus.gate.clear()
    said = await vehicle.say(0x0200, write_location(HERE))
    assert await vehicle.acknowledged(await vehicle.say(0x0002)) == 0, "the heartbeat overtakes it"
    assert (await bus.extent("OBS")).last == 0
    bus.gate.set()
    assert await vehicle.acknowledged(said) == 0
    await vehicle.device.send(CODEC.encode(said))
    assert await vehicle.acknowledged(said) == 0
    assert len(await field.seen()) == 11
    await vehicle.device.close()


async def test_a_place_reaches_the_vehicle_and_an_unmeasured_one_does_not(
    listening: Start, house: House
) -> None:
    field = await listening("jt808+tcp://", bus=house.bus)
    vehicle = await met(field)
    lost = Location(0, 1, 1.0, 2.0, 0, 0, 0, AT + 60_000_000)
    for location in (HERE, lost):
        assert await vehicle.acknowledged(await vehicle.say(0x0200, write_location(location))) == 0
    await field.hub.sink.flush()
    entity = await house.get(VEHICLE)
    assert entity is not None
    [place] = next(value for name, value in entity.items() if name.endswith("location"))
    assert place["value"]["coordinates"] == [114.3, 30.59]
    assert {each.quality for each in await field.seen(20) if each.at > AT} == {1}
    await vehicle.device.close()


async def test_a_code_that_is_not_its_own_keeps_a_terminal_out(listening: Start, house: House) -> None:
    key = sha256(b"secret").hexdigest()
    record = DeviceRecord("jt808", "13000000007", division="420200", key=key)
    field = await listening("jt808+tcp://", bus=house.bus, records=[record])
    vehicle = Vehicle(await field.connect())
    await vehicle.say(0x0100, Terminal(7, 1).registration()[13:-2])
    assert (await vehicle.hear(0x8100)).body == pack(">HB", 1, 3), "registered: its code is not told again"
    for code in (b"guess", b""):
        assert await vehicle.acknowledged(await vehicle.say(0x0102, code)) == 1
    assert await vehicle.acknowledged(await vehicle.say(0x0200, write_location(HERE))) == 1
    with refused("device.offline"):
        await field.command("13000000007", "check-link")
    assert await vehicle.acknowledged(await vehicle.say(0x0102, b"secret")) == 0
    assert await vehicle.acknowledged(await vehicle.say(0x0200, write_location(HERE))) == 0
    assert {each.division for each in await field.seen(11)} == {"420200"}
    await vehicle.device.close()


async def test_what_cannot_be_taken_is_answered_so(listening: Start, house: House) -> None:
    field = await listening("jt808+tcp://", bus=house.bus)
    vehicle = await met(field)
    assert await vehicle.acknowledged(await vehicle.say(0x0200, write_location(HERE)[:20])) == 2
    assert await vehicle.acknowledged(await vehicle.say(0x0F7E)) == 3
    encrypted = Packet(0x0200, PHONE, 9, write_location(HERE), flags=0x0400)
    await vehicle.device.send(CODEC.encode(encrypted))
    assert await vehicle.acknowledged(encrypted) == 2
    assert len(await house.state.records("quarantine")) == 3
    await vehicle.device.close()


async def test_locations_that_were_kept_back_come_together(listening: Start) -> None:
    field = await listening("jt808+tcp://")
    vehicle = await met(field)
    bodies = [write_location(Location(0, 2, 30.0, 114.0, 0, n, 0, AT + n)) for n in range(3)]
    items = b"".join(pack(">H", len(body)) + body for body in bodies)
    assert await vehicle.acknowledged(await vehicle.say(0x0704, pack(">HB", 3, 1) + items)) == 0
    speeds = [each.value for each in await field.seen(27) if each.attribute == "speed"]
    assert speeds == [0, 0.1, 0.2]
    await vehicle.device.close()


@pytest.mark.parametrize("version", [NO_VERSION, 1])
async def test_a_picture_in_parts_is_stored_and_missing_parts_are_asked_for(
    listening: Start, tmp_path: Path, version: int
) -> None:
    objects = FolderObjects(tmp_path / "objects")
    field = await listening("jt808+tcp://", objects=objects)
    vehicle = await met(field, version)
    picture = bytes(range(256)) * 12
    body = pack(">IBBBB", 99, 0, 0, 1, 2) + write_location(HERE)[:28] + picture
    parts = parts_of(vehicle.packet(0x0801, body))
    assert len(parts) == 4
    for part in (parts[0], parts[3]):
        await vehicle.device.send(CODEC.encode(part))
    asked = (await vehicle.hear(0x8003)).body
    count = pack(">B" if version == NO_VERSION else ">H", 2)
    assert asked == pack(">H", parts[0].serial) + count + pack(">HH", 2, 3)
    for part in parts[1:3]:
        await vehicle.device.send(CODEC.encode(part))
    assert (await vehicle.hear(0x8800)).body == pack(">I", 99)
    assert await objects.get("field/13000000007/20260701T040000Z-2-99.jpg") == picture
    await vehicle.device.close()


async def test_drivers_passengers_and_transparent_data_are_kept(listening: Start) -> None:
    field = await listening("jt808+tcp://")
    vehicle = await met(field)
    name, issuer = "张三".encode("gbk"), "武汉".encode("gbk")
    driver = b"\x01" + write_time(AT) + b"\0" + bytes((len(name),)) + name + b"4201A".ljust(20, b"\0")
    driver += bytes((len(issuer),)) + issuer + bytes.fromhex("20301231")
    for id, body in (
        (0x0702, driver),
        (0x1005, write_time(AT) + write_time(AT) + pack(">HH", 3, 5)),
        (0x0900, b"\xf1\x01\x02"),
    ):
        assert await vehicle.acknowledged(await vehicle.say(id, body)) == 0
    assert await field.values(7) == {
        "driverCardState": 1,
        "driverName": "张三",
        "driverLicence": "4201A",
        "driverLicenceIssuer": "武汉",
        "passengersBoarded": 3,
        "passengersAlighted": 5,
        "transparentData": "f1:0102",
    }
    await vehicle.device.close()


@pytest.mark.parametrize(
    ("name", "arguments", "id", "body"),
    [
        ("text", {"text": "前方拥堵", "flags": 9}, 0x8300, b"\x09" + "前方拥堵".encode("gbk")),
        ("terminal", {"order": 4}, 0x8105, b"\x04"),
        ("track", {"every_s": 5, "for_s": 600}, 0x8202, pack(">HI", 5, 600)),
        ("check-link", {}, 0x8204, b""),
        ("confirm-alarm", {"alarms": 1}, 0x8203, pack(">HI", 0, 1)),
        ("call", {"phone": "027110"}, 0x8400, b"\x00" + b"027110"),
        ("transparent", {"kind": 0xF1, "data": "0102"}, 0x8900, b"\xf1\x01\x02"),
        (
            "set-parameters",
            {"heartbeat_s": 60, "server": "example.org", "0x0084": 2, "0xF001": "0102"},
            0x8103,
            b"\x04\0\0\0\x01\x04\0\0\0\x3c\0\0\0\x13\x0bexample.org\0\0\0\x84\x01\x02\0\0\xf0\x01\x02\x01\x02",
        ),
        (
            "live",
            {"host": "127.0.0.1", "tcp": 1078, "channel": 1, "stream": 1},
            0x9101,
            b"\x09127.0.0.1" + pack(">HHBBB", 1078, 0, 1, 0, 1),
        ),
        ("live-control", {"channel": 1, "order": 0}, 0x9102, b"\x01\0\0\0"),
        (
            "playback",
            {"host": "h", "tcp": 1, "channel": 2, "begin": "2026-07-01T12:00:00+08:00"},
            0x9201,
            b"\x01h" + pack(">HH6B", 1, 0, 2, 0, 0, 0, 0, 0) + write_time(AT) + bytes(6),
        ),
    ],
)
async def test_commands_that_are_acknowledged(
    listening: Start, name: str, arguments: dict[str, object], id: int, body: bytes
) -> None:
    field = await listening("jt808+tcp://")
    vehicle = await met(field)
    for result in (0, 1):
        done = asyncio.create_task(field.command("13000000007", name, **arguments))
        order = await vehicle.hear(id)
        assert order.body == body
        await vehicle.say(0x0001, pack(">HHB", order.serial, id, result))
        if not result:
            assert await done == {}
            continue
        with refused("command.refused"):
            await done
    await vehicle.device.close()


@pytest.mark.parametrize(
    ("name", "arguments", "id", "answer", "body", "result"),
    [
        (
            "parameters",
            {},
            0x8104,
            0x0104,
            b"\x02\0\0\0\x01\x04\0\0\0\x3c\0\0\0\x83\x08" + "鄂A12345".encode("gbk"),
            {"heartbeat_s": 60, "plate": "鄂A12345"},
        ),
        (
            "some-parameters",
            {"names": ["heartbeat_s"]},
            0x8106,
            0x0104,
            b"\x01\0\0\0\x01\x04\0\0\0\x3c",
            {"heartbeat_s": 60},
        ),
        ("photo", {"channel": 1}, 0x8801, 0x0805, pack(">BHI", 0, 1, 99), {"pictures": [99]}),
        ("ask", {"question": "到达？", "answers": ["是", "否"]}, 0x8302, 0x0302, b"\x02", {"answer": 2}),
        ("recordings", {"channel": 1}, 0x9205, 0x1205, pack(">I", 0), {"recordings": []}),
    ],
)
async def test_commands_with_an_answer_of_their_own(
    listening: Start,
    name: str,
    arguments: dict[str, object],
    id: int,
    answer: int,
    body: bytes,
    result: dict[str, object],
) -> None:
    field = await listening("jt808+tcp://")
    vehicle = await met(field)
    done = asyncio.create_task(field.command("13000000007", name, **arguments))
    order = await vehicle.hear(id)
    await vehicle.say(0x0001, pack(">HHB", order.serial, id, 0))
    await vehicle.say(answer, pack(">H", order.serial) + body)
    found = await done
    assert {key: list(value) if isinstance(value, tuple) else value for key, value in found.items()} == result
    await vehicle.device.close()


async def test_a_terminal_that_is_asked_where_it_is_says_so_and_it_is_kept(listening: Start) -> None:
    field = await listening("jt808+tcp://")
    vehicle = await met(field)
    done = asyncio.create_task(field.command("13000000007", "locate"))
    order = await vehicle.hear(0x8201)
    await vehicle.say(0x0201, pack(">H", order.serial) + write_location(HERE))
    assert (await done)["latitude"] == 30.59
    assert (await field.values(11))["speed"] == 60.5
    await vehicle.device.close()


async def test_long_commands_go_in_parts_that_can_be_asked_for_again(listening: Start) -> None:
    field = await listening("jt808+tcp://")
    vehicle = await met(field, 1)
    wanted = {f"0x{0xF000 + number:04X}": "00" * 200 for number in range(9)}
    done = asyncio.create_task(field.command("13000000007", "set-parameters", **wanted))
    one, two = await vehicle.hear(0x8103), await vehicle.hear(0x8103)
    assert (one.total, one.number, two.number, two.serial) == (2, 1, 2, one.serial + 1)
    await vehicle.say(0x0005, pack(">HHH", one.serial, 1, 2))
    assert await vehicle.hear(0x8103) == two
    await vehicle.say(0x0001, pack(">HHB", one.serial, 0x8103, 0))
    assert await done == {}
    await vehicle.device.close()


@pytest.mark.parametrize(
    ("name", "arguments", "key"),
    [
        ("dance", {}, "command.unknown"),
        ("track", {}, "command.arguments"),
        ("track", {"every_s": -1}, "command.arguments"),
        ("text", {"text": "\U0001f600"}, "command.arguments"),
        ("set-parameters", {}, "command.arguments"),
        ("set-parameters", {"colour": 1}, "command.arguments"),
        ("set-parameters", {"heartbeat_s": "often"}, "command.arguments"),
        ("transparent", {"kind": 1, "data": "xyz"}, "command.arguments"),
        ("playback", {"host": "h", "tcp": 1, "channel": 1, "begin": "noon"}, "command.arguments"),
    ],
)
async def test_commands_that_cannot_be_are_refused(
    listening: Start, name: str, arguments: dict[str, object], key: str
) -> None:
    field = await listening("jt808+tcp://")
    vehicle = await met(field)
    with refused(key):
        await field.command("13000000007", name, **arguments)
    await vehicle.device.close()


@pytest.mark.parametrize("options", [{}, {"version": "2019"}, {"batch": "5"}])
async def test_the_simulated_terminals_are_understood(listening: Start, options: dict[str, str]) -> None:
    field = await listening("jt808+tcp://")
    play = Simulation("127.0.0.1", field.port, count=3, every_s=0.05, for_s=0.3, options=options)
    acknowledged = await simulate(play)
    assert acknowledged >= 3
    readings = acknowledged * int(options.get("batch", "1"))
    seen = await field.seen(readings * 13)
    assert len({each.entity for each in seen}) == 3
    assert field.hub.sink.counts["refused"] == 0


async def test_the_simulated_terminals_do_what_they_are_told(listening: Start) -> None:
    field = await listening("jt808+tcp://")
    playing = asyncio.create_task(simulate(Simulation("127.0.0.1", field.port, count=1, every_s=0.05)))
    await field.online("13000000000")
    assert await field.command("13000000000", "text", text="你好") == {}
    assert await field.command("13000000000", "parameters") == {"heartbeat_s": 60}
    assert (await field.command("13000000000", "locate"))["positioned"] == 1
    playing.cancel()
    await asyncio.gather(playing, return_exceptions=True)


async def test_terminals_speak_over_udp_too(listening: Start) -> None:
    field = await listening("jt808+udp://")
    async with field.peer() as peer:
        await peer.send(CODEC.encode(Packet(0x0200, PHONE, 5, write_location(HERE))))
        assert CODEC.decode(await peer.hear()).body == pack(">HHB", 5, 0x0200, 0)
    assert len(await field.seen(11)) == 11

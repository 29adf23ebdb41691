"""Vehicles and platforms over real sockets."""

import asyncio
from collections.abc import Awaitable, Callable
from hashlib import sha256
from struct import pack

import pytest
from tests.field import Device, Field
from tests.kernel.keeper.conftest import House
from tests.kernel.sense.test_packer import SlowBus
from tests.nodes import refused

from yunmeng.gateways.gbt32960.codec import COMMAND, V2016, V2025, Gbt32960Codec, Packet
from yunmeng.gateways.gbt32960.simulator import Car, simulate
from yunmeng.gateways.gbt32960.times import read_time
from yunmeng.kernel.base import instant_us, now_us
from yunmeng.kernel.sense import DeviceRecord, Simulation

CODEC = Gbt32960Codec()
VIN = b"LSJE36096MS140495"
TIME = bytes((26, 7, 1, 12, 0, 0))
AT = instant_us("2026-07-01T12:00:00+08:00")
ICCID = b"89860000000000000001"
LOGIN = TIME + pack(">H", 1) + ICCID + b"\x01\x00"
DRIVING = TIME + bytes.fromhex("01 01 03 01 01F4 0000D431 0F0A 2774 46 01 2E 1388 14 00")
PLACED = DRIVING + bytes.fromhex("05 00 06CFD2F0 01D2C5E0")

Start = Callable[..., Awaitable[Field]]


async def say(device: Device, command: int, data: bytes = b"", *, edition: bytes = V2016, **more) -> None:
    packet = Packet(edition, command, more.pop("answer", COMMAND), more.pop("vin", VIN), data, **more)
    await device.send(CODEC.encode(packet))


async def hear(device: Device) -> Packet:
    head = await device.hear(24)
    return CODEC.decode(head + await device.hear(int.from_bytes(head[22:24]) + 1))


async def answer(device: Device, command: int, data: bytes = b"", **more) -> int:
    """Says something and returns the flag of the answer, which keeps the time."""
    await say(device, command, data, **more)
    packet = await hear(device)
    assert (packet.command, packet.data) == (command, data[:6])
    return packet.answer


@pytest.mark.parametrize("edition", [V2016, V2025])
async def test_a_vehicle_logs_in_reports_and_logs_out(listening: Start, edition: bytes) -> None:
    field = await listening("gbt32960+tcp://")
    device = await field.connect()
    assert await answer(device, 0x01, LOGIN, edition=edition) == 1
    assert await answer(device, 0x07, edition=edition) == 1
    data = PLACED if edition == V2016 else TIME + bytes.fromhex("05 00 01 06CFD2F0 01D2C5E0")
    assert await answer(device, 0x02, data, edition=edition) == 1
    assert await answer(device, 0x04, TIME + b"\0\1", edition=edition) == 1
    assert await device.rest() == b""
    values = await field.values(3)
    assert (values["longitude"], values["latitude"], values["positionFixed"]) == (114.283248, 30.590432, 1)
    if edition == V2016:
        assert (values["speed"], values["vehicleState"], values["gear"]) == (50.0, "on", "D")
    assert {each.at for each in await field.seen()} == {AT}


async def test_data_is_acknowledged_once_it_is_safe_and_kept_once_when_it_comes_again(
    listening: Start,
) -> None:
    bus = SlowBus()
    field = await listening("gbt32960+tcp://", bus=bus)
    device = await field.connect()
    bus.gate.clear()
    await say(device, 0x02, DRIVING)
    assert await answer(device, 0x07) == 1, "the heartbeat overtakes it"
    bus.gate.set()
    assert (await hear(device)).command == 0x02
    before = len(await field.seen())
    assert await answer(device, 0x03, DRIVING) == 1, "re-issued"
    assert len(await field.seen()) == before


async def test_a_place_reaches_the_vehicle_with_its_parts(listening: Start, house: House) -> None:
    field = await listening("gbt32960+tcp://", bus=house.bus)
    device = await field.connect()
    motor = bytes.fromhex("02 01 01 01 55 59D8 5078 64 0F0A 2774")
    assert await answer(device, 0x02, PLACED + motor) == 1
    await field.hub.sink.flush()
    entity = await house.get("urn:ngsi-ld:ElectricVehicle:gbt32960:LSJE36096MS140495")
    assert entity is not None
    [place] = next(value for name, value in entity.items() if name.endswith("location"))
    assert place["value"]["coordinates"] == [114.283248, 30.590432]
    rotation = next(each for each in await field.seen(20) if each.attribute == "rotation")
    assert rotation.entity == "urn:ngsi-ld:VehicleMotor:gbt32960:LSJE36096MS140495-1"
    assert (rotation.value, rotation.unit) == (3000, "RPM")


async def test_the_time_is_told(listening: Start) -> None:
    field = await listening("gbt32960+tcp://")
    device = await field.connect()
    await say(device, 0x08)
    told = await hear(device)
    assert told.answer == 1
    assert abs(read_time(told.data) - now_us()) < 600_000_000


async def test_a_vehicle_with_a_credential_shows_its_iccid(listening: Start, house: House) -> None:
    record = DeviceRecord("gbt32960", VIN.decode(), key=sha256(ICCID).hexdigest())
    field = await listening("gbt32960+tcp://?admit=known", bus=house.bus, records=[record])
    device = await field.connect()
    assert await answer(device, 0x02, DRIVING) == 2
    assert await answer(device, 0x01, LOGIN.replace(b"1\x01\x00", b"2\x01\x00")) == 2
    assert await answer(device, 0x01, LOGIN, vin=b"STRANGER000000000") == 4
    assert await answer(device, 0x01, LOGIN) == 1
    assert await answer(device, 0x02, DRIVING) == 1
    assert len(await house.state.records("quarantine")) == 3


async def test_a_platform_logs_in_and_passes_on_its_vehicles(listening: Start, house: House) -> None:
    name = b"PLATFORM000000001"
    records = [
        DeviceRecord("gbt32960", name.decode(), key=sha256(b"secret").hexdigest()),
        DeviceRecord("gbt32960", VIN.decode(), key=sha256(ICCID).hexdigest()),
    ]
    field = await listening("gbt32960+tcp://", bus=house.bus, records=records)
    device = await field.connect()

    def login(password: bytes) -> bytes:
        return TIME + b"\0\1" + b"user".ljust(12, b"\0") + password.ljust(20, b"\0") + b"\1"

    assert await answer(device, 0x05, login(b"guess"), vin=name) == 2
    assert await answer(device, 0x05, login(b"secret"), vin=name) == 1
    assert await answer(device, 0x02, DRIVING) == 1, "trusted with its platform"
    assert await answer(device, 0x06, TIME + b"\0\1", vin=name) == 1
    assert await device.rest() == b""


@pytest.mark.parametrize(
    ("command", "data", "more", "flags"),
    [
        (0x02, DRIVING[:-1], {}, (2, 6)),
        (0x02, TIME + b"\x0a", {}, (2, 6)),
        (0x02, DRIVING, {"encryption": 3}, (2, 7)),
        (0x1F, TIME, {}, (2, 6)),
        (0x01, TIME, {}, (2, 6)),
        (0x07, b"", {"vin": bytes(17)}, (2, 6)),
    ],
)
async def test_what_cannot_be_taken_is_answered_so(
    listening: Start, house: House, command: int, data: bytes, more: dict, flags: tuple[int, int]
) -> None:
    field = await listening("gbt32960+tcp://", bus=house.bus)
    device = await field.connect()
    for edition, flag in zip((V2016, V2025), flags, strict=True):
        assert await answer(device, command, data, edition=edition, **more) == flag
    assert len(await house.state.records("quarantine")) == 2


async def test_an_activation_is_declined(listening: Start) -> None:
    field = await listening("gbt32960+tcp://")
    device = await field.connect()
    await say(device, 0x09, TIME, edition=V2025)
    said = await hear(device)
    assert (said.command, said.answer, said.data) == (0x0A, COMMAND, b"\x02\x02")


@pytest.mark.parametrize(
    ("name", "arguments", "command", "body", "said", "result"),
    [
        (
            "parameters",
            {"names": ["report_s", "hardware"]},
            0x80,
            b"\x02\x02\x07",
            b"\x03\x02\x00\x1e\x07HW1\0\0\x09\xff",
            {"report_s": 30, "hardware": "HW1", "heartbeat_s": None},
        ),
        (
            "set-parameters",
            {"report_s": 10, "platform": "example.org"},
            0x81,
            b"\x03\x02\x00\x0a\x04\x0b\x05example.org",
            b"",
            {},
        ),
        ("alarm", {"level": 2}, 0x82, b"\x06\x02", b"", {}),
        ("restart", {}, 0x82, b"\x03", b"", {}),
        ("upgrade", {"parameters": ["http://h/f", "", "", ""]}, 0x82, b"\x01http://h/f;;;", b"", {}),
    ],
)
async def test_commands(
    listening: Start, name: str, arguments: dict, command: int, body: bytes, said: bytes, result: dict
) -> None:
    field = await listening("gbt32960+tcp://")
    device = await field.connect()
    assert await answer(device, 0x07) == 1
    for flag in (1, 2):
        done = asyncio.create_task(field.command(VIN.decode(), name, **arguments))
        order = await hear(device)
        assert (order.command, order.answer, order.data[6:]) == (command, COMMAND, body)
        await say(device, command, order.data[:6] + said, answer=flag)
        if flag == 1:
            assert await done == result
            continue
        with refused("command.refused"):
            await done


@pytest.mark.parametrize(
    ("name", "arguments", "key"),
    [
        ("dance", {}, "command.unknown"),
        ("alarm", {}, "command.arguments"),
        ("set-parameters", {}, "command.arguments"),
        ("set-parameters", {"colour": 1}, "command.arguments"),
        ("set-parameters", {"report_s": 99_999}, "command.arguments"),
        ("parameters", {"names": ["colour"]}, "command.arguments"),
    ],
)
async def test_commands_that_cannot_be_are_refused(
    listening: Start, name: str, arguments: dict, key: str
) -> None:
    field = await listening("gbt32960+tcp://")
    device = await field.connect()
    assert await answer(device, 0x07) == 1
    with refused(key):
        await field.command(VIN.decode(), name, **arguments)


@pytest.mark.parametrize("options", [{}, {"edition": "2025"}])
async def test_the_simulated_cars_are_understood(listening: Start, options: dict[str, str]) -> None:
    field = await listening("gbt32960+tcp://")
    play = Simulation("127.0.0.1", field.port, count=3, every_s=0.05, for_s=0.3, options=options)
    assert await simulate(play) >= 3
    seen = await field.seen(3 * 20)
    assert len({each.entity for each in seen}) == 9, "a vehicle, a motor and a battery each"
    assert field.hub.sink.counts["refused"] == 0


async def test_the_simulated_cars_do_what_they_are_told(listening: Start) -> None:
    field = await listening("gbt32960+tcp://")
    playing = asyncio.create_task(simulate(Simulation("127.0.0.1", field.port, count=1, every_s=0.05)))
    await field.online("YMSIM000000000000")
    assert await field.command("YMSIM000000000000", "alarm", level=1) == {}
    assert await field.command("YMSIM000000000000", "parameters") == {"report_s": 10}
    playing.cancel()
    await asyncio.gather(playing, return_exceptions=True)


async def test_cut_in_two_a_packet_is_one(listening: Start) -> None:
    field = await listening("gbt32960+tcp://")
    device = await field.connect()
    frame = Car(1, 1).login()
    await device.send(frame[:10])
    await asyncio.sleep(0.01)
    await device.send(frame[10:])
    assert (await hear(device)).answer == 1

"""Conversations with meters: our simulator, and the server of an independent library."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from tests.field import Field
from tests.gateways.conftest import Listening
from tests.nodes import free_port, refused

from yunmeng.gateways.dlt645.codec import Frame, MeterCodec
from yunmeng.gateways.dlt645.simulator import simulate
from yunmeng.kernel.base import BadInput
from yunmeng.kernel.sense import Simulation

CODEC = MeterCodec()


@asynccontextmanager
async def simulated(count: int) -> AsyncIterator[int]:
    port = free_port()
    playing = asyncio.create_task(simulate(Simulation("127.0.0.1", port, count=count)))
    await reachable(port)
    yield port
    playing.cancel()
    await asyncio.gather(playing, return_exceptions=True)


async def reachable(port: int) -> None:
    async with asyncio.timeout(10):
        while True:
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", port)
            except ConnectionError:
                await asyncio.sleep(0.02)
            else:
                writer.close()
                return


async def online(field: Field, device: str) -> None:
    await field.seen(1)
    await field.online(device)


async def test_every_meter_of_a_line_is_read(listening: Listening) -> None:
    async with simulated(3) as port:
        meters = ",".join(f"{n:012d}" for n in (1, 2, 3))
        field = await listening(f"dlt645+connect://127.0.0.1:{port}?meters={meters}&every=0.2")
        seen = await field.seen(6)
    assert {each.entity[-12:] for each in seen} == set(meters.split(","))
    assert {(each.attribute, each.unit) for each in seen} == {
        ("energyImported", "KWH"),
        ("activePower", "KWT"),
    }


async def test_a_meter_that_is_not_there_holds_up_nobody(listening: Listening) -> None:
    async with simulated(1) as port:
        url = f"dlt645+connect://127.0.0.1:{port}?meters=999999999998,000000000001&every=0.2&wait=0.2"
        field = await listening(url)
        assert {each.entity[-12:] for each in await field.seen(2)} == {"000000000001"}
        with refused("device.offline"):
            await field.command("999999999998", "read", item="voltage_a")


async def test_one_value_is_read_on_command(listening: Listening) -> None:
    async with simulated(1) as port:
        field = await listening(f"dlt645+connect://127.0.0.1:{port}?meters=000000000001&every=0.2")
        await online(field, "000000000001")
        told = await field.command("000000000001", "read", item="voltage_a")
        assert 220 < float(told["voltage_a"]) < 236
        with refused("command.arguments"):
            await field.command("000000000001", "read", item="colour")
        with refused("command.arguments"):
            await field.command("000000000001", "switch", action="trip", password="1")
        assert (
            await field.command("000000000001", "switch", action="trip", password="02123456", operator="7")
            == {}
        )


async def test_the_server_of_another_library_is_understood(listening: Listening) -> None:
    pytest.importorskip("dlt645", reason="the library dlt645 is not installed")
    from dlt645 import MeterServerService

    port = free_port()
    meter = MeterServerService.new_tcp_server("127.0.0.1", port, 5.0)
    meter.set_address(bytes.fromhex("129078563412"))  # as it travels, the lowest byte first
    meter.set_00(0x00010000, 4321.25)
    meter.set_02(0x02010100, 231.4)
    meter.set_02(0x02030000, 1.2345)
    meter.start()
    try:
        await reachable(port)
        field = await listening(f"dlt645+connect://127.0.0.1:{port}?meters=123456789012&every=0.2")
        values = await field.values(2)
        assert values["energyImported"] == pytest.approx(4321.25)
        assert values["activePower"] == pytest.approx(1.2345)
        await online(field, "123456789012")
        told = await field.command("123456789012", "read", item="voltage_a")
        assert float(told["voltage_a"]) == pytest.approx(231.4)
    finally:
        meter.stop()


@pytest.mark.parametrize(
    "damage",
    [
        lambda raw: raw[:-2] + bytes((raw[-2] ^ 1, 0x16)),
        lambda raw: CODEC.encode(Frame("000000000009", 0x91, b"\x00\x00\x01\x00\x00\x00\x00\x00")),
        lambda raw: b"hello, meter\x16",
    ],
    ids=["checksum", "another meter", "noise"],
)
async def test_what_was_not_asked_or_is_damaged_is_refused(listening: Listening, damage) -> None:
    raw = CODEC.encode(Frame("000000000001", 0x91, b"\x00\x00\x01\x00\x00\x00\x00\x00"))
    field = await listening("dlt645+tcp://?meters=000000000001&every=60&wait=5")
    async with await field.connect() as device:
        await device.until(b"\x16")
        await device.send(damage(raw))
        async with asyncio.timeout(5):
            while not field.hub.sink.counts["refused"]:
                await asyncio.sleep(0.01)
        assert await field.seen(0) == []


def test_an_address_that_is_none_is_refused() -> None:
    from yunmeng.gateways.dlt645.session import check_address

    for text in ("", "12", "12345678901x", "１２３４５６７８９０１２"):
        with pytest.raises(BadInput):
            check_address(text)

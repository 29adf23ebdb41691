"""Conversations with water meters over sockets."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from tests.gateways.conftest import Listening
from tests.nodes import free_port, refused

from yunmeng.gateways.cjt188.simulator import simulate
from yunmeng.kernel.sense import DeviceRecord, Simulation

ONE, TWO = "00000000000001", "00000000000002"


@pytest.fixture
async def line() -> AsyncIterator[int]:
    """A line with two meters; gives its port."""
    port = free_port()
    playing = asyncio.create_task(simulate(Simulation("127.0.0.1", port, count=2)))
    while True:
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", port)
            break
        except ConnectionError:
            await asyncio.sleep(0.02)
    writer.close()
    yield port
    playing.cancel()
    await asyncio.gather(playing, return_exceptions=True)


@pytest.mark.parametrize("order", ["standard", "swapped"])
async def test_meters_are_read_in_either_order_of_the_identifier(
    listening: Listening, line: int, order: str
) -> None:
    url = f"cjt188+connect://127.0.0.1:{line}?meters=10:{ONE},{TWO}&every=0.2&identifier={order}"
    field = await listening(url)
    seen = await field.seen(8)
    assert {each.entity[-14:] for each in seen} == {ONE, TWO}
    volumes = [each for each in seen if each.attribute == "waterConsumption"]
    assert {each.unit for each in volumes} == {"MTQ"}
    assert all(10 <= each.value < 901 for each in volumes)


async def test_registered_meters_are_read_where_they_are(listening: Listening, line: int) -> None:
    record = DeviceRecord("cjt188", ONE, division="420502", options={"type": "10"})
    field = await listening(f"cjt188+connect://127.0.0.1:{line}?every=0.2", records=[record])
    assert {each.division for each in await field.seen(4)} == {"420502"}


async def test_a_valve_is_closed_on_command(listening: Listening, line: int) -> None:
    field = await listening(f"cjt188+connect://127.0.0.1:{line}?meters={ONE}&every=0.2")
    await field.seen(1)
    await field.online(ONE)
    assert (await field.command(ONE, "read"))["valve"] == "open"
    assert await field.command(ONE, "valve", action="close") == {}
    assert (await field.command(ONE, "read"))["valve"] == "closed"
    with refused("command.arguments"):
        await field.command(ONE, "valve", action="half")
    with refused("command.unknown"):
        await field.command(ONE, "sing")

"""Devices over real sockets: answered once their data is safe, never twice kept, never heard half."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from tests.field import Field, Seen
from tests.kernel.sense.line import LINE, line, write_mapping
from tests.kernel.sense.test_packer import SlowBus
from tests.nodes import refused

Start = Callable[..., Awaitable[Field]]
METER = "urn:ngsi-ld:SmartMeter:line:M1"
DATA = line("data", 7, 1_700_000_000, 2500, 400)


@pytest.fixture
def start(listening: Start, tmp_path: Path) -> Start:
    async def begin(url: str = "line+tcp://", **more: object) -> Field:
        return await listening(url, gateway=LINE, mapping=write_mapping(tmp_path), **more)

    return begin


async def hello(field: Field, name: str = "M1"):
    device = await field.connect()
    await device.send(line("hello", name))
    assert await device.until(b"\n") == line("welcome", name)
    return device


async def test_a_device_is_answered_once_the_bus_has_what_it_said(start: Start) -> None:
    bus = SlowBus()
    bus.gate.clear()
    field = await start(bus=bus)
    async with await hello(field) as device:
        await device.send(DATA + line("hello", "M1"))
        # what is said at once overtakes what waits for the disk
        assert await device.until(b"\n") == line("welcome", "M1")
        assert (await bus.extent("OBS")).last == 0
        bus.gate.set()
        assert await device.until(b"\n") == line("ok", 7)
    assert await field.seen(2) == [
        Seen(METER, "activePower", 2.5, 1_700_000_000_000_000, 1, "KWT", "420100"),
        Seen(METER, "energyImported", 40.0, 1_700_000_000_000_000, 1, "KWH", "420100"),
    ]


async def test_a_device_whose_data_is_lost_gets_no_answer_and_its_next_try_is_kept(start: Start) -> None:
    bus = SlowBus()
    bus.refusing = True
    field = await start(bus=bus)
    async with await hello(field) as device:
        await device.send(DATA)
        await asyncio.wait_for(_failed(field), 10)
        bus.refusing = False
        await device.send(line("hello", "M1"))
        assert await device.until(b"\n") == line("welcome", "M1"), "no answer to what was lost"
        await device.send(DATA)
        assert await device.until(b"\n") == line("ok", 7)
    assert len(await field.seen(2)) == 2


async def _failed(field: Field) -> None:
    while not field.hub.sink.counts["readings"]:
        await asyncio.sleep(0)
    with refused("bus.full"):
        await field.hub.sink.flush()


async def test_what_comes_twice_is_answered_twice_and_kept_once(start: Start) -> None:
    field = await start()
    async with await hello(field) as device:
        for _ in range(3):
            await device.send(DATA)
            assert await device.until(b"\n") == line("ok", 7)
        await device.send(line("data", 8, 1_700_000_000, 2500, 400))
        assert await device.until(b"\n") == line("ok", 8)
    async with await hello(field) as again:
        await again.send(DATA)
        assert await again.until(b"\n") == line("ok", 7), "over another connection as well"
    assert len(await field.seen(4)) == 4

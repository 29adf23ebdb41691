"""Polling real Modbus servers over sockets; pymodbus plays the devices."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from tests.gateways.conftest import Listening
from tests.nodes import free_port, refused

from yunmeng.gateways.modbus.simulator import simulate
from yunmeng.kernel.sense import Simulation

pymodbus = pytest.importorskip("pymodbus", reason="the extra `modbus` is not installed")

VALVE = """
[valve]
zh = "阀门"
en = "Valve"
table = "holding"
[valve.fields]
power = { address = 3, type = "int16", factor_at = 4 }
setpoint = { address = 10, type = "float32", write = true }
"""
VALVE_MAPPING = """
[valve]
type = "SmartMeter"
[valve.fields]
power = { attribute = "activePower", unit = "WTT" }
"""


@asynccontextmanager
async def meters(count: int) -> AsyncIterator[int]:
    """A line with meters; gives its port."""
    port = free_port()
    playing = asyncio.create_task(simulate(Simulation("127.0.0.1", port, count=count)))
    yield port
    playing.cancel()
    await asyncio.gather(playing, return_exceptions=True)


@asynccontextmanager
async def valve() -> AsyncIterator[int]:
    """A device with registers that can be written."""
    from pymodbus.server import ModbusTcpServer
    from pymodbus.simulator import DataType, SimData, SimDevice

    registers = SimData(0, values=[0, 0, 0, 1500, 0xFFFF, *[0] * 10], datatype=DataType.REGISTERS)
    port = free_port()
    server = ModbusTcpServer(SimDevice(7, [registers]), address=("127.0.0.1", port))
    await server.serve_forever(background=True)
    yield port
    await server.shutdown()


async def test_every_meter_of_a_line_is_read(listening: Listening) -> None:
    async with meters(3) as port:
        field = await listening(
            f"modbus+connect://127.0.0.1:{port}?map=sdm630&unit=1,2,3&every=0.1&device=hall"
        )
        seen = await field.seen(12)
    assert {each.entity for each in seen} == {f"urn:ngsi-ld:SmartMeter:modbus:hall-{n}" for n in (1, 2, 3)}
    power = [each for each in seen if each.attribute == "activePower"]
    assert all(3 < each.value < 70 for each in power), "kilowatts, though the meter says watts"
    assert {each.unit for each in power} == {"KWT"}
    assert {each.division for each in seen} == {"420100"}


async def test_a_field_is_written_and_read_back(listening: Listening, tmp_path: Path) -> None:
    (tmp_path / "registers.toml").write_text(VALVE)
    (tmp_path / "mapping.toml").write_text(VALVE_MAPPING)
    async with valve() as port:
        own = f"registers={tmp_path}/registers.toml&mapping={tmp_path}/mapping.toml"
        field = await listening(
            f"modbus+connect://127.0.0.1:{port}?map=valve&unit=7&every=0.1&device=v1&{own}"
        )
        assert (await field.values(1))["activePower"] == pytest.approx(0.15)
        assert await field.command("v1", "write", field="setpoint", value=42.5) == {
            "field": "setpoint",
            "value": 42.5,
        }
        with refused("command.arguments"):
            await field.command("v1", "write", field="power", value=1)
        with refused("command.unknown"):
            await field.command("v1", "explode")


async def test_a_silent_device_is_offline_and_comes_back(listening: Listening) -> None:
    async with meters(1) as port:
        field = await listening(f"modbus+connect://127.0.0.1:{port}?map=sdm630&unit=9&every=0.1&device=m")
        await asyncio.sleep(0.4)
        with refused("device.offline"):
            await field.command("m", "write", field="x", value=1)
    assert await field.seen(0) == []


@pytest.mark.parametrize(
    "options", ["map=nothing", "map=sdm630&unit=x", "map=sdm630&unit=300", "map=sdm630&every=0"]
)
async def test_options_that_are_none_are_refused(listening: Listening, options: str) -> None:
    with refused("sense.option"):
        field = await listening(f"modbus+connect://127.0.0.1:1?{options}")
        await field.serving

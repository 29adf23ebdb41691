"""The gateway of ``docs/how-to/write-a-gateway.md`` at work."""

import asyncio
import importlib.util
import tomllib
from pathlib import Path
from types import ModuleType

import pytest
from tests.field import Field
from tests.gateways.conftest import Listening
from tests.nodes import refused

from yunmeng.kernel.base import packages, read_package
from yunmeng.kernel.model import load_types

FOLDER = Path(__file__).parents[2] / "examples/gateway/thermometer"


@pytest.fixture(scope="module")
def thermometer() -> ModuleType:
    spec = importlib.util.spec_from_file_location("thermometer", FOLDER / "__init__.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
async def field(listening: Listening, thermometer: ModuleType) -> Field:
    types = load_types([*(package.folder for package in packages()), FOLDER])
    gateway = thermometer.GATEWAY
    return await listening(
        "thermometer+tcp://", gateway=gateway, mapping=FOLDER / "mapping.toml", types=types
    )


def test_it_is_a_package_of_its_own_in_under_a_hundred_lines() -> None:
    package = read_package(FOLDER)
    assert package.gateway == "thermometer:GATEWAY"
    project = tomllib.loads((FOLDER.parent / "pyproject.toml").read_text())["project"]
    assert project["entry-points"]["yunmeng.packages"] == {"thermometer": "thermometer"}
    assert len((FOLDER / "__init__.py").read_text().splitlines()) < 100


async def test_degrees_are_kept_before_they_are_answered(field: Field) -> None:
    async with await field.connect() as device:
        await device.send(b"t1,1750000000,68.0\n")
        assert await device.until(b"\n") == b"ok,1750000000\n"
    (seen,) = await field.seen(1)
    assert seen.entity == "urn:ngsi-ld:Thermometer:thermometer:t1"
    assert seen.value == pytest.approx(20.0)
    assert seen.unit == "CEL"
    assert seen.at == 1_750_000_000_000_000


async def test_a_command_is_answered(field: Field) -> None:
    async with await field.connect() as device:
        await device.send(b"t1,1750000000,68.0\n")
        await device.until(b"\n")
        await field.online("t1")
        asked = asyncio.create_task(field.command("t1", "calibrate"))
        assert await device.until(b"\n") == b"calibrate\n"
        await device.send(b"t1,1750000001,\n")
        assert await asked == {"calibrated": True}
        with refused("command.unknown"):
            await field.command("t1", "boil")


@pytest.mark.parametrize("line", [b"t1,yesterday,20\n", b"hello\n", b"\xff,1,2\n", b"x" * 300])
async def test_noise_is_refused(field: Field, line: bytes) -> None:
    async with await field.connect() as device:
        await device.send(line)
        async with asyncio.timeout(5):
            while not field.hub.sink.counts["refused"]:
                await asyncio.sleep(0.01)
    assert await field.seen(0) == []

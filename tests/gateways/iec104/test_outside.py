"""A conversation with an outstation that others wrote: c104, which stands on lib60870-C.

c104 is under the GPL and so no requirement of ours; whoever installs it beside has these tests run.
"""

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from tests.field import Field
from tests.gateways.conftest import Listening
from tests.nodes import free_port, refused

from yunmeng.kernel.base import now_us
from yunmeng.kernel.model import Quality

pytestmark = pytest.mark.skipif(find_spec("c104") is None, reason="c104 (GPL) is not installed")

STEM = "urn:ngsi-ld:TelecontrolPoint:iec104:outside:47:"


class Outside:
    """The outstation's process."""

    def __init__(self, process: asyncio.subprocess.Process, port: int) -> None:
        self._process = process
        self.port = port

    async def heard(self) -> dict[str, Any]:
        """What it says next."""
        assert self._process.stdout is not None
        async with asyncio.timeout(20):
            return json.loads(await self._process.stdout.readline())

    async def told(self, line: str) -> dict[str, Any]:
        """Tells it something and returns its answer."""
        assert self._process.stdin is not None
        self._process.stdin.write(line.encode() + b"\n")
        await self._process.stdin.drain()
        return await self.heard()


@asynccontextmanager
async def outstation() -> AsyncIterator[Outside]:
    port = free_port()
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        str(Path(__file__).with_name("outside_station.py")),
        str(port),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    try:
        outside = Outside(process, port)
        assert await outside.heard() == {"ready": True}
        yield outside
    finally:
        if process.stdin is not None:
            process.stdin.close()
        await process.wait()


async def seen(field: Field, address: int, value: float) -> Any:
    """Waits for a value of a point; returns how it was seen first."""
    async with asyncio.timeout(20):
        while True:
            for each in await field.seen(0):
                if each.entity == f"{STEM}{address}" and each.value == value:
                    return each
            await asyncio.sleep(0.05)


async def test_a_conversation(listening: Listening) -> None:
    async with outstation() as outside:
        before = now_us()
        field = await listening(
            f"iec104+connect://127.0.0.1:{outside.port}"
            "?device=outside&stations=47&interrogate=600&counters=600&clock=600&time=utc&w=1&termination=no"
        )
        # clock synchronisation
        clock = await outside.heard()
        assert before / 1e6 - 0.01 <= clock["clock"] <= now_us() / 1e6
        # general interrogation and counters
        assert (await seen(field, 16_385, 12.5)).quality == Quality.GOOD
        assert (await seen(field, 25_601, 1234)).attribute == "pointCount"
        assert (await seen(field, 1, 2)).attribute == "pointState"
        # spontaneous, with and without a time
        assert await outside.told("power 17.25") == {"sent": True}
        await seen(field, 16_385, 17.25)
        moment = before // 1_000_000 - 60
        assert await outside.told(f"breaker {moment}") == {"sent": True}
        assert (await seen(field, 1, 1)).at == moment * 1_000_000
        # select before operate, and a set point
        await field.online("outside")
        with refused("command.refused"):
            await field.command("outside", "double", ioa=24_577, value="on")
        doing = asyncio.create_task(field.command("outside", "double", ioa=24_577, value="open", mode="sbo"))
        assert await outside.heard() == {"command": 24_577, "value": "Double.OFF", "select": False}
        assert await doing == {"confirmed": True}, "c104 does not say when it has ended"
        doing = asyncio.create_task(field.command("outside", "setpoint-float", ioa=25_089, value=42.5))
        assert await outside.heard() == {"command": 25_089, "value": "42.5", "select": False}
        assert await doing == {"confirmed": True}
        with refused("command.refused"):
            await field.command("outside", "single", ioa=999, value="on")
        assert await field.command("outside", "read", ioa=16_385) == {"value": 17.25}


async def test_a_lost_connection_is_called_again_and_resumes(listening: Listening) -> None:
    async with outstation() as outside:
        field = await listening(
            f"iec104+connect://127.0.0.1:{outside.port}?device=outside&stations=47&interrogate=600&time=utc&w=1"
        )
        await seen(field, 16_385, 12.5)
        await field.online("outside")
        assert await outside.told("stop") == {"stopped": True}
        async with asyncio.timeout(20):
            while any("outside" in channel.devices for channel in field.hub.channels):
                await asyncio.sleep(0.05)
        with refused("device.offline"):
            await field.command("outside", "read", ioa=16_385)
        await outside.told("power 99.5")
        assert await outside.told("start") == {"ready": True}
        await seen(field, 16_385, 99.5)
        await field.online("outside")

"""Meters on a line: a Modbus TCP server whose units are SDM630 meters, for gateways to poll."""

import asyncio
import math
import random
import struct
import time
from functools import partial

from yunmeng.gateways.modbus.registers import shipped_maps
from yunmeng.kernel.base import Unavailable
from yunmeng.kernel.sense import Simulation

_SIZE = 0x60
_NOMINAL_W = 40_000.0


class Meter:
    """One meter: a day's load curve around a level of its own, and the energy that follows from it."""

    def __init__(self, seed: int) -> None:
        chance = random.Random(seed)  # noqa: S311  (plausible, not secret)
        self._level = chance.uniform(0.2, 1.0)
        self._phase = chance.uniform(0, 2 * math.pi)
        self._energy = chance.uniform(1_000, 90_000)
        self._since = time.time()

    def fields(self, now: float) -> dict[str, float]:
        """Returns what the meter shows: V, A, W, Hz, kWh."""
        swing = 1 + 0.6 * math.sin(now / 86_400 * 2 * math.pi + self._phase)
        power = _NOMINAL_W * self._level * swing
        self._energy += power * max(0.0, now - self._since) / 3.6e6
        self._since = now
        voltage = 230 + 3 * math.sin(now / 60 + self._phase)
        return {
            "voltage_1": voltage,
            "current_1": power / 3 / voltage,
            "active_power": power,
            "frequency": 50 + 0.02 * math.sin(now / 7),
            "energy_imported": self._energy,
        }


async def simulate(play: Simulation) -> int:
    """Serves ``count`` meters as units 1..count until the time is over; returns how often they were asked.

    Raises:
        Unavailable: ``sense.extra`` without pymodbus.
    """
    try:
        from pymodbus.server import ModbusTcpServer
        from pymodbus.simulator import DataType, SimData, SimDevice
    except ImportError as cause:
        raise Unavailable("sense.extra", gateway="modbus", library="pymodbus", extra="modbus") from cause
    asked = [0]
    devices = [
        SimDevice(
            unit,
            SimData(0, count=_SIZE, datatype=DataType.REGISTERS),
            action=partial(_show, Meter(play.seed + unit), asked),
        )
        for unit in range(1, min(play.count, 247) + 1)
    ]
    server = ModbusTcpServer(devices, address=(play.host, play.port))
    await server.serve_forever(background=True)
    try:
        await asyncio.sleep(play.for_s or math.inf)
    finally:
        await server.shutdown()
    return asked[0]


async def _show(
    meter: Meter,
    asked: list[int],
    function_code: int,
    start_address: int,
    address: int,
    count: int,
    current_registers: list[int],
    set_values: list[int] | list[bool] | None,
) -> None:
    """Puts what the meter shows into the registers that are about to be read."""
    asked[0] += 1
    places = shipped_maps()["sdm630"].fields
    for name, value in meter.fields(time.time()).items():
        at = places[name].address - start_address
        if 0 <= at <= len(current_registers) - 2:
            current_registers[at : at + 2] = struct.unpack(">HH", struct.pack(">f", value))

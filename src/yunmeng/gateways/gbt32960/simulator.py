"""Electric vehicles that log in and report: ``yunmeng sense simulate gbt32960``; option ``edition=2025``."""

import asyncio
import math
import random
from collections.abc import Sequence
from contextlib import suppress
from struct import pack

import msgspec

from yunmeng.gateways.gbt32960.bodies import (
    MOTOR_2016,
    MOTOR_2025,
    PACK_2016,
    PACK_2025,
    VEHICLE_2016,
    VEHICLE_2025,
    Row,
    Value,
    rows_of,
)
from yunmeng.gateways.gbt32960.codec import COMMAND, V2016, V2025, Gbt32960Codec, Packet
from yunmeng.gateways.gbt32960.times import write_time
from yunmeng.kernel.base import now_us
from yunmeng.kernel.sense import Simulation

_PATIENCE_S = 60.0
_CELLS = 96
_CODEC = Gbt32960Codec()


class Car:
    """One made-up electric car."""

    def __init__(self, number: int, seed: int, *, is_2025: bool = False) -> None:
        chance = random.Random(f"{seed}-{number}")  # noqa: S311 (made-up places, not secrets)
        self._is_2025 = is_2025
        self._vin = f"YMSIM{number:012d}".encode()
        self._home = 30.6 + chance.uniform(-1, 1), 114.3 + chance.uniform(-2, 2)
        self._turn = chance.uniform(0, 360)
        self._driven = chance.randrange(100_000)

    def packet(self, command: int, data: bytes = b"") -> bytes:
        """Returns the bytes of a message."""
        edition = V2025 if self._is_2025 else V2016
        return _CODEC.encode(Packet(edition, command, COMMAND, self._vin, data))

    def login(self) -> bytes:
        """0x01 with one storage system."""
        head = write_time(now_us()) + pack(">H", 1) + b"89860000000000000000"
        return self.packet(
            0x01, head + (b"\x01\x01" if self._is_2025 else b"\x01\x18") + b"YMSIM".ljust(24, b"0")
        )

    def report(self, at: int) -> bytes:
        """0x02 with vehicle, motor, position, voltages and temperatures."""
        self._turn = (self._turn + 3) % 360
        self._driven += 1
        swing = math.sin(math.radians(self._turn * 5))
        return self.packet(0x02, write_time(at) + b"".join(self._bodies(swing)))

    def _bodies(self, swing: float) -> Sequence[bytes]:
        new = self._is_2025
        vehicle: dict[str, Value] = {"state": 1, "charging": 3, "mode": 1, "soc": 70, "dcdc": 1, "gear": 14}
        vehicle |= {"speed": 30 + round(20 * swing, 1), "mileage": float(self._driven), "voltage": 380.5}
        vehicle |= {"current": round(40 * swing, 1), "insulation": 5000, "accelerator": 20, "brake": 0}
        motor: dict[str, Value] = {"number": 1, "motor_state": 1, "controller_temperature": 45}
        motor |= {"rotation": 3000, "torque": 80.5, "motor_temperature": 60}
        motor |= {"controller_voltage": 380.0, "controller_current": 40.0}
        pack_: dict[str, Value] = {"number": 1, "pack_voltage": 380.5, "pack_current": round(40 * swing, 1)}
        pack_ |= {"cell_count": _CELLS, "first_cell": 1}
        latitude = self._home[0] + 0.05 * math.sin(math.radians(self._turn))
        longitude = self._home[1] + 0.05 * math.cos(math.radians(self._turn))
        place = pack(">II", round(longitude * 1e6), round(latitude * 1e6))
        cells = pack(f">{_CELLS}H", *[3950 + number % 7 for number in range(_CELLS)])
        return (
            b"\x01" + _body(VEHICLE_2025 if new else VEHICLE_2016, vehicle),
            b"\x02\x01" + _body(MOTOR_2025 if new else MOTOR_2016, motor),
            (b"\x05\x00\x01" if new else b"\x05\x00") + place,
            (b"\x07\x01" if new else b"\x08\x01")
            + _body(PACK_2025 if new else PACK_2016, pack_)
            + pack(">H" if new else ">B", _CELLS)
            + cells,
            (b"\x08\x01" if new else b"\x09\x01") + pack(">BH4B", 1, 4, 65, 66, 66, 67),
        )


def _body(table: tuple[Row, ...], fields: dict[str, Value]) -> bytes:
    return b"".join(rows_of(table, fields))


async def simulate(simulation: Simulation) -> int:
    """Plays the cars; returns how many reports were acknowledged."""
    tasks = [asyncio.create_task(_play(simulation, number)) for number in range(simulation.count)]
    return sum(await asyncio.gather(*tasks))


async def _play(simulation: Simulation, number: int) -> int:
    car = Car(number, simulation.seed, is_2025=simulation.options.get("edition") == "2025")
    await asyncio.sleep(simulation.every_s * number / simulation.count)
    reader, writer = await asyncio.open_connection(simulation.host, simulation.port)
    loop, done = asyncio.get_running_loop(), 0
    end = loop.time() + simulation.for_s if simulation.for_s else math.inf
    answers: asyncio.Queue[Packet] = asyncio.Queue()
    listening = asyncio.create_task(_listen(reader, writer, answers))
    try:
        writer.write(car.login())
        await _heard(answers, 0x01)
        while loop.time() < end:
            writer.write(car.report(now_us()))
            await _heard(answers, 0x02)
            done += 1
            await asyncio.sleep(min(simulation.every_s, max(0.0, end - loop.time())))
    finally:
        listening.cancel()
        writer.close()
    return done


async def _listen(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, answers: "asyncio.Queue[Packet]"
) -> None:
    """Hands on what answers the car, and does what it is told."""
    with suppress(asyncio.IncompleteReadError):
        while True:
            head = await reader.readexactly(24)
            packet = _CODEC.decode(head + await reader.readexactly(int.from_bytes(head[22:24]) + 1))
            if packet.answer != COMMAND:
                answers.put_nowait(packet)
                continue
            # a query is answered with the period of reports, anything else with its time
            said = b"\x01\x02\x00\x0a" if packet.command == 0x80 else b""
            done = msgspec.structs.replace(packet, answer=1, data=packet.data[:6] + said)
            writer.write(_CODEC.encode(done))


async def _heard(answers: "asyncio.Queue[Packet]", command: int) -> Packet:
    """Waits for the answer to a command; others are passed over."""
    async with asyncio.timeout(_PATIENCE_S):
        while (packet := await answers.get()).command != command or packet.answer != 1:
            pass
        return packet

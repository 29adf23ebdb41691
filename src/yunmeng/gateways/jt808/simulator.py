"""Terminals that register, show their code, and report where they drive: ``yunmeng sense simulate jt808``.

Options: ``version=2019`` (2013 when left out), ``batch=N`` to report N places at once (0x0704).
"""

import asyncio
import math
import random
from contextlib import suppress
from struct import pack

from yunmeng.gateways.jt808.codec import NO_VERSION, Jt808Codec, Packet
from yunmeng.gateways.jt808.location import POSITIONED, Location, write_location
from yunmeng.kernel.base import now_us
from yunmeng.kernel.sense import Simulation

_PATIENCE_S = 60.0
_UPGRADE = b"\x01"
_CODEC = Jt808Codec()


class Terminal:
    """One made-up terminal, which drives in a circle around its home."""

    def __init__(self, number: int, seed: int, version: int = NO_VERSION) -> None:
        chance = random.Random(f"{seed}-{number}")  # noqa: S311 (made-up places, not secrets)
        self._version = version
        self._phone = bytes.fromhex(f"{13_000_000_000 + number:0{12 if version == NO_VERSION else 20}d}")
        self._home = 30.6 + chance.uniform(-1, 1), 114.3 + chance.uniform(-2, 2)
        self._turn = chance.uniform(0, 360)
        self._driven = chance.randrange(1_000_000)
        self._serial = 0
        self.firmware = "1.0"

    def packet(self, id: int, body: bytes = b"") -> bytes:
        """Returns the bytes of the next message."""
        packet = Packet(id, self._phone, self._serial, body, self._version)
        self._serial = (self._serial + 1) & 0xFFFF
        return _CODEC.encode(packet)

    def registration(self) -> bytes:
        """0x0100."""
        sizes = (5, 20, 7) if self._version == NO_VERSION else (11, 30, 30)
        texts = [text.ljust(size, b"\0") for text, size in zip((b"YMSIM", b"SIM", b"1"), sizes, strict=True)]
        body = pack(">HH", 42, 100) + b"".join(texts) + b"\x02" + "鄂A00000".encode("gbk")
        return self.packet(0x0100, body)

    def authentication(self, code: bytes) -> bytes:
        """0x0102."""
        if self._version == NO_VERSION:
            return self.packet(0x0102, code)
        return self.packet(0x0102, bytes((len(code),)) + code + b"0" * 15 + b"sim".ljust(20, b"\0"))

    def location(self, at: int) -> bytes:
        """The body of a location report."""
        self._turn = (self._turn + 3) % 360
        self._driven += 1
        latitude = self._home[0] + 0.05 * math.sin(math.radians(self._turn))
        longitude = self._home[1] + 0.05 * math.cos(math.radians(self._turn))
        speed = 300 + round(200 * math.sin(math.radians(self._turn * 5)))
        items = ((1, pack(">I", self._driven)), (2, pack(">H", 425)), (0x30, b"\x1f"), (0x31, b"\x0c"))
        heading = round(360 - self._turn) % 360
        here = Location(0, POSITIONED | 1, latitude, longitude, 25, speed, heading, at, items)
        return write_location(here)

    def attributes(self) -> bytes:
        """The body of 0x0107."""
        sizes = (5, 20, 7) if self._version == NO_VERSION else (5, 30, 30)
        texts = [text.ljust(size, b"\0") for text, size in zip((b"YMSIM", b"SIM", b"1"), sizes, strict=True)]
        versions = b"".join(bytes((len(text),)) + text.encode("gbk") for text in ("1", self.firmware))
        return pack(">H", 1) + b"".join(texts) + bytes(10) + versions + b"\x01\x01"

    def obey(self, order: Packet) -> bytes:
        """Answers a command: with its place, with a parameter, or that it is done."""
        serial = pack(">H", order.serial)
        if order.id == 0x8201:
            return self.packet(0x0201, serial + self.location(now_us()))
        if order.id == 0x8107:
            return self.packet(0x0107, self.attributes())
        if order.id == 0x8105 and order.body[:1] == _UPGRADE:
            # the tenth of eleven parameters is the version (2013, 8.11); a made-up terminal has it at once
            self.firmware = order.body[1:].decode("gbk").split(";")[9]
        if order.id in (0x8104, 0x8106):
            return self.packet(0x0104, serial + b"\x01" + pack(">IBI", 1, 4, 60))
        return self.packet(0x0001, serial + pack(">HB", order.id, 0))

    def report(self, batch: int = 0) -> bytes:
        """0x0200, or 0x0704 of the last ``batch`` seconds."""
        now = now_us()
        if not batch:
            return self.packet(0x0200, self.location(now))
        bodies = [self.location(now - 1_000_000 * (batch - number)) for number in range(batch)]
        return self.packet(
            0x0704, pack(">HB", batch, 0) + b"".join(pack(">H", len(body)) + body for body in bodies)
        )


async def simulate(simulation: Simulation) -> int:
    """Plays the terminals; returns how many reports were acknowledged."""
    tasks = [asyncio.create_task(_play(simulation, number)) for number in range(simulation.count)]
    return sum(await asyncio.gather(*tasks))


async def _play(simulation: Simulation, number: int) -> int:
    options = simulation.options
    terminal = Terminal(number, simulation.seed, 1 if options.get("version") == "2019" else NO_VERSION)
    await asyncio.sleep(simulation.every_s * number / simulation.count)
    reader, writer = await asyncio.open_connection(simulation.host, simulation.port)
    loop, done = asyncio.get_running_loop(), 0
    end = loop.time() + simulation.for_s if simulation.for_s else math.inf
    answers: asyncio.Queue[Packet] = asyncio.Queue()
    listening = asyncio.create_task(_listen(reader, writer, terminal, answers))
    try:
        writer.write(terminal.registration())
        answer = await _heard(answers, 0x8100)
        writer.write(terminal.authentication(answer.body[3:]))
        await _heard(answers, 0x8001)
        while loop.time() < end:
            writer.write(terminal.report(int(options.get("batch", "0"))))
            await _heard(answers, 0x8001)
            done += 1
            await asyncio.sleep(min(simulation.every_s, max(0.0, end - loop.time())))
    finally:
        listening.cancel()
        writer.close()
    return done


async def _listen(
    reader: asyncio.StreamReader,
    writer: asyncio.StreamWriter,
    terminal: Terminal,
    answers: "asyncio.Queue[Packet]",
) -> None:
    """Hands on what answers the terminal, and does what it is told."""
    with suppress(asyncio.IncompleteReadError):
        while True:
            frame = await reader.readuntil(b"\x7e")
            if len(frame) == 1:
                continue
            packet = _CODEC.decode(b"\x7e" + frame)
            if packet.id in (0x8001, 0x8100):
                answers.put_nowait(packet)
            else:
                writer.write(terminal.obey(packet))


async def _heard(answers: "asyncio.Queue[Packet]", id: int) -> Packet:
    """Waits for an answer of the platform; others are passed over."""
    async with asyncio.timeout(_PATIENCE_S):
        while (packet := await answers.get()).id != id:
            pass
        return packet

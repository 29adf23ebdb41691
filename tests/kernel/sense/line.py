"""A protocol as small as can be: lines of words, each line with an exclusive or of its bytes in hex.

A device says ``data 7 1700000000 21.5 0.4*5F`` and hears ``ok 7*..`` once that is kept. It is told
``do 1*..`` and says ``done 1 fine*..`` or ``failed 1 stuck*..``. ``count 7 1700000000 21.5``
hears ``upto 7*..`` instead, as protocols do that acknowledge by counting. ``say``, ``place``, ``file`` and
``bye`` try the other effects.
"""

from collections.abc import Hashable, Iterable
from pathlib import Path

from yunmeng.kernel.base import BadInput
from yunmeng.kernel.model import Quality
from yunmeng.kernel.sense import (
    Close,
    Command,
    Describe,
    Effect,
    FrameSession,
    Gateway,
    Identify,
    InFlight,
    Keep,
    Locate,
    Observe,
    Refuse,
    Send,
    Station,
    bad_checksum,
    bad_frame,
    xor8,
)

LONGEST = 4096
MAPPING = """
[line]
type = "SmartMeter"
[line.fields]
power = { attribute = "activePower", unit = "WTT" }
energy = { attribute = "energyImported", factor = 0.1, missing = [-1, "none"] }
"""


def line(*words: object) -> bytes:
    """Writes one line."""
    body = " ".join(map(str, words)).encode()
    return body + b"*%02X\n" % xor8(body)


class LineCodec:
    """Words on a line."""

    def cut(self, buffer: bytearray) -> list[bytes]:
        *lines, rest = bytes(buffer).split(b"\n")
        del buffer[: len(buffer) - len(rest)]
        if len(rest) > LONGEST:
            lines.append(rest)
            buffer.clear()
        return [each + b"\n" for each in lines]

    def decode(self, frame: bytes) -> list[str]:
        body, star, found = frame.rstrip(b"\n").rpartition(b"*")
        if not star:
            raise bad_frame("line", "no checksum")
        if found != b"%02X" % xor8(body):
            raise bad_checksum("line", int(found, 16), xor8(body))
        return body.decode().split()

    def encode(self, message: list[str]) -> bytes:
        return line(*message)


class LineSession(FrameSession[list[str]]):
    """Hears lines of one device, which says who it is first."""

    def __init__(self, station: Station) -> None:
        super().__init__(LineCodec())
        self._station = station
        self._device = "nobody"
        self._orders: InFlight[str] = InFlight(wait_s=3.0, attempts=2)

    def heard(self, message: list[str], frame: bytes, at: int) -> Iterable[Effect]:
        match message:
            case ["hello", device]:
                self._station.admit(device)
                self._device = device
                return [Identify(device), Send(line("welcome", device))]
            case ["data", number, time, *values]:
                fields = dict(zip(("power", "energy"), map(float, values), strict=False))
                reading = self._station.mappers["line"].reading(
                    self._device, int(time) * 1_000_000, fields, quality=Quality.UNCERTAIN
                )
                return [Observe((reading,), line("ok", number), (self._device, number, time))]
            case ["count", number, time, value]:
                reading = self._station.mappers["line"].reading(
                    self._device, int(time) * 1_000_000, {"power": float(value)}
                )
                return [Observe((reading,), key=(self._device, number, time), told=int(number))]
            case ["done", number, *said]:
                return list(self._orders.answered(number, {"said": said}))
            case ["failed", number, reason]:
                return list(self._orders.failed(number, BadInput("command.unknown", name=reason, known="-")))
            case ["place", longitude, latitude]:
                entity = self._station.mappers["line"].entity(self._device)
                return [Locate(entity, "SmartMeter", "420100", float(longitude), float(latitude), at)]
            case ["say", name]:
                entity = self._station.mappers["line"].entity(self._device)
                return [Describe(({"id": entity, "type": "SmartMeter", "source": name},), line("noted"))]
            case ["file", name, text]:
                return [Keep(name, "text/plain", text.encode(), line("stored"))]
            case ["bye"]:
                return [Send(line("bye")), Close()]
            case _:
                raise bad_frame("line", "unknown words")

    def kept(self, told: Hashable, at: int) -> Iterable[Effect]:
        return [Send(line("upto", told))]

    def refused(self, frame: bytes, reason: BadInput) -> Refuse:
        return Refuse(frame, reason, line("no", reason.key))

    def command(self, command: Command, at: int) -> Iterable[Effect]:
        if command.name != "do":
            raise BadInput("command.unknown", name=command.name, known="do")
        number = str(command.arguments["number"])
        return self._orders.send(number, command, line("do", number), at)

    def tick(self, at: int) -> Iterable[Effect]:
        return self._orders.tick(at)


LINE = Gateway("line", {"tcp": 0, "udp": 0, "serial": 0, "connect": 0}, session=LineSession)


def write_mapping(folder: Path) -> Path:
    """Writes the mapping file of the protocol."""
    file = folder / "mapping.toml"
    file.write_text(MAPPING, encoding="utf-8")
    return file

"""Thermometers that say ``id,seconds since 1970,degrees`` on a line each, and want to hear ``ok,seconds``."""

from collections.abc import Iterable

import msgspec

from yunmeng.kernel.base import BadInput
from yunmeng.kernel.sense import (
    Command,
    Effect,
    FrameSession,
    Gateway,
    Identify,
    InFlight,
    Observe,
    Station,
    bad_frame,
)

LONGEST = 200


class Said(msgspec.Struct, frozen=True):
    """One line of a thermometer: what it measured, or that it did what it was told (no degrees)."""

    device: str
    time: int
    degrees: str = ""


class Codec:
    """Lines of text."""

    def cut(self, buffer: bytearray) -> list[bytes]:
        """Takes whole lines; one that is too long comes out as it is, to be refused."""
        lines = [bytes(line) + b"\n" for line in buffer.split(b"\n")[:-1]]
        del buffer[: sum(map(len, lines))]
        if len(buffer) > LONGEST:
            lines.append(bytes(buffer))
            buffer.clear()
        return lines

    def decode(self, frame: bytes) -> Said:
        """Reads one line. Raises ``BadInput("frame.bad")``."""
        try:
            device, time, degrees = frame.decode("ascii").rstrip("\n").split(",")
            return Said(device, int(time), degrees)
        except ValueError as cause:
            raise bad_frame("thermometer", str(cause)) from cause

    def encode(self, message: Said) -> bytes:
        """Writes one line."""
        return f"{message.device},{message.time},{message.degrees}\n".encode()


class Session(FrameSession[Said]):
    """One thermometer's connection."""

    def __init__(self, station: Station) -> None:
        super().__init__(Codec())
        self._station = station
        self._orders = InFlight[str]()

    def heard(self, message: Said, frame: bytes, at: int) -> list[Effect]:
        """Keeps what was measured, and answers once it is on disk."""
        known = self._station.admit(message.device)
        if not message.degrees:
            return list(self._orders.answered(message.device, {"calibrated": True}))
        mapper = self._station.mappers["thermometer"]
        division = known.division if known else ""
        reading = mapper.reading(
            message.device, message.time * 1_000_000, {"degrees": message.degrees}, division=division
        )
        key = (message.device, message.time)
        return [Identify(message.device), Observe((reading,), f"ok,{message.time}\n".encode(), key)]

    def command(self, command: Command, at: int) -> Iterable[Effect]:
        """Knows ``calibrate``; the thermometer answers with an empty measurement."""
        if command.name != "calibrate":
            raise BadInput("command.unknown", name=command.name, known="calibrate")
        return self._orders.send(command.device, command, b"calibrate\n", at)

    def tick(self, at: int) -> Iterable[Effect]:
        """Sends again what was not answered."""
        return self._orders.tick(at)


GATEWAY = Gateway("thermometer", {"tcp": 7001, "udp": 7001, "serial": 0}, session=Session)

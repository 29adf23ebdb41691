"""The platform's side: logins, real-time and re-issued data, time, heartbeats, commands (6.3, annex B)."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar
from zlib import crc32

import msgspec

from yunmeng.gateways.gbt32960.bodies import Bodies, Report, Value
from yunmeng.gateways.gbt32960.codec import COMMAND, PLAIN, PROTOCOL, Gbt32960Codec, Packet
from yunmeng.gateways.gbt32960.commands import CONTROL, QUERY, SET, build, read_parameters
from yunmeng.gateways.gbt32960.times import read_time, write_time
from yunmeng.kernel.base import BadInput, Unavailable
from yunmeng.kernel.model import Reading
from yunmeng.kernel.sense import (
    Close,
    Command,
    DeviceRecord,
    Effect,
    FrameSession,
    Identify,
    InFlight,
    Locate,
    Mapper,
    Observe,
    Refuse,
    Send,
    Station,
    bad_frame,
)

DONE, FAILED, UNKNOWN_VIN, WRONG_FORM, UNDECIPHERED = 1, 2, 4, 6, 7
_MOST_VEHICLES = 50_000

Effects = list[Effect]
Key = tuple[str, int]


@dataclass(slots=True)
class _Vehicle:
    """One vehicle (or platform) that speaks over this connection."""

    packet: Packet
    device: str
    record: DeviceRecord | None
    is_trusted: bool

    @property
    def division(self) -> str:
        return self.record.division if self.record is not None else ""


class Gbt32960Session(FrameSession[Packet]):
    """Answers vehicles and platforms; data is acknowledged once it is on disk."""

    def __init__(self, station: Station) -> None:
        super().__init__(Gbt32960Codec())
        self._station = station
        self._vehicles: dict[bytes, _Vehicle] = {}
        self._devices: dict[str, _Vehicle] = {}
        self._orders: InFlight[Key] | None = None
        self._is_platform = False

    def heard(self, message: Packet, frame: bytes, at: int) -> Iterable[Effect]:
        """Hears one packet; what cannot be taken is refused with a negative answer."""
        try:
            vehicle = self._vehicles.get(message.vin)
            if vehicle is None:
                vehicle = self._meet(message)
                if vehicle.is_trusted:
                    return [Identify(vehicle.device), *self._heard(vehicle, message, at)]
            return self._heard(vehicle, message, at)
        except BadInput as reason:
            return [Refuse(frame, reason, self._answer(message, self._flag(message, reason)))]

    def command(self, command: Command, at: int) -> Iterable[Effect]:
        """Sends a command (:mod:`yunmeng.gateways.gbt32960.commands`); one of a kind at a time."""
        vehicle = self._devices.get(command.device)
        if vehicle is None:
            raise Unavailable("device.offline", device=command.device)
        number, data = build(command.name, command.arguments, write_time(at))
        packet = msgspec.structs.replace(
            vehicle.packet, command=number, answer=COMMAND, data=data, encryption=PLAIN
        )
        if self._orders is None:
            self._orders = InFlight()
        return list(self._orders.send((vehicle.device, number), command, self.codec.encode(packet), at))

    def tick(self, at: int) -> Iterable[Effect]:
        """Sends commands again, gives up what took too long."""
        return () if self._orders is None else list(self._orders.tick(at))

    def _meet(self, message: Packet) -> _Vehicle:
        device = message.device
        if not device.isalnum():
            raise bad_frame(PROTOCOL, f"identification {message.vin.hex()}")
        record = self._station.admit(device)
        if len(self._vehicles) >= _MOST_VEHICLES:
            raise bad_frame(PROTOCOL, f"more than {_MOST_VEHICLES} vehicles on one connection")
        is_trusted = self._station.replayed or self._is_platform or record is None or not record.key
        vehicle = _Vehicle(message, device, record, is_trusted)
        self._vehicles[message.vin] = self._devices[device] = vehicle
        return vehicle

    def _heard(self, vehicle: _Vehicle, message: Packet, at: int) -> Effects:
        if message.answer != COMMAND:
            return self._answered(vehicle, message)
        if message.encryption not in (PLAIN, 0xFF):
            raise bad_frame(PROTOCOL, f"data encrypted by method {message.encryption}")
        hear = self._HEARD.get(message.command)
        if hear is None:
            raise bad_frame(PROTOCOL, f"command {message.command:02X} is not known")
        if not vehicle.is_trusted and message.command not in (0x01, 0x05):
            raise BadInput("device.credential", gateway=self._station.gateway, device=vehicle.device)
        return hear(self, vehicle, message, at)

    def _login(self, vehicle: _Vehicle, message: Packet, at: int) -> Effects:
        """0x01: time, serial number, ICCID, storage systems; the ICCID is a known vehicle's credential."""
        data = message.data
        if len(data) < 30:
            raise bad_frame(PROTOCOL, f"login of {len(data)} bytes")
        read_time(data[:6])
        if not vehicle.is_trusted:
            self._prove(vehicle, data[8:28].rstrip(b"\0 ").decode("ascii", "replace"))
        vehicle.packet = message
        return [Identify(vehicle.device), Send(self._answer(message, DONE))]

    def _platform_login(self, vehicle: _Vehicle, message: Packet, at: int) -> Effects:
        """0x05: time, serial number, user, password; what a platform passes on is trusted."""
        data = message.data
        if len(data) != 41:
            raise bad_frame(PROTOCOL, f"platform login of {len(data)} bytes")
        read_time(data[:6])
        if not vehicle.is_trusted:
            self._prove(vehicle, data[20:40].rstrip(b"\0 ").decode("ascii", "replace"))
        self._is_platform = True
        return [Identify(vehicle.device), Send(self._answer(message, DONE))]

    def _prove(self, vehicle: _Vehicle, credential: str) -> None:
        if vehicle.record is not None and not vehicle.record.accepts(credential):
            raise BadInput("device.credential", gateway=self._station.gateway, device=vehicle.device)
        vehicle.is_trusted = True

    def _logout(self, vehicle: _Vehicle, message: Packet, at: int) -> Effects:
        read_time(message.data[:6])
        answer = Send(self._answer(message, DONE))
        return [answer, Close()] if len(self._vehicles) == 1 or message.command == 0x06 else [answer]

    def _alive(self, vehicle: _Vehicle, message: Packet, at: int) -> Effects:
        return [Send(self._answer(message, DONE))]

    def _time_wanted(self, vehicle: _Vehicle, message: Packet, at: int) -> Effects:
        timed = msgspec.structs.replace(message, data=write_time(at))
        return [Send(self._answer(timed, DONE))]

    def _data(self, vehicle: _Vehicle, message: Packet, at: int) -> Effects:
        """0x02 and 0x03: the same data again, whether real-time or re-issued, is kept once."""
        data = message.data
        observed = read_time(data[:6])
        report = Bodies(data, 6, is_2025=message.is_2025).read()
        readings = self._readings(vehicle, report, observed)
        key = (vehicle.device, observed, len(data), crc32(data))
        effects: Effects = [Observe(readings, self._answer(message, DONE), key)]
        longitude, latitude = report.vehicle.get("longitude"), report.vehicle.get("latitude")
        if isinstance(longitude, float) and isinstance(latitude, float):
            mapper, division = self._mapper("vehicle"), vehicle.division or self._station.division
            entity = mapper.entity(vehicle.device, division)
            effects.append(Locate(entity, mapper.type.name, division, longitude, latitude, observed))
        return effects

    def _readings(self, vehicle: _Vehicle, report: Report, at: int) -> tuple[Reading, ...]:
        own = self._reading("vehicle", vehicle.device, vehicle, report.vehicle, at)
        parts = [
            self._reading(part.kind, f"{vehicle.device}-{part.number}", vehicle, part.fields, at)
            for part in report.parts
        ]
        return tuple([reading for reading in (own, *parts) if reading.series])

    def _reading(
        self, name: str, device: str, vehicle: _Vehicle, fields: dict[str, Value], at: int
    ) -> Reading:
        return self._mapper(name).reading(device, at, fields, division=vehicle.division)

    def _mapper(self, name: str) -> Mapper:
        mapper = self._station.mappers.get(name)
        if mapper is None:
            raise BadInput("mapping.absent", gateway=self._station.gateway, name=name)
        return mapper

    def _activated(self, vehicle: _Vehicle, message: Packet, at: int) -> Effects:
        """0x09 of 2025 → 0x0A: keys are not managed here, so the vehicle is told that it failed."""
        answer = msgspec.structs.replace(message, command=0x0A, answer=COMMAND, data=b"\x02\x02")
        return [Send(self.codec.encode(answer))]

    def _answered(self, vehicle: _Vehicle, message: Packet) -> Effects:
        if self._orders is None or message.command not in (QUERY, SET, CONTROL):
            return []
        key = (vehicle.device, message.command)
        if message.answer == DONE:
            said = read_parameters(message.data) if message.command == QUERY else {}
            return list(self._orders.answered(key, said))
        error = BadInput(
            "command.refused",
            device=vehicle.device,
            name=f"{message.command:02X}",
            reason=str(message.answer),
        )
        return list(self._orders.failed(key, error))

    def _flag(self, message: Packet, reason: BadInput) -> int:
        if reason.key == "device.unknown":
            return UNKNOWN_VIN
        if not message.is_2025:
            return FAILED
        if message.encryption not in (PLAIN, 0xFF):
            return UNDECIPHERED
        return WRONG_FORM if reason.key.startswith("frame.") else FAILED

    def _answer(self, message: Packet, flag: int) -> bytes:
        """Answers keep the time of the message and drop the rest (6.3.2)."""
        return self.codec.encode(
            msgspec.structs.replace(message, answer=flag, data=message.data[:6], encryption=PLAIN)
        )

    _HEARD: ClassVar = {
        0x01: _login,
        0x02: _data,
        0x03: _data,
        0x04: _logout,
        0x05: _platform_login,
        0x06: _logout,
        0x07: _alive,
        0x08: _time_wanted,
        0x09: _activated,
    }

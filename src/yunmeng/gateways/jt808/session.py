"""The platform's side of a conversation with terminals: registration, reports, parts, commands."""

from collections.abc import Hashable, Iterable
from dataclasses import dataclass
from struct import pack
from typing import ClassVar

import msgspec

from yunmeng.gateways.jt808.codec import NO_VERSION, PROTOCOL, Jt808Codec, Packet, device_of, parts_of
from yunmeng.gateways.jt808.commands import ACKNOWLEDGED, build
from yunmeng.gateways.jt808.fields import write_time
from yunmeng.gateways.jt808.location import (
    Bit,
    Field,
    Location,
    bits_named,
    bits_of,
    fields_of,
    read_location,
)
from yunmeng.gateways.jt808.messages import (
    ANSWERS,
    Answer808,
    read_acknowledgement,
    read_attributes,
    read_batch,
    read_credential,
    read_driver,
    read_media,
    read_parts_wanted,
    read_passengers,
    read_registration,
)
from yunmeng.kernel.base import BadInput, Unavailable, format_us
from yunmeng.kernel.model import Quality, Reading
from yunmeng.kernel.sense import (
    Command,
    DeviceRecord,
    Effect,
    FrameSession,
    Identify,
    InFlight,
    Keep,
    Locate,
    Mapper,
    Observe,
    Reassembly,
    Refuse,
    Send,
    Station,
    bad_frame,
)

DONE, FAILED, WRONG, UNSUPPORTED = 0, 1, 2, 3
_ASK_AFTER_S, _MOST_TERMINALS, _MOST_KEPT = 5.0, 1_000, 8
_REASONS = {FAILED: "failed", WRONG: "message wrong", UNSUPPORTED: "not supported"}

Effects = list[Effect]
PartKey = tuple[bytes, int, int]
"""Phone, message id and first serial number of a message in parts."""


@dataclass(slots=True)
class _Terminal:
    """One terminal that speaks over this connection; ``head`` is a packet of it, for what goes back."""

    device: str
    head: Packet
    record: DeviceRecord | None
    mapper: Mapper
    bits: tuple[Bit, ...]
    is_trusted: bool
    entity: str
    division: str


class Jt808Session(FrameSession[Packet]):
    """Answers terminals; a location is acknowledged once it is on disk.

    Options: ``edition=2011`` for terminals whose pictures have no location, ``acknowledge_parts=1`` for those
    that wait for an answer to every part.
    """

    def __init__(self, station: Station) -> None:
        self._codec = Jt808Codec()
        super().__init__(self._codec)
        self._station = station
        self._terminals: dict[bytes, _Terminal] = {}
        self._parts: Reassembly[PartKey] | None = None
        self._orders: InFlight[int] | None = None
        self._expected: dict[int, tuple[Command, int]] = {}
        self._sent: dict[int, list[Packet]] = {}
        self._serial = 0

    def heard(self, message: Packet, frame: bytes, at: int) -> Iterable[Effect]:
        """Hears one packet; what cannot be taken is refused with a negative answer."""
        terminal = self._terminals.get(message.phone)
        try:
            if terminal is None:
                terminal = self._meet(message)
                known: Effects = [Identify(terminal.device)] if terminal.is_trusted else []
                return known + self._heard(terminal, message, at)
            return self._heard(terminal, message, at)
        except BadInput as reason:
            result = WRONG if reason.key.startswith("frame.") else FAILED
            if message.id not in self._KNOWN:
                result = UNSUPPORTED
            return [Refuse(frame, reason, self._acknowledgement(message, result))]

    def command(self, command: Command, at: int) -> Iterable[Effect]:
        """Sends a command (:mod:`yunmeng.gateways.jt808.commands`); its answer follows."""
        terminal = next((each for each in self._terminals.values() if each.device == command.device), None)
        if terminal is None:
            raise Unavailable("device.offline", device=command.device)
        id, body, answer = build(command.name, command.arguments, terminal.head.version)
        serial = self._serial
        if self._orders is None:
            self._orders = InFlight()
        self._expected[serial] = (command, answer)
        return list(self._orders.send(serial, command, self._message(terminal.head, id, body), at))

    def tick(self, at: int) -> Iterable[Effect]:
        """Asks for parts that are missing, sends commands again, gives up what took too long."""
        effects: Effects = []
        if self._parts is not None:
            for phone, id, first in self._parts.stalled(at, _ASK_AFTER_S):
                effects.append(Send(self._ask_for_parts(phone, id, first)))
            for phone, id, _ in self._parts.expire(at):
                reason = bad_frame(PROTOCOL, f"parts of {id:04X} from {device_of(phone)} did not come")
                effects.append(Refuse(b"", reason))
        if self._orders is not None and self._expected:
            effects += self._orders.tick(at)
            self._expected = {serial: of for serial, of in self._expected.items() if serial in self._orders}
        return effects

    def _meet(self, message: Packet) -> _Terminal:
        device = device_of(message.phone)
        record = self._station.admit(device)
        if len(self._terminals) >= _MOST_TERMINALS:
            raise bad_frame(PROTOCOL, f"more than {_MOST_TERMINALS} terminals on one connection")
        name = (record.mapping if record is not None else "") or "location"
        mapper = self._station.mappers.get(name)
        if mapper is None:
            raise BadInput("mapping.absent", gateway=self._station.gateway, name=name)
        is_trusted = self._station.replayed or record is None or not record.key
        division = record.division if record is not None else ""
        entity = mapper.entity(device, division)
        bits = bits_named(mapper.names)
        terminal = _Terminal(device, message, record, mapper, bits, is_trusted, entity, division)
        self._terminals[message.phone] = terminal
        return terminal

    def _heard(self, terminal: _Terminal, message: Packet, at: int) -> Effects:
        if message.flags & 0x1C00:
            raise bad_frame(PROTOCOL, "encrypted body")
        if message.id == 0x0200 and not message.total and terminal.is_trusted:
            return self._placed(terminal, message, at)
        if message.total > 1:
            return self._part(terminal, message, at)
        return self._whole(terminal, message, at)

    def _whole(self, terminal: _Terminal, message: Packet, at: int) -> Effects:
        if message.id in (0x0100, 0x0102):
            return self._BEFORE_TRUST[message.id](self, terminal, message)
        if not terminal.is_trusted:
            raise BadInput("device.credential", gateway=self._station.gateway, device=terminal.device)
        if (read := ANSWERS.get(message.id)) is not None:
            return self._answered(terminal, message, read(message.body), at)
        if (hear := self._HEARD.get(message.id)) is not None:
            return hear(self, terminal, message, at)
        raise bad_frame(PROTOCOL, f"message {message.id:04X} is not known")

    def _registered(self, terminal: _Terminal, message: Packet) -> Effects:
        """0x0100 → 0x8100: the code that the terminal shows from now on."""
        read_registration(message.body, message.version)
        record = terminal.record
        code = record.options.get("code", "") if record is not None else terminal.device
        if record is not None and not code and not record.key:
            code = terminal.device
        # a terminal whose code we only know by its hash has it already: 3 says so
        body = pack(">HB", message.serial, 0 if code else 3) + code.encode("gbk")
        return [Send(self._message(message, 0x8100, body))]

    def _authenticated(self, terminal: _Terminal, message: Packet) -> Effects:
        code = read_credential(message.body, message.version)
        if not self._station.replayed and terminal.record is not None and not terminal.record.accepts(code):
            terminal.is_trusted = False
            raise BadInput("device.credential", gateway=self._station.gateway, device=terminal.device)
        terminal.is_trusted, terminal.head = True, message
        return [Identify(terminal.device), self._acknowledge(message)]

    def _located(
        self, terminal: _Terminal, message: Packet, locations: list[Location], at: int, reply: bytes = b""
    ) -> Effects:
        """Readings, the newest place, and the acknowledgement once they are on disk."""
        readings = tuple([self._reading(terminal, location, at) for location in locations])
        first = locations[0].at if locations else None
        # without its time a number tells nothing: it begins again after 65,536 messages
        key = None if first is None else (terminal.device, message.id, message.serial, first)
        reply = reply or self._acknowledgement(message, DONE)
        effects: Effects = [Observe(readings, reply, key)]
        placed = [each for each in locations if each.is_positioned and each.at is not None]
        if placed:
            newest = placed[0] if len(placed) == 1 else max(placed, key=lambda each: each.at or 0)
            effects.append(self._place(terminal, newest, at))
        return effects

    def _reading(self, terminal: _Terminal, location: Location, at: int) -> Reading:
        good = location.is_positioned and location.at is not None
        fields = fields_of(location)
        if terminal.bits:
            fields |= bits_of(location, terminal.bits)
        return terminal.mapper.reading(
            terminal.device,
            at if location.at is None else location.at,
            fields,
            division=terminal.division,
            quality=Quality.GOOD if good else Quality.UNCERTAIN,
        )

    def _place(self, terminal: _Terminal, location: Location, at: int) -> Locate:
        return Locate(
            terminal.entity,
            terminal.mapper.type.name,
            terminal.division or self._station.division,
            location.longitude,
            location.latitude,
            at if location.at is None else location.at,
        )

    def _placed(self, terminal: _Terminal, message: Packet, at: int) -> Effects:
        """0x0200, which is nearly everything that terminals say."""
        location = read_location(message.body)
        when = location.at
        key = None if when is None else (terminal.device, 0x0200, message.serial, when)
        reading = self._reading(terminal, location, at)
        observe = Observe((reading,), self._acknowledgement(message, DONE), key)
        if when is None or not location.is_positioned:
            return [observe]
        return [observe, self._place(terminal, location, at)]

    def _batch(self, terminal: _Terminal, message: Packet, at: int) -> Effects:
        return self._located(terminal, message, read_batch(message.body), at)

    def _said(
        self, terminal: _Terminal, message: Packet, fields: dict[str, Field], at: int, key: Hashable = None
    ) -> Effects:
        """Fields of a message of its own as a reading."""
        reading = terminal.mapper.reading(terminal.device, at, fields, division=terminal.division)
        return [Observe((reading,) if reading.series else (), self._acknowledgement(message, DONE), key)]

    def _driver(self, terminal: _Terminal, message: Packet, at: int) -> Effects:
        said = read_driver(message.body)
        fields: dict[str, Field] = {"driver_status": said.status}
        if said.status == 1 and not said.result:
            fields |= {"driver": said.name, "licence": said.licence, "licence_issuer": said.issuer}
        key = (terminal.device, message.id, message.serial, said.at)
        return self._said(terminal, message, fields, said.at, key)

    def _passengers(self, terminal: _Terminal, message: Packet, at: int) -> Effects:
        said = read_passengers(message.body)
        key = (terminal.device, message.id, message.serial, said.end)
        fields: dict[str, Field] = {"boarded": said.boarded, "alighted": said.alighted}
        return self._said(terminal, message, fields, said.end, key)

    def _transparent(self, terminal: _Terminal, message: Packet, at: int) -> Effects:
        kind, data = message.body[:1].hex(), message.body[1:].hex()
        return self._said(terminal, message, {"transparent": f"{kind}:{data}"}, at)

    def _alive(self, terminal: _Terminal, message: Packet, at: int) -> Effects:
        return [Identify(terminal.device), self._acknowledge(message)]

    def _noted(self, terminal: _Terminal, message: Packet, at: int) -> Effects:
        return [self._acknowledge(message)]

    def _time_wanted(self, terminal: _Terminal, message: Packet, at: int) -> Effects:
        # the time of 0x8004 is UTC (2019, 8.6)
        utc = write_time(at - 8 * 3_600_000_000)
        return [Send(self._message(message, 0x8004, utc))]

    def _media(self, terminal: _Terminal, message: Packet, at: int) -> Effects:
        """0x0801 → 0x8800 once the file is stored."""
        media = read_media(message.body, self._station.options.get("edition", ""))
        when = media.location.at if media.location is not None and media.location.at is not None else at
        stamp = format_us(when)[:19].replace("-", "").replace(":", "")
        name = f"{terminal.device}/{stamp}Z-{media.channel}-{media.id}.{media.suffix}"
        reply = self._message(message, 0x8800, pack(">I", media.id))
        return [Keep(name, media.media_type, media.data, reply)]

    def _acknowledged(self, terminal: _Terminal, message: Packet, at: int) -> Effects:
        serial, _, result = read_acknowledgement(message.body)
        command, answer = self._expected.get(serial, (None, ACKNOWLEDGED))
        if self._orders is None or command is None:
            return []
        if result == DONE:
            return list(self._orders.answered(serial, {})) if answer == ACKNOWLEDGED else []
        return self._failed(serial, _REASONS.get(result, str(result)))

    def _failed(self, serial: int, reason: str) -> Effects:
        command, _ = self._expected.pop(serial)
        error = BadInput("command.refused", device=command.device, name=command.name, reason=reason)
        return [] if self._orders is None else list(self._orders.failed(serial, error))

    def _attributes(self, terminal: _Terminal, message: Packet, at: int) -> Effects:
        return self._answered(terminal, message, read_attributes(message.body, message.version), at)

    def _answered(self, terminal: _Terminal, message: Packet, answer: Answer808, at: int) -> Effects:
        serial = self._oldest(message.id) if answer.serial is None else answer.serial
        facts, effects = dict(answer.facts), list[Effect]()
        if answer.location is not None:
            facts |= fields_of(answer.location)
            effects += self._located(terminal, message, [answer.location], at)
        elif message.id != 0x0104:
            effects.append(self._acknowledge(message))
        if serial is None or serial not in self._expected or self._orders is None:
            return effects
        if answer.reason:
            return effects + self._failed(serial, answer.reason)
        del self._expected[serial]
        return effects + list(self._orders.answered(serial, facts))

    def _oldest(self, id: int) -> int | None:
        """The command that a message without its serial number answers."""
        return next((serial for serial, (_, answer) in self._expected.items() if answer == id), None)

    def _part(self, terminal: _Terminal, message: Packet, at: int) -> Effects:
        if not terminal.is_trusted:
            raise BadInput("device.credential", gateway=self._station.gateway, device=terminal.device)
        if self._parts is None:
            self._parts = Reassembly()
        key = (message.phone, message.id, message.first_serial)
        body = self._parts.add(key, message.number, message.total, message.body, at)
        if body is not None:
            whole = msgspec.structs.replace(message, body=body, total=0, number=0)
            return self._whole(terminal, whole, at)
        if message.number == message.total:
            return [Send(self._ask_for_parts(*key))]
        wants = self._station.options.get("acknowledge_parts") == "1"
        return [self._acknowledge(message)] if wants else []

    def _ask_for_parts(self, phone: bytes, id: int, first: int) -> bytes:
        """0x8003: which parts are to come again; for pictures 0x8800 says so, but terminals take both."""
        missing = self._parts.missing((phone, id, first))[:250] if self._parts is not None else ()
        head = self._terminals[phone].head
        count = pack(">B" if head.version == NO_VERSION else ">H", len(missing))
        body = pack(">H", first) + count + b"".join(pack(">H", number) for number in missing)
        return self._message(head, 0x8003, body)

    def _parts_wanted(self, terminal: _Terminal, message: Packet, at: int) -> Effects:
        """0x0005: the parts of a message of ours that did not arrive."""
        serial, wanted = read_parts_wanted(message.body)
        parts = {part.number: part for part in self._sent.get(serial, ())}
        return [Send(self.codec.encode(parts[number])) for number in wanted if number in parts]

    def _acknowledge(self, message: Packet) -> Send:
        return Send(self._acknowledgement(message, DONE))

    def _acknowledgement(self, message: Packet, result: int) -> bytes:
        serial = self._serial
        self._serial = (serial + 1) & 0xFFFF
        return self._codec.acknowledgement(message, serial, result)

    def _message(self, to: Packet, id: int, body: bytes) -> bytes:
        packet = Packet(id, to.phone, self._serial, body, to.version)
        if len(body) <= 1023:
            self._serial = (self._serial + 1) & 0xFFFF
            return self.codec.encode(packet)
        parts = parts_of(packet)
        self._sent[self._serial] = parts
        while len(self._sent) > _MOST_KEPT:
            del self._sent[next(iter(self._sent))]
        self._serial = (self._serial + len(parts)) & 0xFFFF
        return b"".join(map(self.codec.encode, parts))

    _BEFORE_TRUST: ClassVar = {0x0100: _registered, 0x0102: _authenticated}
    _HEARD: ClassVar = {
        0x0001: _acknowledged,
        0x0002: _alive,
        0x0003: _noted,
        0x0004: _time_wanted,
        0x0005: _parts_wanted,
        0x0107: _attributes,
        0x0108: _noted,
        0x0200: _placed,
        0x0301: _noted,
        0x0702: _driver,
        0x0704: _batch,
        0x0800: _noted,
        0x0801: _media,
        0x0900: _transparent,
        0x1005: _passengers,
    }
    _KNOWN: ClassVar = {*_BEFORE_TRUST, *_HEARD, *ANSWERS}

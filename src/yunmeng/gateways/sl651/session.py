"""Conversations with stations in the modes M1 to M4 (clause 6.3)."""

from collections.abc import Iterable
from itertools import chain
from typing import Any

import msgspec

from yunmeng.gateways.sl651.ascii_text import read_ascii
from yunmeng.gateways.sl651.codec import Sl651Codec
from yunmeng.gateways.sl651.hex_text import read_hex
from yunmeng.gateways.sl651.messages import (
    ACK,
    ENQ,
    EOT,
    ESC,
    ETB,
    LINK,
    NAK,
    REPORTS,
    Frame,
    Report,
)
from yunmeng.gateways.sl651.orders import write_order
from yunmeng.gateways.sl651.packets import Key, Packets
from yunmeng.gateways.sl651.reading import Readings
from yunmeng.gateways.sl651.replies import read_reply
from yunmeng.gateways.sl651.writing import write_text
from yunmeng.kernel.base import BadInput, division, format_us
from yunmeng.kernel.sense import (
    Command,
    DeviceRecord,
    Effect,
    FrameSession,
    Identify,
    InFlight,
    Observe,
    Send,
    Station,
    bad_frame,
)

_ANSWERS = REPORTS | {0x37, 0x38, 0x39, 0x3A, 0x44}
"""Functions whose uplink text holds elements."""

_QUERY_NOW, _CLOCK = 0x37, 0x4A
_MOST_STATIONS = 10_000
_CLOCK_REST_US = 60_000_000


class _Known(msgspec.Struct):
    """A station of this connection; ``last`` is how it spoke last, and so how it is spoken to."""

    division: str
    last: Frame
    record: DeviceRecord | None = None
    clock_set_at: int = 0
    polled_at: int = 0


class Sl651Session(FrameSession[Frame]):
    """Hears stations, answers them once their data is safe, asks for lost packets, sends orders.

    Options: ``dialect``, ``mode=m1`` (never answers), ``online=yes`` (asks stations to stay connected),
    ``clock=SECONDS`` (sets clocks that are further off), ``stations``, ``password``, ``centre``, ``coding``
    and ``poll=SECONDS`` for lines on which the centre speaks first (M4).
    """

    def __init__(self, station: Station) -> None:
        options = station.options
        self._codec = Sl651Codec(options.get("dialect", ""))
        super().__init__(self._codec)
        self._place = station
        self._stations: dict[str, _Known] = {}
        self._packets = Packets(self._ask)
        self._orders: InFlight[Key] = InFlight()
        self._readings = Readings(station.mappers, self._home)
        self._silent = options.get("mode", "m2").lower() == "m1"
        self._stay = options.get("online", "no") == "yes"
        self._clock_us, self._poll_us = _micros(station, "clock"), _micros(station, "poll")

    def opened(self, at: int) -> Iterable[Effect]:
        """Knows the stations of the line by the options."""
        options = self._place.options
        for address in filter(None, options.get("stations", "").upper().split(",")):
            centre, password = int(options.get("centre", "1")), int(options.get("password", "0"), 16)
            is_ascii = options.get("coding", "hex") == "ascii"
            self._meet(Frame(address, LINK, b"", centre, password, ascii=is_ascii))
            yield Identify(address)

    def heard(self, message: Frame, frame: bytes, at: int) -> Iterable[Effect]:
        """Takes one frame of a station."""
        if message.down:
            raise bad_frame("sl651", "a frame of a centre")
        effects: list[Effect] = []
        known = self._stations.get(message.station)
        if known is None:
            known = self._meet(message)
            effects.append(Identify(message.station))
        elif known.last.password != message.password:
            self._check_password(known.record, message)
        known.last = message
        text: bytes | None = message.body
        if message.total:
            text, asked = self._packets.add(message, frame, at)
            effects += asked
        if text is None:
            return effects
        if message.function == LINK:
            if len(text) != (16 if message.ascii else 8):
                raise bad_frame("sl651", "the text has no serial number and time")
            return effects
        hear = self._hear_report if message.function in _ANSWERS else self._hear_reply
        return effects + hear(message, text, known, at)

    def command(self, command: Command, at: int) -> Iterable[Effect]:
        """Sends an order of :mod:`yunmeng.gateways.sl651.orders`."""
        function, items = write_order(command)
        known = self._stations.get(command.device)
        if known is None:
            raise BadInput("command.arguments", name=command.name, reason=command.device)
        text = write_text(0, at, items, is_ascii=known.last.ascii)
        data = self._down(known.last, function, text, ENQ)
        return self._orders.send((command.device, function), command, data, at)

    def tick(self, at: int) -> Iterable[Effect]:
        """Sends orders again, asks for lost packets, polls."""
        return chain(self._orders.tick(at), self._packets.tick(at), self._poll(at))

    def _hear_report(self, message: Frame, text: bytes, known: _Known, at: int) -> list[Effect]:
        report = read_ascii(text) if message.ascii else read_hex(text)
        reply = self._confirm(message, report.serial, at)
        effects: list[Effect] = []
        if report.picture is not None:
            effects.append(self._readings.picture(message, report, reply))
            reply = b""
        readings = self._readings.report(message, report)
        if readings:
            key = (message.station, report.serial, report.sent_at, message.function)
            effects.append(Observe(readings, reply, key))
        elif reply:
            effects.append(Send(reply))
        place = (message.station, message.function)
        if len(self._orders) and place in self._orders:
            effects += self._orders.answered(place, _summary(report))
        if self._clock_us:
            effects += self._set_clock(message, known, report.sent_at, at)
        return effects

    def _hear_reply(self, message: Frame, text: bytes, known: _Known, at: int) -> list[Effect]:
        report, result = read_reply(message, text)
        reply = self._confirm(message, report.serial, at)
        effects: list[Effect] = []
        if "status" in result:
            reading = self._readings.status(message, report.sent_at, result["status"])
            effects.append(Observe((reading,), reply))
        elif reply:
            effects.append(Send(reply))
        effects += self._orders.answered((message.station, message.function), result)
        return effects

    def _set_clock(self, message: Frame, known: _Known, sent_at: int, at: int) -> Iterable[Effect]:
        """Sets a clock that is too far off; one that stays wrong is set again with its next report."""
        if abs(at - sent_at) <= self._clock_us or at - known.clock_set_at < _CLOCK_REST_US:
            return
        known.clock_set_at = at
        order = Command(f"{message.station}-clock-{at}", message.station, "set-clock")
        data = self._down(message, _CLOCK, write_text(0, at, (), is_ascii=message.ascii), ENQ)
        yield from self._orders.send((message.station, _CLOCK), order, data, at)

    def _poll(self, at: int) -> Iterable[Effect]:
        if not self._poll_us:
            return
        for known in self._stations.values():
            if at - known.polled_at >= self._poll_us:
                known.polled_at = at
                text = write_text(0, at, (), is_ascii=known.last.ascii)
                yield Send(self._down(known.last, _QUERY_NOW, text, ENQ))

    def _meet(self, message: Frame) -> _Known:
        record = None if self._place.replayed else self._place.admit(message.station)
        self._check_password(record, message)
        if record is not None and record.mapping and record.mapping not in self._place.mappers:
            raise BadInput("mapping.absent", gateway=self._place.gateway, name=record.mapping)
        if len(self._stations) >= _MOST_STATIONS:
            raise bad_frame("sl651", "too many stations on one connection")
        home = (record and record.division) or _division(message.station)
        known = self._stations[message.station] = _Known(home, message, record)
        return known

    def _home(self, address: str, message: Frame) -> tuple[str, str]:
        """Returns division and table of a station, also of one that another one reports for."""
        known = self._stations.get(address)
        if known is None:
            known = self._meet(msgspec.structs.replace(message, station=address))
        return known.division, known.record.mapping if known.record else ""

    def _check_password(self, record: DeviceRecord | None, message: Frame) -> None:
        if record is not None and not record.accepts(f"{message.password:04X}"):
            raise BadInput("device.credential", gateway=self._place.gateway, device=message.station)

    def _confirm(self, message: Frame, serial: int, at: int) -> bytes:
        """Writes the confirmation: more is expected, the station may go, or it is to stay (table 10)."""
        if self._silent:
            return b""
        end = ESC if self._stay else EOT
        if message.end == ETB and not message.total:
            end = ACK
        if not message.ascii and not message.total:
            return self._codec.confirm(message, serial, at, end)
        text = write_text(serial, at, (), is_ascii=message.ascii)
        return self._down(message, message.function, text, end, message.total)

    def _ask(self, message: Frame, number: int, at: int) -> bytes:
        text = write_text(0, at, (), is_ascii=message.ascii)
        return self._down(message, message.function, text, NAK, number)

    def _down(self, message: Frame, function: int, text: bytes, end: int, number: int = 0) -> bytes:
        frame = Frame(
            message.station,
            function,
            text,
            message.centre,
            message.password,
            True,
            end,
            message.total if number else 0,
            number,
            message.ascii,
            message.lower,
        )
        return self.codec.encode(frame)


def _summary(report: Report) -> dict[str, Any]:
    """Returns what an order's caller is told of the data, which is kept as well."""
    result: dict[str, Any] = {"serial": report.serial, "sentAt": format_us(report.sent_at)}
    if report.groups:
        result["values"] = {code: value for group in report.groups for code, value in group.fields.items()}
    if report.series:
        result["series"] = {
            series.name: [[format_us(at), value] for at, value in series.values] for series in report.series
        }
    if report.manual is not None:
        result["manual"] = report.manual
    return result


def _division(station: str) -> str:
    """Returns the county that an address begins with; those of hydrological stations begin with 00."""
    if station.startswith("00") or not station[:6].isdecimal():
        return ""
    try:
        return division(station[:6]).code
    except BadInput:
        return ""


def _micros(station: Station, option: str) -> int:
    text = station.options.get(option, "0")
    try:
        return int(float(text) * 1e6)
    except (ValueError, OverflowError) as cause:
        raise BadInput("sense.option", name=station.gateway, option=option, value=text) from cause

"""Asking water, gas and heat meters, one after the other on a line."""

from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta, timezone
from typing import Any

from yunmeng.gateways.cjt188.codec import PROTOCOL, WAKE, Frame, MeterCodec
from yunmeng.gateways.cjt188.measures import MEASURED, OPEN, SHUT, VALVE, kind_name, read_measures
from yunmeng.kernel.base import BadInput, Unavailable
from yunmeng.kernel.sense import (
    Answer,
    Asking,
    Command,
    Effect,
    FrameSession,
    Observe,
    Question,
    Station,
    bad_frame,
)

READ, WRITE = 0x01, 0x04
_BEIJING = timezone(timedelta(hours=8))
_ORDERS = {"standard": "little", "swapped": "big"}


class MeterSession(FrameSession[Frame]):
    """One line of meters.

    Options: ``meters`` (``10:00000811000001``: type byte, address of fourteen digits; beside the registered
    ones, whose option ``type`` says which), ``every`` (seconds between rounds, 3600), ``wait`` (seconds
    for an answer, 2), ``identifier`` (``standard``: low byte first, or ``swapped``, as many makers send it),
    ``clock=meter`` (the meter's own time instead of that of the answer).
    """

    def __init__(self, station: Station) -> None:
        super().__init__(MeterCodec())
        self._station = station
        self._order = _ORDERS.get(station.options.get("identifier", "standard"))
        if self._order is None:
            raise BadInput(
                "sense.option", name=station.gateway, option="identifier", value=station.options["identifier"]
            )
        self._serial = 0
        self._asking = Asking(
            self._round,
            every_s=float(station.options.get("every", "3600")),
            wait_s=float(station.options.get("wait", "2")),
        )

    def opened(self, at: int) -> Iterable[Effect]:
        """Begins the first round."""
        return self._asking.tick(at)

    def tick(self, at: int) -> Iterable[Effect]:
        """Asks again what was not answered."""
        return self._asking.tick(at)

    def heard(self, message: Frame, frame: bytes, at: int) -> list[Effect]:
        """Takes the answer to the current question; what nobody asked for is refused."""
        if not message.from_meter:
            return []  # our own words, which a line in two wires brings back
        if self._station.replayed:
            return [self._observed(message, at)] if message.function == READ else []
        question = self._asking.current
        if question is None or (message.address, message.function) != (question.device, question.about):
            raise bad_frame(PROTOCOL, f"unasked: {message.address} {message.control:02X}")
        return [*self._taken(question, message, at), *self._asking.answered(at)]

    def command(self, command: Command, at: int) -> Iterable[Effect]:
        """Takes ``read``, and ``valve`` with ``action`` open or close."""
        kind = dict(self._meters()).get(command.device, 0x10)
        if command.name == "read":
            return self._asking.order(self._question(kind, command.device, command), at)
        if command.name != "valve":
            raise BadInput("command.unknown", name=command.name, known="read, valve")
        code = {"open": OPEN, "close": SHUT}.get(str(command.arguments.get("action")))
        if code is None:
            raise BadInput("command.arguments", name="valve", reason="action: open, close")
        frame = Frame(kind, _address(command.device), WRITE, self._identified(VALVE) + bytes((code,)))
        question = Question(command.device, WAKE + self.codec.encode(frame), WRITE, command)
        return self._asking.order(question, at)

    def _round(self) -> Iterator[Question]:
        for meter, kind in self._meters():
            yield self._question(kind, meter)

    def _meters(self) -> list[tuple[str, int]]:
        known = self._station.devices.of(self._station.gateway)
        found = {each.address: _kind(each.options.get("type", "10")) for each in known}
        for text in filter(None, self._station.options.get("meters", "").split(",")):
            kind, _, address = text.rpartition(":")
            found[_address(address)] = _kind(kind or "10")
        return list(found.items())

    def _question(self, kind: int, meter: str, command: Command | None = None) -> Question:
        frame = Frame(kind, _address(meter), READ, self._identified(MEASURED))
        return Question(meter, WAKE + self.codec.encode(frame), READ, command)

    def _identified(self, identifier: int) -> bytes:
        self._serial = (self._serial + 1) & 0xFF
        order = "big" if self._order == "big" else "little"
        return identifier.to_bytes(2, order) + bytes((self._serial,))

    def _taken(self, question: Question, message: Frame, at: int) -> Iterator[Effect]:
        command = question.command
        if message.failed:
            if command is not None:
                reason = message.data[1:3].hex()
                error = Unavailable(
                    "command.refused", device=question.device, name=command.name, reason=reason
                )
                yield Answer(command.id, error=error)
            return
        result: dict[str, Any] = {}
        if message.function == READ:
            result = _measures(message)
            yield self._observed(message, at)
        if command is not None:
            yield Answer(command.id, result)

    def _observed(self, message: Frame, at: int) -> Observe:
        record = self._station.devices.find(self._station.gateway, message.address)
        mapper = self._station.mappers[(record and record.mapping) or kind_name(message.kind)]
        when = at
        if self._station.options.get("clock") == "meter" or self._station.replayed:
            when = _clock(message) or at
        reading = mapper.reading(
            message.address, when, _measures(message), division=(record and record.division) or ""
        )
        return Observe((reading,))


def _measures(message: Frame) -> dict[str, Any]:
    if message.data[:2] not in (MEASURED.to_bytes(2, "little"), MEASURED.to_bytes(2, "big")):
        raise bad_frame(PROTOCOL, f"DI {message.data[:2].hex()}")
    return read_measures(message.kind, message.data[3:])


def _clock(message: Frame) -> int | None:
    """Returns the meter's own time, ss mm hh DD MM YY CC in BCD before the state; None when it has none."""
    digits = message.data[-9:-2][::-1].hex()
    try:
        moment = datetime.strptime(digits, "%Y%m%d%H%M%S").replace(tzinfo=_BEIJING)
    except ValueError:
        return None
    return int(moment.timestamp() * 1e6)


def _address(text: str) -> str:
    if len(text) != 14 or not text.isdecimal() or not text.isascii():
        raise bad_frame(PROTOCOL, f"address: {text!r}")
    return text


def _kind(text: str) -> int:
    try:
        kind = int(text, 16)
    except ValueError:
        kind = 0
    kind_name(kind)
    return kind

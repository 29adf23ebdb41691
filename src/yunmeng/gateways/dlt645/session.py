"""Asking meters: item after item, meter after meter; a line carries one question at a time."""

from collections.abc import Iterable, Iterator
from typing import Any

from yunmeng.gateways.dlt645.codec import PROTOCOL, WAKE, Frame, MeterCodec
from yunmeng.gateways.dlt645.items import item, items, read_value
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

READ, CONTROL, SET_TIME = 0x11, 0x1C, 0x08
DEFAULT_ITEMS = "energy_imported,active_power"
_SWITCH = {"trip": 0x1A, "close_allow": 0x1B, "close": 0x1C, "alarm": 0x2A, "alarm_off": 0x2B}
_ERRORS = (
    "other",
    "no such data",
    "password",
    "speed",
    "year's tariffs",
    "day's tariffs",
    "tariffs",
    "reserved",
)


class MeterSession(FrameSession[Frame]):
    """One line of meters.

    Options: ``meters`` (twelve-digit addresses, beside the registered ones), ``items`` (names of
    ``items.toml``), ``every`` (seconds between rounds, 60), ``wait`` (seconds for an answer, 2).
    """

    def __init__(self, station: Station) -> None:
        super().__init__(MeterCodec())
        self._station = station
        self._items = station.options.get("items", DEFAULT_ITEMS).split(",")
        for name in self._items:
            item(name)
        self._asking = Asking(
            self._round,
            every_s=float(station.options.get("every", "60")),
            wait_s=float(station.options.get("wait", "2")),
        )

    def opened(self, at: int) -> Iterable[Effect]:
        """Begins the first round."""
        return self._asking.tick(at)

    def tick(self, at: int) -> Iterable[Effect]:
        """Asks again what was not answered."""
        return self._asking.tick(at)

    def heard(self, message: Frame, frame: bytes, at: int) -> list[Effect]:
        """Takes the answer to the current question; what nobody asked for is not kept."""
        if not message.from_meter:
            return []  # our own words, which a line in two wires brings back
        if self._station.replayed:
            return self._replayed(message, at)
        question = self._asking.current
        if question is None or not _answers(message, question):
            raise bad_frame(PROTOCOL, f"unasked: {message.address} {message.control:02X}")
        return [*self._taken(question, message, at), *self._asking.answered(at)]

    def command(self, command: Command, at: int) -> Iterable[Effect]:
        """Takes ``read`` (item), ``switch`` (action, password, operator)."""
        if command.name == "read":
            name = str(command.arguments.get("item"))
            question = self._question(command.device, name, command)
        elif command.name == "switch":
            question = _switch(command, at)
        else:
            raise BadInput("command.unknown", name=command.name, known="read, switch")
        return self._asking.order(question, at)

    def _round(self) -> Iterator[Question]:
        listed = [text for text in self._station.options.get("meters", "").split(",") if text]
        known = [record.address for record in self._station.devices.of(self._station.gateway)]
        for meter in dict.fromkeys([*listed, *known]):
            for name in self._items:
                yield self._question(meter, name)

    def _question(self, meter: str, name: str, command: Command | None = None) -> Question:
        frame = Frame(check_address(meter), READ, item(name).wire_id)
        return Question(meter, WAKE + self.codec.encode(frame), (READ, name), command)

    def _taken(self, question: Question, message: Frame, at: int) -> Iterator[Effect]:
        function, name = question.about
        if message.failed:
            if question.command is not None:
                yield Answer(question.command.id, error=_refusal(question, message))
            return
        result: dict[str, Any] = {}
        if function == READ:
            result = {name: read_value(items()[name], message.data[4:])}
            yield self._observed(question.device, result, at)
        if question.command is not None:
            yield Answer(question.command.id, result)

    def _observed(self, meter: str, fields: dict[str, Any], at: int) -> Observe:
        record = self._station.devices.find(self._station.gateway, meter)
        mapper = self._station.mappers[(record and record.mapping) or "meter"]
        # the meter says no time with its values: they are of this moment
        reading = mapper.reading(meter, at, fields, division=(record and record.division) or "")
        return Observe((reading,) if reading.series else ())

    def _replayed(self, message: Frame, at: int) -> list[Effect]:
        if message.function != READ or message.failed:
            return []
        for name, each in items().items():
            if message.data.startswith(each.wire_id):
                return [self._observed(message.address, {name: read_value(each, message.data[4:])}, at)]
        raise bad_frame(PROTOCOL, f"DI {message.data[3::-1].hex()}")


def check_address(text: str) -> str:
    """Returns a meter's address. Raises ``BadInput("frame.bad")`` when it is not twelve digits."""
    if len(text) != 12 or not text.isdecimal() or not text.isascii():
        raise bad_frame(PROTOCOL, f"address: {text!r}")
    return text


def _answers(message: Frame, question: Question) -> bool:
    function, name = question.about
    if message.address != question.device or message.function != function:
        return False
    return function != READ or message.failed or message.data.startswith(items()[name].wire_id)


def _switch(command: Command, at: int) -> Question:
    """Remote control 跳合闸 (§7.11): level, password, operator, action, and until when the order holds."""
    from datetime import UTC, datetime, timedelta, timezone

    action = str(command.arguments.get("action"))
    password, operator = (str(command.arguments.get(name, "")) for name in ("password", "operator"))
    fits = len(password) == 8 and password.isdecimal() and len(operator) <= 8 and operator.isdecimal()
    if action not in _SWITCH or not fits:
        reason = f"action: {', '.join(_SWITCH)}; password: PA+P2P1P0, 8 digits; operator: digits"
        raise BadInput("command.arguments", name="switch", reason=reason)
    until = datetime.fromtimestamp(at / 1e6, UTC).astimezone(timezone(timedelta(hours=8))) + timedelta(
        minutes=5
    )
    data = (
        bytes.fromhex(password[:2])
        + bytes.fromhex(password[2:])[::-1]
        + bytes.fromhex(operator.zfill(8))[::-1]
        + bytes((_SWITCH[action], 0))
        + bytes.fromhex(until.strftime("%y%m%d%H%M%S"))[::-1]
    )
    frame = WAKE + MeterCodec().encode(Frame(check_address(command.device), CONTROL, data))
    return Question(command.device, frame, (CONTROL, action), command)


def _refusal(question: Question, message: Frame) -> Unavailable:
    bits = message.data[0] if message.data else 0
    reasons = [text for place, text in enumerate(_ERRORS) if bits >> place & 1]
    name = question.command.name if question.command else "read"
    return Unavailable(
        "command.refused", device=question.device, name=name, reason=", ".join(reasons) or f"{bits:02X}"
    )

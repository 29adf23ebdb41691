"""The conversation of a controlling station with one outstation (104, clauses 5 to 7)."""

import logging
from collections.abc import Hashable, Iterable, Iterator, Mapping

from yunmeng.gateways.iec104.apci import PROTOCOL, Apdu, Function, Iec104Codec, Numbered
from yunmeng.gateways.iec104.asdu import Asdu, Cause, Shape, read_asdu, write_asdu
from yunmeng.gateways.iec104.clock import Clock
from yunmeng.gateways.iec104.commands import write_order
from yunmeng.gateways.iec104.elements import read_point
from yunmeng.gateways.iec104.link import Link, read_limits
from yunmeng.gateways.iec104.orders import Orders
from yunmeng.gateways.iec104.points import Points
from yunmeng.gateways.iec104.types import INITIALISED, LAST_MONITORED
from yunmeng.kernel.base import BadInput, Unavailable
from yunmeng.kernel.sense import (
    Answer,
    Close,
    Command,
    Effect,
    FrameSession,
    Identify,
    Lose,
    Observe,
    Refuse,
    Station,
    bad_frame,
)

_EVERY = {"interrogate": "3600", "counters": "0", "clock": "0"}
_ORDER_OF = {"clock": "clock", "interrogate": "interrogate", "counters": "interrogate-counters"}
_log = logging.getLogger("yunmeng.sense")


class Iec104Session(FrameSession[Apdu]):
    """Starts the transfer, interrogates, acknowledges what is on disk, sends commands.

    Options: ``device`` (how the station is called), ``stations`` (its common addresses), ``originator``,
    ``time=beijing|utc``, ``interrogate``, ``counters`` and ``clock`` (seconds between two of each, 0 for
    never; the first when the transfer starts), ``k w t1 t2 t3``, ``wait`` and ``end`` (seconds for the
    confirmation and the termination of a command), ``termination=no``, ``cot_size ca_size ioa_size``.
    """

    def __init__(self, station: Station) -> None:
        options = station.options
        self._codec = Iec104Codec()
        super().__init__(self._codec)
        self._place = station
        self._shape = Shape(*(_size(options, *each) for each in (("cot", 2), ("ca", 2), ("ioa", 3))))
        self._clock = Clock(options.get("time", "beijing"))
        self._points = Points(station.mappers, self._clock)
        self._link = Link(self._codec, read_limits(options))
        self._orders = Orders(
            self._push,
            lambda asdu: self._link.withdraw(write_asdu(asdu, self._shape)),
            wait_s=_seconds(options, "wait", "10"),
            end_s=_seconds(options, "end", "60"),
            terminates=options.get("termination", "yes") != "no",
        )
        self._originator = _whole(options, "originator", "0", 255)
        self._stations = [
            _whole({"stations": each}, "stations", "", 65_534)
            for each in options.get("stations", "1").split(",")
        ]
        self._every = {name: int(_seconds(options, name, usual) * 1e6) for name, usual in _EVERY.items()}
        self._due: dict[str, int] = {}
        self._division = ""
        self._over = False

    def opened(self, at: int) -> Iterable[Effect]:
        """Starts the transfer of data (5.3)."""
        try:
            for name in map(self._name, self._stations):
                record = self._place.admit(name)
                self._division = (record and record.division) or self._division
        except BadInput as reason:
            _log.warning("%s: %s", self._place.peer, reason)
            return [Close()]
        return list(self._link.ask(Function.STARTDT_ACT, at))

    def heard(self, message: Apdu, frame: bytes, at: int) -> list[Effect]:
        """Takes one APDU; one whose numbers cannot be right ends the connection (5.1)."""
        if self._over:
            return []
        if self._place.replayed:
            return self._taken(message.asdu, frame, 0, at) if isinstance(message, Numbered) else []
        was_started = self._link.started
        try:
            if isinstance(message, Numbered) and not was_started:
                raise bad_frame(PROTOCOL, "data before the transfer was started")
            effects = list(self._link.heard(message, at))
        except BadInput as reason:
            self._over = True
            return [Refuse(frame, reason), Close()]
        if self._link.started != was_started:
            effects += self._started(at) if self._link.started else map(Lose, map(self._name, self._stations))
        if isinstance(message, Numbered):
            effects += self._taken(message.asdu, frame, message.send, at)
        return effects

    def kept(self, told: Hashable, at: int) -> Iterable[Effect]:
        """An ASDU is on disk: its number may be acknowledged."""
        return self._link.kept(told, at) if isinstance(told, int) else ()

    def command(self, command: Command, at: int) -> Iterator[Effect]:
        """Sends an order of :mod:`yunmeng.gateways.iec104.commands`; ``start`` and ``stop`` the transfer."""
        if command.name in ("start", "stop"):
            yield from self._switch(command, at)
            return
        if not self._link.started:
            raise Unavailable("device.offline", device=command.device)
        station = next((each for each in self._stations if self._name(each) == command.device), None)
        if station is None:
            raise BadInput("command.arguments", name=command.name, reason=command.device)
        order = write_order(command, station, self._originator, self._clock, at)
        yield from self._orders.begin(command, order, at)

    def tick(self, at: int) -> Iterator[Effect]:
        """Acknowledges, tests the line, gives up commands, interrogates anew."""
        yield from self._link.tick(at)
        yield from self._orders.tick(at)
        if self._link.started:
            for name in [name for name, due in self._due.items() if due <= at]:
                yield from self._ask_all(name, at)

    def _taken(self, data: bytes, frame: bytes, number: int, at: int) -> list[Effect]:
        """Takes an ASDU; a bad one lies in quarantine before its number is acknowledged."""
        try:
            asdu = read_asdu(data, self._shape)
            if asdu.test:
                raise bad_frame(PROTOCOL, f"type {asdu.type} as a test")
            if asdu.type <= LAST_MONITORED:
                return self._observed(asdu, number, at)
        except BadInput as reason:
            return [Refuse(frame, reason, told=number)]
        effects = list(self._orders.heard(asdu, at))
        if not effects and asdu.negative:  # what we asked for of ourselves: an interrogation, the clock
            _log.warning("%s: type %d refused with cause %d", self._place.peer, asdu.type, asdu.cause)
        if asdu.type == INITIALISED:
            # whatever it had told before is void (101, 6.4): it is asked for everything
            effects += self._ask(asdu.station, ("clock", "interrogate", "counters"), at)
        return [*effects, *self._link.kept(number, at)]

    def _observed(self, asdu: Asdu, number: int, at: int) -> list[Effect]:
        device = self._name(asdu.station)
        readings = self._points.readings(asdu, device, self._division, at)
        effects: list[Effect] = [Observe(readings, key=self._points.key(asdu, device), told=number)]
        if asdu.cause == Cause.REQUEST:
            for item in asdu.items:
                value = read_point(asdu.type, item, self._clock).value
                effects += self._orders.read(asdu.station, item.address, value)
        return effects

    def _started(self, at: int) -> Iterator[Effect]:
        yield from map(Identify, map(self._name, self._stations))
        for name in ("clock", "interrogate", "counters"):
            yield from self._ask_all(name, at)

    def _ask_all(self, name: str, at: int) -> Iterator[Effect]:
        if every := self._every[name]:
            self._due[name] = at + every
            for station in self._stations:
                yield from self._ask(station, (name,), at)

    def _ask(self, station: int, names: Iterable[str], at: int) -> Iterator[Effect]:
        for name in names:
            if self._every[name]:
                command = Command("", self._name(station), _ORDER_OF[name])
                order = write_order(command, station, self._originator, self._clock, at)
                yield from self._push(order.asdu, at)

    def _switch(self, command: Command, at: int) -> Iterator[Effect]:
        stops = command.name == "stop"
        if stops:
            yield from self._link.last_word()
        yield from self._link.ask(Function.STOPDT_ACT if stops else Function.STARTDT_ACT, at)
        yield Answer(command.id, {"asked": True})

    def _push(self, asdu: Asdu, at: int) -> Iterator[Effect]:
        return self._link.push(write_asdu(asdu, self._shape), at)

    def _name(self, station: int) -> str:
        stem = self._place.options.get("device") or self._place.peer.rpartition(":")[0]
        return stem if self._stations == [station] else f"{stem}-{station}"


def _size(options: Mapping[str, str], name: str, usual: int) -> int:
    size = _whole(options, f"{name}_size", str(usual), usual)
    if not size:
        raise BadInput("sense.option", name=PROTOCOL, option=f"{name}_size", value="0")
    return size


def _whole(options: Mapping[str, str], name: str, usual: str, most: int) -> int:
    text = options.get(name, usual)
    if not text.isdecimal() or int(text) > most:
        raise BadInput("sense.option", name=PROTOCOL, option=name, value=text)
    return int(text)


def _seconds(options: Mapping[str, str], name: str, usual: str) -> float:
    text = options.get(name, usual)
    try:
        number = float(text)
    except ValueError:
        number = -1.0
    if not 0 <= number < 1e7:
        raise BadInput("sense.option", name=PROTOCOL, option=name, value=text)
    return number

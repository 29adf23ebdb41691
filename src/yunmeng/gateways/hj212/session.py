"""Conversations with data loggers: data and answers, notices, requests in several steps (clause 6.5)."""

from collections.abc import Iterable
from typing import Any

import msgspec

from yunmeng.gateways.hj212.cipher import encrypt, is_written, read_key
from yunmeng.gateways.hj212.codec import Hj212Codec
from yunmeng.gateways.hj212.messages import (
    ANSWERED,
    DATA_ANSWER,
    HEARTBEAT,
    NOTICE_ANSWER,
    REQUEST_ANSWER,
    RESULT,
    Packet,
    make_packet,
)
from yunmeng.gateways.hj212.orders import write_order
from yunmeng.gateways.hj212.readings import Content, find_table, read_readings, write_time
from yunmeng.kernel.base import BadInput, Secret, Unavailable
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

_CLOCK_REQUEST, _KEY_REQUEST = "1013", "1014"
_NOTICES = frozenset((_CLOCK_REQUEST, _KEY_REQUEST, HEARTBEAT))
_ANSWERS = frozenset((REQUEST_ANSWER, RESULT, NOTICE_ANSWER, DATA_ANSWER))
_ENCRYPTED = frozenset((_KEY_REQUEST, "3020"))
"""What the centre encrypts too, to a device that encrypts (6.4.4 of 2025)."""
_EXECUTION_S = 300.0
_MOST_SPLIT = 1000
_MOST_DEVICES = 10_000

REQUEST_CODES = {
    "2": "refused",
    "3": "PW",
    "4": "MN",
    "5": "ST",
    "6": "Flag",
    "7": "QN",
    "8": "CN",
    "9": "CRC",
    "100": "unknown",
}
"""Why a device does not take a request (table 7)."""

RESULT_CODES = {
    "2": "failed",
    "3": "bad condition",
    "4": "timeout",
    "5": "busy",
    "6": "broken",
    "100": "no data",
}
"""Why a device could not do what was asked (table 6)."""


class _Known(msgspec.Struct):
    """A device of this connection, and the line that it sent last."""

    last: Packet
    record: DeviceRecord | None
    division: str


class _Asked(msgspec.Struct):
    """A request under way: what has come for it."""

    mn: str
    cn: str
    result: dict[str, Any]


class Hj212Session(FrameSession[Packet]):
    """Hears data loggers, answers once their data is safe, asks and sets.

    Options: ``dialect=bare`` (no CR LF), ``clock=no`` (does not set the clock of a device that asks for it).
    """

    def __init__(self, station: Station) -> None:
        super().__init__(Hj212Codec(station.options.get("dialect", ""), self._key))
        self._place = station
        self._keys: dict[str, bytes] = {}
        self._devices: dict[str, _Known] = {}
        self._orders: InFlight[str] = InFlight()
        self._asked: dict[str, _Asked] = {}
        self._times: dict[tuple[str, str, str], str] = {}
        self._sets_clock = station.options.get("clock", "yes") == "yes"
        self._newest_us = 0

    def heard(self, message: Packet, frame: bytes, at: int) -> Iterable[Effect]:
        """Takes one line of a device."""
        effects: list[Effect] = []
        known = self._devices.get(message.mn)
        if known is None:
            known = self._meet(message)
            effects.append(Identify(message.mn))
        elif message.pw != known.last.pw:
            self._check_password(known.record, message)
        if message.cn in _ANSWERS:
            return effects + self._hear_answer(message, at)
        known.last = message
        asked = self._find_asked(message)
        if asked is None and message.cn in _NOTICES:
            return effects + self._hear_notice(message, at)
        if asked is not None and not message.cn.startswith("2"):
            asked.result.update(_plain(message.cp))
            return effects + [Send(reply) for reply in (self._reply(message, DATA_ANSWER),) if reply]
        return effects + self._hear_data(message, known, asked, at)

    def command(self, command: Command, at: int) -> Iterable[Effect]:
        """Sends a command of :mod:`yunmeng.gateways.hj212.orders`."""
        order, cp = write_order(command, at)
        known = self._devices.get(command.device)
        if known is None:
            raise BadInput("command.arguments", name=command.name, reason=command.device)
        return self._send(command, known, order.cn, cp, at)

    def tick(self, at: int) -> Iterable[Effect]:
        """Sends requests again that were not answered."""
        yield from self._orders.tick(at)
        for qn in [qn for qn in self._asked if qn not in self._orders]:
            del self._asked[qn]

    def _hear_data(self, message: Packet, known: _Known, asked: _Asked | None, at: int) -> list[Effect]:
        content = Content(message.cp)
        if message.pnum > 1:
            self._take_time(message, content)
        reply = self._reply(message, DATA_ANSWER)
        wanted = known.record.mapping if known.record is not None else ""
        mapper = self._place.mappers.get(wanted) or find_table(message.st, self._place.mappers)
        readings = read_readings(message, content, mapper, known.division, at)
        if asked is not None:
            asked.result["lines"] = asked.result.get("lines", 0) + 1
        if readings:
            said = (message.qn, content.time, message.pno) if message.qn else (message.cp,)
            return [Observe(readings, reply, (message.mn, message.cn, *said))]
        return [Send(reply)] if reply else []

    def _take_time(self, message: Packet, content: Content) -> None:
        """One of several lines without a time has that of the line before it (tables C.49, C.50)."""
        key = (message.mn, message.qn, message.cn)
        if not 1 <= message.pno <= message.pnum:
            raise bad_frame("hj212", f"packet {message.pno} of {message.pnum}")
        if content.time:
            if len(self._times) >= _MOST_SPLIT:
                self._times.clear()
            self._times[key] = content.time
        elif key in self._times:
            content.time = self._times[key]
        else:
            raise bad_frame("hj212", f"packet {message.pno} of {message.pnum} tells no time")

    def _hear_notice(self, message: Packet, at: int) -> list[Effect]:
        reply = self._reply(message, NOTICE_ANSWER)
        effects: list[Effect] = [Send(reply)] if reply else []
        if message.cn == _CLOCK_REQUEST and self._sets_clock:
            factor = _plain(message.cp).get("PolId", "")
            arguments = {"PolId": factor} if factor else {}
            command = Command(f"{message.mn}-clock-{at}", message.mn, "set-time", arguments)
            effects += self.command(command, at)
        return effects

    def _hear_answer(self, message: Packet, at: int) -> list[Effect]:
        asked, fields, qn = self._asked.get(message.qn), _plain(message.cp), message.qn
        if asked is None or asked.mn != message.mn or message.cn == DATA_ANSWER:
            return []
        if message.cn == REQUEST_ANSWER and fields.get("QnRtn") == "1":
            self._orders.accepted(qn, at, _EXECUTION_S)
            return []
        del self._asked[qn]
        if message.cn == REQUEST_ANSWER:
            reason = REQUEST_CODES.get(fields.get("QnRtn", ""), message.cp)
        elif message.cn == NOTICE_ANSWER or fields.get("ExeRtn") == "1":
            return list(self._orders.answered(qn, asked.result))
        else:
            reason = RESULT_CODES.get(fields.get("ExeRtn", ""), message.cp)
        error = BadInput("command.refused", device=message.mn, name=asked.cn, reason=reason)
        return list(self._orders.failed(qn, error))

    def _send(self, command: Command, known: _Known, cn: str, cp: str, at: int) -> Iterable[Effect]:
        self._newest_us = max(at, self._newest_us + 1000)
        qn, last = write_time(self._newest_us, milliseconds=True), known.last
        packet = make_packet(cn, last.mn, qn=qn, st=last.st, pw=last.pw, flag=last.version | ANSWERED, cp=cp)
        key = self._key(last.mn) if last.plain and cn in _ENCRYPTED else None
        if key is not None:
            packet = _encrypted(packet, last, key)
        self._asked[qn] = _Asked(last.mn, cn, {})
        return self._orders.send(qn, command, self.codec.encode(packet), at)

    def _reply(self, message: Packet, cn: str) -> bytes:
        if not message.flag & ANSWERED:
            return b""
        answer = make_packet(cn, message.mn, qn=message.qn, pw=message.pw, flag=message.version)
        return self.codec.encode(answer)

    def _find_asked(self, message: Packet) -> _Asked | None:
        asked = self._asked.get(message.qn)
        if asked is not None:
            return asked if asked.mn == message.mn else None
        for other in self._asked.values():
            if other.mn == message.mn and other.cn == message.cn:
                return other
        return None

    def _meet(self, message: Packet) -> _Known:
        record = None if self._place.replayed else self._place.admit(message.mn)
        self._check_password(record, message)
        if record is not None and record.mapping and record.mapping not in self._place.mappers:
            raise BadInput("mapping.absent", gateway=self._place.gateway, name=record.mapping)
        if len(self._devices) >= _MOST_DEVICES:
            raise bad_frame("hj212", "too many devices on one connection")
        home = record.division if record is not None else ""
        known = self._devices[message.mn] = _Known(message, record, home)
        return known

    def _key(self, mn: str) -> bytes | None:
        """Returns the device's SM4 key, by reference in its record's option ``sm4``, read once."""
        record = self._place.devices.find(self._place.gateway, mn)
        reference = record.options.get("sm4", "") if record is not None else ""
        if reference and reference not in self._keys:
            try:
                self._keys[reference] = read_key(Secret(reference).reveal())
            except Unavailable as cause:
                raise bad_frame("hj212", f"the key of {mn}: {cause}") from cause
        return self._keys.get(reference)

    def _check_password(self, record: DeviceRecord | None, message: Packet) -> None:
        if record is not None and not record.accepts(message.pw):
            raise BadInput("device.credential", gateway=self._place.gateway, device=message.mn)


def _encrypted(packet: Packet, like: Packet, key: bytes) -> Packet:
    """Returns the packet encrypted, in the way of writing and of counting that the device itself has."""
    data = encrypt(packet.data, key, written=is_written(like.data))
    counted = -1 if like.counted < 0 else len(packet.data)
    return msgspec.structs.replace(packet, data=data, plain=packet.data, counted=counted)


def _plain(cp: str) -> dict[str, str]:
    """Returns the fields of a line that holds no data."""
    pairs = (item.partition("=") for project in cp.split(";") for item in project.split(","))
    return {name.strip(): value.strip() for name, equals, value in pairs if equals}

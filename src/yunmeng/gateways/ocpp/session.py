"""The central system's side of a conversation with one charging station."""

from collections.abc import Iterable
from typing import Any, cast

from yunmeng.gateways.ocpp import heard2, heard16
from yunmeng.gateways.ocpp.central import Central
from yunmeng.gateways.ocpp.charger import Charger, Outcome
from yunmeng.gateways.ocpp.codec import OcppCodec, fault
from yunmeng.gateways.ocpp.commands import build, local_list
from yunmeng.gateways.ocpp.messages import (
    Call,
    CallError,
    CallResult,
    CallResultError,
    Message,
    Payload,
    SendCall,
)
from yunmeng.gateways.ocpp.orders import Orders
from yunmeng.gateways.ocpp.schemas import REQUEST, VERSIONS, actions, spelt, violation
from yunmeng.kernel.base import BadInput, Unavailable
from yunmeng.kernel.sense import (
    Command,
    Effect,
    FrameSession,
    Greeting,
    Identify,
    Observe,
    Refuse,
    Send,
    Station,
)

_LONGEST_NAME, _LONGEST_TEXT = 255, 255
_BOOT = "BootNotification"
_NOT_YET = {"Authorize", "StartTransaction", "TransactionEvent"}
"""What a station that is not in service yet may not do (B02); it may report, and be configured."""
_WRONG_VALUE = {"mapping.value", "time.bad", "time.naive"}
_VERSIONS = {version: subprotocol for subprotocol, version in VERSIONS.items()}


class OcppSession(FrameSession[Message]):
    """Answers a station; transactions, meter values and notices are acknowledged once they are on disk.

    Options: ``tokens`` (the file of :mod:`yunmeng.gateways.ocpp.tokens`), ``heartbeat`` seconds (300),
    ``zone`` for stations whose times name none. A replayed frame begins with a line that names station and
    version, as in quarantine: ``CP-7 ocpp1.6``.

    Raises:
        BadInput: ``device.unknown``, ``device.suspended``, ``device.credential``: they refuse the handshake.
    """

    def __init__(self, station: Station) -> None:
        self._codec = OcppCodec()
        super().__init__(self._codec)
        self._station = station
        self._central = Central.of(station)
        self._charger = Charger("", "1.6", station, self._central)
        if station.greeting is not None:
            self._charger = self._greeted(station.greeting)
        self._orders = Orders(self._codec, self._charger.version)

    def opened(self, at: int) -> Iterable[Effect]:
        """Commands find the station as soon as it is there, unless it is not to be spoken to."""
        return [Identify(self._charger.name)] if self._charger.state != "Rejected" else []

    def received(self, data: bytes, at: int) -> Iterable[Effect]:
        """Hears one message; in a replay, of the station that its first line names."""
        if not self._station.replayed:
            return super().received(data, at)
        head, newline, frame = data.partition(b"\n")
        name, _, subprotocol = head.decode(errors="replace").rpartition(" ")
        if not newline or not name or subprotocol not in VERSIONS:
            return [Refuse(data, fault("", "no line with station and version before the message", ""))]
        self._charger = Charger(name, VERSIONS[subprotocol], self._station, self._central)
        return super().received(frame, at)

    def heard(self, message: Message, frame: bytes, at: int) -> Iterable[Effect]:
        """Answers one message."""
        match message:
            case Call():
                return self._called(message, frame, at)
            case CallResult():
                return self._answered(message, frame, at)
            case CallError():
                return self._orders.failed(message, at)
            case CallResultError():
                reason = f"the station refused our answer: {message.code} {message.description}"
                raise fault("", reason, "")
            case SendCall():
                raise fault("", f"{message.action[:50]}: no such stream was opened", "")

    def refused(self, frame: bytes, reason: BadInput) -> Refuse:
        """Sets a message aside, and answers it where the standard has an answer."""
        code = spelt(self._charger.version, str(reason.facts.get("code", "")))
        # a request whose id cannot be read is answered all the same (2.x part 4, 4.2.3)
        id = str(reason.facts.get("id", "")) or "-1"
        reply = self._error(id, code, str(reason.facts.get("reason", reason))) if code else b""
        return Refuse(self._labelled(frame), reason, reply)

    def command(self, command: Command, at: int) -> Iterable[Effect]:
        """Sends a command (:mod:`yunmeng.gateways.ocpp.commands`); its answer follows."""
        if command.device != self._charger.name or self._charger.state == "Rejected":
            raise Unavailable("device.offline", device=command.device)
        arguments = dict(command.arguments)
        if command.name == "send-list" and "tokens" not in arguments:
            arguments["tokens"] = local_list(self._central.tokens.all(at), self._charger.version)
        action, payload = build(command.name, arguments, self._charger.version)
        return list(self._orders.order(command, action, payload, at))

    def tick(self, at: int) -> Iterable[Effect]:
        """Gives up commands that took too long."""
        return list(self._orders.tick(at))

    def _greeted(self, greeting: Greeting) -> Charger:
        """Knows the station by the last part of its path (1.6J 3.1.1), and by its credential."""
        name, gateway = greeting.path.rpartition("/")[2], self._station.gateway
        if not name or len(name) > _LONGEST_NAME or not name.isprintable():
            raise BadInput("device.unknown", gateway=gateway, device=name[:_LONGEST_NAME])
        charger = Charger(name, VERSIONS[greeting.subprotocol], self._station, self._central)
        record = charger.record
        if record is None or record.state == "retired":
            self._station.admit(name)
        if record is not None and record.key:
            shown = (_text(greeting.password), greeting.password.hex(), greeting.password.hex().upper())
            if greeting.user != name or not any(record.accepts(each) for each in shown):
                raise BadInput("device.credential", gateway=gateway, device=name)
        return charger

    def _called(self, call: Call, frame: bytes, at: int) -> list[Effect]:
        try:
            self._check(call)
            outcome = self._outcome(call, at)
        except BadInput as reason:
            wrong = "PropertyConstraintViolation" if reason.key in _WRONG_VALUE else "InternalError"
            code = str(reason.facts.get("code") or wrong)
            reply = self._error(call.id, code, str(reason.facts.get("reason", reason)))
            return [Refuse(self._labelled(frame), reason, reply)]
        reply = self._codec.encode(CallResult(call.id, outcome.payload))
        answer: Effect = Send(reply)
        if outcome.key is not None or outcome.readings or outcome.entities:
            answer = Observe(outcome.readings, reply, outcome.key, entities=outcome.entities)
        return [*outcome.more, answer]

    def _check(self, call: Call) -> None:
        """Raises why a request is not heard at all."""
        version, state = self._charger.version, self._charger.state
        if call.action not in actions(version):
            raise fault("NotImplemented", f"{call.action[:50]} is no action of OCPP {version}", call.id)
        if call.action != _BOOT and (state == "Rejected" or (state == "Pending" and call.action in _NOT_YET)):
            raise fault("SecurityError", f"{call.action}: the station is {state.lower()}", call.id)
        found = violation(version, REQUEST, call.action, call.payload)
        if found is not None:
            raise fault(found.code, found.reason, call.id)

    def _outcome(self, call: Call, at: int) -> Outcome:
        is16 = self._charger.version == "1.6"
        if not is16 and call.action in heard2.REPORTS:
            return Outcome({}, more=tuple(self._part(call.action, call.payload)))
        handle = (heard16.HANDLES if is16 else heard2.HANDLES).get(call.action)
        if handle is None:
            raise fault("NotSupported", f"{call.action} is not for a central system", call.id)
        outcome = handle(self._charger, call.payload, at)
        if call.action == _BOOT and self._charger.state != "Rejected":
            # one that was suspended when it came is to be spoken to again
            outcome.more = (Identify(self._charger.name),)
        return outcome

    def _part(self, action: str, payload: Payload) -> Iterable[Effect]:
        member = heard2.REPORTS[action]
        found: Any = payload.get(member, []) if member else payload
        items = cast("list[Any]", found) if isinstance(found, list) else [found]
        return list(self._orders.part(int(payload["requestId"]), items, not payload.get("tbc", False)))

    def _answered(self, message: CallResult, frame: bytes, at: int) -> list[Effect]:
        wrong, effects = self._orders.answered(message, at)
        if wrong is None:
            return effects
        reply = b""
        if self._charger.version == "2.1":
            text = wrong.reason[:_LONGEST_TEXT]
            reply = self._codec.encode(CallResultError(message.id, wrong.code, text))
        return [Refuse(self._labelled(frame), fault("", wrong.reason, ""), reply), *effects]

    def _error(self, id: str, code: str, text: str) -> bytes:
        code = spelt(self._charger.version, code)
        return self._codec.encode(CallError(id, code, text[:_LONGEST_TEXT]))

    def _labelled(self, frame: bytes) -> bytes:
        """Returns the frame with a line that says whose it is: by itself no message tells."""
        return f"{self._charger.name} {_VERSIONS[self._charger.version]}\n".encode() + frame


def _text(password: bytes) -> str:
    """Returns a password as text; one of bytes that are no text (1.6 allows them) is compared in hex."""
    return password.decode(errors="replace")

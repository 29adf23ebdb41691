"""Commands on their way to a station: one at a time, as the standard wants it, and reports in parts."""

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

from yunmeng.gateways.ocpp.codec import OcppCodec
from yunmeng.gateways.ocpp.messages import Call, CallError, CallResult, Payload
from yunmeng.gateways.ocpp.schemas import RESPONSE, Violation, violation
from yunmeng.kernel.base import BadInput, Unavailable
from yunmeng.kernel.sense import Answer, Command, Effect, InFlight

_WAIT_S, _REPORT_S = 30.0, 300.0
_MOST_WAITING, _MOST_ITEMS = 100, 50_000
_DONE = {"Accepted", "Scheduled", "RebootRequired", "Unlocked", "AcceptedCanceled", "EmptyResultSet"}
_REPORTED = {
    "CustomerInformation",
    "GetBaseReport",
    "GetChargingProfiles",
    "GetDERControl",
    "GetDisplayMessages",
    "GetMonitoringReport",
    "GetReport",
}


@dataclass(slots=True)
class _Report:
    """A request whose answer comes in parts."""

    command: Command
    result: Payload
    due: int
    items: list[Any] = field(default_factory=list[Any])


class Orders:
    """The commands of one connection."""

    def __init__(self, codec: OcppCodec, version: str) -> None:
        self._codec = codec
        self._version = version
        self._flight: InFlight[str] = InFlight(wait_s=_WAIT_S, attempts=1)
        self._waiting: deque[tuple[int, Command, Call]] = deque()
        self._asked: dict[str, tuple[Command, Call]] = {}
        self._reports: dict[int, _Report] = {}

    def order(self, command: Command, action: str, payload: Payload, at: int) -> Iterator[Effect]:
        """Sends a command once the station has answered those before it.

        Raises:
            Unavailable: ``device.offline`` for a station that lets too many wait.
        """
        if len(self._waiting) >= _MOST_WAITING:
            raise Unavailable("device.offline", device=command.device)
        self._waiting.append((at + int(_WAIT_S * 1e6), command, Call(str(uuid4()), action, payload)))
        yield from self._next(at)

    def answered(self, message: CallResult, at: int) -> tuple[Violation | None, list[Effect]]:
        """The station answered; returns what is wrong with its answer as well."""
        command, call = self._asked.pop(message.id, (None, None))
        if command is None or call is None:
            return None, []
        found = violation(self._version, RESPONSE, call.action, message.payload)
        if found is not None:
            reason = BadInput(
                "command.refused", device=command.device, name=command.name, reason=found.reason
            )
            return found, [*self._flight.failed(message.id, reason), *self._next(at)]
        return None, [*self._told(command, call, message, at), *self._next(at)]

    def failed(self, message: CallError, at: int) -> list[Effect]:
        """The station could not take the request."""
        command, _ = self._asked.pop(message.id, (None, None))
        if command is None:
            return []
        reason = f"{message.code}: {message.description}".rstrip(": ")
        error = BadInput("command.refused", device=command.device, name=command.name, reason=reason)
        return [*self._flight.failed(message.id, error), *self._next(at)]

    def part(self, request: int, items: list[Any], is_last: bool) -> Iterator[Effect]:
        """A part of a report came; the last one answers the command that asked for it."""
        report = self._reports.get(request)
        if report is None:
            return
        report.items += items[: _MOST_ITEMS - len(report.items)]
        if is_last:
            del self._reports[request]
            yield Answer(report.command.id, {**report.result, "report": report.items})

    def tick(self, at: int) -> Iterator[Effect]:
        """Gives up what took too long, and goes on with the next."""
        yield from self._flight.tick(at)
        self._asked = {id: of for id, of in self._asked.items() if id in self._flight}
        for request, report in list(self._reports.items()):
            if report.due <= at:
                del self._reports[request]
                gone = Unavailable("command.timeout", device=report.command.device)
                yield Answer(report.command.id, error=gone)
        yield from self._next(at)

    def _told(self, command: Command, call: Call, message: CallResult, at: int) -> Iterator[Effect]:
        status, why = _outcome(message.payload)
        if why:
            error = BadInput("command.refused", device=command.device, name=command.name, reason=why)
            yield from self._flight.failed(message.id, error)
        elif call.action in _REPORTED and status == "Accepted" and "requestId" in call.payload:
            # the command is answered by its report, which may take the station a while
            self._flight.forget(message.id)
            due = at + int(_REPORT_S * 1e6)
            self._reports[int(call.payload["requestId"])] = _Report(command, message.payload, due)
        else:
            yield from self._flight.answered(message.id, message.payload)

    def _next(self, at: int) -> Iterator[Effect]:
        while self._waiting and not len(self._flight):
            due, command, call = self._waiting.popleft()
            if due <= at:
                # who ordered it has given it up: done now, it would surprise
                gone = Unavailable("command.timeout", device=command.device)
                yield Answer(command.id, error=gone)
                continue
            self._asked[call.id] = command, call
            yield from self._flight.send(call.id, command, self._codec.encode(call), at)


def _outcome(payload: Payload) -> tuple[str, str]:
    """Returns the status of an answer, and why the station did not do it, empty when it did."""
    status: str = payload.get("status", "Accepted")
    info: Payload = payload.get("statusInfo", {})
    told = [str(info[name]) for name in ("reasonCode", "additionalInfo") if name in info]
    why = [] if status in _DONE else [status, *told]
    rows: list[Payload] = payload.get("setVariableResult", [])
    for row in rows:
        if row["attributeStatus"] not in _DONE:
            name = f"{row['component']['name']}.{row['variable']['name']}"
            why.append(f"{name}: {row['attributeStatus']}")
    return status, " ".join(why)

"""Orders on their way: selected, confirmed, carried out, terminated, or refused (101, 6.8 and 7.2.3)."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Literal

import msgspec

from yunmeng.gateways.iec104.asdu import Asdu, Cause, Item
from yunmeng.gateways.iec104.commands import SELECT, Order
from yunmeng.gateways.iec104.types import TYPES
from yunmeng.kernel.base import Conflict, Unavailable, YunmengError
from yunmeng.kernel.sense import Answer, Command, Effect

_CONTROLS = frozenset((*range(45, 52), *range(58, 65)))
_TERMINATED = _CONTROLS | {100, 101}
_READ = 102

Phase = Literal["select", "cancel", "confirm", "terminate"]
Key = tuple[int, int, int]


@dataclass(slots=True)
class _Open:
    command: Command
    order: Order
    sent: Asdu
    phase: Phase
    due: int


class Orders:
    """What was sent and waits; an order is never sent twice, for it would be carried out twice.

    ``push`` sends an ASDU, ``withdraw`` takes back one that has not left. A station has ``wait_s`` for each
    confirmation and ``end_s`` until it terminates what it confirmed. Where ``terminates`` is False a
    confirmation is the end.
    """

    def __init__(
        self,
        push: Callable[[Asdu, int], Iterable[Effect]],
        withdraw: Callable[[Asdu], None],
        *,
        wait_s: float = 10.0,
        end_s: float = 60.0,
        terminates: bool = True,
    ) -> None:
        self._push = push
        self._withdraw = withdraw
        self._wait_us, self._end_us = int(wait_s * 1e6), int(end_s * 1e6)
        self._terminated = _TERMINATED if terminates else frozenset[int]()
        self._open: dict[Key, _Open] = {}

    def begin(self, command: Command, order: Order, at: int) -> Iterator[Effect]:
        """Sends an order, or selects its point first.

        Raises:
            Conflict: ``iec104.busy`` while another order for the point waits.
        """
        key = _key(order.asdu)
        if key in self._open:
            raise Conflict("iec104.busy", device=command.device, name=self._open[key].command.name)
        match order.mode:
            case "sbo" | "select":
                sent, phase = _selecting(order.asdu), "select"
            case "cancel":
                sent, phase = _selecting(order.asdu, Cause.DEACTIVATION), "cancel"
            case _:
                sent, phase = order.asdu, "confirm"
        self._open[key] = _Open(command, order, sent, phase, at + self._wait_us)
        yield from self._push(sent, at)

    def heard(self, asdu: Asdu, at: int) -> Iterator[Effect]:
        """Takes what a station says to an order; what nobody waits for is no error."""
        key = _key(asdu)
        waiting = self._open.get(key)
        if waiting is None:
            return
        if asdu.negative or asdu.cause >= Cause.UNKNOWN_TYPE:
            yield from self._fail(key, f"cause {asdu.cause}, negative")
        elif asdu.cause in (Cause.ACTIVATION_CON, Cause.DEACTIVATION_CON):
            yield from self._confirmed(key, waiting, asdu, at)
        elif asdu.cause == Cause.TERMINATION and waiting.phase in ("confirm", "terminate"):
            yield self._end(key, {"confirmed": True, "terminated": True})

    def read(self, station: int, address: int, value: float | int | None) -> Iterator[Effect]:
        """A point was told on request."""
        key = (_READ, station, address)
        if key in self._open:
            yield self._end(key, {"value": value})

    def tick(self, at: int) -> Iterator[Effect]:
        """Gives up what was not answered in time; what has not even left will not be carried out later."""
        for key, waiting in list(self._open.items()):
            if waiting.due <= at:
                del self._open[key]
                self._withdraw(waiting.sent)
                error = Unavailable("command.timeout", device=waiting.command.device)
                yield Answer(waiting.command.id, error=error)

    def _confirmed(self, key: Key, waiting: _Open, asdu: Asdu, at: int) -> Iterator[Effect]:
        match waiting.phase:
            case "select" if asdu.items[0].data != waiting.sent.items[0].data:
                # to carry out what the station did not select would be to switch something else
                yield from self._fail(key, f"selected {asdu.items[0].data.hex()}")
            case "select" if waiting.order.mode == "select":
                yield self._end(key, {"selected": True})
            case "select":
                waiting.sent, waiting.phase, waiting.due = waiting.order.asdu, "confirm", at + self._wait_us
                yield from self._push(waiting.sent, at)
            case "cancel":
                yield self._end(key, {"cancelled": True})
            case "confirm" if asdu.type in self._terminated:
                waiting.phase, waiting.due = "terminate", at + self._end_us
            case "confirm" if asdu.type != _READ:  # some confirm a question before its answer
                yield self._end(key, {"confirmed": True})
            case _:
                pass

    def _fail(self, key: Key, reason: str) -> Iterator[Effect]:
        waiting = self._open.pop(key)
        command = waiting.command
        error: YunmengError = Unavailable(
            "command.refused", device=command.device, name=command.name, reason=f"{waiting.phase}: {reason}"
        )
        yield Answer(command.id, error=error)

    def _end(self, key: Key, result: dict[str, Any]) -> Answer:
        return Answer(self._open.pop(key).command.id, result)


def _key(asdu: Asdu) -> Key:
    return asdu.type, asdu.station, asdu.items[0].address


def _selecting(asdu: Asdu, cause: int = Cause.ACTIVATION) -> Asdu:
    """Returns the order with S/E set, which lies in the last octet before a time."""
    (item,) = asdu.items
    place = TYPES[asdu.type].size - 1 - (7 if TYPES[asdu.type].timed else 0)
    data = bytearray(item.data)
    data[place] |= SELECT
    return msgspec.structs.replace(asdu, cause=cause, items=(Item(item.address, bytes(data)),))

"""An outstation played: a feeder with its breaker, measurands and a counter, in the addresses usual in China.

Signals begin at 1, measurands at 4001H, commands at 6001H, set points at 6201H, counters at 6401H.
"""

import math
import random
import struct
from collections.abc import Callable, Mapping

import msgspec

from yunmeng.gateways.iec104.asdu import Asdu, Cause, Item
from yunmeng.gateways.iec104.clock import Clock
from yunmeng.gateways.iec104.commands import SELECT

BREAKER, REMOTE, ACCIDENT = 1, 2, 3
MEASURANDS, COMMAND, SETPOINT, COUNTER = 0x4001, 0x6001, 0x6201, 0x6401
_OPEN, _CLOSED = 1, 2
_NOMINAL_KW = 4_000.0


class Outstation:
    """One station: answers interrogations, clock and commands, and tells what changes."""

    def __init__(self, seed: int, station: int = 1, zone: str = "beijing") -> None:
        self._station = station
        self._random = random.Random(seed)  # noqa: S311  (plausible, not secret)
        self._clock = Clock(zone)
        self._level = self._random.uniform(0.3, 1.0)
        self._limit = _NOMINAL_KW
        self._energy = self._random.uniform(1_000, 90_000)
        self._selected: bytes | None = None
        self._told_at = 0
        self.position = _CLOSED

    def report(self, at: int) -> list[Asdu]:
        """Tells the measurands, now and then after the breaker fell by itself and was closed again."""
        told = [self._measurands(Cause.SPONTANEOUS, at)]
        if self.position == _CLOSED and self._random.random() < 0.02:
            for position in (_OPEN, _CLOSED):
                self.position = position
                told.append(self._event(Cause.SPONTANEOUS, at))
        return told

    def heard(self, asdu: Asdu, at: int) -> list[Asdu]:
        """Returns what the station says to an ASDU; ``at`` is in microseconds UTC."""
        if asdu.station != self._station:
            return [_mirror(asdu, Cause.UNKNOWN_STATION, negative=True)]
        answers: Mapping[int, Callable[[Asdu, int], list[Asdu]]] = {
            46: self._switch,
            59: self._switch,
            50: self._set,
            100: self._interrogated,
            101: self._counted,
            102: self._read,
            103: lambda asked, _: [_mirror(asked)],
            107: lambda asked, _: [_mirror(asked)],
        }
        answer = answers.get(asdu.type)
        return answer(asdu, at) if answer else [_mirror(asdu, Cause.UNKNOWN_TYPE, negative=True)]

    def _interrogated(self, asdu: Asdu, at: int) -> list[Asdu]:
        signals = (Item(REMOTE, b"\1"), Item(ACCIDENT, b"\0"))
        return [
            _mirror(asdu),
            self._asdu(3, Cause.INTERROGATED, Item(BREAKER, bytes((self.position,)))),
            msgspec.structs.replace(self._asdu(1, Cause.INTERROGATED, *signals), sequence=True),
            self._measurands(Cause.INTERROGATED, at),
            _mirror(asdu, Cause.TERMINATION),
        ]

    def _counted(self, asdu: Asdu, at: int) -> list[Asdu]:
        total = self._asdu(15, Cause.COUNTER_REQUEST, Item(COUNTER, struct.pack("<iB", int(self._energy), 1)))
        return [_mirror(asdu), total, _mirror(asdu, Cause.TERMINATION)]

    def _read(self, asdu: Asdu, at: int) -> list[Asdu]:
        found = [each for each in self._measurands(Cause.REQUEST, at).items if each.address == _address(asdu)]
        if not found:
            return [_mirror(asdu, Cause.UNKNOWN_OBJECT, negative=True)]
        return [self._asdu(13, Cause.REQUEST, *found)]

    def _switch(self, asdu: Asdu, at: int) -> list[Asdu]:
        """The breaker is selected before it is switched; no state but open and closed is known."""
        (item,) = asdu.items
        order = item.data[0]
        if item.address != COMMAND:
            return [_mirror(asdu, Cause.UNKNOWN_OBJECT, negative=True)]
        if asdu.cause == Cause.DEACTIVATION:
            self._selected = None
            return [_mirror(asdu, Cause.DEACTIVATION_CON)]
        if order & SELECT:
            self._selected = bytes((order & ~SELECT,))
            return [_mirror(asdu)]
        if self._selected != item.data[:1] or order & 3 not in (_OPEN, _CLOSED):
            return [_mirror(asdu, negative=True)]
        self._selected, self.position = None, order & 3
        return [_mirror(asdu), self._event(Cause.RETURN_REMOTE, at), _mirror(asdu, Cause.TERMINATION)]

    def _set(self, asdu: Asdu, at: int) -> list[Asdu]:
        if _address(asdu) != SETPOINT:
            return [_mirror(asdu, Cause.UNKNOWN_OBJECT, negative=True)]
        (self._limit,) = struct.unpack_from("<f", asdu.items[0].data)
        return [_mirror(asdu), _mirror(asdu, Cause.TERMINATION)]

    def _measurands(self, cause: int, at: int) -> Asdu:
        seconds = at / 1e6
        load = self._level * (1 + 0.4 * math.sin(seconds / 86_400 * 2 * math.pi))
        power = min(self._limit, _NOMINAL_KW * load) if self.position == _CLOSED else 0.0
        self._energy += power * (seconds - self._told_at / 1e6) / 3_600 if self._told_at else 0.0
        self._told_at = at
        volts = 10.2 + 0.1 * math.sin(seconds / 60)
        values = (power, power * 0.25, volts, power / volts / math.sqrt(3), 50 + 0.02 * math.sin(seconds / 7))
        items = (Item(MEASURANDS + n, struct.pack("<fB", value, 0)) for n, value in enumerate(values))
        return msgspec.structs.replace(self._asdu(13, cause, *items), sequence=True)

    def _event(self, cause: int, at: int) -> Asdu:
        return self._asdu(31, cause, Item(BREAKER, bytes((self.position,)) + self._clock.write(at)))

    def _asdu(self, type: int, cause: int, *items: Item) -> Asdu:
        return Asdu(type, cause, self._station, items)


def _mirror(asdu: Asdu, cause: int = Cause.ACTIVATION_CON, *, negative: bool = False) -> Asdu:
    return msgspec.structs.replace(asdu, cause=cause, negative=negative)


def _address(asdu: Asdu) -> int:
    return asdu.items[0].address

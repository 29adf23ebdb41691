"""What the stations of one central system have in common: the tokens, and the transactions that run."""

from collections.abc import Hashable
from typing import TypeVar

import msgspec

from yunmeng.gateways.ocpp.tokens import Tokens
from yunmeng.kernel.sense import Station

Key = TypeVar("Key")
Value = TypeVar("Value")

_MOST = 200_000
_EPOCH_S = 1_577_836_800  # 2020-01-01
_PLACES, _SECONDS = 7, 0x0FFF_FFFF
_LONGEST_S = 31 * 86_400


class Running(msgspec.Struct, frozen=True):
    """A transaction: its EVSE (0 when nobody said), and its meter at the begin in Wh."""

    evse: int = 0
    meter: float | None = None


class Central:
    """Shared by all sessions; what it forgets when the node starts anew, numbers and entities still tell."""

    def __init__(self, tokens: Tokens) -> None:
        self.tokens = tokens
        self._running: dict[tuple[str, str], Running] = {}
        self._given: dict[tuple[str, int], Hashable] = {}

    @classmethod
    def of(cls, station: Station) -> "Central":
        """Returns the central system of a gateway. Raises ``BadInput("sense.option")`` for bad tokens."""
        found = station.shared.get("central")
        if not isinstance(found, cls):
            found = station.shared["central"] = cls(Tokens(station.options.get("tokens", "")))
        return found

    def number(self, station: str, connector: int, began_us: int, who: Hashable) -> int:
        """Returns the number of a transaction of 1.6, the same whenever the station asks for it.

        It holds the second and the connector, so that it is the same after a restart of the node as well.
        ``who`` tells transactions apart that began in the same second, as those of a stopped clock do.
        """
        second = (began_us // 1_000_000 - _EPOCH_S) & _SECONDS
        number = second << 3 | (connector if 1 <= connector <= _PLACES else 0)
        while not number or self._given.get((station, number), who) != who:
            number = (number + 8) & 0x7FFF_FFFF
        _remember(self._given, (station, number), who)
        return number

    def began(self, station: str, transaction: str, running: Running) -> None:
        """A transaction runs, or more is known of it."""
        known = self._running.get((station, transaction), Running())
        meter = known.meter if running.meter is None else running.meter
        _remember(self._running, (station, transaction), Running(running.evse or known.evse, meter))

    def running(self, station: str, transaction: str) -> Running:
        """Returns what is known of a transaction."""
        return self._running.get((station, transaction), Running())

    def running16(self, station: str, number: int, at: int) -> Running:
        """Returns what is known of a transaction of 1.6, if need be from its number.

        A number that says that it began a month before ``at``, or after it, is not of ours.
        """
        known = self.running(station, str(number))
        age = (at // 1_000_000 - _EPOCH_S - (number >> 3)) & _SECONDS
        if known.evse or number < 0 or age > _LONGEST_S:
            return known
        return Running(number & _PLACES, known.meter)


def _remember(memory: dict[Key, Value], key: Key, value: Value) -> None:
    memory.pop(key, None)
    memory[key] = value
    while len(memory) > _MOST:
        del memory[next(iter(memory))]

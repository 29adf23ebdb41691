"""How a reference station does: which messages come how often, which satellites it sees, where it stands."""

from collections import Counter

from yunmeng.gateways.ntrip.messages import Equipment, Heard, Position

_MOST_TYPES = 200
_FORGOTTEN_AFTER = 2
"""Rounds after which a constellation that was not told is no longer counted."""


class Status:
    """Counts what one source says between two reports."""

    def __init__(self) -> None:
        self.station: int | None = None
        self.position: Position | None = None
        self.equipment: Equipment | None = None
        self.bad = 0
        self._types: Counter[int] = Counter()
        self._satellites: dict[str, tuple[int, int]] = {}
        self._before: tuple[int, ...] = ()
        self._octets = 0
        self._round = 0

    def heard(self, message: Heard, size: int) -> bool:
        """Counts a message; tells whether it says something new of place or equipment."""
        self._octets += size
        if message.number in self._types or len(self._types) < _MOST_TYPES:
            self._types[message.number] += 1
        if message.constellation:
            self._satellites[message.constellation] = (message.satellites, self._round)
        before = (self.station, self.position, self.equipment)
        self.station = self.station if message.station is None else message.station
        self.position = message.position or self.position
        self.equipment = message.equipment or self.equipment
        return (self.station, self.position, self.equipment) != before

    @property
    def types(self) -> tuple[int, ...]:
        """The messages of late."""
        return tuple(sorted({*self._types, *self._before}))

    @property
    def silent(self) -> bool:
        """Whether nothing came since the last report."""
        return not self._types

    @property
    def constellations(self) -> tuple[str, ...]:
        """The constellations of late."""
        return tuple(sorted(self._satellites))

    def report(self, seconds: float) -> dict[str, float | int | str | None]:
        """Returns the fields of ``[station]`` after so many seconds, and begins to count anew."""
        self._round += 1
        kept = {
            name: each for name, each in self._satellites.items() if self._round - each[1] <= _FORGOTTEN_AFTER
        }
        self._satellites = kept
        frames = sum(self._types.values())
        fields: dict[str, float | int | str | None] = {
            "messages": ",".join(
                f"{number}({_interval(seconds, count)})" for number, count in sorted(self._types.items())
            ),
            "frames": round(frames / seconds, 3),
            "bits": round(self._octets * 8 / seconds, 1),
            "bad": self.bad,
            "satellites": sum(count for count, _ in kept.values()) if kept else None,
            **{name.lower(): count for name, (count, _) in kept.items()},
        }
        if self.position is not None:
            fields["height"] = round(self.position.geodetic()[2], 4)
            fields["antenna_height"] = self.position.antenna_height
        self._before = tuple(self._types)
        self._types.clear()
        self._octets = 0
        return fields


def _interval(seconds: float, count: int) -> int:
    """Seconds between two messages of a kind, as sourcetables say them."""
    return max(1, round(seconds / count))

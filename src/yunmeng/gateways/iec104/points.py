"""Which attribute of which entity an information object is, after the mapping.

A table of the mapping is an entity; its fields are named ``common address:object address``, or the object
address alone for any station of the connection, with ``.n`` behind it for bit n of a bit string. What no
table names goes to the table ``point``, if there is one, as an entity of its own.
"""

from collections.abc import Hashable, Mapping

import msgspec

from yunmeng.gateways.iec104.asdu import Asdu
from yunmeng.gateways.iec104.clock import Clock
from yunmeng.gateways.iec104.elements import Point, kind_of, read_point
from yunmeng.gateways.iec104.types import TYPES
from yunmeng.kernel.base import Broken
from yunmeng.kernel.model import Quality, Reading
from yunmeng.kernel.sense import Mapper

ANY = "point"


class Place(msgspec.Struct, frozen=True):
    """Where a point goes: a table, a field of it, and which bit is meant."""

    table: str
    field: str
    bit: int | None = None


class Points:
    """The points of one connection; ``device`` names it, ``division`` is a GB/T 2260 code or empty."""

    def __init__(self, mappers: Mapping[str, Mapper], clock: Clock) -> None:
        self._mappers = mappers
        self._clock = clock
        self._places = _places(mappers)

    def readings(self, asdu: Asdu, device: str, division: str, at: int) -> tuple[Reading, ...]:
        """Returns what an ASDU of monitored information says, together what has one time and one quality."""
        groups: dict[tuple[str, str, int, Quality], dict[str, float | int | None]] = {}
        for item in asdu.items:
            point = read_point(asdu.type, item, self._clock)
            moment = at if point.at is None else point.at
            for table, name, field, value in self._named(asdu, item.address, point, device):
                groups.setdefault((table, name, moment, point.quality), {})[field] = value
        return tuple(
            self._mappers[table].reading(name, moment, fields, division=division, quality=quality)
            for (table, name, moment, quality), fields in groups.items()
        )

    def key(self, asdu: Asdu, device: str) -> Hashable:
        """Returns by what an ASDU is known that comes again after a lost connection; None without times."""
        if not TYPES[asdu.type].timed or any(self._clock.read(item.data[-7:]) is None for item in asdu.items):
            return None
        # by what happened, and not by why it is told
        return (device, asdu.station, asdu.type, asdu.items)

    def _named(
        self, asdu: Asdu, address: int, point: Point, device: str
    ) -> list[tuple[str, str, str, float | int | None]]:
        places = self._places.get((asdu.station, address)) or self._places.get((None, address))
        if places:
            return [
                (place.table, f"{device}:{place.table}", place.field, _part(point.value, place.bit))
                for place in places
            ]
        if ANY not in self._mappers:
            return []
        return [(ANY, f"{device}:{asdu.station}:{address}", kind_of(asdu.type), point.value)]


def _part(value: float | int | None, bit: int | None) -> float | int | None:
    return value if bit is None or value is None else int(value) >> bit & 1


def _places(mappers: Mapping[str, Mapper]) -> dict[tuple[int | None, int], list[Place]]:
    places: dict[tuple[int | None, int], list[Place]] = {}
    for table, mapper in mappers.items():
        if table == ANY:
            continue
        for field in sorted(mapper.names):
            address, bit = _address(table, field)
            places.setdefault(address, []).append(Place(table, field, bit))
    return places


def _address(table: str, field: str) -> tuple[tuple[int | None, int], int | None]:
    station, colon, rest = field.rpartition(":")
    address, dot, bit = rest.partition(".")
    parts = [*([station] if colon else []), address, *([bit] if dot else [])]
    if not all(part.isdecimal() for part in parts):
        raise Broken("mapping.bad", file="iec104", reason=f"[{table}] {field}: station:object.bit")
    return (int(station) if colon else None, int(address)), int(bit) if dot else None

"""Areas and routes that a terminal watches by itself (0x8600 to 0x8607; JT/T 808-2013 8.33 to 8.40).

An area says ``id`` and its shape; ``begin`` and ``end`` (instants, or ``hh:mm:ss`` of every day, Beijing),
``speed_limit`` in km/h with ``for_s``, ``alarms`` among those of :data:`ALARMS`, ``flags`` for other bits.
Since 2019 also ``night_speed_limit`` and ``name``.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from struct import pack
from typing import Any

from yunmeng.gateways.jt808.codec import NO_VERSION
from yunmeng.gateways.jt808.fields import write_time
from yunmeng.kernel.base import instant_us

Area = Mapping[str, Any]

ALARMS = {"enter-driver": 2, "enter-platform": 3, "leave-driver": 4, "leave-platform": 5}
"""Whom crossing the edge alarms, by the bit of the attributes (table 58)."""

_TIMED, _LIMITED, _SOUTH, _WEST = 1, 2, 0x40, 0x80
_MODES = {"update": 0, "append": 1, "modify": 2}
_DAILY = re.compile(r"([01]\d|2[0-3]):([0-5]\d):([0-5]\d)")


def circles(arguments: Area, version: int) -> bytes:
    """0x8600: ``areas`` with ``latitude``, ``longitude``, ``radius_m``; ``mode`` update, append, modify."""

    def shape(area: Area) -> bytes:
        return _place(area) + pack(">I", int(area["radius_m"]))

    return _several(arguments, version, shape)


def rectangles(arguments: Area, version: int) -> bytes:
    """0x8602: ``areas`` with ``north``, ``west``, ``south``, ``east`` in degrees."""

    def shape(area: Area) -> bytes:
        if not float(area["south"]) < float(area["north"]) or not float(area["west"]) < float(area["east"]):
            raise ValueError("south < north, west < east")
        corners = (("north", "west"), ("south", "east"))
        return b"".join(_point(float(area[lat]), float(area[lon])) for lat, lon in corners)

    return _several(arguments, version, shape)


def polygon(arguments: Area, version: int) -> bytes:
    """0x8604: one area with ``points``, pairs of latitude and longitude."""
    points = [(float(latitude), float(longitude)) for latitude, longitude in arguments["points"]]
    if len(points) < 3:
        raise ValueError("points: 3")
    corners = pack(">H", len(points)) + b"".join(_point(*point) for point in points)
    if version == NO_VERSION:
        return _head(arguments) + _times(arguments) + _limit(arguments) + corners
    night = _night(arguments) if "speed_limit" in arguments else b""
    return _head(arguments) + _times(arguments) + _limit(arguments) + corners + night + _name(arguments)


def route(arguments: Area, version: int) -> bytes:
    """0x8606: a route with ``points`` of ``latitude``, ``longitude``, ``width_m`` and its segment's rules.

    A segment may have ``longest_s`` and ``shortest_s`` for driving through, ``speed_limit`` and ``for_s``.
    """
    given: list[Area] = list(arguments["points"])
    if len(given) < 2:
        raise ValueError("points: 2")
    turns = [_turn(point, number, version) for number, point in enumerate(given, start=1)]
    body = _head(arguments, limited=False) + _times(arguments) + pack(">H", len(turns)) + b"".join(turns)
    return body if version == NO_VERSION else body + _name(arguments)


def deletion(arguments: Area, version: int) -> bytes:
    """0x8601, 0x8603, 0x8605, 0x8607: ``ids``; all of the kind when there are none."""
    ids = [int(id) for id in arguments.get("ids", ())]
    return bytes((len(ids),)) + b"".join(pack(">I", id) for id in ids)


def _several(arguments: Area, version: int, shape: Callable[[Area], bytes]) -> bytes:
    areas: list[Area] = list(arguments["areas"])
    if not areas:
        raise KeyError("areas")
    head = bytes((_MODES[str(arguments.get("mode", "append"))], len(areas)))
    return head + b"".join(_area(area, shape(area), version) for area in areas)


def _area(area: Area, shape: bytes, version: int) -> bytes:
    body = _head(area) + shape + _times(area) + _limit(area)
    if version == NO_VERSION:
        return body
    return body + (_night(area) if "speed_limit" in area else b"") + _name(area)


def _head(area: Area, *, limited: bool = True) -> bytes:
    flags = int(area.get("flags", 0))
    flags |= _TIMED if "begin" in area else 0
    flags |= _LIMITED if limited and "speed_limit" in area else 0
    alarms: Iterable[str] = area.get("alarms", ())
    for alarm in alarms:
        flags |= 1 << ALARMS[alarm]
    for latitude, longitude in _places(area):
        flags |= (_SOUTH if latitude < 0 else 0) | (_WEST if longitude < 0 else 0)
    return pack(">IH", int(area["id"]), flags)


def _places(area: Area) -> list[tuple[float, float]]:
    if "latitude" in area:
        return [(float(area["latitude"]), float(area["longitude"]))]
    if "north" in area:
        return [(float(area["north"]), float(area["west"]))]
    return []


def _place(area: Area) -> bytes:
    return _point(float(area["latitude"]), float(area["longitude"]))


def _point(latitude: float, longitude: float) -> bytes:
    """Millionths of a degree; which half of the globe is said by the attributes."""
    if not -90 <= latitude <= 90 or not -180 <= longitude <= 180:
        raise ValueError(f"{latitude}, {longitude}")
    return pack(">II", round(abs(latitude) * 1e6), round(abs(longitude) * 1e6))


def _times(area: Area) -> bytes:
    return _time(str(area["begin"])) + _time(str(area["end"])) if "begin" in area else b""


def _time(text: str) -> bytes:
    """BCD[6]; a date of zeros means every day (table 57)."""
    if found := _DAILY.fullmatch(text):
        return bytes(3) + bytes.fromhex("".join(found.groups()))
    return write_time(instant_us(text))


def _limit(area: Area) -> bytes:
    if "speed_limit" not in area:
        return b""
    return pack(">HB", int(area["speed_limit"]), int(area.get("for_s", 10)))


def _night(area: Area) -> bytes:
    return pack(">H", int(area.get("night_speed_limit", area["speed_limit"])))


def _name(area: Area) -> bytes:
    name = str(area.get("name", "")).encode("gbk")
    return pack(">H", len(name)) + name


def _turn(point: Area, number: int, version: int) -> bytes:
    """A turning point, and the segment that begins there (table 68)."""
    timed = "longest_s" in point or "shortest_s" in point
    latitude, longitude = float(point["latitude"]), float(point["longitude"])
    flags = timed | ("speed_limit" in point) << 1 | (latitude < 0) << 2 | (longitude < 0) << 3
    ids = pack(">II", int(point.get("id", number)), int(point.get("segment", number)))
    body = ids + _point(latitude, longitude) + bytes((int(point.get("width_m", 50)), flags))
    if timed:
        body += pack(">HH", int(point.get("longest_s", 0)), int(point.get("shortest_s", 0)))
    body += _limit(point)
    return body + (_night(point) if version != NO_VERSION and "speed_limit" in point else b"")

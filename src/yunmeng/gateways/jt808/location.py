"""Where a vehicle is and how it does: the body of 0x0200, which others carry too (tables 23 to 30)."""

from collections.abc import Iterable
from struct import Struct, error

import msgspec

from yunmeng.gateways.jt808.codec import PROTOCOL
from yunmeng.gateways.jt808.fields import read_time, write_time
from yunmeng.kernel.sense import bad_frame

BASIC = 28
POSITIONED, SOUTH, WEST = 2, 4, 8
_NO_TIME = bytes(6)
_BASIC = Struct(">IIIIhHH6s")

STATUS_BITS = {
    "acc": 0,
    "positioned": 1,
    "south": 2,
    "west": 3,
    "out_of_service": 4,
    "encrypted": 5,
    "collision_warning": 6,
    "lane_warning": 7,
    "oil_cut": 10,
    "circuit_cut": 11,
    "door_locked": 12,
    "front_door": 13,
    "middle_door": 14,
    "rear_door": 15,
    "driver_door": 16,
    "fifth_door": 17,
    "gps": 18,
    "beidou": 19,
    "glonass": 20,
    "galileo": 21,
    "moving": 22,
}
"""Bits of the status word; 6, 7 and 22 since 2019."""

ALARM_BITS = {
    "emergency": 0,
    "overspeed": 1,
    "fatigue": 2,
    "danger": 3,
    "gnss_fault": 4,
    "antenna_open": 5,
    "antenna_short": 6,
    "supply_low": 7,
    "supply_lost": 8,
    "display_fault": 9,
    "speech_fault": 10,
    "camera_fault": 11,
    "card_fault": 12,
    "overspeed_warning": 13,
    "fatigue_warning": 14,
    "rule_violation": 15,
    "tyre_pressure": 16,
    "blind_spot": 17,
    "daily_overtime": 18,
    "parking_overtime": 19,
    "area_crossed": 20,
    "route_crossed": 21,
    "section_time": 22,
    "off_route": 23,
    "speed_sensor_fault": 24,
    "fuel_abnormal": 25,
    "stolen": 26,
    "illegal_ignition": 27,
    "illegal_movement": 28,
    "collision": 29,
    "rollover": 30,
    "illegal_door": 31,
}
"""Bits of the alarm word; 15 to 17 since 2019."""

NUMBERS = {
    0x01: ("mileage", 4),
    0x02: ("fuel", 2),
    0x03: ("recorder_speed", 2),
    0x04: ("alarm_to_confirm", 2),
    0x14: ("video_alarm", 4),
    0x15: ("video_lost", 4),
    0x16: ("video_blocked", 4),
    0x17: ("storage_fault", 2),
    0x25: ("signals", 4),
    0x2A: ("io_status", 2),
    0x30: ("signal_strength", 1),
    0x31: ("satellites", 1),
}
"""Additional items that are one number: name and size (table 27; 0x14 to 0x17 of JT/T 1078 table 13)."""

Field = float | int | str | None
Bit = tuple[str, int, int]
"""A name, the word (0 alarm, 1 status), and the place within it."""

_BITS = {f"alarm_{name}": (0, bit) for name, bit in ALARM_BITS.items()} | {
    f"status_{name}": (1, bit) for name, bit in STATUS_BITS.items()
}


class Location(msgspec.Struct, frozen=True, gc=False):
    """A location report.

    Latitude and longitude in degrees, south and west negative; altitude in m; speed in 0.1 km/h; direction in
    degrees from north. ``at`` is microseconds UTC, None where the terminal has no time yet. ``items`` are the
    additional ones as they came.
    """

    alarm: int
    status: int
    latitude: float
    longitude: float
    altitude: int
    speed: int
    direction: int
    at: int | None
    items: tuple[tuple[int, bytes], ...] = ()

    @property
    def is_positioned(self) -> bool:
        """Whether the place was measured just now."""
        return bool(self.status & POSITIONED)


def read_location(body: bytes) -> Location:
    """Reads a location. Raises ``frame.bad`` for one that is cut off or lies nowhere on earth."""
    try:
        alarm, status, latitude, longitude, altitude, speed, direction, time = _BASIC.unpack_from(body)
    except error:
        raise bad_frame(PROTOCOL, f"location of {len(body)} bytes") from None
    if status & POSITIONED and (latitude > 90_000_000 or longitude > 180_000_000):
        raise bad_frame(PROTOCOL, f"latitude {latitude / 1e6}, longitude {longitude / 1e6}")
    return Location(
        alarm,
        status,
        (-latitude if status & SOUTH else latitude) / 1e6,
        (-longitude if status & WEST else longitude) / 1e6,
        altitude,
        speed,
        direction,
        read_time(time) if time != _NO_TIME else None,
        read_items(body) if len(body) > BASIC else (),
    )


def read_items(body: bytes) -> tuple[tuple[int, bytes], ...]:
    """Reads the additional items: id, size, content."""
    items: list[tuple[int, bytes]] = []
    place, end = BASIC, len(body)
    while place + 1 < end:
        begin = place + 2
        place = begin + body[begin - 1]
        items.append((body[begin - 2], body[begin:place]))
    if place != end:
        raise bad_frame(PROTOCOL, "additional item cut off")
    return tuple(items)


def fields_of(location: Location) -> dict[str, Field]:
    """Returns what a location says by the names of ``mapping.toml``, in the units of the message."""
    status = location.status
    fields: dict[str, Field] = {
        "speed": location.speed,
        "direction": location.direction,
        "altitude": location.altitude,
        "latitude": location.latitude,
        "longitude": location.longitude,
        "alarm": location.alarm,
        "status": status,
        "acc": status & 1,
        "positioned": status >> 1 & 1,
    }
    numbers, others = NUMBERS, ""
    for id, content in location.items:
        known = numbers.get(id)
        if known is not None and known[1] == len(content):
            fields[known[0]] = int.from_bytes(content)
        elif found := _item(id, content):
            fields |= found
        else:
            others += f";{id:02x}:{content.hex()}"
    if others:
        fields["other_items"] = others[1:]
    return fields


def bits_of(location: Location, wanted: Iterable[Bit]) -> dict[str, Field]:
    """Returns single bits of the alarm and status words by their names."""
    words = location.alarm, location.status
    return {name: words[word] >> bit & 1 for name, word, bit in wanted}


def bits_named(names: Iterable[str]) -> tuple[Bit, ...]:
    """Returns which bits these names mean: ``alarm_<name>`` and ``status_<name>``."""
    return tuple([(name, *_BITS[name]) for name in names if name in _BITS])


def _item(id: int, content: bytes) -> dict[str, Field]:
    size = len(content)
    if id == 0x05 and size <= 30:
        return {"tyre_pressures": content.hex()}
    if id == 0x06 and size == 2:  # a sign and a magnitude (2019, table 27)
        number = int.from_bytes(content)
        return {"compartment_temperature": -(number & 0x7FFF) if number & 0x8000 else number}
    if id == 0x11 and size in (1, 5):
        return {"overspeed_place": content[0], "overspeed_area": int.from_bytes(content[1:]) or None}
    if id == 0x12 and size == 6:
        area, leaving = int.from_bytes(content[1:5]), content[5]
        return {"crossing_place": content[0], "crossing_area": area, "crossing_out": leaving}
    if id == 0x13 and size == 7:
        section, seconds = int.from_bytes(content[:4]), int.from_bytes(content[4:6])
        return {"section": section, "section_seconds": seconds, "section_long": content[6]}
    if id == 0x18 and size >= 2:  # JT/T 1078: two bytes of kinds, since its correction one of fatigue
        return {
            "behaviour": int.from_bytes(content[:2]),
            "fatigue_degree": content[2] if size > 2 else None,
        }
    if id == 0x2B and size == 4:
        return {"analogue_0": int.from_bytes(content[2:]), "analogue_1": int.from_bytes(content[:2])}
    return {}


def write_location(location: Location) -> bytes:
    """Writes a location; what was read comes out byte for byte."""
    basic = _BASIC.pack(
        location.alarm,
        location.status,
        round(abs(location.latitude) * 1e6),
        round(abs(location.longitude) * 1e6),
        location.altitude,
        location.speed,
        location.direction,
        bytes(6) if location.at is None else write_time(location.at),
    )
    return basic + b"".join(bytes((id, len(content))) + content for id, content in location.items)

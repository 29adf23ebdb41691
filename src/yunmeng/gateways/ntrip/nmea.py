"""GGA sentences, in which a rover says where it is (NMEA 0183)."""

import msgspec

from yunmeng.kernel.sense import bad_checksum, bad_frame, xor8

PROTOCOL = "nmea"
LONGEST = 120


class Fix(msgspec.Struct, frozen=True):
    """Where a rover is: degrees, metres above the geoid; ``kind`` 1 single, 4 fixed, 5 float."""

    longitude: float
    latitude: float
    kind: int
    satellites: int | None
    hdop: float | None
    altitude: float | None
    age: float | None


def read_gga(line: str) -> Fix | None:
    """Reads a sentence; None for another one, or without a fix.

    Raises:
        BadInput: ``frame.bad``, ``frame.checksum``.
    """
    body, star, told = line.strip().removeprefix("$").partition("*")
    if body[2:6] != "GGA,":
        return None
    if star and (found := _hex(told)) != (expected := xor8(body.encode())):
        raise bad_checksum(PROTOCOL, found, expected)
    fields = body.split(",")
    if len(fields) < 14:
        raise bad_frame(PROTOCOL, f"GGA of {len(fields)} fields")
    try:
        return _fix(fields)
    except ValueError as cause:
        raise bad_frame(PROTOCOL, str(cause)) from cause


def write_gga(longitude: float, latitude: float, at: int, altitude: float = 0.0) -> str:
    """Writes a sentence with a single fix of ten satellites; ``at`` is in microseconds UTC."""
    hour, minute, second = at // 3_600_000_000 % 24, at // 60_000_000 % 60, at // 1_000_000 % 60
    body = (
        f"GPGGA,{hour:02}{minute:02}{second:02}.00,{_angle(latitude, 2)},{'S' if latitude < 0 else 'N'},"
        f"{_angle(longitude, 3)},{'W' if longitude < 0 else 'E'},1,10,1.0,{altitude:.1f},M,0.0,M,,"
    )
    return f"${body}*{xor8(body.encode()):02X}\r\n"


def _fix(fields: list[str]) -> Fix | None:
    kind = int(fields[6] or "0")
    if not kind or not fields[2] or not fields[4]:
        return None
    latitude = _degrees(fields[2], 2) * (-1 if fields[3] == "S" else 1)
    longitude = _degrees(fields[4], 3) * (-1 if fields[5] == "W" else 1)
    if abs(latitude) > 90 or abs(longitude) > 180:
        raise ValueError(f"{longitude}, {latitude}")
    satellites = int(fields[7]) if fields[7] else None
    return Fix(longitude, latitude, kind, satellites, *(_number(fields[n]) for n in (8, 9, 13)))


def _degrees(text: str, whole: int) -> float:
    number = float(text[whole:])
    if not 0 <= number < 60 or not text[:whole].isdecimal():
        raise ValueError(text)
    return round(int(text[:whole]) + number / 60, 9)


def _angle(degrees: float, whole: int) -> str:
    minutes = round(abs(degrees) * 60 * 1e5)
    return f"{minutes // 6_000_000:0{whole}}{minutes % 6_000_000 / 1e5:08.5f}"


def _number(text: str) -> float | None:
    number = float(text) if text else None
    if number is not None and not abs(number) < 1e9:
        raise ValueError(text)
    return number


def _hex(text: str) -> int:
    try:
        return int(text[:2], 16)
    except ValueError as cause:
        raise bad_frame(PROTOCOL, "a checksum that is none") from cause

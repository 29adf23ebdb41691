"""What is read of RTCM messages: who speaks, which satellites, where the antenna stands, what it is."""

import math
from collections.abc import Mapping
from typing import Final

import msgspec

from yunmeng.gateways.ntrip.rtcm import PROTOCOL
from yunmeng.kernel.sense import bad_frame

_MSM: Mapping[int, str] = {
    107: "GPS",
    108: "GLONASS",
    109: "Galileo",
    110: "SBAS",
    111: "QZSS",
    112: "BeiDou",
    113: "NavIC",
}
"""The constellation of messages 1071 to 1077 and so on (table 3.5-71 ff.)."""
_LEGACY: Mapping[int, tuple[str, int]] = {
    **dict.fromkeys((1001, 1002, 1003, 1004), ("GPS", 55)),
    **dict.fromkeys((1009, 1010, 1011, 1012), ("GLONASS", 52)),
}
"""Constellation, and at which bit the number of satellites stands (DF006, DF035)."""
_MASK_AT, _MASK_BITS = 73, 64
_NAMELESS = frozenset((1005, 1006, 1007, 1008, 1033))
_SEMI_MAJOR: Final = 6_378_137.0
_FLATTENING: Final = 1 / 298.257222101  # CGCS2000 and GRS 80


class Position(msgspec.Struct, frozen=True):
    """Where the antenna's reference point is: ECEF in metres, and the antenna's height above it if told."""

    x: float
    y: float
    z: float
    antenna_height: float | None = None

    def geodetic(self) -> tuple[float, float, float]:
        """Returns longitude and latitude in degrees and the height in metres above the ellipsoid."""
        return geodetic(self.x, self.y, self.z)


class Equipment(msgspec.Struct, frozen=True):
    """Antenna and receiver (1007, 1008, 1033); empty where the message does not say."""

    antenna: str
    antenna_serial: str = ""
    receiver: str = ""
    firmware: str = ""
    receiver_serial: str = ""


class Heard(msgspec.Struct, frozen=True):
    """One message's header, and what of its content matters to the state of a station."""

    number: int
    station: int | None = None
    constellation: str = ""
    satellites: int = 0
    position: Position | None = None
    equipment: Equipment | None = None


def read_message(message: bytes) -> Heard:
    """Reads a message. Raises ``BadInput("frame.bad")`` for one that is shorter than its number asks for."""
    bits = Bits(message)
    number = bits.take(12)
    if number // 10 in _MSM and 1 <= number % 10 <= 7:
        station = bits.take(12)
        bits.place = _MASK_AT
        count = bits.take(_MASK_BITS).bit_count()
        return Heard(number, station, _MSM[number // 10], count)
    if number in _LEGACY:
        constellation, place = _LEGACY[number]
        station = bits.take(12)
        bits.place = place
        return Heard(number, station, constellation, bits.take(5))
    if number in _NAMELESS:
        return _read_station(number, bits)
    return Heard(number)


def _read_station(number: int, bits: "Bits") -> Heard:
    station = bits.take(12)
    if number in (1005, 1006):
        return Heard(number, station, position=_read_position(number, bits))
    antenna = bits.text()
    bits.take(8)
    serial = bits.text() if number != 1007 else ""
    if number != 1033:
        return Heard(number, station, equipment=Equipment(antenna, serial))
    receiver, firmware, receiver_serial = bits.text(), bits.text(), bits.text()
    return Heard(number, station, equipment=Equipment(antenna, serial, receiver, firmware, receiver_serial))


def _read_position(number: int, bits: "Bits") -> Position:
    """DF021 to DF027: ten thousandths of a metre of 38 bits, with flags between them."""
    bits.take(10)
    x = bits.take_signed(38) / 10_000
    bits.take(2)
    y = bits.take_signed(38) / 10_000
    bits.take(2)
    z = bits.take_signed(38) / 10_000
    return Position(x, y, z, bits.take(16) / 10_000 if number == 1006 else None)


class Bits:
    """Takes numbers off a message, from its first bit on."""

    def __init__(self, data: bytes) -> None:
        self._number = int.from_bytes(data, "big")
        self._size = len(data) * 8
        self.place = 0

    def take(self, size: int) -> int:
        """Returns the next bits. Raises ``BadInput("frame.bad")`` where there are none."""
        end = self.place + size
        if end > self._size:
            raise bad_frame(PROTOCOL, f"{self._size // 8} bytes end before bit {end}")
        self.place = end
        return self._number >> self._size - end & (1 << size) - 1

    def take_signed(self, size: int) -> int:
        """Returns the next bits as two's complement."""
        number = self.take(size)
        return number - (number >> size - 1 << size)

    def text(self) -> str:
        """Returns a text that begins with its length in eight bits."""
        octets = bytes(self.take(8) for _ in range(self.take(8)))
        return octets.decode("latin-1").strip("\0 ")


def geodetic(x: float, y: float, z: float) -> tuple[float, float, float]:
    """Returns longitude and latitude (degrees) and ellipsoidal height (metres) of a place on the Earth."""
    squared = _FLATTENING * (2 - _FLATTENING)
    across = math.hypot(x, y)
    latitude, height = math.atan2(z, across * (1 - squared)), 0.0
    for _ in range(8):
        curve = _SEMI_MAJOR / math.sqrt(1 - squared * math.sin(latitude) ** 2)
        # near the poles the distance from the axis says nothing
        if abs(latitude) < math.pi / 4:
            height = across / math.cos(latitude) - curve
        else:
            height = z / math.sin(latitude) - curve * (1 - squared)
        latitude = math.atan2(z, across * (1 - squared * curve / (curve + height)))
    return math.degrees(math.atan2(y, x)), math.degrees(latitude), height

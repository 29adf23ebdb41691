"""Information elements: values and how far they can be trusted (101, 7.2.6)."""

import math
import struct

import msgspec

from yunmeng.gateways.iec104.asdu import Item
from yunmeng.gateways.iec104.clock import Clock
from yunmeng.gateways.iec104.types import TYPES, Type
from yunmeng.kernel.model import Quality

_OVERFLOW, _ELAPSED_INVALID = 0x01, 0x08
_BLOCKED, _SUBSTITUTED, _NOT_TOPICAL, _INVALID = 0x10, 0x20, 0x40, 0x80
_TRANSIENT, _ADJUSTED = 0x80, 0x40
_NEARLY_ALL = 3.4e38
KINDS = {
    "siq": "single",
    "diq": "double",
    "vti": "step",
    "bsi": "bits",
    "nva": "measured",
    "sva": "measured",
    "r32": "measured",
    "bcr": "counted",
    "scd": "packed",
    "sep": "protection",
    "spe": "protection",
    "oci": "protection",
}
"""What kind of point the first element makes it."""


class Point(msgspec.Struct, frozen=True, gc=False):
    """What one monitored object says; ``at`` is None without a time that can be used."""

    value: float | int | None
    quality: Quality
    at: int | None = None


def read_point(type: int, item: Item, clock: Clock) -> Point:
    """Reads a monitored object of a known type.

    A value without a valid time is uncertain where its type bears one: it stands at the time of reception.
    """
    known, data = TYPES[type], item.data
    value = _value(known.elements[0], data)
    quality = Quality.MISSING if value is None else _quality(known, data)
    if not known.timed:
        return Point(value, quality)
    at = clock.read(data[-7:])
    if at is None and quality is Quality.GOOD:
        quality = Quality.UNCERTAIN
    return Point(value, quality, at)


def kind_of(type: int) -> str:
    """Returns what kind of point a monitored type is of."""
    return KINDS[TYPES[type].elements[0]]


def _value(element: str, data: bytes) -> float | int | None:
    first = data[0]
    match element:
        case "siq":
            return first & 1
        case "diq" | "sep":
            return first & 3
        case "vti":
            return (first & 0x3F) - (first & 0x40)
        case "bsi":
            return int.from_bytes(data[:4], "little")
        case "nva":
            return int.from_bytes(data[:2], "little", signed=True) / 32_768
        case "sva":
            return int.from_bytes(data[:2], "little", signed=True)
        case "bcr":
            return int.from_bytes(data[:4], "little", signed=True)
        case "scd":
            return int.from_bytes(data[:2], "little")
        case "r32":
            (number,) = struct.unpack_from("<f", data)
            return shortest(number) if math.isfinite(number) else None
        case _:
            return first & (0x0F if element == "oci" else 0x3F)


def shortest(number: float) -> float:
    """Returns the shortest decimal that is the same in four octets: 0.1, not 0.10000000149011612."""
    if abs(number) > _NEARLY_ALL:
        return number
    octets = struct.pack("<f", number)
    texts = (float(f"{number:.{digits}g}") for digits in range(6, 10))
    return next((text for text in texts if struct.pack("<f", text) == octets), number)


def _quality(known: Type, data: bytes) -> Quality:
    element = known.elements[0]
    if element == "bcr":
        return _counted(data[4])
    if element in ("siq", "diq", "sep"):
        return _described(data[0] & 0xF8 if element == "sep" else data[0] & 0xF0)
    if known.elements[1:2] not in (("qds",), ("qdp",)):
        return Quality.GOOD
    octet = data[known.offset(known.elements[1])] & (0xF1 if known.elements[1] == "qds" else 0xF8)
    if element == "vti" and data[0] & _TRANSIENT:
        octet |= _NOT_TOPICAL
    return _described(octet)


def _described(octet: int) -> Quality:
    """Weighs a quality descriptor (7.2.6.3, 7.2.6.4): the worst of its bits says how it is."""
    if octet & (_INVALID | _OVERFLOW):
        return Quality.BAD
    if octet & _SUBSTITUTED:
        return Quality.SUBSTITUTED
    if octet & (_NOT_TOPICAL | _BLOCKED | _ELAPSED_INVALID):
        return Quality.UNCERTAIN
    return Quality.GOOD


def _counted(octet: int) -> Quality:
    """Weighs the octet of a counter (7.2.6.9); that it ran over (CY) is no fault of the reading."""
    if octet & _INVALID:
        return Quality.BAD
    return Quality.UNCERTAIN if octet & _ADJUSTED else Quality.GOOD

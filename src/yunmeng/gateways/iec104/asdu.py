"""ASDUs: what a station says about its information objects (101, clause 7; 104, clause 6)."""

from enum import IntEnum

import msgspec

from yunmeng.gateways.iec104.apci import LONGEST_ASDU, PROTOCOL
from yunmeng.gateways.iec104.types import LAST_MONITORED, TYPES
from yunmeng.kernel.sense import bad_frame


class Cause(IntEnum):
    """Why an ASDU is sent (101, 7.2.3)."""

    PERIODIC = 1
    BACKGROUND = 2
    SPONTANEOUS = 3
    INITIALISED = 4
    REQUEST = 5
    ACTIVATION = 6
    ACTIVATION_CON = 7
    DEACTIVATION = 8
    DEACTIVATION_CON = 9
    TERMINATION = 10
    RETURN_REMOTE = 11
    INTERROGATED = 20
    COUNTER_REQUEST = 37
    UNKNOWN_TYPE = 44
    UNKNOWN_CAUSE = 45
    UNKNOWN_STATION = 46
    UNKNOWN_OBJECT = 47


class Shape(msgspec.Struct, frozen=True):
    """How many octets the addresses have; 104 says 2, 2 and 3, some stations keep what they had in 101."""

    cause: int = 2
    station: int = 2
    object: int = 3


class Item(msgspec.Struct, frozen=True, gc=False):
    """One information object: its address, and its elements with qualifiers and time as they travel."""

    address: int
    data: bytes


class Asdu(msgspec.Struct, frozen=True, gc=False):
    """One ASDU; ``sequence`` is SQ: the addresses follow each other and only the first one travels."""

    type: int
    cause: int
    station: int
    items: tuple[Item, ...]
    sequence: bool = False
    negative: bool = False
    test: bool = False
    originator: int = 0


def read_asdu(data: bytes, shape: Shape) -> Asdu:
    """Reads one ASDU.

    Raises:
        BadInput: ``frame.bad`` for an unknown type, and where the objects are not those that the head counts.
    """
    head = 2 + shape.cause + shape.station
    if len(data) < head:
        raise bad_frame(PROTOCOL, f"an ASDU of {len(data)} bytes")
    known = TYPES.get(data[0])
    if known is None:
        raise bad_frame(PROTOCOL, f"type {data[0]} is not taken")
    sequence, count = bool(data[1] & 0x80), data[1] & 0x7F
    # the standard has sequences without times only, but stations send them with times as well
    if sequence and data[0] > LAST_MONITORED:
        raise bad_frame(PROTOCOL, f"{known.name} as a sequence")
    items = _read_items(data, head, count, known.size, shape.object, sequence=sequence)
    return Asdu(
        data[0],
        data[2] & 0x3F,
        int.from_bytes(data[2 + shape.cause : head], "little"),
        items,
        sequence,
        bool(data[2] & 0x40),
        bool(data[2] & 0x80),
        data[3] if shape.cause == 2 else 0,
    )


def write_asdu(asdu: Asdu, shape: Shape) -> bytes:
    """Writes one ASDU. Raises ``BadInput("frame.bad")`` for one that is too long."""
    cause = asdu.cause | asdu.negative << 6 | asdu.test << 7
    head = bytes((asdu.type, len(asdu.items) | asdu.sequence << 7, cause))
    head += bytes((asdu.originator,)) if shape.cause == 2 else b""
    parts = [head, asdu.station.to_bytes(shape.station, "little")]
    for place, item in enumerate(asdu.items):
        if not place or not asdu.sequence:
            parts.append(item.address.to_bytes(shape.object, "little"))
        parts.append(item.data)
    data = b"".join(parts)
    if len(data) > LONGEST_ASDU:
        raise bad_frame(PROTOCOL, f"an ASDU of {len(data)} bytes")
    return data


def _read_items(
    data: bytes, head: int, count: int, size: int, address: int, *, sequence: bool
) -> tuple[Item, ...]:
    step = size if sequence else size + address
    expected = head + step * count + (address if sequence else 0)
    if not count or len(data) != expected:
        raise bad_frame(PROTOCOL, f"type {data[0]}: {len(data)} bytes, {expected} for {count} objects")
    if sequence:
        first, begin = int.from_bytes(data[head : head + address], "little"), head + address
        if first + count > 1 << 8 * address:
            raise bad_frame(PROTOCOL, f"addresses from {first} on for {count} objects")
        return tuple(Item(first + n, data[begin + n * size : begin + (n + 1) * size]) for n in range(count))
    return tuple(
        Item(int.from_bytes(data[at : at + address], "little"), data[at + address : at + step])
        for at in range(head, expected, step)
    )

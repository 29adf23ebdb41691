"""Commands as people write them, and the ASDUs that they become (101, 7.3.2 to 7.3.4)."""

import math
import struct
from collections.abc import Callable, Mapping
from typing import Any, Literal

import msgspec

from yunmeng.gateways.iec104.asdu import Asdu, Cause, Item
from yunmeng.gateways.iec104.clock import Clock
from yunmeng.kernel.base import BadInput
from yunmeng.kernel.sense import Command

Mode = Literal["direct", "sbo", "select", "cancel"]

SELECT = 0x80
"""S/E: select, else execute (7.2.6.26, 7.2.6.39)."""
TIMED = 13
"""A command with a time is this many types further on."""
_TEST_PATTERN = b"\xaa\x55"
_DOUBLE = {"off": 1, "open": 1, "on": 2, "closed": 2}
_STEP = {"lower": 1, "higher": 2}
_SINGLE = {"off": 0, "on": 1}


class _Control(msgspec.Struct, frozen=True):
    """``value`` ``qualifier`` ``mode`` ``time`` of a control point."""

    ioa: int
    value: Any
    ca: int | None = None
    qualifier: int = 0
    mode: Mode = "direct"
    time: bool = False


class _Parameter(msgspec.Struct, frozen=True):
    ioa: int
    value: float
    kind: int
    ca: int | None = None


class _Simple(msgspec.Struct, frozen=True):
    """What orders without a control point may say."""

    ca: int | None = None
    ioa: int = 0
    group: int = 0
    freeze: int = 0
    qualifier: int = 1
    on: bool = True


class Order(msgspec.Struct, frozen=True):
    """What is to be sent: the ASDU that carries it out, and whether it is selected before."""

    asdu: Asdu
    mode: Mode = "direct"


def write_order(command: Command, station: int, originator: int, clock: Clock, at: int) -> Order:
    """Returns what a command is on the line; ``station`` is the common address unless it names another.

    Raises:
        BadInput: ``command.unknown``, ``command.arguments``.
    """
    write = _ORDERS.get(command.name)
    if write is None:
        raise BadInput("command.unknown", name=command.name, known=", ".join([*_ORDERS, "start", "stop"]))
    try:
        order, where = write(command.arguments, clock, at)
    except (ValueError, TypeError, OverflowError, struct.error) as cause:
        raise BadInput("command.arguments", name=command.name, reason=str(cause)) from cause
    asdu = msgspec.structs.replace(
        order.asdu, station=station if where is None else where, originator=originator
    )
    return Order(asdu, order.mode)


Written = tuple[Order, int | None]
Write = Callable[[Mapping[str, Any], Clock, int], Written]


def _control(type: int, element: Callable[[Any, int], bytes], most: int, *, selects: bool = True) -> Write:
    def write(arguments: Mapping[str, Any], clock: Clock, at: int) -> Written:
        given = msgspec.convert(arguments, _Control, strict=False)
        _within("qualifier", given.qualifier, most)
        if given.mode != "direct" and not selects:
            raise ValueError("mode: direct")
        data = element(given.value, given.qualifier) + (clock.write(at) if given.time else b"")
        asdu = _asdu(type + TIMED * given.time, given.ioa, data)
        return Order(asdu, given.mode), given.ca

    return write


def _switch(words: Mapping[str, int]) -> Callable[[Any, int], bytes]:
    """SCO, DCO and RCO: the state, QU from bit 2 on (7.2.6.15 to 17)."""

    def element(value: Any, qualifier: int) -> bytes:
        state = words.get(value, value) if isinstance(value, str) else value
        number = int(state)
        if number not in words.values():
            raise ValueError(f"value: {', '.join(words)}")
        return bytes((number | qualifier << 2,))

    return element


def _normalized(value: Any, qualifier: int) -> bytes:
    return struct.pack("<hB", _normal(value), qualifier)


def _scaled(value: Any, qualifier: int) -> bytes:
    return struct.pack("<hB", int(value), qualifier)


def _float(value: Any, qualifier: int) -> bytes:
    return struct.pack("<fB", _finite(value), qualifier)


def _bits(value: Any, _: int) -> bytes:
    return struct.pack("<I", int(value))


def _parameter(type: int, element: Callable[[Any, int], bytes]) -> Write:
    """KPA in the lowest six bits of QPM: 1 threshold, 2 smoothing, 3 and 4 the limits (7.2.6.24)."""

    def write(arguments: Mapping[str, Any], clock: Clock, at: int) -> Written:
        given = msgspec.convert(arguments, _Parameter, strict=False)
        _within("kind", given.kind, 63)
        return Order(_asdu(type, given.ioa, element(given.value, given.kind))), given.ca

    return write


def _simple(type: int, element: Callable[[_Simple, Clock, int], bytes]) -> Write:
    def write(arguments: Mapping[str, Any], clock: Clock, at: int) -> Written:
        given = msgspec.convert(arguments, _Simple, strict=False)
        cause = Cause.REQUEST if type == 102 else Cause.ACTIVATION
        if type == 113 and not given.on:
            cause = Cause.DEACTIVATION
        return Order(_asdu(type, given.ioa, element(given, clock, at), cause)), given.ca

    return write


def _asdu(type: int, address: int, data: bytes, cause: int = Cause.ACTIVATION) -> Asdu:
    _within("ioa", address, 0xFFFFFF)
    return Asdu(type, cause, 0, (Item(address, data),))


def _octet(name: str, value: int, most: int) -> bytes:
    _within(name, value, most)
    return bytes((value,))


def _within(name: str, value: int, most: int) -> None:
    if not 0 <= value <= most:
        raise ValueError(f"{name}: 0..{most}")


def _finite(value: Any) -> float:
    if not math.isfinite(number := float(value)):
        raise ValueError("value")
    return number


def _normal(value: Any) -> int:
    if not -1 <= _finite(value) < 1:
        raise ValueError("value: -1..1")
    return min(32_767, round(float(value) * 32_768))


def _counters(given: _Simple, clock: Clock, at: int) -> bytes:
    """QCC: which counters (5 is all of them), and whether to freeze or reset (7.2.6.23)."""
    _within("freeze", given.freeze, 3)
    _within("group", given.group, 4)
    return bytes(((given.group or 5) | given.freeze << 6,))


_ORDERS: Mapping[str, Write] = {
    "single": _control(45, _switch(_SINGLE), 31),
    "double": _control(46, _switch(_DOUBLE), 31),
    "step": _control(47, _switch(_STEP), 31),
    "setpoint-normalized": _control(48, _normalized, 127),
    "setpoint-scaled": _control(49, _scaled, 127),
    "setpoint-float": _control(50, _float, 127),
    "bitstring": _control(51, _bits, 0, selects=False),
    "interrogate": _simple(100, lambda given, clock, at: _octet("group", 20 + given.group, 36)),
    "interrogate-counters": _simple(101, _counters),
    "read": _simple(102, lambda given, clock, at: b""),
    "clock": _simple(103, lambda given, clock, at: clock.write(at)),
    "test": _simple(107, lambda given, clock, at: _TEST_PATTERN + clock.write(at)),
    "reset": _simple(105, lambda given, clock, at: _octet("qualifier", given.qualifier, 127)),
    "parameter-normalized": _parameter(110, _normalized),
    "parameter-scaled": _parameter(111, _scaled),
    "parameter-float": _parameter(112, _float),
    "parameter-activate": _simple(113, lambda given, clock, at: _octet("qualifier", given.qualifier, 3)),
}

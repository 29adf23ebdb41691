"""What a meter says (CJ/T 188-2018 annex A): numbers in BCD with a byte for the unit, and a state."""

from typing import Any

from yunmeng.gateways.cjt188.codec import PROTOCOL
from yunmeng.kernel.base import convert
from yunmeng.kernel.sense import bad_frame

MEASURED, VALVE = 0x901F, 0xA017
"""Data identifiers: what is measured; the valve."""
OPEN, SHUT = 0x55, 0x99

_UNITS = {
    0x02: ("WHR", 1),
    0x05: ("KWH", 1),
    0x08: ("MWH", 1),
    0x0A: ("MWH", 100),
    0x01: ("JOU", 1),
    0x0B: ("KJO", 1),
    0x0E: ("KJO", 1000),
    0x11: ("GV", 1),
    0x13: ("GV", 100),
    0x14: ("WTT", 1),
    0x17: ("KWT", 1),
    0x1A: ("MAW", 1),
    0x29: ("LTR", 1),
    0x2C: ("MTQ", 1),
    0x32: ("E32", 1),
    0x35: ("MQH", 1),
}
_VALVE_STATES = {0: "open", 1: "closed", 3: "fault"}


def kind_name(kind: int) -> str:
    """Returns ``water`` (10H to 19H), ``heat`` (20H to 29H) or ``gas`` (30H to 39H)."""
    name = {1: "water", 2: "heat", 3: "gas"}.get(kind >> 4)
    if name is None:
        raise bad_frame(PROTOCOL, f"T {kind:02X}")
    return name


def read_measures(kind: int, data: bytes) -> dict[str, Any]:
    """Returns the fields of an answer to 901F; quantities in m³, kWh, kW, m³/h and °C, missing ones None.

    Raises:
        BadInput: ``frame.bad`` for a short answer, digits that are none, or a unit that is unknown.
    """
    return _heat(data) if kind_name(kind) == "heat" else _volumes(data)


def write_volumes(volume: float, settled: float, valve: int) -> bytes:
    """Returns what a cold-water meter says, for simulators: the time is left as zeros."""
    return _bcd(volume) + b"\x2c" + _bcd(settled) + b"\x2c" + bytes(7) + bytes((valve, 0))


def _volumes(data: bytes) -> dict[str, Any]:
    if len(data) < 19:
        raise bad_frame(PROTOCOL, f"901F: {len(data)} < 19")
    return {
        "volume": _quantity(data[0:5], "MTQ"),
        "settled": _quantity(data[5:10], "MTQ"),
        **_state(data[17:19]),
    }


def _heat(data: bytes) -> dict[str, Any]:
    if len(data) < 43:
        raise bad_frame(PROTOCOL, f"901F: {len(data)} < 43")
    state = _state(data[41:43])
    return {
        "heat": _quantity(data[5:10], "KWH"),
        "heat_power": _quantity(data[10:15], "KWT"),
        "flow": _quantity(data[15:20], "MQH", places=4),
        "volume": _quantity(data[20:25], "MTQ"),
        "supply_temperature": _number(data[25:28], 2),
        "return_temperature": _number(data[28:31], 2),
        "battery": state["battery"],
    }


def _state(status: bytes) -> dict[str, Any]:
    return {
        "valve": _VALVE_STATES.get(status[0] & 0x03),
        "battery": "low" if status[0] & 0x04 else "good",
    }


def _quantity(raw: bytes, wanted: str, places: int = 2) -> float | None:
    number = _number(raw[:4], places)
    if number is None:
        return None
    unit = _UNITS.get(raw[4])
    if unit is None:
        raise bad_frame(PROTOCOL, f"unit {raw[4]:02X}")
    code, times = unit
    return number if unit == (wanted, 1) else convert(number * times, code, wanted)


def _number(raw: bytes, places: int) -> float | None:
    if raw == b"\xff" * len(raw):
        return None
    digits = raw[::-1].hex()
    if not digits.isdecimal():
        raise bad_frame(PROTOCOL, f"BCD {digits}")
    return int(digits) / 10**places


def _bcd(value: float) -> bytes:
    return bytes.fromhex(f"{round(value * 100):08d}"[-8:])[::-1]

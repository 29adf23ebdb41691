"""What stations answer to orders: settings, status, version, events (tables 51 to 86)."""

from typing import Any

from yunmeng.gateways.sl651.messages import Frame, Report
from yunmeng.gateways.sl651.tables import parameters
from yunmeng.gateways.sl651.values import read_digits, read_time
from yunmeng.kernel.base import format_us
from yunmeng.kernel.sense import bad_frame

STATUS_BITS = (
    "mains-failed",
    "battery-low",
    "level-alarm",
    "flow-alarm",
    "quality-alarm",
    "flow-meter-fault",
    "level-gauge-fault",
    "door-closed",
    "storage-fault",
    "card-enabled",
    "pumps-stopped",
    "volume-alarm",
)
"""What each bit of a station's status says when it is set (table 58)."""

_VERSION, _EVENTS, _QUOTA = 0x45, 0x50, 0x4F
_CONFIG = range(0x40, 0x44)
_SETTINGS = (*_CONFIG, 0x46, 0x49, 0x4B)
_SWITCHES = (0x4C, 0x4D)
_GATES = 0x4E


def read_reply(frame: Frame, text: bytes) -> tuple[Report, dict[str, Any]]:
    """Reads serial number and time, and what the answer says. Raises ``BadInput("frame.bad")``."""
    try:
        if frame.ascii:
            report, pairs, rest = _ascii(text, frame.function)
        else:
            report, pairs, rest = _hex(text, frame.function)
        result: dict[str, Any] = {"serial": report.serial, "sentAt": format_us(report.sent_at)}
        return report, result | _settings(frame, pairs) | _rest(frame.function, rest)
    except (ValueError, IndexError) as cause:
        raise bad_frame("sl651", f"the answer to {frame.function:02X} is cut off or no number") from cause


Pairs = list[tuple[int, str, int]]
"""Identifier, hex digits (in ASCII frames the word), decimals (-1 in ASCII frames)."""


def _hex(text: bytes, function: int) -> tuple[Report, Pairs, bytes]:
    report, at, pairs = Report(int.from_bytes(text[:2], "big"), read_time(text[2:8].hex())), 8, Pairs()
    if text[at : at + 2] == b"\xf1\xf1":
        at += 7
    if function not in _SETTINGS:
        return report, pairs, text[at:]
    while at < len(text):
        id, definition = text[at], text[at + 1]
        width, decimals = (definition, 0) if id == 0x0E else (definition >> 3, definition & 7)
        data = text[at + 2 : at + 2 + width]
        if len(data) != width:
            raise IndexError(at)
        pairs.append((id, data.hex(), decimals))
        at += 2 + width
    return report, pairs, b""


def _ascii(text: bytes, function: int) -> tuple[Report, Pairs, bytes]:
    report = Report(int(text[:4].decode("ascii"), 16), read_time(text[4:16].decode("ascii")))
    words = text[16:].decode("gb18030").split()
    if words[:1] == ["ST"]:
        words = words[2:]
    if function in _SETTINGS:
        named = zip(words[::2], words[1::2], strict=True)
        return report, [(0x45 if id == "ZT" else int(id, 16), value, -1) for id, value in named], b""
    if function == _VERSION:
        version = " ".join(words[1:]).encode()
        return report, [], bytes((len(version),)) + version
    return report, [], bytes.fromhex("".join(words))


def _settings(frame: Frame, pairs: Pairs) -> dict[str, Any]:
    if frame.function in _CONFIG:
        return {"parameters": {f"{id:02X}": _value(id, digits, decimals) for id, digits, decimals in pairs}}
    if not pairs:
        return {}
    if frame.function == 0x49:
        return {"password": pairs[-1][1].upper()}
    status = int(pairs[-1][1], 16)
    return {"status": status, "set": [name for bit, name in enumerate(STATUS_BITS) if status >> bit & 1]}


def _value(id: int, digits: str, decimals: int) -> Any:
    form = parameters()[id].form if id in parameters() else "hex"
    if decimals < 0:
        return digits
    if form[0].isdecimal():
        return read_digits(digits, decimals)
    if form == "ascii":
        return bytes.fromhex(digits).decode("ascii", "replace")
    return digits.upper().lstrip("A") if form == "text" else digits.upper()


def _rest(function: int, data: bytes) -> dict[str, Any]:
    if function == _VERSION:
        return {"version": data[1 : 1 + data[0]].decode("gb18030", "replace")}
    if function == _EVENTS:
        return {"events": [int.from_bytes(data[at : at + 2], "big") for at in range(0, len(data), 2)]}
    if function == _QUOTA:
        return {"on": data[0] == 0xFF}
    if function in _SWITCHES:
        return {"on": _bits(data[1 : 1 + data[0]], 8 * data[0])}
    if function == _GATES:
        count = data[0]
        width = (count + 7) // 8
        openings = data[1 + width :]
        cm = [read_digits(openings[at : at + 2].hex(), 0) for at in range(0, 2 * count, 2)]
        return {"on": _bits(data[1 : 1 + width], count), "openings_cm": cm}
    return {"text": data.hex().upper()} if data else {}


def _bits(data: bytes, count: int) -> list[bool]:
    number = int.from_bytes(data, "little")
    return [bool(number >> place & 1) for place in range(count)]

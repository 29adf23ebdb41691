"""What a platform may have a vehicle do: query and set parameters, control (annex B of 2016)."""

from collections.abc import Mapping
from typing import Any

from yunmeng.gateways.gbt32960.codec import PROTOCOL
from yunmeng.kernel.base import BadInput
from yunmeng.kernel.sense import bad_frame

QUERY, SET, CONTROL = 0x80, 0x81, 0x82
_NUMBERS = {
    0x01: ("store_ms", 2),
    0x02: ("report_s", 2),
    0x03: ("alarm_report_ms", 2),
    0x06: ("platform_port", 2),
    0x09: ("heartbeat_s", 1),
    0x0A: ("vehicle_timeout_s", 2),
    0x0B: ("platform_timeout_s", 2),
    0x0C: ("login_retry_min", 1),
    0x0F: ("public_platform_port", 2),
    0x10: ("sampling", 1),
}
_TEXTS = {0x05: "platform", 0x0E: "public_platform"}
_VERSIONS = {0x07: "hardware", 0x08: "firmware"}
_NAMES = {id: name for id, (name, _) in _NUMBERS.items()} | _TEXTS | _VERSIONS
_IDS = {name: id for id, name in _NAMES.items()}
_ORDERS = {
    "upgrade": 0x01,
    "shut-down": 0x02,
    "restart": 0x03,
    "factory-reset": 0x04,
    "disconnect": 0x05,
    "alarm": 0x06,
    "sample": 0x07,
}
NAMES = ("parameters", "set-parameters", *_ORDERS)


def build(name: str, arguments: Mapping[str, Any], now: bytes) -> tuple[int, bytes]:
    """Returns the command byte and the data of a command, the time ``now`` in front.

    Raises:
        BadInput: ``command.unknown`` or ``command.arguments``.
    """
    if name not in NAMES:
        raise BadInput("command.unknown", name=name, known=", ".join(NAMES))
    try:
        if name == "parameters":
            ids = [_IDS[each] for each in arguments.get("names", _IDS)]
            return QUERY, now + bytes((len(ids), *ids))
        if name == "set-parameters":
            return SET, now + _items(arguments)
        return CONTROL, now + bytes((_ORDERS[name],)) + _argument(name, arguments)
    except (KeyError, ValueError, TypeError, OverflowError) as cause:
        raise BadInput("command.arguments", name=name, reason=repr(cause)) from cause


def _items(arguments: Mapping[str, Any]) -> bytes:
    items: list[bytes] = []
    for name, given in arguments.items():
        id = _IDS[name]
        if id in _NUMBERS:
            items.append(bytes((id,)) + int(given).to_bytes(_NUMBERS[id][1]))
        elif id in _TEXTS:  # the size of a name is a parameter of its own, the one before it
            text = str(given).encode("ascii")
            items += [bytes((id - 1, len(text))), bytes((id,)) + text]
        else:
            items.append(bytes((id,)) + str(given).encode("ascii").ljust(5, b"\0")[:5])
    if not items:
        raise KeyError("parameters")
    return bytes((len(items),)) + b"".join(items)


def _argument(name: str, arguments: Mapping[str, Any]) -> bytes:
    if name == "alarm":
        return bytes((int(arguments["level"]),))
    if name == "upgrade":
        return ";".join(str(part) for part in arguments["parameters"]).encode("ascii")
    return b""


def read_parameters(data: bytes) -> dict[str, object]:
    """Reads the answer to a query. Raises ``frame.bad``."""
    found: dict[str, object] = {}
    place, size = 7, 0
    for _ in range(data[6] if len(data) > 6 else 0):
        id = data[place] if place < len(data) else 0
        width = _width(id, size)
        piece = data[place + 1 : place + 1 + width]
        if len(piece) != width or not id:
            raise bad_frame(PROTOCOL, f"parameters of {len(data)} bytes")
        place += 1 + width
        if id in (0x04, 0x0D):
            size = piece[0]
        elif id in _NUMBERS:
            raw = int.from_bytes(piece)
            found[_NAMES[id]] = None if raw >= (1 << 8 * width) - 2 else raw
        else:
            found[_NAMES[id]] = piece.rstrip(b"\0").decode("ascii", "replace")
    return found


def _width(id: int, size: int) -> int:
    if id in (0x04, 0x0D):
        return 1
    if id in _TEXTS:
        return size
    if id in _VERSIONS:
        return 5
    if id not in _NUMBERS:
        raise bad_frame(PROTOCOL, f"parameter {id:02X} is not known")
    return _NUMBERS[id][1]

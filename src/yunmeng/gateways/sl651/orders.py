"""Orders of the centre to a station: function codes 36H to 51H (clauses 6.6.4.9 to 6.6.4.31)."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from yunmeng.gateways.sl651.tables import Element, SeriesElement, codes, parameters
from yunmeng.gateways.sl651.values import write_digits, write_time
from yunmeng.gateways.sl651.writing import Item, name_item, raw_item, step_item
from yunmeng.kernel.base import BadInput, YunmengError, instant_us
from yunmeng.kernel.sense import Command

Arguments = Mapping[str, Any]
_CARD_BIT = 1 << 9
_CLEAR, _FACTORY = 0x97, 0x98


def write_order(command: Command) -> tuple[int, list[Item]]:
    """Returns the function code of an order and the pieces of its text.

    Raises:
        BadInput: ``command.unknown``, ``command.arguments``.
    """
    known = ORDERS.get(command.name)
    if known is None:
        raise BadInput("command.unknown", name=command.name, known=", ".join(ORDERS))
    function, write = known
    try:
        items = list(write(command.arguments))
        return function or _function(command.arguments), items
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError, YunmengError) as cause:
        raise BadInput("command.arguments", name=command.name, reason=repr(cause)) from cause


def _nothing(_: Arguments) -> Iterable[Item]:
    return ()


def _span(arguments: Arguments) -> Iterable[Item]:
    """Values of elements between two hours, in steps of minutes (table 44)."""
    for name in ("start", "end"):
        text = write_time(instant_us(arguments[name]), "%y%m%d%H")
        yield Item(bytes.fromhex(text), f"{text} ")
    rows = [_row(code) for code in _list(arguments["elements"])]
    whole = any(isinstance(row, SeriesElement) for row in rows)
    yield step_item(0 if whole else int(arguments.get("step_minutes", 60)))
    yield from map(name_item, rows)


def _names(arguments: Arguments) -> Iterable[Item]:
    return (name_item(_row(code)) for code in _list(arguments["elements"]))


def _asked(arguments: Arguments) -> Iterable[Item]:
    for text in _list(arguments["parameters"]):
        row = parameters()[int(text, 16)]
        width, decimals = _shape(row.form)
        yield Item(bytes((row.id, width << 3 | decimals)), f"{row.id:02X} ")


def _set(arguments: Arguments) -> Iterable[Item]:
    return (_parameter(int(id, 16), str(value)) for id, value in dict(arguments["parameters"]).items())


def _parameter(id: int, value: str) -> Item:
    row = parameters()[id]
    match row.form:
        case "hex":
            data = bytes.fromhex(value)
        case "text":
            data = bytes.fromhex(value if len(value) % 2 == 0 else "A" + value)
        case "ascii":
            data = value.encode("ascii")
        case "none":
            raise ValueError(f"{id:02X}")
        case form:
            digits, _, decimals = form.partition(".")
            data = write_digits(float(value), int(digits), int(decimals or 0))
    decimals = _shape(row.form)[1]
    definition = len(data) if id == 0x0E else len(data) << 3 | decimals
    return Item(bytes((id, definition)) + data, f"{id:02X} {value} ")


def _shape(form: str) -> tuple[int, int]:
    digits, _, decimals = form.partition(".")
    return ((int(digits) + 1) // 2, int(decimals or 0)) if digits.isdecimal() else (0, 0)


def _one(id: int) -> Callable[[Arguments], Iterable[Item]]:
    return lambda _: (Item(bytes((id, 0)), f"{id:02X} "),)


def _passwords(arguments: Arguments) -> Iterable[Item]:
    for name in ("old", "new"):
        data = int(str(arguments[name]), 16).to_bytes(2, "big")
        yield Item(b"\x03\x10" + data, f"03 {data.hex().upper()} ")


def _card(arguments: Arguments) -> Iterable[Item]:
    status = _CARD_BIT if arguments["on"] else 0
    return (Item(b"\x45\x20" + status.to_bytes(4, "big"), f"ZT {status:08X} "),)


def _switches(arguments: Arguments) -> Iterable[Item]:
    """The number of bytes, then a bit each pump or valve, the first in the lowest (tables 71, 74)."""
    bits = _bits(arguments["on"])
    return (raw_item(bytes((len(bits),)) + bits),)


def _gates(arguments: Arguments) -> Iterable[Item]:
    """The number of gates, a bit each, and each one's opening in centimetres (table 77)."""
    states = _list(arguments["on"])
    openings = [write_digits(float(value), 4, 0) for value in _list(arguments["openings_cm"])]
    if len(states) != len(openings):
        raise ValueError("openings_cm")
    return (raw_item(bytes((len(states),)) + _bits(states) + b"".join(openings)),)


def _bits(states: object) -> bytes:
    flags = _list(states)
    number = sum(1 << place for place, on in enumerate(flags) if on)
    return number.to_bytes((len(flags) + 7) // 8, "little")


def _quota(arguments: Arguments) -> Iterable[Item]:
    return (raw_item(b"\xff" if arguments["on"] else b"\x00"),)


def _raw(arguments: Arguments) -> Iterable[Item]:
    return (raw_item(bytes.fromhex(str(arguments.get("text", "")))),)


def _function(arguments: Arguments) -> int:
    """The code of an order of the user's own (52H to FFH, or 00H to 2EH)."""
    code = int(str(arguments["function"]), 16)
    if not (0x52 <= code <= 0xFF or 0 <= code <= 0x2E or 0x3B <= code <= 0x3F):
        raise ValueError(arguments["function"])
    return code


def _row(code: str) -> Element | SeriesElement:
    return codes()[code]


def _list(value: object) -> list[Any]:
    return list(value) if isinstance(value, list | tuple) else [value]  # pyright: ignore[reportUnknownArgumentType, reportUnknownVariableType]


ORDERS: Mapping[str, tuple[int, Callable[[Arguments], Iterable[Item]]]] = {
    "query-picture": (0x36, _nothing),
    "query-now": (0x37, _nothing),
    "query-series": (0x38, _span),
    "query-manual": (0x39, _nothing),
    "query-elements": (0x3A, _names),
    "set-config": (0x40, _set),
    "read-config": (0x41, _asked),
    "set-parameters": (0x42, _set),
    "read-parameters": (0x43, _asked),
    "query-pumps": (0x44, _nothing),
    "query-version": (0x45, _nothing),
    "query-status": (0x46, _nothing),
    "clear-storage": (0x47, _one(_CLEAR)),
    "factory-reset": (0x48, _one(_FACTORY)),
    "set-password": (0x49, _passwords),
    "set-clock": (0x4A, _nothing),
    "set-card": (0x4B, _card),
    "set-pumps": (0x4C, _switches),
    "set-valves": (0x4D, _switches),
    "set-gates": (0x4E, _gates),
    "set-quota": (0x4F, _quota),
    "query-events": (0x50, _nothing),
    "query-clock": (0x51, _nothing),
    "raw": (0, _raw),
}
"""Every order by its name: function code, and how its text is written; 0 where the arguments name it."""

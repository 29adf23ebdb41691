"""What a meter can be asked: the data identifiers of annex A, and how their digits are written."""

import tomllib
from functools import cache
from pathlib import Path

import msgspec

from yunmeng.kernel.base import BadInput, nearest
from yunmeng.kernel.sense import bad_frame


class Item(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One data identifier; ``digits`` stand before and after the decimal point.

    With ``occurs`` five bytes follow that say when (YYMMDDhhmm).
    """

    id: str
    zh: str
    en: str
    digits: tuple[int, int]
    unit: str
    sign: bool = False
    occurs: bool = False

    @property
    def wire_id(self) -> bytes:
        """The identifier as it travels: the lowest byte first."""
        return bytes.fromhex(self.id)[::-1]

    @property
    def size(self) -> int:
        """Bytes of the value."""
        return sum(self.digits) // 2


@cache
def items() -> dict[str, Item]:
    """Returns every item by name."""
    table = tomllib.loads(Path(__file__).with_name("items.toml").read_text(encoding="utf-8"))
    return msgspec.convert(table, dict[str, Item])


def item(name: str) -> Item:
    """Returns one item. Raises ``BadInput("command.arguments")`` with the nearest."""
    found = items().get(name)
    if found is None:
        reason = f"{name} → {nearest(name, items()) or ', '.join(items())}"
        raise BadInput("command.arguments", name="read", reason=reason)
    return found


def read_value(item: Item, data: bytes) -> str | None:
    """Returns the value with the digits that the meter sent; None where it fills with FF: not there.

    Raises:
        BadInput: ``frame.bad`` when the digits are none or too few.
    """
    raw = data[: item.size]
    if len(raw) < item.size:
        raise bad_frame("DL/T 645", f"{item.id}: {len(raw)} < {item.size}")
    if raw == b"\xff" * item.size:
        return None
    minus = item.sign and raw[-1] & 0x80
    last = raw[-1] & 0x7F if item.sign else raw[-1]
    digits = bytes([*raw[:-1], last])[::-1].hex()
    if not digits.isdecimal():
        raise bad_frame("DL/T 645", f"{item.id}: BCD {digits}")
    whole = digits[: item.digits[0]].lstrip("0") or "0"
    places = digits[item.digits[0] :]
    return f"{'-' if minus else ''}{whole}{'.' if places else ''}{places}"


def write_value(item: Item, value: float) -> bytes:
    """Returns a value as the meter sends it."""
    digits = f"{abs(value):0{sum(item.digits) + 1}.{item.digits[1]}f}".replace(".", "")
    raw = bytearray(bytes.fromhex(digits[-item.size * 2 :])[::-1])
    if value < 0 and item.sign:
        raw[-1] |= 0x80
    return bytes(raw)

"""Writes texts of SL 651 in either coding: answers and orders of the centre, reports of stations."""

from collections.abc import Iterable

import msgspec

from yunmeng.gateways.sl651.tables import Element, SeriesElement
from yunmeng.gateways.sl651.values import time_bytes, write_digits, write_time


class Item(msgspec.Struct, frozen=True):
    """One piece of a text: how it stands in a HEX/BCD frame, and how in an ASCII frame."""

    hex: bytes
    ascii: str


def write_text(serial: int, at: int, items: Iterable[Item], *, is_ascii: bool) -> bytes:
    """Writes the text of a frame: serial number, time of sending, pieces (tables 24 and 25)."""
    if is_ascii:
        return (f"{serial:04X}{write_time(at)}" + "".join(item.ascii for item in items)).encode("gb18030")
    return serial.to_bytes(2, "big") + time_bytes(at) + b"".join(item.hex for item in items)


def station_item(station: str, kind: str = "") -> Item:
    """The address of a station, with its kind where the text has one."""
    text = f"ST {station} {kind} " if kind else f"ST {station} "
    return Item(b"\xf1\xf1" + bytes.fromhex(station) + kind.encode(), text)


def time_item(at: int) -> Item:
    """The time of observation."""
    text = write_time(at, "%y%m%d%H%M")
    return Item(b"\xf0\xf0" + bytes.fromhex(text), f"TT {text} ")


def element_item(row: Element, value: float | None) -> Item:
    """An element with its value; None is missing."""
    if value is None:
        width = (row.digits + 1) // 2
        return Item(bytes((row.id, row.definition)) + b"\xff" * width, f"{row.code} M ")
    if row.code == "ZT":
        return Item(bytes((row.id, 0x20)) + int(value).to_bytes(4, "big"), f"ZT {int(value):08X} ")
    data = write_digits(value, row.digits, row.decimals)
    return Item(
        bytes((row.id, len(data) << 3 | row.decimals)) + data, f"{row.code} {value:.{row.decimals}f} "
    )


def series_item(row: SeriesElement, values: Iterable[float | None]) -> Item:
    """The values of an hour, five minutes apart."""
    none = (1 << 8 * row.size) - 1
    raw = [none if value is None else round(value * 10**row.decimals) for value in values]
    data = b"".join(number.to_bytes(row.size, "big") for number in raw)
    return Item(bytes((row.id, row.definition)) + data, f"{row.code} {data.hex().upper()} ")


def name_item(row: Element | SeriesElement) -> Item:
    """An element that is asked for, without a value."""
    return Item(bytes((row.id, row.definition)), f"{row.code} ")


def step_item(minutes: int) -> Item:
    """A step of time in minutes, whole hours or whole days (table C.2, C.3)."""
    if minutes % 1440 == 0 and minutes:
        return Item(bytes.fromhex(f"0418{minutes // 1440:02d}0000"), f"DRD{minutes // 1440:02d} ")
    if minutes % 60 == 0:
        return Item(bytes.fromhex(f"041800{minutes // 60:02d}00"), f"DRH{minutes // 60:02d} ")
    return Item(bytes.fromhex(f"04180000{minutes:02d}"), f"DRN{minutes:02d} ")


def raw_item(data: bytes) -> Item:
    """Bytes without an identifier; in ASCII frames their hex digits."""
    return Item(data, f"{data.hex().upper()} ")

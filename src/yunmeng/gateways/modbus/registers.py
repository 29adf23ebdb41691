"""Register maps: which registers to read at once, and what their words mean."""

import struct
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Literal

import msgspec

from yunmeng.kernel.base import BadInput, Broken

Table = Literal["input", "holding", "coil", "discrete"]
Type = Literal["int16", "uint16", "int32", "uint32", "int64", "uint64", "float32", "float64", "bit"]

_FORMATS: Mapping[str, str] = {
    "int16": ">h",
    "uint16": ">H",
    "int32": ">i",
    "uint32": ">I",
    "int64": ">q",
    "uint64": ">Q",
    "float32": ">f",
    "float64": ">d",
}
MOST_REGISTERS = 125
"""One request reads no more registers (Modbus Application Protocol 1.1b3 §6.3)."""
_NEAR = 8


class Field(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where one field lies; addresses count from 0."""

    address: int
    type: Type
    table: Table | None = None
    words: Literal["big", "little"] = "big"
    factor_at: int | None = None
    write: bool = False
    missing: tuple[float, ...] = ()

    @property
    def size(self) -> int:
        """Registers (or bits) that it takes."""
        return 1 if self.type == "bit" else struct.calcsize(_FORMATS[self.type]) // 2


class RegisterMap(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The fields of one kind of device."""

    zh: str
    en: str
    table: Table
    fields: dict[str, Field]

    def table_of(self, field: Field) -> Table:
        """Returns in which table a field lies."""
        return field.table or self.table


class Read(msgspec.Struct, frozen=True):
    """One request: ``count`` registers or bits of a table from ``address`` on."""

    table: Table
    address: int
    count: int


def read_maps(file: Path) -> dict[str, RegisterMap]:
    """Reads a file of register maps. Raises ``Broken("modbus.registers")``."""
    try:
        return msgspec.convert(tomllib.loads(file.read_text(encoding="utf-8")), dict[str, RegisterMap])
    except (OSError, ValueError) as cause:
        raise Broken("modbus.registers", file=str(file), reason=str(cause)) from cause


@cache
def shipped_maps() -> dict[str, RegisterMap]:
    """Returns the maps that ship."""
    return read_maps(Path(__file__).with_name("registers.toml"))


def reads(registers: RegisterMap) -> list[Read]:
    """Returns the fewest requests that bring every field: neighbours travel together."""
    spans = sorted(_spans(registers))
    joined: list[Read] = []
    for table, first, end in spans:
        last = joined[-1] if joined else None
        if last and last.table == table and _fits(last, first, end):
            joined[-1] = Read(table, last.address, max(last.address + last.count, end) - last.address)
        else:
            joined.append(Read(table, first, end - first))
    return joined


def values(registers: RegisterMap, words: Mapping[tuple[Table, int], int]) -> dict[str, float | int | None]:
    """Returns the fields that the words hold, None for one that says it is not implemented.

    ``words`` are registers (or bits) by table and address.
    """
    found: dict[str, float | int | None] = {}
    for name, field in registers.fields.items():
        table = registers.table_of(field)
        places = range(field.address, field.address + field.size)
        if all((table, place) in words for place in places):
            found[name] = _value(field, [words[table, place] for place in places], words, table)
    return found


def encode(field: Field, value: float) -> list[int]:
    """Returns the registers that hold a value; ``BadInput("command.arguments")`` when it does not fit."""
    if field.type == "bit":
        return [int(bool(value))]
    whole = value if field.type.startswith("float") else round(value)
    try:
        data = struct.pack(_FORMATS[field.type], whole)
    except (struct.error, OverflowError) as cause:
        raise BadInput("command.arguments", name="write", reason=str(cause)) from cause
    words = [word for (word,) in struct.iter_unpack(">H", data)]
    return words if field.words == "big" else words[::-1]


def _value(
    field: Field, raw: Sequence[int], words: Mapping[tuple[Table, int], int], table: Table
) -> float | int | None:
    if field.type == "bit":
        return raw[0]
    ordered = raw if field.words == "big" else raw[::-1]
    (value,) = struct.unpack(_FORMATS[field.type], b"".join(word.to_bytes(2, "big") for word in ordered))
    if value in field.missing or value != value:
        return None
    if field.factor_at is None:
        return value
    power = words.get((table, field.factor_at))
    if power is None or power == 0x8000:
        return None
    exponent = power - 0x10000 if power >= 0x8000 else power
    return round(value * 10.0**exponent, 12) if -20 < exponent < 20 else None


def _spans(registers: RegisterMap) -> Iterator[tuple[Table, int, int]]:
    for field in registers.fields.values():
        table = registers.table_of(field)
        yield table, field.address, field.address + field.size
        if field.factor_at is not None:
            yield table, field.factor_at, field.factor_at + 1


def _fits(last: Read, first: int, end: int) -> bool:
    near = first - (last.address + last.count) <= _NEAR
    return near and max(end, last.address + last.count) - last.address <= MOST_REGISTERS

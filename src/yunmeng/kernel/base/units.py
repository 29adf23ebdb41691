"""Units by UN/CEFACT Recommendation 20 code, what UCUM calls them, and conversion within a quantity."""

import tomllib
from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from pathlib import Path
from typing import cast

from yunmeng.kernel.base.errors import BadInput
from yunmeng.kernel.base.nearest import nearest

_TABLE = Path(__file__).resolve().parent / "data" / "units.toml"


@dataclass(frozen=True, slots=True)
class Quantity:
    """What units measure; only units of one quantity convert into each other."""

    id: str
    name_zh: str
    name_en: str


@dataclass(frozen=True, slots=True)
class Unit:
    """A unit; the quantity's base unit is ``value × factor + offset``, both exact."""

    code: str
    ucum: str
    quantity: str
    factor: Fraction
    offset: Fraction
    symbol: str
    name_zh: str
    name_en: str


def unit(code: object) -> Unit:
    """Returns the unit of a UN/CEFACT code (or of ours that begin with ``X-``).

    Raises:
        BadInput: ``unit.unknown`` with the nearest code, found by name, symbol and UCUM too.
    """
    found = _by_code().get(code) if isinstance(code, str) else None
    if found is None:
        raise BadInput("unit.unknown", code=code, nearest=_nearest(code))
    return found


def unit_of_ucum(expression: str) -> Unit:
    """Returns the unit of a UCUM expression.

    Raises:
        BadInput: ``unit.unknown`` with the nearest code.
    """
    found = _by_ucum().get(expression)
    if found is None:
        raise BadInput("unit.unknown", code=expression, nearest=_nearest(expression))
    return found


def units() -> tuple[Unit, ...]:
    """Returns all units, quantity by quantity."""
    return tuple(_by_code().values())


def quantities() -> tuple[Quantity, ...]:
    """Returns all quantities."""
    return tuple(_quantities().values())


def convert(value: float, source: str, target: str) -> float:
    """Returns the value in another unit of the same quantity.

    Raises:
        BadInput: ``unit.unknown``, ``unit.mismatch``.
    """
    scale, shift = conversion(source, target)
    return value * scale + shift


@cache
def conversion(source: str, target: str) -> tuple[float, float]:
    """Returns scale and shift, for whole arrays: ``target = source × scale + shift``.

    Raises:
        BadInput: ``unit.unknown``, ``unit.mismatch``.
    """
    one, other = unit(source), unit(target)
    if one.quantity != other.quantity:
        raise BadInput(
            "unit.mismatch",
            source=source,
            target=target,
            source_quantity=one.quantity,
            target_quantity=other.quantity,
        )
    return float(one.factor / other.factor), float((one.offset - other.offset) / other.factor)


@cache
def _tables() -> dict[str, dict[str, object]]:
    return tomllib.loads(_TABLE.read_text(encoding="utf-8"), parse_float=Fraction)


@cache
def _quantities() -> dict[str, Quantity]:
    return {id: Quantity(id, str(table["zh"]), str(table["en"])) for id, table in _tables().items()}


@cache
def _by_code() -> dict[str, Unit]:
    found = (
        _unit(quantity, row)
        for quantity, table in _tables().items()
        for row in cast("list[list[str | int | Fraction]]", table["units"])
    )
    return {each.code: each for each in found}


@cache
def _by_ucum() -> dict[str, Unit]:
    return {each.ucum: each for each in units()}


def _unit(quantity: str, row: list[str | int | Fraction]) -> Unit:
    code, ucum, factor, symbol, zh, en = row[:6]
    offset = Fraction(row[6]) if len(row) > 6 else Fraction(0)
    return Unit(str(code), str(ucum), quantity, Fraction(factor), offset, str(symbol), str(zh), str(en))


def _nearest(code: object) -> str:
    named: dict[str, str] = {}
    for each in units():
        for name in (each.code, each.ucum, each.symbol, each.name_zh, each.name_en):
            if name:
                named.setdefault(name, each.code)
    return named.get(str(code)) or named.get(nearest(str(code), named), "")

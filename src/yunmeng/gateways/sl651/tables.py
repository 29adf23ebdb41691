"""The standard's tables as data: elements (annex C), parameters (annex D), kinds of stations (annex A)."""

import tomllib
from collections.abc import Mapping
from functools import cache
from pathlib import Path

import msgspec

_FOLDER = Path(__file__).resolve().parent

KINDS: Mapping[str, str] = {
    "P": "rain",
    "H": "river",
    "K": "reservoir",
    "Z": "sluice",
    "D": "pumping",
    "T": "tide",
    "M": "soil",
    "G": "groundwater",
    "Q": "quality",
    "I": "intake",
    "O": "outlet",
}
"""Kinds of stations by their letter, which is their byte as well (table A.1)."""

TIME, STATION, MANUAL_TEXT, PICTURE_DATA, STEP, STATUS, EXTENDED = 0xF0, 0xF1, 0xF2, 0xF3, 0x04, 0x45, 0xFF
"""Identifiers with a form of their own."""

GATES = frozenset(("GS", "GN", "GT", "GH", "QZ"))
"""Elements that come once for each gate or conduit (annex E.3, E.4)."""


class Element(msgspec.Struct, frozen=True, array_like=True):
    """One row of table C.1: ``digits`` in all, ``decimals`` of them after the point."""

    id: int
    code: str
    zh: str
    en: str
    unit: str
    digits: int
    decimals: int

    @property
    def definition(self) -> int:
        """The byte after the identifier: bytes and decimals (table 26)."""
        return 0x20 if self.id == STATUS else (self.digits + 1) // 2 << 3 | self.decimals


class SeriesElement(msgspec.Struct, frozen=True, array_like=True):
    """An element with a value each step; a value has ``size`` bytes."""

    id: int
    code: str
    zh: str
    en: str
    unit: str
    size: int
    decimals: int

    @property
    def definition(self) -> int:
        """The byte after the identifier, for the twelve values of an hour."""
        return 12 * self.size << 3 & 0xFF


class Parameter(msgspec.Struct, frozen=True, array_like=True):
    """One row of the tables D.1 and D.4."""

    id: int
    zh: str
    en: str
    form: str
    unit: str


class _Elements(msgspec.Struct, frozen=True):
    elements: tuple[Element, ...]
    series: tuple[SeriesElement, ...]


class _Parameters(msgspec.Struct, frozen=True):
    parameters: tuple[Parameter, ...]


@cache
def elements() -> Mapping[int, Element]:
    """Returns the elements of single values by their identifier."""
    return {row.id: row for row in _tables().elements}


@cache
def series_elements() -> Mapping[int, SeriesElement]:
    """Returns the elements of series by their identifier."""
    return {row.id: row for row in _tables().series}


@cache
def codes() -> Mapping[str, Element | SeriesElement]:
    """Returns all elements by the word of ASCII frames."""
    return {row.code: row for row in (*_tables().elements, *_tables().series)}


@cache
def parameters() -> Mapping[int, Parameter]:
    """Returns what can be set, by its identifier."""
    raw = tomllib.loads((_FOLDER / "parameters.toml").read_text("utf-8"))
    return {row.id: row for row in msgspec.convert(raw, _Parameters).parameters}


@cache
def _tables() -> _Elements:
    raw = tomllib.loads((_FOLDER / "elements.toml").read_text("utf-8"))
    return msgspec.convert(raw, _Elements)

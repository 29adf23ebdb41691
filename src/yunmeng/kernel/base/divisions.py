"""The 117 units of Hubei (GB/T 2260): the province, 17 prefectures, 103 counties, four of them both."""

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Literal

from yunmeng.kernel.base.errors import BadInput
from yunmeng.kernel.base.nearest import nearest

Boundaries = Literal["province", "prefectures", "prefectures_lite", "counties"]
Level = Literal["province", "prefecture", "county"]

DATA = Path(__file__).resolve().parent / "data"


@dataclass(frozen=True, slots=True)
class Division:
    """A unit; ``lon`` and ``lat`` are its centroid (EPSG:4326), ``area_km2`` its area.

    Four units (仙桃, 潜江, 天门, 神农架) are prefecture-level and county-level at once and have one row:
    both ``prefecture_unit`` and ``county_unit`` are true.
    """

    code: str
    name_zh: str
    name_en: str
    parent: str
    level: Level
    kind: str
    lon: float
    lat: float
    area_km2: float
    prefecture_unit: bool
    county_unit: bool


def division(code: object) -> Division:
    """Returns the unit of a six-digit code.

    Raises:
        BadInput: ``division.unknown`` with the nearest code.
    """
    found = _by_code().get(code) if isinstance(code, str) else None
    if found is None:
        raise BadInput("division.unknown", code=code, nearest=_nearest(code))
    return found


def divisions() -> tuple[Division, ...]:
    """Returns all units, each once, in the order of their codes."""
    return tuple(_by_code().values())


def prefectures() -> tuple[Division, ...]:
    """Returns the 17 prefecture-level units."""
    return tuple(each for each in divisions() if each.prefecture_unit)


def counties(code: str = "420000") -> tuple[Division, ...]:
    """Returns the county-level units of a unit: all 103, those below it, or itself where it is one.

    Raises:
        BadInput: ``division.unknown``.
    """
    prefix = division_prefix(code)
    return tuple(each for each in divisions() if each.county_unit and each.code.startswith(prefix))


def children(code: str) -> tuple[Division, ...]:
    """Returns the units right below; a unit that is both levels has none, so that sums count it once.

    Raises:
        BadInput: ``division.unknown``.
    """
    return _children().get(division(code).code, ())


def ancestors(code: str) -> tuple[Division, ...]:
    """Returns the units above within the province, the nearest first.

    Raises:
        BadInput: ``division.unknown``.
    """
    above: list[Division] = []
    known, parent = _by_code(), division(code).parent
    while parent in known:
        above.append(known[parent])
        parent = known[parent].parent
    return tuple(above)


def within(code: str, ancestor: str) -> bool:
    """Tells whether the unit is the other one or lies below it.

    Raises:
        BadInput: ``division.unknown`` for either.
    """
    return division(code).code.startswith(division_prefix(ancestor))


def division_prefix(code: str) -> str:
    """Returns how the codes of the unit and of all below it begin: ``42``, ``4201``, or all of a leaf's code.

    Raises:
        BadInput: ``division.unknown``.
    """
    found = division(code)
    if found.level == "province":
        return code[:2]
    return code if found.county_unit else code[:4]


def boundaries(which: Boundaries) -> Path:
    """Returns the GeoJSON file (EPSG:4326) of the boundaries; ``prefectures_lite`` is simplified to 0.02°."""
    return DATA / f"hubei_{which}.geojson"


@cache
def _by_code() -> dict[str, Division]:
    import csv

    with (DATA / "divisions.csv").open(encoding="utf-8", newline="") as file:
        rows = sorted(csv.DictReader(file), key=lambda row: row["code"])
    return {row["code"]: _division(row) for row in rows}


@cache
def _children() -> dict[str, tuple[Division, ...]]:
    below: dict[str, list[Division]] = {}
    for each in divisions():
        below.setdefault(each.parent, []).append(each)
    return {code: tuple(units) for code, units in below.items()}


def _division(row: dict[str, str]) -> Division:
    return Division(
        code=row["code"],
        name_zh=row["name_zh"],
        name_en=row["name_en"],
        parent=row["parent"],
        level=_LEVELS[row["level"]],
        kind=row["kind"],
        lon=float(row["lon"]),
        lat=float(row["lat"]),
        area_km2=float(row["area_km2"]),
        prefecture_unit=row["prefecture_unit"] == "1",
        county_unit=row["county_unit"] == "1",
    )


_LEVELS: dict[str, Level] = {"province": "province", "prefecture": "prefecture", "county": "county"}


def _nearest(code: object) -> str:
    known, text = _by_code(), str(code)
    named = {name: each.code for each in divisions() for name in (each.name_zh, each.name_en)}
    # a code that does not exist most likely lies in the unit whose digits it begins with
    for guess in (text.ljust(6, "0"), f"{text[:4]}00", f"{text[:2]}0000"):
        if guess in known:
            return guess
    return named.get(nearest(text, named), "")

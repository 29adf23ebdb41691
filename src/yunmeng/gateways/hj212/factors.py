"""Names of fields: a factor's code and what of it is told, such as ``w01018-Avg`` (table 4, annex B)."""

import re
import tomllib
from collections.abc import Mapping
from functools import cache, lru_cache
from pathlib import Path

import msgspec

_FILE = Path(__file__).resolve().parent / "factors.toml"
_CODE = re.compile(r"[0-9A-Za-z_.]{1,24}\Z", re.ASCII)


class Factor(msgspec.Struct, frozen=True, array_like=True):
    """One row of annex B; ``old`` is the code of HJ/T 212-2005."""

    code: str
    zh: str
    en: str
    unit: str
    amount_unit: str
    old: str


class _Factors(msgspec.Struct, frozen=True):
    factors: tuple[Factor, ...]


class Told(msgspec.Struct, frozen=True, gc=False):
    """What a field tells: ``field`` is its name in mappings, ``share`` the statistic that it belongs to.

    ``share`` is empty for values of now, ``flag`` for a mark, ``other`` for what is kept as it came.
    """

    factor: str
    field: str
    share: str


_SHARES: Mapping[str, tuple[str, str]] = {
    "Rtd": ("", "avg"),
    "ZsRtd": ("-Zs", "avg"),
    "Data": ("", "avg"),
    "DayData": ("", "day"),
    "NightData": ("", "night"),
    "Avg": ("", "avg"),
    "ZsAvg": ("-Zs", "avg"),
    "Min": ("", "min"),
    "ZsMin": ("-Zs", "min"),
    "Max": ("", "max"),
    "ZsMax": ("-Zs", "max"),
    "Cou": ("-Cou", "avg"),
    "Flag": ("", "flag"),
}
"""By what follows the hyphen: what follows the factor's code in mappings, and the statistic."""


@cache
def factors() -> Mapping[str, Factor]:
    """Returns the factors by their code."""
    raw = tomllib.loads(_FILE.read_text("utf-8"))
    return {row.code: row for row in msgspec.convert(raw, _Factors).factors}


@cache
def _old_codes() -> Mapping[str, str]:
    return {row.old: row.code for row in factors().values() if row.old}


@lru_cache(maxsize=16_384)
def told(name: str) -> Told:
    """Reads the name of a field; the codes of HJ/T 212-2005 become today's."""
    code, _, what = name.rpartition("-")
    share = _SHARES.get(what)
    if share is None or not _CODE.match(code):
        return Told("", name, "other")
    factor = _old_codes().get(code, code)
    return Told(factor, factor + share[0], share[1])

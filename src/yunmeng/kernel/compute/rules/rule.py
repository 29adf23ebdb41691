"""``rules.toml`` of a package: when to act, as data.

A file holds::

    [[rules]]
    id = "flood_limit"                     # unique in its package
    zh = "{name}水位超汛限{margin}米"         # the headline; {name}, {value}, {limit}, {margin} are filled in
    en = "{name} is {margin} m above its flood limit"
    type = "Reservoir"                     # of the model tables
    attribute = "waterLevel"
    when = "above"                         # above (when left out) or below the limit
    limit = "floodLimitLevel"              # a number, or a numeric attribute of the same entity
    levels = { IV = 0.0, III = 0.5 }       # how far beyond the limit each response level begins
    clear = 0.1                            # it ends only this far back on the safe side of where it began
    margin = "levelOverLimit"              # how far each value lies beyond the limit is observed as this
    hold_s = 600                           # it must have lasted so long (by the times of the observations)
    category = "Met"                       # CAP 1.2 category
    where = { kind = "large" }             # only entities with these values

        [rules.event]                      # alerts that become an event
        from = "III"                       # of this level or a more serious one
        gather = "county"                  # one event an "entity", "county", "prefecture" or "province"
        within_h = 2.0                     # hours until it must have been handled

        [rules.instruction]
        zh = "…"
        en = "…"
"""

import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Literal

import msgspec

from yunmeng.kernel.base import Broken, Package, YunmengError
from yunmeng.kernel.compute.response.alert import GRADES, Category, Grade
from yunmeng.kernel.model import EntityType, TypeLibrary

Gather = Literal["entity", "county", "prefecture", "province"]


class RuleWords(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Words in both languages."""

    zh: str
    en: str

    def both(self) -> dict[str, str]:
        """Returns them by language tag."""
        return {"zh-CN": self.zh, "en": self.en}


class EventPolicy(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename={"floor": "from"}):
    """Which alerts become an event, and how soon it must be handled."""

    floor: Grade = "IV"
    gather: Gather = "entity"
    within_h: float = 24.0


class RuleRow(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One row of ``rules.toml``."""

    id: str
    zh: str
    en: str
    type: str
    attribute: str
    levels: dict[Grade, float]
    when: Literal["above", "below"] = "above"
    limit: float | str = 0.0
    clear: float = 0.0
    hold_s: float = 0.0
    category: Category = "Infra"
    margin: str = ""
    where: dict[str, str | float | bool] = {}
    event: EventPolicy | None = None
    instruction: RuleWords | None = None


class _Table(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    rules: tuple[RuleRow, ...] = ()


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule with its names expanded; ``id`` is ``<package>.<id>``; ``levels`` go from mild to grave.

    ``limit`` is a number, or the URI of an attribute; ``margin_uri`` is empty where nobody asks for margins.
    """

    id: str
    row: RuleRow
    type_uri: str
    attribute_uri: str
    unit: str
    limit: float | str
    levels: tuple[tuple[Grade, float], ...]
    where: tuple[tuple[str, str | float | bool], ...] = ()
    margin_uri: str = ""

    def margin(self, value: float, limit: float) -> float:
        """Returns how far a value lies beyond the limit, negative on the safe side."""
        return value - limit if self.row.when == "above" else limit - value

    def grade(self, margin: float) -> Grade | None:
        """Returns the gravest level that a margin reaches."""
        reached: list[Grade] = [grade for grade, begins in self.levels if margin >= begins]
        return reached[-1] if reached else None


def load_rules(packages: Iterable[Package], library: TypeLibrary) -> tuple[Rule, ...]:
    """Returns the rules of all packages. Raises ``Broken("rules.bad")`` naming file, row and reason."""
    return tuple(rule for package in packages for rule in _package_rules(package, library))


def read_rules(file: Path, package: str, library: TypeLibrary) -> tuple[Rule, ...]:
    """Returns the rules of a file. Raises ``Broken("rules.bad")`` naming file, row and reason."""
    try:
        table = msgspec.convert(tomllib.loads(file.read_text(encoding="utf-8")), _Table)
    except (OSError, ValueError, msgspec.ValidationError) as cause:
        raise Broken("rules.bad", file=str(file), row="", reason=str(cause)) from cause
    rules: dict[str, Rule] = {}
    for row in table.rules:
        if row.id in rules:
            raise Broken("rules.bad", file=str(file), row=row.id, reason="twice")
        rules[row.id] = _rule(file, package, row, library)
    return tuple(rules.values())


def _package_rules(package: Package, library: TypeLibrary) -> tuple[Rule, ...]:
    file = package.folder / "rules.toml"
    return read_rules(file, package.id, library) if file.exists() else ()


def _rule(file: Path, package: str, row: RuleRow, library: TypeLibrary) -> Rule:
    try:
        type_ = library.type(row.type)
    except YunmengError as cause:
        raise Broken("rules.bad", file=str(file), row=row.id, reason=str(cause)) from cause
    uris = _uris(type_, library)
    named = [row.attribute, *row.where, *([row.limit] if isinstance(row.limit, str) else [])]
    named += [row.margin] if row.margin else []
    for name in named:
        if name not in uris:
            raise Broken("rules.bad", file=str(file), row=row.id, reason=f"{row.type} has no {name}")
    units = {each.name: each.unit or "" for each in type_.attributes}
    limit = uris[row.limit] if isinstance(row.limit, str) else row.limit
    where = tuple((uris[name], value) for name, value in row.where.items())
    return Rule(
        f"{package}.{row.id}",
        row,
        type_.uri,
        uris[row.attribute],
        units.get(row.attribute, ""),
        limit,
        _levels(file, row),
        where,
        uris[row.margin] if row.margin else "",
    )


def _uris(type_: EntityType, library: TypeLibrary) -> Mapping[str, str]:
    return {row.name: row.uri for row in (*library.terms.values(), *type_.attributes)}


def _levels(file: Path, row: RuleRow) -> tuple[tuple[Grade, float], ...]:
    mild_first: list[Grade] = [grade for grade in reversed(GRADES) if grade in row.levels]
    levels: list[tuple[Grade, float]] = [(grade, row.levels[grade]) for grade in mild_first]
    if not levels:
        raise Broken("rules.bad", file=str(file), row=row.id, reason="levels = { IV = … }")
    for (mild, low), (grave, high) in pairwise(levels):
        if high <= low:
            reason = f"level {grave} ({high}) must begin beyond {mild} ({low})"
            raise Broken("rules.bad", file=str(file), row=row.id, reason=reason)
    return tuple(levels)

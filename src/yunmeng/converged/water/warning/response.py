"""Which response level the state of works and stations asks for, by a table, with the reasons."""

import tomllib
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from yunmeng.kernel.base import Broken
from yunmeng.kernel.compute import GRADES, Grade

_DEFAULT = Path(__file__).with_name("response.toml")
LEVELS = ("floodLimitLevel", "designFloodLevel", "checkFloodLevel", "warningLevel", "guaranteeLevel")
"""The attributes that a condition may ask to be passed."""


class Condition(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One row: so many entities of a type (and scale) at or above one of their own levels."""

    grade: Grade
    zh: str
    en: str
    type: str
    above: str
    count: int
    scale: tuple[str, ...] = ()


class _Table(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    conditions: tuple[Condition, ...]


@dataclass(frozen=True, slots=True)
class Situation:
    """How many entities stand at or above which level: ``counts[type, scale, level]``; how many were judged.

    ``unknown`` counts entities without a water level or without any of the levels: they are not safe, but
    unknown.
    """

    counts: Mapping[tuple[str, str, str], int]
    judged: int
    unknown: int


@dataclass(frozen=True, slots=True)
class Response:
    """The level that the state asks for (None: no response) and every condition met, gravest first."""

    grade: Grade | None
    met: tuple[tuple[Condition, int], ...]

    def reasons(self, language: str) -> list[str]:
        """Returns the reasons in a language, with their counts."""
        return [
            (row.en if language.startswith("en") else row.zh).format(count=count) for row, count in self.met
        ]


def read_table(file: Path = _DEFAULT) -> tuple[Condition, ...]:
    """Reads a table of response levels. Raises ``Broken("water.table")`` naming file and reason."""
    try:
        table = msgspec.convert(tomllib.loads(file.read_text(encoding="utf-8")), _Table)
    except (OSError, ValueError, msgspec.ValidationError) as cause:
        raise Broken("water.table", file=str(file), reason=str(cause)) from cause
    for row in table.conditions:
        if row.above not in LEVELS or row.count < 1:
            raise Broken(
                "water.table", file=str(file), reason=f"{row.grade}: above = {row.above}, {row.count}"
            )
    return table.conditions


def situation(entities: Iterable[Mapping[str, Any]]) -> Situation:
    """Counts entities (simplified form) whose ``waterLevel`` is at or above their levels."""
    counts: dict[tuple[str, str, str], int] = defaultdict(int)
    judged = unknown = 0
    for entity in entities:
        level = entity.get("waterLevel")
        own = {name: entity[name] for name in LEVELS if isinstance(entity.get(name), int | float)}
        if not isinstance(level, int | float) or not own:
            unknown += 1
            continue
        judged += 1
        for name, limit in own.items():
            if level >= limit:
                counts[str(entity["type"]), str(entity.get("scale", "")), name] += 1
    return Situation(counts, judged, unknown)


def response(state: Situation, table: Sequence[Condition]) -> Response:
    """Returns the gravest level whose condition is met, and all that are met."""
    met = [(row, count) for row in table if (count := _count(state, row)) >= row.count]
    met.sort(key=lambda each: GRADES.index(each[0].grade))
    return Response(met[0][0].grade if met else None, tuple(met))


def _count(state: Situation, row: Condition) -> int:
    return sum(
        count
        for (type_, scale, level), count in state.counts.items()
        if type_ == row.type and level == row.above and (not row.scale or scale in row.scale)
    )

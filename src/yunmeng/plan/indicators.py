"""The 99 quantitative statements of the plan, each with section and quote."""

import csv
import re
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Literal

from yunmeng.kernel.base import NotFound

DATA = Path(__file__).parent / "data"
PROVINCE = "420000"
NOTICE = "省人民政府关于印发湖北省新型基础设施建设“十四五”规划的通知（2021年9月4日）"

Kind = Literal["目标", "现状", "约束", "位次", "技术参数", "推导"]
_FIGURE = re.compile(r"(>=|<=|>|<)?\s*(\d+(?:\.\d+)?)$")


@dataclass(frozen=True, slots=True)
class Figure:
    """A figure as the plan writes it; ``number`` is None where the words hold more than one number."""

    text: str
    relation: Literal["=", ">", ">=", "<", "<="] = "="
    number: float | None = None

    @classmethod
    def parse(cls, text: str) -> "Figure | None":
        """Reads ``13``, ``>1858``, ``<=1.3``, ``200/400``; None for nothing."""
        if not text:
            return None
        found = _FIGURE.match(text)
        if found is None:
            return cls(text)
        return cls(text, found[1] or "=", float(found[2]))  # pyright: ignore[reportArgumentType]


@dataclass(frozen=True, slots=True)
class Indicator:
    """One indicator; ``baseline`` is of the end of 2020, ``target`` of 2025.

    ``department`` is inferred from the plan's words: the plan assigns none to an indicator.
    """

    id: str
    name: str
    unit: str
    baseline: Figure | None
    target: Figure | None
    category: str
    level: str
    direction: Literal["max", "min"]
    kind: Kind
    section: str
    department: str
    quote: str
    sentence: str

    @property
    def entity_id(self) -> str:
        """The entity that carries its reported values."""
        return f"urn:ngsi-ld:Indicator:{self.id}"

    def as_dict(self) -> dict[str, object]:
        """Returns it as plain data, the figures as the plan writes them."""
        row = asdict(self)
        row["baseline_2020"] = self.baseline.text if self.baseline else None
        row["target_2025"] = self.target.text if self.target else None
        del row["baseline"], row["target"]
        return row

    def progress(self, value: float) -> float | None:
        """Returns how far ``value`` is from baseline to target (0 to 1 and beyond); None without both."""
        if not self.baseline or not self.target or self.baseline.number is None or self.target.number is None:
            return None
        span = self.target.number - self.baseline.number
        return (value - self.baseline.number) / span if span else None

    def met(self, value: float) -> bool | None:
        """Tells whether ``value`` fulfils the target; None without a numeric one."""
        if self.target is None or self.target.number is None:
            return None
        at_most = self.direction == "min" or self.target.relation in ("<", "<=")
        return value <= self.target.number if at_most else value >= self.target.number


@cache
def indicators() -> tuple[Indicator, ...]:
    """Returns the indicators in the plan's order."""
    with (DATA / "indicators.csv").open(encoding="utf-8", newline="") as file:
        return tuple(_indicator(row) for row in csv.DictReader(file))


def indicator(id: str) -> Indicator:
    """Returns one indicator. Raises ``NotFound("plan.no-indicator")``."""
    for row in indicators():
        if row.id == id:
            return row
    raise NotFound("plan.no-indicator", id=id)


def indicator_entities(division: str) -> list[dict[str, object]]:
    """Returns the indicators as NGSI-LD bodies for the province's node; none for others."""
    return [_entity(row) for row in indicators()] if division == PROVINCE else []


def _indicator(row: dict[str, str]) -> Indicator:
    return Indicator(
        id=row["id"],
        name=row["name"],
        unit=row["unit"],
        baseline=Figure.parse(row["baseline_2020"]),
        target=Figure.parse(row["target_2025"]),
        category=row["category"],
        level=row["level"],
        direction=row["direction"],  # pyright: ignore[reportArgumentType]
        kind=row["kind"],  # pyright: ignore[reportArgumentType]
        section=row["section"],
        department=row["lead_dept_inferred"],
        quote=row["quote"],
        sentence=row["sentence"],
    )


def _entity(row: Indicator) -> dict[str, object]:
    figures: dict[str, object] = {}
    for name, figure in (("baseline", row.baseline), ("target", row.target)):
        if figure is not None:
            figures[name] = {
                "type": "Property",
                "value": figure.number if figure.number is not None else figure.text,
            }
            figures[f"{name}Text"] = figure.text
    return {
        "id": row.entity_id,
        "type": "Indicator",
        "division": PROVINCE,
        "name": row.name,
        "unitName": row.unit,
        "indicatorKind": row.kind,
        "section": row.section,
        "quote": row.quote,
        "source": NOTICE,
        **figures,
    }

"""The committed budgets: what each figure has to reach, and where a regression begins."""

import tomllib
from dataclasses import dataclass
from pathlib import Path

from benchmarks.figures import Figure

_FILE = Path(__file__).with_name("budgets.toml")


@dataclass(frozen=True, slots=True)
class Budget:
    """``target`` is what the design asks for, ``budget`` what a change may not fall behind; both as measured.

    ``better`` says which way is better: ``higher`` for rates, ``lower`` for times and sizes.
    """

    better: str
    budget: float
    target: float | None = None

    def ratio(self, wanted: float | None, value: float) -> float | None:
        """How many times as good as wanted: 1 and more is enough."""
        if wanted is None:
            return None
        return value / wanted if self.better == "higher" else wanted / value


@dataclass(frozen=True, slots=True)
class Verdict:
    """A figure beside its budget."""

    figure: Figure
    budget: Budget | None

    @property
    def passed(self) -> bool:
        """Whether the budget holds; a figure without one has nothing to fail."""
        ratio = None if self.budget is None else self.budget.ratio(self.budget.budget, self.figure.value)
        return ratio is None or ratio >= 1

    @property
    def of_target(self) -> float | None:
        """How much of the design's target is reached."""
        return None if self.budget is None else self.budget.ratio(self.budget.target, self.figure.value)

    def plain(self) -> dict[str, object]:
        """Returns everything for programs."""
        budget = self.budget
        return {
            "name": self.figure.name,
            "value": self.figure.value,
            "unit": self.figure.unit,
            "budget": None if budget is None else budget.budget,
            "target": None if budget is None else budget.target,
            "of_target": self.of_target,
            "passed": self.passed,
            "parts": self.figure.parts,
        }


def load_budgets() -> dict[str, Budget]:
    """Reads ``budgets.toml``."""
    tables = tomllib.loads(_FILE.read_text(encoding="utf-8"))
    return {name: Budget(**table) for name, table in tables.items()}


def judge(figures: list[Figure]) -> list[Verdict]:
    """Puts each figure beside its budget."""
    budgets = load_budgets()
    return [Verdict(figure, budgets.get(figure.name)) for figure in figures]

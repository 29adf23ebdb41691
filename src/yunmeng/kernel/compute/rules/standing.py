"""How one entity stands to one rule: from values to the beginning, change and end of an alert; pure."""

from dataclasses import dataclass
from typing import Literal

from yunmeng.kernel.compute.response.alert import Grade, at_least
from yunmeng.kernel.compute.rules.rule import Rule

Turn = Literal["began", "changed", "ended"]


@dataclass(slots=True)
class Standing:
    """What has been seen so far; ``began_at`` is when the alert began (µs UTC), 0 without one.

    ``waiting`` is a graver level that has yet to last, since ``waiting_at``.
    """

    grade: Grade | None = None
    began_at: int = 0
    seen_at: int = 0
    waiting: Grade | None = None
    waiting_at: int = 0

    def see(self, rule: Rule, value: float, limit: float, at: int) -> Turn | None:
        """Takes a value observed at ``at``; returns what turned. One older than the last is history."""
        if at < self.seen_at:
            return None
        self.seen_at = at
        margin = rule.margin(value, limit)
        reached = rule.grade(margin)
        if reached is not None and (self.grade is None or not at_least(self.grade, reached)):
            return self._rise(rule, reached, at)
        self.waiting = None
        if self.grade is None or margin >= _begins(rule, self.grade) - rule.row.clear:
            return None
        return self._fall(rule, margin)

    def _rise(self, rule: Rule, reached: Grade, at: int) -> Turn | None:
        if self.waiting is None:
            self.waiting_at = at
        self.waiting = reached
        if at - self.waiting_at < rule.row.hold_s * 1_000_000:
            return None
        began = self.grade is None
        self.grade, self.waiting = reached, None
        if began:
            self.began_at = at
        return "began" if began else "changed"

    def _fall(self, rule: Rule, margin: float) -> Turn:
        held: list[Grade] = [grade for grade, begins in rule.levels if margin >= begins - rule.row.clear]
        self.grade = held[-1] if held else None
        return "changed" if held else "ended"


def _begins(rule: Rule, grade: Grade) -> float:
    return dict(rule.levels)[grade]

"""A limit of the dispatch problem in words: what it is, whose, when, and its value in its own unit."""

from dataclasses import dataclass
from datetime import datetime

from yunmeng.kernel.base import SHANGHAI, Language, sentence

# kinds whose amounts are storages
STORED = ("level", "top", "dead", "target", "storage_low", "storage_high")


@dataclass(frozen=True, slots=True)
class Limit:
    """One kind of limit of one node over one run of steps.

    ``bound`` is the limit's value and ``amount`` by how much it is broken, m³/s or 10⁶ m³ (``unit`` is the
    UN/CEFACT code MQS, or HM3 for the latter); ``level`` is the bound as a level in m where it has one.
    """

    kind: str
    node: int
    id: str
    name: str
    first: datetime
    last: datetime
    bound: float
    amount: float = 0.0
    total: float = 0.0
    level: float | None = None

    @property
    def unit(self) -> str:
        """The unit of bound and amount."""
        return "HM3" if self.kind in STORED else "MQS"

    def words(self, lang: Language = "zh-CN") -> str:
        """Says which limit it is."""
        return sentence(f"water.dispatch.limit.{self.kind}", self.facts(), lang)

    def broken(self, lang: Language = "zh-CN") -> str:
        """Says which limit it is and by how much it would have to give way."""
        unit = sentence(f"water.dispatch.unit.{self.unit}", {}, lang)
        facts = {"limit": self.words(lang), "amount": number(self.amount), "unit": unit}
        return sentence("water.dispatch.broken", facts, lang)

    def facts(self) -> dict[str, object]:
        """What the words are filled with."""
        return {
            "name": self.name,
            "first": clock(self.first),
            "last": clock(self.last),
            "bound": number(self.bound),
            "level": "" if self.level is None else f"{self.level:.2f}",
        }


def clock(at: datetime) -> str:
    """An instant as people at the dam read it: Beijing time."""
    return at.astimezone(SHANGHAI).strftime("%m-%d %H:%M")


def number(value: float) -> str:
    """A number with what a reader needs of it: three significant digits, at least whole ones."""
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"

"""How much water is used where and for what: sums by division, industry and source."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from yunmeng.converged.water.supply.ledger import Balance, Permit
from yunmeng.kernel.base import division_prefix

By = Literal["division", "industry", "source"]


@dataclass(frozen=True, slots=True)
class Use:
    """The use of a group: permits, what they allow and what was taken (m³), and who is over."""

    group: str
    permits: int
    quota: float
    taken: float
    over: int
    unmetered: int

    @property
    def share(self) -> float:
        """What was taken of what is allowed; NaN where nothing is."""
        return self.taken / self.quota if self.quota else float("nan")


def use_by(rows: Iterable[tuple[Permit, Balance]], by: By, *, below: str = "420000") -> list[Use]:
    """Sums the use by division (those right below ``below``), industry or source; the largest user first."""
    groups: dict[str, list[tuple[Permit, Balance]]] = defaultdict(list)
    for permit, taken in rows:
        groups[_group(permit, by, below)].append((permit, taken))
    uses = [
        Use(
            group,
            len(each),
            sum(permit.quota for permit, _ in each),
            sum(taken.taken for _, taken in each),
            sum(taken.verdict == "over" for _, taken in each),
            sum(taken.verdict == "unmetered" for _, taken in each),
        )
        for group, each in groups.items()
        if group
    ]
    return sorted(uses, key=lambda use: (-use.taken, use.group))


def _group(permit: Permit, by: By, below: str) -> str:
    if by != "division":
        return getattr(permit, by)
    prefix = division_prefix(below)
    if not permit.division.startswith(prefix):
        return ""
    if len(prefix) != 2:
        return permit.division
    # a county that stands right under the province is its own group (4290xx)
    return permit.division if permit.division.startswith(f"{prefix}90") else f"{permit.division[:4]}00"

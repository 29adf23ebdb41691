"""The 202 systems that the plan names."""

import csv
from dataclasses import asdict, dataclass
from functools import cache
from typing import Literal

from yunmeng.kernel.base import NotFound
from yunmeng.plan.indicators import DATA


@dataclass(frozen=True, slots=True)
class System:
    """One named system: software 软件系统, or a facility or mechanism 设施/机制 to plan and monitor."""

    id: str
    group: str
    group_name: str
    section: str
    system: str
    verb: str
    tier: str
    kind: Literal["软件系统", "设施/机制"]
    function: str
    quote: str

    def as_dict(self) -> dict[str, object]:
        """Returns it as plain data."""
        return asdict(self)


@cache
def systems() -> tuple[System, ...]:
    """Returns the systems in the order of their ids."""
    with (DATA / "systems.csv").open(encoding="utf-8", newline="") as file:
        return tuple(System(**row) for row in csv.DictReader(file))  # pyright: ignore[reportArgumentType]


def system(id: str) -> System:
    """Returns one system. Raises ``NotFound("plan.no-system")``."""
    for row in systems():
        if row.id == id:
            return row
    raise NotFound("plan.no-system", id=id)

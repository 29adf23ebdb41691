"""The arithmetic of summaries, the same for every engine."""

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from yunmeng.kernel.base import YunmengError, instant_us
from yunmeng.kernel.store.state.port import Summary

Group = tuple[int, float | None]


def combine(values: Iterable[tuple[str, float, int]], method: Summary) -> dict[str, Group]:
    """Returns one group a division of (division, value, observed at)."""
    groups: dict[str, list[tuple[float, int]]] = {}
    for division, value, at in values:
        groups.setdefault(division, []).append((value, at))
    return {division: _reduce(group, method) for division, group in sorted(groups.items())}


def default_number(instances: Sequence[Mapping[str, Any]]) -> tuple[float, int] | None:
    """Returns the number of the default instance and its time (µs), or None where there is none."""
    for instance in instances:
        value = instance.get("value")
        if "datasetId" not in instance and isinstance(value, int | float) and not isinstance(value, bool):
            return float(value), _instant(instance.get("observedAt"))
    return None


def _reduce(group: Sequence[tuple[float, int]], method: Summary) -> Group:
    numbers = [value for value, _ in group]
    if method == "count":
        return len(group), float(len(group))
    if method == "newest":
        newest = max(at for _, at in group)
        return len(group), float(newest) if newest else None
    if method == "avg":
        return len(group), math.fsum(numbers) / len(group)
    return len(group), {"sum": math.fsum, "min": min, "max": max}[method](numbers)


def _instant(text: object) -> int:
    try:
        return instant_us(text) if text else 0
    except YunmengError:
        return 0

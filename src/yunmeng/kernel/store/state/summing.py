"""The arithmetic of summaries, the same for every engine: parts from SQL and documents, by division."""

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import msgspec

from yunmeng.kernel.base import YunmengError, instant_us
from yunmeng.kernel.store.state.port import Summary

Group = tuple[int, float | None]

TELEMETRY = (
    "count(l.number), sum(l.number), min(l.number), max(l.number), max(l.observed_at)"
    " FROM entities e JOIN last l ON l.key = e.entity * 1048576 + ? WHERE l.number IS NOT NULL AND "
)
"""The part of SQL that summarises last values; the attribute's number is its first parameter."""


class Part(NamedTuple):
    """Some entities of one division; ``newest`` is the latest observation in µs, 0 for none."""

    division: str
    entities: int
    total: float
    low: float
    high: float
    newest: int

    def joined(self, other: "Part") -> "Part":
        """Returns both as one."""
        return Part(
            self.division,
            self.entities + other.entities,
            self.total + other.total,
            min(self.low, other.low),
            max(self.high, other.high),
            max(self.newest, other.newest),
        )


def combine(parts: Iterable[Part], method: Summary) -> dict[str, Group]:
    """Returns one group a division."""
    groups: dict[str, Part] = {}
    for part in parts:
        before = groups.get(part.division)
        groups[part.division] = part if before is None else before.joined(part)
    return {division: (part.entities, _value(part, method)) for division, part in sorted(groups.items())}


def of_document(division: str, body: bytes, attribute: str) -> Part | None:
    """Returns the number of an attribute's default instance as a part, or None where there is none."""
    for instance in _attribute(body, attribute):
        value = instance.get("value")
        if "datasetId" not in instance and isinstance(value, int | float) and not isinstance(value, bool):
            number = float(value)
            return Part(division, 1, number, number, number, _instant(instance.get("observedAt")))
    return None


def _value(part: Part, method: Summary) -> float | None:
    values: Mapping[Summary, float | None] = {
        "count": float(part.entities),
        "sum": part.total,
        "avg": part.total / part.entities,
        "min": part.low,
        "max": part.high,
        "newest": float(part.newest) if part.newest else None,
    }
    return values[method]


def _attribute(body: bytes, attribute: str) -> list[dict[str, Any]]:
    raw = _outline.decode(body).get(attribute)
    return _instances.decode(raw) if raw is not None else []


_outline = msgspec.json.Decoder(dict[str, msgspec.Raw])
_instances = msgspec.json.Decoder(list[dict[str, Any]])


def _instant(text: object) -> int:
    try:
        return instant_us(text) if text else 0
    except YunmengError:
        return 0

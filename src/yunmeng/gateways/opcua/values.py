"""Values of OPC UA with status and time → values, qualities and microseconds."""

import math
from collections.abc import Mapping
from datetime import UTC, datetime
from enum import Enum
from typing import Any

from yunmeng.kernel.base import BadInput, datetime_us, format_us
from yunmeng.kernel.model import Quality
from yunmeng.kernel.sense import Value

_CODES: Mapping[int, Quality] = {
    0x0096: Quality.SUBSTITUTED,  # GoodLocalOverride
    0x4091: Quality.SUBSTITUTED,  # UncertainSubstituteValue
    0x809B: Quality.MISSING,  # BadNoData
    0x8032: Quality.MISSING,  # BadWaitingForInitialData
    0x80B1: Quality.MISSING,  # BadNoDataAvailable
}
_SEVERITIES = (Quality.GOOD, Quality.UNCERTAIN, Quality.BAD, Quality.BAD)


def quality_of(status: int) -> Quality:
    """Returns the quality of a status code (OPC 10000-4 §7.39): by its sub-code, else by its severity."""
    return _CODES.get(status >> 16) or _SEVERITIES[status >> 30 & 0b11]


def read_value(node: str, data: Any, at: int) -> tuple[Value, Quality, int]:
    """Returns value, quality and time of a ``DataValue``; by the source's clock, the server's, or ``at``.

    Raises:
        BadInput: ``opcua.value`` for an array or a structure.
    """
    quality = quality_of(0 if data.StatusCode is None else int(data.StatusCode.value))
    moment = data.SourceTimestamp or data.ServerTimestamp
    value = plain(node, None if data.Value is None else data.Value.Value)
    if quality is Quality.GOOD and value is None:
        quality = Quality.MISSING
    return value, quality, at if moment is None else micros(moment)


def plain(node: str, raw: Any) -> Value:
    """Returns a value as we keep it: truth as 1 and 0, what is no number as missing, times as text."""
    if isinstance(raw, Enum):
        raw = raw.value
    if isinstance(raw, bool):
        return int(raw)
    if raw is None or isinstance(raw, int | str):
        return raw
    if isinstance(raw, float):
        return raw if math.isfinite(raw) else None
    if isinstance(raw, datetime):
        return format_us(micros(raw))
    text = getattr(raw, "Text", raw)
    if isinstance(text, str):
        return text
    raise BadInput("opcua.value", node=node, kind=type(raw).__name__)


def micros(moment: datetime) -> int:
    """Returns microseconds since 1970; a time without a zone is UTC (OPC 10000-6 §5.2.2.5)."""
    return datetime_us(moment if moment.tzinfo else moment.replace(tzinfo=UTC))

"""What domain functions want of an entity in simplified form: its curve, its flood limit, a number."""

from collections.abc import Mapping
from typing import Any

from yunmeng.converged.water.register import ReservoirCurve, read_limits, reservoir_curve
from yunmeng.kernel.base import BadInput, from_us
from yunmeng.kernel.model import is_object


def json_of(entity: Mapping[str, Any], name: str) -> Any:
    """Returns the JSON of a JsonProperty in simplified form, None without one."""
    value = entity.get(name)
    return value.get("json", value) if is_object(value) else value


def number_of(entity: Mapping[str, Any], name: str) -> float:
    """Returns a number. Raises ``BadInput("water.lacks")`` without one."""
    value = entity.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise BadInput("water.lacks", id=entity["id"], name=name)
    return float(value)


def limit_of(reservoir: Mapping[str, Any], at: int) -> float | None:
    """Returns the flood limit (m) that holds at a time (µs UTC): by season where there are seasons.

    Raises ``BadInput`` (``limit.…``) for seasons that cannot be read.
    """
    seasons = json_of(reservoir, "floodLimits")
    if seasons:
        table = read_limits(seasons, str(reservoir.get("name", reservoir["id"])))
        return float(table.at([from_us(at)])[0])
    limit = reservoir.get("floodLimitLevel")
    return float(limit) if isinstance(limit, int | float) else None


def curve_of(reservoir: Mapping[str, Any]) -> ReservoirCurve:
    """Returns a reservoir's curve. Raises ``BadInput("water.lacks")`` without one."""
    points = json_of(reservoir, "curves")
    if not points:
        raise BadInput("water.lacks", id=reservoir["id"], name="curves")
    return reservoir_curve(
        points.get("level", []),
        points.get("storage", []),
        points.get("area"),
        points.get("discharge"),
        points.get("spill"),
        name=str(reservoir.get("name", reservoir["id"])),
    )

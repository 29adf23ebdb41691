"""The job: one equivalent level a meter."""

from collections.abc import Mapping
from typing import Any

from noise.levels import equivalent
from yunmeng.kernel.base import now_us
from yunmeng.kernel.compute import JobContext
from yunmeng.kernel.model import NAMESPACE
from yunmeng.kernel.store import TemporalQuery


async def levels(context: JobContext, inputs: Mapping[str, str]) -> dict[str, Any]:
    """Writes the equivalent level of the last hours to every meter that measured."""
    end = now_us()
    start = end - int(float(inputs["hours"]) * 3_600_000_000)
    query = TemporalQuery(
        context.reach, (), (f"{NAMESPACE}soundLevel",), "between", start, end, limit=100_000
    )
    heard: dict[str, list[float]] = {}
    for point in await context.history.points(query):
        if isinstance(point.value, int | float):
            heard.setdefault(point.entity, []).append(float(point.value))
    context.entities(
        {
            "id": meter,
            "type": "NoiseMeter",
            "equivalentLevel": {"value": round(equivalent(values), 1), "unitCode": "2N"},
        }
        for meter, values in heard.items()
    )
    return {"meters": len(heard)}

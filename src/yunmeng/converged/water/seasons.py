"""The flood limit in force 现行汛限水位: ``floodLimitLevel`` follows the calendar in ``floodLimits``.

Rules, pages and plans then compare with one and the same level, before, in and after the flood season.
"""

import asyncio
import logging
from collections.abc import Sequence
from typing import Any

from yunmeng.converged.water.entities import limit_of
from yunmeng.converged.water.reading import Reader
from yunmeng.converged.water.writing import merge
from yunmeng.kernel.base import YunmengError, now_us
from yunmeng.kernel.serve import Services
from yunmeng.kernel.trust import Reach

_PACE_S = 60.0
_NEAR_M = 0.005

_log = logging.getLogger("yunmeng.water")


async def work(services: Services) -> None:
    """Follows the calendars of the node's reservoirs until it is cancelled."""
    while True:
        try:
            changed = await follow_calendars(services, now_us())
            if changed:
                _log.info("another flood limit holds for %d reservoirs", len(changed))
        except YunmengError as error:
            _log.warning("the flood limits stay as they are: %s", error)
        await asyncio.sleep(_PACE_S)


async def follow_calendars(services: Services, at: int) -> Sequence[str]:
    """Sets ``floodLimitLevel`` where the calendar says another level (m) at a time (µs UTC).

    Returns the ids of the reservoirs that changed. A calendar that cannot be read is left alone and logged.
    """
    reader = Reader(services.state, services.history, Reach(), services.types)
    due: dict[str, float] = {}
    for reservoir in await reader.entities("Reservoir", "floodLimits"):
        limit = _limit(reservoir, at)
        held = reservoir.get("floodLimitLevel")
        if limit is not None and (not isinstance(held, int | float) or abs(held - limit) > _NEAR_M):
            due[reservoir["id"]] = limit
    levels = {
        id: {"floodLimitLevel": {"value": round(level, 2), "unitCode": "MTR"}} for id, level in due.items()
    }
    return await merge(services, levels)


def _limit(reservoir: dict[str, Any], at: int) -> float | None:
    try:
        return limit_of(reservoir, at)
    except YunmengError as error:
        _log.warning("the flood limits of %s: %s", reservoir["id"], error)
        return None

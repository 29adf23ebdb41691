"""The flood limit in force 现行汛限水位: ``floodLimitLevel`` follows the calendar in ``floodLimits``.

Rules, pages and plans then compare with one and the same level, before, in and after the flood season.
"""

import asyncio
import logging
from collections.abc import Sequence
from typing import Any

import msgspec

from yunmeng.converged.water.entities import limit_of
from yunmeng.converged.water.reading import Reader
from yunmeng.kernel.base import YunmengError, now_us
from yunmeng.kernel.keeper import WRITE, WriteRequest
from yunmeng.kernel.model import VOCABULARY_CONTEXT, Context, Merge, expand_fragment
from yunmeng.kernel.serve import Services
from yunmeng.kernel.trust import Principal, Reach

_PACE_S = 60.0
_PACK = 500
_NEAR_M = 0.005
_SERVICE = Principal("urn:yunmeng:service:water", kind="service", roles=("service",))

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
    ids = tuple(due)
    for start in range(0, len(ids), _PACK):
        await _set(services, {id: due[id] for id in ids[start : start + _PACK]})
    return ids


def _limit(reservoir: dict[str, Any], at: int) -> float | None:
    try:
        return limit_of(reservoir, at)
    except YunmengError as error:
        _log.warning("the flood limits of %s: %s", reservoir["id"], error)
        return None


async def _set(services: Services, levels: dict[str, float]) -> None:
    context = Context((services.types.context()["@context"],), (VOCABULARY_CONTEXT,))

    def merge(id: str, level: float) -> Merge:
        value = {"value": round(level, 2), "unitCode": "MTR"}
        return Merge(id, expand_fragment({"floodLimitLevel": value}, context))

    request = WriteRequest(Reach(), tuple(merge(*each) for each in levels.items()))
    await services.bus.request(WRITE, msgspec.msgpack.encode(request), _SERVICE, timeout_s=30.0)

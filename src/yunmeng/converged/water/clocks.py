"""The clocks of stations 测站时钟: ``clockState`` and ``clockShift`` follow from how long readings travel.

Only what comes through the node's own gateways is judged. What people import, rules work out or another node
sends was on its way for reasons that are not the clock's.
"""

import asyncio
import logging
from contextlib import aclosing
from typing import Any

from yunmeng.converged.water.measuring import WRONG, Clock, Travels, judge_clocks
from yunmeng.converged.water.reading import Reader
from yunmeng.converged.water.writing import merge
from yunmeng.kernel.base import YunmengError
from yunmeng.kernel.link import arriving_subject
from yunmeng.kernel.model import ObservationBatch, decode_batch
from yunmeng.kernel.serve import Services
from yunmeng.kernel.trust import Reach

TYPES = ("HydrologicalStation", "Reservoir")
"""Whose clocks are judged."""
_PACE_S = 60.0

_log = logging.getLogger("yunmeng.water")


async def work(services: Services) -> None:
    """Judges the clocks of the node's stations and reservoirs until it is cancelled."""
    watch = ClockWatch(services)
    async with asyncio.TaskGroup() as group:
        group.create_task(watch.listen())
        group.create_task(watch.judge_for_ever())


class ClockWatch:
    """What the node knows of the clocks of its stations."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._types = frozenset(services.types.type(name).uri for name in TYPES)
        self._gateways = frozenset(services.settings.gateways)
        self._travels = Travels()
        self._known: dict[str, tuple[str, int]] | None = None

    async def listen(self) -> None:
        """Follows what arrives, also what is refused for being of the future."""
        async with aclosing(self._services.bus.follow(arriving_subject(""))) as messages:
            async for message in messages:
                self.note(decode_batch(message.data))

    def note(self, batch: ObservationBatch) -> None:
        """Takes in how long the readings of a batch travelled."""
        if batch.gateway not in self._gateways:
            return
        stations = [series.entity if series.type in self._types else "" for series in batch.series]
        self._travels.note(stations, batch.index, batch.observed_at, batch.received_at)

    async def judge_for_ever(self) -> None:
        """Judges once a minute."""
        while True:
            await asyncio.sleep(_PACE_S)
            try:
                await self.judge()
            except YunmengError as error:
                _log.warning("the clocks are judged again in a minute: %s", error)

    async def judge(self) -> None:
        """Judges who was heard since the last time, and writes down what is news."""
        known = await self._recalled()
        ids, lags = self._travels.take()
        clocks = dict(zip(ids, judge_clocks(lags), strict=True))
        news = {id: clock for id, clock in clocks.items() if known.get(id) != (clock.state, clock.shift_h)}
        written = await merge(self._services, {id: _attributes(clock) for id, clock in news.items()})
        known.update({id: (news[id].state, news[id].shift_h) for id in written})
        for id in written:
            if news[id].state in WRONG:
                _log.warning("the clock of %s is %s: %+.1f h", id, news[id].state, news[id].lag_s / 3600)

    async def _recalled(self) -> dict[str, tuple[str, int]]:
        """Returns what is known, read once: a restart writes nothing down that stands there already."""
        if self._known is None:
            reader = Reader(self._services.state, self._services.history, Reach(), self._services.types)
            found = await reader.entities(",".join(TYPES), "clockState")
            self._known = {
                each["id"]: (str(each["clockState"]), int(each.get("clockShift", 0))) for each in found
            }
        return self._known


def _attributes(clock: Clock) -> dict[str, Any]:
    return {"clockState": clock.state, "clockShift": {"value": clock.shift_h, "unitCode": "HUR"}}

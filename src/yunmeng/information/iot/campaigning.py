"""Firmware campaigns in the worker process: taken up again after every start, ordered over the bus."""

import asyncio
import logging

import msgspec

from yunmeng.information.iot.campaign import STEPS, Campaign, State
from yunmeng.information.iot.campaign_store import CampaignStore
from yunmeng.information.iot.conductor import Conductor
from yunmeng.kernel.base import BadInput, NotFound, Unavailable
from yunmeng.kernel.link import Request
from yunmeng.kernel.serve import Services

BEGIN = "firmware.begin"
ORDER = "firmware.order"
_TICK_S = 1.0
_log = logging.getLogger("yunmeng.firmware")


class CampaignOrder(msgspec.Struct, frozen=True):
    """What somebody wants of a campaign."""

    id: str
    state: State


async def work(services: Services) -> None:
    """Leads every campaign of the node until it is cancelled."""
    context = await services.contexts.resolve(services.types.context())
    await Campaigns(services, CampaignStore(services, context)).run()


class Campaigns:
    """All campaigns that are not over."""

    def __init__(self, services: Services, store: CampaignStore) -> None:
        self._services = services
        self._store = store
        self._live: dict[str, Conductor] = {}
        self._news = asyncio.Event()

    async def run(self) -> None:
        """Takes up what a stop interrupted, then works."""
        for campaign in await self._store.campaigns():
            if campaign.state not in ("done", "cancelled"):
                await self._take_up(campaign)
        await self._services.bus.serve(BEGIN, self._begin)
        await self._services.bus.serve(ORDER, self._order)
        try:
            while True:
                await self._tick()
        finally:
            for conductor in self._live.values():
                await conductor.close()

    async def _tick(self) -> None:
        for id, conductor in list(self._live.items()):
            try:
                await conductor.tick()
            except Unavailable as error:
                # the bus or the keeper is away: what was to be written comes again with the next change
                _log.warning("%s: %s", id, error)
            if conductor.is_over:
                await conductor.close()
                del self._live[id]
        self._news.clear()
        try:
            await asyncio.wait_for(self._news.wait(), _TICK_S if self._live else None)
        except TimeoutError:
            return

    async def _take_up(self, campaign: Campaign) -> Conductor:
        updates = await self._store.updates(campaign)
        conductor = Conductor(self._services.bus, self._store, campaign, updates)
        self._live[campaign.id] = conductor
        return conductor

    async def _begin(self, request: Request) -> bytes:
        campaign = msgspec.msgpack.decode(request.data, type=Campaign)
        conductor = await self._take_up(campaign)
        await self._store.keep(campaign, conductor.updates)
        self._news.set()
        return b""

    async def _order(self, request: Request) -> bytes:
        order = msgspec.msgpack.decode(request.data, type=CampaignOrder)
        conductor = self._live.get(order.id)
        if conductor is None:
            raise NotFound("campaign.over", id=order.id)
        state = conductor.campaign.state
        if order.state not in STEPS.get(state, ()):
            allowed = ", ".join(STEPS.get(state, ())) or "-"
            raise BadInput("iot.step", state=state, to=order.state, allowed=allowed)
        await conductor.order(order.state)
        self._news.set()
        return b""

"""Delivery of notifications: a lane for each subscription, so that a slow or dead one never slows another.

What a lane cannot deliver at once is parked: a durable record, dropped when it has arrived. So a message of
the bus is done when all its notifications were delivered or parked, and a restart takes up what is parked.
"""

import asyncio
import logging
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

from yunmeng.kernel.serve.couriers import Address, Couriers

MOST_IN_LANE = 20_000
RETRY_FOR_S = 24 * 3600.0

_CROWDED = 8_000
_CROWDED_PAUSE_S = 0.02
_SLOW = 256
_SLOW_AFTER_S = 10.0
_FIRST_PAUSE_S = 0.5
_LEAST_PAUSE_S = 1.0
_LONGEST_PAUSE_S = 300.0

_log = logging.getLogger("yunmeng.notifier")

Key = tuple[str, str]


@dataclass(slots=True, eq=False)
class Post:
    """One notification on its way; ``key`` is the id of its record once it is parked.

    ``over``: it has arrived or was given up. ``address``: where it goes, where no subscription says so.
    """

    tenant: str
    subscription: str
    body: bytes
    born: float
    done: Callable[[], None]
    key: str = ""
    attempts: int = 0
    parked: bool = False
    over: bool = False
    address: Address | None = None


@dataclass(frozen=True, slots=True)
class Reports:
    """What lanes ask of and report to the notifier; no address means that the subscription is gone."""

    address: Callable[[Post], Address | None]
    tried: Callable[[Post, str], None]
    lost: Callable[[Post], None]


@dataclass(slots=True)
class Lane:
    """Posts of one subscription in order; one is under way at a time."""

    couriers: Couriers
    reports: Reports
    queue: deque[Post] = field(default_factory=deque[Post])
    failing: bool = False
    _pause_s: float = _FIRST_PAUSE_S
    _hurry: asyncio.Event = field(default_factory=asyncio.Event)
    _worker: "asyncio.Task[None] | None" = None

    @property
    def slow(self) -> bool:
        """Whether the lane fails, or has fallen behind."""
        late = len(self.queue) > _SLOW and self.queue[0].born < time.time() - _SLOW_AFTER_S
        return self.failing or late

    def add(self, post: Post) -> None:
        """Queues a post; the oldest gives way when the lane is full."""
        if len(self.queue) >= MOST_IN_LANE:
            # the head may be under way, so the one behind it goes
            oldest = self.queue[1]
            del self.queue[1]
            self.reports.lost(oldest)
        self.queue.append(post)
        self.hurry()
        if self._worker is None or self._worker.done():
            self._worker = asyncio.create_task(self._work())

    def hurry(self) -> None:
        """Ends a long pause: something has changed."""
        self._hurry.set()

    async def stop(self) -> None:
        """Stops delivering."""
        if self._worker is not None:
            self._worker.cancel()
            await asyncio.gather(self._worker, return_exceptions=True)

    async def _work(self) -> None:
        while self.queue:
            post = self.queue[0]
            address = self.reports.address(post)
            if address is None or time.time() - post.born > RETRY_FOR_S:
                self.queue.popleft()
                self.reports.lost(post)
                continue
            reason = await self.couriers.send(address, post.body)
            if not reason:
                self.queue.popleft()
                self.failing, self._pause_s = False, _FIRST_PAUSE_S
                self.reports.tried(post, "")
                continue
            await self._failed(post, address, reason)

    async def _failed(self, post: Post, address: Address, reason: str) -> None:
        if not self.failing:
            _log.warning("%s does not take notifications: %s", address.endpoint.server, reason)
        self.failing = True
        self.reports.tried(post, reason)
        post.attempts += 1
        await self._rest(max(self._pause_s, address.endpoint.cooldown_s), address.endpoint.cooldown_s)
        self._pause_s = min(self._pause_s * 2, _LONGEST_PAUSE_S)

    async def _rest(self, pause_s: float, cooldown_s: float) -> None:
        """Waits; a new post or a changed subscription ends a long pause, not the cool-down."""
        least = min(pause_s, max(_LEAST_PAUSE_S, cooldown_s))
        await asyncio.sleep(least)
        self._hurry.clear()
        try:
            async with asyncio.timeout(pause_s - least):
                await self._hurry.wait()
        except TimeoutError:
            return


class Lanes:
    """All lanes of a notifier."""

    def __init__(self, reports: Reports) -> None:
        self._reports = reports
        self._lanes: dict[Key, Lane] = {}
        self._couriers = Couriers()

    def add(self, post: Post) -> None:
        """Queues a post in the lane of its subscription."""
        key = (post.tenant, post.subscription)
        lane = self._lanes.get(key)
        if lane is None:
            lane = self._lanes[key] = Lane(self._couriers, self._reports)
        lane.add(post)

    def changed(self, tenant: str, subscription: str) -> None:
        """Has a lane look at once whether its subscription still is what it was."""
        lane = self._lanes.get((tenant, subscription))
        if lane is not None:
            lane.hurry()

    def to_park(self) -> list[Post]:
        """Returns what must be made durable now: all of a failing lane, and of one that has fallen behind."""
        return [post for lane in self._lanes.values() if lane.slow for post in lane.queue if not post.parked]

    def everything(self) -> list[Post]:
        """Returns all that is not yet durable, before the end."""
        return [post for lane in self._lanes.values() for post in lane.queue if not post.parked]

    @property
    def waiting(self) -> int:
        """How many posts are queued."""
        return sum(len(lane.queue) for lane in self._lanes.values())

    async def room(self) -> None:
        """Waits while so much could be delivered soon that no more should be taken in."""
        while sum(len(lane.queue) for lane in self._lanes.values() if not lane.slow) > _CROWDED:  # noqa: ASYNC110
            await asyncio.sleep(_CROWDED_PAUSE_S)

    async def tidy(self) -> None:
        """Lets go of lanes with nothing to do and of connections that nobody uses."""
        self._lanes = {key: lane for key, lane in self._lanes.items() if lane.queue}
        await self._couriers.tidy()

    async def stop(self) -> None:
        """Stops all lanes and closes the connections."""
        await asyncio.gather(*(lane.stop() for lane in self._lanes.values()))
        await self._couriers.close()

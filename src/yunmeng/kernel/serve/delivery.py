"""Delivery of notifications: a lane for each receiver, so that a slow or dead one never slows another.

What a lane cannot deliver at once is parked: a durable record, dropped when it has arrived. So a message of
the bus is done when all its notifications were delivered or parked, and a restart takes up what is parked.
"""

import asyncio
import logging
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from zlib import crc32

import httpx

from yunmeng.kernel.serve.watching import Endpoint

MOST_IN_LANE = 20_000
RETRY_FOR_S = 24 * 3600.0

_SHARDS = 8
_SLOW = 256
_FIRST_PAUSE_S = 0.5
_LONGEST_PAUSE_S = 300.0
_OK = range(200, 300)

_log = logging.getLogger("yunmeng.notifier")


@dataclass(slots=True, eq=False)
class Post:
    """One notification on its way; ``key`` is the id of its record once it is parked."""

    tenant: str
    subscription: str
    body: bytes
    born: float
    done: Callable[[], None]
    key: str = ""
    attempts: int = 0
    parked: bool = False


@dataclass(frozen=True, slots=True)
class Address:
    """Where a post goes right now; None in its place means that the subscription is gone."""

    endpoint: Endpoint
    headers: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Reports:
    """What lanes ask of and report to the notifier."""

    address: Callable[[Post], Address | None]
    delivered: Callable[[Post], None]
    failed: Callable[[Post, str], None]
    lost: Callable[[Post], None]


@dataclass(slots=True)
class Lane:
    """Posts of one receiver in order; one is under way at a time."""

    name: str
    client: httpx.AsyncClient
    reports: Reports
    queue: deque[Post] = field(default_factory=deque[Post])
    failing: bool = False
    _pause_s: float = _FIRST_PAUSE_S
    _worker: "asyncio.Task[None] | None" = None

    def add(self, post: Post) -> None:
        """Queues a post; the oldest gives way when the lane is full."""
        if len(self.queue) >= MOST_IN_LANE:
            # the head may be under way, so the one behind it goes
            oldest = self.queue[1]
            del self.queue[1]
            self.reports.lost(oldest)
        self.queue.append(post)
        if self._worker is None or self._worker.done():
            self._worker = asyncio.create_task(self._work())

    def to_park(self) -> list[Post]:
        """Returns what should be made durable now: all of a failing lane, the tail of a slow one."""
        if not self.failing and len(self.queue) <= _SLOW:
            return []
        return [post for post in self.queue if not post.parked]

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
            reason = await self._send(post, address)
            if not reason:
                self.queue.popleft()
                self.failing, self._pause_s = False, _FIRST_PAUSE_S
                self.reports.delivered(post)
                continue
            await self._failed(post, reason)

    async def _failed(self, post: Post, reason: str) -> None:
        post.attempts += 1
        if not self.failing:
            _log.warning("%s does not take notifications: %s", self.name, reason)
        self.failing = True
        self.reports.failed(post, reason)
        await asyncio.sleep(self._pause_s)
        self._pause_s = min(self._pause_s * 2, _LONGEST_PAUSE_S)

    async def _send(self, post: Post, address: Address) -> str:
        """Returns why it failed, nothing when it arrived."""
        endpoint = address.endpoint
        try:
            answer = await self.client.post(
                endpoint.uri, content=post.body, headers=dict(address.headers), timeout=endpoint.timeout_s
            )
        except (httpx.HTTPError, httpx.InvalidURL, OSError) as failure:
            return f"{type(failure).__name__}: {failure}"
        return "" if answer.status_code in _OK else f"HTTP {answer.status_code}"


class Lanes:
    """All lanes of a notifier; posts of one subscription stay in order."""

    def __init__(self, reports: Reports) -> None:
        self._reports = reports
        self._lanes: dict[tuple[str, int], Lane] = {}
        limits = httpx.Limits(max_connections=None, max_keepalive_connections=256)
        self._client = httpx.AsyncClient(limits=limits, follow_redirects=False, trust_env=False)

    def add(self, post: Post) -> None:
        """Queues a post in the lane of its receiver."""
        address = self._reports.address(post)
        if address is None:
            self._reports.lost(post)
            return
        key = (address.endpoint.server, crc32(post.subscription.encode()) % _SHARDS)
        lane = self._lanes.get(key)
        if lane is None:
            lane = self._lanes[key] = Lane(address.endpoint.server, self._client, self._reports)
        lane.add(post)

    def to_park(self) -> list[Post]:
        """Returns what must be made durable now."""
        return [post for lane in self._lanes.values() for post in lane.to_park()]

    def everything(self) -> list[Post]:
        """Returns all that is not yet durable, before the end."""
        return [post for lane in self._lanes.values() for post in lane.queue if not post.parked]

    @property
    def waiting(self) -> int:
        """How many posts are queued."""
        return sum(len(lane.queue) for lane in self._lanes.values())

    async def stop(self) -> None:
        """Stops all lanes and closes the connections."""
        await asyncio.gather(*(lane.stop() for lane in self._lanes.values()))
        await self._client.aclose()


@dataclass(slots=True)
class Progress:
    """Which positions of the stream are done, so that only a finished beginning is acknowledged."""

    open: dict[int, int] = field(default_factory=dict[int, int])
    last: int = 0

    def begin(self, position: int) -> None:
        """Opens a position; it holds one share for the reader itself."""
        self.open[position] = 1
        self.last = max(self.last, position)

    def share(self, position: int) -> Callable[[], None]:
        """Takes a share in a position and returns what gives it back."""
        self.open[position] += 1
        given = False

        def give() -> None:
            nonlocal given
            if not given:
                given = True
                self.end(position)

        return give

    def end(self, position: int) -> None:
        """Gives one share back."""
        left = self.open[position] - 1
        if left:
            self.open[position] = left
        else:
            del self.open[position]

    @property
    def finished(self) -> int:
        """The position up to which everything is done."""
        return min(self.open) - 1 if self.open else self.last

"""The drain: observations from their stream to the next round, and their acknowledgement."""

import asyncio
import time
from collections import deque
from collections.abc import Callable

from yunmeng.kernel.base import KeeperSettings, now_us
from yunmeng.kernel.keeper.intake import Taken, take
from yunmeng.kernel.link import Consumer, Message


class Drain:
    """Takes observations, lets them linger for company, and acknowledges what nobody reads again.

    ``wake`` is set when there is something to commit. ``position`` is the newest taken, ``committed`` the
    newest stored; ``recovered`` is the highest outbox number of an earlier run.
    """

    def __init__(self, settings: KeeperSettings, wake: asyncio.Event) -> None:
        self._linger_s = settings.linger_ms / 1000
        self._batch = settings.batch
        self._tolerance_us = settings.future_tolerance_s * 1_000_000
        self._wake = wake
        self._taken: deque[tuple[Message, Taken]] = deque()
        self._rows = 0
        self._since = 0.0
        self._skipped = 0
        self._acked = 0
        self._unacked: deque[tuple[int, int]] = deque()
        self.position = 0
        self.committed = 0
        self.recovered = 0

    @property
    def due_at(self) -> float:
        """When the oldest observation has lingered long enough, by the monotonic clock; 0 without one."""
        return self._since + self._linger_s if self._taken else 0.0

    def due(self, *, hurry: bool) -> bool:
        """Tells whether the observations have lingered long enough, or are enough."""
        if not self._taken:
            return False
        return time.monotonic() >= self.due_at or self._rows >= self._batch or hurry

    async def run(self, consumer: Consumer, held: Callable[[], bool]) -> None:
        """Takes observations as they come; none while ``held`` or while enough wait for their commit."""
        while True:
            if self._rows > 4 * self._batch or held():
                await asyncio.sleep(0.01)
                continue
            now = now_us()
            for message in await consumer.fetch(16, 1.0):
                if message.position > self.position:
                    self.position = message.position
                    self._take(message, now)
                else:
                    self._skipped = message.position
                # Unpacking takes a while: requests and commits have their turn between two messages.
                await asyncio.sleep(0)

    def next(self) -> list[tuple[Message, Taken]]:
        """Hands over what goes into the next commit."""
        taken: list[tuple[Message, Taken]] = []
        rows = 0
        while self._taken and rows < 2 * self._batch:
            taken.append(self._taken.popleft())
            rows += taken[-1][1].rows
        self._rows -= rows
        return taken

    def give_back(self, taken: list[tuple[Message, Taken]]) -> None:
        """Takes back what was not stored, for the next round."""
        self._taken.extendleft(reversed(taken))
        self._rows += sum(each.rows for _, each in taken)

    def stored(self, taken: list[tuple[Message, Taken]], highest: int) -> None:
        """Notes that a commit, whose last outbox number is ``highest``, has stored these."""
        if taken:
            self.committed = taken[-1][0].position
            self._unacked.append((highest, self.committed))

    async def acknowledge_forever(self, consumer: Consumer, dropped: Callable[[], int]) -> None:
        """Acknowledges observations once the outbox has dropped them: a recovery reads no others again."""
        while True:
            reached = self._skipped if dropped() >= self.recovered else 0
            while self._unacked and self._unacked[0][0] <= dropped():
                reached = self._unacked.popleft()[1]
            if reached > self._acked:
                self._acked = reached
                await consumer.ack(reached)
            await asyncio.sleep(0.05)

    def _take(self, message: Message, now: int) -> None:
        taken = take(message, now, self._tolerance_us)
        if not self._taken:
            self._since = time.monotonic()
            self._wake.set()
        self._taken.append((message, taken))
        self._rows += taken.rows
        if self._rows >= self._batch:
            self._wake.set()

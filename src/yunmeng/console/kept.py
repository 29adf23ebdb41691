"""Answers that are long to make and alike for many readers: made once, kept for a moment."""

import asyncio
from collections.abc import Awaitable, Callable, Hashable
from dataclasses import dataclass
from time import monotonic
from weakref import WeakKeyDictionary

from yunmeng.kernel.link import Bus
from yunmeng.kernel.serve import Call

FRESH_S = 5.0
OLD_S = 30.0
_MOST = 64


@dataclass(frozen=True, slots=True)
class _Entry:
    body: bytes
    made: float


class Kept:
    """Answers by key. One older than :data:`FRESH_S` is made anew, but for so long the old one is given.

    The wait for the first one is shared; older than :data:`OLD_S` none is given.
    """

    def __init__(self, fresh_s: float = FRESH_S, old_s: float = OLD_S) -> None:
        self._fresh_s, self._old_s = fresh_s, old_s
        self._entries: dict[Hashable, _Entry] = {}
        self._making: dict[Hashable, asyncio.Task[bytes]] = {}

    async def get(self, key: Hashable, make: Callable[[], Awaitable[bytes]]) -> bytes:
        """Returns the answer of a key."""
        entry = self._entries.get(key)
        age = monotonic() - entry.made if entry else self._old_s
        if entry and age < self._fresh_s:
            return entry.body
        task = self._making.get(key) or self._begin(key, make)
        if entry and age < self._old_s:
            return entry.body
        return await asyncio.shield(task)

    def _begin(self, key: Hashable, make: Callable[[], Awaitable[bytes]]) -> asyncio.Task[bytes]:
        task = asyncio.ensure_future(self._make(key, make))
        self._making[key] = task
        task.add_done_callback(lambda done: self._ended(key, done))
        return task

    async def _make(self, key: Hashable, make: Callable[[], Awaitable[bytes]]) -> bytes:
        body = await make()
        self._entries.pop(key, None)
        self._entries[key] = _Entry(body, monotonic())
        while len(self._entries) > _MOST:
            del self._entries[next(iter(self._entries))]
        return body

    def _ended(self, key: Hashable, task: asyncio.Task[bytes]) -> None:
        del self._making[key]
        if not task.cancelled():
            task.exception()  # who waits for it hears of it; in the background the next asks again


_kept: WeakKeyDictionary[Bus, Kept] = WeakKeyDictionary()


def kept_of(call: Call) -> Kept:
    """Returns what this node's process keeps."""
    return _kept.setdefault(call.services.bus, Kept())

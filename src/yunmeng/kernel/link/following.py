"""The reader's side of a live subject: a bounded queue that drops its oldest."""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Callable

from yunmeng.kernel.link.port import Message

MOST_WAITING = 4096


class Following:
    """Collects live messages for one reader until it is closed."""

    def __init__(self, most: int = MOST_WAITING) -> None:
        self._waiting: deque[Message] = deque(maxlen=most)
        self._there = asyncio.Event()
        self._closed = False

    def push(self, message: Message) -> None:
        """Hands over a message; the oldest goes when the reader is slow."""
        self._waiting.append(message)
        self._there.set()

    def close(self) -> None:
        """Ends the reader's loop once it has read what waits."""
        self._closed = True
        self._there.set()

    async def messages(self, leave: Callable[[], None]) -> AsyncGenerator[Message]:
        """Yields messages as they come; calls ``leave`` when the reader goes."""
        try:
            while True:
                while self._waiting:
                    yield self._waiting.popleft()
                if self._closed:
                    return
                self._there.clear()
                await self._there.wait()
        finally:
            leave()

"""Things that go to the keeper together."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Generic, TypeVar

from yunmeng.kernel.base import YunmengError

Item = TypeVar("Item")


class Batcher(Generic[Item]):
    """Collects items for ``linger_s`` and hands at most ``most`` at once to ``send``, call after call.

    ``send`` returns the errors of single items by their place. The future of :meth:`put` is done when
    ``send`` returned, and carries the item's error or that of all.
    """

    def __init__(
        self,
        send: Callable[[list[Item]], Awaitable[Mapping[int, YunmengError]]],
        linger_s: float,
        most: int = 250,
    ) -> None:
        self._send = send
        self._linger_s = linger_s
        self._most = most
        self._items: list[tuple[Item, asyncio.Future[None]]] = []
        self._work: asyncio.Task[None] | None = None

    @property
    def full(self) -> bool:
        """Whether so much waits that whoever can should slow down."""
        return len(self._items) >= 8 * self._most

    def put(self, item: Item) -> "asyncio.Future[None]":
        """Takes one item."""
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._items.append((item, done))
        if self._work is None:
            self._work = asyncio.create_task(self._run())
        return done

    async def flush(self) -> None:
        """Returns when everything that was put has been handed over, or has failed."""
        while self._work is not None:
            await asyncio.wait([self._work])

    async def _run(self) -> None:
        while self._items:
            if len(self._items) < self._most:
                await asyncio.sleep(self._linger_s)
            pack, self._items = self._items[: self._most], self._items[self._most :]
            await self._hand_over(pack)
        self._work = None

    async def _hand_over(self, pack: list[tuple[Item, "asyncio.Future[None]"]]) -> None:
        errors: Mapping[int, YunmengError]
        try:
            errors = await self._send([item for item, _ in pack])
        except YunmengError as error:
            errors = dict.fromkeys(range(len(pack)), error)
        for place, (_, done) in enumerate(pack):
            if done.done():
                continue
            if error := errors.get(place):
                done.set_exception(error)
                done.exception()  # whoever put it may wait for none of them
            else:
                done.set_result(None)

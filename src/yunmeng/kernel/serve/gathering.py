"""Requests that come side by side, carried out together where that costs less than one after the other."""

import asyncio
from collections.abc import Callable, Coroutine, Hashable, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

_Item = TypeVar("_Item")
_Done = TypeVar("_Done")


@dataclass(frozen=True, slots=True)
class _Group(Generic[_Item, _Done]):
    """Items of one key, and what carries them out together."""

    together: Callable[[Sequence[_Item]], Coroutine[None, None, Sequence[_Done | None]]]
    items: list[_Item] = field(default_factory=list[Any])
    results: "list[asyncio.Future[_Done | None]]" = field(default_factory=list[Any])

    def tell(self, found: "asyncio.Task[Sequence[_Done | None]] | None") -> None:
        """Tells each what became of it; without any task they go on by themselves."""
        failure: BaseException | None = None
        if found is not None:
            failure = asyncio.CancelledError() if found.cancelled() else found.exception()
        done = found.result() if found is not None and failure is None else [None] * len(self.items)
        for result, one in zip(self.results, done, strict=True):
            if result.done():
                # who asked has left
                continue
            if failure is not None:
                result.set_exception(failure)
            else:
                result.set_result(one)


class Gathering:
    """Gathers what comes within one turn of the loop; nobody waits for company."""

    def __init__(self, fewest: int) -> None:
        self._fewest = fewest
        self._open: dict[Hashable, _Group[Any, Any]] = {}
        self._tasks: set[asyncio.Task[Any]] = set()

    async def join(
        self,
        key: Hashable,
        item: _Item,
        together: Callable[[Sequence[_Item]], Coroutine[None, None, Sequence[_Done | None]]],
    ) -> _Done | None:
        """Returns what became of an item, None when it is to be carried out alone.

        That is so when fewer than ``fewest`` of its ``key`` came with it, or ``together`` says so of it.
        Raises what ``together`` raises.
        """
        loop = asyncio.get_running_loop()
        group = self._open.get(key)
        if group is None:
            group = self._open[key] = _Group(together)
            loop.call_soon(self._close, key)
        result: asyncio.Future[_Done | None] = loop.create_future()
        group.items.append(item)
        group.results.append(result)
        return await result

    def _close(self, key: Hashable) -> None:
        group = self._open.pop(key)
        if len(group.items) < self._fewest:
            group.tell(None)
            return
        task = asyncio.create_task(group.together(group.items))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        task.add_done_callback(group.tell)

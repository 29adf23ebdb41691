"""Things go together, in their order; each hears how its own went."""

import asyncio

import pytest
from tests.nodes import refused

from yunmeng.kernel.base import BadInput, Unavailable
from yunmeng.kernel.sense.batcher import Batcher


async def test_what_comes_together_goes_together() -> None:
    packs: list[list[int]] = []

    async def send(items: list[int]) -> dict[int, Unavailable]:
        packs.append(items)
        return {}

    batcher = Batcher(send, 0.01, most=4)
    done = [batcher.put(number) for number in range(10)]
    await batcher.flush()
    assert packs == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9]]
    assert all(future.done() and future.exception() is None for future in done)
    batcher.put(10)
    await batcher.flush()
    assert packs[3:] == [[10]]


async def test_each_item_hears_of_its_own_error_and_all_of_a_common_one() -> None:
    async def send(items: list[int]) -> dict[int, BadInput]:
        if 99 in items:
            raise Unavailable("bus.down", url="-")
        return {place: BadInput("frame.bad", protocol="-", reason="odd") for place in (1, 3)}

    batcher = Batcher(send, 0.0, most=4)
    done = [batcher.put(number) for number in (0, 1, 2, 3, 99)]
    await batcher.flush()
    assert [future.exception() is None for future in done] == [True, False, True, False, False]
    with refused("frame.bad"):
        await done[1]
    with refused("bus.down"):
        await done[4]


async def test_it_is_full_until_what_waits_has_gone() -> None:
    gate = asyncio.Event()

    async def send(items: list[int]) -> dict[int, BadInput]:
        await gate.wait()
        return {}

    batcher = Batcher(send, 0.0, most=2)
    for number in range(17):
        batcher.put(number)
    assert batcher.full
    gate.set()
    await batcher.flush()
    assert not batcher.full


async def test_whoever_stopped_waiting_stops_nobody_else() -> None:
    async def send(items: list[int]) -> dict[int, BadInput]:
        return {}

    batcher = Batcher(send, 0.0)
    gone, there = batcher.put(1), batcher.put(2)
    gone.cancel()
    await there
    with pytest.raises(asyncio.CancelledError):
        await gone

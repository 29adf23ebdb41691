"""Answers that are kept for a moment."""

import asyncio

import pytest

from yunmeng.console.kept import Kept
from yunmeng.kernel.base import Unavailable

pytestmark = pytest.mark.asyncio


class Source:
    """Counts how often it is asked, and answers when it may."""

    def __init__(self) -> None:
        self.asked, self.may = 0, asyncio.Event()
        self.may.set()

    async def __call__(self) -> bytes:
        self.asked += 1
        mine = b"%d" % self.asked
        await self.may.wait()
        return mine


async def test_those_who_wait_share_one_answer() -> None:
    kept, source = Kept(fresh_s=60, old_s=60), Source()
    source.may.clear()
    waiting = asyncio.gather(*(kept.get("key", source) for _ in range(3)))
    await asyncio.sleep(0)
    source.may.set()
    assert await waiting == [b"1"] * 3
    assert await kept.get("other", source) == b"2"


async def test_an_old_answer_is_given_while_the_new_one_is_made() -> None:
    kept, source = Kept(fresh_s=0, old_s=60), Source()
    assert await kept.get("key", source) == b"1"
    source.may.clear()
    assert await kept.get("key", source) == b"1"
    assert await kept.get("key", source) == b"1"
    source.may.set()
    while source.asked < 2 or await kept.get("key", source) == b"1":
        await asyncio.sleep(0)


async def test_too_old_an_answer_is_not_given() -> None:
    kept, source = Kept(fresh_s=0, old_s=0), Source()
    assert await kept.get("key", source) == b"1"
    assert await kept.get("key", source) == b"2"


async def test_a_failure_is_said_and_not_kept() -> None:
    kept, source = Kept(fresh_s=60, old_s=60), Source()

    async def away() -> bytes:
        raise Unavailable("state.away")

    with pytest.raises(Unavailable):
        await kept.get("key", away)
    assert await kept.get("key", source) == b"1"

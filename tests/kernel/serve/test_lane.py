"""Writes that come side by side share a message; each gets its own answer, or the error of its message."""

import asyncio

import msgspec
import pytest

from yunmeng.kernel.base import Unavailable
from yunmeng.kernel.keeper import WRITES, SentWrite, WriteReply, WriteRequest, WritesReply, decode_writes
from yunmeng.kernel.link import MemoryBus, Request
from yunmeng.kernel.model import Delete, Outcome
from yunmeng.kernel.serve.lane import WriteLane
from yunmeng.kernel.trust import Reach


class Keeper:
    """Answers a message once it is let go, and remembers how many writes each had."""

    def __init__(self, *, busy: bool = False) -> None:
        self.messages: list[list[str]] = []
        self.let_go = asyncio.Event()
        self._busy = busy

    async def answer(self, request: Request) -> bytes:
        writes = decode_writes(request.data).writes
        self.messages.append([f"{write.principal} {write.request.operations[0].id}" for write in writes])
        await self.let_go.wait()
        if self._busy:
            raise Unavailable("keeper.busy", waiting=1)
        done = tuple(WriteReply((Outcome(write.request.operations[0].id, "deleted"),)) for write in writes)
        return msgspec.msgpack.encode(WritesReply(done))


def write(number: int) -> bytes:
    request = WriteRequest(Reach(), (Delete(f"urn:x:{number}"),))
    return msgspec.msgpack.encode(SentWrite(f"who{number % 2}", request))


async def sent(keeper: Keeper, writes: int) -> list[WriteReply | BaseException]:
    bus = MemoryBus()
    await bus.serve(WRITES, keeper.answer)
    lane = WriteLane(bus)
    waiting = [asyncio.create_task(lane.send(write(number))) for number in range(writes)]
    async with asyncio.timeout(5):
        while not keeper.messages:
            await asyncio.sleep(0)
        keeper.let_go.set()
        return await asyncio.gather(*waiting, return_exceptions=True)


async def test_what_comes_while_two_are_on_their_way_travels_together() -> None:
    keeper = Keeper()
    replies = await sent(keeper, 64)
    assert [reply.outcomes[0].id for reply in replies if isinstance(reply, WriteReply)] == [
        f"urn:x:{number}" for number in range(64)
    ]
    assert len(keeper.messages) <= 3
    assert [one for message in keeper.messages for one in message] == [
        f"who{number % 2} urn:x:{number}" for number in range(64)
    ]


async def test_one_alone_waits_for_nobody() -> None:
    keeper = Keeper()
    keeper.let_go.set()
    (reply,) = await sent(keeper, 1)
    assert isinstance(reply, WriteReply)
    assert keeper.messages == [["who0 urn:x:0"]]


async def test_an_error_reaches_everybody_in_the_message() -> None:
    replies = await sent(Keeper(busy=True), 5)
    assert all(isinstance(reply, Unavailable) and reply.key == "keeper.busy" for reply in replies)
    assert len(replies) == 5


@pytest.mark.parametrize("writes", [600])
async def test_no_message_grows_without_end(writes: int) -> None:
    keeper = Keeper()
    await sent(keeper, writes)
    assert max(map(len, keeper.messages)) <= 250
    assert sum(map(len, keeper.messages)) == writes


async def test_whoever_was_answered_can_write_again_at_once() -> None:
    keeper = Keeper()
    keeper.let_go.set()
    bus = MemoryBus()
    await bus.serve(WRITES, keeper.answer)
    lane = WriteLane(bus)
    async with asyncio.timeout(5):
        for number in range(20):
            await lane.send(write(number))
    assert len(keeper.messages) == 20

"""The lane from an api process to the keeper: writes that come side by side travel in one message."""

import asyncio
from collections import deque

import msgspec

from yunmeng.kernel.base import YunmengError
from yunmeng.kernel.keeper import WRITES, WriteReply, WritesReply, encode_writes
from yunmeng.kernel.link import Bus
from yunmeng.kernel.trust import Principal

LARGEST_MESSAGE = 16 << 20
"""Well below what the bus carries in one message (32 MiB)."""
PATIENCE_S = 30.0

# While one is with the keeper the next one gathers: a message, and its commit, cost all processes as much as
# five writes do. Many writes, or large ones, are worth their own: keeper and api then work at the same time.
_LARGE = 1 << 20
_MANY = 16
_MOST_ON_THE_WAY = 2
_MOST_TOGETHER = 250
_API = Principal("urn:yunmeng:service:api", kind="service", roles=("service",))

_replies = msgspec.msgpack.Decoder(WritesReply).decode


class WriteLane:
    """Sends write requests on; nothing waits for company while the lane is free."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus
        self._waiting: deque[tuple[bytes, asyncio.Future[WriteReply]]] = deque()
        self._bytes = 0
        self._sending = 0
        self._senders: set[asyncio.Task[None]] = set()

    async def send(self, write: bytes) -> WriteReply:
        """Sends an encoded :class:`SentWrite` and returns its reply, after the commit.

        Raises what the keeper answers, or the bus: then nothing may have been stored.
        """
        reply: asyncio.Future[WriteReply] = asyncio.get_running_loop().create_future()
        self._waiting.append((write, reply))
        self._bytes += len(write)
        worth_their_own = self._bytes >= _LARGE or len(self._waiting) >= _MANY
        if self._sending < (_MOST_ON_THE_WAY if worth_their_own else 1):
            self._sending += 1
            sender = asyncio.create_task(self._drain())
            self._senders.add(sender)
            sender.add_done_callback(self._senders.discard)
        return await reply

    async def _drain(self) -> None:
        # a task that has ended is not yet discarded when whoever it answered sends again
        try:
            while self._waiting:
                await self._send(self._gather())
        finally:
            self._sending -= 1

    async def _send(self, together: "list[tuple[bytes, asyncio.Future[WriteReply]]]") -> None:
        message = encode_writes([write for write, _ in together])
        try:
            answer = await self._bus.request(WRITES, message, _API, timeout_s=PATIENCE_S)
        except YunmengError as error:
            for _, reply in together:
                if not reply.done():
                    reply.set_exception(error)
        else:
            for (_, reply), one in zip(together, _replies(answer).replies, strict=True):
                if not reply.done():
                    reply.set_result(one)

    def _gather(self) -> list[tuple[bytes, "asyncio.Future[WriteReply]"]]:
        together = [self._waiting.popleft()]
        size = len(together[0][0])
        while self._waiting and len(together) < _MOST_TOGETHER:
            size += len(self._waiting[0][0])
            if size > LARGEST_MESSAGE:
                break
            together.append(self._waiting.popleft())
        self._bytes -= sum(len(write) for write, _ in together)
        return together

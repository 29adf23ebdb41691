"""A durable pull consumer on JetStream, acknowledged by position.

JetStream's ``ack_policy: all`` acknowledges everything before a message, also what the connection lost on its
way here. So a consumer starts, and starts again after every loss, by resetting the durable to what is
acknowledged (ADR-60, server 2.14), and counts deliveries: a hole in the count is a loss.
"""

import asyncio
import contextlib
import logging
import time
from collections import deque
from collections.abc import Callable, Sequence

import msgspec

from yunmeng.kernel.base import Unavailable
from yunmeng.kernel.link.nats_connection import ApiError, Listening, NatsConnection
from yunmeng.kernel.link.nats_parser import Frame
from yunmeng.kernel.link.port import Message, StreamName

_log = logging.getLogger(__name__)

_WINDOW = 512
_MAX_BYTES = 64 * 1024**2
_EXPIRES_S = 30.0
_HEARTBEAT_S = 5.0
_NS = 1_000_000_000
_NEVER_NS = 24 * 3600 * _NS
_NOT_FOUND = 10014
# Of the conflicts these two end one pull; the others (deleted, moved, shut down) end the consumer's hold.
_PULL_IS_OVER = frozenset({"Batch Completed", "Message Size Exceeds MaxBytes"})

Reader = Callable[[Frame, int], Message]


class _Place(msgspec.Struct, frozen=True):
    consumer_seq: int
    stream_seq: int


class _Config(msgspec.Struct, frozen=True):
    filter_subject: str = ""


class ConsumerInfo(msgspec.Struct, frozen=True):
    """What JetStream tells of a consumer."""

    name: str
    delivered: _Place
    ack_floor: _Place
    config: _Config


class NatsConsumer:
    """A durable consumer of a :class:`~yunmeng.kernel.link.nats.NatsBus`."""

    def __init__(self, connection: NatsConnection, stream: StreamName, durable: str, read: Reader) -> None:
        self._connection = connection
        self._stream: StreamName = stream
        self._durable = durable
        self._place = f"{stream}.{durable}"
        self._subject = ""
        self._inbox = ""
        self._read = read
        self._listening: Listening | None = None
        self._buffer: deque[Message] = deque()
        self._there = asyncio.Event()
        self._trail: deque[tuple[int, str]] = deque()
        self._delivery = 0
        self._seen = 0
        self._acked = 0
        self._wanted = 0
        self._pulling = 0
        self._heard = 0.0
        self._stale = True
        self._closed = False

    async def open(self, subject: str, start: int) -> None:
        """Makes the durable when it is new and takes it over at its first unacknowledged message."""
        self._subject = subject
        info = await self._connection.api(f"CONSUMER.INFO.{self._place}", {}, ConsumerInfo)
        if isinstance(info, ConsumerInfo) and info.config.filter_subject != subject:
            # A durable that changes its filter starts anew behind what it has acknowledged.
            await self._connection.api(f"CONSUMER.DELETE.{self._place}", {}, _Done)
            await self._make(info.ack_floor.stream_seq + 1)
        elif isinstance(info, ApiError) and info.err_code == _NOT_FOUND:
            await self._make(start)
        elif isinstance(info, ApiError):
            raise self._connection.refused(self._place, info)
        self._connection.on_back.append(self._lost)
        await self._take_over()

    async def fetch(self, most: int, wait_s: float) -> Sequence[Message]:
        """Returns what is there, at most ``most``; waits up to ``wait_s`` for the first message."""
        until = time.monotonic() + wait_s
        while not self._closed:
            await self._keep_pulling(until)
            if self._buffer:
                return [self._buffer.popleft() for _ in range(min(most, len(self._buffer)))]
            left = until - time.monotonic()
            if left <= 0:
                break
            self._there.clear()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(min(left, _HEARTBEAT_S)):
                    await self._there.wait()
        return ()

    async def ack(self, position: int) -> None:
        """Acknowledges every message up to and including ``position``, if it was handed out."""
        self._wanted = max(self._wanted, min(position, self._seen))
        address = ""
        while self._trail and self._trail[0][0] <= self._wanted:
            address = self._trail.popleft()[1]
        if not address:
            return
        # When the bus goes away the next take-over starts behind this position.
        with contextlib.suppress(Unavailable, TimeoutError):
            await self._connection.call(address, b"+ACK", timeout_s=5.0)
            self._acked = self._wanted

    async def close(self) -> None:
        """Stops fetching; the durable position stays."""
        self._closed = True
        self._there.set()
        if self._lost in self._connection.on_back:
            self._connection.on_back.remove(self._lost)
        await self._leave()

    async def _make(self, start: int) -> None:
        config: dict[str, object] = {
            "name": self._durable,
            "durable_name": self._durable,
            "ack_policy": "all",
            "ack_wait": _NEVER_NS,
            "max_ack_pending": -1,
            "deliver_policy": "all",
        }
        if start > 1:
            config |= {"deliver_policy": "by_start_sequence", "opt_start_seq": start}
        if self._subject:
            config["filter_subject"] = self._subject
        body = {"stream_name": self._stream, "config": config}
        made = await self._connection.api(f"CONSUMER.DURABLE.CREATE.{self._place}", body, ConsumerInfo)
        if isinstance(made, ApiError):
            raise self._connection.refused(self._place, made)

    def _lost(self) -> None:
        self._stale = True
        self._there.set()

    async def _keep_pulling(self, until: float) -> None:
        if self._pulling and time.monotonic() - self._heard > 2.5 * _HEARTBEAT_S:
            self._stale = True
        if not self._stale and (self._pulling > 0 or len(self._buffer) > _WINDOW // 2):
            return
        try:
            if self._stale:
                await self._take_over()
            await self._pull()
        except Unavailable:
            self._stale = True
            if not self._buffer:
                await asyncio.sleep(max(min(0.1, until - time.monotonic()), 0))

    async def _take_over(self) -> None:
        await self._leave()
        self._trail.clear()
        self._pulling = 0
        # The server does not answer a reset of what is gone, so ask first: somebody deleted it, or its file
        # did not survive a crash.
        info = await self._connection.api(f"CONSUMER.INFO.{self._place}", {}, ConsumerInfo)
        if isinstance(info, ApiError) and info.err_code == _NOT_FOUND:
            await self._make(self._wanted + 1)
        body = {"seq": self._wanted + 1} if self._wanted > self._acked else {}
        info = await self._connection.api(f"CONSUMER.RESET.{self._place}", body, ConsumerInfo)
        if isinstance(info, ApiError):
            raise self._connection.refused(self._place, info)
        self._acked = max(self._acked, self._wanted)
        self._delivery = info.delivered.consumer_seq
        self._inbox = self._connection.new_inbox()
        self._listening = await self._connection.listen(self._inbox, self._receive)
        self._stale = False

    async def _leave(self) -> None:
        listening, self._listening = self._listening, None
        if listening is not None:
            await listening.leave()

    async def _pull(self) -> None:
        body = {
            "batch": _WINDOW,
            "max_bytes": _MAX_BYTES,
            "expires": int(_EXPIRES_S * _NS),
            "idle_heartbeat": int(_HEARTBEAT_S * _NS),
        }
        self._pulling = _WINDOW
        self._heard = time.monotonic()
        subject = f"$JS.API.CONSUMER.MSG.NEXT.{self._stream}.{self._durable}"
        await self._connection.send(subject, msgspec.json.encode(body), reply=self._inbox)

    def _receive(self, frame: Frame) -> None:
        self._heard = time.monotonic()
        if frame.status == 100:
            return
        if frame.status:
            self._ended(frame)
        elif not self._stale:
            self._deliver(frame)
        self._there.set()

    def _ended(self, frame: Frame) -> None:
        self._pulling = 0
        if frame.status == 409 and frame.headers.get("Description", "") not in _PULL_IS_OVER:
            self._stale = True

    def _deliver(self, frame: Frame) -> None:
        # $JS.ACK.<stream>.<durable>.<times>.<position>.<delivery>.<time>.<left>, counted from the right:
        # a cluster puts a domain and an account in front.
        parts = frame.reply.rsplit(".", 4)
        position, delivery = int(parts[1]), int(parts[2])
        if delivery != self._delivery + 1:
            _log.info("%s of %s lost a delivery; starting again", self._durable, self._stream)
            self._stale = True
            return
        self._delivery = delivery
        self._pulling -= 1
        self._trail.append((position, frame.reply))
        if position > self._seen:
            self._seen = position
            self._buffer.append(self._read(frame, position))


class _Done(msgspec.Struct, frozen=True):
    success: bool = True

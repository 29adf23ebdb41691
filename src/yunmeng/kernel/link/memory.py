"""The bus within one process, for tests and scripts: the same promises as NATS, except the disk."""

import asyncio
import time
from collections import deque
from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass, field
from itertools import count
from types import MappingProxyType
from uuid import uuid4

from yunmeng.kernel.base import BadInput, TooLarge, Unavailable, YunmengError
from yunmeng.kernel.link.faults import answer, decode_fault, encode_fault
from yunmeng.kernel.link.following import Following
from yunmeng.kernel.link.port import Consumer, Extent, Handler, Message, Request, Stream, StreamName
from yunmeng.kernel.link.streams import STREAMS, owning_stream
from yunmeng.kernel.link.wire import subject_matches
from yunmeng.kernel.trust import Principal

MAX_PAYLOAD = 32 * 1024**2
_OVERHEAD = 128
_NO_HEADERS = MappingProxyType[str, str]({})


@dataclass(slots=True)
class _Durable:
    """The place of a durable consumer: everything up to ``floor`` is acknowledged."""

    subject: str
    floor: int


@dataclass(slots=True)
class _Log:
    """The kept messages of one stream, oldest first."""

    stream: Stream
    kept: deque[tuple[float, Message]] = field(default_factory=deque[tuple[float, Message]])
    keys: dict[str, tuple[float, int]] = field(default_factory=dict[str, tuple[float, int]])
    durables: dict[str, _Durable] = field(default_factory=dict[str, _Durable])
    size: int = 0
    last: int = 0
    grown: asyncio.Event = field(default_factory=asyncio.Event)

    def known(self, key: str) -> int:
        """Returns the position of an earlier message with this key, 0 when there is none."""
        if not key:
            return 0
        oldest_kept = time.monotonic() - self.stream.duplicate_window_s
        while self.keys and next(iter(self.keys.values()))[0] < oldest_kept:
            del self.keys[next(iter(self.keys))]
        return self.keys[key][1] if key in self.keys else 0

    def append(self, message: Message, key: str) -> None:
        """Keeps a message that :meth:`make_room` has let in."""
        moment = time.monotonic()
        self.kept.append((moment, message))
        self.size += _weight(message.subject, message.data)
        self.last = message.position
        if key:
            self.keys[key] = (moment, message.position)
        grown, self.grown = self.grown, asyncio.Event()
        grown.set()

    def make_room(self, weight: int) -> None:
        """Lets ``weight`` bytes in, or raises ``Unavailable("bus.full")``."""
        self._expire()
        if self.size + weight <= self.stream.max_bytes:
            return
        floor = min((durable.floor for durable in self.durables.values()), default=0)
        while self.kept and self.kept[0][1].position <= floor:
            self._drop()
        while self.stream.when_full == "drop-oldest" and self.kept and self._over(weight):
            self._drop()
        if self._over(weight):
            raise Unavailable("bus.full", stream=self.stream.name, bytes=self.stream.max_bytes)

    def between(self, first: int, last: int) -> list[Message]:
        """Returns the kept messages of these positions."""
        self._expire()
        if not self.kept:
            return []
        offset = self.kept[0][1].position
        low, high = max(first - offset, 0), min(last - offset + 1, len(self.kept))
        return [self.kept[place][1] for place in range(low, high)]

    def _over(self, weight: int) -> bool:
        return self.size + weight > self.stream.max_bytes

    def _expire(self) -> None:
        oldest_kept = time.monotonic() - self.stream.max_age_s
        while self.stream.max_age_s and self.kept and self.kept[0][0] < oldest_kept:
            self._drop()

    def _drop(self) -> None:
        _, message = self.kept.popleft()
        self.size -= _weight(message.subject, message.data)


class MemoryConsumer:
    """A durable consumer of a :class:`MemoryBus`."""

    def __init__(self, log: _Log, durable: _Durable) -> None:
        self._log = log
        self._durable = durable
        self._seen = durable.floor

    async def fetch(self, most: int, wait_s: float) -> Sequence[Message]:
        """Returns what is there, at most ``most``; waits up to ``wait_s`` for the first message."""
        until = time.monotonic() + wait_s
        while True:
            grown = self._log.grown
            if found := self._take(most):
                return found
            try:
                async with asyncio.timeout(max(until - time.monotonic(), 0)):
                    await grown.wait()
            except TimeoutError:
                return ()

    async def ack(self, position: int) -> None:
        """Acknowledges every message up to and including ``position``, if it was handed out."""
        self._durable.floor = max(self._durable.floor, min(position, self._seen))

    async def close(self) -> None:
        """Stops fetching; the durable position stays."""

    def _take(self, most: int) -> list[Message]:
        taken: list[Message] = []
        while len(taken) < most and self._seen < self._log.last:
            piece = self._log.between(self._seen + 1, self._seen + most)
            if not piece:
                self._seen = self._log.kept[0][1].position - 1 if self._log.kept else self._log.last
                continue
            for message in piece[: most - len(taken)]:
                self._seen = message.position
                if subject_matches(self._durable.subject, message.subject):
                    taken.append(message)
        return taken


class MemoryBus:
    """A bus in memory; every part of one process shares one object."""

    def __init__(self, streams: Sequence[Stream] = STREAMS) -> None:
        self._streams: dict[StreamName, Stream] = {stream.name: stream for stream in streams}
        self._logs = {stream.name: _Log(stream) for stream in streams}
        self._followers: dict[Following, str] = {}
        self._servers: list[tuple[str, Handler]] = []
        self._served = asyncio.Event()
        self._turn = count()
        self._life = uuid4().hex
        self._closed = False

    async def publish(self, subject: str, data: bytes, principal: Principal, *, key: str = "") -> int:
        """Appends to the stream that owns ``subject`` and returns its position."""
        self._check_open(data)
        log = self._logs[owning_stream(subject, self._streams).name]
        if first := log.known(key):
            return first
        log.make_room(_weight(subject, data))
        message = Message(subject, bytes(data), log.last + 1, principal, _NO_HEADERS)
        log.append(message, key)
        for follower, pattern in self._followers.items():
            if subject_matches(pattern, subject):
                follower.push(message)
        return message.position

    async def consumer(
        self, stream: StreamName, durable: str, *, subject: str = "", start: int = 0
    ) -> Consumer:
        """Opens a durable consumer, from position ``start`` (0: the first kept) when it is new."""
        self._check_open(b"")
        check_durable(durable)
        log = self._logs[stream]
        pattern = subject or f"{stream.lower()}.>"
        known = log.durables.setdefault(durable, _Durable(pattern, max(start - 1, 0)))
        known.subject = pattern
        return MemoryConsumer(log, known)

    async def read(self, stream: StreamName, first: int, last: int) -> Sequence[Message]:
        """Reads kept messages ``first..last`` again, without a consumer."""
        self._check_open(b"")
        return self._logs[stream].between(first, last)

    async def extent(self, stream: StreamName) -> Extent:
        """Returns how far a stream has come, and which life of it this is."""
        self._check_open(b"")
        return Extent(self._logs[stream].last, self._life)

    def follow(self, subject: str) -> AsyncGenerator[Message]:
        """Follows newly stored messages from this call on; drops the oldest when the reader is slow."""
        self._check_open(b"")
        follower = Following()
        self._followers[follower] = subject
        return follower.messages(lambda: void(self._followers.pop(follower, None)))

    async def request(
        self, subject: str, data: bytes, principal: Principal, *, timeout_s: float = 10.0
    ) -> bytes:
        """Asks whoever serves ``subject``; re-raises the handler's ``YunmengError`` at the caller."""
        self._check_open(data)
        try:
            async with asyncio.timeout(timeout_s):
                handler = await self._server_of(subject)
                result = await asyncio.shield(answer(handler, Request(subject, bytes(data), principal)))
        except TimeoutError:
            raise Unavailable("bus.no-answer", subject=subject, seconds=timeout_s) from None
        if isinstance(result, YunmengError):
            raise decode_fault(encode_fault(result))
        return result

    async def serve(self, subject: str, handler: Handler) -> None:
        """Answers requests on ``subject`` (which may end in ``.>``); one of several servers gets each."""
        self._check_open(b"")
        self._servers.append((subject, handler))
        served, self._served = self._served, asyncio.Event()
        served.set()

    async def close(self) -> None:
        """Ends every reader; nothing can be published any more."""
        self._closed = True
        for follower in list(self._followers):
            follower.close()

    async def _server_of(self, subject: str) -> Handler:
        while True:
            served = self._served
            able = [handler for pattern, handler in self._servers if subject_matches(pattern, subject)]
            if able:
                return able[next(self._turn) % len(able)]
            await served.wait()

    def _check_open(self, data: bytes) -> None:
        if self._closed:
            raise Unavailable("bus.down", url="memory")
        if len(data) > MAX_PAYLOAD:
            raise TooLarge("bus.too-large", bytes=len(data), limit=MAX_PAYLOAD)


def check_durable(name: str) -> None:
    """Raises ``BadInput("bus.bad-durable")`` for a name that a subject could not hold."""
    if not name or not all(c.isascii() and (c.isalnum() or c in "-_") for c in name):
        raise BadInput("bus.bad-durable", durable=name)


def _weight(subject: str, data: bytes) -> int:
    return len(subject) + len(data) + _OVERHEAD


def void(_: object) -> None:
    """Drops a value, where a callback must return nothing."""

"""The bus on NATS JetStream: the embedded child or any cluster, by its URL."""

import asyncio
import contextlib
import logging
import time
from collections.abc import AsyncGenerator, Coroutine, Sequence

import msgspec

from yunmeng.kernel.base import BadInput, TooLarge, Unavailable, YunmengError
from yunmeng.kernel.link.faults import ERROR_HEADER, answer, decode_fault, encode_fault
from yunmeng.kernel.link.following import Following
from yunmeng.kernel.link.memory import check_durable
from yunmeng.kernel.link.nats_connection import ApiError, Listening, NatsConnection
from yunmeng.kernel.link.nats_consumer import ConsumerInfo, NatsConsumer
from yunmeng.kernel.link.nats_parser import Frame
from yunmeng.kernel.link.port import Consumer, Extent, Handler, Message, Request, Stream, StreamName
from yunmeng.kernel.link.streams import STREAMS, owning_stream
from yunmeng.kernel.link.wire import PRINCIPAL_HEADER, decode_principal, encode_principal
from yunmeng.kernel.trust import Principal

_log = logging.getLogger(__name__)

_NS = 1_000_000_000
_FULL = frozenset({10047, 10077})
_NAME_TAKEN = 10058
_READ_BATCH = 256
_READ_BYTES = 64 * 1024**2
_MOST_ANSWERING = 1024
_LIVE = "live."


class _PubAck(msgspec.Struct, frozen=True):
    seq: int = 0
    error: ApiError | None = None


class _Done(msgspec.Struct, frozen=True):
    success: bool = True


class _Purged(msgspec.Struct, frozen=True):
    purged: int = 0


class _StreamState(msgspec.Struct, frozen=True):
    last_seq: int


class _StreamInfo(msgspec.Struct, frozen=True):
    created: str
    state: _StreamState


class _Listed(msgspec.Struct, frozen=True):
    total: int
    consumers: list[ConsumerInfo] | None = None


_decode_ack = msgspec.json.Decoder(_PubAck).decode


class NatsBus:
    """A bus over one NATS connection; comes back by itself when the server does."""

    def __init__(self, connection: NatsConnection, streams: Sequence[Stream]) -> None:
        self._connection = connection
        self._streams: dict[StreamName, Stream] = {stream.name: stream for stream in streams}
        self._trimming = {stream.name: asyncio.Lock() for stream in streams}
        self._opening: set[asyncio.Task[None]] = set()
        self._answering: set[asyncio.Task[None]] = set()
        self._answer_slots = asyncio.Semaphore(_MOST_ANSWERING)
        self._followers: dict[Following, Listening] = {}

    @classmethod
    async def connect(
        cls, url: str, token: str = "", *, streams: Sequence[Stream] = STREAMS, wait_s: float = 5.0
    ) -> "NatsBus":
        """Connects and makes or updates the streams.

        Raises ``Unavailable("bus.down")``, ``Unauthenticated("bus.bad-token")`` or, for a server before
        2.14, ``Unsupported("bus.too-old")``.
        """
        connection = await NatsConnection.open(url, token, wait_s=wait_s)
        bus = cls(connection, streams)
        try:
            for stream in streams:
                await bus._ensure(stream)
        except BaseException:
            await connection.close()
            raise
        return bus

    async def publish(self, subject: str, data: bytes, principal: Principal, *, key: str = "") -> int:
        """Appends to the stream that owns ``subject`` and returns its position once it is on disk."""
        stream = owning_stream(subject, self._streams)
        headers = {PRINCIPAL_HEADER: encode_principal(principal)}
        if key:
            headers["Nats-Msg-Id"] = key
        ack = await self._store(subject, data, headers)
        if ack.error is not None and ack.error.err_code in _FULL and await self._trim(stream):
            ack = await self._store(subject, data, headers)
        if ack.error is None:
            return ack.seq
        if ack.error.err_code in _FULL:
            raise Unavailable("bus.full", stream=stream.name, bytes=stream.max_bytes)
        raise self._connection.refused(subject, ack.error)

    async def consumer(
        self, stream: StreamName, durable: str, *, subject: str = "", start: int = 0
    ) -> Consumer:
        """Opens a durable consumer, from position ``start`` (0: the first kept) when it is new."""
        check_durable(durable)
        consumer = NatsConsumer(self._connection, stream, durable, _message)
        await consumer.open(subject, start)
        return consumer

    async def read(self, stream: StreamName, first: int, last: int) -> Sequence[Message]:
        """Reads kept messages ``first..last`` again, without a consumer."""
        found: list[Message] = []
        position = max(first, 1)
        while position <= last:
            piece, more = await self._read_piece(stream, position, min(last - position + 1, _READ_BATCH))
            found += (message for message in piece if message.position <= last)
            if not piece or not more:
                break
            position = piece[-1].position + 1
        return found

    async def extent(self, stream: StreamName) -> Extent:
        """Returns how far a stream has come, and which life of it this is."""
        told = await self._connection.api(f"STREAM.INFO.{stream}", {}, _StreamInfo)
        if isinstance(told, ApiError):
            raise self._connection.refused(stream, told)
        return Extent(told.state.last_seq, told.created)

    def follow(self, subject: str) -> AsyncGenerator[Message]:
        """Follows newly stored messages from this call on; drops the oldest when the reader is slow."""
        follower = Following()
        self._spawn(self._opening, self._start_following(follower, _LIVE + subject))
        return follower.messages(lambda: self._stop_following(follower))

    async def request(
        self, subject: str, data: bytes, principal: Principal, *, timeout_s: float = 10.0
    ) -> bytes:
        """Asks whoever serves ``subject``; re-raises the handler's ``YunmengError`` at the caller."""
        headers = {PRINCIPAL_HEADER: encode_principal(principal)}
        until = time.monotonic() + timeout_s
        while True:
            left = max(until - time.monotonic(), 0.001)
            try:
                frame = await self._connection.call(subject, data, headers=headers, timeout_s=left)
            except TimeoutError as error:
                raise Unavailable("bus.no-answer", subject=subject, seconds=timeout_s) from error
            if frame.status != 503:
                break
            # Nobody serves it yet: a keeper that starts again is back in a moment.
            if time.monotonic() + 0.05 > until:
                raise Unavailable("bus.no-answer", subject=subject, seconds=timeout_s)
            await asyncio.sleep(0.05)
        if ERROR_HEADER in frame.headers:
            raise decode_fault(frame.data)
        return frame.data

    async def serve(self, subject: str, handler: Handler) -> None:
        """Answers requests on ``subject`` (which may end in ``.>``); one of several servers gets each."""

        def take(frame: Frame) -> None:
            self._spawn(self._answering, self._reply(handler, frame))

        await self._connection.listen(subject, take, queue="yunmeng")
        await self._connection.flush()

    async def close(self) -> None:
        """Closes the connection; readers of live messages end."""
        for task in [*self._opening, *self._answering]:
            task.cancel()
        for follower in list(self._followers):
            follower.close()
        await self._connection.close()

    async def _store(self, subject: str, data: bytes, headers: dict[str, str]) -> _PubAck:
        if self._opening:
            await asyncio.gather(*self._opening)
        try:
            frame = await self._connection.call(subject, data, headers=headers)
        except TimeoutError as error:
            raise Unavailable("bus.down", url=self._connection.url) from error
        if frame.status == 503:
            raise Unavailable("bus.down", url=self._connection.url)
        return _decode_ack(frame.data)

    async def _trim(self, stream: Stream) -> bool:
        """Drops what every durable consumer has acknowledged; tells whether a second try is worth it."""
        if stream.when_full != "refuse":
            return False
        lock = self._trimming[stream.name]
        if lock.locked():
            async with lock:
                return True
        async with lock:
            if not (floor := await self._floor(stream.name)):
                return False
            purged = await self._connection.api(f"STREAM.PURGE.{stream.name}", {"seq": floor + 1}, _Purged)
            return not isinstance(purged, ApiError) and purged.purged > 0

    async def _floor(self, stream: StreamName) -> int:
        floors: list[int] = []
        while True:
            body = {"offset": len(floors)}
            listed = await self._connection.api(f"CONSUMER.LIST.{stream}", body, _Listed)
            if isinstance(listed, ApiError):
                raise self._connection.refused(stream, listed)
            page = listed.consumers or []
            floors += (info.ack_floor.stream_seq for info in page)
            if not page or len(floors) >= listed.total:
                return min(floors, default=0)

    async def _ensure(self, stream: Stream) -> None:
        config = _stream_config(stream)
        made = await self._connection.api(f"STREAM.CREATE.{stream.name}", config, _Done)
        if isinstance(made, ApiError) and made.err_code == _NAME_TAKEN:
            made = await self._connection.api(f"STREAM.UPDATE.{stream.name}", config, _Done)
        if isinstance(made, ApiError):
            raise self._connection.refused(stream.name, made)

    async def _read_piece(self, stream: StreamName, first: int, most: int) -> tuple[list[Message], bool]:
        piece: list[Message] = []
        done: asyncio.Future[bool] = asyncio.get_running_loop().create_future()

        def take(frame: Frame) -> None:
            if not frame.status:
                piece.append(_stored_message(frame))
            elif not done.done():
                done.set_result(frame.status == 204 and frame.headers.get("Nats-Num-Pending", "0") != "0")

        address = self._connection.expect(take)
        try:
            body = msgspec.json.encode({"seq": first, "batch": most, "max_bytes": _READ_BYTES})
            await self._connection.send(f"$JS.API.DIRECT.GET.{stream}", body, reply=address)
            async with asyncio.timeout(30):
                return piece, await done
        except TimeoutError as error:
            raise Unavailable("bus.down", url=self._connection.url) from error
        finally:
            self._connection.forget(address)

    async def _start_following(self, follower: Following, subject: str) -> None:
        def take(frame: Frame) -> None:
            follower.push(_stored_message(frame))

        self._followers[follower] = await self._connection.listen(subject, take)

    def _stop_following(self, follower: Following) -> None:
        listening = self._followers.pop(follower, None)
        if listening is not None and self._connection.up:
            self._spawn(self._answering, listening.leave())

    async def _reply(self, handler: Handler, frame: Frame) -> None:
        async with self._answer_slots:
            result = await self._answer(handler, frame)
        if not frame.reply:
            return
        # A caller whose connection went has been told so; nobody waits for this answer.
        with contextlib.suppress(Unavailable):
            try:
                await self._say(frame.reply, result)
            except TooLarge as error:
                await self._say(frame.reply, error)

    async def _say(self, address: str, result: bytes | YunmengError) -> None:
        if isinstance(result, YunmengError):
            headers = {ERROR_HEADER: result.key}
            await self._connection.send(address, encode_fault(result), headers=headers)
        else:
            await self._connection.send(address, result)

    async def _answer(self, handler: Handler, frame: Frame) -> bytes | YunmengError:
        try:
            principal = decode_principal(frame.headers.get(PRINCIPAL_HEADER, ""))
        except YunmengError as error:
            return error
        return await answer(handler, Request(frame.subject, frame.data, principal))

    def _spawn(self, tasks: set[asyncio.Task[None]], work: Coroutine[None, None, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        tasks.add(task)
        task.add_done_callback(tasks.discard)


def _stream_config(stream: Stream) -> dict[str, object]:
    below = f"{stream.name.lower()}.>"
    return {
        "name": stream.name,
        "subjects": [below],
        "storage": "file",
        "retention": "limits",
        "discard": "new" if stream.when_full == "refuse" else "old",
        "max_bytes": stream.max_bytes,
        "max_age": int(stream.max_age_s * _NS),
        "duplicate_window": int(stream.duplicate_window_s * _NS),
        "allow_direct": True,
        # What is stored is said again, with its position, for those who only follow.
        "republish": {"src": below, "dest": _LIVE + below},
    }


def _message(frame: Frame, position: int) -> Message:
    return Message(frame.subject, frame.data, position, _sender(frame), frame.headers)


def _stored_message(frame: Frame) -> Message:
    headers = frame.headers
    position = int(headers["Nats-Sequence"])
    return Message(headers["Nats-Subject"], frame.data, position, _sender(frame), headers)


def _sender(frame: Frame) -> Principal:
    """A stored message whose sender cannot be read comes from nobody: it is seen, and may do nothing."""
    try:
        return decode_principal(frame.headers.get(PRINCIPAL_HEADER, ""))
    except BadInput:
        _log.warning("a message on %s names no readable sender", frame.subject)
        return decode_principal("")

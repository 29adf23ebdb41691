"""The one file that touches nats-py: a connection that comes back, and calls that fail at once when it goes.

nats-py's own request and JetStream layers cost several times more a message than the wire does, so calls,
publishes and pulls share one inbox here and their answers go straight to a callback.
"""

import asyncio
import contextlib
import logging
from collections.abc import Callable, Coroutine
from itertools import count
from typing import Any, TypeVar
from urllib.parse import urlsplit

import msgspec
from nats.aio.client import Client
from nats.aio.subscription import Subscription
from nats.errors import Error as NatsError

from yunmeng.kernel.base import Broken, TooLarge, Unauthenticated, Unavailable, Unsupported
from yunmeng.kernel.link.memory import void
from yunmeng.kernel.link.nats_parser import Frame, LaneParser, Receiver

_log = logging.getLogger(__name__)
_NEEDED = (2, 14)
_FLUSH_S = 10.0
_json_encode = msgspec.json.Encoder().encode


_T = TypeVar("_T", bound=msgspec.Struct)


class ApiError(msgspec.Struct, frozen=True):
    """What JetStream says when it refuses."""

    code: int
    err_code: int = 0
    description: str = ""


class _ApiReply(msgspec.Struct, frozen=True):
    error: ApiError | None = None


class Listening:
    """A subscription that can be left."""

    def __init__(self, subscription: Subscription, leave: Callable[[], None]) -> None:
        self._subscription = subscription
        self._leave = leave

    async def leave(self) -> None:
        """Stops receiving."""
        self._leave()
        with contextlib.suppress(NatsError):
            await self._subscription.unsubscribe()


async def _unless(refused: "asyncio.Future[None]", connecting: Coroutine[Any, Any, None]) -> None:
    """Connects, and gives up at the first refusal: the library would try the same token for ever."""
    task = asyncio.ensure_future(connecting)
    try:
        await asyncio.wait([task, refused], return_when=asyncio.FIRST_COMPLETED)
        if not task.done():
            raise NatsError("authorization violation")
        await task
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


class NatsConnection:
    """A connection to one server or cluster."""

    def __init__(self, client: Client, url: str) -> None:
        self._client = client
        self._parser = client._ps = LaneParser(client)  # pyright: ignore[reportPrivateUsage, reportAttributeAccessIssue]
        self._url = url
        self._inbox = f"_INBOX.{client.new_inbox().rpartition('.')[2]}"
        self._numbers = count(1)
        self._receivers: dict[str, Receiver] = {}
        self._calls: dict[str, asyncio.Future[Frame]] = {}
        self.on_back: list[Callable[[], None]] = []

    @classmethod
    async def open(cls, url: str, token: str, *, wait_s: float = 5.0) -> "NatsConnection":
        """Connects; ``Unavailable("bus.down")`` when nobody answers, ``Unauthenticated("bus.bad-token")``.

        A user in the URL, ``nats://user@host:port``, has the token for a password.
        """
        user = urlsplit(url).username
        client = Client()
        connection = cls(client, url)
        refused: asyncio.Future[None] = asyncio.get_running_loop().create_future()

        async def note(error: Exception) -> None:
            if "authorization" in str(error).lower() and not client.is_connected and not refused.done():
                refused.set_result(None)
            _log.debug("nats: %s", error)

        try:
            async with asyncio.timeout(wait_s):
                connecting = client.connect(
                    url,
                    token=(token or None) if user is None else None,
                    user=user,
                    password=token if user is not None else None,
                    name="yunmeng",
                    error_cb=note,
                    disconnected_cb=connection._lost,
                    reconnected_cb=connection._back,
                    max_reconnect_attempts=-1,
                    # Only ever slept; two whole seconds would be lost after each restart of the server.
                    reconnect_time_wait=0.1,  # pyright: ignore[reportArgumentType]
                    ping_interval=10,
                    max_outstanding_pings=2,
                    pending_size=8 * 1024**2,
                )
                await _unless(refused, connecting)
            await connection._greet()
        except (TimeoutError, OSError, NatsError) as error:
            await client.close()
            # whatever the library says after the refusal itself
            if refused.done() or "authorization" in str(error).lower():
                raise Unauthenticated("bus.bad-token", url=url) from error
            raise Unavailable("bus.down", url=url) from error
        return connection

    @property
    def url(self) -> str:
        """Where it connects."""
        return self._url

    @property
    def up(self) -> bool:
        """Whether the server is there now."""
        return self._client.is_connected

    async def send(
        self, subject: str, data: bytes, *, reply: str = "", headers: dict[str, str] | None = None
    ) -> None:
        """Sends one message; ``Unavailable("bus.down")`` or ``TooLarge("bus.too-large")``."""
        if not self._client.is_connected:
            raise Unavailable("bus.down", url=self._url)
        if len(data) > (limit := self._client.max_payload - 64 * 1024):
            raise TooLarge("bus.too-large", bytes=len(data), limit=limit)
        try:
            await self._client.publish(subject, data, reply, headers)
        except NatsError as error:
            raise Unavailable("bus.down", url=self._url) from error

    async def call(
        self, subject: str, data: bytes, *, headers: dict[str, str] | None = None, timeout_s: float = 10.0
    ) -> Frame:
        """Sends a message and returns the one answer.

        Raises ``Unavailable("bus.down")`` as soon as the connection goes, ``TimeoutError`` in the end.
        """
        token = str(next(self._numbers))
        future = asyncio.get_running_loop().create_future()
        self._calls[token] = future
        try:
            await self.send(subject, data, reply=f"{self._inbox}.{token}", headers=headers)
            async with asyncio.timeout(timeout_s):
                return await future
        finally:
            del self._calls[token]
            if future.done() and not future.cancelled():
                future.exception()

    async def api(self, subject: str, body: object, reply: type[_T]) -> _T | ApiError:
        """Asks JetStream; returns its refusal rather than raising it."""
        try:
            frame = await self.call(f"$JS.API.{subject}", _json_encode(body))
        except TimeoutError as error:
            raise Unavailable("bus.down", url=self._url) from error
        if frame.status == 503:
            raise Unavailable("bus.down", url=self._url)
        refusal = msgspec.json.decode(frame.data, type=_ApiReply).error
        return refusal if refusal is not None else msgspec.json.decode(frame.data, type=reply)

    def refused(self, what: str, error: ApiError) -> Broken:
        """Words a refusal of JetStream that has no better name."""
        return Broken("bus.refused", what=what, code=error.err_code, reason=error.description)

    def expect(self, receiver: Receiver) -> str:
        """Returns a reply address whose messages go to ``receiver`` until it is forgotten."""
        address = f"{self._inbox}.{next(self._numbers)}"
        self._receivers[address] = receiver
        return address

    def new_inbox(self) -> str:
        """Returns an address of its own, outside the shared inbox."""
        return f"{self._inbox}.own.{next(self._numbers)}"

    def forget(self, address: str) -> None:
        """Drops what still comes to a reply address."""
        self._receivers.pop(address, None)

    async def listen(self, subject: str, receiver: Receiver, *, queue: str = "") -> Listening:
        """Receives a subject, again after every reconnection; nothing is dropped on this side."""
        # The lane must be there before the first message, so its number is foreseen.
        number = self._client._sid + 1  # pyright: ignore[reportPrivateUsage]
        self._parser.lanes[number] = receiver
        subscribe = self._client.subscribe  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]
        subscription = await subscribe(subject, queue=queue)
        return Listening(subscription, lambda: void(self._parser.lanes.pop(number, None)))

    async def flush(self) -> None:
        """Returns when the server has seen everything sent so far.

        A message to ourselves: the library's own ping overtakes what it still holds.
        """
        token = str(next(self._numbers))
        future = self._calls[token] = asyncio.get_running_loop().create_future()
        try:
            with contextlib.suppress(Unavailable, TimeoutError):
                await self.send(f"{self._inbox}.{token}", b"")
                async with asyncio.timeout(_FLUSH_S):
                    await future
        finally:
            del self._calls[token]

    async def close(self) -> None:
        """Closes for good; open calls fail with ``bus.down``."""
        await self._lost()
        await self._client.close()

    async def _greet(self) -> None:
        version = self._client.connected_server_version
        if (version.major, version.minor) < _NEEDED:
            raise Unsupported("bus.too-old", url=self._url, version=str(version), needed="2.14")
        await self.listen(f"{self._inbox}.*", self._dispatch)

    def _dispatch(self, frame: Frame) -> None:
        future = self._calls.get(frame.subject.rpartition(".")[2])
        if future is not None:
            if not future.done():
                future.set_result(frame)
        elif receiver := self._receivers.get(frame.subject):
            receiver(frame)

    async def _lost(self) -> None:
        for future in self._calls.values():
            if not future.done():
                future.set_exception(Unavailable("bus.down", url=self._url))

    async def _back(self) -> None:
        for call in self.on_back:
            call()

"""One connection: requests in, one exchange after the other, answers out in their order."""

import asyncio
import logging
from collections import deque
from contextlib import suppress
from math import inf
from typing import Any, Protocol, cast

import httptools
from starlette.types import ASGIApp

from yunmeng.kernel.serve.edge.exchange import Exchange
from yunmeng.kernel.serve.edge.heads import plain
from yunmeng.kernel.serve.edge.limits import Limits
from yunmeng.kernel.serve.edge.request import Refused, RequestHead

_log = logging.getLogger("yunmeng.edge")


class Office(Protocol):
    """What the connections of a server share."""

    app: ASGIApp
    limits: Limits
    date: bytes
    stopping: bool
    connections: "set[Connection]"


class Connection(asyncio.Protocol):
    """A caller's connection; :attr:`deadline` is when the server looks why it has not come further."""

    def __init__(self, office: Office) -> None:
        self._office = office
        self._limits = office.limits
        self._loop = asyncio.get_running_loop()
        self._parser: Any = httptools.HttpRequestParser(self)
        self._transport: Any = None
        self._shared: dict[str, Any] = {}
        self._head: RequestHead | None = None
        self._coming: Exchange | None = None
        self._queue: deque[Exchange] = deque()
        self._current: Exchange | None = None
        self._idle: asyncio.Future[None] | None = None
        self._drained: asyncio.Future[None] | None = None
        self._task: asyncio.Task[None] | None = None
        self._paused = self._deaf = False
        self._raw = 0
        self._began = 0.0
        self.deadline = inf

    # what the transport tells

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begins to serve the caller, unless there are too many."""
        self._transport = transport
        office = self._office
        if office.stopping or len(office.connections) >= self._limits.connections:
            self.write(plain(503))
            transport.close()
            return
        office.connections.add(self)
        server, client = (transport.get_extra_info(name) for name in ("sockname", "peername"))
        self._shared = {"scheme": "http", "root_path": "", "server": _place(server), "client": _place(client)}
        self.deadline = self._loop.time() + self._limits.head_s
        self._task = self._loop.create_task(self._serve())

    def connection_lost(self, exc: Exception | None) -> None:
        """Lets everything that waits for the caller go on without."""
        self._office.connections.discard(self)
        self._deaf = True
        for exchange in (self._current, self._coming, *self._queue):
            if exchange is not None:
                exchange.leave()
        self._queue.clear()
        self.resume_writing()
        self._wake()

    def eof_received(self) -> bool:
        """Keeps the way out open for the answers to what came whole."""
        self._deaf = True
        if self._coming is not None or not (self._queue or self._current):
            return False
        for exchange in (self._current, *self._queue):
            if exchange is not None:
                exchange.finish()
        return True

    def pause_writing(self) -> None:
        """Lets answers wait: the caller takes nothing."""
        if self._drained is None:
            self._drained = self._loop.create_future()
            self.deadline = self._loop.time() + self._limits.write_s

    def resume_writing(self) -> None:
        """Lets answers go on."""
        if self._drained is not None:
            self._drained.set_result(None)
            self._drained = None
            self.deadline = inf

    def data_received(self, data: bytes) -> None:
        """Reads what came; what is no HTTP is answered, and the connection ends."""
        if self._deaf:
            return
        self._raw += len(data)
        try:
            self._parser.feed_data(data)
            self._weigh()
        except httptools.HttpParserUpgrade:
            # no other protocol is spoken here; the request is answered as it is (RFC 9110 §7.8)
            self._deaf = True
        except httptools.HttpParserError as error:
            cause = error.__context__
            self._refuse(cause.status if isinstance(cause, Refused) else 400)
        except Refused as refusal:
            self._refuse(refusal.status)

    def _weigh(self) -> None:
        """Bounds what is neither a whole head nor a body: long lines, extensions of chunks, trailers."""
        coming = self._coming
        known = 0 if coming is None else 16 * coming.received
        if self._head is None and coming is None:
            self._raw = 0
        elif self._raw > self._limits.head + known:
            raise Refused(431 if coming is None else 400)

    # what the parser finds

    def on_message_begin(self) -> None:
        """A request begins."""
        self._head = RequestHead(self._limits)
        if self._current is None:
            self.deadline = self._loop.time() + self._limits.head_s

    def on_url(self, url: bytes) -> None:
        """A part of its target."""
        if self._head is not None:
            self._head.add_target(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        """A header; what comes after a body is not looked at (RFC 9110 §6.5.1)."""
        if self._head is not None:
            self._head.add_header(name, value)

    def on_headers_complete(self) -> None:
        """The head is whole: the application may begin."""
        head, parser = self._head, self._parser
        if head is None:
            return
        version = parser.get_http_version()
        if version not in ("1.0", "1.1"):
            raise Refused(505)
        scope = head.scope(parser.get_method().decode("latin-1"), version, self._shared)
        keep = parser.should_keep_alive() and not parser.should_upgrade()
        old = version == "1.0"
        self._head = None
        self._coming = exchange = Exchange(self, scope, keep=keep, old=old, expects=head.expects and not old)
        self._began = self._loop.time()
        self.deadline = self._began + self._limits.body_s
        self._queue.append(exchange)
        self._wake()
        if len(self._queue) >= self._limits.queued:
            self._hold()

    def on_body(self, data: bytes) -> None:
        """A part of its body."""
        exchange = self._coming
        if exchange is None:
            return
        exchange.feed(data)
        if exchange.held > self._limits.ahead:
            self._hold()
        elif self._drained is None:
            patience = self._limits.body_s + exchange.received / self._limits.slowest
            self.deadline = min(self._loop.time() + self._limits.body_s, self._began + patience)

    def on_message_complete(self) -> None:
        """The request is whole."""
        exchange = self._coming
        if exchange is not None:
            self._coming = None
            self._raw = 0
            self.deadline = inf
            exchange.end()
            if exchange.answered:
                self._wake()

    @property
    def waiting(self) -> int:
        """How many bytes of bodies wait for the application."""
        every = {id(one): one for one in (self._current, self._coming, *self._queue) if one is not None}
        return sum(one.held for one in every.values())

    # what an exchange asks for

    @property
    def date(self) -> bytes:
        """The line of the date."""
        return self._office.date

    @property
    def stopping(self) -> bool:
        """Whether no further request is taken."""
        return self._office.stopping

    def write(self, data: bytes) -> None:
        """Sends bytes; nothing once the connection is on its way out."""
        if not self._transport.is_closing():
            self._transport.write(data)

    async def room(self) -> None:
        """Returns when the caller has taken most of what was sent."""
        if self._drained is not None:
            await self._drained

    def taken(self) -> None:
        """Goes on reading a body of which a part was taken."""
        self._listen()

    # the conversation

    async def _serve(self) -> None:
        app = self._office.app
        while (exchange := await self._next()) is not None:
            self._current = exchange
            try:
                await app(exchange.scope, exchange.receive, exchange.send)
            except Exception:  # noqa: BLE001 - a defect ends one answer, not the process
                _log.exception("an answer failed")
            if not await self._done(exchange):
                return
            self._current = None

    async def _next(self) -> Exchange | None:
        """Returns the next request, None when there will be no more."""
        while not self._queue:
            if self._deaf or self._office.stopping:
                self._transport.close()
                return None
            self.deadline = self._loop.time() + (
                self._limits.idle_s if self._head is None else self._limits.head_s
            )
            # the last part of a body may have come too fast for its application, and held the line
            self._listen()
            await self._sleep()
        exchange = self._queue.popleft()
        if self._paused and len(self._queue) < self._limits.queued:
            self._listen()
        return exchange

    async def _done(self, exchange: Exchange) -> bool:
        """Ends an exchange; tells whether another may follow on this connection."""
        if not exchange.answered:
            # the caller must see that the answer is not whole
            if exchange.started or exchange.gone:
                self._transport.abort()
            else:
                self._end(plain(500))
            return False
        if exchange.keep and exchange.complete and not exchange.gone:
            return True
        if not exchange.complete and not exchange.gone:
            await self._let_go()
        self._transport.close()
        return False

    async def _let_go(self) -> None:
        """Takes in what still comes of a body that nobody wants, so that the answer is not lost (§9.6)."""
        with suppress(OSError, RuntimeError):
            # the caller may have left this very moment
            self._transport.write_eof()
        self._listen()
        self.deadline = self._loop.time() + self._limits.linger_s
        coming = self._coming
        while coming is not None and not (coming.complete or coming.gone or self._deaf):
            await self._sleep()
            self.deadline = inf

    async def _sleep(self) -> None:
        self._idle = self._loop.create_future()
        try:
            await self._idle
        finally:
            self._idle = None

    def _wake(self) -> None:
        if self._idle is not None and not self._idle.done():
            self._idle.set_result(None)

    def _hold(self) -> None:
        if not self._paused and not self._transport.is_closing():
            self._paused = True
            self._transport.pause_reading()

    def _listen(self) -> None:
        if self._paused and not self._transport.is_closing():
            self._paused = False
            self._transport.resume_reading()

    # the ends

    def _refuse(self, status: int) -> None:
        """Answers what is no request as soon as the answers before it are sent, and ends the connection."""
        self._deaf = True
        coming, self._coming = self._coming, None
        if coming is not None:
            coming.leave()
        before = [one for one in (self._current, *self._queue) if one is not None and one is not coming]
        if not before and not (coming is not None and coming.started):
            self._end(plain(status))
        self._wake()

    def _end(self, last: bytes) -> None:
        self._deaf = True
        self.write(last)
        self._transport.close()

    def expire(self) -> None:
        """Ends a connection that has come no further until its deadline."""
        self.deadline = inf
        coming, current = self._coming, self._current
        if self._drained is not None:
            self._transport.abort()
        elif coming is not None and not coming.answered:
            self._expire_body(coming)
        elif self._head is not None and current is None:
            self._end(plain(408))
        elif current is None or current.answered:
            self._transport.close()

    def _expire_body(self, coming: Exchange) -> None:
        if not coming.waits:
            # the application has not asked for more: the caller may take the time
            self.deadline = self._loop.time() + self._limits.body_s
        elif coming.started:
            self._transport.abort()
        else:
            self._end(plain(408))

    def finish(self) -> None:
        """Ends the connection as soon as nothing is under way."""
        if self._current is None and not self._queue:
            self._wake()

    def cut(self) -> None:
        """Ends the connection now."""
        for exchange in (self._current, *self._queue):
            if exchange is not None:
                exchange.leave()
        self._transport.abort()


def _place(address: Any) -> tuple[str, int] | None:
    if not isinstance(address, tuple):
        return None
    host, port = cast("tuple[str, int]", address)[:2]
    return host, port

"""One request and its answer, as the application sees them: ASGI's ``receive`` and ``send``."""

import asyncio
from collections import deque
from typing import Protocol

from starlette.types import Message, Scope

from yunmeng.kernel.serve.edge.heads import head

_CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
_GONE: Message = {"type": "http.disconnect"}
_LAST = b"0\r\n\r\n"
_CLOSE = b"Connection: close\r\n"
_KEEP = b"Connection: keep-alive\r\n"
_CHUNKED = b"Transfer-Encoding: chunked\r\n"
_BODILESS = frozenset((204, 304))
_OURS = frozenset((b"connection", b"transfer-encoding", b"date"))


class Line(Protocol):
    """What an exchange needs of its connection."""

    @property
    def date(self) -> bytes:
        """The line of the date."""
        ...

    @property
    def stopping(self) -> bool:
        """Whether no further request is taken."""
        ...

    def write(self, data: bytes) -> None:
        """Sends bytes."""
        ...

    async def room(self) -> None:
        """Returns when the caller has taken most of what was sent."""
        ...

    def taken(self) -> None:
        """Tells that a part of the body was taken."""
        ...


class Exchange:
    """A request under way; the connection feeds it, the application answers it."""

    __slots__ = (
        "_chunked",
        "_expects",
        "_last",
        "_line",
        "_parts",
        "_start",
        "_told",
        "_waiter",
        "answered",
        "complete",
        "gone",
        "held",
        "keep",
        "old",
        "received",
        "scope",
        "started",
    )

    def __init__(self, line: Line, scope: Scope, *, keep: bool, old: bool, expects: bool) -> None:
        self._line = line
        self.scope = scope
        self.keep = keep
        self.old = old
        self._expects = expects
        self._parts: deque[bytes] = deque()
        self._waiter: asyncio.Future[None] | None = None
        self._start: Message | None = None
        self._chunked = False
        self._told = self._last = False
        self.held = 0
        self.received = 0
        self.complete = False
        self.gone = False
        self.started = False
        self.answered = False

    @property
    def waits(self) -> bool:
        """Whether the application waits for more of the body."""
        return self._waiter is not None and not self.complete

    def feed(self, data: bytes) -> None:
        """Takes in a part of the body."""
        self.received += len(data)
        if not self.answered:
            self.held += len(data)
            self._parts.append(data)
            self._wake()

    def end(self) -> None:
        """Takes in that the body is whole."""
        self.complete = True
        self._wake()

    def leave(self) -> None:
        """Takes in that the caller is gone, or is to be let go."""
        self.gone = True
        self._wake()

    def finish(self) -> None:
        """Takes in that the caller says nothing more; the answer may still be heard."""
        self._last = True
        self._wake()

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    async def receive(self) -> Message:
        """Returns the next part of the body, and after it that the caller has left."""
        if not self._parts and not self.complete and self._expects and not self.started:
            self._expects = False
            self._line.write(_CONTINUE)
        while True:
            if self._parts:
                return self._part()
            if self.gone or self.answered or (self._told and self._last):
                return _GONE
            if self.complete and not self._told:
                self._told = True
                return {"type": "http.request", "body": b"", "more_body": False}
            self._waiter = asyncio.get_running_loop().create_future()
            try:
                await self._waiter
            finally:
                self._waiter = None

    def _part(self) -> Message:
        data = self._parts[0] if len(self._parts) == 1 else b"".join(self._parts)
        self._parts.clear()
        self.held = 0
        self._told = self.complete
        if not self.complete:
            self._line.taken()
        return {"type": "http.request", "body": data, "more_body": not self.complete}

    async def send(self, message: Message) -> None:
        """Sends one message of the answer; to a caller who is gone nothing."""
        if message["type"] == "http.response.start":
            if self._start is not None:
                raise RuntimeError("an answer starts once")
            self._start = message
            return
        start = self._start
        if start is None or self.answered:
            raise RuntimeError("a body without a start, or after its end")
        body, more = message.get("body", b""), message.get("more_body", False)
        if self.started:
            data = self._framed(body)
        else:
            data = self._head(start, len(body), more) + self._framed(body)
            self.started = True
        if not more:
            self.answered = True
            if self._chunked:
                data += _LAST
        if self.gone:
            return
        if data:
            self._line.write(data)
        if more:
            await self._line.room()

    def _framed(self, body: bytes) -> bytes:
        if self._start is None or not body or self._bodiless(self._start["status"]):
            return b""
        return b"%x\r\n%b\r\n" % (len(body), body) if self._chunked else body

    def _bodiless(self, status: int) -> bool:
        return self.scope["method"] == "HEAD" or status in _BODILESS

    def _head(self, start: Message, length: int, more: bool) -> bytes:
        status, lines = start["status"], self._line.date
        headers = [(name, value) for name, value in start["headers"] if name not in _OURS]
        if not any(name == b"content-length" for name, _ in headers) and not self._bodiless(status):
            if not more:
                headers.append((b"content-length", b"%d" % length))
            elif self.old:
                # the end of the connection is the end of the body
                self.keep = False
            else:
                self._chunked = True
                lines += _CHUNKED
        if self._line.stopping or not self.complete:
            self.keep = False
        if not self.keep:
            lines += _CLOSE
        elif self.old:
            lines += _KEEP
        return head(status, headers, lines)

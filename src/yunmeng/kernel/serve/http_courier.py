"""Notifications over HTTP/1.1: connections that stay open, one request at a time on each (RFC 9112).

A client for one kind of request: what a receiver answers is of interest as far as its status only.
"""

import asyncio
import time
from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from ssl import SSLContext
from typing import cast
from urllib.parse import quote, unquote, urlsplit

import httpx

_MOST_CONNECTIONS = 64
_IDLE_S = 20.0
_LONGEST_HEAD = 64 * 1024
_OK = range(200, 300)
_BODILESS = (204, 304)


@dataclass(frozen=True, slots=True)
class Target:
    """A server, and how its requests begin."""

    host: str
    port: int
    tls: bool
    head: bytes

    @property
    def origin(self) -> tuple[str, int, bool]:
        """What connections are shared by."""
        return self.host, self.port, self.tls


def target(uri: str, headers: Mapping[str, str]) -> Target:
    """Works out where requests to a URI go and how they begin: all but the length of the body."""
    parts = urlsplit(uri)
    tls = parts.scheme == "https"
    path = quote(parts.path or "/", safe="/%:@!$&'()*+,;=~-._")
    query = f"?{quote(parts.query, safe='/%:@!$&()*+,;=~-._?')}" if parts.query else ""
    lines = {"Host": parts.netloc.rpartition("@")[2], **headers}
    if parts.username is not None:
        pair = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
        lines.setdefault("Authorization", f"Basic {b64encode(pair.encode()).decode()}")
    text = "".join(f"{name}: {_one_line(value)}\r\n" for name, value in lines.items())
    head = f"POST {path}{query} HTTP/1.1\r\n{text}Content-Length: ".encode("latin-1", "replace")
    return Target(parts.hostname or "", parts.port or (443 if tls else 80), tls, head)


def _one_line(value: str) -> str:
    return " ".join(value.splitlines())


class HttpCourier:
    """Posts to any number of servers; connections are kept open for a while and shared by server."""

    def __init__(self) -> None:
        self._pools: dict[tuple[str, int, bool], _Pool] = {}

    async def post(self, to: Target, body: bytes, timeout_s: float) -> str:
        """Returns why a post failed, nothing when it arrived."""
        pool = self._pools.setdefault(to.origin, _Pool())
        request = b"%b%d\r\n\r\n%b" % (to.head, len(body), body)
        try:
            async with pool.slots:
                pool.under_way += 1
                try:
                    return await self._post(pool, to, request, timeout_s)
                finally:
                    pool.under_way -= 1
        except TimeoutError:
            return f"no answer in {timeout_s:g} s"
        except (OSError, ValueError) as failure:
            # a name that cannot be a host's is a ValueError
            return f"{type(failure).__name__}: {failure}"

    async def _post(self, pool: "_Pool", to: Target, request: bytes, timeout_s: float) -> str:
        while pool.idle:
            wire = pool.idle.pop()
            if wire.closed:
                continue
            status = await wire.post(request, timeout_s)
            if status or not wire.stale:
                return pool.keep(wire, status)
            # the receiver has closed a connection that was idle: that is no failure
        async with asyncio.timeout(timeout_s):
            wire = await _connect(to)
        return pool.keep(wire, await wire.post(request, timeout_s))

    def tidy(self) -> None:
        """Closes connections that nobody has used for a while."""
        before = time.monotonic() - _IDLE_S
        for origin, pool in tuple(self._pools.items()):
            pool.tidy(before)
            if not pool.under_way and not pool.idle:
                del self._pools[origin]

    async def close(self) -> None:
        """Closes all connections."""
        for pool in self._pools.values():
            pool.tidy(float("inf"))


async def _connect(to: Target) -> "Wire":
    loop = asyncio.get_running_loop()
    _, wire = await loop.create_connection(Wire, to.host, to.port, ssl=trusted() if to.tls else None)
    return wire


@lru_cache(maxsize=1)
def trusted() -> SSLContext:
    """Returns whom connections trust: the same authorities as all other calls of the node."""
    return httpx.create_ssl_context()


@dataclass(slots=True)
class _Pool:
    """The connections to one server."""

    idle: "list[Wire]" = field(default_factory=lambda: list[Wire]())
    slots: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(_MOST_CONNECTIONS))
    under_way: int = 0

    def keep(self, wire: "Wire", status: int) -> str:
        """Puts a connection back and says why the post on it failed, if it did."""
        if wire.closed:
            wire.close()
        else:
            self.idle.append(wire)
        if not status:
            return "the connection was closed before the answer"
        return "" if status in _OK else f"HTTP {status}"

    def tidy(self, before: float) -> None:
        """Closes what was last used before then."""
        for wire in self.idle:
            if wire.used < before:
                wire.close()
        self.idle = [wire for wire in self.idle if not wire.closed]


class Wire(asyncio.Protocol):
    """One connection; a request at a time."""

    def __init__(self) -> None:
        self.closed = False
        self.used = time.monotonic()
        self.stale = False
        self._transport: asyncio.Transport | None = None
        self._waiting: asyncio.Future[int] | None = None
        self._answer = _Answer()
        self._first = True

    async def post(self, request: bytes, timeout_s: float) -> int:
        """Returns the status of the answer, 0 when the connection was closed before it.

        Raises:
            TimeoutError: no answer in time; the connection is closed.
        """
        loop = asyncio.get_running_loop()
        self._waiting = loop.create_future()
        self._answer = _Answer()
        late = loop.call_later(timeout_s, self._too_late)
        cast("asyncio.Transport", self._transport).write(request)
        try:
            return await self._waiting
        except asyncio.CancelledError:
            self.close()
            raise
        finally:
            late.cancel()
            self._waiting, self._first, self.used = None, False, time.monotonic()

    def close(self) -> None:
        """Closes the connection."""
        self.closed = True
        if self._transport is not None:
            self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Called by the loop."""
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        """Called by the loop."""
        waiting = self._waiting
        if waiting is None or waiting.done():
            # an answer that nobody asked for: whatever comes next could not be told apart
            self.close()
            return
        try:
            complete = self._answer.feed(data)
        except ValueError:
            self.close()
            waiting.set_result(0)
            return
        if complete:
            self._finish(waiting)

    def connection_lost(self, exc: Exception | None) -> None:
        """Called by the loop."""
        self.closed = True
        if self._waiting is not None and not self._waiting.done():
            self.stale = not self._first and not self._answer.begun
            self._finish(self._waiting)

    def _finish(self, waiting: asyncio.Future[int]) -> None:
        if self._answer.last:
            self.closed = True
        waiting.set_result(self._answer.status)

    def _too_late(self) -> None:
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_exception(TimeoutError())
            self.close()


@dataclass(slots=True)
class _Answer:
    """An answer as it comes in; ``last``: nothing more comes on this connection."""

    status: int = 0
    whole: bool = False
    last: bool = False
    begun: bool = False
    _head: bytearray | None = field(default_factory=bytearray)
    _left: int = 0
    _chunks: "_Chunks | None" = None

    def feed(self, data: bytes) -> bool:
        """Takes in what came; tells whether the answer is whole.

        Raises:
            ValueError: this is no HTTP.
        """
        self.begun = True
        while self._head is not None:
            self._head += data
            end = self._head.find(b"\r\n\r\n")
            if end < 0:
                if len(self._head) > _LONGEST_HEAD:
                    raise ValueError("head")
                return False
            head, data = bytes(self._head[:end]), bytes(self._head[end + 4 :])
            self._head = None if self._read_head(head) else bytearray()
        return self._read_body(data)

    def _read_head(self, head: bytes) -> bool:
        """Reads the head; tells whether it is that of the answer and not of an interim one."""
        line, *fields = head.split(b"\r\n")
        if not line.startswith(b"HTTP/1."):
            raise ValueError("version")
        status = int(line[9:12])
        if 100 <= status < 200:
            return False
        pairs = (one.lower().partition(b":") for one in fields)
        found = {name.strip(): value.strip() for name, _, value in pairs}
        self.last = _closes(line, found.get(b"connection", b""))
        self.status = status
        if status in _BODILESS:
            self._left = 0
        elif b"chunked" in found.get(b"transfer-encoding", b""):
            self._chunks = _Chunks()
        elif b"content-length" in found:
            self._left = int(found[b"content-length"])
        else:
            # the body ends with the connection, and nobody needs it
            self.last = self.whole = True
        return True

    def _read_body(self, data: bytes) -> bool:
        if self._chunks is not None:
            self.whole = self._chunks.feed(data)
        elif not self.whole:
            self._left -= len(data)
            if self._left < 0:
                raise ValueError("length")
            self.whole = self._left == 0
        return self.whole


def _closes(line: bytes, connection: bytes) -> bool:
    return b"close" in connection or (line.startswith(b"HTTP/1.0") and b"keep-alive" not in connection)


@dataclass(slots=True)
class _Chunks:
    """A chunked body, to be skipped."""

    _rest: bytearray = field(default_factory=bytearray)
    _trailer: bool = False

    def feed(self, data: bytes) -> bool:
        """Takes in what came; tells whether the body has ended."""
        self._rest += data
        while (end := self._rest.find(b"\r\n")) >= 0:
            if self._trailer:
                if end == 0:
                    return True
                del self._rest[: end + 2]
                continue
            size = int(bytes(self._rest[:end]).partition(b";")[0], 16)
            if size == 0:
                self._trailer = True
                del self._rest[: end + 2]
            elif len(self._rest) < end + 2 + size + 2:
                return False
            else:
                del self._rest[: end + 2 + size + 2]
        return False

"""One connection of the HTTP client: requests out, answers in, one at a time (RFC 9112)."""

# ruff: noqa: N818 (callers read better as `raise HttpTrouble(...)`)

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

_LARGEST_HEAD = 64 << 10
_LONGEST_LINE = 4096
_NO_BODY = frozenset((204, 304))


class HttpTrouble(OSError):
    """A server that cannot be reached, leaves early, or does not speak HTTP."""


class TooLong(HttpTrouble):
    """An answer that is larger than what the caller takes."""


class LeftIdle(HttpTrouble):
    """A kept connection whose server left before it said anything."""


@dataclass(frozen=True, slots=True)
class HttpAnswer:
    """An answer; header names are in lower case, repeated ones are joined with commas."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class HttpConnection(asyncio.Protocol):
    """A connection that is kept for the next request where the server lets it."""

    def __init__(self, on_lost: "Callable[[HttpConnection], None]") -> None:
        self._on_lost = on_lost
        self._transport: asyncio.Transport | None = None
        self._waiting: asyncio.Future[HttpAnswer] | None = None
        self._received = bytearray()
        self._body = bytearray()
        self._most = 0
        self._headers: dict[str, str] = {}
        self._status = 0
        self._length: int | None = None
        self._chunked = False
        self._bodiless = False
        self._used = False
        self.open = False
        self.kept = False
        """Whether the next request can be sent here."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Remembers the way out."""
        self._transport = transport  # pyright: ignore[reportAttributeAccessIssue]
        self.open = True

    def connection_lost(self, exc: Exception | None) -> None:
        """Ends what is under way: an answer without a length ends with its connection."""
        self.open = self.kept = False
        self._on_lost(self)
        if self._waiting is None or self._waiting.done():
            return
        if self._status and self._length is None and not self._chunked:
            self._finish(bytes(self._received), keep=False)
        elif self._used and not self._status and not self._received:
            self._waiting.set_exception(LeftIdle("the server left"))
        else:
            self._waiting.set_exception(HttpTrouble("the server left early"))

    async def ask(self, request: Sequence[bytes], most: int, *, bodiless: bool = False) -> HttpAnswer:
        """Sends a request, given in parts, and returns its answer; ``bodiless`` is the answer to a HEAD.

        Raises:
            HttpTrouble: when no answer can be had here.
        """
        if self._transport is None or not self.open:
            raise LeftIdle("the server left")
        self._most, self._bodiless, self.kept = most, bodiless, False
        self._status, self._headers = 0, {}
        self._waiting = asyncio.get_running_loop().create_future()
        self._transport.writelines(request)
        try:
            answer = await self._waiting
        except BaseException:
            # also when the caller left just as the answer came: nobody else would close it
            self.close()
            raise
        self._used = True
        if not self.kept:
            self.close()
        return answer

    def close(self) -> None:
        """Closes the connection at once."""
        if self._transport is not None:
            self._transport.abort()

    def data_received(self, data: bytes) -> None:
        """Takes in what the server says."""
        waiting = self._waiting
        if waiting is None or waiting.done():
            # nobody asked: this connection is out of step
            self.close()
            return
        self._received += data
        try:
            while not self._status and self._read_head():
                pass
            if self._status:
                self._read_body()
        except (ValueError, HttpTrouble) as error:
            waiting.set_exception(error if isinstance(error, HttpTrouble) else HttpTrouble("not HTTP"))

    def _read_head(self) -> bool:
        """Reads a head if all of it is there; tells whether to look for another after an interim one."""
        end = self._received.find(b"\r\n\r\n")
        if end < 0:
            if len(self._received) > _LARGEST_HEAD:
                raise TooLong("an endless head")
            return False
        first, *lines = self._received[:end].decode("latin-1").split("\r\n")
        del self._received[: end + 4]
        version, _, rest = first.partition(" ")
        status = int(rest[:3])
        if not version.startswith("HTTP/1.") or not 100 <= status <= 599:
            raise HttpTrouble("not HTTP")
        if status < 200:
            return True
        self._headers = _headers(lines)
        self._chunked = self._headers.get("transfer-encoding", "").lower().endswith("chunked")
        length = self._headers.get("content-length")
        self._length = _length(length) if length is not None and not self._chunked else None
        if self._bodiless or status in _NO_BODY:
            self._length, self._chunked = 0, False
        if (self._length or 0) > self._most:
            raise TooLong("too large an answer")
        persistent = "close" if version == "HTTP/1.0" else "keep-alive"
        self.kept = self._headers.get("connection", persistent).lower() != "close"
        self._status = status
        return False

    def _read_body(self) -> None:
        if self._chunked:
            self._read_chunks()
        elif self._length is not None:
            if len(self._received) >= self._length:
                exact = len(self._received) == self._length
                self._finish(bytes(self._received[: self._length]), keep=exact)
        elif len(self._received) > self._most:
            raise TooLong("too large an answer")

    def _read_chunks(self) -> None:
        data, at = self._received, 0
        while (end := data.find(b"\r\n", at)) >= 0:
            size, start = int(bytes(data[at:end]).partition(b";")[0], 16), end + 2
            if size < 0 or len(self._body) + size > self._most:
                raise TooLong("too large an answer")
            if size == 0:
                over = _after_trailers(data, start)
                if over is not None:
                    self._finish(bytes(self._body), keep=len(data) == over)
                    return
                break
            if len(data) < start + size + 2:
                break
            self._body += data[start : start + size]
            at = start + size + 2
        if end < 0 and len(data) - at > _LONGEST_LINE:
            raise HttpTrouble("not HTTP")
        del data[:at]

    def _finish(self, body: bytes, *, keep: bool) -> None:
        self.kept = self.kept and keep
        self._received.clear()
        self._body.clear()
        if self._waiting is not None:
            self._waiting.set_result(HttpAnswer(self._status, self._headers, body))


def _headers(lines: list[str]) -> dict[str, str]:
    found: dict[str, str] = {}
    for line in lines:
        name, colon, value = line.partition(":")
        if not colon or not name or name != name.strip():
            raise HttpTrouble("not HTTP")
        name, value = name.lower(), value.strip()
        found[name] = f"{found[name]}, {value}" if name in found else value
    return found


def _length(text: str) -> int:
    if not text.isascii() or not text.isdigit():
        raise HttpTrouble("not HTTP")
    return int(text)


def _after_trailers(data: bytearray, at: int) -> int | None:
    """Returns where an answer ends, after what may follow its last chunk up to an empty line."""
    while (end := data.find(b"\r\n", at)) >= 0:
        if end == at:
            return end + 2
        at = end + 2
    return None

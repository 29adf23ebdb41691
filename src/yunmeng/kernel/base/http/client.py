"""A lean HTTP/1.1 client for many short requests to few servers, whose connections are kept.

No redirects, no cookies, no proxies, no compression: what a broker says to another, and nothing else.
"""

import asyncio
import ssl
from collections.abc import Mapping
from functools import lru_cache
from time import monotonic
from urllib.parse import urlsplit

from yunmeng.kernel.base.http.connection import HttpAnswer, HttpConnection, HttpTrouble, LeftIdle

_IDEMPOTENT = frozenset(("GET", "HEAD", "PUT", "DELETE", "OPTIONS"))
_MOST_IDLE = 32
_COPIED = 1 << 20
_IDLE_S = 30.0

Place = tuple[str, str, int]


class HttpClient:
    """Sends requests side by side; a connection serves one at a time, and is kept idle for ``idle_s``."""

    def __init__(self, idle_s: float = _IDLE_S) -> None:
        self._idle_s = idle_s
        self._idle: dict[Place, list[tuple[float, HttpConnection]]] = {}
        self._open: set[HttpConnection] = set()
        self._closed = False
        self._secure: ssl.SSLContext | None = None

    async def ask(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str],
        content: bytes | None = None,
        most: int = 16 << 20,
    ) -> HttpAnswer:
        """Returns the answer; ``most`` is the largest body taken, in bytes.

        The caller sets the time limit (:func:`asyncio.timeout`).

        Raises:
            HttpTrouble: when there is no answer, ``TooLong`` when it is too large.
        """
        place, host, target = _parts(url)
        request = _request(method, target, host, headers, content)
        bodiless = method == "HEAD"
        while (kept := self._take(place)) is not None:
            try:
                return await self._asked(kept, place, request, most, bodiless=bodiless)
            except LeftIdle:
                # it may have been carried out: only what may be repeated is (RFC 9110 §9.2.2)
                if method not in _IDEMPOTENT:
                    raise
        return await self._asked(await self._connect(place), place, request, most, bodiless=bodiless)

    def close(self) -> None:
        """Closes every connection; requests under way fail, and later ones."""
        self._closed = True
        for connection in tuple(self._open):
            connection.close()
        self._idle.clear()

    async def _asked(
        self,
        connection: HttpConnection,
        place: Place,
        request: tuple[bytes, ...],
        most: int,
        *,
        bodiless: bool,
    ) -> HttpAnswer:
        answer = await connection.ask(request, most, bodiless=bodiless)
        kept = self._idle.setdefault(place, [])
        if connection.kept and not self._closed and len(kept) < _MOST_IDLE:
            kept.append((monotonic(), connection))
        else:
            connection.close()
        return answer

    def _take(self, place: Place) -> HttpConnection | None:
        """Takes the connection that was used last; those that have waited long are closed."""
        kept = self._idle.get(place)
        oldest = monotonic() - self._idle_s
        while kept and kept[0][0] < oldest:
            kept.pop(0)[1].close()
        return kept.pop()[1] if kept else None

    async def _connect(self, place: Place) -> HttpConnection:
        scheme, host, port = place
        self._check_open()

        def lost(connection: HttpConnection) -> None:
            self._forget(place, connection)

        loop = asyncio.get_running_loop()
        try:
            _, made = await loop.create_connection(
                lambda: HttpConnection(lost), host, port, ssl=self._security() if scheme == "https" else None
            )
        except (OSError, ValueError) as cause:
            raise HttpTrouble(str(cause)) from cause
        if made.open:
            self._open.add(made)
        if self._closed:
            made.close()
        self._check_open()
        return made

    def _check_open(self) -> None:
        if self._closed:
            raise HttpTrouble("closed")

    def _forget(self, place: Place, connection: HttpConnection) -> None:
        self._open.discard(connection)
        kept = self._idle.get(place, [])
        kept[:] = [one for one in kept if one[1] is not connection]

    def _security(self) -> ssl.SSLContext:
        if self._secure is None:
            self._secure = ssl.create_default_context()
        return self._secure


@lru_cache(maxsize=4096)
def _parts(url: str) -> tuple[Place, str, str]:
    """Returns where to connect, the Host header and the target of the request."""
    parts = urlsplit(url)
    try:
        port = parts.port or (443 if parts.scheme == "https" else 80)
    except ValueError as cause:
        raise HttpTrouble(str(cause)) from cause
    if not parts.hostname or parts.scheme not in ("http", "https"):
        raise HttpTrouble("not an address")
    target = f"{parts.path or '/'}?{parts.query}" if parts.query else parts.path or "/"
    host = parts.netloc.rpartition("@")[2]
    if not (target + host).isascii() or any(sign in target + host for sign in " \r\n\t"):
        raise HttpTrouble("not an address")
    return (parts.scheme, parts.hostname, port), host, target


def _request(
    method: str, target: str, host: str, headers: Mapping[str, str], content: bytes | None
) -> tuple[bytes, ...]:
    """Returns the request in one part, or in two where the content is too large to be copied.

    A simple receiver may answer and leave before a second part arrives, which breaks the connection.
    """
    lines = [f"{method} {target} HTTP/1.1\r\nHost: {host}\r\n"]
    for name, value in headers.items():
        if "\r" in value or "\n" in value:
            raise HttpTrouble("not a header")
        lines.append(f"{name}: {value}\r\n")
    if content is None:
        lines.append("\r\n")
        return ("".join(lines).encode("latin-1"),)
    lines.append(f"Content-Length: {len(content)}\r\n\r\n")
    head = "".join(lines).encode("latin-1")
    return (head, content) if len(content) > _COPIED else (head + content,)

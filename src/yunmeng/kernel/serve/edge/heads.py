"""Heads of answers as bytes: the status line, and header names in the case that people write them in."""

from collections.abc import Iterable
from email.utils import formatdate
from http import HTTPStatus

_LINES = {status.value: f"HTTP/1.1 {status.value} {status.phrase}\r\n".encode() for status in HTTPStatus}
_WRITTEN = {
    b"etag": b"ETag",
    b"www-authenticate": b"WWW-Authenticate",
    b"ngsild-tenant": b"NGSILD-Tenant",
    b"ngsild-results-count": b"NGSILD-Results-Count",
    b"ngsild-entitymap": b"NGSILD-EntityMap",
    b"ngsild-snapshot": b"NGSILD-Snapshot",
    b"ngsild-warning": b"NGSILD-Warning",
}
_MOST_NAMES = 500


class _Names(dict[bytes, bytes]):
    """Names by their form in lower case, as they are written, with the colon."""

    def __missing__(self, name: bytes) -> bytes:
        lower = name.lower()
        parts = (part.capitalize() for part in lower.split(b"-"))
        written = (_WRITTEN.get(lower) or b"-".join(parts)) + b": "
        if len(self) < _MOST_NAMES:
            self[name] = written
        return written


_names = _Names()


def head(status: int, headers: Iterable[tuple[bytes, bytes]], more: bytes) -> bytes:
    """Returns the head of an answer; ``more`` are ready lines that stand last.

    Raises:
        ValueError: when a header holds the end of a line, by which it would become two.
    """
    names = _names
    lines = [names[name] + value for name, value in headers]
    lines.append(more)
    text = b"\r\n".join(lines)
    ends = len(lines) - 1 + more.count(b"\n")
    if text.count(b"\n") != ends or text.count(b"\r") != ends:
        raise ValueError("a header of an answer holds the end of a line")
    return (_LINES.get(status) or b"HTTP/1.1 %d \r\n" % status) + text + b"\r\n"


def plain(status: int) -> bytes:
    """Returns the whole answer to what is no request, after which the connection ends."""
    body = b"%d %s\n" % (status, HTTPStatus(status).phrase.encode())
    headers = ((b"content-type", b"text/plain"), (b"content-length", b"%d" % len(body)))
    return head(status, headers, date() + b"Connection: close\r\n") + body


def date() -> bytes:
    """Returns the line that says what time it is (RFC 9110 §6.6.1)."""
    return b"Date: " + formatdate(usegmt=True).encode() + b"\r\n"

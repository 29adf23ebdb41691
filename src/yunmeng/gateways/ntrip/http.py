"""Heads and bodies of NTRIP: HTTP of revision 2, and what revision 1 does otherwise."""

from base64 import b64decode, b64encode
from binascii import Error
from collections.abc import Mapping

import msgspec

from yunmeng.kernel.base import BadInput
from yunmeng.kernel.sense import bad_frame

PROTOCOL = "ntrip"
LONGEST_HEAD = 8192
_MOST_CHUNK = 1 << 20
AGENT = "NTRIP Yunmeng/1.0"


class Request(msgspec.Struct, frozen=True):
    """What a peer asks for; ``revision`` is 1 or 2, ``password`` that of a source of revision 1."""

    method: str
    mount: str
    revision: int
    headers: Mapping[str, str]
    password: str = ""

    def credentials(self) -> tuple[str, str]:
        """Returns user and password of Basic authorisation, both empty without."""
        scheme, _, value = self.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "basic":
            return "", self.password
        try:
            user, _, password = b64decode(value.strip(), validate=True).decode().partition(":")
        except (Error, UnicodeDecodeError):
            return "", ""
        return user, password

    @property
    def chunked(self) -> bool:
        """Whether the body comes in chunks."""
        return "chunked" in self.headers.get("transfer-encoding", "").lower()


class Response(msgspec.Struct, frozen=True):
    """How a caster answers."""

    status: int
    chunked: bool
    sourcetable: bool


def head_end(buffer: bytearray) -> int:
    """Returns where a head ends in the buffer, -1 when it goes on. Raises ``BadInput`` for one too long."""
    end = buffer.find(b"\r\n\r\n")
    if end < 0 and len(buffer) > LONGEST_HEAD:
        raise bad_frame(PROTOCOL, "the head does not end")
    return end + 4 if end >= 0 else -1


def read_request(head: bytes) -> Request:
    """Reads ``GET /mount HTTP/1.1``, ``POST``, or ``SOURCE password /mount``. Raises ``frame.bad``."""
    first, headers = _lines(head)
    words = first.split()
    if words[:1] == ["SOURCE"] and len(words) == 3:
        return Request("SOURCE", words[2].strip("/"), 1, headers, words[1])
    if len(words) != 3 or words[0] not in ("GET", "POST") or not words[2].startswith("HTTP/1."):
        raise bad_frame(PROTOCOL, "no request")
    revision = 2 if headers.get("ntrip-version", "").lower() == "ntrip/2.0" else 1
    return Request(words[0], words[1].partition("?")[0].strip("/"), revision, headers)


def read_response(head: bytes) -> Response:
    """Reads ``ICY 200 OK``, ``SOURCETABLE 200 OK``, ``HTTP/1.1 200 OK`` or ``ERROR - …``."""
    first, headers = _lines(head)
    words = first.split()
    if words[:1] == ["ERROR"]:
        return Response(401, chunked=False, sourcetable=False)
    if len(words) < 2 or not words[1].isdecimal():
        raise bad_frame(PROTOCOL, "no answer of a caster")
    table = words[0] == "SOURCETABLE" or "sourcetable" in headers.get("content-type", "")
    chunked = "chunked" in headers.get("transfer-encoding", "").lower()
    return Response(int(words[1]), chunked=chunked, sourcetable=table)


def basic(user: str, password: str) -> str:
    """Returns the header line of Basic authorisation, none without a user and a password."""
    if not user and not password:
        return ""
    return f"Authorization: Basic {b64encode(f'{user}:{password}'.encode()).decode()}\r\n"


def chunk(data: bytes) -> bytes:
    """Returns one chunk."""
    return b"%x\r\n%b\r\n" % (len(data), data)


class Chunks:
    """Takes the chunks off a body, cut anywhere (RFC 9112, 7.1)."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._left = 0
        self.ended = False

    def feed(self, data: bytes) -> bytes:
        """Returns what the chunks hold so far. Raises ``BadInput("frame.bad")`` for what is no chunk."""
        self._buffer += data
        parts: list[bytes] = []
        while not self.ended and (self._left or self._open()):
            part = bytes(self._buffer[: self._left])
            parts.append(part)
            del self._buffer[: len(part)]
            self._left -= len(part)
            if self._left:
                break
        return b"".join(parts)

    def _open(self) -> bool:
        """Reads the next size; the line end of the chunk before lies in front of it."""
        while self._buffer.startswith(b"\r\n"):
            del self._buffer[:2]
        end = self._buffer.find(b"\r\n")
        if end < 0:
            if len(self._buffer) > 64:
                raise bad_frame(PROTOCOL, "no chunk")
            return False
        line = bytes(self._buffer[:end]).partition(b";")[0].strip()
        del self._buffer[: end + 2]
        try:
            self._left = int(line, 16)
        except ValueError as cause:
            raise bad_frame(PROTOCOL, "no chunk") from cause
        if not 0 <= self._left <= _MOST_CHUNK:
            raise bad_frame(PROTOCOL, f"a chunk of {self._left} bytes")
        self.ended = not self._left
        return not self.ended


def _lines(head: bytes) -> tuple[str, dict[str, str]]:
    try:
        first, *rest = head.decode("utf-8").strip("\r\n").split("\r\n")
    except UnicodeDecodeError as cause:
        raise BadInput("frame.bad", protocol=PROTOCOL, reason="the head is no text") from cause
    pairs = (line.partition(":") for line in rest)
    return first, {name.strip().lower(): value.strip() for name, _, value in pairs}

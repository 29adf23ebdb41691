"""The head of a request, gathered while it is parsed (RFC 9112 §3, §5)."""

from typing import Any, Final
from urllib.parse import unquote_to_bytes

from starlette.types import Scope

from yunmeng.kernel.serve.edge.limits import Limits

_ASGI: Final = {"version": "3.0", "spec_version": "2.3"}
_SCHEMES = (b"http://", b"https://")


class Refused(Exception):  # noqa: N818 (it is no defect of ours)
    """A request that is refused before the application sees it."""

    def __init__(self, status: int) -> None:
        super().__init__(status)
        self.status = status


class RequestHead:
    """A head as it comes in, within its limits."""

    __slots__ = ("_hosts", "_limits", "_size", "expects", "headers", "target")

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._size = 0
        self._hosts = 0
        self.target = b""
        self.headers: list[tuple[bytes, bytes]] = []
        self.expects = False

    def add_target(self, part: bytes) -> None:
        """Takes in a part of the target.

        Raises:
            Refused: 414 when it is too long.
        """
        self.target += part
        if len(self.target) > self._limits.head:
            raise Refused(414)

    def add_header(self, name: bytes, value: bytes) -> None:
        """Takes in a header.

        Raises:
            Refused: 431 when the head is too large.
        """
        name = name.lower()
        self.headers.append((name, value))
        self._size += len(name) + len(value)
        if self._size > self._limits.head or len(self.headers) > self._limits.headers:
            raise Refused(431)
        if name == b"host":
            self._hosts += 1
        elif name == b"expect":
            self.expects = value.lower() == b"100-continue"

    def scope(self, method: str, version: str, connection: dict[str, Any]) -> Scope:
        """Returns what the application is told of the request.

        Raises:
            Refused: 400 without one ``Host`` (RFC 9112 §3.2), or for a target that is no path.
        """
        if self._hosts > 1 or (not self._hosts and version != "1.0"):
            raise Refused(400)
        path, _, query = self.target.partition(b"?")
        if not path.startswith(b"/"):
            path = _path(path, method)
        return {
            **connection,
            "type": "http",
            "asgi": _ASGI,
            "http_version": version,
            "method": method,
            "path": _decoded(path),
            "raw_path": path,
            "query_string": query,
            "headers": self.headers,
        }


def _path(target: bytes, method: str) -> bytes:
    """Returns the path of a target in absolute form (§3.2.2), or of the one for all (§3.2.4)."""
    if target == b"*" and method == "OPTIONS":
        return b"/*"
    if target.lower().startswith(_SCHEMES):
        _, slash, path = target.partition(b"//")[2].partition(b"/")
        return slash + path or b"/"
    raise Refused(400)


def _decoded(path: bytes) -> str:
    return (unquote_to_bytes(path) if b"%" in path else path).decode("utf-8", "replace")

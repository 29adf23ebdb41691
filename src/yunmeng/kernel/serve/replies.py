"""Answers as bytes: one small response class that the hot paths can afford."""

from collections.abc import Mapping

import msgspec
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

JSON = "application/json"
PROBLEM = "application/problem+json"
LD_JSON = "application/ld+json"
GEO_JSON = "application/geo+json"

_encoder = msgspec.json.Encoder()
encode_json = _encoder.encode


class Reply(Response):
    """A response of ready bytes; without charsets and background tasks."""

    def __init__(
        self,
        body: bytes = b"",
        status: int = 200,
        media: str = JSON,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        self.status_code = status
        self.body = body
        self.background = None
        raw: list[tuple[bytes, bytes]] = []
        if status not in (204, 304):
            raw.append((b"content-length", b"%d" % len(body)))
            if body:
                raw.append((b"content-type", media.encode("latin-1")))
        if headers:
            for name, value in headers.items():
                raw.append((name.lower().encode("latin-1"), value.encode("latin-1")))
        self.raw_headers = raw

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Sends the head and the body."""
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        await send({"type": "http.response.body", "body": self.body})


def json_reply(payload: object, status: int = 200, headers: Mapping[str, str] | None = None) -> Reply:
    """Answers with JSON."""
    return Reply(encode_json(payload), status, JSON, headers)


def empty_reply(headers: Mapping[str, str] | None = None) -> Reply:
    """Answers 204: done, nothing to say."""
    return Reply(b"", 204, JSON, headers)

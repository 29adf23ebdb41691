"""Bodies: read whole under the cap, and decoded as JSON without surprises."""

from collections.abc import Mapping
from typing import cast

import msgspec
from starlette.requests import ClientDisconnect, Request
from starlette.types import Receive, Scope

from yunmeng.kernel.base import BadInput, TooLarge
from yunmeng.kernel.serve.heading import header
from yunmeng.kernel.serve.refusals import LengthRequired

_WITH_BODY = frozenset(("POST", "PATCH", "PUT"))

_decoder = msgspec.json.Decoder()


def declared_length(request: Request, most: int) -> None:
    """Refuses a body by the length that it declares; NGSI-LD wants one declared (§6.3.4).

    Raises:
        TooLarge: ``body.large``.
        BadInput: ``body.length`` when the header is no number.
        LengthRequired: ``body.no-length``.
    """
    text = header(request, b"content-length")
    if text is None:
        if request.method in _WITH_BODY and request.scope["path"].startswith("/ngsi-ld/"):
            raise LengthRequired("body.no-length")
        return
    if not text.isascii() or not text.isdigit():
        raise BadInput("body.length", value=text)
    if len(text) > 18 or int(text) > most:
        raise TooLarge("body.large", bytes=text, most=most)


class Asked(Request):
    """A request whose body stops at ``most`` bytes, also an undeclared (chunked) one; read in one go."""

    def __init__(self, scope: Scope, receive: Receive, most: int) -> None:
        super().__init__(scope, receive)
        self._most = most
        self._whole: bytes | None = None

    async def body(self) -> bytes:
        """Returns the whole body, however often it is asked for.

        Raises:
            TooLarge: ``body.large``.
            ClientDisconnect: when the caller leaves before its end.
        """
        if self._whole is None:
            self._whole = await self._read()
        return self._whole

    async def _read(self) -> bytes:
        parts: list[bytes] = []
        seen, more = 0, True
        while more:
            message = await self.receive()
            if message["type"] != "http.request":
                raise ClientDisconnect
            parts.append(message.get("body", b""))
            seen += len(parts[-1])
            if seen > self._most:
                raise TooLarge("body.large", bytes=seen, most=self._most)
            more = message.get("more_body", False)
        return parts[0] if len(parts) == 1 else b"".join(parts)


def decode_json(data: bytes) -> object:
    """Decodes a body.

    Raises:
        BadInput: ``json.empty``, ``json.malformed`` with the place, ``json.deep``.
    """
    if not data.strip():
        raise BadInput("json.empty")
    try:
        return _decoder.decode(data)
    except RecursionError as cause:
        raise BadInput("json.deep") from cause
    except (msgspec.DecodeError, UnicodeDecodeError) as cause:
        raise BadInput("json.malformed", reason=str(cause)) from cause


async def read_json(request: Request) -> object:
    """Reads and decodes the body of a request."""
    return decode_json(await request.body())


def as_object(value: object, where: str) -> dict[str, object]:
    """Returns the value as a JSON object.

    Raises:
        BadInput: ``json.object``.
    """
    if not isinstance(value, dict):
        raise BadInput("json.object", where=where)
    return cast("dict[str, object]", value)


def as_array(value: object, where: str) -> list[object]:
    """Returns the value as a JSON array that is not empty.

    Raises:
        BadInput: ``json.array``.
    """
    if not isinstance(value, list) or not value:
        raise BadInput("json.array", where=where)
    return cast("list[object]", value)


def text_member(body: Mapping[str, object], name: str, default: str | None = None) -> str:
    """Returns a text member of an object.

    Raises:
        BadInput: ``json.text`` when it is missing without a default, or is no text.
    """
    value = body.get(name, default)
    if not isinstance(value, str):
        raise BadInput("json.text", where=name)
    return value

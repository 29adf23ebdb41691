"""Bodies: read whole under the cap, and decoded as JSON without surprises."""

from collections.abc import Mapping
from typing import cast

import msgspec
from starlette.requests import Request
from starlette.types import Message, Receive

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


def capped(receive: Receive, most: int) -> Receive:
    """Wraps the channel so that also an undeclared (chunked) body stops at ``most`` bytes."""
    seen = 0

    async def pull() -> Message:
        nonlocal seen
        message = await receive()
        if message["type"] == "http.request":
            seen += len(message.get("body", b""))
            if seen > most:
                raise TooLarge("body.large", bytes=seen, most=most)
        return message

    return pull


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

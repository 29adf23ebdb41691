"""Errors that cross the bus: a handler's error is raised again, as the same class, at its caller."""

import logging
from collections.abc import Iterator

import msgspec

from yunmeng.kernel.base import Broken, YunmengError
from yunmeng.kernel.link.port import Handler, Request

ERROR_HEADER = "Yunmeng-Error"

_log = logging.getLogger(__name__)


class Fault(msgspec.Struct, frozen=True):
    """An error as it travels: class, key and facts."""

    kind: str
    key: str
    facts: dict[str, object]


def encode_fault(error: YunmengError) -> bytes:
    """Writes an error; facts that JSON lacks travel as text."""
    return msgspec.json.encode(Fault(type(error).__name__, error.key, error.facts), enc_hook=str)


def decode_fault(data: bytes) -> YunmengError:
    """Reads an error; a class that is not known here becomes the root class."""
    fault = msgspec.json.decode(data, type=Fault)
    known = {found.__name__: found for found in _classes(YunmengError)}
    return known.get(fault.kind, YunmengError)(fault.key, **fault.facts)


async def answer(handler: Handler, request: Request) -> bytes | YunmengError:
    """Runs a handler; every failure becomes an error that can travel."""
    try:
        return await handler(request)
    except YunmengError as error:
        return error
    except Exception:  # noqa: BLE001 - logged here, told to the caller
        _log.exception("the handler of %s failed", request.subject)
        return Broken("bus.handler-failed", subject=request.subject)


def _classes(root: type[YunmengError]) -> Iterator[type[YunmengError]]:
    yield root
    for child in root.__subclasses__():
        yield from _classes(child)

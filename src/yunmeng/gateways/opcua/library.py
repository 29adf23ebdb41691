"""asyncua, which owns the sockets; imported only where it is needed, since it is LGPL and an extra."""

import asyncio
import logging
from functools import cache
from importlib import import_module
from typing import Any

from yunmeng.kernel.base import Unavailable


def asyncua(part: str = "") -> Any:
    """Returns the library or a part of it. Raises ``Unavailable("sense.extra")`` without it."""
    _quieten()
    try:
        return import_module(f"asyncua.{part}" if part else "asyncua")
    except ImportError as cause:
        raise Unavailable("sense.extra", gateway="opcua", library="asyncua", extra="opcua") from cause


@cache
def _quieten() -> None:
    """Has the library say less: every publication with its values, and a trace for every lost connection."""
    logging.getLogger("asyncua").setLevel(logging.WARNING)
    logging.getLogger("asyncua.client").setLevel(logging.CRITICAL)


def failures() -> tuple[type[BaseException], ...]:
    """Returns what the library raises when a server is gone or says no."""
    return (asyncua("ua").UaError, ConnectionError, OSError, asyncio.TimeoutError)

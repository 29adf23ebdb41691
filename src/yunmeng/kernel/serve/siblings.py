"""The api processes of a node answer as one: what each keeps for itself, the others can ask for."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from contextlib import suppress

from yunmeng.kernel.base import Unavailable
from yunmeng.kernel.link import Bus, Request
from yunmeng.kernel.trust import Principal

Teller = Callable[[bytes], Awaitable[bytes]]

_PATIENCE_S = 2.0
_API = Principal("urn:yunmeng:service:api", kind="service", roles=("service",))

_log = logging.getLogger("yunmeng.serve")


class Siblings:
    """One of ``count`` processes, the ``nth`` from 1, and its way to ask the others.

    A sibling that is starting again has nothing to tell, and is left out.
    """

    def __init__(self, bus: Bus, nth: int = 1, count: int = 1) -> None:
        self._bus = bus
        self._nth = nth
        self._others = tuple(each for each in range(1, count + 1) if each != nth)
        self._tellers: dict[str, Teller] = {}

    def tell(self, matter: str, teller: Teller) -> None:
        """Has ``teller`` answer what the siblings ask in a matter, once :meth:`start` was called."""
        self._tellers[matter] = teller

    async def start(self) -> None:
        """Answers the siblings from here on."""
        if self._others:
            await self._bus.serve(f"api.{self._nth}.>", self._answer)

    async def ask(self, matter: str, data: bytes = b"") -> list[bytes]:
        """Returns what the siblings tell in a matter: nothing where this process is the only one."""
        told = await asyncio.gather(*(self._ask(nth, matter, data) for nth in self._others))
        return [each for each in told if each is not None]

    async def _ask(self, nth: int, matter: str, data: bytes) -> bytes | None:
        with suppress(Unavailable):
            return await self._bus.request(f"api.{nth}.{matter}", data, _API, timeout_s=_PATIENCE_S)
        _log.warning("api %d did not answer about %s", nth, matter)
        return None

    async def _answer(self, request: Request) -> bytes:
        return await self._tellers[request.subject.rpartition(".")[2]](request.data)

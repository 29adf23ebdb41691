"""Commands for devices: asked at once, or kept until a device that sleeps has spoken."""

import asyncio
import logging
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec

from yunmeng.gateways.coap.endpoint import Ask, Endpoint, Told
from yunmeng.gateways.coap.payloads import CBOR, JSON, SENML_CBOR, SENML_JSON, decode, encode
from yunmeng.gateways.coap.tables import ResourceRow
from yunmeng.kernel.base import BadInput, Unavailable, format_us, now_us
from yunmeng.kernel.sense import Command

_MOST_KEPT = 100
_TELL_S = 15.0
"""Who orders something of a device that sleeps waits no longer than this to hear how it went."""

_log = logging.getLogger("yunmeng.sense")


@dataclass
class Desk:
    """One device: where it spoke last, and the commands that wait for it."""

    device: str
    endpoint: Endpoint
    row: ResourceRow
    host: str = ""
    remote: Any = None
    heard_at: float = 0.0
    _kept: deque[asyncio.Future[None]] = field(default_factory=deque[asyncio.Future[None]])
    _works: set["asyncio.Task[Mapping[str, Any]]"] = field(
        default_factory=set["asyncio.Task[Mapping[str, Any]]"]
    )
    _turn: asyncio.Lock = field(default_factory=asyncio.Lock)

    def heard(self, remote: Any) -> None:
        """The device has spoken, from there: what waits goes out."""
        self.remote, self.heard_at = remote, asyncio.get_running_loop().time()
        while self._kept:
            waiting = self._kept.popleft()
            if not waiting.done():
                waiting.set_result(None)

    async def command(self, command: Command) -> Mapping[str, Any]:
        """Has the device carry out a command of its table; returns the code and what it answered.

        Of a device that sleeps, ``queued`` and ``until`` when it has not spoken meanwhile.

        Raises:
            BadInput: ``command.unknown``, ``command.arguments``.
            Unavailable: ``command.timeout``, ``command.refused``.
        """
        row = self.row.commands.get(command.name)
        if row is None:
            raise BadInput("command.unknown", name=command.name, known=", ".join(self.row.commands) or "-")
        if row.form == "text" and "value" not in command.arguments:
            raise BadInput("command.arguments", name=command.name, reason="value")
        format, payload = encode(row.form, {**row.fixed, **command.arguments})
        ask = Ask(row.method, row.path, payload, format, peer=self.device)
        if not self.row.sleeps:
            return await self._carry_out(command, ask)
        work = asyncio.create_task(self._when_awake(command, ask))
        self._works.add(work)
        work.add_done_callback(self._finished)
        # nobody waits for a day: who orders is told that it is kept, and the order stays
        await asyncio.wait({work}, timeout=_TELL_S)
        if work.done():
            return await work
        return {"queued": True, "until": format_us(now_us() + int(self.row.keep_s * 1e6))}

    def leave(self) -> None:
        """Gives up what waits."""
        for work in self._works:
            work.cancel()

    async def _when_awake(self, command: Command, ask: Ask) -> Mapping[str, Any]:
        await self._awake()
        return await self._carry_out(command, ask)

    async def _carry_out(self, command: Command, ask: Ask) -> Mapping[str, Any]:
        # devices are small: one question at a time (NSTART, RFC 7252 §4.7)
        async with self._turn:
            told = await self.endpoint.ask(msgspec.structs.replace(ask, remote=self.remote), host=self.host)
        if not told.is_good:
            reason = f"{told.code} {told.payload.decode(errors='replace')}".strip()
            raise Unavailable("command.refused", device=self.device, name=command.name, reason=reason)
        return {"code": told.code, **_result(told)}

    def _finished(self, work: "asyncio.Task[Mapping[str, Any]]") -> None:
        self._works.discard(work)
        if not work.cancelled() and (error := work.exception()) is not None:
            _log.info("%s: %s", self.device, error)

    async def _awake(self) -> None:
        """Returns when the device listens. Raises ``Unavailable("command.timeout")`` after ``keep_s``."""
        loop = asyncio.get_running_loop()
        if loop.time() - self.heard_at < self.row.awake_s:
            return
        if len(self._kept) >= _MOST_KEPT:
            raise Unavailable("command.timeout", device=self.device)
        waiting: asyncio.Future[None] = loop.create_future()
        self._kept.append(waiting)
        try:
            async with asyncio.timeout(self.row.keep_s):
                await waiting
        except TimeoutError as cause:
            raise Unavailable("command.timeout", device=self.device) from cause


def _result(told: Told) -> dict[str, Any]:
    if not told.payload:
        return {}
    if told.format in (JSON, CBOR, SENML_JSON, SENML_CBOR):
        try:
            return {"value": msgspec.to_builtins(decode(told.format, told.payload))}
        except (ValueError, TypeError, EOFError):
            return {"value": told.payload.hex()}
    return {"value": told.payload.decode(errors="replace")}

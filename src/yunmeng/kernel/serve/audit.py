"""The audit trail of one api process: events go to the bus in packs, and writers wait for theirs."""

import asyncio
import logging
from collections import deque

import msgspec

from yunmeng.kernel.base import Unavailable, YunmengError
from yunmeng.kernel.link import Bus
from yunmeng.kernel.trust import AuditEvent, Principal

AUDIT_SUBJECT = "aud.http"

_API = Principal("urn:yunmeng:service:api", kind="service", roles=("service",))
_MOST_WAITING = 20_000
_MOST_PER_PACK = 500
# the more come at once, the longer the next pack waits for company: a message costs all processes as much as
# some twenty events
_COMPANY_EACH_S, _COMPANY_S = 0.0005, 0.025

_log = logging.getLogger("yunmeng.serve")
_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(tuple[AuditEvent, ...]).decode


def encode_events(events: list[AuditEvent]) -> bytes:
    """Packs events as a message of the AUD stream."""
    return _encode(events)


def decode_events(data: bytes) -> tuple[AuditEvent, ...]:
    """Unpacks a message of the AUD stream."""
    return _decode(data)


class AuditTrail:
    """Publishes audit events in order; many callers share one message of the bus."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus
        self._waiting: deque[tuple[AuditEvent, asyncio.Future[None]]] = deque()
        self._sender: asyncio.Task[None] | None = None

    def record(self, event: AuditEvent) -> "asyncio.Future[None]":
        """Takes an event on; the future is done once the bus has it.

        Raises:
            Unavailable: ``audit.behind`` when the bus does not take events as fast as they come.
        """
        if len(self._waiting) >= _MOST_WAITING:
            raise Unavailable("audit.behind", waiting=len(self._waiting))
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((event, done))
        if self._sender is None or self._sender.done():
            self._sender = asyncio.create_task(self._send())
        return done

    async def flush(self) -> None:
        """Waits until everything taken on so far was sent or failed."""
        if self._sender is not None:
            await asyncio.gather(self._sender, return_exceptions=True)

    async def _send(self) -> None:
        while self._waiting:
            pack = [self._waiting.popleft() for _ in range(min(len(self._waiting), _MOST_PER_PACK))]
            try:
                await self._bus.publish(AUDIT_SUBJECT, _encode([event for event, _ in pack]), _API)
            except YunmengError as error:
                _log.error("audit events were not taken by the bus: %s", error)
                _settle(pack, error)
            else:
                _settle(pack, None)
            if len(pack) > 1:
                await asyncio.sleep(min(len(pack) * _COMPANY_EACH_S, _COMPANY_S))


def _settle(pack: "list[tuple[AuditEvent, asyncio.Future[None]]]", error: YunmengError | None) -> None:
    for _, done in pack:
        if done.done():
            continue
        if error is None:
            done.set_result(None)
        else:
            done.set_exception(error)
            # nobody may be waiting for it; then the log line above has said it
            done.exception()

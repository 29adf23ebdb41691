"""The audit log's writer: events from the AUD stream into the Merkle log, each once."""

import asyncio
import logging
from collections.abc import Sequence
from pathlib import Path

import msgspec

from yunmeng.kernel.base import TooLarge, Unavailable
from yunmeng.kernel.link import Bus, Consumer, Message
from yunmeng.kernel.trust import AuditEvent, AuditLog

_log = logging.getLogger("yunmeng.audit")
_PAUSE_S = 1.0
_LONGEST = 500
POSITION = "position"

_decode = msgspec.msgpack.Decoder(tuple[AuditEvent, ...]).decode


class Auditor:
    """Drains the AUD stream; acknowledges only what the log holds on disk.

    Every entry carries its stream position, so that events which come again after a crash are known.
    """

    def __init__(self, bus: Bus, folder: Path) -> None:
        self._bus = bus
        self._log = AuditLog(folder)
        self._consumer: Consumer | None = None
        self._written = self._last_position()

    async def start(self) -> None:
        """Opens the consumer."""
        self._consumer = await self._bus.consumer("AUD", "auditor")

    async def run(self) -> None:
        """Writes events as they come."""
        while self._consumer is not None:
            messages = await self._consumer.fetch(500, 1.0)
            if not messages:
                continue
            await self._append(_events(messages, self._written))
            self._written = max(self._written, messages[-1].position)
            await self._consumer.ack(messages[-1].position)

    async def _append(self, events: list[AuditEvent]) -> None:
        """Writes the events, and waits for as long as the disk refuses: the stream keeps them meanwhile."""
        while True:
            try:
                await asyncio.to_thread(self._log.append, events)
            except Unavailable as error:
                _log.error("the audit log waits: %s", error)
                await asyncio.sleep(_PAUSE_S)
            except TooLarge as error:
                _log.error("an audit event is cut: %s", error)
                events = [_cut(event) for event in events]
            else:
                return

    async def stop(self) -> None:
        """Closes consumer and log."""
        if self._consumer is not None:
            await self._consumer.close()
        self._log.close()

    def _last_position(self) -> int:
        size = self._log.size
        for event in self._log.events(size - 1) if size else ():
            return int(event.facts.get(POSITION, "0"))
        return 0


def _cut(event: AuditEvent) -> AuditEvent:
    """Who did what stays, the facts go: one event that is too large may not hold up all others."""
    facts = {POSITION: event.facts[POSITION], "cut": "audit.entry"}
    return msgspec.structs.replace(event, resource=event.resource[:_LONGEST], facts=facts)


def _events(messages: Sequence[Message], written: int) -> list[AuditEvent]:
    return [
        msgspec.structs.replace(event, facts={**event.facts, POSITION: str(message.position)})
        for message in messages
        if message.position > written
        for event in _decode(message.data)
    ]

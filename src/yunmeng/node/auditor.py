"""The audit log's writer: events from the AUD stream into the Merkle log, each once."""

import asyncio
from collections.abc import Sequence
from pathlib import Path

import msgspec

from yunmeng.kernel.link import Bus, Consumer, Message
from yunmeng.kernel.trust import AuditEvent, AuditLog

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
            await asyncio.to_thread(self._log.append, _events(messages, self._written))
            self._written = max(self._written, messages[-1].position)
            await self._consumer.ack(messages[-1].position)

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


def _events(messages: Sequence[Message], written: int) -> list[AuditEvent]:
    return [
        msgspec.structs.replace(event, facts={**event.facts, POSITION: str(message.position)})
        for message in messages
        if message.position > written
        for event in _decode(message.data)
    ]

"""The audit log's writer: events from the AUD stream into the Merkle log, each once."""

import asyncio
import logging
from collections.abc import Sequence
from pathlib import Path

import msgspec

from yunmeng.kernel.base import TooLarge, Unavailable, now_us
from yunmeng.kernel.link import Bus, Consumer, Message
from yunmeng.kernel.trust import SYSTEM, AuditEvent, AuditLog

_log = logging.getLogger("yunmeng.audit")
_PAUSE_S = 1.0
# the stream holds the events on disk meanwhile, and an entry of the log costs a dozen syncs of its own
_LINGER_S = 0.2
_LONGEST = 500
POSITION = "position"

_decode = msgspec.msgpack.Decoder(tuple[AuditEvent, ...]).decode


class Auditor:
    """Drains the AUD stream; acknowledges only what the log holds on disk.

    Every entry carries its stream position, so that events which come again after a crash are known. When
    the stream is found to end before what was written, the bus was lost: the log itself says so, and goes on
    from the beginning of the new stream.
    """

    def __init__(self, bus: Bus, folder: Path) -> None:
        self._bus = bus
        self._log = AuditLog(folder)
        self._consumer: Consumer | None = None
        self._written = self._last_position()

    async def start(self) -> None:
        """Opens the consumer, after looking whether the stream is still the one that was written from."""
        await self._notice_loss()
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
            await asyncio.sleep(_LINGER_S)

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

    async def _notice_loss(self) -> None:
        last = (await self._bus.extent("AUD")).last
        if last >= self._written:
            return
        _log.error(
            "the bus has lost audit events: written up to position %d, the stream ends at %d; "
            "its events are taken from the beginning",
            self._written,
            last,
        )
        await self._append([_loss(self._written, last)])
        self._written = 0

    def _last_position(self) -> int:
        size = self._log.size
        for event in self._log.events(size - 1) if size else ():
            return int(event.facts.get(POSITION, "0"))
        return 0


def _loss(written: int, last: int) -> AuditEvent:
    """The entry that says where the numbering of the events begins anew."""
    return AuditEvent(
        at=now_us(),
        principal=SYSTEM.id,
        action="audit.lost",
        resource="AUD",
        decision="allow",
        facts={POSITION: "0", "written": str(written), "last": str(last)},
    )


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

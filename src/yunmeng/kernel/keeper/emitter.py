"""What follows a commit: history in blocks, changes on the bus; the outbox remembers what is still owed.

An outbox item is owed to the bus at once and to the history within the linger. The history stores a block
once by its token, so after a crash the same items must be sent as the same block. A large item is a block by
itself, which its topic says; which small items make up a block is stored before the block is inserted.
"""

import asyncio
import logging
from collections import defaultdict, deque
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TypeVar

import msgspec

from yunmeng.kernel.base import Broken, Unavailable
from yunmeng.kernel.keeper.changes import Changed
from yunmeng.kernel.keeper.intake import retake
from yunmeng.kernel.link import Bus, Message, entity_changes_subject, observed_subject, record_subject
from yunmeng.kernel.model import ChangeRecord, ObservationBatch, decode_records, encode_changes
from yunmeng.kernel.store import History, HistoryBlock, InstanceRows, InstanceSheet, OutboxItem
from yunmeng.kernel.trust import Principal

CHANGES, OBSERVED, BLOCK, RECORDS = "changes", "observed", "observed-block", "records"
KEEPER = Principal("urn:yunmeng:service:keeper", kind="service", roles=("service",))

_CHANGES_EACH = 250
# The engine merges small blocks again and again, so what it is owed waits for company; whoever wants to read
# what was just written has it settled first.
_PATIENCE, _COMPANY = 4, 5
_MOST_ON_THE_WAY = 32

_log = logging.getLogger("yunmeng.keeper")
_Result = TypeVar("_Result")


class Observed(msgspec.Struct, frozen=True, array_like=True):
    """A message of the OBS stream that was committed, and which of its rows were not."""

    position: int
    rejected: tuple[int, ...] = ()


class Life(msgspec.Struct, frozen=True):
    """The life of the OBS stream that positions are of.

    Of outbox items up to number ``since``, which are older than the last loss, only positions up to
    ``until`` are still what they name.
    """

    name: str
    since: int = 0
    until: int = 0

    def holds(self, number: int, position: int) -> bool:
        """Tells whether the stream's position is still what the outbox item meant."""
        return number > self.since or position <= self.until


class RecordNote(msgspec.Struct, frozen=True):
    """A record that was stored or dropped, as ``chg.record.<kind>`` carries it."""

    kind: str
    tenant: str
    id: str
    dropped: bool = False


_parts = msgspec.msgpack.Decoder(list[tuple[str, bytes]])
_observed = msgspec.msgpack.Decoder(list[Observed])
_notes = msgspec.msgpack.Decoder(list[RecordNote])


@dataclass(slots=True)
class Owed:
    """An outbox item with what it stands for, unpacked; ``parts`` are its changes as messages, by tenant."""

    number: int
    changes: Sequence[Changed] = ()
    parts: Sequence[tuple[str, bytes]] = ()
    notes: Sequence[RecordNote] = ()
    batches: Sequence[tuple[Message, ObservationBatch]] = ()
    alone: bool = False
    rows: int = field(init=False)
    """About how many values the history receives."""

    def __post_init__(self) -> None:
        observed = sum(len(batch) for _, batch in self.batches)
        self.rows = observed + sum(len(one.record.attributes) for one in self.changes)


@dataclass(slots=True)
class Debt:
    """What is committed and not yet both published and in the history, oldest first."""

    unpublished: deque[Owed] = field(default_factory=deque[Owed])
    unwritten: deque[Owed] = field(default_factory=deque[Owed])
    rows: int = 0

    def add(self, owed: Owed) -> None:
        """Takes on one item."""
        self.unpublished.append(owed)
        self.unwritten.append(owed)
        self.rows += owed.rows


async def unpack(item: OutboxItem, bus: Bus, life: Life, *, forgo_lost: bool = False) -> Owed:
    """Rebuilds an item from the outbox, reading observations again from their stream.

    Raises ``Broken("keeper.lost-observations")`` when the stream no longer holds them, unless they are
    forgone.
    """
    if item.topic == CHANGES:
        parts = _parts.decode(item.body)
        changes = [Changed(record) for record in decode_records(part for _, part in parts)]
        return Owed(item.number, changes=changes, parts=parts)
    if item.topic == RECORDS:
        return Owed(item.number, notes=_notes.decode(item.body))
    observed = {entry.position: entry.rejected for entry in _observed.decode(item.body)}
    messages = await bus.read("OBS", min(observed), max(observed))
    found = [
        message
        for message in messages
        if message.position in observed and life.holds(item.number, message.position)
    ]
    if len(found) != len(observed):
        lost = Broken("keeper.lost-observations", first=min(observed), last=max(observed))
        if not forgo_lost:
            raise lost
        _log.error("the history stays without what is lost: %s", lost)
    batches = [(message, retake(message, observed[message.position])) for message in found]
    return Owed(item.number, batches=batches, alone=item.topic == BLOCK)


class Emitter:
    """Pays what the outbox owes, in order."""

    def __init__(self, bus: Bus, history: History, linger_s: float, block_rows: int) -> None:
        self._bus = bus
        self._history = history
        self._linger_s = _PATIENCE * linger_s
        self._block_rows = _COMPANY * block_rows
        self._to_publish = asyncio.Event()
        self._to_write = asyncio.Event()
        self.debt = Debt()
        self.published = 0
        self.written = 0
        self.behind = ""
        self.store = ""
        self._hurry = asyncio.Event()
        self._progress = asyncio.Condition()

    def owe(self, owed: Owed) -> None:
        """Takes on what a commit left behind."""
        self.debt.add(owed)
        self._to_publish.set()
        self._to_write.set()
        if self.debt.rows >= self._block_rows:
            self._hurry.set()

    def owe_bus(self, owed: Owed) -> None:
        """Takes on what the history has already."""
        self.debt.unpublished.append(owed)
        self._to_publish.set()
        self.written = owed.number

    @property
    def settled(self) -> int:
        """The highest outbox number that is both published and in the history."""
        return min(self.published, self.written)

    async def publish_forever(self) -> None:
        """Publishes changes as soon as they are committed."""
        while True:
            while not self.debt.unpublished:
                self._to_publish.clear()
                await self._to_publish.wait()
            owed = self._next_to_publish()
            await self._retry("bus", lambda owed=owed: self._publish(owed))
            for _ in owed:
                self.debt.unpublished.popleft().parts = ()  # the history may be far behind
            self.published = owed[-1].number

    def _next_to_publish(self) -> list[Owed]:
        owed: list[Owed] = []
        messages = 0
        for one in self.debt.unpublished:
            messages += len(one.batches) + len(one.notes) + len(one.parts) + 1
            if owed and messages > _MOST_ON_THE_WAY:
                break
            owed.append(one)
        return owed

    async def _publish(self, owed: Sequence[Owed]) -> None:
        await asyncio.gather(*(send for one in owed for send in self._messages(one)))

    def _messages(self, owed: Owed) -> list[Awaitable[int]]:
        publish, name = self._bus.publish, f"{self.store}-{owed.number}"
        encode = msgspec.msgpack.encode
        return [
            *(
                publish(
                    entity_changes_subject(tenant),
                    part,
                    KEEPER,
                    key=f"chg-{name}-{tenant}-{place}",
                )
                for place, (tenant, part) in enumerate(owed.parts)
            ),
            *(
                publish(observed_subject(batch.tenant), message.data, KEEPER, key=f"obs-{message.position}")
                for message, batch in owed.batches
            ),
            *(
                publish(record_subject(note.kind), encode(note), KEEPER, key=f"rec-{name}-{place}")
                for place, note in enumerate(owed.notes)
            ),
        ]

    async def write_forever(self, announce: Callable[[int, int], Awaitable[None]]) -> None:
        """Writes history block by block; ``announce`` commits a block's first and last number before."""
        while True:
            await self._wait_for_block()
            block = self._next_block()
            if not block[0].alone and any(owed.rows for owed in block):
                await announce(block[0].number, block[-1].number)
            await self.write(block)

    async def write(self, block: Sequence[Owed]) -> None:
        """Inserts one block and drops it from the debt."""
        await self._retry("history", lambda: self._history.insert(_history_block(self.store, block)))
        for owed in block:
            if self.debt.unwritten and self.debt.unwritten[0].number == owed.number:
                self.debt.unwritten.popleft()
                self.debt.rows -= owed.rows
        self.written = block[-1].number
        async with self._progress:
            self._progress.notify_all()

    async def settle(self) -> None:
        """Waits until everything owed by now is in the history."""
        last = self.debt.unwritten[-1].number if self.debt.unwritten else 0
        if last:
            self._hurry.set()
        async with self._progress:
            await self._progress.wait_for(lambda: self.written >= last)

    async def _wait_for_block(self) -> None:
        while not self.debt.unwritten:
            self._to_write.clear()
            await self._to_write.wait()
        if not self.debt.unwritten[0].alone and self.debt.rows < self._block_rows:
            # wait_for of Python 3.11 can swallow the cancellation by stop()
            with suppress(TimeoutError):
                async with asyncio.timeout(self._linger_s):
                    await self._hurry.wait()
        self._hurry.clear()

    def _next_block(self) -> list[Owed]:
        block: list[Owed] = []
        rows = 0
        for owed in self.debt.unwritten:
            rows += owed.rows
            if block and (owed.alone or block[0].alone or rows > 2 * self._block_rows):
                break
            block.append(owed)
        return block

    async def _retry(self, part: str, act: Callable[[], Awaitable[_Result]]) -> _Result:
        pause = 0.1
        while True:
            try:
                result = await act()
            except Unavailable as error:
                if self.behind != part:
                    _log.warning("%s does not answer, trying again: %s", part, error)
                self.behind = part
                await asyncio.sleep(pause)
                pause = min(pause * 2, 5.0)
            else:
                if self.behind == part:
                    self.behind = ""
                return result


def _history_block(store: str, block: Sequence[Owed]) -> HistoryBlock:
    changes = [one for owed in block for one in owed.changes]
    prepared = list({id(one.rows): one.rows for one in changes if one.rows is not None}.values())
    return HistoryBlock(
        f"{store}-{block[0].number}-{block[-1].number}",
        [batch for owed in block for _, batch in owed.batches],
        [instance for one in changes for instance in one.instances],
        [rows for rows in prepared if isinstance(rows, InstanceRows)],
        [rows for rows in prepared if isinstance(rows, InstanceSheet)],
    )


def messages_of(changes: Sequence[Changed]) -> list[tuple[str, bytes]]:
    """Returns the changes by tenant as messages; no message grows past what the bus carries."""
    by_tenant: defaultdict[str, list[ChangeRecord]] = defaultdict(list)
    for one in changes:
        by_tenant[one.record.tenant].append(one.record)
    return [
        (tenant, encode_changes(records[start : start + _CHANGES_EACH]))
        for tenant, records in by_tenant.items()
        for start in range(0, len(records), _CHANGES_EACH)
    ]

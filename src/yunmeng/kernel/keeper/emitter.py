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
from hashlib import blake2b
from typing import TypeVar

import msgspec

from yunmeng.kernel.base import Broken, Unavailable, instant_us
from yunmeng.kernel.keeper.intake import retake
from yunmeng.kernel.keeper.writes import MEMBERS
from yunmeng.kernel.link import Bus, Message, entity_changes_subject, observed_subject, record_subject
from yunmeng.kernel.model import EXPIRY, NULL, VALUE_MEMBERS, Change, Document, ObservationBatch
from yunmeng.kernel.store import History, HistoryBlock, Instance, OutboxItem
from yunmeng.kernel.trust import Principal

CHANGES, OBSERVED, BLOCK, RECORDS = "changes", "observed", "observed-block", "records"
KEEPER = Principal("urn:yunmeng:service:keeper", kind="service", roles=("service",))

_CHANGES_EACH = 250
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


_changes = msgspec.msgpack.Decoder(list[Change])
_observed = msgspec.msgpack.Decoder(list[Observed])
_notes = msgspec.msgpack.Decoder(list[RecordNote])


@dataclass(slots=True)
class Owed:
    """An outbox item with what it stands for, unpacked."""

    number: int
    changes: Sequence[Change] = ()
    notes: Sequence[RecordNote] = ()
    batches: Sequence[tuple[Message, ObservationBatch]] = ()
    alone: bool = False
    rows: int = field(init=False)
    """About how many values the history receives."""

    def __post_init__(self) -> None:
        observed = sum(len(batch) for _, batch in self.batches)
        self.rows = observed + sum(len(change.attributes) for change in self.changes)


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
        return Owed(item.number, changes=_changes.decode(item.body))
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


def instances_of(change: Change) -> list[Instance]:
    """Returns what a change adds to the temporal evolution of its entity."""
    return [
        _instance(change, attribute, instance)
        for attribute in change.attributes
        if attribute not in MEMBERS
        for instance in _touched(change, attribute) or [{}]
    ] + _scope_of(change)


def _scope_of(change: Change) -> list[Instance]:
    """Returns the scope as an instance of a Property when the change sets or removes it (§4.5.6)."""
    if "scope" not in change.attributes and not (change.kind == "created" and "scope" in change.after):
        return []
    scopes: list[str] = change.after.get("scope", [])
    body: Document = {
        "type": "Property",
        "value": scopes[0] if len(scopes) == 1 else scopes,
        "observedAt": change.at,
        "createdAt": change.at,
        "modifiedAt": change.at,
    }
    if not scopes:
        body["deletedAt"] = change.at
    one = _instance(change, "scope", body)
    return [one if scopes else msgspec.structs.replace(one, deleted=True)]


def _touched(change: Change, attribute: str) -> list[Document]:
    return [i for i in change.after.get(attribute, ()) if i.get("modifiedAt") == change.at]


def _instance(change: Change, attribute: str, instance: Document) -> Instance:
    deleted = not instance
    if deleted:
        instance = _gone(change, attribute)
    return Instance(
        change.tenant,
        change.entity,
        change.types[0] if change.types else "",
        change.division,
        attribute,
        instance.get("datasetId", ""),
        instant_us(instance["observedAt"]) if "observedAt" in instance else 0,
        instant_us(change.at),
        msgspec.json.encode(instance),
        _instance_id(change, attribute, instance),
        deleted=deleted,
    )


def _gone(change: Change, attribute: str) -> Document:
    """Returns what the evolution keeps of an attribute that was deleted (§4.5.0, §4.8)."""
    instances: list[Document] = change.before.get(attribute, [])
    before: Document = instances[0] if instances else {}
    kind: str = before.get("type", "Property")
    # what was to expire leaves nothing behind, not even that it is gone (§4.22)
    expiry = {EXPIRY: before[EXPIRY]} if EXPIRY in before else {}
    return {
        **expiry,
        "type": kind,
        VALUE_MEMBERS[kind]: NULL,
        "createdAt": before.get("createdAt", change.at),
        "modifiedAt": change.at,
        "deletedAt": change.at,
    }


def _instance_id(change: Change, attribute: str, instance: Document) -> str:
    """Returns the same id for the same instance whenever it is emitted, so that a replay stays one block."""
    facts = (change.tenant, change.entity, attribute, instance.get("datasetId", ""), change.at)
    return f"urn:ngsi-ld:Instance:{blake2b(chr(0).join(facts).encode(), digest_size=12).hexdigest()}"


class Emitter:
    """Pays what the outbox owes, in order."""

    def __init__(self, bus: Bus, history: History, linger_s: float, block_rows: int) -> None:
        self._bus = bus
        self._history = history
        self._linger_s = linger_s
        self._block_rows = block_rows
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
                self.debt.unpublished.popleft()
            self.published = owed[-1].number

    def _next_to_publish(self) -> list[Owed]:
        owed: list[Owed] = []
        messages = 0
        for one in self.debt.unpublished:
            messages += len(one.batches) + len(one.notes) + len(one.changes) // _CHANGES_EACH + 1
            if owed and messages > _MOST_ON_THE_WAY:
                break
            owed.append(one)
        return owed

    async def _publish(self, owed: Sequence[Owed]) -> None:
        await asyncio.gather(*(send for one in owed for send in self._messages(one)))

    def _messages(self, owed: Owed) -> list[Awaitable[int]]:
        by_tenant: defaultdict[str, list[Change]] = defaultdict(list)
        for change in owed.changes:
            by_tenant[change.tenant].append(change)
        publish, name = self._bus.publish, f"{self.store}-{owed.number}"
        encode = msgspec.msgpack.encode
        return [
            *(
                publish(
                    entity_changes_subject(tenant),
                    encode(part),
                    KEEPER,
                    key=f"chg-{name}-{tenant}-{place}",
                )
                for tenant, changes in by_tenant.items()
                for place, part in enumerate(_parts(changes))
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
    return HistoryBlock(
        f"{store}-{block[0].number}-{block[-1].number}",
        [batch for owed in block for _, batch in owed.batches],
        [instance for owed in block for change in owed.changes for instance in instances_of(change)],
    )


def _parts(changes: list[Change], most: int = _CHANGES_EACH) -> list[list[Change]]:
    """Splits so that no message grows past what the bus carries."""
    return [changes[start : start + most] for start in range(0, len(changes), most)]

"""The keeper: the single writer of a node's own data (DESIGN §4).

It groups write requests and observations into one transaction, remembers the stream position in that same
transaction, answers and acknowledges only after the commit, and pays the outbox afterwards. It can be killed
at any moment: what was answered is there, and what was not acknowledged comes again and is stored once.
"""

import asyncio
import logging
import sys
import time
from collections import deque
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

import msgspec

from yunmeng.kernel.base import Settings, Unavailable, YunmengError, format_us, now_us
from yunmeng.kernel.keeper.emitter import (
    BLOCK,
    CHANGES,
    KEEPER,
    OBSERVED,
    RECORDS,
    Emitter,
    Observed,
    Owed,
    RecordNote,
    unpack,
)
from yunmeng.kernel.keeper.expiry import Expiries
from yunmeng.kernel.keeper.intake import KnownEntities, Taken, quarantine, take
from yunmeng.kernel.keeper.requests import (
    EVOLVE,
    FLUSH,
    PURGE_HISTORY,
    WRITE,
    EvolveRequest,
    PurgeHistoryRequest,
    RecordsRequest,
    WriteReply,
    WriteRequest,
    evolution_tenant,
)
from yunmeng.kernel.keeper.requests import (
    RECORDS as RECORDS_SUBJECT,
)
from yunmeng.kernel.keeper.writes import Writer, Written
from yunmeng.kernel.link import Bus, Consumer, Message, Request
from yunmeng.kernel.model import DIVISION, SYNTHETIC, Change, Document, Expire, Series
from yunmeng.kernel.store import (
    Commit,
    EntityRemoval,
    History,
    HistoryBlock,
    OutboxItem,
    Record,
    StateWriter,
)
from yunmeng.kernel.trust import Reach

_log = logging.getLogger("yunmeng.keeper")
_write_request = msgspec.msgpack.Decoder(WriteRequest)
_records_request = msgspec.msgpack.Decoder(RecordsRequest)
_purge_request = msgspec.msgpack.Decoder(PurgeHistoryRequest)
_evolve_request = msgspec.msgpack.Decoder(EvolveRequest)
_encode = msgspec.msgpack.Encoder().encode

ANNOUNCED = ("keeper", "", "history-block")
STORE_ID = ("keeper", "", "store-id")
MOST_WAITING = 10_000
# The state's thread takes the interpreter's lock again for every row that it writes, and a busy loop gives it
# away only this often: with Python's 5 ms a commit of 20,000 rows was seen to take 2 s rather than 0.02 s.
SWITCH_S = 0.000_05
MOST_OWED_ROWS = 200_000
# an entity is to be gone within 2 s of its expiry
_EXPIRY_PACE_S = 0.5


class _Block(msgspec.Struct, frozen=True):
    first: int
    last: int


@dataclass(slots=True)
class _Waiting:
    """A request that is answered after the commit."""

    request: WriteRequest | RecordsRequest
    principal: str
    answer: "asyncio.Future[bytes]"


@dataclass(slots=True)
class _Round:
    """Everything that goes into one commit."""

    waiting: list[_Waiting]
    taken: list[tuple[Message, Taken]]
    block: _Block | None
    commit: Commit = field(default_factory=Commit)
    written: Written = field(default_factory=Written)
    notes: list[RecordNote] = field(default_factory=list[RecordNote])


class Keeper:
    """Serves ``keeper.*`` requests and drains the OBS stream into state and history."""

    def __init__(self, bus: Bus, state: StateWriter, history: History, settings: Settings) -> None:
        self._bus = bus
        self._state = state
        self._history = history
        self._linger_s = settings.keeper.linger_ms / 1000
        self._batch = settings.keeper.batch
        self._tolerance_us = settings.keeper.future_tolerance_s * 1_000_000
        self._writer = Writer(state, settings.node.division)
        self._known = KnownEntities(state)
        self._expiries = Expiries()
        self._emitter = Emitter(bus, history, self._linger_s, self._batch)
        self._waiting: deque[_Waiting] = deque()
        self._taken: deque[tuple[Message, Taken]] = deque()
        self._taken_rows = 0
        self._taken_since = 0.0
        self._block: _Block | None = None
        self._block_committed = asyncio.Event()
        self._wake = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []
        self._consumer: Consumer | None = None
        self._position = 0
        self._committed = 0
        self._flushing = 0
        self._dropped = 0
        self._acked = 0
        self._recovered = 0
        self._skipped = 0
        self._last_us = 0
        self._unacked: deque[tuple[int, int]] = deque()
        self.committed_rows = 0

    async def start(self) -> None:
        """Pays what an earlier run left in the outbox, then begins to serve and to drain."""
        sys.setswitchinterval(SWITCH_S)
        self._position = self._committed = await self._state.position("OBS")
        self._emitter.store = await self._store_id()
        await self._recover()
        await self._expiries.load(self._state)
        self._consumer = await self._bus.consumer("OBS", "keeper")
        await self._bus.serve(WRITE, self._on_write)
        await self._bus.serve(RECORDS_SUBJECT, self._on_records)
        await self._bus.serve(PURGE_HISTORY, self._on_purge)
        await self._bus.serve(FLUSH, self._on_flush)
        await self._bus.serve(EVOLVE, self._on_evolve)
        for work in (
            self._drain(self._consumer),
            self._commit_forever(),
            self._emitter.publish_forever(),
            self._emitter.write_forever(self._announce),
            self._acknowledge_forever(self._consumer),
            self._expire_forever(),
        ):
            self._tasks.append(asyncio.create_task(work))

    async def run(self) -> None:
        """Runs until :meth:`stop`; raises what ended it otherwise."""
        done, _ = await asyncio.wait(self._tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            if not task.cancelled():
                task.result()

    async def stop(self) -> None:
        """Stops at once; what is not yet emitted stays in the outbox."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._consumer is not None:
            await self._consumer.close()

    async def _store_id(self) -> str:
        """Names this state for good, so that its history blocks are told from those of another."""
        record = await self._state.record(*STORE_ID)
        if record is not None:
            return record.body.decode()
        name = uuid4().hex
        await self._state.commit(Commit(records=[Record(*STORE_ID, name.encode(), now_us())]))
        return name

    async def _recover(self) -> None:
        """Sends the block that was announced before a crash once more, unchanged, then owes the rest."""
        record = await self._state.record(*ANNOUNCED)
        announced = msgspec.json.decode(record.body, type=_Block) if record else _Block(0, 0)
        owed: list[Owed] = []
        while items := [i for i in await self._state.outbox(1000) if not owed or i.number > owed[-1].number]:
            owed.extend([await unpack(item, self._bus) for item in items])
            if len(items) < 1000:
                break
        before = owed[0].number - 1 if owed else await self._state.commit(Commit())
        self._emitter.published = self._emitter.written = self._dropped = before
        self._recovered = owed[-1].number if owed else before
        # A block is announced when the history has everything before it, and its items are dropped only when
        # the history has all of it.
        have = announced.last if announced.first <= before else announced.first - 1
        for one in owed:
            if one.number <= have:
                self._emitter.owe_bus(one)
            else:
                self._emitter.owe(one)
        block = [one for one in owed if have < one.number <= announced.last]
        if block:
            await self._emitter.write(block)

    async def _on_write(self, request: Request) -> bytes:
        return await self._enqueue(_write_request.decode(request.data), request.principal.id)

    async def _on_records(self, request: Request) -> bytes:
        return await self._enqueue(_records_request.decode(request.data), request.principal.id)

    async def _enqueue(self, request: WriteRequest | RecordsRequest, principal: str) -> bytes:
        if len(self._waiting) >= MOST_WAITING or self._emitter.debt.rows > 2 * MOST_OWED_ROWS:
            raise Unavailable("keeper.busy", waiting=len(self._waiting))
        return await self._after_commit(request, principal)

    async def _after_commit(self, request: WriteRequest | RecordsRequest, principal: str) -> bytes:
        waiting = _Waiting(request, principal, asyncio.get_running_loop().create_future())
        self._waiting.append(waiting)
        self._wake.set()
        return await waiting.answer

    async def _on_purge(self, request: Request) -> bytes:
        purge = _purge_request.decode(request.data)
        await self._flush()
        await self._history.delete(
            purge.tenant, purge.entity, purge.attribute, purge.instance_id, purge.dataset_id
        )
        if not purge.attribute:
            heads = evolution_tenant(purge.tenant)
            await self._after_commit(RecordsRequest(drop_heads=(purge.entity,), heads_tenant=heads), "")
        return b""

    async def _on_evolve(self, request: Request) -> bytes:
        asked = _evolve_request.decode(request.data)
        if asked.replaces:
            await self._flush()
            attribute = asked.instances[0].attribute
            await self._history.delete(asked.tenant, asked.entity, attribute, asked.replaces)
        if asked.instances:
            # what is written here has no outbox: it is answered only once the history has it
            await self._history.insert(HistoryBlock(uuid4().hex, instances=list(asked.instances)))
        if asked.head is None:
            return b""
        heads = RecordsRequest(heads=(asked.head,), heads_tenant=evolution_tenant(asked.tenant))
        return await self._enqueue(heads, request.principal.id)

    async def _on_flush(self, request: Request) -> bytes:
        await self._flush()
        return b""

    async def _flush(self) -> None:
        """Returns when everything that has come in by now is in state and history."""
        last = self._position
        self._flushing += 1
        try:
            await self._after_commit(RecordsRequest(), "")
            while self._committed < last:
                await self._after_commit(RecordsRequest(), "")
        finally:
            self._flushing -= 1
        await self._emitter.settle()

    async def _drain(self, consumer: Consumer) -> None:
        while True:
            if self._taken_rows > 4 * self._batch or self._emitter.debt.rows > MOST_OWED_ROWS:
                await asyncio.sleep(0.01)
                continue
            now = now_us()
            for message in await consumer.fetch(16, 1.0):
                if message.position > self._position:
                    self._position = message.position
                    self._take(message, now)
                else:
                    self._skipped = message.position
                # Unpacking takes a while: requests and commits have their turn between two messages.
                await asyncio.sleep(0)

    def _take(self, message: Message, now: int) -> None:
        taken = take(message, now, self._tolerance_us)
        if not self._taken:
            self._taken_since = time.monotonic()
            self._wake.set()
        self._taken.append((message, taken))
        self._taken_rows += taken.rows
        if self._taken_rows >= self._batch:
            self._wake.set()

    def _due(self) -> bool:
        """Tells whether the observations have lingered long enough, or are enough."""
        if not self._taken:
            return False
        lingered = time.monotonic() >= self._taken_since + self._linger_s
        return lingered or self._taken_rows >= self._batch or self._flushing > 0

    async def _commit_forever(self) -> None:
        while True:
            await self._wait_for_work()
            round_ = self._next_round()
            try:
                await self._commit(round_)
            except YunmengError as error:
                await self._refuse(round_, error)

    async def _wait_for_work(self) -> None:
        """Returns at once for requests; observations linger for company, and the dropping of what is paid."""
        idle_since = time.monotonic()
        while not self._waiting and self._block is None and not self._due():
            until = self._taken_since + self._linger_s if self._taken else 0.0
            if self._emitter.settled > self._dropped and not self._taken:
                until = idle_since + 2 * self._linger_s
                if time.monotonic() >= until:
                    return
            self._wake.clear()
            timeout = until - time.monotonic() if until else 0.25
            # wait_for of Python 3.11 can swallow the cancellation by stop()
            with suppress(TimeoutError):
                async with asyncio.timeout(max(timeout, 0.001)):
                    await self._wake.wait()

    def _next_round(self) -> _Round:
        waiting = [self._waiting.popleft() for _ in range(min(len(self._waiting), 500))]
        taken: list[tuple[Message, Taken]] = []
        rows = 0
        if self._due():
            while self._taken and rows < 2 * self._batch:
                taken.append(self._taken.popleft())
                rows += taken[-1][1].rows
            self._taken_rows -= rows
        block, self._block = self._block, None
        return _Round(waiting, taken, block)

    async def _commit(self, round_: _Round) -> None:
        await self._fill(round_)
        highest = await self._state.commit(round_.commit)
        self._dropped = max(self._dropped, round_.commit.emitted)
        self._after(round_, highest)

    async def _fill(self, round_: _Round) -> None:
        commit = round_.commit
        at = self._last_us = max(now_us(), self._last_us + 1)
        writes = [(w.request, w.principal) for w in round_.waiting if isinstance(w.request, WriteRequest)]
        if writes:
            round_.written = await self._writer.carry_out(writes, at)
            self._last_us += sum(len(request.operations) for request, _ in writes)
            self._writer.store(round_.written, commit)
            for (tenant, id), document in round_.written.touched.items():
                self._expiries.note(commit, tenant, id, document, at)
            self._note_known(round_.written)
        self._fill_records(round_, at)
        await self._fill_observations(round_, at)
        if round_.block is not None:
            commit.records.append(Record(*ANNOUNCED, msgspec.json.encode(round_.block), at))
        commit.emitted = self._emitter.settled
        commit.outbox = self._outbox(round_)

    def _note_known(self, written: Written) -> None:
        for (tenant, id), document in written.touched.items():
            if document is None:
                self._known.drop(tenant, id)

    def _fill_records(self, round_: _Round, at: int) -> None:
        for waiting in round_.waiting:
            if isinstance(waiting.request, RecordsRequest):
                for put in waiting.request.puts:
                    round_.commit.records.append(Record(put.kind, put.tenant, put.id, put.body, at))
                    round_.notes.append(RecordNote(put.kind, put.tenant, put.id))
                for kind, tenant, id in waiting.request.drops:
                    round_.commit.drop_records.append((kind, tenant, id))
                    round_.notes.append(RecordNote(kind, tenant, id, dropped=True))
                self._fill_heads(round_.commit, waiting.request)

    def _fill_heads(self, commit: Commit, request: RecordsRequest) -> None:
        tenant = request.heads_tenant
        commit.puts.extend(self._writer.put(tenant, head) for head in request.heads)
        commit.removals.extend(EntityRemoval(tenant, id) for id in request.drop_heads)

    async def _fill_observations(self, round_: _Round, at: int) -> None:
        commit = round_.commit
        for _, taken in round_.taken:
            refused = quarantine(taken, at)
            commit.records.extend(refused)
            round_.notes.extend(RecordNote(record.kind, record.tenant, record.id) for record in refused)
            if taken.batch is not None and len(taken.batch):
                await self._make_entities(round_, taken.batch.tenant, taken.batch.series, at)
                commit.observations.append(taken.batch)
        if round_.taken:
            commit.positions["OBS"] = round_.taken[-1][0].position

    async def _make_entities(self, round_: _Round, tenant: str, series: tuple[Series, ...], at: int) -> None:
        touched = round_.written.touched
        gone = {id for (owner, id), document in touched.items() if document is None and owner == tenant}
        for entity, row in (await self._known.unknown(tenant, series, gone)).items():
            if touched.get((tenant, entity)) is None:
                document = _first_document(row, at)
                round_.commit.puts.append(self._writer.put(tenant, document))
                round_.written.changes.append(
                    Change(
                        tenant, entity, (row.type,), row.division, format_us(at), "created", after=document
                    )
                )
            self._known.add(tenant, entity)

    def _outbox(self, round_: _Round) -> list[OutboxItem]:
        items: list[OutboxItem] = []
        if round_.written.changes:
            items.append(OutboxItem(CHANGES, _encode(round_.written.changes)))
        if round_.notes:
            items.append(OutboxItem(RECORDS, _encode(round_.notes)))
        if round_.taken:
            observed = [Observed(taken.position, taken.rejected) for _, taken in _stored(round_)]
            if observed:
                # Rounds without requests are paced by the linger, so they make blocks that are large enough.
                rows = sum(taken.rows for _, taken in round_.taken)
                alone = not round_.waiting or rows >= self._batch
                items.append(OutboxItem(BLOCK if alone else OBSERVED, _encode(observed)))
        return items

    def _after(self, round_: _Round, highest: int) -> None:
        items = round_.commit.outbox
        for number, item in enumerate(items, highest - len(items) + 1):
            self._emitter.owe(self._owed(round_, item.topic, number))
        if round_.taken:
            self._committed = round_.taken[-1][0].position
            self._unacked.append((highest, self._committed))
        if round_.block is not None:
            self._block_committed.set()
        self.committed_rows += sum(len(batch) for batch in round_.commit.observations)
        self._answer(round_)

    def _owed(self, round_: _Round, topic: str, number: int) -> Owed:
        if topic == CHANGES:
            return Owed(number, changes=round_.written.changes)
        if topic == RECORDS:
            return Owed(number, notes=round_.notes)
        batches = [(message, taken.batch) for message, taken in _stored(round_) if taken.batch is not None]
        return Owed(number, batches=batches, alone=topic == BLOCK)

    def _answer(self, round_: _Round) -> None:
        replies = iter(round_.written.replies)
        for waiting in round_.waiting:
            reply = next(replies) if isinstance(waiting.request, WriteRequest) else WriteReply(())
            if not waiting.answer.done():
                waiting.answer.set_result(_encode(reply))

    async def _refuse(self, round_: _Round, error: YunmengError) -> None:
        """Nothing was stored: tells the callers, and keeps the observations for the next round."""
        _log.error("the commit failed: %s", error)
        for waiting in round_.waiting:
            if not waiting.answer.done():
                waiting.answer.set_exception(error)
        self._taken.extendleft(reversed(round_.taken))
        self._taken_rows += sum(taken.rows for _, taken in round_.taken)
        self._known.clear()
        self._block = round_.block
        await asyncio.sleep(1.0)

    async def _announce(self, first: int, last: int) -> None:
        self._block_committed.clear()
        self._block = _Block(first, last)
        self._wake.set()
        await self._block_committed.wait()

    async def _expire_forever(self) -> None:
        while True:
            await asyncio.sleep(_EXPIRY_PACE_S)
            due = self._expiries.due(now_us())
            for tenant in {tenant for tenant, _ in due}:
                ids = [id for owner, id in due if owner == tenant]
                request = WriteRequest(Reach(tenant), tuple(Expire(id) for id in ids))
                try:
                    await self._after_commit(request, KEEPER.id)
                except YunmengError as error:
                    _log.warning("what has expired stays a little longer: %s", error)
                    for id in ids:
                        self._expiries.later(tenant, id)

    async def _acknowledge_forever(self, consumer: Consumer) -> None:
        """Acknowledges observations once the outbox has dropped them: a recovery reads no others again."""
        while True:
            reached = self._skipped if self._dropped >= self._recovered else 0
            while self._unacked and self._unacked[0][0] <= self._dropped:
                reached = self._unacked.popleft()[1]
            if reached > self._acked:
                self._acked = reached
                await consumer.ack(reached)
            await asyncio.sleep(0.05)


def _stored(round_: _Round) -> list[tuple[Message, Taken]]:
    return [(message, taken) for message, taken in round_.taken if taken.batch is not None and taken.rows]


def _first_document(series: Series, at: int) -> Document:
    """The entity that an observation of an unknown one makes."""
    now = format_us(at)
    document: dict[str, Any] = {
        "id": series.entity,
        "type": [series.type],
        "createdAt": now,
        "modifiedAt": now,
        DIVISION: [{"type": "Property", "value": series.division, "createdAt": now, "modifiedAt": now}],
    }
    if series.synthetic:
        document[SYNTHETIC] = [{"type": "Property", "value": True, "createdAt": now, "modifiedAt": now}]
    return document

"""Rounds: everything that goes into one commit, and what the commit leaves owed."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

import msgspec

from yunmeng.kernel.base import Conflict, YunmengError, format_us, now_us
from yunmeng.kernel.keeper.changes import Changed
from yunmeng.kernel.keeper.emitter import (
    BLOCK,
    CHANGES,
    OBSERVED,
    RECORDS,
    Observed,
    Owed,
    RecordNote,
    messages_of,
)
from yunmeng.kernel.keeper.expiry import Expiries
from yunmeng.kernel.keeper.intake import KnownEntities, Taken, quarantine
from yunmeng.kernel.keeper.quarantine import QuarantineLimit
from yunmeng.kernel.keeper.requests import RecordsRequest, SentWrite, WritesReply, WritesRequest
from yunmeng.kernel.keeper.writes import Writer, Written
from yunmeng.kernel.link import Message
from yunmeng.kernel.model import DIVISION, SYNTHETIC, ChangeRecord, Document, Series
from yunmeng.kernel.store import Commit, EntityRemoval, OutboxItem, Record, StateWriter

ANNOUNCED = ("keeper", "", "history-block")

_encode = msgspec.msgpack.Encoder().encode


class Block(msgspec.Struct, frozen=True):
    """The first and the last outbox number of a history block that is about to be inserted."""

    first: int
    last: int


@dataclass(slots=True)
class Waiting:
    """A request that is answered after the commit."""

    request: WritesRequest | RecordsRequest
    answer: "asyncio.Future[WritesReply]"

    def refuse(self, error: YunmengError) -> None:
        """Answers with an error."""
        if not self.answer.done():
            self.answer.set_exception(error)


@dataclass(slots=True)
class Round:
    """Everything that goes into one commit."""

    waiting: list[Waiting]
    taken: list[tuple[Message, Taken]]
    block: Block | None
    commit: Commit = field(default_factory=Commit)
    written: Written = field(default_factory=Written)
    notes: list[RecordNote] = field(default_factory=list[RecordNote])
    parts: list[tuple[str, bytes]] = field(default_factory=list[tuple[str, bytes]])

    def writes(self) -> list[SentWrite]:
        """Returns the write requests in their order."""
        return [
            write
            for waiting in self.waiting
            if isinstance(waiting.request, WritesRequest)
            for write in waiting.request.writes
        ]

    def stored(self) -> list[tuple[Message, Taken]]:
        """Returns the messages of which something is stored."""
        return [pair for pair in self.taken if pair[1].batch is not None and pair[1].rows]

    def owed(self, highest: int) -> list[Owed]:
        """Returns what the commit left owed, when ``highest`` is its last outbox number."""
        items = self.commit.outbox
        return [self._owed(item.topic, n) for n, item in enumerate(items, highest - len(items) + 1)]

    def _owed(self, topic: str, number: int) -> Owed:
        if topic == CHANGES:
            return Owed(number, changes=self.written.changes, parts=self.parts)
        if topic == RECORDS:
            return Owed(number, notes=self.notes)
        batches = [(message, taken.batch) for message, taken in self.stored() if taken.batch is not None]
        return Owed(number, batches=batches, alone=topic == BLOCK)

    def answer(self) -> None:
        """Answers the requests, once the commit is there."""
        replies = iter(self.written.replies)
        for waiting in self.waiting:
            asked = waiting.request.writes if isinstance(waiting.request, WritesRequest) else ()
            reply = WritesReply(tuple(islice(replies, len(asked))))
            if not waiting.answer.done():
                waiting.answer.set_result(reply)


class Filler:
    """Fills the commit of a round with what its requests and observations lead to.

    ``block_rows`` are enough for a history block of their own.
    """

    def __init__(
        self,
        state: StateWriter,
        home_division: str,
        block_rows: int,
        expiries: Expiries,
        quarantine_limit: QuarantineLimit,
    ) -> None:
        self._state = state
        self._writer = Writer(state, home_division)
        self._known = KnownEntities(state)
        self._block_rows = block_rows
        self._expiries = expiries
        self._quarantine_limit = quarantine_limit
        self._last_us = 0

    async def fill(self, round_: Round, settled: int) -> None:
        """Fills the commit; outbox items up to ``settled`` are dropped by it."""
        commit = round_.commit
        at = self._last_us = max(now_us(), self._last_us + 1)
        writes = round_.writes()
        if writes:
            round_.written = await self._writer.carry_out(writes, at)
            self._last_us = round_.written.last_us
            self._writer.store(round_.written, commit)
            for (tenant, id), version in round_.written.touched.items():
                self._expiries.note(commit, tenant, id, version.expires if version is not None else 0, at)
            self._note_known(round_.written)
        await self._fill_records(round_, at)
        await self._fill_observations(round_, at)
        round_.notes.extend(await self._quarantine_limit.hold(commit, at))
        if round_.block is not None:
            commit.records.append(Record(*ANNOUNCED, msgspec.json.encode(round_.block), at))
        commit.emitted = settled
        commit.outbox = self._outbox(round_)

    def forget(self) -> None:
        """Asks the store again what exists, after a commit that failed."""
        self._known.clear()
        self._quarantine_limit.forget()

    def _note_known(self, written: Written) -> None:
        for (tenant, id), version in written.touched.items():
            if version is None:
                self._known.drop(tenant, id)

    async def _fill_records(self, round_: Round, at: int) -> None:
        fresh: dict[tuple[str, str, str], bytes] = {}
        for waiting in round_.waiting:
            request = waiting.request
            if not isinstance(request, RecordsRequest):
                continue
            if (changed := await self._changed(request, fresh)) is not None:
                waiting.refuse(Conflict("entity.changed", id=changed))
                continue
            for put in request.puts:
                round_.commit.records.append(Record(put.kind, put.tenant, put.id, put.body, at))
                round_.notes.append(RecordNote(put.kind, put.tenant, put.id))
                if fresh.get(put_key := (put.kind, put.tenant, put.id)) == b"":
                    round_.commit.drop_records.remove(put_key)
                fresh[put_key] = put.body
            for drop in request.drops:
                if fresh.get(drop) != b"":
                    round_.commit.drop_records.append(drop)
                round_.notes.append(RecordNote(*drop, dropped=True))
                fresh[drop] = b""
            self._fill_heads(round_.commit, request, at)

    async def _changed(
        self, request: RecordsRequest, fresh: Mapping[tuple[str, str, str], bytes]
    ) -> str | None:
        """Returns the id of a record that is not what is expected; ``fresh`` are those of the round."""
        for put in request.puts:
            if put.expected is None:
                continue
            key = (put.kind, put.tenant, put.id)
            stored = None if key in fresh else await self._state.record(*key)
            current = fresh.get(key, stored.body if stored is not None else b"")
            if current != put.expected:
                return put.id
        return None

    def _fill_heads(self, commit: Commit, request: RecordsRequest, at: int) -> None:
        tenant = request.heads_tenant
        commit.puts.extend(self._writer.put(tenant, head) for head in request.heads)
        commit.removals.extend(EntityRemoval(tenant, id) for id in request.drop_heads)
        for id in request.drop_heads:
            self._expiries.note(commit, tenant, id, 0, at)

    async def _fill_observations(self, round_: Round, at: int) -> None:
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

    async def _make_entities(self, round_: Round, tenant: str, series: tuple[Series, ...], at: int) -> None:
        touched = round_.written.touched
        gone = {id for (owner, id), version in touched.items() if version is None and owner == tenant}
        for entity, row in (await self._known.unknown(tenant, series, gone)).items():
            if touched.get((tenant, entity)) is None:
                document = _first_document(row, at)
                put = self._writer.put(tenant, document)
                round_.commit.puts.append(put)
                record = ChangeRecord(
                    tenant, entity, put.types, row.division, format_us(at), "created", (), put.body, b"", ""
                )
                round_.written.changes.append(Changed(record))
            self._known.add(tenant, entity)

    def _outbox(self, round_: Round) -> list[OutboxItem]:
        items: list[OutboxItem] = []
        if round_.written.changes:
            round_.parts = messages_of(round_.written.changes)
            items.append(OutboxItem(CHANGES, _encode(round_.parts)))
        if round_.notes:
            items.append(OutboxItem(RECORDS, _encode(round_.notes)))
        observed = [Observed(taken.position, taken.rejected) for _, taken in round_.stored()]
        if observed:
            # Rounds without requests are paced by the linger, so they make blocks that are large enough.
            rows = sum(taken.rows for _, taken in round_.taken)
            alone = not round_.waiting or rows >= self._block_rows
            items.append(OutboxItem(BLOCK if alone else OBSERVED, _encode(observed)))
        return items


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

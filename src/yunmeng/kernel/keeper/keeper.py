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
from uuid import uuid4

import msgspec

from yunmeng.kernel.base import Settings, Unavailable, YunmengError, now_us
from yunmeng.kernel.keeper.drain import Drain
from yunmeng.kernel.keeper.emitter import KEEPER, Emitter
from yunmeng.kernel.keeper.expiry import Expiries
from yunmeng.kernel.keeper.quarantine import QuarantineLimit
from yunmeng.kernel.keeper.recovery import recover, resume, store_id
from yunmeng.kernel.keeper.requests import (
    EVOLVE,
    FLUSH,
    PURGE_HISTORY,
    RECORDS,
    WRITE,
    WRITES,
    EvolveRequest,
    PurgeHistoryRequest,
    RecordsRequest,
    SentWrite,
    WriteRequest,
    WritesReply,
    WritesRequest,
    decode_writes,
    evolution_tenant,
)
from yunmeng.kernel.keeper.rounds import Block, Filler, Round, Waiting
from yunmeng.kernel.link import Bus, Consumer, Request
from yunmeng.kernel.model import Expire
from yunmeng.kernel.store import History, HistoryBlock, StateWriter
from yunmeng.kernel.trust import Reach

_log = logging.getLogger("yunmeng.keeper")
_encode = msgspec.msgpack.Encoder().encode
_write_request = msgspec.msgpack.Decoder(WriteRequest)
_records_request = msgspec.msgpack.Decoder(RecordsRequest)
_purge_request = msgspec.msgpack.Decoder(PurgeHistoryRequest)
_evolve_request = msgspec.msgpack.Decoder(EvolveRequest)

MOST_WAITING = 10_000
# The state's thread takes the interpreter's lock again for every row that it writes, and a busy loop gives it
# away only this often: with Python's 5 ms a commit of 20,000 rows was seen to take 2 s rather than 0.02 s.
SWITCH_S = 0.000_05
MOST_OWED_ROWS = 200_000
# an entity is to be gone within 2 s of its expiry
_EXPIRY_PACE_S = 0.5
_FLUSH_PAUSE_S = 0.005


class Keeper:
    """Serves ``keeper.*`` requests and drains the OBS stream into state and history."""

    def __init__(self, bus: Bus, state: StateWriter, history: History, settings: Settings) -> None:
        self._bus = bus
        self._state = state
        self._history = history
        self._settings = settings.keeper
        self._linger_s = settings.keeper.linger_ms / 1000
        self._wake = asyncio.Event()
        self._drain = Drain(settings.keeper, self._wake)
        self._expiries = Expiries()
        limit = QuarantineLimit(state, settings.keeper)
        self._filler = Filler(state, settings.node.division, settings.keeper.batch, self._expiries, limit)
        self._emitter = Emitter(bus, history, self._linger_s, settings.keeper.batch)
        self._waiting: deque[Waiting] = deque()
        self._block: Block | None = None
        self._block_committed = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []
        self._consumer: Consumer | None = None
        self._flushing = 0
        self._dropped = 0
        self.committed_rows = 0

    async def start(self) -> None:
        """Pays what an earlier run left in the outbox, then begins to serve and to drain.

        Raises ``Broken("keeper.lost-observations")`` when the bus has lost what the history still lacks.
        """
        sys.setswitchinterval(SWITCH_S)
        await self._recover()
        await self._expiries.load(self._state)
        consumer = self._consumer = await self._bus.consumer("OBS", "keeper")
        await self._bus.serve(WRITE, self._on_write)
        await self._bus.serve(WRITES, self._on_writes)
        await self._bus.serve(RECORDS, self._on_records)
        await self._bus.serve(PURGE_HISTORY, self._on_purge)
        await self._bus.serve(FLUSH, self._on_flush)
        await self._bus.serve(EVOLVE, self._on_evolve)
        for work in (
            self._drain.run(consumer, lambda: self._emitter.debt.rows > MOST_OWED_ROWS),
            self._commit_forever(),
            self._emitter.publish_forever(),
            self._emitter.write_forever(self._announce),
            self._drain.acknowledge_forever(consumer, lambda: self._dropped),
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

    async def _recover(self) -> None:
        position, life = await resume(self._state, self._bus)
        self._drain.position = self._drain.committed = position
        self._emitter.store = await store_id(self._state)
        forgo = self._settings.forgo_lost
        self._drain.recovered = await recover(self._state, self._bus, self._emitter, life, forgo_lost=forgo)
        self._dropped = self._emitter.published

    async def _on_write(self, request: Request) -> bytes:
        write = SentWrite(request.principal.id, _write_request.decode(request.data))
        return _encode((await self._enqueue(WritesRequest((write,)))).replies[0])

    async def _on_writes(self, request: Request) -> bytes:
        return _encode(await self._enqueue(decode_writes(request.data)))

    async def _on_records(self, request: Request) -> bytes:
        await self._enqueue(_records_request.decode(request.data))
        return b""

    async def _enqueue(self, request: WritesRequest | RecordsRequest) -> WritesReply:
        if len(self._waiting) >= MOST_WAITING or self._emitter.debt.rows > 2 * MOST_OWED_ROWS:
            raise Unavailable("keeper.busy", waiting=len(self._waiting))
        return await self._after_commit(request)

    async def _after_commit(self, request: WritesRequest | RecordsRequest) -> WritesReply:
        waiting = Waiting(request, asyncio.get_running_loop().create_future())
        self._waiting.append(waiting)
        self._wake.set()
        return await waiting.answer

    async def _on_purge(self, request: Request) -> bytes:
        purge = _purge_request.decode(request.data)
        await self._flush()
        await self._history.delete(
            purge.tenant,
            purge.entity,
            purge.attribute,
            (purge.instance_id,) if purge.instance_id else (),
            purge.dataset_id,
        )
        if purge.entity is not None and not purge.attribute:
            heads = evolution_tenant(purge.tenant)
            await self._after_commit(RecordsRequest(drop_heads=(purge.entity,), heads_tenant=heads))
        return b""

    async def _on_evolve(self, request: Request) -> bytes:
        asked = _evolve_request.decode(request.data)
        if asked.replaces:
            await self._flush()
            await self._history.delete(asked.tenant, asked.entity, instances=asked.replaces)
        if asked.instances:
            # what is written here has no outbox: it is answered only once the history has it
            await self._history.insert(HistoryBlock(uuid4().hex, instances=list(asked.instances)))
        if asked.head is None:
            return b""
        heads = RecordsRequest(heads=(asked.head,), heads_tenant=evolution_tenant(asked.tenant))
        await self._enqueue(heads)
        return b""

    async def _on_flush(self, request: Request) -> bytes:
        await self._flush(int(request.data or b"0"))
        return b""

    async def _flush(self, position: int = 0) -> None:
        """Returns when all that was taken by now, and up to a stream position, is in state and history."""
        last = max(self._drain.position, position)
        self._flushing += 1
        try:
            await self._after_commit(RecordsRequest())
            while self._drain.committed < last:
                await asyncio.sleep(_FLUSH_PAUSE_S)
                await self._after_commit(RecordsRequest())
        finally:
            self._flushing -= 1
        await self._emitter.settle()

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
            until = self._drain.due_at
            if self._emitter.settled > self._dropped and not until:
                until = idle_since + 2 * self._linger_s
                if time.monotonic() >= until:
                    return
            self._wake.clear()
            timeout = until - time.monotonic() if until else 0.25
            # wait_for of Python 3.11 can swallow the cancellation by stop()
            with suppress(TimeoutError):
                async with asyncio.timeout(max(timeout, 0.001)):
                    await self._wake.wait()

    def _due(self) -> bool:
        return self._drain.due(hurry=self._flushing > 0)

    def _next_round(self) -> Round:
        waiting = [self._waiting.popleft() for _ in range(min(len(self._waiting), 500))]
        taken = self._drain.next() if self._due() else []
        block, self._block = self._block, None
        return Round(waiting, taken, block)

    async def _commit(self, round_: Round) -> None:
        await self._filler.fill(round_, self._emitter.settled)
        highest = await self._state.commit(round_.commit)
        self._dropped = max(self._dropped, round_.commit.emitted)
        for owed in round_.owed(highest):
            self._emitter.owe(owed)
        self._drain.stored(round_.taken, highest)
        if round_.block is not None:
            self._block_committed.set()
        self.committed_rows += sum(len(batch) for batch in round_.commit.observations)
        round_.answer()

    async def _refuse(self, round_: Round, error: YunmengError) -> None:
        """Nothing was stored: tells the callers, and keeps the observations for the next round."""
        _log.error("the commit failed: %s", error)
        for waiting in round_.waiting:
            waiting.refuse(error)
        self._drain.give_back(round_.taken)
        self._filler.forget()
        self._block = round_.block
        await asyncio.sleep(1.0)

    async def _announce(self, first: int, last: int) -> None:
        self._block_committed.clear()
        self._block = Block(first, last)
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
                    await self._after_commit(WritesRequest((SentWrite(KEEPER.id, request),)))
                except YunmengError as error:
                    _log.warning("what has expired stays a little longer: %s", error)
                    for id in ids:
                        self._expiries.later(tenant, id)

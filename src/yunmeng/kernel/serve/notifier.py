"""The notifier: tells subscribers what changed; whatever it has taken on survives a restart."""

import asyncio
import logging
import time
from collections.abc import Callable

import msgspec

from yunmeng.kernel.base import Unavailable, YunmengError, format_us, now_us
from yunmeng.kernel.keeper import RecordNote
from yunmeng.kernel.link import Consumer, Message, Request
from yunmeng.kernel.model import decode_batch, decode_changes
from yunmeng.kernel.serve.couriers import Address
from yunmeng.kernel.serve.delivery import Key, Lanes, Post, Reports
from yunmeng.kernel.serve.faring import FARING, Asked
from yunmeng.kernel.serve.ledger import SERVICE, Ledger, nothing
from yunmeng.kernel.serve.matching import Watches, headers_of, notification
from yunmeng.kernel.serve.ngsild.hosted import learn
from yunmeng.kernel.serve.ngsild.snapshot_telling import SnapshotTeller
from yunmeng.kernel.serve.progress import Progress
from yunmeng.kernel.serve.rows import Row, Rows, Told
from yunmeng.kernel.serve.services import Services
from yunmeng.kernel.serve.sources.chaining import Chains, Known
from yunmeng.kernel.serve.sources.legs import Relayed
from yunmeng.kernel.serve.sources.telling import SOURCE_SUBSCRIPTION, SourceTeller
from yunmeng.kernel.serve.watching import SUBSCRIPTION, Kept, Watch, work_out

_MOST_PER_NOTIFICATION = 100
_MOST_PER_FETCH = 256
_FLUSH_S = 0.5
_BUS_PAUSE_S = 1.0

_log = logging.getLogger("yunmeng.notifier")
_note = msgspec.msgpack.Decoder(RecordNote).decode
_relayed = msgspec.msgpack.Decoder(Relayed).decode
_asked = msgspec.msgpack.Decoder(Asked).decode
_answer = msgspec.msgpack.Encoder().encode
_kept = msgspec.json.Decoder(Kept).decode
_encode = msgspec.json.Encoder().encode


class Notifier:
    """Matches committed changes with subscriptions and delivers; one runs per node."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._watches = Watches()
        self._ledger = Ledger(services)
        self._due: dict[Key, float] = {}
        self._addresses: dict[Key, Address] = {}
        self._progress = Progress()
        self._lanes = Lanes(Reports(self._address, self._ledger.tried, self._ledger.lost))
        self._consumer: Consumer | None = None
        self._acked = 0
        self._reading = 0
        self._sources = SourceTeller(services, self._tell_of_sources)
        self._snapshots = SnapshotTeller(services, SERVICE, self._tell_of_snapshot)
        known = Known(lambda: self._watches, self._watches.find, self._sources.registrations)
        self._chains = Chains(services, known)
        self._rows = Rows(services, self._watches, self._chains.relay)
        self._relaying: set[asyncio.Task[None]] = set()
        self._stopped = False

    @property
    def waiting(self) -> int:
        """How many notifications are on their way."""
        return self._lanes.waiting

    async def start(self) -> None:
        """Loads subscriptions and parked notifications, and opens the durable consumer."""
        posts = await self._ledger.load()
        for record in await self._services.state.records(SUBSCRIPTION):
            await self._learn(record.tenant, record.id, record.body)
        await self._sources.start()
        await self._snapshots.start()
        for post in posts:
            self._lanes.add(post)
        await self._chains.start()
        await self._services.bus.serve(FARING, self._say_how_they_fare)
        self._consumer = await self._services.bus.consumer("CHG", "notifier")

    async def run(self) -> None:
        """Runs until it is cancelled."""
        consumer = self._consumer
        if consumer is None:
            raise RuntimeError("start() comes first")
        async with asyncio.TaskGroup() as group:
            group.create_task(self._consume(consumer))
            group.create_task(self._keep_up(consumer))
            group.create_task(self._tick())
            group.create_task(self._chains.run())
            group.create_task(self._snapshots.run())

    async def stop(self) -> None:
        """Parks what is on its way and writes the counts down."""
        self._stopped = True
        await self._chains.close()
        await asyncio.gather(*self._relaying)
        await self._lanes.stop()
        if self._consumer is None:
            return
        try:
            await self._settle(self._consumer, self._lanes.everything())
        except YunmengError as error:
            _log.warning("counts of subscriptions were not kept: %s", error)
        await self._consumer.close()

    async def _say_how_they_fare(self, request: Request) -> bytes:
        if self._stopped:
            raise Unavailable("bus.no-answer", subject=request.subject, seconds=0)
        asked = _asked(request.data)
        return _answer(self._ledger.known(asked.tenant, asked.ids))

    async def _consume(self, consumer: Consumer) -> None:
        while True:
            try:
                messages = await consumer.fetch(_MOST_PER_FETCH, 1.0)
            except YunmengError as error:
                await _wait_for(error)
                continue
            for message in messages:
                self._progress.begin(message.position)
                await self._read_surely(message)
                self._progress.end(message.position)
            await self._lanes.room()

    async def _read_surely(self, message: Message) -> None:
        """Reads a message, again and again while a store or a context is away."""
        while True:
            try:
                return await self._read(message)
            except YunmengError as error:
                await _wait_for(error)

    async def _read(self, message: Message) -> None:
        kind = message.subject.split(".", 2)[1]
        if kind == "entity":
            if len(self._watches):
                self._notify(await self._rows.of_changes(decode_changes(message.data)), message.position)
        elif kind == "observed":
            if len(self._watches):
                self._notify(await self._rows.of_observed(decode_batch(message.data)), message.position)
        elif kind == "record":
            self._reading = message.position
            await self._read_note(_note(message.data))
            self._reading = 0
        elif kind == "relayed":
            # sources may have to be asked for the rest, and nobody else waits for them
            done = self._progress.share(message.position)
            task = asyncio.create_task(self._relay(_relayed(message.data), message.position, done))
            self._relaying.add(task)
            task.add_done_callback(self._relaying.discard)

    async def _read_note(self, note: RecordNote) -> None:
        if note.kind == SUBSCRIPTION:
            state = self._services.state
            record = None if note.dropped else await state.record(SUBSCRIPTION, note.tenant, note.id)
            if record is None:
                self._watches.drop(note.tenant, note.id)
            else:
                await self._learn(note.tenant, note.id, record.body)
        await self._sources.note(note)
        await self._snapshots.note(note)
        self._chains.note(note)
        if note.kind in (SUBSCRIPTION, SOURCE_SUBSCRIPTION):
            self._addresses.pop((note.tenant, note.id), None)
            if note.dropped:
                self._ledger.forget(note.tenant, note.id)
            self._lanes.changed(note.tenant, note.id)

    async def _learn(self, tenant: str, id_: str, body: bytes) -> None:
        try:
            kept = _kept(body)
            await learn(self._services, tenant, kept.hosted)
            watch = await work_out(kept, tenant, self._services.contexts)
        except (YunmengError, msgspec.DecodeError) as error:
            # its context may be out of reach for now; without it the names mean nothing
            _log.warning("subscription %s cannot be served: %s", id_, error)
            self._watches.drop(tenant, id_)
        else:
            self._watches.put(watch)

    async def _relay(self, relayed: Relayed, position: int, done: Callable[[], None]) -> None:
        """Tells on what a source has notified of (§5.8.6)."""
        watch = self._watches.find(relayed.tenant, relayed.subscription)
        reach = self._rows.reach(watch) if watch is not None else None
        try:
            if watch is not None and reach is not None:
                hidden = self._rows.hidden(watch)
                self._tell(watch, await self._chains.relay.rows(watch, relayed, reach, hidden), position)
        except YunmengError as error:
            _log.warning("subscription %s was not served: %s", relayed.subscription, error)
        finally:
            done()

    def _notify(self, told: Told, position: int) -> None:
        for watch, rows in told:
            self._tell(watch, rows, position)

    def _tell(self, watch: Watch, rows: list[Row], position: int) -> None:
        if not rows or not self._may_notify(watch):
            return
        for start in range(0, len(rows), _MOST_PER_NOTIFICATION):
            self._send(watch, notification(watch, rows[start : start + _MOST_PER_NOTIFICATION]), position)

    def _tell_of_sources(self, watch: Watch, body: Row) -> None:
        if self._may_notify(watch):
            self._send(watch, body, self._reading)

    def _tell_of_snapshot(self, tenant: str, id_: str, address: Address, body: Row) -> None:
        done = self._progress.share(self._reading) if self._reading else nothing
        # a blank is in no id, so no subscription has this one
        lane = f"snapshot {id_}"
        self._lanes.add(Post(tenant, lane, _encode(body), time.time(), done, address=address))

    def _send(self, watch: Watch, body: Row, position: int) -> None:
        done = self._progress.share(position) if position else nothing
        self._lanes.add(self._ledger.born(watch.tenant, watch.id, _encode(body), done))

    def _may_notify(self, watch: Watch) -> bool:
        now = now_us()
        if not watch.active or (watch.expires_us and watch.expires_us <= now):
            return False
        if not watch.throttling_s:
            return True
        last = self._ledger.of(watch.tenant, watch.id).last_notification
        return not last or last <= format_us(now - int(watch.throttling_s * 1_000_000))

    def _address(self, post: Post) -> Address | None:
        key = (post.tenant, post.subscription)
        known = post.address or self._addresses.get(key)
        if known is None:
            watch = self._watches.find(*key) or self._sources.find(*key)
            if watch is None:
                return None
            known = self._addresses[key] = Address.of(watch.endpoint, headers_of(watch))
        return known

    async def _keep_up(self, consumer: Consumer) -> None:
        """Parks, writes counts down and acknowledges, as often as needed and no more."""
        while True:
            await asyncio.sleep(_FLUSH_S)
            try:
                await self._settle(consumer, self._lanes.to_park())
                await self._lanes.tidy()
            except YunmengError as error:
                await _wait_for(error)

    async def _settle(self, consumer: Consumer, posts: list[Post]) -> None:
        """Writes down what there is to write, then tells the bus what it need not keep any longer."""
        await self._ledger.settle(posts)
        if self._progress.finished > self._acked:
            await consumer.ack(self._progress.finished)
            self._acked = self._progress.finished

    async def _tick(self) -> None:
        """Serves the subscriptions that want to be told every so often (``timeInterval``)."""
        while True:
            await asyncio.sleep(_FLUSH_S)
            now = time.monotonic()
            self._sources.tick()
            for watch in self._watches:
                key = (watch.tenant, watch.id)
                if watch.interval_s and self._due.setdefault(key, now + watch.interval_s) <= now:
                    self._due[key] = now + watch.interval_s
                    await self._tell_all(watch)

    async def _tell_all(self, watch: Watch) -> None:
        try:
            self._notify(await self._rows.of_all(watch), 0)
        except YunmengError as error:
            _log.warning("subscription %s was not served: %s", watch.id, error)


async def _wait_for(error: YunmengError) -> None:
    _log.warning("the notifier waits: %s", error)
    await asyncio.sleep(_BUS_PAUSE_S)

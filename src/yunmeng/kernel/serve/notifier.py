"""The notifier: tells subscribers what changed; whatever it has taken on survives a restart."""

import asyncio
import logging
import time
from collections.abc import Callable, Collection, Sequence
from itertools import count
from uuid import uuid4

import msgspec

from yunmeng.kernel.base import YunmengError, format_us, now_us
from yunmeng.kernel.keeper import RecordNote, RecordPut
from yunmeng.kernel.link import Consumer, Message
from yunmeng.kernel.model import Change, Document, decode_batch, decode_changes
from yunmeng.kernel.serve.delivery import Address, Lanes, Post, Progress, Reports
from yunmeng.kernel.serve.grades import Grades
from yunmeng.kernel.serve.keeping import keep_records
from yunmeng.kernel.serve.matching import Watches, fulfils, headers_of, notification, tell, triggered, within
from yunmeng.kernel.serve.ngsild.hosted import learn
from yunmeng.kernel.serve.services import Services
from yunmeng.kernel.serve.sources.chaining import Chains, Known
from yunmeng.kernel.serve.sources.legs import Relayed
from yunmeng.kernel.serve.sources.telling import SourceTeller
from yunmeng.kernel.serve.watching import (
    SUBSCRIPTION,
    SUBSCRIPTION_STATUS,
    Kept,
    Selector,
    Status,
    Watch,
    work_out,
)
from yunmeng.kernel.store import EntityQuery
from yunmeng.kernel.trust import Principal, Reach, Resource

PARKED = "notification"

_SERVICE = Principal("urn:yunmeng:service:notifier", kind="service", roles=("service",))
_MOST_PER_NOTIFICATION = 100
_MOST_PER_INTERVAL = 1000
_FLUSH_S = 0.5
_BUS_PAUSE_S = 1.0

_log = logging.getLogger("yunmeng.notifier")
_note = msgspec.msgpack.Decoder(RecordNote).decode
_relayed = msgspec.msgpack.Decoder(Relayed).decode
_kept = msgspec.json.Decoder(Kept).decode
_status = msgspec.json.Decoder(Status).decode
_document = msgspec.json.Decoder(Document).decode
_encode = msgspec.json.Encoder().encode


class Parked(msgspec.Struct, frozen=True):
    """A notification at rest; ``born`` is in seconds since 1970 UTC."""

    subscription: str
    body: str
    born: float
    attempts: int = 0


class Notifier:
    """Matches committed changes with subscriptions and delivers; one runs per node."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._grades = Grades(services.types)
        self._watches = Watches()
        self._statuses: dict[tuple[str, str], Status] = {}
        self._changed: set[tuple[str, str]] = set()
        self._arrived: list[tuple[str, str, str]] = []
        self._due: dict[tuple[str, str], float] = {}
        self._progress = Progress()
        self._numbers = count(1)
        self._lanes = Lanes(Reports(self._address, self._on_delivered, self._on_failed, self._on_lost))
        self._consumer: Consumer | None = None
        self._acked = 0
        self._reading = 0
        self._sources = SourceTeller(services, self._tell_of_sources)
        known = Known(lambda: self._watches, self._watches.find, self._sources.registrations)
        self._chains = Chains(services, known)
        self._relaying: set[asyncio.Task[None]] = set()

    @property
    def waiting(self) -> int:
        """How many notifications are on their way."""
        return self._lanes.waiting

    async def start(self) -> None:
        """Loads subscriptions and parked notifications, and opens the durable consumer."""
        state = self._services.state
        for record in await state.records(SUBSCRIPTION_STATUS):
            self._statuses[record.tenant, record.id] = _status(record.body)
        for record in await state.records(SUBSCRIPTION):
            await self._learn(record.tenant, record.id, record.body)
        for record in await state.records(PARKED):
            parked = msgspec.json.decode(record.body, type=Parked)
            self._lanes.add(
                Post(
                    record.tenant,
                    parked.subscription,
                    parked.body.encode(),
                    parked.born,
                    _nothing,
                    record.id,
                    parked.attempts,
                    parked=True,
                )
            )
        await self._sources.start()
        await self._chains.start()
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

    async def stop(self) -> None:
        """Parks what is on its way and writes the counts down."""
        await self._chains.close()
        await asyncio.gather(*self._relaying)
        await self._lanes.stop()
        try:
            await self._settle(everything=True)
        except YunmengError as error:
            _log.warning("counts of subscriptions were not kept: %s", error)
        if self._consumer is not None:
            await self._consumer.close()

    async def _consume(self, consumer: Consumer) -> None:
        while True:
            try:
                messages = await consumer.fetch(256, 1.0)
                for message in messages:
                    self._progress.begin(message.position)
                    await self._read(message)
                    self._progress.end(message.position)
            except YunmengError as error:
                _log.warning("the notifier waits: %s", error)
                await asyncio.sleep(_BUS_PAUSE_S)

    async def _read(self, message: Message) -> None:
        kind = message.subject.split(".", 2)[1]
        if kind == "entity":
            await self._read_changes(decode_changes(message.data), message.position)
        elif kind == "observed" and len(self._watches):
            await self._read_observed(message)
        elif kind == "record":
            self._reading = message.position
            note = _note(message.data)
            await self._read_note(note)
            await self._sources.note(note)
            self._chains.note(note)
            self._reading = 0
        elif kind == "relayed":
            # sources may have to be asked for the rest, and nobody else waits for them
            done = self._progress.share(message.position)
            task = asyncio.create_task(self._relay(_relayed(message.data), message.position, done))
            self._relaying.add(task)
            task.add_done_callback(self._relaying.discard)

    async def _read_note(self, note: RecordNote) -> None:
        if note.kind != SUBSCRIPTION:
            return
        record = (
            None if note.dropped else await self._services.state.record(SUBSCRIPTION, note.tenant, note.id)
        )
        if record is None:
            self._watches.drop(note.tenant, note.id)
            self._statuses.pop((note.tenant, note.id), None)
            self._changed.discard((note.tenant, note.id))
        else:
            await self._learn(note.tenant, note.id, record.body)

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

    async def _read_changes(self, changes: Sequence[Change], position: int) -> None:
        told: dict[str, tuple[Watch, dict[str, dict[str, object]]]] = {}
        for change in changes:
            for watch in self._watches.about(change.tenant, change.entity, change.types):
                row = await self._row(watch, change)
                if row is not None:
                    told.setdefault(watch.id, (watch, {}))[1][change.entity] = row
        for watch, rows in told.values():
            self._notify(watch, list(rows.values()), position)

    async def _row(self, watch: Watch, change: Change) -> dict[str, object] | None:
        if not triggered(watch, change) or change.at < format_us(watch.since_us):
            return None
        reach = self._reach(watch)
        if reach is None or not within(change.division, reach):
            return None
        document = change.after
        if change.kind != "deleted":
            document = await self._with_telemetry(reach, change)
        if watch.split and document:
            document = await self._chains.relay.whole(watch, document, reach) or {}
            if not document:
                return None
        if not fulfils(watch, document or change.before):
            return None
        return tell(watch, document, self._hidden(watch), change)

    async def _with_telemetry(self, reach: Reach, change: Change) -> Document:
        """Returns the entity as the change left it, with the last values that only telemetry gives it."""
        body = await self._services.state.get(reach, change.entity)
        if body is None:
            return change.after
        gone = {uri for uri in change.attributes if uri not in change.after}
        current = {name: value for name, value in _document(body).items() if name not in gone}
        return {**current, **change.after}

    async def _read_observed(self, message: Message) -> None:
        batch = decode_batch(message.data)
        wanted: dict[tuple[str, str], tuple[Watch, str]] = {}
        for series in batch.series:
            for watch in self._watches.about_series(
                batch.tenant, series.entity, series.type, series.attribute
            ):
                if batch.received_at >= watch.since_us:
                    wanted[watch.id, series.entity] = (watch, series.entity)
        told: dict[str, tuple[Watch, list[dict[str, object]]]] = {}
        for watch, entity in wanted.values():
            row = await self._observed_row(watch, entity)
            if row is not None:
                told.setdefault(watch.id, (watch, []))[1].append(row)
        for watch, rows in told.values():
            self._notify(watch, rows, message.position)

    async def _observed_row(self, watch: Watch, entity: str) -> dict[str, object] | None:
        reach = self._reach(watch)
        body = await self._services.state.get(reach, entity) if reach is not None else None
        if body is None:
            return None
        document = _document(body)
        return tell(watch, document, self._hidden(watch)) if fulfils(watch, document) else None

    async def _relay(self, relayed: Relayed, position: int, done: Callable[[], None]) -> None:
        """Tells on what a source has notified of (§5.8.6)."""
        watch = self._watches.find(relayed.tenant, relayed.subscription)
        reach = self._reach(watch) if watch is not None else None
        try:
            if watch is not None and reach is not None:
                rows = await self._chains.relay.rows(watch, relayed, reach, self._hidden(watch))
                if rows:
                    self._notify(watch, rows, position)
        except YunmengError as error:
            _log.warning("subscription %s was not served: %s", relayed.subscription, error)
        finally:
            done()

    def _reach(self, watch: Watch) -> Reach | None:
        resource = Resource("entity", tenant=watch.tenant)
        decision = self._services.policy.decide(watch.principal, "entity.read", resource)
        return decision.reach if decision.allowed else None

    def _hidden(self, watch: Watch) -> Collection[str]:
        return self._grades.above(watch.principal.clearance) if self._grades.by_attribute else ()

    def _notify(self, watch: Watch, rows: list[dict[str, object]], position: int) -> None:
        if not self._may_notify(watch):
            return
        for start in range(0, len(rows), _MOST_PER_NOTIFICATION):
            part = rows[start : start + _MOST_PER_NOTIFICATION]
            self._send(watch, notification(watch, f"urn:ngsi-ld:Notification:{uuid4()}", part), position)

    def _send(self, watch: Watch, body: dict[str, object], position: int) -> None:
        done = self._progress.share(position) if position else _nothing
        self._lanes.add(Post(watch.tenant, watch.id, _encode(body), time.time(), done))
        status = self._status(watch.tenant, watch.id)
        status.last_notification = format_us(now_us())
        self._changed.add((watch.tenant, watch.id))

    def _may_notify(self, watch: Watch) -> bool:
        now = now_us()
        if not watch.active or (watch.expires_us and watch.expires_us <= now):
            return False
        last = self._status(watch.tenant, watch.id).last_notification
        return not (
            watch.throttling_s and last and last > format_us(now - int(watch.throttling_s * 1_000_000))
        )

    def _status(self, tenant: str, id_: str) -> Status:
        return self._statuses.setdefault((tenant, id_), Status())

    def _find(self, post: Post) -> Watch | None:
        found = self._watches.find(post.tenant, post.subscription)
        return found or self._sources.find(post.tenant, post.subscription)

    def _tell_of_sources(self, watch: Watch, body: dict[str, object]) -> None:
        if self._may_notify(watch):
            self._send(watch, body, self._reading)

    def _address(self, post: Post) -> Address | None:
        watch = self._find(post)
        return Address(watch.endpoint, headers_of(watch)) if watch is not None else None

    def _on_delivered(self, post: Post) -> None:
        status = self._status(post.tenant, post.subscription)
        status.times_sent += 1
        status.last_success = format_us(now_us())
        self._finish(post)

    def _on_failed(self, post: Post, reason: str) -> None:
        status = self._status(post.tenant, post.subscription)
        status.times_failed += 1
        status.last_failure = format_us(now_us())
        self._changed.add((post.tenant, post.subscription))

    def _on_lost(self, post: Post) -> None:
        if self._find(post) is not None:
            self._status(post.tenant, post.subscription).dropped += 1
            _log.error("a notification of %s was given up", post.subscription)
        self._finish(post)

    def _finish(self, post: Post) -> None:
        if self._find(post) is not None:
            self._changed.add((post.tenant, post.subscription))
        if post.parked:
            self._arrived.append((PARKED, post.tenant, post.key))
        post.done()

    async def _keep_up(self, consumer: Consumer) -> None:
        """Parks, writes counts down and acknowledges, as often as needed and no more."""
        while True:
            await asyncio.sleep(_FLUSH_S)
            try:
                await self._settle()
                if self._progress.finished > self._acked:
                    await consumer.ack(self._progress.finished)
                    self._acked = self._progress.finished
            except YunmengError as error:
                _log.warning("the notifier waits: %s", error)
                await asyncio.sleep(_BUS_PAUSE_S)

    async def _settle(self, *, everything: bool = False) -> None:
        posts = self._lanes.everything() if everything else self._lanes.to_park()
        arrived, changed = self._arrived[:], list(self._changed)
        puts = [self._parked(post) for post in posts]
        puts += [
            RecordPut(SUBSCRIPTION_STATUS, tenant, id_, _encode(self._status(tenant, id_)))
            for tenant, id_ in changed
        ]
        if not puts and not arrived:
            return
        await keep_records(self._services.bus, _SERVICE, puts, arrived)
        del self._arrived[: len(arrived)]
        self._changed.difference_update(changed)
        for post in posts:
            post.parked = True
            post.done()

    def _parked(self, post: Post) -> RecordPut:
        post.key = post.key or f"{int(post.born * 1_000_000):020d}-{next(self._numbers):010d}"
        record = Parked(post.subscription, post.body.decode(), post.born, post.attempts)
        return RecordPut(PARKED, post.tenant, post.key, _encode(record))

    async def _tick(self) -> None:
        """Serves the subscriptions that want to be told every so often (``timeInterval``)."""
        while True:
            await asyncio.sleep(_FLUSH_S)
            now = time.monotonic()
            self._sources.tick()
            for watch in self._watches:
                if (
                    watch.interval_s
                    and self._due.setdefault((watch.tenant, watch.id), now + watch.interval_s) <= now
                ):
                    self._due[watch.tenant, watch.id] = now + watch.interval_s
                    await self._tell_all(watch)

    async def _tell_all(self, watch: Watch) -> None:
        reach = self._reach(watch)
        if reach is None:
            return
        rows: dict[str, dict[str, object]] = {}
        state = self._services.state if watch.local else self._chains.relay.beyond(watch)
        try:
            for selector in watch.selectors:
                found = await state.query(_asked(watch, selector, reach))
                for document in map(_document, found.documents):
                    rows[document["id"]] = tell(watch, document, self._hidden(watch))
        except YunmengError as error:
            _log.warning("subscription %s was not served: %s", watch.id, error)
            return
        if rows:
            self._notify(watch, list(rows.values()), 0)


def _asked(watch: Watch, selector: Selector, reach: Reach) -> EntityQuery:
    return EntityQuery(
        reach,
        ids=tuple(selector.ids),
        id_pattern=selector.id_pattern.pattern if selector.id_pattern else "",
        types=selector.types,
        conditions=watch.condition,
        geo=watch.geo,
        scope=watch.scope,
        limit=_MOST_PER_INTERVAL,
    )


def _nothing() -> None:
    """What is done when nobody waits for a post."""

"""Subscriptions reach as far as their sources, each of which holds its part of them (§5.8.1 to §5.8.5)."""

import asyncio
import logging
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from hashlib import sha256
from urllib.parse import quote
from uuid import uuid4

import msgspec

from yunmeng.kernel.base import YunmengError, now_us
from yunmeng.kernel.keeper import RecordNote, RecordPut
from yunmeng.kernel.serve.keeping import keep_records
from yunmeng.kernel.serve.services import Services
from yunmeng.kernel.serve.siblings import Siblings
from yunmeng.kernel.serve.sources.forwarding import Answer, Forward, Forwarder, Origin, forward_context
from yunmeng.kernel.serve.sources.legs import LEG, PATH, Leg, reduced
from yunmeng.kernel.serve.sources.registration import REGISTRATION, Registration, work_out_registration
from yunmeng.kernel.serve.sources.registry import alias_in, node_alias
from yunmeng.kernel.serve.sources.relaying import Relay
from yunmeng.kernel.serve.watching import SUBSCRIPTION, Kept, Watch
from yunmeng.kernel.trust import Principal

_SERVICE = Principal("urn:yunmeng:service:notifier", kind="service", roles=("service",))
_FIRST_PAUSE_S = 1.0
_LONGEST_PAUSE_S = 300.0
_LOOK_S = 1.0
_CIRCLE = 508
_AT_ONCE = 64

_log = logging.getLogger("yunmeng.sources")
_kept = msgspec.json.Decoder(Kept).decode
_leg = msgspec.json.Decoder(Leg).decode
_encode = msgspec.json.Encoder().encode

Key = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Known:
    """What the notifier knows already: its subscriptions, and the registrations of a tenant."""

    watches: Callable[[], Iterable[Watch]]
    find: Callable[[str, str], Watch | None]
    registrations: Callable[[str], Iterable[Registration]]


@dataclass(frozen=True, slots=True)
class Part:
    """What one source should hold of a subscription, and the request that makes it so."""

    registration: Registration
    forward: Forward

    @property
    def digest(self) -> str:
        """Tells one wording, and one way there and back, from another."""
        text = _encode([self.forward.body, self.forward.context.key, self.registration.endpoint])
        return sha256(text).hexdigest()[:32]


class Chains:
    """Keeps the parts of subscriptions at sources as subscriptions and registrations are now.

    What a source does not take for the moment is tried again, less and less often.
    """

    def __init__(self, services: Services, known: Known) -> None:
        self._services = services
        self._known = known
        self._forwarder = Forwarder(Siblings(services.bus))
        self._alias = node_alias(services)
        http = services.settings.http
        self._address = http.url.rstrip("/") or f"http://{http.host}:{http.port}"
        self.relay = Relay(services, self._forwarder, self._alias, known.registrations)
        self._legs: dict[Key, dict[str, Leg]] = {}
        self._due: dict[Key, float] = {}
        self._pauses: dict[Key, float] = {}
        self._busy: set[Key] = set()
        self._wake = asyncio.Event()

    async def start(self) -> None:
        """Loads the parts; those that no longer fit are put right."""
        for record in await self._services.state.records(LEG):
            leg = _leg(record.body)
            self._legs.setdefault(_key(leg), {})[leg.source.id] = leg
            self._soon(_key(leg))
        for watch in self._known.watches():
            self._soon((watch.tenant, watch.id))

    def note(self, note: RecordNote) -> None:
        """Takes note of a changed subscription or registration."""
        if note.kind == SUBSCRIPTION:
            self._soon((note.tenant, note.id))
        elif note.kind == REGISTRATION:
            for watch in self._known.watches():
                if watch.tenant == note.tenant:
                    self._soon((watch.tenant, watch.id))
            for key, legs in self._legs.items():
                if key[0] == note.tenant and note.id in legs:
                    self._soon(key)

    async def run(self) -> None:
        """Runs until it is cancelled."""
        async with asyncio.TaskGroup() as group:
            while True:
                self._wake.clear()
                self._look_for_expired()
                now = time.monotonic()
                ripe = [key for key, at in self._due.items() if at <= now and key not in self._busy]
                for key in ripe[: _AT_ONCE - len(self._busy)]:
                    del self._due[key]
                    self._busy.add(key)
                    group.create_task(self._settle(key))
                await self._rest()

    async def close(self) -> None:
        """Closes the connections to sources."""
        await self._forwarder.close()

    async def _rest(self) -> None:
        try:
            async with asyncio.timeout(_LOOK_S):
                await self._wake.wait()
        except TimeoutError:
            return

    def _soon(self, key: Key) -> None:
        self._due[key] = 0.0
        self._pauses.pop(key, None)
        self._wake.set()

    def _later(self, key: Key) -> None:
        pause = self._pauses.get(key, _FIRST_PAUSE_S)
        self._pauses[key] = min(pause * 2, _LONGEST_PAUSE_S)
        self._due.setdefault(key, time.monotonic() + pause)

    def _look_for_expired(self) -> None:
        now = now_us()
        active = {
            (tenant, one.id)
            for tenant in {tenant for tenant, _ in self._legs}
            for one in self._known.registrations(tenant)
            if one.active(now)
        }
        for key, legs in self._legs.items():
            if any((key[0], id_) not in active for id_ in legs):
                self._due.setdefault(key, 0.0)

    async def _settle(self, key: Key) -> None:
        try:
            done = await self._put_right(key)
        except YunmengError as error:
            _log.warning("subscription %s is not at its sources: %s", key[1], error)
            done = False
        self._busy.discard(key)
        if not done:
            self._later(key)
        self._wake.set()

    async def _put_right(self, key: Key) -> bool:
        """Makes the parts of one subscription what they should be; tells whether all went well."""
        legs = dict(self._legs.get(key, {}))
        if not legs and not any(True for _ in self._known.registrations(key[0])):
            return True
        record = await self._services.state.record(SUBSCRIPTION, *key)
        kept = _kept(record.body) if record is not None else None
        origin = Origin(
            key[0], {b"via": kept.via.encode("latin-1")} if kept else {}, alias_in(self._alias, key[0])
        )
        wanted = self._wanted(key, kept, origin) if kept is not None else {}
        work = [self._end(leg, origin) for id_, leg in legs.items() if id_ not in wanted]
        work += [self._bring(key, part, legs.get(id_), origin) for id_, part in wanted.items()]
        return all(await asyncio.gather(*work))

    def _wanted(self, key: Key, kept: Kept, origin: Origin) -> dict[str, Part]:
        watch = self._known.find(*key)
        if watch is None or watch.interval_s or kept.local or watch.linked:
            # no source can judge by entities that others hold
            return {}
        found: dict[str, Part] = {}
        now = now_us()
        for one in self._known.registrations(key[0]):
            if one.active(now) and one.mode != "auxiliary" and not origin.loops(one):
                part = self._part(watch, kept, one)
                if part is not None and "createSubscription" in one.operations:
                    found[one.id] = part
        return found

    def _part(self, watch: Watch, kept: Kept, registration: Registration) -> Part | None:
        context = forward_context(registration, watch.context) or watch.context
        body = reduced(watch, kept, registration, context)
        if body is None:
            return None
        body["notification"]["endpoint"] = {"uri": self._address + PATH, "accept": "application/json"}
        parameters = {"local": "true"} if registration.local_only else {}
        return Part(registration, Forward(registration, "POST", "/subscriptions", context, parameters, body))

    async def _bring(self, key: Key, part: Part, leg: Leg | None, origin: Origin) -> bool:
        """Has a source hold its part as it should be."""
        if leg is not None and leg.sent == part.digest:
            return True
        if leg is not None and leg.sent and not await self._changes(leg, part, origin):
            if not await self._end(leg, origin):
                return False
            leg = None
        if leg is None:
            leg = Leg(f"urn:ngsi-ld:Subscription:distsub:{uuid4()}", *key, part.registration.kept)
            # kept before the source hears of it: its first notification may come at once
            await self._keep(leg)
        if not leg.sent:
            answer = await self._forwarder.send(self._worded(part, leg), origin)
            if not _settled(answer):
                return False
        await self._keep(msgspec.structs.replace(leg, source=part.registration.kept, sent=part.digest))
        return True

    async def _changes(self, leg: Leg, part: Part, origin: Origin) -> bool:
        """Has a source change its part; False when it has to be made anew."""
        if "updateSubscription" not in part.registration.operations:
            return False
        before = await self._source(leg)
        if before is None or before.endpoint != part.registration.endpoint:
            return False
        made = part.forward
        gone = dict.fromkeys(("watchedAttributes", "q", "geoQ", "scopeQ", "expiresAt"), "urn:ngsi-ld:null")
        body = {**gone, **made.body}
        patch = Forward(part.registration, "PATCH", _path(leg), made.context, made.parameters, body)
        return (await self._forwarder.send(patch, origin)).fine

    async def _end(self, leg: Leg, origin: Origin) -> bool:
        """Has a source give its part up; a part that it never took is forgotten here."""
        registration = await self._source(leg)
        if registration is not None and leg.sent:
            parameters = {"local": "true"} if registration.local_only else {}
            forward = Forward(registration, "DELETE", _path(leg), self._services.contexts.core, parameters)
            if not _settled(await self._forwarder.send(forward, origin)):
                return False
        await keep_records(self._services.bus, _SERVICE, drops=[(LEG, "", leg.id)])
        legs = self._legs.get(_key(leg), {})
        legs.pop(leg.source.id, None)
        if not legs:
            self._legs.pop(_key(leg), None)
        return True

    def _worded(self, part: Part, leg: Leg) -> Forward:
        """Returns the request that makes the part, under the name that it has there."""
        return replace(part.forward, body={"id": leg.id, **part.forward.body})

    async def _source(self, leg: Leg) -> Registration | None:
        try:
            return await work_out_registration(leg.source, leg.tenant, self._services.contexts)
        except YunmengError as error:
            _log.warning("registration %s cannot be used: %s", leg.source.id, error)
            return None

    async def _keep(self, leg: Leg) -> None:
        put = RecordPut(LEG, "", leg.id, _encode(leg))
        await keep_records(self._services.bus, _SERVICE, [put])
        self._legs.setdefault(_key(leg), {})[leg.source.id] = leg


def _key(leg: Leg) -> Key:
    return leg.tenant, leg.subscription


def _path(leg: Leg) -> str:
    return f"/subscriptions/{quote(leg.id, safe=':')}"


def _settled(answer: Answer) -> bool:
    """Tells whether asking again is of no use: it is done, or refused for good."""
    return answer.fine or 400 <= answer.status < 500 or answer.status == _CIRCLE

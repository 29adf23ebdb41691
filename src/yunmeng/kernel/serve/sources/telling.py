"""Who is told about context sources that come, change and go (ETSI GS CIM 009 §5.3.2, §5.11)."""

import logging
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any, Literal
from uuid import uuid4

import msgspec

from yunmeng.kernel.base import YunmengError, format_us, now_us
from yunmeng.kernel.keeper import RecordNote
from yunmeng.kernel.model import Condition
from yunmeng.kernel.serve.body import as_object
from yunmeng.kernel.serve.ngsild.hosted import learn
from yunmeng.kernel.serve.ngsild.temporal_parameters import read_window
from yunmeng.kernel.serve.replies import LD_JSON
from yunmeng.kernel.serve.services import Services
from yunmeng.kernel.serve.sources.describing import describe_registration
from yunmeng.kernel.serve.sources.matching import Need, TimeFrame, leaves, match, relevant
from yunmeng.kernel.serve.sources.registration import (
    REGISTRATION,
    Registration,
    work_out_registration,
)
from yunmeng.kernel.serve.watching import Kept, Watch, read_q, work_out

SOURCE_SUBSCRIPTION = "context-source-subscription"

Reason = Literal["newlyMatching", "updated", "noLongerMatching"]
Post = Callable[[Watch, dict[str, Any]], None]

_log = logging.getLogger("yunmeng.sources")
_kept = msgspec.json.Decoder(Kept).decode


class SourceWatch(msgspec.Struct, frozen=True):
    """A subscription on registrations, worked out: what is told is of one of its needs."""

    watch: Watch
    needs: tuple[Need, ...]

    def fits(self, registration: Registration | None) -> bool:
        """Whether a registration is one of those that are watched."""
        if registration is None or not registration.active(now_us()):
            return False
        return any(match(registration, need) is not None for need in self.needs)


async def work_out_source_watch(kept: Kept, tenant: str, services: Services) -> SourceWatch:
    """Works a subscription on registrations out, which also proves that it is sound.

    Raises:
        BadInput: those of subscriptions and of the parsers.
        Unavailable: ``context.unavailable``.
    """
    body = {name: value for name, value in kept.body.items() if name != "temporalQ"}
    plain = msgspec.structs.replace(kept, body=body)
    watch = await work_out(plain, tenant, services.contexts)
    names = await services.contexts.resolve(kept.context)
    return SourceWatch(watch, tuple(_needs(watch, read_q(kept.body, "csf", names), _frame(kept.body))))


def _needs(watch: Watch, csf: Condition | None, frame: TimeFrame | None) -> Iterator[Need]:
    for selector in watch.selectors or (None,):
        yield Need(
            ids=selector.ids if selector else frozenset(),
            pattern=selector.id_pattern.pattern if selector and selector.id_pattern else "",
            types=leaves(selector.types) if selector else frozenset(),
            attributes=watch.watched | watch.attributes,
            csf=csf,
            geo=watch.geo,
            scope=watch.scope,
            time=frame,
            strictly=True,
        )


def _frame(body: dict[str, Any]) -> TimeFrame | None:
    if "temporalQ" not in body:
        return None
    asked = {name: str(value) for name, value in as_object(body["temporalQ"], "temporalQ").items()}
    window = read_window(asked, needed=True)
    return TimeFrame(window.relation, window.start, window.end or None, window.property == "observedAt")


class SourceTeller:
    """Matches changed registrations with subscriptions on them; hands over what is to be told."""

    def __init__(self, services: Services, post: Post) -> None:
        self._services = services
        self._post = post
        self._watches: dict[tuple[str, str], SourceWatch] = {}
        self._registrations: dict[tuple[str, str], Registration] = {}
        self._due: dict[tuple[str, str], float] = {}

    async def start(self) -> None:
        """Loads registrations and the subscriptions on them."""
        for record in await self._services.state.records(REGISTRATION):
            await self._take_in(record.tenant, record.body)
        for record in await self._services.state.records(SOURCE_SUBSCRIPTION):
            await self._learn(record.tenant, record.id, record.body)

    def find(self, tenant: str, id_: str) -> Watch | None:
        """Returns one subscription."""
        found = self._watches.get((tenant, id_))
        return found.watch if found is not None else None

    def registrations(self, tenant: str) -> Iterator[Registration]:
        """Yields the registrations of a tenant, expired ones too."""
        return (one for (owner, _), one in tuple(self._registrations.items()) if owner == tenant)

    async def note(self, note: RecordNote) -> None:
        """Takes note of a changed record."""
        if note.kind not in (REGISTRATION, SOURCE_SUBSCRIPTION):
            return
        record = None if note.dropped else await self._services.state.record(note.kind, note.tenant, note.id)
        if note.kind == REGISTRATION:
            before = self._registrations.pop((note.tenant, note.id), None)
            after = await self._take_in(note.tenant, record.body) if record is not None else None
            self._tell(note.tenant, before, after)
        elif record is None:
            self._watches.pop((note.tenant, note.id), None)
            self._due.pop((note.tenant, note.id), None)
        else:
            await self._learn(note.tenant, note.id, record.body)
            # a new subscription is told at once what matches already (§5.11.7)
            self._tell_all(note.tenant, note.id)

    def tick(self) -> None:
        """Tells the subscriptions that want to be told every so often."""
        now = time.monotonic()
        for key, one in tuple(self._watches.items()):
            interval = one.watch.interval_s
            if interval and self._due.setdefault(key, now + interval) <= now:
                self._due[key] = now + interval
                self._tell_all(*key)

    async def _take_in(self, tenant: str, body: bytes) -> Registration | None:
        kept = _kept(body)
        try:
            await learn(self._services, tenant, kept.hosted)
            found = await work_out_registration(kept, tenant, self._services.contexts)
        except YunmengError as error:
            _log.warning("registration %s cannot be told about: %s", kept.id, error)
            return None
        self._registrations[tenant, found.id] = found
        return found

    async def _learn(self, tenant: str, id_: str, body: bytes) -> None:
        kept = _kept(body)
        try:
            await learn(self._services, tenant, kept.hosted)
            self._watches[tenant, id_] = await work_out_source_watch(kept, tenant, self._services)
        except YunmengError as error:
            _log.warning("subscription %s cannot be served: %s", id_, error)
            self._watches.pop((tenant, id_), None)

    def _tell(self, tenant: str, before: Registration | None, after: Registration | None) -> None:
        for (owner, _), one in tuple(self._watches.items()):
            if owner != tenant or one.watch.interval_s:
                continue
            was, is_ = one.fits(before), one.fits(after)
            if is_ and after is not None:
                self._say(one, "updated" if was else "newlyMatching", [after])
            elif was and before is not None:
                self._say(one, "noLongerMatching", [after or before])

    def _tell_all(self, tenant: str, id_: str) -> None:
        one = self._watches.get((tenant, id_))
        if one is None:
            return
        found = [
            r for (owner, _), r in sorted(self._registrations.items()) if owner == tenant and one.fits(r)
        ]
        if found:
            self._say(one, "newlyMatching", found)

    def _say(self, one: SourceWatch, reason: Reason, registrations: list[Registration]) -> None:
        self._post(one.watch, source_notification(one, reason, registrations))


def source_notification(
    one: SourceWatch, reason: Reason, registrations: list[Registration]
) -> dict[str, Any]:
    """Returns the body of one notification about registrations (§5.3.2)."""
    watch, context = one.watch, one.watch.context
    body: dict[str, Any] = {
        "id": f"urn:ngsi-ld:ContextSourceNotification:{uuid4()}",
        "type": "ContextSourceNotification",
        "subscriptionId": watch.id,
        "notifiedAt": format_us(now_us()),
        "data": [
            describe_registration(_narrowed(found, one.needs), context, sysattrs=watch.sysattrs)
            for found in registrations
        ],
        "triggerReason": reason,
    }
    return {"@context": context.member, **body} if watch.endpoint.media == LD_JSON else body


def _narrowed(registration: Registration, needs: tuple[Need, ...]) -> Registration:
    """Returns a registration with the information that the subscription is about (§5.11.7)."""
    kept, places = registration.kept, relevant(registration, needs)
    if not places:
        return registration
    body = {**kept.body, "information": [_listed(kept.body["information"][place]) for place in places]}
    return replace(registration, kept=msgspec.structs.replace(kept, body=body))


def _listed(information: dict[str, Any]) -> dict[str, Any]:
    """Names types as lists, which they may always be: readers need not tell one from several (§5.2.8)."""
    if "entities" not in information:
        return information
    entities = [
        {**one, "type": one["type"] if isinstance(one["type"], list) else [one["type"]]}
        for one in information["entities"]
    ]
    return {**information, "entities": entities}

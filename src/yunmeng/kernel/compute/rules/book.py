"""The book of alerts and open events: what the rules have raised, read from and written to the node."""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from yunmeng.kernel.base import division, now_us
from yunmeng.kernel.compute.response import alert as alerts
from yunmeng.kernel.compute.response import event as events
from yunmeng.kernel.compute.response.alert import Alert, at_least, graver
from yunmeng.kernel.compute.response.event import OPEN_STAGES, Event
from yunmeng.kernel.compute.rules.rule import Gather, Rule
from yunmeng.kernel.keeper import WRITE, WriteReply, WriteRequest
from yunmeng.kernel.link import Bus
from yunmeng.kernel.model import (
    VOCABULARY_CONTEXT,
    Context,
    Document,
    Operation,
    TypeLibrary,
    Upsert,
    compact_entity,
    expand_entity,
    parse_q,
    parse_types,
)
from yunmeng.kernel.store import EntityQuery, StateReader
from yunmeng.kernel.trust import Principal, Reach

RULES = Principal("urn:yunmeng:service:rules", kind="service", roles=("service",))
_PAGE = 1000
_HOUR_US = 3_600_000_000


class Book:
    """Alerts and events as entities; what it writes is on disk when the call returns."""

    def __init__(self, bus: Bus, state: StateReader, library: TypeLibrary) -> None:
        self._bus = bus
        self._state = state
        self._context = Context((library.context()["@context"],), (VOCABULARY_CONTEXT,))
        self._open: dict[tuple[str, str, str], Event] = {}

    async def active(self, tenant: str) -> list[Alert]:
        """Returns the active alerts of a tenant."""
        return [alerts.from_entity(each) for each in await self._all(tenant, "Alert", 'alertState=="active"')]

    async def load_events(self, tenant: str) -> None:
        """Learns the open events of a tenant, which new alerts may join."""
        for entity in await self._all(tenant, "Event", "place"):
            self.note_event(tenant, events.from_entity(entity))

    def note_event(self, tenant: str, event: Event) -> None:
        """Learns how an event is now."""
        key = (tenant, event.rule, event.place)
        if event.stage in OPEN_STAGES:
            self._open[key] = event
        elif key in self._open and self._open[key].id == event.id:
            del self._open[key]

    def read_event(self, document: Document) -> Event:
        """Reads an event in stored form."""
        return events.from_entity(compact_entity(document, self._context, "simplified"))

    def read_alert(self, document: Document) -> Alert:
        """Reads an alert in stored form."""
        return alerts.from_entity(compact_entity(document, self._context, "simplified"))

    async def raise_(self, tenant: str, rule: Rule, alert: Alert) -> Alert:
        """Writes an alert down, and the event that it opens or joins; returns the alert with its event."""
        event = self._event_for(tenant, rule, alert)
        if event is None:
            await self.write(tenant, [alerts.to_entity(alert)])
            return alert
        joined = msgspec.structs.replace(alert, event=event.id)
        known = (tenant, event.rule, event.place) in self._open
        # people may be leading a known event on right now: nothing but its level is ours to write
        body = _only(event, "responseLevel") if known else events.to_entity(event)
        await self.write(tenant, [alerts.to_entity(joined), body])
        self.note_event(tenant, event)
        return joined

    async def remind(self) -> None:
        """Marks the events whose deadline has passed."""
        for (tenant, *_), event in list(self._open.items()):
            if events.is_late(event, now_us()) and not event.overdue:
                late = msgspec.structs.replace(event, overdue=True)
                await self.write(tenant, [_only(late, "overdue")])
                self.note_event(tenant, late)

    async def write(self, tenant: str, bodies: Sequence[Mapping[str, Any]]) -> None:
        """Stores entities (concise form) whole; returns after the commit."""
        operations: tuple[Operation, ...] = tuple(
            Upsert(expand_entity(dict(body), self._context), "update") for body in bodies
        )
        request = msgspec.msgpack.encode(WriteRequest(Reach(tenant), operations))
        reply = msgspec.msgpack.decode(await self._bus.request(WRITE, request, RULES), type=WriteReply)
        for outcome in reply.outcomes:
            if outcome.done == "refused":
                raise RuntimeError(f"{outcome.id}: {outcome.error} {outcome.facts}")

    def _event_for(self, tenant: str, rule: Rule, alert: Alert) -> Event | None:
        policy = rule.row.event
        if policy is None or alert.state != "active" or not at_least(alert.grade, policy.floor):
            return None
        place = _place(policy.gather, alert)
        known = self._open.get((tenant, rule.id, place))
        if known is not None:
            return msgspec.structs.replace(known, grade=graver(known.grade, alert.grade))
        return Event(
            id=events.event_id(rule.id, place, alert.valid_from),
            headline=alert.headline,
            grade=alert.grade,
            division=place if policy.gather != "entity" else alert.division,
            opened_at=alert.valid_from,
            rule=rule.id,
            place=place,
            due_at=alert.valid_from + int(policy.within_h * _HOUR_US),
            synthetic=alert.synthetic,
        )

    async def _all(self, tenant: str, type_: str, q: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = []
        after = ""
        while True:
            query = EntityQuery(
                Reach(tenant),
                types=parse_types(type_, self._context),
                conditions=parse_q(q, self._context),
                limit=_PAGE,
                after=after,
            )
            page = (await self._state.query(query)).documents
            plain = [
                compact_entity(msgspec.json.decode(body, type=Document), self._context, "simplified")
                for body in page
            ]
            found += plain
            if len(plain) < _PAGE:
                return found
            after = plain[-1]["id"]


def _only(event: Event, member: str) -> dict[str, Any]:
    return {name: value for name, value in events.to_entity(event).items() if name in ("id", "type", member)}


def _place(gather: Gather, alert: Alert) -> str:
    if gather == "entity" or not alert.division:
        return alert.source
    here = division(alert.division)
    if gather == "county":
        return here.code
    wanted = "prefecture" if gather == "prefecture" else "province"
    while here.level != wanted and not (wanted == "prefecture" and here.prefecture_unit):
        if not here.parent or here.parent == here.code:
            break
        here = division(here.parent)
    return here.code

"""What subscriptions tell of entities: judged by their owners' reach and their conditions, then shown."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import msgspec

from yunmeng.kernel.base import format_us
from yunmeng.kernel.model import (
    NULL,
    And,
    Change,
    Compare,
    Condition,
    Document,
    Linked,
    ObservationBatch,
    Operand,
    Or,
    matches,
    targets,
)
from yunmeng.kernel.serve.grades import Grades
from yunmeng.kernel.serve.matching import Watches, fulfils, tell, told, triggered, within
from yunmeng.kernel.serve.ngsild.joining import joined
from yunmeng.kernel.serve.services import Services
from yunmeng.kernel.serve.sources.relaying import Relay
from yunmeng.kernel.serve.watching import Selector, Watch
from yunmeng.kernel.store import EntityQuery
from yunmeng.kernel.trust import Reach, Resource

_MOST_PER_INTERVAL = 1000

_document = msgspec.json.Decoder(Document).decode

Row = dict[str, Any]


class Told:
    """The rows of each subscription, one for each entity: the newest."""

    def __init__(self) -> None:
        self.by_watch: dict[str, tuple[Watch, dict[str, Row]]] = {}

    def add(self, watch: Watch, rows: Iterable[Row]) -> None:
        """Adds what a subscription tells."""
        known = self.by_watch.setdefault(watch.id, (watch, {}))[1]
        known.update((row["id"], row) for row in rows)

    def __iter__(self) -> Iterator[tuple[Watch, list[Row]]]:
        return ((watch, list(rows.values())) for watch, rows in self.by_watch.values())


@dataclass(slots=True)
class Seen:
    """One change, with what is the same for several subscriptions."""

    change: Change
    documents: dict[Reach, Document] = field(default_factory=dict[Reach, Document])
    rows: dict[tuple[int, Reach, int], Row] = field(default_factory=dict[tuple[int, Reach, int], Row])


class Rows:
    """Makes the rows of notifications."""

    def __init__(self, services: Services, watches: Watches, relay: Relay) -> None:
        self._state = services.state
        self._policy = services.policy
        self._grades = Grades(services.types)
        self._watches = watches
        self._relay = relay

    async def of_changes(self, changes: Sequence[Change]) -> Told:
        """Returns what is to be told of committed changes."""
        found = Told()
        for change in changes:
            seen = Seen(change)
            for watch in self._watches.about(change.tenant, change.entity, change.types):
                if triggered(watch, change) and change.at >= format_us(watch.since_us):
                    found.add(watch, await self._changed(watch, seen))
        return found

    async def _changed(self, watch: Watch, seen: "Seen") -> list[Row]:
        change, reach = seen.change, self.reach(watch)
        if reach is None or not within(change.division, reach):
            return []
        document = change.after
        if change.kind != "deleted":
            if reach not in seen.documents:
                seen.documents[reach] = await self._with_telemetry(reach, change)
            document = seen.documents[reach]
        if watch.split and document:
            # what holds of the whole is judged below
            document = await self._relay.whole(replace(watch, condition=None), document, reach) or {}
            if not document:
                return []
        if not await self._fulfils(watch, document or change.before, reach):
            return []
        if watch.split or watch.show_changes or watch.view.join or change.kind == "deleted":
            return await self._shown(watch, document, reach, change)
        return [self._shared(watch, reach, seen)]

    def _shared(self, watch: Watch, reach: Reach, seen: "Seen") -> Row:
        """Shows an entity once for all who see as much of it and want it shown alike."""
        key = (id(watch.view), reach, watch.principal.clearance)
        if key not in seen.rows:
            seen.rows[key] = tell(watch, seen.documents[reach], self.hidden(watch), seen.change)
        return seen.rows[key]

    async def _with_telemetry(self, reach: Reach, change: Change) -> Document:
        """Returns the entity as the change left it, with the last values that only telemetry gives it."""
        body = await self._state.get(reach, change.entity)
        if body is None:
            return change.after
        gone = {uri for uri in change.attributes if uri not in change.after}
        current = {name: value for name, value in _document(body).items() if name not in gone}
        return {**current, **change.after}

    async def of_observed(self, batch: ObservationBatch) -> Told:
        """Returns what is to be told of measured values."""
        wanted: dict[tuple[str, str], Watch] = {}
        for series in batch.series:
            for watch in self._watches.about_series(
                batch.tenant, series.entity, series.type, series.attribute
            ):
                if batch.received_at >= watch.since_us:
                    wanted[watch.id, series.entity] = watch
        found = Told()
        for (_, entity), watch in wanted.items():
            found.add(watch, await self._observed(watch, entity))
        return found

    async def _observed(self, watch: Watch, entity: str) -> list[Row]:
        reach = self.reach(watch)
        body = await self._state.get(reach, entity) if reach is not None else None
        if body is None or reach is None:
            return []
        return await self._if_fulfilled(watch, _document(body), reach)

    async def _if_fulfilled(self, watch: Watch, document: Document, reach: Reach) -> list[Row]:
        fulfilled = await self._fulfils(watch, document, reach)
        return await self._shown(watch, document, reach) if fulfilled else []

    async def of_all(self, watch: Watch) -> Told:
        """Returns every entity that a subscription is about, for those that ask every so often."""
        found, reach = Told(), self.reach(watch)
        if reach is None:
            return found
        state = self._state if watch.local else self._relay.beyond(watch)
        for selector in watch.selectors:
            bodies = (await state.query(_asked(watch, selector, reach))).documents
            for document in map(_document, bodies):
                found.add(watch, await self._if_fulfilled(watch, document, reach))
        return found

    def reach(self, watch: Watch) -> Reach | None:
        """Returns how far the owner of a subscription sees, None when not at all."""
        resource = Resource("entity", tenant=watch.tenant)
        decision = self._policy.decide(watch.principal, "entity.read", resource)
        return decision.reach if decision.allowed else None

    def hidden(self, watch: Watch) -> Collection[str]:
        """Returns the attributes above the clearance of a subscription's owner."""
        return self._grades.above(watch.principal.clearance) if self._grades.by_attribute else ()

    async def _shown(
        self, watch: Watch, document: Document, reach: Reach, change: Change | None = None
    ) -> list[Row]:
        hidden = self.hidden(watch)
        row = tell(watch, document, hidden, change)
        if not watch.view.join or "deletedAt" in row:
            return [row]
        return await joined(partial(self._linked, watch, reach), [told(document, hidden, change)], watch.view)

    async def _linked(self, watch: Watch, reach: Reach, ids: Sequence[str]) -> Mapping[str, Document]:
        bodies = [await self._state.get(reach, id_) for id_ in ids]
        found = [told(_document(body), self.hidden(watch)) for body in bodies if body is not None]
        return {str(one["id"]): one for one in found}

    async def _fulfils(self, watch: Watch, document: Document, reach: Reach) -> bool:
        if watch.linked and watch.condition is not None:
            watch = replace(watch, condition=await self._resolved(watch.condition, document, reach))
        return fulfils(watch, document)

    async def _resolved(self, condition: Condition, document: Document, reach: Reach) -> Condition:
        """Returns a condition that says the same of the document alone (§4.9)."""
        match condition:
            case And(parts):
                return And(tuple([await self._resolved(part, document, reach) for part in parts]))
            case Or(parts):
                return Or(tuple([await self._resolved(part, document, reach) for part in parts]))
            case Linked():
                ids = [value for _, value in targets(document, condition.path) if isinstance(value, str)]
                found = [id_ for id_ in ids if await self._links(condition, id_, reach)]
                # no relationship leads to Null
                operands = tuple(Operand("uri", id_) for id_ in found) or (Operand("uri", NULL),)
                return Compare(condition.path, "==", operands)
            case _:
                return condition

    async def _links(self, linked: Linked, id_: str, reach: Reach) -> bool:
        body = await self._state.get(reach, id_)
        if body is None:
            return False
        document = _document(body)
        if linked.types and not set(linked.types) & set(document["type"]):
            return False
        return matches(document, await self._resolved(linked.condition, document, reach))


def _asked(watch: Watch, selector: Selector, reach: Reach) -> EntityQuery:
    return EntityQuery(
        reach,
        ids=tuple(selector.ids),
        id_pattern=selector.id_pattern.pattern if selector.id_pattern else "",
        types=selector.types,
        conditions=None if watch.linked else watch.condition,
        geo=watch.geo,
        scope=watch.scope,
        limit=_MOST_PER_INTERVAL,
    )

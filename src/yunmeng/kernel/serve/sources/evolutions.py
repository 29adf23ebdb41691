"""The history of this node with what sources have told of theirs for one request (§5.7.3.4, §5.7.4.4)."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import msgspec

from yunmeng.kernel.model import Document, matches_types
from yunmeng.kernel.serve.sources.aggregating import aggregated
from yunmeng.kernel.serve.sources.own_state import OwnState
from yunmeng.kernel.store import (
    Aggregate,
    DivisionStep,
    EntityPage,
    EntityQuery,
    History,
    HistoryBlock,
    Method,
    Point,
    TemporalQuery,
    TrendStep,
)
from yunmeng.kernel.trust import Reach

_encode = msgspec.json.Encoder().encode
_document = msgspec.json.Decoder(Document).decode


@dataclass(frozen=True, slots=True)
class Elsewhere:
    """What sources told: what each entity is, and its values in the window that was asked for, by entity."""

    heads: Mapping[str, Document]
    points: Mapping[str, Sequence[Point]]


@dataclass(frozen=True, slots=True)
class KnownElsewhere(OwnState):
    """A state reader that also knows what entities are of which only sources have an evolution."""

    tenant: str
    elsewhere: Elsewhere

    async def get(self, reach: Reach, id: str) -> bytes | None:
        """Returns the entity as this node knows it, else as a source does."""
        body = await self.local.get(reach, id)
        if body is None and reach.tenant == self.tenant and id in self.elsewhere.heads:
            return _encode(self.elsewhere.heads[id])
        return body

    async def query(self, query: EntityQuery) -> EntityPage:
        """Returns a page of entities by id, those of sources among them."""
        page = await self.local.query(query)
        if query.reach.tenant != self.tenant:
            return page
        found = {str(_document(body)["id"]): body for body in page.documents}
        for id_, head in self.elsewhere.heads.items():
            if id_ > query.after and id_ not in found and _fits(query, head):
                found[id_] = _encode(head)
        return EntityPage([found[id_] for id_ in sorted(found)[: query.limit]], page.count)


@dataclass(frozen=True, slots=True)
class JoinedHistory:
    """A history of this node and of sources; of two values of one moment the one modified last counts."""

    local: History
    elsewhere: Elsewhere

    async def insert(self, block: HistoryBlock) -> None:
        """Appends to this node's history."""
        await self.local.insert(block)

    async def points(self, query: TemporalQuery) -> Sequence[Point]:
        """Returns points ordered by entity, attribute, time."""
        return _ordered(query, await self._joined(query))

    async def aggregate(
        self, query: TemporalQuery, methods: Sequence[Method], period_s: int
    ) -> Sequence[Aggregate]:
        """Returns aggregates by period over what all have; by the engine where no source has anything."""
        if not any(self._theirs(query)):
            return await self.local.aggregate(query, methods, period_s)
        joined = await self._joined(replace(query, last=0, limit=1_000_000))
        return aggregated(list(joined), query, methods, period_s)

    async def _joined(self, query: TemporalQuery) -> Iterable[Point]:
        found: dict[tuple[str, str, str, int], Point] = {}
        for point in (*await self.local.points(query), *self._theirs(query)):
            key = (point.entity, point.attribute, point.dataset_id, point.at)
            if key not in found or _modified(point) > _modified(found[key]):
                found[key] = point
        return found.values()

    def _theirs(self, query: TemporalQuery) -> Iterable[Point]:
        for entity in query.entities or self.elsewhere.points:
            for point in self.elsewhere.points.get(entity, ()):
                if query.attributes and point.attribute not in query.attributes:
                    continue
                if query.dataset_ids is None or point.dataset_id in query.dataset_ids:
                    yield point

    async def trend(
        self,
        reach: Reach,
        type: str,
        attribute: str,
        method: Literal["sum", "avg", "min", "max"],
        start: int,
        end: int,
        period_s: int,
    ) -> Sequence[TrendStep]:
        """Returns the trend over this node."""
        return await self.local.trend(reach, type, attribute, method, start, end, period_s)

    async def summary(
        self,
        reach: Reach,
        type: str,
        attribute: str,
        method: Method,
        start: int,
        end: int,
        period_s: int,
        digits: int,
    ) -> Sequence[DivisionStep]:
        """Returns the summary over this node."""
        return await self.local.summary(reach, type, attribute, method, start, end, period_s, digits)

    async def count(self, tenant: str | None = None) -> int:
        """Returns how many values this node keeps."""
        return await self.local.count(tenant)

    async def delete(
        self,
        tenant: str,
        entity: str | None,
        attribute: str = "",
        instances: Sequence[str] = (),
        dataset_id: str | None = None,
    ) -> None:
        """Deletes from this node's history."""
        await self.local.delete(tenant, entity, attribute, instances, dataset_id)

    async def close(self) -> None:
        """Leaves this node's history open: it is not this request's alone."""


def _fits(query: EntityQuery, head: Document) -> bool:
    # sources were asked by id and pattern already
    return (not query.ids or head["id"] in query.ids) and (
        query.types is None or matches_types(head, query.types)
    )


def _modified(point: Point) -> str:
    return str((point.body or {}).get("modifiedAt", ""))


def _ordered(query: TemporalQuery, points: Iterable[Point]) -> list[Point]:
    series: dict[tuple[str, str], list[Point]] = {}
    for point in sorted(points, key=lambda one: (one.entity, one.attribute, one.at)):
        series.setdefault((point.entity, point.attribute), []).append(point)
    most = min(query.last or query.limit, query.limit)
    return [point for rows in series.values() for point in (rows[-most:] if query.last else rows[:most])]

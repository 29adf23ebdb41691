"""The history port 存: every value that an attribute ever had, in columns."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple, Protocol

import msgspec

from yunmeng.kernel.model import ObservationBatch
from yunmeng.kernel.trust import Reach

Method = Literal["totalCount", "distinctCount", "sum", "avg", "min", "max", "stddev", "sumsq"]
Relation = Literal["before", "after", "between", "any"]


class Instance(msgspec.Struct, frozen=True, array_like=True):
    """One attribute instance written through the API, for the temporal evolution of its entity.

    ``body`` is the instance in stored form as JSON; times are microseconds UTC, 0 for none.
    """

    tenant: str
    entity: str
    type: str
    division: str
    attribute: str
    dataset_id: str
    observed_at: int
    modified_at: int
    body: bytes
    instance_id: str = ""
    deleted: bool = False


class InstanceRows(NamedTuple):
    """All instances of an entity that was written whole, in columns; times are microseconds UTC.

    ``layout`` are the attributes, the dataset ids and the units, which thousands of entities share. The bytes
    are columns: strings as of :func:`sized`, ``observed_at`` int64 (µs, 0 for none), ``numbers`` float64.
    ``texts`` are values that are no number; before them stands a byte a row, 1 for none.
    """

    tenant: str
    entity: str
    type: str
    division: str
    at: int
    created_at: Sequence[int]
    layout: tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]]
    observed_at: bytes
    numbers: bytes
    texts: tuple[bytes, bytes]
    bodies: bytes
    instance_ids: bytes


class InstanceSheet(NamedTuple):
    """All instances of entities of one form that were written at one moment, in columns.

    As :class:`InstanceRows`, but each column has the first place of the ``layout`` for all ``entities``, then
    the second; ``divisions`` are an entity's each. No ``created_at`` says that all were created ``at`` it.
    """

    tenant: str
    entities: Sequence[str]
    type: str
    divisions: Sequence[str]
    at: int
    created_at: Sequence[int]
    layout: tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]]
    observed_at: bytes
    numbers: bytes
    texts: tuple[bytes, bytes]
    bodies: bytes
    instance_ids: bytes


@dataclass(slots=True)
class HistoryBlock:
    """What one insert appends; the same ``token`` twice is stored once."""

    token: str
    observations: list[ObservationBatch] = field(default_factory=list[ObservationBatch])
    instances: list[Instance] = field(default_factory=list[Instance])
    entities: list[InstanceRows] = field(default_factory=list[InstanceRows])
    sheets: list[InstanceSheet] = field(default_factory=list[InstanceSheet])


@dataclass(frozen=True, slots=True)
class TemporalQuery:
    """Temporal part of a query (ETSI §4.11); times are microseconds UTC.

    ``start`` is ``timeAt`` of every relation, ``end`` is ``endTimeAt``: ``before`` is < start, ``after`` is
    >= start, ``between`` is >= start and < end. ``limit`` bounds the points of each attribute of each entity:
    the oldest, or the newest when ``last`` is set. No ``entities`` means all in reach.
    """

    reach: Reach
    entities: tuple[str, ...]
    attributes: tuple[str, ...] = ()
    relation: Relation = "any"
    start: int = 0
    end: int = 0
    property: Literal["observedAt", "createdAt", "modifiedAt", "deletedAt"] = "observedAt"
    last: int = 0
    limit: int = 1000
    dataset_ids: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class Point:
    """One value of one attribute; ``body`` is set when it was written through the API.

    ``at`` is in microseconds UTC: when it was observed, or else when it was modified. ``text`` is the value
    as the source wrote it, where that says more than ``value``.
    """

    entity: str
    attribute: str
    dataset_id: str
    at: int
    value: float | str | None
    unit: str = ""
    quality: int = 0
    gateway: str = ""
    instance_id: str = ""
    body: dict[str, Any] | None = None
    text: str | None = None


class Aggregate(NamedTuple):
    """One method over one period of one attribute; ``end`` is exclusive, in microseconds UTC."""

    entity: str
    attribute: str
    method: Method
    start: int
    end: int
    value: float | None


@dataclass(frozen=True, slots=True)
class TrendStep:
    """One period of a trend: how many entities had values, and the method over their means."""

    start: int
    entities: int
    value: float | None


@dataclass(frozen=True, slots=True)
class DivisionStep:
    """One period of one division: how many values, and the method over them; ``end`` is exclusive."""

    division: str
    start: int
    end: int
    count: int
    value: float | None


class History(Protocol):
    """The history of a node; one process owns the embedded engine, the others reach it by URL."""

    async def insert(self, block: HistoryBlock) -> None:
        """Appends the block durably; idempotent by its token."""
        ...

    async def points(self, query: TemporalQuery) -> Sequence[Point]:
        """Returns points ordered by entity, attribute, time (ascending); ``last`` keeps the newest n each."""
        ...

    async def aggregate(
        self, query: TemporalQuery, methods: Sequence[Method], period_s: int
    ) -> Sequence[Aggregate]:
        """Returns aggregates by period (0: one over the whole range), pushed down to the engine."""
        ...

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
        """Returns a numeric attribute of all entities of a type over time, ordered by time, in one query.

        In each period every entity counts once, with its mean; ``method`` then goes over the entities.
        """
        ...

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
        """Returns a numeric attribute over all values of a type, by division code cut to ``digits``.

        ``digits`` is 2, 4 or 6. Ordered by division, then time, in periods of ``period_s`` seconds from
        ``start`` (0: one period); ``end`` is exclusive.
        """
        ...

    async def count(self, tenant: str | None = None) -> int:
        """Returns how many values are kept of a tenant (None: of all)."""
        ...

    async def delete(
        self,
        tenant: str,
        entity: str | None,
        attribute: str = "",
        instances: Sequence[str] = (),
        dataset_id: str | None = None,
    ) -> None:
        """Deletes the history of an entity, of one of its attributes (and dataset), or some instances.

        Without an entity (None) all that a tenant has. Gone on return.
        """
        ...

    async def close(self) -> None:
        """Closes the engine."""
        ...

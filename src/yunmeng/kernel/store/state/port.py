"""The state port 存: the current document of every entity, their index, and the node's own records."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, NamedTuple, Protocol

from yunmeng.kernel.model import (
    Condition,
    GeoCondition,
    ObservationBatch,
    Order,
    ScopeSelection,
    TypeSelection,
)
from yunmeng.kernel.trust import Reach

Summary = Literal["count", "sum", "avg", "min", "max", "newest"]


@dataclass(frozen=True, slots=True)
class Selector:
    """Which entities a selector takes (ETSI §5.2.33); what it does not say, any entity fulfils."""

    ids: tuple[str, ...] = ()
    id_pattern: str = ""
    types: TypeSelection | None = None


@dataclass(frozen=True, slots=True)
class EntityQuery:
    """What a query asks for. URIs are expanded; ``conditions`` is the parsed ``q`` (ETSI §4.9).

    Of ``attributes`` and ``selectors`` one is enough (ETSI §5.7.2); a division reaches all that is under it;
    ``id_pattern`` matches anywhere in the id unless anchored; ``after`` is the id before the page's first, of
    no use with an ``order``.
    """

    reach: Reach
    ids: tuple[str, ...] = ()
    id_pattern: str = ""
    types: TypeSelection | None = None
    attributes: tuple[str, ...] = ()
    conditions: Condition | None = None
    geo: GeoCondition | None = None
    scope: ScopeSelection | None = None
    divisions: tuple[str, ...] = ()
    limit: int = 20
    offset: int = 0
    after: str = ""
    count: bool = False
    order: Order | None = None
    selectors: tuple[Selector, ...] = ()


@dataclass(frozen=True, slots=True)
class EntityPage:
    """Documents (stored form, JSON bytes, last values merged in), in order; ``count`` when asked."""

    documents: Sequence[bytes]
    count: int | None = None


class Outline(NamedTuple):
    """What the index always wants of a document: attribute URIs, scopes, and the boxes of its geometries."""

    names: tuple[str, ...]
    scopes: tuple[str, ...]
    boxes: Sequence[tuple[float, float, float, float]]


class EntityPut(NamedTuple):
    """The new document of one entity, ready to store; ``body`` is JSON in stored form.

    Who knows its ``outline`` spares the engine parsing the body.
    """

    tenant: str
    id: str
    types: tuple[str, ...]
    division: str
    body: bytes
    outline: Outline | None = None


@dataclass(frozen=True, slots=True)
class EntityRemoval:
    """An entity to remove, with its last values."""

    tenant: str
    id: str


@dataclass(frozen=True, slots=True)
class Record:
    """One of the node's own records (subscription, user, job, quarantine...): small JSON by kind and id."""

    kind: str
    tenant: str
    id: str
    body: bytes
    modified_at: int = 0


@dataclass(frozen=True, slots=True)
class OutboxItem:
    """Something to emit after the commit; ``number`` is given by the store and grows."""

    topic: str
    body: bytes
    number: int = 0


@dataclass(slots=True)
class Commit:
    """Everything that one transaction of the writer stores, all or nothing.

    ``positions`` are stream positions reached, ``emitted`` the highest outbox number that may be dropped.
    """

    puts: list[EntityPut] = field(default_factory=list[EntityPut])
    removals: list[EntityRemoval] = field(default_factory=list[EntityRemoval])
    observations: list[ObservationBatch] = field(default_factory=list[ObservationBatch])
    drop_last: list[tuple[str, str, str]] = field(default_factory=list[tuple[str, str, str]])
    records: list[Record] = field(default_factory=list[Record])
    drop_records: list[tuple[str, str, str]] = field(default_factory=list[tuple[str, str, str]])
    outbox: list[OutboxItem] = field(default_factory=list[OutboxItem])
    positions: dict[str, int] = field(default_factory=dict[str, int])
    emitted: int = 0


class StateReader(Protocol):
    """Reads of the current state; any number of processes at once."""

    async def get(self, reach: Reach, id: str) -> bytes | None:
        """Returns the document with last values merged in, or None when absent or out of reach."""
        ...

    async def query(self, query: EntityQuery) -> EntityPage:
        """Returns the page of entities that match."""
        ...

    async def types(self, reach: Reach) -> Mapping[str, int]:
        """Returns how many entities of each type there are."""
        ...

    async def last(self, reach: Reach, entity: str, attribute: str) -> tuple[int, float | str | None] | None:
        """Returns the last telemetry value as (observed_at in µs, value)."""
        ...

    async def summary(
        self, reach: Reach, type: str, attribute: str, method: Summary, digits: int = 6
    ) -> Mapping[str, tuple[int, float | None]]:
        """Returns (entities, value) of a numeric attribute by division code cut to ``digits`` (2, 4 or 6).

        Current values, telemetry's last values included; an empty attribute only counts entities.
        ``newest`` gives the latest ``observedAt`` of the attribute, in microseconds UTC.
        """
        ...

    async def record(self, kind: str, tenant: str, id: str) -> Record | None:
        """Returns one record."""
        ...

    async def records(self, kind: str, tenant: str | None = None) -> Sequence[Record]:
        """Returns the records of a kind, ordered by id."""
        ...

    async def close(self) -> None:
        """Closes the engine."""
        ...


class StateWriter(StateReader, Protocol):
    """The one writer of a node's state."""

    async def documents(self, tenant: str, ids: Iterable[str]) -> Mapping[str, bytes]:
        """Returns stored documents as they are (no last values), for read-modify-write."""
        ...

    async def known(self, tenant: str, ids: Sequence[str]) -> set[str]:
        """Returns which of the ids exist."""
        ...

    async def record_sizes(self, kind: str) -> Mapping[tuple[str, str], int]:
        """Returns the bytes of the records of a kind by tenant and id, oldest first; no body is read."""
        ...

    async def commit(self, commit: Commit) -> int:
        """Stores all of it durably in one transaction and returns the highest outbox number.

        Removals come before puts, so that both of one entity make it new; then ``drop_last``, then
        observations. A last value older than the one kept is ignored; a missing one leaves what is kept as it
        is; one of an absent entity is not kept. Raises ``Unavailable("store.full")`` on a full disk.
        """
        ...

    async def wish(self, attributes: Iterable[str]) -> None:
        """Has the values of these attributes (URIs) indexed from now on, as if a question had asked for them.

        What is stored already is indexed step by step, beside the commits.
        """
        ...

    async def outbox(self, most: int) -> Sequence[OutboxItem]:
        """Returns the oldest items not dropped yet."""
        ...

    async def position(self, stream: str) -> int:
        """Returns the stream position that the last commit reached (0: none)."""
        ...

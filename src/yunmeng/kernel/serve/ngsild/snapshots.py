"""Snapshots as they are kept (ETSI GS CIM 009 §5.2.41, §5.5.15): copies beside what is live.

The copies stand under a tenant's name of their own, so that every question about entities can be asked of
them. Such names are used again, for the store remembers the shapes of entities by tenant. A tenant has a
bounded number of snapshots; the one of least priority, of these the one unused for longest, makes room.
"""

from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from secrets import choice
from typing import Any, Protocol, runtime_checkable
from urllib.parse import quote
from uuid import uuid4

import msgspec

from yunmeng.kernel.base import Conflict, NotFound, format_us, now_us
from yunmeng.kernel.keeper import FLUSH, PurgeHistoryRequest, RecordPut, evolution_tenant
from yunmeng.kernel.model import ContextMember
from yunmeng.kernel.serve.keeping import keep_copies, keep_records, purge_history
from yunmeng.kernel.serve.ngsild import entity_maps
from yunmeng.kernel.serve.ngsild.representation import decode_document
from yunmeng.kernel.serve.routes import Call
from yunmeng.kernel.serve.services import Services
from yunmeng.kernel.store import EntityQuery, Record, StateReader
from yunmeng.kernel.trust import Principal, Reach

KIND = "snapshot"
USE = "snapshot-use"
PATH = "/ngsi-ld/v1/snapshots"
SNAPSHOTS_MOST = 32
ENTITIES_MOST = 10_000
"""So many entities one query of a snapshot may bring."""

_PLACES = 1_024
_PAGE = 500
_USUAL_PRIORITY = 5
_PREPARING_MOST_US = 600_000_000
_USE_NOTED_EVERY_US = 60_000_000
_PATIENCE_S = 30.0


class Snapshot(msgspec.Struct, rename="camel"):
    """A snapshot; ``place`` numbers the name under which its entities stand, times are in µs UTC."""

    id: str
    place: int
    queries: list[dict[str, Any]]
    context: ContextMember
    created_at: int
    expires_at: int
    lifetime: str
    priority: int = _USUAL_PRIORITY
    status: str = "preparing"
    details: list[dict[str, Any]] = msgspec.field(default_factory=list[dict[str, Any]])
    modified_at: int = 0
    last_used_at: int = 0
    temporal_queries: list[dict[str, Any]] = msgspec.field(default_factory=list[dict[str, Any]])
    temporal_details: list[dict[str, Any]] = msgspec.field(default_factory=list[dict[str, Any]])
    endpoint: str = ""
    receiver_info: list[dict[str, str]] = msgspec.field(default_factory=list[dict[str, str]])

    @property
    def location(self) -> str:
        """Where the snapshot is found."""
        return f"{PATH}/{quote(self.id, safe=':@!$&*+,;=')}"

    def tenant(self, owner: str) -> str:
        """Returns under which tenant's name the copies stand; ``~`` is in no name that a client can give."""
        return f"{owner}~snapshot-{self.place}"

    def shown(self) -> dict[str, Any]:
        """Returns the snapshot as the interface shows it (§5.2.41)."""
        late = self.status == "preparing" and now_us() > self.created_at + _PREPARING_MOST_US
        given = {
            "snapshotQueries": self.queries,
            "snapshotQueriesDetails": self.details,
            "snapshotTemporalQueries": self.temporal_queries,
            "snapshotTemporalQueriesDetails": self.temporal_details,
            "endpoint": self.endpoint,
            "receiverInfo": self.receiver_info,
        }
        return {
            "id": self.id,
            "type": "Snapshot",
            "snapshotStatus": "failure" if late else self.status,
            "snapshotPriority": self.priority,
            "snapshotLifetime": self.lifetime,
            **{name: value for name, value in given.items() if value},
            "createdAt": format_us(self.created_at),
            "modifiedAt": format_us(self.modified_at or self.created_at),
            "lastUsedAt": format_us(self.last_used_at or self.created_at),
            "expiresAt": format_us(self.expires_at),
        }


@runtime_checkable
class Wider(Protocol):
    """A reader that looks beyond this node; ``local`` is the node's own."""

    local: StateReader


decode_snapshot = msgspec.json.Decoder(Snapshot).decode


@dataclass(frozen=True, slots=True)
class Shelf:
    """The snapshots of one tenant; what is changed of them is changed in somebody's name."""

    services: Services
    principal: Principal
    tenant: str

    @classmethod
    def of(cls, call: Call) -> "Shelf":
        """Returns the shelf that a call is about."""
        return cls(call.services, call.principal, call.tenant)

    @property
    def copies(self) -> StateReader:
        """The reader for copies: no source has any."""
        state = self.services.state
        return state.local if isinstance(state, Wider) else state

    async def load(self, id_: str) -> Snapshot:
        """Returns a snapshot.

        Raises:
            NotFound: ``snapshot.absent`` also when it has ended.
        """
        held, _ = await self._load(id_)
        use = await self.services.state.record(USE, self.tenant, id_)
        return _used(held, use)

    async def _load(self, id_: str) -> tuple[Snapshot, bytes]:
        record = await self.services.state.record(KIND, self.tenant, id_)
        held = decode_snapshot(record.body) if record is not None else None
        if record is None or held is None or held.expires_at <= now_us():
            raise NotFound("snapshot.absent", id=id_)
        return held, record.body

    async def load_all(self) -> list[Snapshot]:
        """Returns all snapshots, also those that have ended."""
        state = self.services.state
        uses = {record.id: record for record in await state.records(USE, self.tenant)}
        records = await state.records(KIND, self.tenant)
        return [_used(decode_snapshot(record.body), uses.get(record.id)) for record in records]

    async def change(self, held: Snapshot, edit: Callable[[Snapshot], None]) -> Snapshot:
        """Has a snapshot changed, whatever else is changed of it at the same time.

        Raises:
            NotFound: ``snapshot.absent``, also when another one has the id now.
        """
        while True:
            fresh, body = await self._load(held.id)
            if fresh.created_at != held.created_at:
                raise NotFound("snapshot.absent", id=held.id)
            edit(fresh)
            try:
                await self._put(fresh, body)
            except Conflict:
                continue
            return fresh

    async def _put(self, held: Snapshot, expected: bytes) -> None:
        put = RecordPut(KIND, self.tenant, held.id, msgspec.json.encode(held), expected)
        await keep_records(self.services.bus, self.principal, [put])

    async def note_use(self, held: Snapshot) -> None:
        """Stores when a snapshot was used, now and then."""
        if now_us() - held.last_used_at > _USE_NOTED_EVERY_US:
            put = RecordPut(USE, self.tenant, held.id, msgspec.json.encode(now_us()))
            await keep_records(self.services.bus, self.principal, [put])

    async def begin(self, context: ContextMember, id_: str = "") -> Snapshot:
        """Returns a new, empty snapshot; others that have ended, or must make room, are removed.

        Raises:
            Conflict: ``snapshot.exists``.
        """
        held = await self.load_all()
        now = now_us()
        living = sorted(
            (one for one in held if one.expires_at > now), key=lambda one: (one.priority, one.last_used_at)
        )
        if any(one.id == id_ for one in living):
            raise Conflict("snapshot.exists", id=id_)
        surplus = living[: max(0, len(living) - SNAPSHOTS_MOST + 1)]
        await self.remove([one for one in held if one.expires_at <= now] + surplus)
        id_ = id_ or f"urn:ngsi-ld:Snapshot:{uuid4()}"
        return Snapshot(id_, _free(held), [], context, now, now, "", last_used_at=now)

    async def claim(self, held: Snapshot) -> Snapshot:
        """Stores a new snapshot under a place that no other has: who finds a rival there moves on.

        Raises:
            Conflict: ``snapshot.exists``.
        """
        try:
            await self._put(held, b"")
        except Conflict:
            raise Conflict("snapshot.exists", id=held.id) from None
        while True:
            others = [one for one in await self.load_all() if one.id != held.id]
            if all(one.place != held.place for one in others):
                return held
            held = await self.change(held, partial(_move, place=_free(others)))

    async def remove(self, snapshots: Iterable[Snapshot]) -> None:
        """Removes snapshots with all that they hold; nobody has their places before all is gone."""
        for one in snapshots:
            with suppress(NotFound):
                await self.change(one, _end)
            if await self._stored(one) is not None:
                await self.clear(one)
                await self._drop(one)

    async def _stored(self, held: Snapshot) -> bytes | None:
        """Returns the record of a snapshot, None when it has gone or another one has the id."""
        record = await self.services.state.record(KIND, self.tenant, held.id)
        if record is None or decode_snapshot(record.body).created_at != held.created_at:
            return None
        return record.body

    async def _drop(self, held: Snapshot) -> None:
        drops = [(kind, self.tenant, held.id) for kind in (KIND, USE)]
        while (body := await self._stored(held)) is not None:
            # put as it is, so that the request is refused where another one has the id by then
            same = RecordPut(KIND, self.tenant, held.id, body, body)
            with suppress(Conflict):
                await keep_records(self.services.bus, self.principal, [same], drops)

    async def clear(self, held: Snapshot) -> None:
        """Removes the entities of a snapshot, and their evolutions and maps."""
        bus, tenant = self.services.bus, held.tenant(self.tenant)
        for part in (tenant, evolution_tenant(tenant)):
            whole = EntityQuery(Reach(part), limit=_PAGE)
            while bodies := (await self.copies.query(whole)).documents:
                ids = [str(decode_document(body)["id"]) for body in bodies]
                await keep_copies(bus, self.principal, part, drops=ids)
        maps = await self.services.state.records(entity_maps.KIND, tenant)
        if maps:
            await keep_records(bus, self.principal, drops=[(one.kind, tenant, one.id) for one in maps])
        await bus.request(FLUSH, b"", self.principal, timeout_s=_PATIENCE_S)
        if await self.services.history.count(tenant):
            await purge_history(bus, self.principal, PurgeHistoryRequest(tenant, None))


def _used(held: Snapshot, use: Record | None) -> Snapshot:
    if use is not None:
        held.last_used_at = max(held.last_used_at, msgspec.json.decode(use.body, type=int))
    return held


def _free(held: Iterable[Snapshot]) -> int:
    taken = {one.place for one in held}
    return choice([number for number in range(_PLACES) if number not in taken])


def _end(held: Snapshot) -> None:
    held.expires_at = now_us()


def _move(held: Snapshot, place: int) -> None:
    held.place = place

"""Snapshots as they are kept (ETSI GS CIM 009 §5.2.41, §5.5.15): copies beside what is live.

The copies stand under a tenant's name of their own, so that every question about entities can be asked of
them. Such names are used again, for the store remembers the shapes of entities by tenant. A tenant has a
bounded number of snapshots; the one of least priority, of these the one unused for longest, makes room.
"""

from collections.abc import Iterable
from secrets import choice
from typing import Any, Protocol, runtime_checkable
from uuid import uuid4

import msgspec

from yunmeng.kernel.base import Conflict, NotFound, format_us, now_us
from yunmeng.kernel.keeper import FLUSH, PurgeHistoryRequest, RecordPut, evolution_tenant
from yunmeng.kernel.model import ContextMember
from yunmeng.kernel.serve.keeping import keep_copies, keep_records, purge_history
from yunmeng.kernel.serve.ngsild.representation import decode_document
from yunmeng.kernel.serve.routes import Call
from yunmeng.kernel.store import EntityQuery, StateReader
from yunmeng.kernel.trust import Reach

KIND = "snapshot"
PATH = "/ngsi-ld/v1/snapshots"
SNAPSHOTS_MOST = 32
ENTITIES_MOST = 10_000
"""So many entities one query of a snapshot may bring."""

_PLACES = 1_024
_PAGE = 500
_USUAL_PRIORITY = 5
_PREPARING_MOST_US = 600_000_000
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
        return f"{PATH}/{self.id}"

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


async def load(call: Call, id_: str) -> Snapshot:
    """Returns a snapshot of the caller's tenant.

    Raises:
        NotFound: ``snapshot.absent`` also when it has ended.
    """
    record = await call.services.state.record(KIND, call.tenant, id_)
    held = decode_snapshot(record.body) if record is not None else None
    if held is None or held.expires_at <= now_us():
        raise NotFound("snapshot.absent", id=id_)
    return held


async def load_all(call: Call) -> list[Snapshot]:
    """Returns all snapshots of the caller's tenant, also those that have ended."""
    return [decode_snapshot(record.body) for record in await call.services.state.records(KIND, call.tenant)]


async def keep(call: Call, held: Snapshot) -> None:
    """Stores what is known of a snapshot."""
    put = RecordPut(KIND, call.tenant, held.id, msgspec.json.encode(held))
    await keep_records(call.services.bus, call.principal, [put])


async def begin(call: Call, context: ContextMember, id_: str = "") -> Snapshot:
    """Returns a new, empty snapshot; others that have ended, or must make room, are removed.

    Raises:
        Conflict: ``snapshot.exists``.
    """
    held = await load_all(call)
    if any(one.id == id_ and one.expires_at > now_us() for one in held):
        raise Conflict("snapshot.exists", id=id_)
    ended = [one for one in held if one.expires_at <= now_us()]
    living = sorted(
        (one for one in held if one.expires_at > now_us()), key=lambda one: (one.priority, one.last_used_at)
    )
    surplus = living[: max(0, len(living) - SNAPSHOTS_MOST + 1)]
    await remove(call, (*ended, *surplus))
    now = now_us()
    id_ = id_ or f"urn:ngsi-ld:Snapshot:{uuid4()}"
    return Snapshot(id_, _free(held), [], context, now, now, "", last_used_at=now)


def _free(held: Iterable[Snapshot]) -> int:
    taken = {one.place for one in held}
    return choice([number for number in range(_PLACES) if number not in taken])


async def claim(call: Call, held: Snapshot) -> None:
    """Stores a new snapshot under a place that no other has: who finds a rival there moves on."""
    while True:
        await keep(call, held)
        others = [one for one in await load_all(call) if one.id != held.id]
        if all(one.place != held.place for one in others):
            return
        held.place = _free(others)


async def remove(call: Call, snapshots: Iterable[Snapshot]) -> None:
    """Removes snapshots with all that they hold."""
    for one in snapshots:
        await keep_records(call.services.bus, call.principal, drops=[(KIND, call.tenant, one.id)])
        await clear(call, one)


def copies(call: Call) -> StateReader:
    """Returns the reader for copies: no source has any."""
    state = call.services.state
    return state.local if isinstance(state, Wider) else state


async def clear(call: Call, held: Snapshot) -> None:
    """Removes the entities of a snapshot, and their evolutions."""
    tenant = held.tenant(call.tenant)
    for part in (tenant, evolution_tenant(tenant)):
        whole = EntityQuery(Reach(part), limit=_PAGE)
        while bodies := (await copies(call).query(whole)).documents:
            ids = [str(decode_document(body)["id"]) for body in bodies]
            await keep_copies(call, part, drops=ids)
    await call.services.bus.request(FLUSH, b"", call.principal, timeout_s=_PATIENCE_S)
    if await call.services.history.count(tenant):
        await purge_history(call, PurgeHistoryRequest(tenant, None))

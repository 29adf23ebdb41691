"""What the keeper is asked over the bus, and what it answers (msgpack)."""

from collections.abc import Sequence

import msgspec

from yunmeng.kernel.base import squeezed, unsqueezed
from yunmeng.kernel.keeper.prepared import Prepared
from yunmeng.kernel.keeper.sheets import Sheet
from yunmeng.kernel.link import Bus
from yunmeng.kernel.model import Document, Operation, Outcome
from yunmeng.kernel.store import Instance
from yunmeng.kernel.trust import Principal, Reach

WRITE = "keeper.write"
WRITES = "keeper.writes"
RECORDS = "keeper.records"
PURGE_HISTORY = "keeper.purge-history"
FLUSH = "keeper.flush"
EVOLVE = "keeper.evolve"


async def settle(bus: Bus, principal: Principal, *, timeout_s: float = 30.0) -> None:
    """Returns when state and history have every observation that is in the stream at the call.

    A plain ``FLUSH`` waits for those only that the keeper has taken from the stream. Raises
    ``Unavailable("bus.no-answer")`` when the keeper is further behind than ``timeout_s``.
    """
    last = (await bus.extent("OBS")).last
    await bus.request(FLUSH, b"%d" % last, principal, timeout_s=timeout_s)


def evolution_tenant(tenant: str) -> str:
    """Returns under which tenant's name the heads of evolutions are kept that have no current entity.

    No client can name it: ``~`` is in no tenant's name.
    """
    return f"{tenant}~evolution"


class WriteRequest(msgspec.Struct, frozen=True):
    """Operations on one tenant's entities; each stands alone (one refused does not stop the others).

    Entities outside ``reach`` count as absent, and one made outside it is refused. Where an entity of
    ``expected`` was not last modified when it says there (id, ``modifiedAt``), somebody was quicker: all are
    refused with ``entity.changed``.
    """

    reach: Reach
    operations: tuple[Operation | Prepared | Sheet, ...]
    expected: tuple[tuple[str, str], ...] = ()


class WriteReply(msgspec.Struct, frozen=True):
    """One outcome an operation, an entity's each of a sheet, in order; sent only after the commit."""

    outcomes: tuple[Outcome, ...]


class SentWrite(msgspec.Struct, frozen=True):
    """One of several write requests in a message, and whose it is."""

    principal: str
    request: WriteRequest


class WritesRequest(msgspec.Struct, frozen=True):
    """Write requests of several callers, carried out in this order within one commit."""

    writes: tuple[SentWrite, ...]


_encode = msgspec.msgpack.Encoder().encode
_decode_writes = msgspec.msgpack.Decoder(WritesRequest).decode


def encode_writes(writes: Sequence[bytes]) -> bytes:
    """Returns encoded :class:`SentWrite` as one message, squeezed."""
    return squeezed(_encode({"writes": [msgspec.Raw(write) for write in writes]}))


def decode_writes(data: bytes) -> WritesRequest:
    """Reads what :func:`encode_writes` returned."""
    return _decode_writes(unsqueezed(data))


class WritesReply(msgspec.Struct, frozen=True):
    """One reply a write request, in order."""

    replies: tuple[WriteReply, ...]


class RecordPut(msgspec.Struct, frozen=True):
    """A record to store: small JSON by kind and id.

    Where it is not ``expected`` that is stored (empty: none is), the whole request is refused with
    ``entity.changed``; by itself anything is expected.
    """

    kind: str
    tenant: str
    id: str
    body: bytes
    expected: bytes | None = None


class RecordsRequest(msgspec.Struct, frozen=True):
    """Records to store and to drop (kind, tenant, id), in one transaction.

    ``heads`` are documents to store under ``heads_tenant`` as they are, ``drop_heads`` ids to remove there.
    """

    puts: tuple[RecordPut, ...] = ()
    drops: tuple[tuple[str, str, str], ...] = ()
    heads: tuple[Document, ...] = ()
    drop_heads: tuple[str, ...] = ()
    heads_tenant: str = ""


class PurgeHistoryRequest(msgspec.Struct, frozen=True):
    """History to delete: an entity, one of its attributes (and of these one dataset), or one instance.

    Without an entity (None) all of a tenant; the heads of its evolutions stay.
    """

    tenant: str
    entity: str | None
    attribute: str = ""
    instance_id: str = ""
    dataset_id: str | None = None


class EvolveRequest(msgspec.Struct, frozen=True):
    """Instances to put into the temporal evolution of an entity (ETSI GS CIM 009 §5.6.11 to §5.6.14).

    ``head`` says what the entity is where no current one says it; ``replaces`` names the instances that go
    for the new ones. Instances say themselves whose they are. Answered when the history has them.
    """

    tenant: str
    entity: str
    head: Document | None = None
    instances: tuple[Instance, ...] = ()
    replaces: tuple[str, ...] = ()

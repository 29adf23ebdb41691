"""What the keeper is asked over the bus, and what it answers (msgpack)."""

import msgspec

from yunmeng.kernel.model import Operation, Outcome
from yunmeng.kernel.trust import Reach

WRITE = "keeper.write"
RECORDS = "keeper.records"
PURGE_HISTORY = "keeper.purge-history"
FLUSH = "keeper.flush"


class WriteRequest(msgspec.Struct, frozen=True):
    """Operations on one tenant's entities; each stands alone (one refused does not stop the others).

    Entities outside ``reach`` count as absent, and one made outside it is refused.
    """

    reach: Reach
    operations: tuple[Operation, ...]


class WriteReply(msgspec.Struct, frozen=True):
    """One outcome an operation, in order; sent only after the commit."""

    outcomes: tuple[Outcome, ...]


class RecordPut(msgspec.Struct, frozen=True):
    """A record to store: small JSON by kind and id."""

    kind: str
    tenant: str
    id: str
    body: bytes


class RecordsRequest(msgspec.Struct, frozen=True):
    """Records to store and to drop (kind, tenant, id), in one transaction."""

    puts: tuple[RecordPut, ...] = ()
    drops: tuple[tuple[str, str, str], ...] = ()


class PurgeHistoryRequest(msgspec.Struct, frozen=True):
    """History to delete: an entity, one of its attributes, or one instance."""

    tenant: str
    entity: str
    attribute: str = ""
    instance_id: str = ""

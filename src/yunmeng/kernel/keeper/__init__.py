"""The keeper: the single writer of a node (DESIGN §4)."""

from yunmeng.kernel.keeper.emitter import RecordNote
from yunmeng.kernel.keeper.intake import QUARANTINE, Quarantined
from yunmeng.kernel.keeper.keeper import Keeper
from yunmeng.kernel.keeper.prepared import Prepared, prepared
from yunmeng.kernel.keeper.requests import (
    EVOLVE,
    FLUSH,
    PURGE_HISTORY,
    RECORDS,
    WRITE,
    EvolveRequest,
    PurgeHistoryRequest,
    RecordPut,
    RecordsRequest,
    WriteReply,
    WriteRequest,
    evolution_tenant,
)

__all__ = [
    "EVOLVE",
    "FLUSH",
    "PURGE_HISTORY",
    "QUARANTINE",
    "RECORDS",
    "WRITE",
    "EvolveRequest",
    "Keeper",
    "Prepared",
    "PurgeHistoryRequest",
    "Quarantined",
    "RecordNote",
    "RecordPut",
    "RecordsRequest",
    "WriteReply",
    "WriteRequest",
    "evolution_tenant",
    "prepared",
]

"""The keeper: the single writer of a node (DESIGN §4)."""

from yunmeng.kernel.keeper.emitter import RecordNote
from yunmeng.kernel.keeper.intake import QUARANTINE, Quarantined, Reason
from yunmeng.kernel.keeper.keeper import Keeper
from yunmeng.kernel.keeper.prepared import Prepared, prepared
from yunmeng.kernel.keeper.quarantine import QuarantineLoss, quarantine_loss
from yunmeng.kernel.keeper.requests import (
    EVOLVE,
    FLUSH,
    PURGE_HISTORY,
    RECORDS,
    WRITE,
    WRITES,
    EvolveRequest,
    PurgeHistoryRequest,
    RecordPut,
    RecordsRequest,
    SentWrite,
    WriteReply,
    WriteRequest,
    WritesReply,
    WritesRequest,
    decode_writes,
    encode_writes,
    evolution_tenant,
    settle,
)
from yunmeng.kernel.keeper.sheets import Sheet, sheet_of

__all__ = [
    "EVOLVE",
    "FLUSH",
    "PURGE_HISTORY",
    "QUARANTINE",
    "RECORDS",
    "WRITE",
    "WRITES",
    "EvolveRequest",
    "Keeper",
    "Prepared",
    "PurgeHistoryRequest",
    "QuarantineLoss",
    "Quarantined",
    "Reason",
    "RecordNote",
    "RecordPut",
    "RecordsRequest",
    "SentWrite",
    "Sheet",
    "WriteReply",
    "WriteRequest",
    "WritesReply",
    "WritesRequest",
    "decode_writes",
    "encode_writes",
    "evolution_tenant",
    "prepared",
    "quarantine_loss",
    "settle",
    "sheet_of",
]

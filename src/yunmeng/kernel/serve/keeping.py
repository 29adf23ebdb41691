"""Writes: what handlers ask of the keeper over the bus."""

from collections.abc import Sequence

import msgspec

from yunmeng.kernel.keeper import (
    EVOLVE,
    PURGE_HISTORY,
    RECORDS,
    WRITE,
    EvolveRequest,
    Prepared,
    PurgeHistoryRequest,
    RecordPut,
    RecordsRequest,
    WriteReply,
    WriteRequest,
    prepared,
)
from yunmeng.kernel.link import Bus
from yunmeng.kernel.model import Operation, Outcome
from yunmeng.kernel.serve.refusals import refusal
from yunmeng.kernel.serve.routes import Call
from yunmeng.kernel.trust import Principal, Reach

# well below what the bus carries in one message (32 MiB)
_LARGEST_MESSAGE = 16 << 20
_PATIENCE_S = 30.0

_encoder = msgspec.msgpack.Encoder()
_reply = msgspec.msgpack.Decoder(WriteReply)


async def write(call: Call, operations: Sequence[Operation]) -> tuple[Outcome, ...]:
    """Has the keeper carry out the operations and returns one outcome each, after the commit."""
    return await _write(call.services.bus, call.principal, call.reach, tuple(map(prepared, operations)))


async def write_one(call: Call, operation: Operation) -> Outcome:
    """Has the keeper carry out one operation; raises the error of a refused one."""
    (outcome,) = await write(call, (operation,))
    if outcome.done == "refused":
        raise refusal(outcome)
    return outcome


async def _write(
    bus: Bus, principal: Principal, reach: Reach, operations: tuple[Operation | Prepared, ...]
) -> tuple[Outcome, ...]:
    data = _encoder.encode(WriteRequest(reach, operations))
    if len(data) > _LARGEST_MESSAGE and len(operations) > 1:
        half = len(operations) // 2
        first = await _write(bus, principal, reach, operations[:half])
        return first + await _write(bus, principal, reach, operations[half:])
    answer = await bus.request(WRITE, data, principal, timeout_s=_PATIENCE_S)
    return _reply.decode(answer).outcomes


async def keep_records(
    bus: Bus,
    principal: Principal,
    puts: Sequence[RecordPut] = (),
    drops: Sequence[tuple[str, str, str]] = (),
) -> None:
    """Stores and drops records (kind, tenant, id) in one transaction of the keeper."""
    request = RecordsRequest(tuple(puts), tuple(drops))
    await bus.request(RECORDS, _encoder.encode(request), principal, timeout_s=_PATIENCE_S)


async def purge_history(call: Call, request: PurgeHistoryRequest) -> None:
    """Has the keeper delete history."""
    data = _encoder.encode(request)
    await call.services.bus.request(PURGE_HISTORY, data, call.principal, timeout_s=_PATIENCE_S)


async def evolve(call: Call, request: EvolveRequest) -> None:
    """Has the keeper put instances into the history; returns when they can be read."""
    data = _encoder.encode(request)
    await call.services.bus.request(EVOLVE, data, call.principal, timeout_s=_PATIENCE_S)

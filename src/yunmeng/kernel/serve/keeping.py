"""Writes: what handlers ask of the keeper over the bus."""

from collections.abc import Sequence

import msgspec

from yunmeng.kernel.keeper import (
    EVOLVE,
    PURGE_HISTORY,
    RECORDS,
    EvolveRequest,
    Prepared,
    PurgeHistoryRequest,
    RecordPut,
    RecordsRequest,
    SentWrite,
    Sheet,
    WriteRequest,
    prepared,
)
from yunmeng.kernel.link import Bus
from yunmeng.kernel.model import Document, Operation, Outcome
from yunmeng.kernel.serve.desk import desk
from yunmeng.kernel.serve.lane import LARGEST_MESSAGE, PATIENCE_S
from yunmeng.kernel.serve.refusals import refusal
from yunmeng.kernel.serve.routes import Call
from yunmeng.kernel.trust import Principal

_encoder = msgspec.msgpack.Encoder()


async def write(
    call: Call, operations: Sequence[Operation | Sheet], *, unchanged: Document | None = None
) -> tuple[Outcome, ...]:
    """Has the keeper carry out the operations and returns one outcome each, after the commit.

    Of a sheet there is one for each of its entities.

    Where the entity ``unchanged`` (in stored form) is no more as it was read, all are refused: 409,
    ``entity.changed``.
    """
    expected = () if unchanged is None else ((str(unchanged["id"]), str(unchanged["modifiedAt"])),)
    return await _write(call, tuple([_ready(operation) for operation in operations]), expected)


async def write_one(call: Call, operation: Operation, *, unchanged: Document | None = None) -> Outcome:
    """Has the keeper carry out one operation, as :func:`write` does; raises the error of a refused one."""
    (outcome,) = await write(call, (operation,), unchanged=unchanged)
    if outcome.done == "refused":
        raise refusal(outcome)
    return outcome


def _ready(operation: Operation | Sheet) -> Operation | Prepared | Sheet:
    return operation if isinstance(operation, Sheet) else prepared(operation)


async def _write(
    call: Call,
    operations: tuple[Operation | Prepared | Sheet, ...],
    expected: tuple[tuple[str, str], ...] = (),
) -> tuple[Outcome, ...]:
    request = WriteRequest(call.reach, operations, expected)
    data = _encoder.encode(SentWrite(call.principal.id, request))
    if len(data) > LARGEST_MESSAGE and len(operations) > 1 and not expected:
        half = len(operations) // 2
        return await _write(call, operations[:half]) + await _write(call, operations[half:])
    return (await desk(call).lane.send(data)).outcomes


async def keep_records(
    bus: Bus,
    principal: Principal,
    puts: Sequence[RecordPut] = (),
    drops: Sequence[tuple[str, str, str]] = (),
) -> None:
    """Stores and drops records (kind, tenant, id) in one transaction of the keeper."""
    request = RecordsRequest(tuple(puts), tuple(drops))
    await bus.request(RECORDS, _encoder.encode(request), principal, timeout_s=PATIENCE_S)


async def keep_copies(
    bus: Bus,
    principal: Principal,
    tenant: str,
    documents: Sequence[Document] = (),
    drops: Sequence[str] = (),
) -> None:
    """Has the keeper store documents as they are, and drop ids, under a tenant's name that nobody can give.

    Nobody is told of it, and it has no history.
    """
    request = RecordsRequest(heads=tuple(documents), drop_heads=tuple(drops), heads_tenant=tenant)
    data = _encoder.encode(request)
    if len(data) > LARGEST_MESSAGE and len(documents) > 1:
        half = len(documents) // 2
        await keep_copies(bus, principal, tenant, documents[:half], drops)
        await keep_copies(bus, principal, tenant, documents[half:])
        return
    await bus.request(RECORDS, data, principal, timeout_s=PATIENCE_S)


async def purge_history(bus: Bus, principal: Principal, request: PurgeHistoryRequest) -> None:
    """Has the keeper delete history."""
    await bus.request(PURGE_HISTORY, _encoder.encode(request), principal, timeout_s=PATIENCE_S)


async def evolve(call: Call, request: EvolveRequest) -> None:
    """Has the keeper put instances into the history; returns when they can be read."""
    data, instances = _encoder.encode(request), request.instances
    if len(data) > LARGEST_MESSAGE and len(instances) > 1:
        half = len(instances) // 2
        await evolve(call, msgspec.structs.replace(request, instances=instances[:half]))
        await evolve(call, EvolveRequest(request.tenant, request.entity, instances=instances[half:]))
        return
    await call.services.bus.request(EVOLVE, data, call.principal, timeout_s=PATIENCE_S)

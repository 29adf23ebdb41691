"""Devices that a gateway process left online when it ended without a word."""

from collections.abc import Iterable
from dataclasses import replace

import msgspec

from yunmeng.kernel.keeper import WRITE, WriteRequest
from yunmeng.kernel.link import Bus
from yunmeng.kernel.model import Compare, Context, Merge, Operand, Path, expand_fragment, parse_types
from yunmeng.kernel.store import EntityQuery, StateReader
from yunmeng.kernel.trust import Principal, Reach

_PACK = 250
_PATIENCE_S = 30.0
_SERVICE = Principal("urn:yunmeng:service:sense", kind="service", roles=("service",))


class _Head(msgspec.Struct):
    id: str


async def part_with_stranded(bus: Bus, state: StateReader, context: Context, tenants: Iterable[str]) -> int:
    """Says of every device that is online still that it is not; returns how many there were.

    To be called before any device is met: whoever is there connects again, and is online again.
    """
    parted = 0
    for tenant in set(tenants):
        query = _online(context, tenant)
        while ids := [
            msgspec.json.decode(body, type=_Head).id for body in (await state.query(query)).documents
        ]:
            offline = expand_fragment({"deviceState": "offline"}, context)
            request = WriteRequest(Reach(tenant), tuple(Merge(id, offline) for id in ids))
            await bus.request(WRITE, msgspec.msgpack.encode(request), _SERVICE, timeout_s=_PATIENCE_S)
            query = replace(query, after=ids[-1])
            parted += len(ids)
    return parted


def _online(context: Context, tenant: str) -> EntityQuery:
    state = Compare(Path(context.expand("deviceState")), "==", (Operand("string", "online"),))
    types = parse_types("Device", context)
    return EntityQuery(Reach(tenant), types=types, conditions=state, limit=_PACK)

"""Devices that a gateway process left online when it ended without a word."""

from collections.abc import Iterable, Mapping
from dataclasses import replace

import msgspec

from yunmeng.kernel.keeper import WRITE, WriteRequest
from yunmeng.kernel.link import Bus
from yunmeng.kernel.model import And, Compare, Context, Merge, Operand, Path, expand_fragment, parse_types
from yunmeng.kernel.store import EntityQuery, StateReader
from yunmeng.kernel.trust import Principal, Reach

_PACK = 250
_PATIENCE_S = 30.0
_SERVICE = Principal("urn:yunmeng:service:sense", kind="service", roles=("service",))


class _Head(msgspec.Struct):
    id: str


async def part_with_stranded(
    bus: Bus, state: StateReader, context: Context, gateways: Mapping[str, str]
) -> int:
    """Says of every device that is online through one of these gateways that it is not; returns how many.

    ``gateways`` are tenants by the name of the gateway: what another node says of its devices stays as it is.

    To be called before any device is met: whoever is there connects again, and is online again.
    """
    parted = 0
    for tenant in set(gateways.values()):
        names = [name for name, whose in gateways.items() if whose == tenant]
        query = _online(context, tenant, names)
        while ids := [
            msgspec.json.decode(body, type=_Head).id for body in (await state.query(query)).documents
        ]:
            offline = expand_fragment({"deviceState": "offline"}, context)
            request = WriteRequest(Reach(tenant), tuple(Merge(id, offline) for id in ids))
            await bus.request(WRITE, msgspec.msgpack.encode(request), _SERVICE, timeout_s=_PATIENCE_S)
            query = replace(query, after=ids[-1])
            parted += len(ids)
    return parted


def _online(context: Context, tenant: str, gateways: Iterable[str]) -> EntityQuery:
    conditions = And((_among(context, "deviceState", ("online",)), _among(context, "gateway", gateways)))
    types = parse_types("Device", context)
    return EntityQuery(Reach(tenant), types=types, conditions=conditions, limit=_PACK)


def _among(context: Context, name: str, values: Iterable[str]) -> Compare:
    operands = tuple(Operand("string", value) for value in values)
    return Compare(Path(context.expand(name)), "==", operands)

"""What the package's own work writes of its own accord: attributes merged into entities, as a service."""

from collections.abc import Mapping
from typing import Any

import msgspec

from yunmeng.kernel.keeper import WRITE, WriteReply, WriteRequest
from yunmeng.kernel.model import VOCABULARY_CONTEXT, Context, Merge, expand_fragment
from yunmeng.kernel.serve import Services
from yunmeng.kernel.trust import Principal, Reach

_PACK = 500
_SERVICE = Principal("urn:yunmeng:service:water", kind="service", roles=("service",))


async def merge(services: Services, changes: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Merges attributes (concise form) into entities by id; returns the ids of those that took them."""
    context = Context((services.types.context()["@context"],), (VOCABULARY_CONTEXT,))
    merges = tuple(Merge(id, expand_fragment(dict(each), context)) for id, each in changes.items())
    taken: list[str] = []
    for start in range(0, len(merges), _PACK):
        request = msgspec.msgpack.encode(WriteRequest(Reach(), merges[start : start + _PACK]))
        answer = await services.bus.request(WRITE, request, _SERVICE, timeout_s=30.0)
        outcomes = msgspec.msgpack.decode(answer, type=WriteReply).outcomes
        taken += [outcome.id for outcome in outcomes if outcome.done != "refused"]
    return taken

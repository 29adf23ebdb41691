"""Batches for sources that offer none: one request for each entity (§5.6.7.4 to §5.6.10.4, §5.6.20.4)."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import quote

from yunmeng.kernel.model import Context
from yunmeng.kernel.serve.ngsild.parameters import options
from yunmeng.kernel.serve.sources.forwarding import Answer, Forward, Forwarder, Origin
from yunmeng.kernel.serve.sources.registration import Registration

SINGLE: Mapping[str, frozenset[str]] = {
    "createBatch": frozenset(("createEntity",)),
    "upsertBatch": frozenset(("createEntity", "updateEntity", "replaceEntity")),
    "updateBatch": frozenset(("appendAttrs", "updateEntity")),
    "mergeBatch": frozenset(("mergeEntity",)),
    "deleteBatch": frozenset(("deleteEntity",)),
}
"""What a source may offer in the place of each batch operation."""

_THERE = 409


@dataclass(frozen=True, slots=True)
class Singles:
    """A batch for one source, as single requests; ``bodies`` belong to ``ids``, in one context."""

    registration: Registration
    context: Context
    operation: str
    parameters: Mapping[str, str]

    async def send(
        self, ids: Sequence[str], bodies: Sequence[Any], forwarder: Forwarder, origin: Origin
    ) -> list[Answer]:
        """Returns the answer for each entity, in order."""
        work = (self._one(id_, body, forwarder, origin) for id_, body in zip(ids, bodies, strict=True))
        return list(await asyncio.gather(*work))

    async def _one(self, id_: str, body: Any, forwarder: Forwarder, origin: Origin) -> Answer:
        first, *rest = self._requests(id_, body)
        answer = await forwarder.send(first, origin)
        for forward in rest:
            if answer.status != _THERE:
                break
            answer = await forwarder.send(forward, origin)
        return answer

    def _requests(self, id_: str, body: Any) -> list[Forward]:
        """Returns the requests for one entity; each counts when the one before met an entity already."""
        entity = f"/entities/{quote(id_, safe=':')}"
        offers = self.registration.operations
        match self.operation:
            case "createBatch":
                return [self._forward("POST", "/entities", body)]
            case "deleteBatch":
                return [self._forward("DELETE", entity)]
            case "mergeBatch":
                return [self._forward("PATCH", entity, body)]
            case "updateBatch" if "appendAttrs" in offers:
                return [self._append(entity, body)]
            case "updateBatch":
                return [self._forward("PATCH", f"{entity}/attrs", _attributes(body))]
            case _:
                return self._upsert(entity, body)

    def _append(self, entity: str, body: Any) -> Forward:
        forward = self._forward("POST", f"{entity}/attrs", _attributes(body))
        if "noOverwrite" not in options(self.parameters):
            return forward
        return replace(forward, parameters={**forward.parameters, "options": "noOverwrite"})

    def _upsert(self, entity: str, body: Any) -> list[Forward]:
        offers, found = self.registration.operations, list[Forward]()
        if "createEntity" in offers:
            found.append(self._forward("POST", "/entities", body))
        if "update" in options(self.parameters):
            if "updateEntity" in offers:
                found.append(self._forward("PATCH", f"{entity}/attrs", _attributes(body)))
        elif "replaceEntity" in offers:
            found.append(self._forward("PUT", entity, body))
        # it offers one of the three, if not the one that is wanted first
        return found or [self._forward("PATCH", f"{entity}/attrs", _attributes(body))]

    def _forward(self, method: str, path: str, body: Any = None) -> Forward:
        parameters = {"local": "true"} if self.registration.local_only else {}
        return Forward(self.registration, method, path, self.context, parameters, body)


def _attributes(body: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in body.items() if name not in ("id", "type")}

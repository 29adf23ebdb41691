"""Entities as the command line reads them: by the node's own terms, straight from the state."""

from typing import Any

import msgspec

from yunmeng.kernel.model import ContextLibrary, Document, compact_entity, parse_q, parse_types
from yunmeng.kernel.store import EntityQuery
from yunmeng.kernel.trust import Reach
from yunmeng.node.parts import Parts, type_library

Entity = dict[str, Any]


async def find(parts: Parts, type_: str | None, q: str | None, tenant: str, limit: int) -> list[Entity]:
    """Returns the entities that match."""
    context = await ContextLibrary(parts.settings.contexts).resolve(type_library().context())
    query = EntityQuery(
        Reach(tenant),
        types=parse_types(type_, context) if type_ else None,
        conditions=parse_q(q, context) if q else None,
        limit=limit,
    )
    page = await parts.state.query(query)
    return [compact_entity(msgspec.json.decode(body, type=Document), context) for body in page.documents]


async def one(parts: Parts, entity_id: str, tenant: str) -> Entity | None:
    """Returns one entity, or None."""
    context = await ContextLibrary(parts.settings.contexts).resolve(type_library().context())
    body = await parts.state.get(Reach(tenant), entity_id)
    return None if body is None else compact_entity(msgspec.json.decode(body, type=Document), context)

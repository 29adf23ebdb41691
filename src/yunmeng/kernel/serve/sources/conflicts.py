"""What a new registration may not overlap with (ETSI GS CIM 009 §4.3.6.3, §5.9.2.4)."""

from collections.abc import Iterable

import msgspec

from yunmeng.kernel.base import Conflict
from yunmeng.kernel.model import Document, TypeAny, TypeIs
from yunmeng.kernel.serve.routes import Call
from yunmeng.kernel.serve.sources.information import EntityInfo, Information
from yunmeng.kernel.serve.sources.registration import Registration
from yunmeng.kernel.store import EntityQuery
from yunmeng.kernel.trust import Reach

_document = msgspec.json.Decoder(Document).decode


async def refuse_conflicts(call: Call, new: Registration, others: Iterable[Registration]) -> None:
    """Refuses a registration that claims what another source or this node already holds alone.

    Raises:
        Conflict: ``registration.conflict``, ``registration.entity-conflict``.
    """
    if not new.proxied:
        return
    for other in others:
        if other.id != new.id and _clash(new, other):
            raise Conflict("registration.conflict", other=other.id)
    for information in new.information:
        held = await _held(call, new, information)
        if held:
            raise Conflict("registration.entity-conflict", entity=held)


def _clash(new: Registration, other: Registration) -> bool:
    if not other.proxied or "exclusive" not in (new.mode, other.mode):
        return False
    return any(_overlap(one, two) for one in new.information for two in other.information)


def _overlap(one: Information, two: Information) -> bool:
    if one.attributes and two.attributes and one.attributes.isdisjoint(two.attributes):
        return False
    if not one.entities or not two.entities:
        return True
    return any(_same(first, second) for first in one.entities for second in two.entities)


def _same(one: EntityInfo, two: EntityInfo) -> bool:
    if one.types and two.types and one.types.isdisjoint(two.types):
        return False
    if one.id and two.id:
        return one.id == two.id
    if one.id:
        return two.pattern is None or two.pattern.search(one.id) is not None
    if two.id:
        return _same(two, one)
    return True


async def _held(call: Call, new: Registration, information: Information) -> str:
    """Returns an entity of this node that the registration would take over, empty without one."""
    reach = Reach(call.tenant)
    for entity in information.entities or (None,):
        query = EntityQuery(
            reach,
            ids=(entity.id,) if entity and entity.id else (),
            id_pattern=entity.pattern.pattern if entity and entity.pattern else "",
            types=TypeAny(tuple(map(TypeIs, sorted(entity.types)))) if entity and entity.types else None,
            attributes=tuple(information.attributes),
            limit=1,
        )
        for body in (await call.services.state.query(query)).documents:
            return str(_document(body)["id"])
    return ""

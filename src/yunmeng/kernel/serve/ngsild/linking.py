"""Conditions on linked entities (ETSI GS CIM 009 §4.9), turned into conditions on the links to them."""

from yunmeng.kernel.model import NULL, And, Compare, Condition, Linked, Operand, Or, TypeAny, TypeIs
from yunmeng.kernel.serve.ngsild.representation import decode_document
from yunmeng.kernel.serve.refusals import TooMany
from yunmeng.kernel.serve.routes import Call
from yunmeng.kernel.store import EntityQuery

_MOST = 1_000


async def resolved(call: Call, condition: Condition) -> Condition:
    """Returns a condition that says the same of the relationships alone.

    Raises:
        TooMany: ``query.links-many`` when too many entities fulfil what is asked of the linked ones.
    """
    match condition:
        case And(parts):
            return And(tuple([await resolved(call, part) for part in parts]))
        case Or(parts):
            return Or(tuple([await resolved(call, part) for part in parts]))
        case Linked():
            return await _links(call, condition)
        case _:
            return condition


async def _links(call: Call, linked: Linked) -> Condition:
    asked = EntityQuery(
        reach=call.reach,
        types=TypeAny(tuple(map(TypeIs, linked.types))) if linked.types else None,
        conditions=await resolved(call, linked.condition),
        limit=_MOST + 1,
    )
    found = (await call.services.state.query(asked)).documents
    if len(found) > _MOST:
        raise TooMany("query.links-many", most=_MOST)
    targets = tuple(Operand("uri", str(decode_document(body)["id"])) for body in found)
    # no relationship leads to Null
    return Compare(linked.path, "==", targets or (Operand("uri", NULL),))

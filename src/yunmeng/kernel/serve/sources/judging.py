"""What of a view counts: what the caller may see, asks for, and what no other holds alone (§4.3.6.3)."""

from collections.abc import Sequence

from yunmeng.kernel.model import (
    DIVISION,
    Condition,
    Document,
    matches,
    matches_geo,
    matches_scopes,
    matches_types,
)
from yunmeng.kernel.serve.sources.matching import Match, Need, matching
from yunmeng.kernel.serve.sources.merging import bare, without
from yunmeng.kernel.serve.sources.registration import Registration
from yunmeng.kernel.store import EntityQuery
from yunmeng.kernel.trust import Reach

READING = frozenset(("retrieveEntity", "queryEntity", "queryBatch"))
QUERYING = frozenset(("queryEntity", "queryBatch"))


def offers(match: Match, operations: frozenset[str]) -> bool:
    """Tells whether a source offers one of these operations."""
    return not match.registration.operations.isdisjoint(operations)


def own_part(
    mine: Document, id_: str, registrations: Sequence[Registration], csf: Condition | None
) -> Document | None:
    """Returns what of this node's view counts: not what a source holds alone (§4.3.6.3)."""
    types = frozenset(mine.get("type", ()))
    for one in registrations:
        if not one.proxied:
            continue
        for match in matching((one,), Need(frozenset((id_,)), types=types, csf=csf)):
            if not offers(match, READING):
                continue
            if not match.attributes:
                return None
            before = bare(mine)
            mine = without(mine, match.attributes)
            if bare(mine) and not before:
                return None
    return mine


def within(document: Document, reach: Reach, home: str) -> bool:
    """Tells whether the caller may see an entity's division, which is ``home`` when it has none."""
    if reach.prefixes is None:
        return True
    codes = [str(instance.get("value", "")) for instance in document.get(DIVISION, ())] or [home]
    return any(code.startswith(reach.prefixes) for code in codes)


def fulfils(document: Document, query: EntityQuery) -> bool:
    """Tells whether a whole entity is what a query asks for."""
    return (
        (query.conditions is None or matches(document, query.conditions))
        and (query.geo is None or matches_geo(document, query.geo))
        and (query.scope is None or matches_scopes(document, query.scope))
        and (not query.attributes or any(name in document for name in query.attributes))
        and (query.types is None or matches_types(document, query.types))
    )

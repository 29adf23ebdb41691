"""The exact answer about one candidate: id pattern, ``q`` and geometry on the document with its last values."""

from typing import Any

import msgspec

from yunmeng.kernel.model import geometries, matches
from yunmeng.kernel.store.state.plan import Plan
from yunmeng.kernel.store.state.port import EntityQuery

_decode = msgspec.json.Decoder(dict[str, Any]).decode


def accepts(plan: Plan, query: EntityQuery, body: bytes) -> bool:
    """Tells whether a document matches what SQL could not decide."""
    if not plan.ask and plan.geo is None:
        return True
    document = _decode(body)
    if plan.ask and query.conditions is not None and not matches(document, query.conditions):
        return False
    if plan.geo is None or query.geo is None:
        return True
    return any(map(plan.geo.matches, geometries(document, query.geo.property)))

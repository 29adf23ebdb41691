"""What writing an evolution means for the current entity, and for values that are there already.

ETSI GS CIM 009 §5.6.11 and §5.6.12 leave both open. The newest value of an attribute is its current one, so
an entity that is first known from its evolution has a current state, and follows the newest values. A value
of the same attribute, dataset and moment is the same observation: sent again it changes nothing, sent
otherwise it replaces the earlier one. So a request can be repeated.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from yunmeng.kernel.base import instant_us
from yunmeng.kernel.model import NAMESPACE, NULL, VALUE_MEMBERS, Append, Create, Document
from yunmeng.kernel.serve.keeping import write
from yunmeng.kernel.serve.ngsild.evolution import SCOPE
from yunmeng.kernel.serve.ngsild.representation import View, decode_document
from yunmeng.kernel.serve.ngsild.temporal_parameters import TimeWindow
from yunmeng.kernel.serve.ngsild.temporal_selection import query_of, settle
from yunmeng.kernel.serve.routes import Call
from yunmeng.kernel.store import Point

BORN = f"{NAMESPACE}bornOfEvolution"
"""The attribute by which the head of an evolution remembers that it made the current entity."""

_MOST = 1_000_000
_SYSTEM = frozenset(("createdAt", "modifiedAt", "instanceId", "deletedAt"))

Rows = Mapping[str, Sequence[Document]]


async def carry_over(call: Call, known: Document | None, members: Document, rows: Rows, at: int) -> Rows:
    """Writes the newest values as current ones; returns those that belong to the evolution alone.

    ``members`` are those of a new entity, ``at`` counts as the time of a value that has none (µs UTC).

    An entity that was deleted stays so.
    """
    id_ = str(members["id"])
    body = await call.services.state.get(call.reach, id_)
    if body is None and known is not None:
        return rows
    current: Document = decode_document(body) if body is not None else {}
    fresh = {name: list(_fresh(values, current.get(name, ()), at)) for name, values in rows.items()}
    fresh = {name: values for name, values in fresh.items() if values}
    bare: Document = {name: [_bare(value) for value in values] for name, values in fresh.items()}
    if current and not set(members.get("type", ())) <= set(current["type"]):
        bare["type"] = members["type"]
    if current and not bare:
        return rows
    operation = Append(id_, bare) if current else Create({**members, **bare})
    (outcome,) = await write(call, (operation,))
    if outcome.done not in ("created", "updated"):
        return rows
    taken = {
        id(value) for name, values in fresh.items() if name not in outcome.not_updated for value in values
    }
    return {name: [value for value in values if id(value) not in taken] for name, values in rows.items()}


def _fresh(values: Sequence[Document], held: Sequence[Document], at: int) -> Iterator[Document]:
    """Yields the newest value of each dataset, where the current entity has none as new."""
    newest: dict[str, Document] = {}
    # a null says that there was no value then (§4.5.0); to delete the current one is another request
    for value in (one for one in values if not _is_null(one)):
        dataset = str(value.get("datasetId", ""))
        if dataset not in newest or _moment(value, at) >= _moment(newest[dataset], at):
            newest[dataset] = value
    present = {str(value.get("datasetId", "")): value for value in held}
    for dataset, value in newest.items():
        old = present.get(dataset)
        if old is None or _moment(value, at) > _moment(old, 0) or _corrects(value, old):
            yield value


def _is_null(value: Document) -> bool:
    return any(value.get(name) in (NULL, {"@none": NULL}) for name in VALUE_MEMBERS.values())


def _corrects(value: Document, old: Document) -> bool:
    return value.get("observedAt", "") == old.get("observedAt") and _bare(value) != _bare(old)


def _moment(value: Document, at: int) -> int:
    moment = value.get("observedAt") or value.get("modifiedAt")
    return instant_us(moment) if isinstance(moment, str) else at


def _bare(value: Mapping[str, Any]) -> Document:
    return {name: member for name, member in value.items() if name not in _SYSTEM}


async def superseded(call: Call, known: Document, rows: Rows) -> tuple[Rows, tuple[str, ...]]:
    """Returns the values that are new, and the ids of instances that they replace."""
    times = [instant_us(v["observedAt"]) for values in rows.values() for v in values if "observedAt" in v]
    if not times:
        return rows, ()
    await settle(call, [known])
    window = TimeWindow("between", min(times), max(times) + 1)
    view = View(call.services.contexts.core)
    query = query_of(call, [str(known["id"])], tuple(rows), view, window, _MOST)
    held: defaultdict[tuple[str, str, int], list[Point]] = defaultdict(list)
    for point in await call.services.history.points(query):
        if point.body is not None and "observedAt" in point.body:
            held[point.attribute, point.dataset_id, point.at].append(point)
    replaced: list[str] = []
    new: dict[str, list[Document]] = {}
    for name, values in rows.items():
        new[name] = []
        for value in values:
            before = held.get((name, str(value.get("datasetId", "")), _moment(value, -1)), [])
            if name == SCOPE or not any(_bare(point.body or {}) == _bare(value) for point in before):
                new[name].append(value)
                replaced += [point.instance_id for point in before if point.instance_id]
    return new, tuple(replaced)

"""Which entities a temporal query is about, and their values in the window (ETSI GS CIM 009 §5.7.4.4)."""

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass

from yunmeng.kernel.base import instant_us, now_us
from yunmeng.kernel.keeper import FLUSH, evolution_tenant
from yunmeng.kernel.model import Document, ScopeSelection, is_expired, matches, matches_geo, matches_scopes
from yunmeng.kernel.serve.grades import closed
from yunmeng.kernel.serve.ngsild.evolution import SCOPE, instance_of, series_of
from yunmeng.kernel.serve.ngsild.representation import View, decode_document
from yunmeng.kernel.serve.ngsild.temporal_parameters import TimeWindow
from yunmeng.kernel.serve.routes import Call
from yunmeng.kernel.store import EntityQuery, Point, TemporalQuery
from yunmeng.kernel.trust import Reach

_CHUNK = 100
# the history gathers for a second before it writes, and on a busy machine writing takes a few
_UNSETTLED_US = 5_000_000
_PATIENCE_S = 30.0

Series = dict[str, list[Point]]


@dataclass(frozen=True, slots=True)
class Found:
    """An entity with its values in the window, by attribute."""

    document: Document
    series: Series


async def head(call: Call, id_: str) -> Document | None:
    """Returns what an entity is: the current one, else what its evolution remembers."""
    for reach in (call.reach, heads(call)):
        body = await call.services.state.get(reach, id_)
        if body is not None:
            return decode_document(body)
    return None


def heads(call: Call) -> Reach:
    """Returns the reach of the heads of evolutions, which no query of entities finds."""
    return Reach(evolution_tenant(call.tenant), call.reach.prefixes)


async def candidates(call: Call, asked: EntityQuery) -> AsyncIterator[list[Document]]:
    """Yields the entities, current ones and remembered ones, in chunks ordered by id."""
    after = ""
    while True:
        merged: dict[str, Document] = {}
        ends: list[str] = []
        for reach in (heads(call), call.reach):
            page = await call.services.state.query(
                EntityQuery(
                    reach, asked.ids, asked.id_pattern, asked.types, after=after, limit=_CHUNK, count=False
                )
            )
            documents = [decode_document(body) for body in page.documents]
            merged |= {str(one["id"]): one for one in documents}
            if len(documents) == _CHUNK:
                ends.append(str(documents[-1]["id"]))
        last = min(ends, default="")
        chunk = [merged[id_] for id_ in sorted(merged) if not last or id_ <= last]
        if chunk:
            yield chunk
        if not last:
            return
        after = last


async def settle(call: Call, documents: Sequence[Document]) -> None:
    """Waits until the history has what was written of these entities just now."""
    since = now_us() - _UNSETTLED_US
    if any(_touched(document) >= since for document in documents):
        await call.services.bus.request(FLUSH, b"", call.principal, timeout_s=_PATIENCE_S)


def _touched(document: Document) -> int:
    moment = document.get("modifiedAt")
    return instant_us(moment) if isinstance(moment, str) else 0


async def values(
    call: Call, ids: Sequence[str], attributes: Sequence[str], view: View, window: TimeWindow, limit: int
) -> Mapping[str, Series]:
    """Returns the values of entities in the window, by entity and attribute, without what is closed."""
    if not ids:
        return {}
    points = await call.services.history.points(query_of(call, ids, attributes, view, window, limit))
    hidden, now = closed(call), now_us()
    return series_of(
        point
        for point in points
        if point.attribute not in hidden and not (point.body and is_expired(point.body, now))
    )


def query_of(
    call: Call, ids: Sequence[str], attributes: Sequence[str], view: View, window: TimeWindow, limit: int
) -> TemporalQuery:
    """Writes down what is asked of the history."""
    return TemporalQuery(
        reach=call.reach,
        entities=tuple(ids),
        attributes=tuple(attributes),
        relation=window.relation,
        start=window.start,
        end=window.end,
        property=window.property,
        last=window.last,
        limit=limit,
        dataset_ids=tuple("" if one == "@none" else one for one in view.dataset_ids)
        if view.dataset_ids is not None
        else None,
    )


async def scoped(
    call: Call, scope: ScopeSelection, chunk: Sequence[Document], found: Mapping[str, Series]
) -> dict[str, Series]:
    """Keeps the values that were observed while a scope was valid that fits (§4.18, §4.19)."""
    history = await values(
        call,
        [str(one["id"]) for one in chunk],
        (SCOPE,),
        View(call.services.contexts.core),
        TimeWindow(),
        10_000,
    )
    kept: dict[str, Series] = {}
    for document in chunk:
        id_ = str(document["id"])
        steps = history.get(id_, {}).get(SCOPE)
        series = found.get(id_, {})
        if steps is None:
            if matches_scopes(document, scope):
                kept[id_] = series
            continue
        spans = [
            (one.at, after.at if after else 1 << 62)
            for one, after in zip(steps, [*steps[1:], None], strict=True)
            if matches_scopes({SCOPE: _scopes(one)}, scope)
        ]
        inside = {
            name: fitting
            for name, points in series.items()
            if name != SCOPE
            and (fitting := [p for p in points if any(start <= p.at < end for start, end in spans)])
        }
        if inside:
            kept[id_] = {**inside, SCOPE: _valid(steps, spans)}
    return kept


def _valid(steps: Sequence[Point], spans: Sequence[tuple[int, int]]) -> list[Point]:
    return [step for step in steps if any(step.at == start for start, _ in spans)]


def _scopes(point: Point) -> list[str]:
    value = (point.body or {}).get("value")
    return value if isinstance(value, list) else [value] if isinstance(value, str) else []  # pyright: ignore[reportUnknownVariableType]


def fits(asked: EntityQuery, document: Document, series: Series) -> bool:
    """Says whether the values in the window fulfil the query's conditions on attributes."""
    if asked.attributes and not series.keys() & set(asked.attributes):
        return False
    if asked.conditions is None and asked.geo is None:
        return bool(series.keys() - {SCOPE})
    shown: Document = {
        **{name: document[name] for name in document if name in ("id", "type", "createdAt", "modifiedAt")},
        **{
            name: [instance_of(point) for point in points] for name, points in series.items() if name != SCOPE
        },
    }
    if len(shown) <= 2 and not series:
        return False
    if asked.conditions is not None and not matches(shown, asked.conditions):
        return False
    return asked.geo is None or matches_geo(shown, asked.geo)

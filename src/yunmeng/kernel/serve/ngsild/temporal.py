"""Reads of the temporal evolution of entities (ETSI GS CIM 009 §5.7.3, §5.7.4, §6.18, §6.19, §6.24)."""

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from starlette.responses import Response

from yunmeng.kernel.base import BadInput, NotFound, format_us
from yunmeng.kernel.model import Context
from yunmeng.kernel.serve.body import as_object
from yunmeng.kernel.serve.grades import closed, note_revealed
from yunmeng.kernel.serve.heading import parameters_of
from yunmeng.kernel.serve.ngsild import entity_maps
from yunmeng.kernel.serve.ngsild.entities import path_id
from yunmeng.kernel.serve.ngsild.evolution import HEAD, show_aggregates, show_values
from yunmeng.kernel.serve.ngsild.negotiation import answer, read_payload, request_context
from yunmeng.kernel.serve.ngsild.parameters import Page, Parameters, page
from yunmeng.kernel.serve.ngsild.querying import body_parameters, check_width, paging, read_query
from yunmeng.kernel.serve.ngsild.representation import View
from yunmeng.kernel.serve.ngsild.temporal_parameters import (
    Aggregation,
    TimeWindow,
    temporal_parameters,
)
from yunmeng.kernel.serve.ngsild.temporal_search import Search, evolutions_of, find, read_search
from yunmeng.kernel.serve.ngsild.temporal_selection import (
    Found,
    head,
    query_of,
    settle,
)
from yunmeng.kernel.serve.ngsild.tenants import absent, tenant_exists
from yunmeng.kernel.serve.routes import Call
from yunmeng.kernel.store import Aggregate, EntityQuery


async def retrieve(call: Call) -> Response:
    """Retrieves the temporal evolution of one entity (§5.7.3)."""
    id_ = path_id(call)
    search = read_search(call, parameters_of(call.request), await request_context(call), needed=False)
    document = await head(call, id_)
    if document is None:
        raise await absent(call, id_)
    await settle(call, [document])
    if search.aggregation is None:
        series = (await evolutions_of(call, [document], search)).get(id_, {})
        shown, headers = await _show(call, [Found(document, series)], search)
    else:
        # the aggregates say themselves what there is; to read values for that would take longer
        shown, headers = await _show(call, [Found(document, {})], search)
        series = shown[0].keys() - frozenset(HEAD)
    if not series and search.view.attrs:
        raise NotFound("entity.no-attributes", id=id_)
    if not series and not await _evolved(call, id_):
        raise NotFound("entity.absent", id=id_)
    if not shown[0]:
        raise NotFound("entity.no-attributes", id=id_)
    return _answer(shown[0], search, {**headers, **await entity_maps.for_one(call, id_)})


async def _evolved(call: Call, id_: str) -> bool:
    """Says whether an entity has any evolution: its deletion leaves the current entity alone."""
    view = View(call.services.contexts.core)
    return bool(await call.services.history.points(query_of(call, [id_], (), view, TimeWindow(last=1), 1)))


async def query(call: Call) -> Response:
    """Queries the temporal evolution of entities (§5.7.4)."""
    return await _query(call, parameters_of(call.request), await request_context(call))


async def query_by_body(call: Call) -> Response:
    """Queries the temporal evolution of entities by a Query in the body (§6.24)."""
    payload = await read_payload(call)
    body = as_object(payload.value, "query")
    if body.get("type") != "Query":
        raise BadInput("query.type")
    parameters = {
        **dict(parameters_of(call.request)),
        **body_parameters(body),
        **temporal_parameters(body),
    }
    return await _query(call, parameters, payload.context)


async def _query(call: Call, parameters: Parameters, context: Context) -> Response:
    wanted = page(parameters)
    search = read_search(call, parameters, context, needed=True)
    descending = _ordering(parameters)
    check_width(parameters, context)
    query = read_query(call, parameters, context, wanted)
    held = await entity_maps.presented(call)
    if held is not None:
        query = held.narrowed(query)
    found, more, count = await find(call, query, search, wanted)
    if not found and call.tenant and not await tenant_exists(call):
        raise NotFound("tenant.unknown", tenant=call.tenant)
    headers = paging(call, wanted, more=more)
    if wanted.count:
        headers["NGSILD-Results-Count"] = str(count)
    fresh = held is None and entity_maps.is_wanted(call, parameters)
    if fresh:
        held = await _map(call, parameters, query, search)
    if held is not None:
        headers[entity_maps.HEADER] = held.location
    shown, ranges = await _show(call, found, search)
    shown = list(reversed(shown)) if descending else shown
    return _answer(shown, search, {**headers, **ranges}, status=201 if fresh else 200)


async def create_map(call: Call) -> Response:
    """Makes an entity map of a temporal query, without the evolutions (§5.14.5, §6.35)."""
    parameters, context = parameters_of(call.request), await request_context(call)
    search = read_search(call, parameters, context, needed=True)
    check_width(parameters, context)
    query = read_query(call, parameters, context, page(parameters))
    made = await _map(call, parameters, query, search)
    return _answer(made.shown(), search, {entity_maps.HEADER: made.location}, status=201)


async def _map(
    call: Call, parameters: Parameters, query: EntityQuery, search: Search
) -> entity_maps.EntityMap:
    whole = Page(entity_maps.ENTITIES_MOST + 1, 0, count=False)
    found, _, _ = await find(call, query, search, whole)
    return await entity_maps.make(call, parameters, [str(one.document["id"]) for one in found])


def _ordering(parameters: Parameters) -> bool:
    """Reads ``orderBy``: only the id can order evolutions (§5.7.4.4); says whether it descends."""
    term, _, direction = parameters.get("orderBy", "id").partition(";")
    if term != "id" or direction not in ("", "asc", "desc"):
        raise BadInput("query.value", name="orderBy", value=parameters["orderBy"])
    return direction == "desc"


async def _show(
    call: Call, found: Sequence[Found], search: Search
) -> tuple[list[dict[str, Any]], dict[str, str]]:
    headers: dict[str, str] = {}
    if search.aggregation is not None:
        shown = await _aggregates(call, found, search, search.aggregation)
    else:
        found, headers = _cut(found, search.window, search.most)
        moment = search.window.property
        shown = [
            show_values(one.document, search.view, one.series, simple=search.simple, moment=moment)
            for one in found
        ]
    context = search.view.context
    names = {context.expand(name) for one in shown for name in one if name not in HEAD}
    await note_revealed(call, [one.document for one in found], names)
    return shown, headers


def _answer(payload: Any, search: Search, headers: dict[str, str], status: int = 200) -> Response:
    status = 206 if "Content-Range" in headers else status
    return answer(payload, search.view.context, search.media, status=status, headers=headers)


async def _aggregates(
    call: Call, found: Sequence[Found], search: Search, aggregation: Aggregation
) -> list[dict[str, Any]]:
    if not found:
        return []
    ids = [str(one.document["id"]) for one in found]
    query = query_of(call, ids, search.attributes, search.view, search.window, 1)
    rows = await call.services.history.aggregate(query, aggregation.methods, aggregation.period_s)
    hidden = closed(call)
    by_entity: defaultdict[str, list[Aggregate]] = defaultdict(list)
    for row in rows:
        if row.attribute not in hidden:
            by_entity[row.entity].append(row)
    return [
        show_aggregates(one.document, search.view, by_entity[one.document["id"]], aggregation)
        for one in found
    ]


def _cut(found: Sequence[Found], window: TimeWindow, most: int) -> tuple[Sequence[Found], dict[str, str]]:
    """Cuts every attribute at the moment where the first one exceeds ``most`` values (§6.3.10)."""
    long = [points for one in found for points in one.series.values() if len(points) > most]
    if not long:
        return found, {}
    if window.last:
        limit = max(points[-most].at for points in long)
        kept = _within(found, limit, 1 << 62)
    else:
        limit = min(points[most - 1].at for points in long)
        kept = _within(found, -(1 << 62), limit)
    moments = [p.at for one in kept for points in one.series.values() for p in points]
    return kept, {"Content-Range": _range(window, min(moments), max(moments))}


def _within(found: Sequence[Found], first: int, last: int) -> list[Found]:
    return [
        Found(
            one.document,
            {name: [p for p in points if first <= p.at <= last] for name, points in one.series.items()},
        )
        for one in found
    ]


def _range(window: TimeWindow, oldest: int, newest: int) -> str:
    """Writes which part of the window is answered; with lastN it runs backwards."""
    if window.last:
        start = window.start if window.relation == "before" else window.end
        return f"date-time {format_us(start or newest)}-{format_us(oldest)}/{window.last}"
    start = window.start if window.relation in ("after", "between") else oldest
    return f"date-time {format_us(start)}-{format_us(newest)}/*"

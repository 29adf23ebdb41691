"""Reads of the temporal evolution of entities (ETSI GS CIM 009 §5.7.3, §5.7.4, §6.18, §6.19, §6.24)."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from starlette.responses import Response

from yunmeng.kernel.base import BadInput, NotFound, format_us
from yunmeng.kernel.model import Context, Document
from yunmeng.kernel.serve.body import as_object
from yunmeng.kernel.serve.grades import closed, note_revealed
from yunmeng.kernel.serve.heading import parameters_of
from yunmeng.kernel.serve.ngsild import entity_maps
from yunmeng.kernel.serve.ngsild.entities import path_id
from yunmeng.kernel.serve.ngsild.evolution import HEAD, show_aggregates, show_values
from yunmeng.kernel.serve.ngsild.negotiation import Media, accepted, answer, read_payload, request_context
from yunmeng.kernel.serve.ngsild.parameters import Page, Parameters, page
from yunmeng.kernel.serve.ngsild.querying import body_parameters, check_width, paging, read_query
from yunmeng.kernel.serve.ngsild.representation import View, read_view
from yunmeng.kernel.serve.ngsild.temporal_parameters import (
    Aggregation,
    TimeWindow,
    read_aggregation,
    read_window,
    temporal_parameters,
    wants_pairs,
)
from yunmeng.kernel.serve.ngsild.temporal_selection import (
    Found,
    Series,
    candidates,
    fits,
    head,
    query_of,
    scoped,
    settle,
    values,
)
from yunmeng.kernel.serve.ngsild.tenants import absent, tenant_exists
from yunmeng.kernel.serve.routes import Call
from yunmeng.kernel.store import Aggregate, EntityQuery


@dataclass(frozen=True, slots=True)
class _Asked:
    """What one request wants to see, and when."""

    view: View
    window: TimeWindow
    aggregation: Aggregation | None
    simple: bool
    media: Media

    @property
    def attributes(self) -> tuple[str, ...]:
        """The attributes to read, none for all."""
        picked = self.view.pick - frozenset(HEAD)
        return tuple(sorted(self.view.attrs or picked))


def _read(call: Call, parameters: Parameters, context: Context, *, needed: bool) -> _Asked:
    media = accepted(call.request)
    if any("{" in parameters.get(name, "") for name in ("pick", "omit", "q")):
        raise BadInput("temporal.linked")
    return _Asked(
        read_view(parameters, context, media),
        read_window(parameters, needed=needed),
        read_aggregation(parameters),
        wants_pairs(parameters),
        media,
    )


async def retrieve(call: Call) -> Response:
    """Retrieves the temporal evolution of one entity (§5.7.3)."""
    id_ = path_id(call)
    asked = _read(call, parameters_of(call.request), await request_context(call), needed=False)
    document = await head(call, id_)
    if document is None:
        raise await absent(call, id_)
    await settle(call, [document])
    if asked.aggregation is None:
        series = (await _series(call, [document], asked)).get(id_, {})
        shown, headers = await _show(call, [Found(document, series)], asked)
    else:
        # the aggregates say themselves what there is; to read values for that would take longer
        shown, headers = await _show(call, [Found(document, {})], asked)
        series = shown[0].keys() - frozenset(HEAD)
    if not series and asked.view.attrs:
        raise NotFound("entity.no-attributes", id=id_)
    if not series and not await _evolved(call, id_):
        raise NotFound("entity.absent", id=id_)
    if not shown[0]:
        raise NotFound("entity.no-attributes", id=id_)
    return _answer(shown[0], asked, {**headers, **await entity_maps.for_one(call, id_)})


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
    asked = _read(call, parameters, context, needed=True)
    descending = _ordering(parameters)
    check_width(parameters, context)
    query = read_query(call, parameters, context, wanted)
    held = await entity_maps.presented(call)
    if held is not None:
        query = held.narrowed(query)
    found, more, count = await _select(call, query, asked, wanted)
    if not found and call.tenant and not await tenant_exists(call):
        raise NotFound("tenant.unknown", tenant=call.tenant)
    headers = paging(call, wanted, more=more)
    if wanted.count:
        headers["NGSILD-Results-Count"] = str(count)
    fresh = held is None and entity_maps.is_wanted(call, parameters)
    if fresh:
        held = await _map(call, parameters, query, asked)
    if held is not None:
        headers[entity_maps.HEADER] = held.location
    shown, ranges = await _show(call, found, asked)
    shown = list(reversed(shown)) if descending else shown
    return _answer(shown, asked, {**headers, **ranges}, status=201 if fresh else 200)


async def create_map(call: Call) -> Response:
    """Makes an entity map of a temporal query, without the evolutions (§5.14.5, §6.35)."""
    parameters, context = parameters_of(call.request), await request_context(call)
    asked = _read(call, parameters, context, needed=True)
    check_width(parameters, context)
    query = read_query(call, parameters, context, page(parameters))
    made = await _map(call, parameters, query, asked)
    return _answer(made.shown(), asked, {entity_maps.HEADER: made.location}, status=201)


async def _map(
    call: Call, parameters: Parameters, query: EntityQuery, asked: _Asked
) -> entity_maps.EntityMap:
    whole = Page(entity_maps.ENTITIES_MOST + 1, 0, count=False)
    found, _, _ = await _select(call, query, asked, whole)
    return await entity_maps.make(call, parameters, [str(one.document["id"]) for one in found])


def _ordering(parameters: Parameters) -> bool:
    """Reads ``orderBy``: only the id can order evolutions (§5.7.4.4); says whether it descends."""
    term, _, direction = parameters.get("orderBy", "id").partition(";")
    if term != "id" or direction not in ("", "asc", "desc"):
        raise BadInput("query.value", name="orderBy", value=parameters["orderBy"])
    return direction == "desc"


async def _select(
    call: Call, query: EntityQuery, asked: _Asked, wanted: Page
) -> tuple[list[Found], bool, int]:
    """Returns one page of the entities that have fitting values, whether more follow, and how many."""
    found: list[Found] = []
    count = 0
    async for chunk in candidates(call, query):
        await settle(call, chunk)
        for one in await _fitting(call, query, chunk, asked):
            if wanted.offset <= count < wanted.offset + wanted.limit:
                found.append(one)
            count += 1
        if count > wanted.offset + wanted.limit and not wanted.count:
            break
    return found, count > wanted.offset + wanted.limit, count


async def _fitting(call: Call, query: EntityQuery, chunk: Sequence[Document], asked: _Asked) -> list[Found]:
    whole = query.conditions is not None or query.geo is not None or query.scope is not None
    series = await _series(call, chunk, asked, whole=whole)
    if query.scope is not None:
        series = await scoped(call, query.scope, chunk, series)
    return [
        Found(document, one)
        for document in chunk
        if (one := series.get(str(document["id"]))) is not None and fits(query, document, one)
    ]


async def _series(
    call: Call, documents: Sequence[Document], asked: _Asked, *, whole: bool = False
) -> Mapping[str, Series]:
    most = call.services.settings.http.temporal_values
    attributes = () if whole else asked.attributes
    ids = [str(one["id"]) for one in documents]
    if asked.aggregation is not None and not whole and ids:
        return await _present(call, ids, asked)
    return await values(call, ids, attributes, asked.view, asked.window, most + 1)


async def _present(call: Call, ids: Sequence[str], asked: _Asked) -> Mapping[str, Series]:
    """Returns which attributes have values in the window, without the values."""
    query = query_of(call, ids, asked.attributes, asked.view, asked.window, 1)
    hidden = closed(call)
    found: defaultdict[str, Series] = defaultdict(dict)
    for row in await call.services.history.aggregate(query, ("totalCount",), 0):
        if row.attribute not in hidden:
            found[row.entity][row.attribute] = []
    return found


async def _show(
    call: Call, found: Sequence[Found], asked: _Asked
) -> tuple[list[dict[str, Any]], dict[str, str]]:
    headers: dict[str, str] = {}
    if asked.aggregation is not None:
        shown = await _aggregates(call, found, asked, asked.aggregation)
    else:
        found, headers = _cut(found, asked.window, call.services.settings.http.temporal_values)
        moment = asked.window.property
        shown = [
            show_values(one.document, asked.view, one.series, simple=asked.simple, moment=moment)
            for one in found
        ]
    context = asked.view.context
    names = {context.expand(name) for one in shown for name in one if name not in HEAD}
    await note_revealed(call, [one.document for one in found], names)
    return shown, headers


def _answer(payload: Any, asked: _Asked, headers: dict[str, str], status: int = 200) -> Response:
    status = 206 if "Content-Range" in headers else status
    return answer(payload, asked.view.context, asked.media, status=status, headers=headers)


async def _aggregates(
    call: Call, found: Sequence[Found], asked: _Asked, aggregation: Aggregation
) -> list[dict[str, Any]]:
    if not found:
        return []
    ids = [str(one.document["id"]) for one in found]
    query = query_of(call, ids, asked.attributes, asked.view, asked.window, 1)
    rows = await call.services.history.aggregate(query, aggregation.methods, aggregation.period_s)
    hidden = closed(call)
    by_entity: defaultdict[str, list[Aggregate]] = defaultdict(list)
    for row in rows:
        if row.attribute not in hidden:
            by_entity[row.entity].append(row)
    return [
        show_aggregates(one.document, asked.view, by_entity[one.document["id"]], aggregation) for one in found
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

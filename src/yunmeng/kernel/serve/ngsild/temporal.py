"""The temporal evolution of entities (ETSI GS CIM 009 §5.7.3, §5.7.4, §5.6.12 to §5.6.16)."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from starlette.responses import Response

from yunmeng.kernel.base import BadInput, NotFound, format_us, now_us
from yunmeng.kernel.keeper.requests import PurgeHistoryRequest
from yunmeng.kernel.model import Document, compact_entity
from yunmeng.kernel.serve.grades import closed, note_revealed
from yunmeng.kernel.serve.heading import parameters_of
from yunmeng.kernel.serve.keeping import purge_history
from yunmeng.kernel.serve.ngsild.entities import path_id
from yunmeng.kernel.serve.ngsild.negotiation import Media, accepted, answer, request_context
from yunmeng.kernel.serve.ngsild.parameters import flag, options, page
from yunmeng.kernel.serve.ngsild.querying import query_headers, read_query
from yunmeng.kernel.serve.ngsild.representation import View, decode_document, read_view
from yunmeng.kernel.serve.ngsild.temporal_parameters import (
    Aggregation,
    TimeWindow,
    read_aggregation,
    read_window,
)
from yunmeng.kernel.serve.ngsild.tenants import absent
from yunmeng.kernel.serve.replies import empty_reply
from yunmeng.kernel.serve.routes import Call
from yunmeng.kernel.store import Aggregate, Point, TemporalQuery

MOST_VALUES = 10_000

_MEMBERS = ("id", "type", "scope", "createdAt", "modifiedAt")
_SIMPLE = frozenset(("temporalValues", "simplified", "keyValues"))


async def retrieve(call: Call) -> Response:
    """Retrieves the temporal evolution of one entity (§5.7.3)."""
    id_ = path_id(call)
    body = await call.services.state.get(call.reach, id_)
    if body is None:
        raise await absent(call, id_)
    return await _evolution(call, [decode_document(body)], single=True, headers={})


async def query(call: Call) -> Response:
    """Queries the temporal evolution of entities (§5.7.4)."""
    parameters = parameters_of(call.request)
    context = await request_context(call)
    wanted = page(parameters)
    read_window(parameters, needed=True)
    asked = read_query(call, parameters, context, wanted)
    found = await call.services.state.query(asked)
    documents = [decode_document(body) for body in tuple(found.documents)[: wanted.limit]]
    headers = query_headers(call, wanted, found)
    return await _evolution(call, documents, single=False, headers=headers)


async def _evolution(
    call: Call, documents: list[Document], *, single: bool, headers: dict[str, str]
) -> Response:
    parameters = parameters_of(call.request)
    media, context = accepted(call.request), await request_context(call)
    view = read_view(parameters, context, media)
    window, aggregation = read_window(parameters, needed=False), read_aggregation(parameters)
    asked = _asked(call, [str(one["id"]) for one in documents], view, window)
    if aggregation is not None:
        rows = await call.services.history.aggregate(asked, aggregation.methods, aggregation.period_s)
        shown = _aggregates(call, documents, view, rows, aggregation)
    else:
        points, cut = await _points(call, asked)
        simple = bool(_SIMPLE & options(parameters))
        shown = _values(documents, view, _open(call, points), simple=simple)
        headers = {**headers, **_range_header(points, window, cut)}
    await note_revealed(call, documents, _attributes_of(shown, view))
    if single:
        return _answer(shown[0], view, media, headers)
    return _answer([one for one in shown if len(one) > 2], view, media, headers)


def _answer(payload: Any, view: View, media: Media, headers: dict[str, str]) -> Response:
    return answer(
        payload, view.context, media, status=206 if "Content-Range" in headers else 200, headers=headers
    )


def _asked(call: Call, ids: Sequence[str], view: View, window: TimeWindow) -> TemporalQuery:
    return TemporalQuery(
        reach=call.reach,
        entities=tuple(ids),
        attributes=tuple(sorted(view.attrs or view.pick - set(_MEMBERS))),
        relation=window.relation,
        start=window.start,
        end=window.end,
        property=window.property,
        last=window.last,
        limit=MOST_VALUES + 1,
        dataset_ids=tuple(view.dataset_ids) if view.dataset_ids is not None else None,
    )


async def _points(call: Call, asked: TemporalQuery) -> tuple[Sequence[Point], bool]:
    """Returns the values wanted; of too many the newest, from one moment on for all attributes."""
    if not asked.entities:
        return (), False
    points = await call.services.history.points(asked)
    if len(points) <= MOST_VALUES:
        return points, False
    series = len({(point.entity, point.attribute) for point in points})
    share = max(1, MOST_VALUES // max(series, len(asked.entities) * max(len(asked.attributes), 1)))
    fewer = replace(asked, last=share, limit=MOST_VALUES * 2)
    points = await call.services.history.points(fewer)
    oldest: dict[tuple[str, str], int] = {}
    counts: defaultdict[tuple[str, str], int] = defaultdict(int)
    for point in points:
        key = (point.entity, point.attribute)
        counts[key] += 1
        oldest[key] = min(point.at, oldest.get(key, point.at))
    start = max((oldest[key] for key, n in counts.items() if n >= share), default=0)
    return [point for point in points if point.at >= start], True


def _open(call: Call, points: Sequence[Point]) -> Sequence[Point]:
    hidden = closed(call)
    return [point for point in points if point.attribute not in hidden] if hidden else points


def _range_header(points: Sequence[Point], window: TimeWindow, cut: bool) -> dict[str, str]:
    if not cut or not points:
        return {}
    start = min(point.at for point in points)
    end = window.end or max((point.at for point in points), default=now_us())
    return {"Content-Range": f"date-time {format_us(start)}-{format_us(end)}/*"}


def _values(
    documents: Sequence[Document], view: View, points: Sequence[Point], *, simple: bool
) -> list[dict[str, Any]]:
    series: defaultdict[str, defaultdict[str, list[Point]]] = defaultdict(lambda: defaultdict(list))
    for point in points:
        series[point.entity][point.attribute].append(point)
    shape = _temporal_values if simple else _instances
    return [
        {**_head(document, view), **shape(document, view, series[str(document["id"])])}
        for document in documents
    ]


def _head(document: Document, view: View) -> dict[str, Any]:
    head = {name: document[name] for name in _MEMBERS if name in document}
    return compact_entity(head, view.context, sysattrs=view.sysattrs)


def _instances(document: Document, view: View, series: Mapping[str, Sequence[Point]]) -> dict[str, Any]:
    shown: dict[str, Any] = {}
    for attribute, points in series.items():
        if attribute in view.omit:
            continue
        rows = [_instance(point) for point in points]
        part = compact_entity(
            {"id": document["id"], "type": document["type"], attribute: rows},
            view.context,
            "concise" if view.representation == "concise" else "normalized",
            sysattrs=view.sysattrs,
            lang=view.lang,
        )
        name = view.context.compact(attribute)
        shown[name] = part[name] if isinstance(part[name], list) else [part[name]]
    return shown


def _instance(point: Point) -> dict[str, Any]:
    if point.body is not None:
        return {**point.body, "instanceId": point.instance_id} if point.instance_id else point.body
    row: dict[str, Any] = {"type": "Property", "value": point.value, "observedAt": format_us(point.at)}
    if point.unit:
        row["unitCode"] = point.unit
    if point.dataset_id:
        row["datasetId"] = point.dataset_id
    return row


def _temporal_values(_: Document, view: View, series: Mapping[str, Sequence[Point]]) -> dict[str, Any]:
    shown: dict[str, Any] = {}
    for attribute, points in series.items():
        if attribute in view.omit:
            continue
        kind = next((p.body["type"] for p in points if p.body and "type" in p.body), "Property")
        member = _LIST_MEMBERS.get(kind, "values")
        rows = [[_plain(point), format_us(point.at)] for point in points]
        shown[view.context.compact(attribute)] = {"type": kind, member: rows}
    return shown


_LIST_MEMBERS = {
    "Relationship": "objects",
    "LanguageProperty": "languageMaps",
    "VocabProperty": "vocabs",
    "JsonProperty": "jsons",
    "ListProperty": "valueLists",
    "ListRelationship": "objectLists",
}


def _plain(point: Point) -> Any:
    body = point.body
    if body is None:
        return point.value
    for member in ("value", "object", "languageMap", "vocab", "json", "valueList", "objectList"):
        if member in body:
            return body[member]
    return None


def _aggregates(
    call: Call, documents: Sequence[Document], view: View, rows: Sequence[Aggregate], aggregation: Aggregation
) -> list[dict[str, Any]]:
    hidden = closed(call)
    table: defaultdict[str, dict[str, dict[str, Any]]] = defaultdict(dict)
    for row in rows:
        if row.attribute in hidden or row.attribute in view.omit:
            continue
        attribute = table[row.entity].setdefault(
            row.attribute, {"type": "Property", **{method: [] for method in aggregation.methods}}
        )
        attribute[row.method].append([row.value, format_us(row.start), format_us(row.end)])
    names = view.context.compact
    return [
        {**_head(one, view), **{names(uri): value for uri, value in table[str(one["id"])].items()}}
        for one in documents
    ]


def _attributes_of(shown: Sequence[Mapping[str, Any]], view: View) -> set[str]:
    names = {name for one in shown for name in one if name not in _MEMBERS}
    return {view.context.expand(name) for name in names}


async def delete(call: Call) -> Response:
    """Deletes the temporal evolution of an entity (§5.6.16)."""
    id_ = path_id(call)
    await _existing(call, id_)
    await purge_history(call, PurgeHistoryRequest(call.tenant, id_))
    return empty_reply()


async def delete_attribute(call: Call) -> Response:
    """Deletes the temporal evolution of an attribute (§5.6.13)."""
    id_, attribute = path_id(call), await _path_attribute(call)
    if parameters_of(call.request).get("datasetId") and not flag(parameters_of(call.request), "deleteAll"):
        raise BadInput("temporal.dataset")
    await _existing(call, id_, attribute)
    await purge_history(call, PurgeHistoryRequest(call.tenant, id_, attribute))
    return empty_reply()


async def delete_instance(call: Call) -> Response:
    """Deletes one instance of an attribute's evolution (§5.6.15)."""
    id_, attribute = path_id(call), await _path_attribute(call)
    await _existing(call, id_, attribute)
    instance: str = call.request.path_params["instance"]
    await purge_history(call, PurgeHistoryRequest(call.tenant, id_, attribute, instance))
    return empty_reply()


async def _path_attribute(call: Call) -> str:
    return (await request_context(call)).expand(call.request.path_params["attribute"])


async def _existing(call: Call, id_: str, attribute: str = "") -> None:
    if await call.services.state.get(call.reach, id_) is None:
        raise await absent(call, id_)
    if attribute:
        window = TemporalQuery(call.reach, (id_,), (attribute,), last=1, limit=1)
        if not await call.services.history.points(window):
            raise NotFound("attribute.absent", attribute=attribute)

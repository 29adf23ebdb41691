"""How an evolution is shown: instances, pairs of value and time, aggregates (§4.5.6 to §4.5.9, §4.5.19)."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from yunmeng.kernel.base import format_us
from yunmeng.kernel.model import Document, compact_entity, is_object
from yunmeng.kernel.serve.ngsild.representation import View
from yunmeng.kernel.serve.ngsild.temporal_parameters import Aggregation, TimeProperty
from yunmeng.kernel.store import Aggregate, Point

SCOPE = "scope"
HEAD = ("id", "type", SCOPE, "createdAt", "modifiedAt", "deletedAt", "expiresAt")

_LISTS = {
    "Relationship": "objects",
    "LanguageProperty": "languageMaps",
    "VocabProperty": "vocabs",
    "JsonProperty": "jsons",
    "ListProperty": "valueLists",
    "ListRelationship": "objectLists",
}
_TIMES = ("createdAt", "modifiedAt", "deletedAt")

Series = Mapping[str, Sequence[Point]]


def series_of(points: Iterable[Point]) -> dict[str, dict[str, list[Point]]]:
    """Returns points by entity and attribute, in their order."""
    found: defaultdict[str, defaultdict[str, list[Point]]] = defaultdict(lambda: defaultdict(list))
    for point in points:
        found[point.entity][point.attribute].append(point)
    return {entity: dict(series) for entity, series in found.items()}


def instance_of(point: Point) -> Document:
    """Returns the stored form of one value."""
    if point.body is not None:
        return {**point.body, "instanceId": point.instance_id} if point.instance_id else point.body
    row: Document = {"type": "Property", "value": point.value, "observedAt": format_us(point.at)}
    if point.unit:
        row["unitCode"] = point.unit
    if point.dataset_id:
        row["datasetId"] = point.dataset_id
    return row


def show_values(
    document: Document, view: View, series: Series, *, simple: bool, moment: TimeProperty
) -> dict[str, Any]:
    """Returns an entity with its values over time; an attribute without any is an empty list."""
    shown = _head(document, view, with_scope=SCOPE not in series)
    for attribute, points in series.items():
        if not is_shown(attribute, view):
            continue
        name = SCOPE if attribute == SCOPE else view.context.compact(attribute)
        shown[name] = (
            _pairs(document, attribute, points, view, moment)
            if simple
            else [_instance(document, attribute, point, view) for point in points]
        )
    return shown


def is_shown(attribute: str, view: View) -> bool:
    """Tells whether a view shows an attribute's evolution."""
    if attribute in view.omit:
        return False
    if view.pick:
        return attribute in view.pick
    return not view.attrs or attribute in view.attrs or attribute == SCOPE


def _head(document: Document, view: View, *, with_scope: bool = True) -> dict[str, Any]:
    head = {
        name: document[name]
        for name in HEAD
        if name in document and (name != SCOPE or with_scope) and name not in view.omit
    }
    if view.pick:
        head = {name: value for name, value in head.items() if name in view.pick or name in _TIMES}
    shown = compact_entity(head, view.context, sysattrs=view.sysattrs)
    if view.sysattrs and "deletedAt" in head:
        shown["deletedAt"] = head["deletedAt"]
    return shown


def _instance(document: Document, attribute: str, point: Point, view: View) -> dict[str, Any]:
    body = instance_of(point)
    shown = _compacted(document, attribute, body, view, "concise" if view.representation == "concise" else "")
    row: dict[str, Any] = shown if is_object(shown) else {"value": shown}
    return {**row, "deletedAt": body["deletedAt"]} if "deletedAt" in body else row


def _compacted(document: Document, attribute: str, body: Document, view: View, form: str) -> Any:
    part = compact_entity(
        {"id": document["id"], attribute if attribute != SCOPE else _SCOPE_URI: [body]},
        view.context,
        "concise" if form == "concise" else "simplified" if form == "simplified" else "normalized",
        sysattrs=view.sysattrs,
        lang=view.lang,
    )
    return next(value for name, value in part.items() if name != "id")


_SCOPE_URI = "https://uri.etsi.org/ngsi-ld/scope"


def _pairs(
    document: Document, attribute: str, points: Sequence[Point], view: View, moment: TimeProperty
) -> Any:
    """Returns pairs of value and time; one object for each dataset when there are several (§4.5.9)."""
    datasets: defaultdict[str, list[Point]] = defaultdict(list)
    for point in points:
        datasets[point.dataset_id].append(point)
    shown = [
        _dataset_pairs(document, attribute, dataset, rows, view, moment) for dataset, rows in datasets.items()
    ]
    if not shown:
        # the page was cut before the first value of this attribute (§6.3.10)
        return {"type": "Property", "values": []}
    return shown[0] if len(shown) == 1 else shown


def _dataset_pairs(
    document: Document,
    attribute: str,
    dataset: str,
    points: Sequence[Point],
    view: View,
    moment: TimeProperty,
) -> dict[str, Any]:
    kind = next((p.body["type"] for p in points if p.body and "type" in p.body), "Property")
    pairs = [[_value(document, attribute, point, view), _time(point, moment)] for point in points]
    head: dict[str, Any] = {"type": kind}
    if dataset:
        head["datasetId"] = dataset
    return {**head, _LISTS.get(kind, "values"): pairs}


def _value(document: Document, attribute: str, point: Point, view: View) -> Any:
    if point.body is None:
        return point.value
    body = {name: value for name, value in point.body.items() if name != "datasetId"}
    return _compacted(document, attribute, body, view, "simplified")


def _time(point: Point, moment: TimeProperty) -> str:
    if point.body is not None and moment in point.body:
        return str(point.body[moment])
    return format_us(point.at)


def show_aggregates(
    document: Document, view: View, rows: Iterable[Aggregate], aggregation: Aggregation
) -> dict[str, Any]:
    """Returns an entity with aggregates of its attributes."""
    shown = _head(document, view)
    moments: dict[int, str] = {}
    series: dict[str, dict[str, list[Any]]] = {}
    for _, uri, method, start, end, value in rows:
        lists = series.get(uri)
        if lists is None:
            if uri == SCOPE or not is_shown(uri, view):
                continue
            lists = series[uri] = {name: [] for name in aggregation.methods}
            shown[view.context.compact(uri)] = {"type": "Property", **lists}
        # one period ends where the next begins, and all methods share them
        if start not in moments:
            moments[start] = _brief(start)
        if end not in moments:
            moments[end] = _brief(end)
        lists[method].append([value, moments[start], moments[end]])
    return shown


def _brief(us: int) -> str:
    """Writes a moment without a fraction that says nothing."""
    return format_us(us).replace(".000Z", "Z")

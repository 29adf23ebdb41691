"""Numbers over time: charts of a division, and the history of one entity."""

from collections.abc import Sequence
from typing import Any

from starlette.responses import Response

from yunmeng.console.asked import TimeRange, asked_division, asked_number, asked_range, narrowed
from yunmeng.console.figures import level_of, measured
from yunmeng.console.registry import find, views_of
from yunmeng.console.terms import terms_of
from yunmeng.console.views import Chart
from yunmeng.kernel.base import Forbidden, NotFound, children, division, now_us
from yunmeng.kernel.serve import Call, closed, json_reply, note_revealed
from yunmeng.kernel.store import TemporalQuery, TrendStep
from yunmeng.kernel.trust import Reach

_RAW_MOST = 1500


async def chart(call: Call) -> Response:
    """Answers with a chart: one line over time, or bars by the divisions right below."""
    found = find(views_of(call.services), "charts", call.request.path_params["id"])
    if not isinstance(found, Chart):
        raise NotFound("console.view.unknown", kind="charts", id=found.id)
    code = asked_division(call)
    terms = terms_of(call)
    unit = found.unit or terms.unit(found.type, found.attribute)
    drawn = await (_bars(call, found, code) if found.by == "division" else _line(call, found, code))
    symbol = "" if found.method == "count" else terms.symbol(unit)
    return json_reply(
        {"id": found.id, "division": code, "at": now_us() // 1000, "unit": unit, "symbol": symbol, **drawn}
    )


async def _bars(call: Call, chart: Chart, code: str) -> dict[str, Any]:
    figures = await measured(call, narrowed(call.reach, code), chart)
    shown = [one for one in (children(code) or (division(code),)) if one.code in figures]
    bars = [
        {
            "code": one.code,
            "value": figures[one.code].value,
            "entities": figures[one.code].entities,
            "level": level_of(figures[one.code].value, chart.thresholds),
        }
        for one in shown
    ]
    return {
        "bars": sorted(bars, key=lambda bar: bar["value"] if bar["value"] is not None else 0, reverse=True)
    }


async def _line(call: Call, chart: Chart, code: str) -> dict[str, Any]:
    terms = terms_of(call)
    span = asked_range(call, chart.range_h)
    period = span.period_s(chart.period_s)
    method = "avg" if chart.method == "count" else chart.method
    steps = await call.services.history.trend(
        narrowed(call.reach, code),
        terms.uri(chart.type),
        terms.uri(chart.attribute),
        method,
        _floor(span, period),
        span.end,
        period,
    )
    steps = _whole(steps, span.end, period)
    convert = terms.converter(chart.type, chart.attribute, chart.unit)
    return {
        "from": span.start // 1000,
        "to": span.end // 1000,
        "period_s": period,
        "points": [
            [one.start // 1000, one.entities if chart.method == "count" else convert(one.value)]
            for one in steps
        ],
        "entities": max((one.entities for one in steps), default=0),
    }


def _whole(steps: Sequence[TrendStep], end: int, period: int) -> Sequence[TrendStep]:
    """Leaves out the running step while not everybody has reported in it: it would look like a change."""
    if len(steps) < 2 or steps[-1].start + period * 1_000_000 <= end:
        return steps
    return steps[:-1] if steps[-1].entities < steps[-2].entities else steps


def _floor(span: TimeRange, period: int) -> int:
    """Starts on a whole period, so that the same steps come back while time passes."""
    return span.start - span.start % (period * 1_000_000)


async def entity_history(call: Call) -> Response:
    """Answers with the values of one attribute of an entity: as observed, or as means when there are many."""
    terms = terms_of(call)
    id, attribute = call.request.path_params["id"], call.request.query_params.get("attribute", "")
    body = await call.services.state.get(call.reach, id)
    if body is None:
        raise NotFound("entity.absent", id=id)
    entity = terms.read(body)
    uri = terms.uri(attribute)
    if uri in closed(call):
        raise Forbidden("attribute.graded", attributes=attribute)
    await note_revealed(call, [{"id": id}], (uri,))
    span = asked_range(call)
    most = asked_number(call, "most", 400, _RAW_MOST)
    query = TemporalQuery(call.reach, (id,), (uri,), "between", span.start, span.end, limit=most + 1)
    points = await call.services.history.points(query)
    unit = terms.unit(terms.short(entity.types[0]), terms.short(uri))
    raw = len(points) <= most
    series = (
        [[one.at // 1000, one.value] for one in points]
        if raw
        else await _means(call, call.reach, query, span)
    )
    return json_reply(
        {
            "id": id,
            "attribute": terms.short(uri),
            "label": terms.attribute_label(entity.types, uri),
            "unit": unit,
            "symbol": terms.symbol(unit),
            "from": span.start // 1000,
            "to": span.end // 1000,
            "raw": raw,
            "points": series,
        }
    )


async def _means(call: Call, reach: Reach, query: TemporalQuery, span: TimeRange) -> list[list[float | None]]:
    found = await call.services.history.aggregate(query, ("avg",), span.period_s())
    return [[one.start // 1000, one.value] for one in found]

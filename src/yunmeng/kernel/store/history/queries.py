"""The statements of the history port: values are parameters that the server binds, never SQL text."""

# ruff: noqa: S608 - what is put into the text is names and expressions of this file

from collections.abc import Sequence
from dataclasses import dataclass, field

from yunmeng.kernel.base import BadInput
from yunmeng.kernel.store.history.aggregates import Layout, parts_for
from yunmeng.kernel.store.history.hours import FEW_ROWS, PARTS, hours_for
from yunmeng.kernel.store.history.port import Method, TemporalQuery
from yunmeng.kernel.store.history.schema import TABLE
from yunmeng.kernel.trust import Reach

_MOMENTS = {
    "observedAt": "at",
    "createdAt": "created_at",
    "modifiedAt": "modified_at",
    "deletedAt": "modified_at",
}
_VALUE = "(if(isFinite(number), number, 0), if(isFinite(number), '', ifNull(text, '')))"
_DIFFERENT = f"uniqExactIf({_VALUE}, isFinite(number) OR text IS NOT NULL)"
_METHODS: dict[Method, str] = {
    "totalCount": "count()",
    "distinctCount": _DIFFERENT,
    "sum": "sumIfOrNull(number, isFinite(number))",
    "avg": "avgIfOrNull(number, isFinite(number))",
    "min": "minIfOrNull(number, isFinite(number))",
    "max": "maxIfOrNull(number, isFinite(number))",
    "stddev": "stddevPopStableIfOrNull(number, isFinite(number))",
    "sumsq": "sumIfOrNull(number * number, isFinite(number))",
}
_OVER_MEANS = {"sum": "sum(mean)", "avg": "avg(mean)", "min": "min(mean)", "max": "max(mean)"}
_ESCAPES = str.maketrans(
    {"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r", "\0": "\\0", "\b": "\\b", "\f": "\\f"}
)
_QUOTED = str.maketrans({"\\": "\\\\", "'": "\\'", "\t": "\\t", "\n": "\\n", "\r": "\\r", "\0": "\\0"})


@dataclass(slots=True)
class Statement:
    """SQL with ``{name:Type}`` places, and their values in ClickHouse's escaped form."""

    sql: str = ""
    parameters: dict[str, str] = field(default_factory=dict[str, str])
    settings: dict[str, str] = field(default_factory=dict[str, str])

    def text(self, name: str, value: str) -> str:
        """Binds a string and returns its place."""
        self.parameters[name] = value.translate(_ESCAPES)
        return f"{{{name}:String}}"

    def texts(self, name: str, values: Sequence[str]) -> str:
        """Binds several strings and returns their place."""
        self.parameters[name] = "[" + ",".join(f"'{value.translate(_QUOTED)}'" for value in values) + "]"
        return f"{{{name}:Array(String)}}"

    def whole(self, name: str, value: int) -> str:
        """Binds an integer and returns its place."""
        self.parameters[name] = str(value)
        return f"{{{name}:Int64}}"

    def moment(self, name: str, us: int) -> str:
        """Binds microseconds UTC and returns them as a DateTime64."""
        return f"fromUnixTimestamp64Micro({self.whole(name, us)}, 'UTC')"


def points(query: TemporalQuery) -> Statement:
    """Returns the statement for the points of a query."""
    made = Statement()
    most = min(query.last, query.limit) if query.last else query.limit
    order = "DESC" if query.last else "ASC"
    made.sql = f"""
SELECT entity, attribute, dataset_id, toUnixTimestamp64Micro(at), number, text, unit, quality, gateway,
       instance_id, body
FROM (
    SELECT *, {_MOMENTS[query.property]} AS moment FROM {TABLE} WHERE {_where(made, query)}
    ORDER BY entity, attribute, moment {order}, dataset_id
    LIMIT {made.whole("most", most)} BY entity, attribute
)
ORDER BY entity, attribute, moment, dataset_id"""
    return made


def aggregate(query: TemporalQuery, methods: Sequence[Method], period_s: int) -> tuple[Statement, Layout]:
    """Returns the statement for what aggregates are made of, and what its columns are."""
    made = Statement()
    if period_s < 0:
        raise BadInput("history.bad-period", seconds=period_s)
    fixed = query.relation in ("after", "between")
    layout = Layout(
        query.entities[0] if len(query.entities) == 1 else "",
        query.attributes[0] if len(query.attributes) == 1 else "",
        bucketed=period_s > 0,
        # where the window and the periods say when a period begins and ends, values need not
        bounded=query.relation == "between" or (fixed and period_s > 0),
        origin=period_s > 0 and not fixed,
        parts=parts_for(methods),
    )
    series, rows = _whole_series(made, query), _span(made, query)
    hours = hours_for(query, methods, period_s)
    if hours is None:
        made.sql = _by_rows(made, query, layout, [series, rows], period_s)
    else:
        made.sql = _grouped(layout, "at", "0", hours.bucket, [series, hours.inside])
        if hours.even:
            made.settings = FEW_ROWS
        else:
            # the rows of the hours that the window cuts
            edges = [f"at < {made.moment('first', hours.start)}"] if hours.start is not None else []
            edges += [f"at >= {made.moment('last', hours.end)}"] if hours.end is not None else []
            others = [series, rows, f"({' OR '.join(edges)})"]
            made.sql += f" UNION ALL {_by_rows(made, query, layout, others, period_s)}"
    return made, layout


def _by_rows(
    made: Statement, query: TemporalQuery, layout: Layout, where: Sequence[str], period_s: int
) -> str:
    moment = _MOMENTS[query.property]
    us = f"toUnixTimestamp64Micro({moment})"
    origin = str(query.start)
    if layout.origin:
        origin = f"(SELECT min({us}) FROM {TABLE} WHERE {' AND '.join(filter(None, where))})"
    return _grouped(layout, moment, origin, _bucket(made, us, origin, period_s), where)


def _grouped(layout: Layout, moment: str, origin: str, bucket: str, where: Sequence[str]) -> str:
    """Returns SQL for the parts of each series and period, its columns as the layout says."""
    # a key that the query fixes need not be compared row by row
    keys = [name for name in ("entity", "attribute") if not getattr(layout, name)]
    columns = [*keys, f"{bucket} AS bucket"] if layout.bucketed else list(keys)
    groups = [*keys, "bucket"] if layout.bucketed else keys
    if layout.origin:
        columns.append(origin)
    if not layout.bounded:
        columns += [f"toUnixTimestamp64Micro({end}({moment}))" for end in ("min", "max")]
    columns += [_DIFFERENT if part == "different" else PARTS[part] for part in layout.parts]
    grouping = f" GROUP BY {', '.join(groups)}" if groups else ""
    return f"SELECT {', '.join(columns)} FROM {TABLE} WHERE {' AND '.join(filter(None, where))}{grouping}"


def trend(
    reach: Reach, type_: str, attribute: str, method: str, span: tuple[int, int], period_s: int
) -> Statement:
    """Returns the statement for a trend: bucket, entities, value."""
    made = Statement()
    bucket, where = _series(made, reach, type_, attribute, span, period_s)
    made.sql = f"""
SELECT bucket, count(), {_OVER_MEANS[method]} FROM (
    SELECT entity, {bucket} AS bucket, avg(number) AS mean FROM {TABLE} WHERE {where} GROUP BY entity, bucket
) GROUP BY bucket ORDER BY bucket"""
    return made


def summary(
    reach: Reach,
    type_: str,
    attribute: str,
    method: Method,
    span: tuple[int, int],
    period_s: int,
    digits: int,
) -> Statement:
    """Returns the statement for a summary: division, bucket, count, value."""
    made = Statement()
    bucket, where = _series(made, reach, type_, attribute, span, period_s)
    made.sql = f"""
SELECT substring(division, 1, {made.whole("digits", digits)}) AS part, {bucket} AS bucket, count(),
       {_METHODS[method]}
FROM {TABLE} WHERE {where} GROUP BY part, bucket ORDER BY part, bucket"""
    return made


def removal(
    tenant: str,
    entity: str | None,
    attribute: str = "",
    instances: Sequence[str] = (),
    dataset_id: str | None = None,
) -> Statement:
    """Returns the statement that deletes the history of a tenant, an entity, an attribute or instances."""
    made = Statement()
    wanted = {"tenant": tenant}
    if entity is not None:
        wanted["entity"] = entity
    if attribute:
        wanted["attribute"] = attribute
    if dataset_id is not None:
        wanted["dataset_id"] = dataset_id
    conditions = [f"{name} = {made.text(name, value)}" for name, value in wanted.items()]
    conditions += _any_of(made, "instance_id", instances)
    made.sql = f"DELETE FROM {TABLE} WHERE {' AND '.join(conditions)}"
    return made


def count(tenant: str | None) -> Statement:
    """Returns the statement that counts a tenant's values, or all."""
    made = Statement()
    where = "" if tenant is None else f" WHERE tenant = {made.text('tenant', tenant)}"
    made.sql = f"SELECT count() FROM {TABLE}{where}"
    return made


def _series(
    made: Statement, reach: Reach, type_: str, attribute: str, span: tuple[int, int], period_s: int
) -> tuple[str, str]:
    start, end = span
    bucket = _bucket(made, "toUnixTimestamp64Micro(at)", made.whole("start", start), period_s)
    where = [
        *_reach(made, reach),
        f"attribute = {made.text('attribute', attribute)}",
        f"type = {made.text('type', type_)}",
        f"at >= {made.moment('start', start)} AND at < {made.moment('end', end)}",
        "timed AND NOT deleted AND isFinite(number)",
    ]
    return bucket, " AND ".join(where)


def _bucket(made: Statement, moment: str, origin: str, period_s: int) -> str:
    if period_s < 0:
        raise BadInput("history.bad-period", seconds=period_s)
    return f"intDiv({moment} - {origin}, {made.whole('period', period_s * 1_000_000)})" if period_s else "0"


def _where(made: Statement, query: TemporalQuery) -> str:
    return " AND ".join(one for one in (_whole_series(made, query), _span(made, query)) if one)


def _whole_series(made: Statement, query: TemporalQuery) -> str:
    """Returns the conditions that an hour's rows fulfil all or none."""
    conditions = [
        *_reach(made, query.reach),
        *_any_of(made, "attribute", query.attributes),
        *_any_of(made, "entity", query.entities),
        # a deletion was not observed; it is found by when it happened (§4.8)
        "deleted" if query.property == "deletedAt" else "NOT deleted",
    ]
    if query.relation != "any" and query.property == "observedAt":
        conditions.append("timed")
    if query.dataset_ids is not None:
        conditions.append(f"has({made.texts('datasets', query.dataset_ids)}, dataset_id)")
    return " AND ".join(conditions)


def _any_of(made: Statement, column: str, values: Sequence[str]) -> list[str]:
    if len(values) == 1:
        return [f"{column} = {made.text(column, values[0])}"]
    return [f"{column} IN {made.texts(column, values)}"] if values else []


def _reach(made: Statement, reach: Reach) -> list[str]:
    conditions = [f"tenant = {made.text('tenant', reach.tenant)}"]
    if reach.prefixes is not None:
        under = [
            f"startsWith(division, {made.text(f'reach{n}', prefix)})"
            for n, prefix in enumerate(reach.prefixes)
        ]
        conditions.append(f"({' OR '.join(under) or 'false'})")
    return conditions


def _span(made: Statement, query: TemporalQuery) -> str:
    """Returns the condition on the time of single rows, nothing for any time."""
    column = _MOMENTS[query.property]
    if query.relation == "any":
        return ""
    start = made.moment("start", query.start)
    if query.relation == "before":
        return f"{column} < {start}"
    end = f" AND {column} < {made.moment('end', query.end)}" if query.relation == "between" else ""
    return f"{column} >= {start}{end}"

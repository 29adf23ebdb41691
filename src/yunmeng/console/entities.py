"""Entities as people read them: rows of a table, and the page of one with every attribute."""

import re
from typing import Any

from starlette.responses import Response

from yunmeng.console.asked import asked_division, asked_number, narrowed
from yunmeng.console.documents import Entity, Instance
from yunmeng.console.figures import is_stale, level_of
from yunmeng.console.registry import find, views_of
from yunmeng.console.terms import Terms, terms_of
from yunmeng.console.views import Column, Table
from yunmeng.kernel.base import NotFound, Unavailable, Unsupported, now_us
from yunmeng.kernel.model import And, Compare, Condition, Operand, Or, Path, parse_q
from yunmeng.kernel.serve import Call, closed, json_reply, note_revealed
from yunmeng.kernel.store import EntityQuery, TemporalQuery

_SORTED_MOST = 20_000
_PAGE_MOST = 200
_STALE_S = 900


async def table(call: Call) -> Response:
    """Answers with a page of a table: ``division``, ``q`` (in a name), ``offset``, ``limit``, ``sort``."""
    found = find(views_of(call.services), "tables", call.request.path_params["id"])
    if not isinstance(found, Table):
        raise NotFound("console.view.unknown", kind="tables", id=found.id)
    terms = terms_of(call)
    offset = asked_number(call, "offset", 0, 1_000_000)
    limit = max(1, asked_number(call, "limit", 20, _PAGE_MOST))
    sort = call.request.query_params.get("sort", found.sort)
    entities, count = await (
        _sorted(call, found, sort, offset, limit) if sort else _page(call, found, offset, limit)
    )
    hidden = closed(call)
    columns = [one for one in found.columns if terms.uri(one.attribute) not in hidden]
    return json_reply(
        {
            "id": found.id,
            "at": now_us() // 1000,
            "count": count,
            "sort": sort,
            "columns": [_column(terms, found, one) for one in columns],
            "rows": [_row(terms, found, columns, one) for one in entities],
        }
    )


async def entity(call: Call) -> Response:
    """Answers with one entity: every attribute with label, value, unit, source, age."""
    id = call.request.path_params["id"]
    body = await call.services.state.get(call.reach, id)
    if body is None:
        raise NotFound("entity.absent", id=id)
    terms = terms_of(call)
    one = terms.read(body)
    hidden = closed(call)
    await note_revealed(call, [{"id": id}], one.attributes.keys() - hidden)
    gateways = await _gateways(call, id)
    attributes = [
        {**_attribute(terms, one, uri, instance), "gateway": gateways.get(uri, "")}
        for uri, instances in one.attributes.items()
        if uri not in hidden
        for instance in instances
    ]
    return json_reply(
        {
            **_head(terms, one),
            "at": now_us() // 1000,
            "scope": one.scope,
            "created_at": one.created_at,
            "modified_at": one.modified_at,
            "location": one.location,
            "attributes": attributes,
            "document": f"/ngsi-ld/v1/entities/{id}",
        }
    )


async def _gateways(call: Call, id: str) -> dict[str, str]:
    """Returns the gateway of each attribute's newest observation; nothing while the history is away."""
    try:
        points = await call.services.history.points(TemporalQuery(call.reach, (id,), last=1))
    except Unavailable:
        return {}
    return {one.attribute: one.gateway for one in points if one.gateway}


def _query(
    call: Call, table: Table, limit: int, offset: int = 0, *, after: str = "", count: bool = False
) -> EntityQuery:
    terms = terms_of(call)
    conditions = [*_searched(terms, table, call.request.query_params.get("q", "").strip())]
    if table.where:
        conditions.append(parse_q(table.where, terms.context))
    return EntityQuery(
        narrowed(call.reach, asked_division(call)),
        types=terms.type_is(table.type),
        conditions=_all(conditions),
        limit=limit,
        offset=offset,
        after=after,
        count=count,
    )


def _all(conditions: list[Condition]) -> Condition | None:
    return And(tuple(conditions)) if len(conditions) > 1 else next(iter(conditions), None)


def _searched(terms: Terms, table: Table, text: str) -> list[Condition]:
    if not text:
        return []
    operand = Operand("string", ".*" + re.escape(text[:100]) + ".*")
    parts = tuple[Condition, ...](Compare(Path(terms.uri(name)), "~=", (operand,)) for name in table.search)
    return [Or(parts)]


async def _page(call: Call, table: Table, offset: int, limit: int) -> tuple[list[Entity], int]:
    page = await call.services.state.query(_query(call, table, limit, offset, count=True))
    terms = terms_of(call)
    return [terms.read(body) for body in page.documents], page.count or 0


async def _sorted(call: Call, table: Table, sort: str, offset: int, limit: int) -> tuple[list[Entity], int]:
    """Sorts all matches by an attribute; entities without it come last, either way."""
    page = await call.services.state.query(_query(call, table, _SORTED_MOST, count=True))
    if (page.count or 0) > _SORTED_MOST:
        raise Unsupported("console.sort.too-many", count=page.count, most=_SORTED_MOST)
    terms = terms_of(call)
    uri, down = terms.uri(sort.removeprefix("-")), sort.startswith("-")
    # only what is sorted by is read of all; only what is shown is read whole
    keys = [_key(terms.read_part(body, (uri,)), uri) for body in page.documents]
    have = [number for number, key in enumerate(keys) if key is not None]
    lack = [number for number, key in enumerate(keys) if key is None]
    have.sort(key=lambda number: keys[number] or (0, 0.0, ""), reverse=down)
    shown = [*have, *lack][offset : offset + limit]
    return [terms.read(page.documents[number]) for number in shown], len(keys)


def _key(one: Entity, uri: str) -> tuple[int, float, str] | None:
    instance = one.first(uri)
    if instance is None:
        return None
    number = instance.number
    return (0, number, "") if number is not None else (1, 0.0, instance.text)


def _column(terms: Terms, table: Table, column: Column) -> dict[str, Any]:
    unit = column.unit or terms.unit(table.type, column.attribute)
    uri = terms.uri(column.attribute)
    label = terms.attribute_label((terms.uri(table.type),), uri)
    if column.title:
        label = column.title.en if terms.language == "en" else column.title.zh
    return {
        "attribute": column.attribute,
        "label": label,
        "symbol": terms.symbol(unit),
        "digits": column.digits,
    }


def _head(terms: Terms, one: Entity) -> dict[str, Any]:
    return {
        "id": one.id,
        "type": terms.short(one.types[0]),
        "type_label": terms.type_label(one.types[0]),
        "name": one.name(terms.language),
        "division": one.division,
        "synthetic": one.synthetic,
    }


def _row(terms: Terms, table: Table, columns: list[Column], one: Entity) -> dict[str, Any]:
    cells: dict[str, Any] = {}
    newest = 0
    for column in columns:
        instance = one.first(terms.uri(column.attribute))
        if instance is None:
            continue
        convert = terms.converter(table.type, column.attribute, column.unit)
        value = convert(instance.number)
        newest = max(newest, instance.observed_us)
        cells[column.attribute] = {
            "value": value if value is not None else instance.shown(terms.language),
            "level": level_of(value, column.thresholds) if column.thresholds else "",
            "observed_at": instance.observed_us // 1000,
            "stale": is_stale(instance.observed_us, table.stale_s),
        }
    return {
        **_head(terms, one),
        "observed_at": newest // 1000,
        "stale": is_stale(newest, table.stale_s),
        "cells": cells,
    }


def _attribute(terms: Terms, one: Entity, uri: str, instance: Instance) -> dict[str, Any]:
    unit = instance.unit or terms.unit(terms.short(one.types[0]), terms.short(uri))
    number = instance.number
    return {
        "attribute": terms.short(uri),
        "uri": uri,
        "label": terms.attribute_label(one.types, uri),
        "kind": instance.kind,
        "value": number if number is not None else instance.shown(terms.language),
        "numeric": number is not None,
        "unit": unit,
        "symbol": terms.symbol(unit),
        "observed_at": instance.observed_us // 1000,
        "modified_at": instance.modified_us // 1000,
        "stale": is_stale(instance.observed_us, _STALE_S),
        "quality": instance.quality,
        "source": instance.source,
        "dataset": instance.dataset,
        "linked": instance.linked,
    }

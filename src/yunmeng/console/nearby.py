"""What stands around an entity: its newest outlook, who is before and behind it, its newest order."""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol, cast

from yunmeng.console.documents import Entity
from yunmeng.console.figures import is_stale, level_of
from yunmeng.console.terms import Terms
from yunmeng.console.views import Detail, Neighbours, Orders, Outlook
from yunmeng.kernel.base import YunmengError, instant_us, now_us
from yunmeng.kernel.model import Compare, Operand, Path, TypeAny
from yunmeng.kernel.serve import Call
from yunmeng.kernel.store import EntityQuery

_NEWEST_OF = 200
_HOPS_DOWN, _HOPS_UP, _MOST_UP = 6, 3, 24
_DAY_S = 86_400
_DIGITS = 6


class Numbers(Protocol):
    """What gives the number of an attribute of the entity that is looked at."""

    def number(self, attribute: str) -> tuple[float, int] | None:
        """Returns the number and when it was observed (µs UTC)."""
        ...


async def outlook(
    call: Call, terms: Terms, detail_type: str, wanted: Outlook, id: str, values: Numbers
) -> dict[str, Any] | None:
    """Returns the newest forecast of an entity: facts, and a fan a band; None without one."""
    found = await _pointing(call, terms, wanted.type, wanted.of, (id,), _NEWEST_OF)
    issued = terms.uri(wanted.issued)
    newest = max(found, key=lambda one: _moment(one, issued), default=None)
    if newest is None:
        return None
    fans = newest.first(terms.uri(wanted.quantiles))
    table: Any = fans.json if fans else None
    table = cast("Mapping[str, Any]", table) if isinstance(table, Mapping) else {}
    at = _moment(newest, issued)
    return {
        "id": newest.id,
        "name": newest.name(terms.language),
        "issued_at": at // 1000,
        "stale": is_stale(at, wanted.stale_s),
        "facts": [
            fact
            for each in wanted.facts
            if (fact := _plain(terms, wanted.type, newest, each.attribute, each))
        ],
        "times": [instant_us(text) // 1000 for text in table.get("at", ())],
        "levels": list(table.get("levels", ())),
        "bands": [
            {
                "title": band.title.en if terms.language == "en" else band.title.zh,
                "symbol": terms.symbol(terms.unit(detail_type, band.attribute)),
                "digits": band.digits,
                "rows": table[band.member],
                "limit": limit[0] if band.limit and (limit := values.number(band.limit)) else None,
            }
            for band in wanted.bands
            if band.member in table
        ],
    }


async def neighbours(call: Call, terms: Terms, detail: Detail, one: Entity) -> dict[str, Any] | None:
    """Returns who is upstream (nearest first) and downstream, each with hours, hops and a value."""
    wanted = detail.neighbours
    if wanted is None:
        return None
    english = terms.language == "en"
    return {
        "title": wanted.title.en if english else wanted.title.zh,
        "upstream_title": wanted.upstream.en if english else wanted.upstream.zh,
        "downstream_title": wanted.downstream.en if english else wanted.downstream.zh,
        "upstream": await _upstream(call, terms, wanted, one),
        "downstream": await _downstream(call, terms, wanted, one),
    }


async def _downstream(call: Call, terms: Terms, wanted: Neighbours, one: Entity) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    seen, at, hours = {one.id}, one, 0.0
    for hop in range(1, _HOPS_DOWN + 1):
        link = at.first(terms.uri(wanted.attribute))
        target = link.linked if link else ""
        body = await call.services.state.get(call.reach, target) if target and target not in seen else None
        if body is None:
            break
        hours += _hours(terms, wanted, at)
        at = terms.read(body)
        seen.add(at.id)
        rows.append(_row(terms, wanted, at, hop, hours))
    return rows


async def _upstream(call: Call, terms: Terms, wanted: Neighbours, one: Entity) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    below = {one.id: 0.0}
    for hop in range(1, _HOPS_UP + 1):
        types = TypeAny(tuple(terms.type_is(name) for name in wanted.types))
        found = await _pointing(call, terms, types, wanted.attribute, tuple(below), _MOST_UP)
        above: dict[str, float] = {}
        for each in found:
            link = each.first(terms.uri(wanted.attribute))
            above[each.id] = _hours(terms, wanted, each) + below.get(link.linked if link else "", 0.0)
            rows.append(_row(terms, wanted, each, hop, above[each.id]))
        if not above or len(rows) >= _MOST_UP:
            break
        below = above
    known = {row["id"]: row for row in rows if row["id"] != one.id}
    return sorted(known.values(), key=lambda row: (row["hours"], row["id"]))[:_MOST_UP]


async def order(call: Call, terms: Terms, wanted: Orders, id: str) -> dict[str, Any] | None:
    """Returns the order that holds for an entity now, before the first the one to come; None without any."""
    query = EntityQuery(call.reach, types=terms.type_is(wanted.type), limit=_NEWEST_OF)
    page = await call.services.state.query(query)
    found: list[dict[str, Any]] = []
    for plan in map(terms.read, page.documents):
        rows = plan.first(terms.uri(wanted.orders))
        state = plan.first(terms.uri(wanted.state))
        for row in _rows(rows.json if rows else None):
            if row.get(wanted.of) == id:
                head = {
                    "id": plan.id,
                    "name": plan.name(terms.language),
                    "state": state.text if state else "",
                }
                body = {"text": str(row.get(wanted.text, "")), "start": _ms(row.get(wanted.start))}
                found.append({**head, **body})
    if not found:
        return None
    english = terms.language == "en"
    now = now_us() // 1000
    begun = [row for row in found if row["start"] <= now]
    holding = max(begun, key=_start) if begun else min(found, key=_start)
    return {"title": wanted.title.en if english else wanted.title.zh, **holding}


def _start(row: Mapping[str, Any]) -> int:
    return int(row["start"])


async def _pointing(
    call: Call, terms: Terms, types: Any, attribute: str, ids: Sequence[str], limit: int
) -> list[Entity]:
    """Returns the entities whose relationship names one of the ids."""
    operands = tuple(Operand("string", id) for id in ids)
    query = EntityQuery(
        call.reach,
        types=terms.type_is(types) if isinstance(types, str) else types,
        conditions=Compare(Path(terms.uri(attribute)), "==", operands),
        limit=limit,
    )
    page = await call.services.state.query(query)
    return [terms.read(body) for body in page.documents]


def _row(terms: Terms, wanted: Neighbours, one: Entity, hop: int, hours: float) -> dict[str, Any]:
    type_ = terms.short(one.types[0])
    shown = (_plain(terms, type_, one, name, None) for name in wanted.shows)
    return {
        "id": one.id,
        "name": one.name(terms.language),
        "type_label": terms.type_label(one.types[0]),
        "hops": hop,
        "hours": round(hours, 2),
        "shows": next((each for each in shown if each), None),
    }


def _plain(terms: Terms, type_: str, one: Entity, attribute: str, fact: Any) -> dict[str, Any] | None:
    instance = one.first(terms.uri(attribute))
    if instance is None:
        return None
    value = instance.number
    label = terms.attribute_label((terms.uri(type_),), terms.uri(attribute))
    if fact is not None and fact.title is not None:
        label = fact.title.en if terms.language == "en" else fact.title.zh
    moment = _datetime(instance.body.get("value"))
    return {
        "attribute": attribute,
        "label": label,
        "symbol": terms.symbol(instance.unit or terms.unit(type_, attribute)),
        "value": round(value, _DIGITS) if value is not None else instance.shown(terms.language),
        "moment": moment // 1000,
        "digits": fact.digits if fact is not None else None,
        "level": level_of(value, fact.thresholds) if fact is not None and fact.thresholds else "",
        "observed_at": instance.observed_us // 1000,
        "stale": is_stale(instance.observed_us, _DAY_S),
        "derived": False,
    }


def _hours(terms: Terms, wanted: Neighbours, one: Entity) -> float:
    found = one.first(terms.uri(wanted.hours)) if wanted.hours else None
    return (found.number if found else None) or 0.0


def _moment(one: Entity, uri: str) -> int:
    found = one.first(uri)
    return _datetime(found.body.get("value")) if found else 0


def _datetime(value: object) -> int:
    if isinstance(value, dict):
        text = cast("dict[str, object]", value).get("@value")
        try:
            return instant_us(text) if isinstance(text, str) else 0
        except YunmengError:
            return 0
    return 0


def _ms(text: object) -> int:
    try:
        return instant_us(text) // 1000 if isinstance(text, str) else 0
    except YunmengError:
        return 0


def _rows(value: object) -> list[dict[str, Any]]:
    rows = cast("list[object]", value) if isinstance(value, list) else []
    return [cast("dict[str, Any]", row) for row in rows if isinstance(row, dict)]

"""Numbers by division: what tiles, shaded maps and bars show, rolled up from one summary of the state."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import msgspec
from starlette.responses import Response

from yunmeng.console.asked import asked_division, narrowed
from yunmeng.console.kept import kept_of
from yunmeng.console.registry import find, views_of
from yunmeng.console.terms import Terms, terms_of
from yunmeng.console.views import Layer, Measured, Method, Threshold, Tile
from yunmeng.kernel.base import division_prefix, divisions, now_us
from yunmeng.kernel.model import parse_q
from yunmeng.kernel.serve import Call, closed, json_reply, squeezed_bytes
from yunmeng.kernel.store import EntityQuery
from yunmeng.kernel.trust import Reach

_SECOND = 1_000_000
_SEVERITY = {"": 0, "normal": 1, "watch": 2, "alarm": 3}


@dataclass(frozen=True, slots=True)
class Figure:
    """A value made from ``entities`` entities; ``newest`` is the latest observation in µs UTC (0: none)."""

    entities: int = 0
    value: float | None = None
    newest: int = 0


def level_of(value: float | None, thresholds: tuple[Threshold, ...]) -> str:
    """Returns the severest level that a value reaches; empty without a value."""
    if value is None:
        return ""
    reached = [
        one.level for one in thresholds if (value >= one.at if one.when == "above" else value <= one.at)
    ]
    return max(["normal", *reached], key=_SEVERITY.__getitem__)


def rolled_up(rows: Mapping[str, tuple[int, float | None]], method: Method, prefix: str) -> Figure:
    """Joins the divisions under a prefix: counts and sums add, means weigh by entities."""
    chosen = [row for code, row in rows.items() if code.startswith(prefix)]
    entities = sum(count for count, _ in chosen)
    if method == "count":
        return Figure(entities, float(entities))
    valued = [(count, value) for count, value in chosen if value is not None]
    if not valued:
        return Figure(entities)
    if method == "avg":
        return Figure(entities, sum(n * value for n, value in valued) / sum(n for n, _ in valued))
    joined = {"sum": sum, "min": min, "max": max}[method](value for _, value in valued)
    return Figure(entities, float(joined))


async def measured(call: Call, reach: Reach, item: Measured | Layer) -> Mapping[str, Figure]:
    """Returns the item's figure, in its unit, for every division of any level that has one."""
    terms = terms_of(call)
    kind, attribute = terms.uri(item.type), terms.uri(item.attribute)
    state = call.services.state
    if item.method == "count" or not attribute:
        rows, newest = await state.summary(reach, kind, "", "count"), dict[str, tuple[int, float | None]]()
    else:
        rows, newest = await asyncio.gather(
            state.summary(reach, kind, attribute, item.method),
            state.summary(reach, kind, attribute, "newest"),
        )
    return _by_division(rows, newest, item, terms)


def _by_division(
    rows: Mapping[str, tuple[int, float | None]],
    newest: Mapping[str, tuple[int, float | None]],
    item: Measured | Layer,
    terms: Terms,
) -> dict[str, Figure]:
    figures: dict[str, Figure] = {}
    convert = terms.converter(item.type, item.attribute, item.unit)
    for one in divisions():
        prefix = division_prefix(one.code)
        figure = rolled_up(rows, item.method, prefix)
        if figure.entities:
            at = rolled_up(newest, "max", prefix).value
            figures[one.code] = Figure(figure.entities, convert(figure.value), int(at or 0))
    return figures


async def tiles(call: Call) -> Response:
    """Answers with the value of every tile in a division."""
    code = asked_division(call)
    tier = call.services.settings.node.tier
    shown = [tile for tile in views_of(call.services).tiles if not tile.tiers or tier in tile.tiers]
    found = await asyncio.gather(*(_tile(call, tile, code) for tile in shown))
    return json_reply({"division": code, "at": now_us() // 1000, "tiles": found})


async def _tile(call: Call, tile: Tile, code: str) -> dict[str, Any]:
    reach = narrowed(call.reach, code)
    figure = await (_counted(call, reach, tile) if tile.where else _whole(call, reach, tile, code))
    synthetic = await is_synthetic(call, reach, tile.type)
    terms = terms_of(call)
    unit = tile.unit or terms.unit(tile.type, tile.attribute)
    return {
        "id": tile.id,
        "value": figure.value,
        "entities": figure.entities,
        "unit": unit,
        "symbol": "" if tile.method == "count" else terms.symbol(unit),
        "level": level_of(figure.value, tile.thresholds),
        "observed_at": figure.newest // 1000,
        "stale": is_stale(figure.newest, tile.stale_s),
        "synthetic": synthetic,
    }


async def _whole(call: Call, reach: Reach, tile: Tile, code: str) -> Figure:
    nothing = Figure(0, 0.0 if tile.method == "count" else None)
    return (await measured(call, reach, tile)).get(code, nothing)


async def _counted(call: Call, reach: Reach, tile: Tile) -> Figure:
    """Counts the entities that a condition selects; ``entities`` are all of the type."""
    terms, state = terms_of(call), call.services.state
    kind, attribute = terms.uri(tile.type), terms.uri(tile.attribute)
    where = parse_q(tile.where, terms.context)
    query = EntityQuery(reach, types=terms.type_is(tile.type), conditions=where, limit=1, count=True)
    found, whole = await asyncio.gather(state.query(query), state.summary(reach, kind, "", "count"))
    observed = None
    if attribute:
        observed = rolled_up(await state.summary(reach, kind, attribute, "newest"), "max", "").value
    return Figure(rolled_up(whole, "count", "").entities, float(found.count or 0), int(observed or 0))


async def is_synthetic(call: Call, reach: Reach, kind: str) -> bool:
    """Tells whether a type's entities in reach are made up (asked of the first of them)."""
    terms = terms_of(call)
    page = await call.services.state.query(EntityQuery(reach, types=terms.type_is(kind), limit=1))
    return any(terms.read(body).synthetic for body in page.documents)


def is_stale(newest: int, stale_s: int) -> bool:
    """Tells whether an observation (µs UTC) is older than ``stale_s``; never observed is not stale."""
    return bool(newest) and now_us() - newest > stale_s * _SECOND


async def areas(call: Call, layer: Layer, code: str) -> dict[str, Any]:
    """Returns a shaded layer: a figure for every division, prefecture- and county-level."""
    figures = await measured(call, narrowed(call.reach, code), layer)
    terms = terms_of(call)
    unit = layer.unit or terms.unit(layer.type, layer.attribute)
    newest = max((one.newest for one in figures.values()), default=0)
    return {
        "unit": unit,
        "symbol": "" if layer.method == "count" else terms.symbol(unit),
        "values": {
            key: {
                "value": one.value,
                "entities": one.entities,
                "level": level_of(one.value, layer.thresholds),
                "stale": is_stale(one.newest, layer.stale_s),
            }
            for key, one in figures.items()
        },
        "observed_at": newest // 1000,
        "stale": is_stale(newest, layer.stale_s),
        "synthetic": await is_synthetic(call, narrowed(call.reach, code), layer.type),
    }


async def layer(call: Call) -> Response:
    """Answers with the values of a layer: figures by division, or points."""
    from yunmeng.console.points import points

    found = find(views_of(call.services), "layers", call.request.path_params["id"])
    code = asked_division(call)

    async def drawn() -> bytes:
        values: dict[str, Any] = {}
        if isinstance(found, Layer) and found.kind == "areas":
            values = await areas(call, found, code)
        elif isinstance(found, Layer) and found.kind == "points":
            values = await points(call, found, code)
        return msgspec.json.encode({"id": found.id, "division": code, "at": now_us() // 1000, **values})

    if not isinstance(found, Layer) or found.kind != "points":
        return squeezed_bytes(call, await drawn())
    # thousands of points take half a second to gather; who looks at the same map shares them
    key = (call.reach, closed(call), call.language, found.id, code)
    return squeezed_bytes(call, await kept_of(call).get(key, drawn))

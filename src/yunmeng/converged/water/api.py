"""Water over HTTP: the register in and out, who is upstream of whom, series, responses, plans."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import msgspec
import numpy as np
from starlette.responses import Response

from yunmeng.converged.water import plans, responses
from yunmeng.converged.water.exchange import (
    TimeSeries,
    changed,
    check_register,
    decode_csv,
    read_csv,
    read_excel,
    read_features,
    read_waterml,
    to_bodies,
    to_rows,
    write_csv,
    write_excel,
    write_features,
    write_waterml,
)
from yunmeng.converged.water.reading import Reader
from yunmeng.converged.water.rivers import read_course
from yunmeng.converged.water.warning import read_table, response, situation
from yunmeng.kernel.base import (
    BadInput,
    Conflict,
    Forbidden,
    conversion,
    instant_us,
    now_us,
    problem,
)
from yunmeng.kernel.base import division as find_division
from yunmeng.kernel.keeper import settle
from yunmeng.kernel.link import obs_subject
from yunmeng.kernel.model import (
    VOCABULARY_CONTEXT,
    Context,
    Create,
    Outcome,
    Reading,
    Series,
    Upsert,
    encode_batch,
    expand_entity,
    make_batch_of,
)
from yunmeng.kernel.serve import Call, Route, as_object, json_reply, read_json, text_member, write, write_one

_REGISTER = ",".join(
    (
        "Basin",
        "River",
        "Reservoir",
        "HydrologicalStation",
        "FloodControlPoint",
        "Spillway",
        "PumpStation",
        "Dike",
        "ProtectedObject",
        "WaterIntake",
        "WaterPermit",
        "EcologicalSection",
        "DamPoint",
        "SandZone",
        "DrinkingWaterWorks",
    )
)
_FORMATS = {
    "text/csv": "csv",
    "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet": "xlsx",
    "application/geo+json": "geojson",
    "application/gml+xml": "waterml",
    "application/xml": "waterml",
    "text/xml": "waterml",
}
_MEDIA = {
    "csv": "text/csv; charset=utf-8",
    "xlsx": next(m for m, f in _FORMATS.items() if f == "xlsx"),
    "geojson": "application/geo+json",
    "waterml": "application/gml+xml",
}
_DAY_US = 86_400_000_000


async def import_register(call: Call) -> Response:
    """Takes the register in: CSV (with ``type``), Excel or GeoJSON; whole or not at all."""
    library, format_ = call.services.types, _format(call)
    data = await call.request.body()
    type_ = call.request.query_params.get("type", "")
    if format_ == "xlsx":
        rows = read_excel(data, library)
    elif format_ == "geojson":
        rows = read_features(data, library, type_)
    else:
        rows = read_csv(decode_csv(data), type_, library)
    bodies = to_bodies(rows, library)
    known = await _reader(call).entities(_REGISTER)
    check_register(bodies, known)
    await _check_reach(call, bodies, {str(each["id"]) for each in known})
    context = _context(call)
    outcomes = await write(call, [Upsert(expand_entity(body, context), "update") for body in bodies])
    _refuse(outcomes)
    made = sum(outcome.done == "created" for outcome in outcomes)
    return json_reply({"created": made, "updated": len(outcomes) - made, **changed(bodies, known)}, 201)


async def export_register(call: Call) -> Response:
    """Hands the register out: ``type`` (all when empty), ``format`` csv, xlsx or geojson, ``division``."""
    asked = call.request.query_params
    divisions = [asked["division"]] if asked.get("division") else []
    entities = await _reader(call).entities(asked.get("type") or _REGISTER, divisions=divisions)
    format_ = asked.get("format", "csv")
    rows = to_rows(entities)
    if format_ == "geojson":
        return Response(write_features(entities), media_type=_MEDIA[format_])
    if format_ == "xlsx":
        return Response(write_excel(rows or {"Reservoir": []}), media_type=_MEDIA[format_])
    if format_ != "csv" or len(rows) > 1:
        raise BadInput("water.format", format=format_, known="csv (one type), xlsx, geojson")
    table = rows[next(iter(rows))] if rows else []
    return Response(write_csv(table), media_type=_MEDIA["csv"])


async def neighbours(call: Call) -> Response:
    """Says who is upstream and downstream of a node of the rivers, with the travel time in hours.

    Where its water runs in a circle, ``fault`` names who is on it.
    """
    id = call.request.path_params["id"]
    course = await read_course(_reader(call), id)
    graph = course.graph
    below = [{"id": each, "hours": graph.way(id, each)[1]} for each in graph.downstream(id)]
    above = [{"id": each, "hours": graph.way(each, id)[1]} for each in graph.upstream(id)]
    fault = {"fault": problem(course.fault, call.language)} if course.fault else {}
    return json_reply({"id": id, "upstream": above, "downstream": below, **fault})


async def import_series(call: Call) -> Response:
    """Takes series in as WaterML 2.0; the ``featureOfInterest`` is the id of the station or reservoir."""
    series = read_waterml(await call.request.body())
    reader, library = _reader(call), call.services.types
    readings: list[Reading] = []
    for one in series:
        station = await reader.entity(one.station)
        row = library.attribute(one.attribute) or library.attribute(one.attribute.rpartition("/")[2])
        if row is None:
            raise BadInput("water.attribute", attribute=one.attribute)
        type_ = library.type(str(station["type"]))
        if type_.attribute(row.name) is None and row.name not in library.terms:
            raise BadInput("water.attribute", attribute=f"{row.name} ({type_.name})")
        unit = row.unit or one.unit
        key = Series(one.station, row.uri, type_.uri, str(station.get("division", "")), unit)
        # what reads the history takes an attribute in its own unit
        scale, shift = conversion(one.unit, unit) if one.unit else (1.0, 0.0)
        values = one.values * scale + shift if one.unit != unit else one.values
        readings += [
            Reading((key,), at, (None if np.isnan(value) else value,))
            for at, value in zip(one.times.tolist(), values.tolist(), strict=True)
        ]
    for start in range(0, len(readings), 10_000):
        batch = make_batch_of(
            readings[start : start + 10_000], gateway="waterml", received_at=now_us(), tenant=call.tenant
        )
        await call.services.bus.publish(
            obs_subject(call.tenant, "waterml"), encode_batch(batch), call.principal
        )
    return json_reply({"series": len(series), "observations": len(readings)}, 202)


async def export_series(call: Call) -> Response:
    """Hands a series out as WaterML 2.0: ``attribute``, ``start``, ``end`` (the last day when left out)."""
    asked, id = call.request.query_params, call.request.path_params["id"]
    end = instant_us(asked["end"]) if asked.get("end") else now_us()
    start = instant_us(asked["start"]) if asked.get("start") else end - _DAY_US
    reader = _reader(call)
    await reader.entity(id)
    attribute = asked.get("attribute", "waterLevel")
    await settle(call.services.bus, call.principal)
    found = await reader.series([id], attribute, start, end)
    row = call.services.types.attribute(attribute)
    unit, uri = (row.unit, row.uri) if row is not None else ("", attribute)
    series = [TimeSeries(id, uri, unit, each.times, each.values) for each in found.values()]
    return Response(write_waterml(series), media_type=_MEDIA["waterml"])


async def show_response(call: Call) -> Response:
    """Says which emergency response the state of a ``division`` asks for by the table, with the reasons."""
    return json_reply(await _due(call, _division(call)))


async def begin_response(call: Call) -> Response:
    """Begins the response that is due in a ``division``: an event with its level and reasons.

    Raises the level of one that is open there. Of two who begin it at the same moment one opens it.
    """
    division = _division(call)
    due = await _due(call, division)
    if due["level"] is None:
        return json_reply(due)
    try:
        id = await _begin(call, division, due)
    except Conflict:
        # somebody was quicker: now there is one to raise, or one that has risen
        id = await _begin(call, division, due)
    return json_reply({**due, "event": id}, 201)


async def step_plan(call: Call) -> Response:
    """Leads a plan on: ``{"state": "approved"}``, then ``issued`` (each order becomes a task), ``ended``."""
    id = call.request.path_params["id"]
    plan, read = await _reader(call).read(id, "DispatchPlan")
    state = text_member(as_object(await read_json(call.request), "body"), "state")
    bodies = plans.step(plan, state, now_us(), call.principal.id)
    context = _context(call)
    first, *tasks = [expand_entity(body, context) for body in bodies]
    # tasks first: where one is refused the plan stays approved, and a second try makes the same tasks
    if tasks:
        _refuse(await write(call, [Upsert(task, "update") for task in tasks]))
    await write_one(call, Upsert(first, "update"), unchanged=read)
    return json_reply({"id": id, "state": state, "tasks": len(tasks)})


async def _check_reach(call: Call, bodies: Sequence[Mapping[str, Any]], known: Collection[str]) -> None:
    """Refuses all bodies when one would be outside the reach of who sends them, or changes what is."""
    if call.reach.prefixes is None:
        return
    home = call.services.settings.node.division
    new = [body for body in bodies if body["id"] not in known]
    faults = {
        str(body["id"]): str(body.get("division", home))
        for body in bodies
        if ("division" in body or body["id"] not in known)
        and not str(body.get("division", home)).startswith(call.reach.prefixes)
    }
    whole = msgspec.structs.replace(call.reach, prefixes=None)
    everyone = Reader(call.services.state, call.services.history, whole, call.services.types)
    faults |= dict.fromkeys(await everyone.present([str(body["id"]) for body in new]), "*")
    if faults:
        shown = "; ".join(f"{id}: keeper.out-of-reach" for id in list(faults)[:10])
        raise Forbidden("water.rows", count=len(faults), faults=shown)


def _refuse(outcomes: Sequence[Outcome]) -> None:
    refused = [outcome for outcome in outcomes if outcome.done == "refused"]
    if refused:
        faults = "; ".join(f"{outcome.id}: {outcome.error}" for outcome in refused[:10])
        raise Conflict("water.refused", count=len(refused), whole=len(outcomes), faults=faults)


def _division(call: Call) -> str:
    """Returns the division that is asked for: by itself the node's, or whose the caller is."""
    prefixes = call.reach.prefixes
    own = call.services.settings.node.division if prefixes is None else f"{prefixes[0]:0<6}"
    return find_division(call.request.query_params.get("division", own)).code


async def _begin(call: Call, division: str, due: Mapping[str, Any]) -> str:
    """Opens the response that is due, or raises the one that is open; returns its id."""
    reader = _reader(call)
    begun = await reader.entities("Event", f'rule=="{responses.RULE}";division=="{division}"')
    open_ = responses.open_one(begun)
    if open_ is None:
        body = responses.opened(division, due, now_us(), begun)
        await write_one(call, Create(expand_entity(body, _context(call))))
        return str(body["id"])
    plain, read = await reader.read(str(open_["id"]))
    change = responses.raised(plain, due)
    await write_one(call, Upsert(expand_entity(change, _context(call)), "update"), unchanged=read)
    return str(open_["id"])


async def _due(call: Call, division: str) -> dict[str, Any]:
    own = call.services.settings.node.data / "response.toml"
    table = read_table(own) if own.exists() else read_table()
    works = await _reader(call).entities("Reservoir,HydrologicalStation", divisions=(division,))
    state = situation(works)
    found = response(state, table)
    return {
        "division": division,
        "level": found.grade,
        "reasons": found.reasons(call.language),
        "judged": state.judged,
        "unknown": state.unknown,
        "synthetic": all(each.get("synthetic") for each in works),
    }


def _reader(call: Call) -> Reader:
    return Reader(call.services.state, call.services.history, call.reach, call.services.types)


def _context(call: Call) -> Context:
    return Context((call.services.types.context()["@context"],), (VOCABULARY_CONTEXT,))


def _format(call: Call) -> str:
    media = (call.request.headers.get("content-type") or "text/csv").partition(";")[0].strip().lower()
    if media not in _FORMATS or _FORMATS[media] == "waterml":
        raise BadInput("water.format", format=media, known=", ".join(_FORMATS))
    return _FORMATS[media]


ROUTES = (
    Route("POST", "/api/water/register", "entity.write", import_register, "Take the register in"),
    Route("GET", "/api/water/register", "entity.read", export_register, "Hand the register out"),
    Route("GET", "/api/water/rivers/{id}", "entity.read", neighbours, "Who is upstream and downstream"),
    Route("POST", "/api/water/series", "temporal.write", import_series, "Take in series as WaterML 2.0"),
    Route("GET", "/api/water/series/{id}", "temporal.read", export_series, "A series as WaterML 2.0"),
    Route("GET", "/api/water/response", "event.read", show_response, "Which response is due, and why"),
    Route("POST", "/api/water/response", "event.write", begin_response, "Begin the response that is due"),
    Route("POST", "/api/water/plans/{id}/steps", "event.write", step_plan, "Approve, issue, end a plan"),
)

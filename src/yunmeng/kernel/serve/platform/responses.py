"""Alerts and events over HTTP: what is wrong now, who handles it, how far they are (监测—预警—通报—处置)."""

from collections.abc import Mapping
from typing import Any
from uuid import uuid4

import msgspec
from starlette.responses import Response

from yunmeng.kernel.base import BadInput, NotFound, format_us, instant_us, make_urn, now_us
from yunmeng.kernel.compute import (
    CAP,
    Event,
    Step,
    Task,
    advance,
    alert_entity,
    check_grade,
    event_entity,
    from_cap,
    read_alert,
    read_event,
    task_entity,
    to_cap,
)
from yunmeng.kernel.model import (
    Context,
    Create,
    Document,
    Merge,
    Upsert,
    compact_entity,
    expand_entity,
    parse_q,
    parse_types,
)
from yunmeng.kernel.serve.body import as_object, read_json, text_member
from yunmeng.kernel.serve.keeping import write_one
from yunmeng.kernel.serve.replies import json_reply
from yunmeng.kernel.serve.routes import Call
from yunmeng.kernel.store import EntityQuery

_MOST = 1000
_FILTERS = {
    "Alert": {
        "state": "alertState",
        "level": "responseLevel",
        "rule": "rule",
        "event": "partOfEvent",
        "source": "alertSource",
    },
    "Event": {"stage": "stage", "level": "responseLevel", "rule": "rule", "owner": "owner"},
    "Task": {"state": "taskState", "assignee": "assignee", "event": "partOfEvent"},
}
_TASK_STATES = ("done", "refused")


async def list_alerts(call: Call) -> Response:
    """Lists alerts by ``state``, ``level``, ``rule``, ``event``, ``source``, ``division``, in pages."""
    return json_reply(await _page(call, "Alert"))


async def receive_alert(call: Call) -> Response:
    """Takes in an alert as a CAP 1.2 message; ``division`` says whose it is where the message does not."""
    division = call.request.query_params.get("division", call.services.settings.node.division)
    alert = from_cap(await call.request.body(), division)
    await _store(call, alert_entity(alert))
    return json_reply({"id": alert.id, "state": alert.state, "level": alert.grade}, 201)


async def show_alert(call: Call) -> Response:
    """Shows one alert; as CAP 1.2 when ``application/cap+xml`` is asked for."""
    entity = await _entity(call, "Alert")
    if CAP in (call.request.headers.get("accept") or ""):
        sender = f"yunmeng-{call.services.settings.node.division}"
        return Response(to_cap(read_alert(entity), sender), media_type=CAP)
    return json_reply(entity)


async def end_alert(call: Call) -> Response:
    """Ends an alert by hand: ``{"state": "ended"}`` or ``"cancelled"`` when it was false."""
    entity = await _entity(call, "Alert")
    body = as_object(await read_json(call.request), "body")
    state = text_member(body, "state")
    if state not in ("ended", "cancelled"):
        raise BadInput("json.text", where="state: ended, cancelled")
    alert = msgspec.structs.replace(read_alert(entity), state=state, valid_to=now_us())
    await _store(call, alert_entity(alert))
    return json_reply({"id": alert.id, "state": state})


async def list_events(call: Call) -> Response:
    """Lists events by ``stage``, ``level``, ``rule``, ``owner``, ``division``; ``limit``, ``offset``."""
    return json_reply(await _page(call, "Event"))


async def open_event(call: Call) -> Response:
    """Opens an event by hand: ``{"headline": …, "level": "III", "division": …, "due": …}``."""
    body = as_object(await read_json(call.request), "body")
    due = text_member(body, "due", "")
    event = Event(
        id=make_urn("Event", uuid4().hex),
        headline={call.language: text_member(body, "headline")},
        grade=check_grade(body.get("level")),
        division=text_member(body, "division", call.services.settings.node.division),
        opened_at=now_us(),
        due_at=instant_us(due) if due else 0,
    )
    await write_one(call, Create(await _stored(call, event_entity(event))))
    return json_reply({"id": event.id, "stage": event.stage}, 201)


async def show_event(call: Call) -> Response:
    """Shows one event with its alerts and tasks."""
    entity = await _entity(call, "Event")
    joined = f'partOfEvent=="{entity["id"]}"'
    alerts = await _found(call, "Alert", joined, _MOST, 0)
    tasks = await _found(call, "Task", joined, _MOST, 0)
    return json_reply({**entity, "alerts": alerts, "tasks": tasks})


async def step_event(call: Call) -> Response:
    """Leads an event on: ``{"stage": "assigned", "owner": …, "due": …, "note": …, "score": …}``.

    Of two people who lead it on at the same moment one is told that it has changed (409).
    """
    entity, read = await _read(call, "Event")
    body = as_object(await read_json(call.request), "body")
    given = {"at": format_us(now_us()), "by": call.principal.id}
    step = msgspec.convert({**body, **given}, Step)
    event = advance(read_event(entity), step)
    # the level is the rules' to write, and may have risen since it was read
    change = {name: each for name, each in event_entity(event).items() if name != "responseLevel"}
    await write_one(call, Upsert(await _stored(call, change), "update"), unchanged=read)
    return json_reply({"id": event.id, "stage": event.stage, "owner": event.owner, "score": event.score})


async def add_task(call: Call) -> Response:
    """Gives somebody something to do for an event: ``{"title": …, "assignee": …, "due": …}``."""
    event = await _entity(call, "Event")
    body = as_object(await read_json(call.request), "body")
    due = text_member(body, "due", "")
    task = Task(
        id=make_urn("Task", uuid4().hex),
        event=event["id"],
        title=text_member(body, "title"),
        assignee=text_member(body, "assignee"),
        division=event.get("division", ""),
        due_at=instant_us(due) if due else 0,
        synthetic=bool(event.get("synthetic", False)),
    )
    await write_one(call, Create(await _stored(call, task_entity(task))))
    return json_reply({"id": task.id, "state": task.state}, 201)


async def list_tasks(call: Call) -> Response:
    """Lists tasks by ``state``, ``assignee``, ``event``, ``division``; ``limit``, ``offset``."""
    return json_reply(await _page(call, "Task"))


async def end_task(call: Call) -> Response:
    """Ends a task: ``{"state": "done", "result": …}`` or ``"refused"`` with the reason."""
    task, read = await _read(call, "Task")
    body = as_object(await read_json(call.request), "body")
    state, result = text_member(body, "state"), text_member(body, "result")
    if state not in _TASK_STATES or task.get("taskState") != "open":
        allowed = ", ".join(_TASK_STATES) if task.get("taskState") == "open" else "-"
        raise BadInput("event.step", stage=task.get("taskState"), to=state, allowed=allowed)
    change = await _stored(call, {"id": task["id"], "type": "Task", "taskState": state, "result": result})
    merge = Merge(change.pop("id"), {key: value for key, value in change.items() if key != "type"})
    await write_one(call, merge, unchanged=read)
    return json_reply({"id": task["id"], "state": state})


async def _page(call: Call, type_: str) -> list[dict[str, Any]]:
    asked = call.request.query_params
    wanted = [f'{name}=="{asked[key]}"' for key, name in _FILTERS[type_].items() if key in asked]
    limit, offset = _number(call, "limit", 100, _MOST), _number(call, "offset", 0, 10**9)
    return await _found(call, type_, ";".join(wanted), limit, offset, asked.get("division", ""))


async def _found(
    call: Call, type_: str, q: str, limit: int, offset: int, division: str = ""
) -> list[dict[str, Any]]:
    context = await _context(call)
    query = EntityQuery(
        call.reach,
        types=parse_types(type_, context),
        conditions=parse_q(q, context) if q else None,
        divisions=(division,) if division else (),
        limit=limit,
        offset=offset,
    )
    page = await call.services.state.query(query)
    return [_plain(body, context) for body in page.documents]


async def _entity(call: Call, type_: str) -> dict[str, Any]:
    return (await _read(call, type_))[0]


async def _read(call: Call, type_: str) -> tuple[dict[str, Any], Document]:
    """Returns an entity in simple and in stored form."""
    id = call.request.path_params["id"]
    body = await call.services.state.get(call.reach, id)
    document = msgspec.json.decode(body, type=Document) if body is not None else {}
    entity = compact_entity(document, await _context(call), "simplified") if document else {}
    if entity.get("type") != type_:
        raise NotFound("alert.absent" if type_ == "Alert" else "event.absent", id=id)
    return entity, document


async def _store(call: Call, entity: Mapping[str, Any]) -> None:
    await write_one(call, Upsert(await _stored(call, entity), "update"))


async def _stored(call: Call, entity: Mapping[str, Any]) -> Document:
    return expand_entity(dict(entity), await _context(call))


async def _context(call: Call) -> Context:
    return await call.services.contexts.resolve(call.services.types.context())


def _plain(body: bytes, context: Context) -> dict[str, Any]:
    return compact_entity(msgspec.json.decode(body, type=Document), context, "simplified")


def _number(call: Call, name: str, default: int, most: int) -> int:
    text = call.request.query_params.get(name, str(default))
    if not text.isdecimal() or len(text) > 10 or int(text) > most:
        raise BadInput("query.number", name=name, value=text, low=0, high=most)
    return int(text)

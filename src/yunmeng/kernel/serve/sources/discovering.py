"""Which types and attributes there are, here and at sources (ETSI GS CIM 009 §5.7.5 to §5.7.10)."""

from collections.abc import Sequence
from functools import wraps
from typing import Any, cast
from urllib.parse import quote

import msgspec
from starlette.responses import Response

from yunmeng.kernel.base import NotFound
from yunmeng.kernel.model import Context
from yunmeng.kernel.serve.heading import parameters_of
from yunmeng.kernel.serve.ngsild.negotiation import accepted, answer, request_context
from yunmeng.kernel.serve.ngsild.parameters import flag
from yunmeng.kernel.serve.routes import Call, RouteHandler
from yunmeng.kernel.serve.sources.asking import Asking, Sight
from yunmeng.kernel.serve.sources.consuming import sight_of, warned
from yunmeng.kernel.serve.sources.forwarding import Answer, Forward
from yunmeng.kernel.serve.sources.matching import Need, match
from yunmeng.kernel.serve.sources.registration import Registration
from yunmeng.kernel.serve.sources.sources import sources_of

Row = dict[str, Any]

# members that hold names, and all that hold texts: of each another broker may know more
_NAMES = ("typeList", "attributeList", "attributeNames", "typeNames")
_LISTS = (*_NAMES, "attributeTypes")
_COUNTS = ("entityCount", "attributeCount")
_DETAILS = "attributeDetails"


def distributed_discovery(handler: RouteHandler, thing: str) -> RouteHandler:
    """Returns a handler that adds to its answer what sources know.

    ``thing`` is ``EntityType`` or ``AttrType``, as the names of operations have it: ``retrieve<thing>s``
    lists, ``retrieve<thing>Details`` lists with details, ``retrieve<thing>Info`` tells of one.
    """

    @wraps(handler)
    async def read(call: Call) -> Response:
        registrations = await sources_of(call).registry.active(call.tenant)
        if not registrations or flag(parameters_of(call.request), "local"):
            return await handler(call)
        context = await request_context(call)
        sight = sight_of(call, Asking(context))
        forwards = _forwards(call, thing, registrations, sight)
        if not forwards:
            return await handler(call)
        answers = await sight.forwarder.send_all(forwards, sight.origin)
        rows = [row for one in answers for row in _rows(one, context, sight)]
        return await warned(call, _joined(call, handler, rows, context), sight.warnings)

    return read


def _forwards(call: Call, thing: str, registrations: Sequence[Registration], sight: Sight) -> list[Forward]:
    """Returns the same question for each source that answers it and may know something."""
    name = next(iter(call.request.path_params.values()), "")
    details = flag(parameters_of(call.request), "details")
    operation = f"retrieve{thing}{'Info' if name else 'Details' if details else 's'}"
    uri = sight.asking.context.expand(name) if name else ""
    wanted = frozenset((uri,)) if name else frozenset[str]()
    need = Need(types=wanted) if thing == "EntityType" else Need(attributes=wanted)
    return [
        _forward(one, thing, uri, sight.context(one), details=details)
        for one in registrations
        if operation in one.operations and match(one, need) is not None
    ]


def _forward(registration: Registration, thing: str, uri: str, context: Context, *, details: bool) -> Forward:
    path = "/types" if thing == "EntityType" else "/attributes"
    parameters = {"details": "true"} if details else {}
    if registration.local_only:
        parameters["local"] = "true"
    if uri:
        path = f"{path}/{quote(context.compact(uri), safe='')}"
    return Forward(registration, "GET", path, context, parameters)


async def _joined(call: Call, handler: RouteHandler, rows: Sequence[Row], context: Context) -> Response:
    try:
        own: Any = msgspec.json.decode((await handler(call)).body)
    except NotFound:
        if not rows:
            raise
        own = None
    several = isinstance(own, list)
    here = cast("list[Row]", own if several else [own] if own else [])
    found: dict[str, Row] = {}
    for row in (*here, *rows):
        # of one thing all tell; the lists of different brokers have ids of their own
        key = str(row.get("id", "")) if several else ""
        found[key] = _both(found[key], row) if key in found else dict(row)
    payload = [found[key] for key in sorted(found)] if several else found[""]
    return answer(payload, context, accepted(call.request))


def _both(one: Row, two: Row) -> Row:
    joined = dict(one)
    for name, value in two.items():
        if name in _LISTS:
            joined[name] = sorted({*joined.get(name, ()), *value})
        elif name in _COUNTS:
            joined[name] = joined.get(name, 0) + value
        elif name == _DETAILS:
            by_id = {row["id"]: row for row in joined.get(name, ())}
            for row in value:
                by_id[row["id"]] = _both(by_id[row["id"]], row) if row["id"] in by_id else row
            joined[name] = [by_id[id_] for id_ in sorted(by_id)]
    return joined


def _rows(given: Answer, context: Context, sight: Sight) -> list[Row]:
    """Returns what a source told, its names written as the caller writes them."""
    sight.warnings.look(given)
    value: Any = given.decoded() if given.fine else None
    items = cast("list[object]", value if isinstance(value, list) else [value])
    return [_renamed(cast("Row", one), given.forward.context, context) for one in items if _sound(one)]


def _sound(row: object) -> bool:
    """Tells whether a row is what such a list holds."""
    if not isinstance(row, dict):
        return False
    body = cast("Row", row)
    details = body.get(_DETAILS, [])
    return (
        isinstance(body.get("id"), str)
        and all(_texts(body[name]) for name in _LISTS if name in body)
        and all(isinstance(body[name], int) for name in _COUNTS if name in body)
        and isinstance(details, list)
        and all(map(_sound, cast("list[object]", details)))
    )


def _texts(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(one, str) for one in cast("list[object]", value))


def _renamed(row: Row, theirs: Context, context: Context) -> Row:
    def rename(name: str) -> str:
        return context.compact(theirs.expand(name))

    found = {name: value for name, value in row.items() if name != "@context"}
    for name in _NAMES:
        if name in found:
            found[name] = [rename(one) for one in found[name]]
    for name in ("typeName", "attributeName"):
        if isinstance(found.get(name), str):
            found[name] = rename(found[name])
    if "typeList" not in found and "attributeList" not in found:
        found["id"] = theirs.expand(found["id"])
    if _DETAILS in found:
        found[_DETAILS] = [_renamed(one, theirs, context) for one in found[_DETAILS]]
    return found

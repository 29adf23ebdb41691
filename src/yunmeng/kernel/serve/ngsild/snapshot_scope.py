"""Operations on a snapshot, not on what is live: ``NGSILD-Snapshot`` (ETSI GS CIM 009 §5.5.15, §6.3.22).

Whatever is done stays inside: no source is asked, nobody is notified.
"""

from dataclasses import replace
from functools import wraps
from urllib.parse import unquote

from starlette.responses import Response

from yunmeng.kernel.base import Conflict, Unsupported
from yunmeng.kernel.serve.heading import header
from yunmeng.kernel.serve.ngsild.snapshots import PATH, Shelf
from yunmeng.kernel.serve.routes import Call, Route, RouteHandler
from yunmeng.kernel.trust import Reach

HEADER = b"ngsild-snapshot"

_RESOURCES = ("entity", "temporal")
_TENANT = b"ngsild-tenant"


def snapshotted(route: Route) -> Route:
    """Returns a route that goes to a snapshot where the request names one."""
    if route.path.startswith(PATH):
        return route
    of_entities = route.action.split(".")[0] in _RESOURCES
    return replace(route, handler=_inside(route.handler) if of_entities else _refusing(route.handler))


def _inside(handler: RouteHandler) -> RouteHandler:
    @wraps(handler)
    async def go_inside(call: Call) -> Response:
        id_ = header(call.request, HEADER)
        if id_ is None:
            return await handler(call)
        shelf = Shelf.of(call)
        held = await shelf.load(_id_in(id_))
        if held.status == "preparing":
            raise Conflict("snapshot.preparing", id=held.id)
        await shelf.note_use(held)
        inside = Reach(held.tenant(call.tenant), call.reach.prefixes)
        response = await handler(replace(call, reach=inside))
        own = [(_TENANT, call.tenant.encode())] if call.tenant else []
        kept = [row for row in response.raw_headers if row[0] != _TENANT]
        response.raw_headers = [*kept, *own, (HEADER, held.id.encode())]
        return response

    return go_inside


def _refusing(handler: RouteHandler) -> RouteHandler:
    @wraps(handler)
    async def refuse(call: Call) -> Response:
        if header(call.request, HEADER) is not None:
            raise Unsupported("snapshot.entities-only")
        return await handler(call)

    return refuse


def _id_in(value: str) -> str:
    """Returns the id that a header names: by itself, or in the address of the snapshot."""
    _, found, tail = value.partition(f"{PATH}/")
    return unquote(tail) if found else value

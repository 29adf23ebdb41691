"""Questions put to a snapshot, not to the live entities: ``NGSILD-Snapshot`` (ETSI GS CIM 009 §6.3.22)."""

from dataclasses import replace
from functools import wraps

from starlette.responses import Response

from yunmeng.kernel.base import Conflict, Unsupported, now_us
from yunmeng.kernel.serve.heading import header
from yunmeng.kernel.serve.ngsild.snapshots import PATH, Snapshot, keep, load
from yunmeng.kernel.serve.routes import Call, Route, RouteHandler
from yunmeng.kernel.trust import Reach

HEADER = b"ngsild-snapshot"

_TENANT = b"ngsild-tenant"
_USE_NOTED_EVERY_US = 60_000_000


def snapshotted(route: Route) -> Route:
    """Returns a route that answers for a snapshot where the request names one; snapshots can only be read."""
    if route.path.startswith(PATH):
        return route
    wrapped = _reading(route.handler) if route.action == "entity.read" else _refusing(route.handler)
    return replace(route, handler=wrapped)


def _reading(handler: RouteHandler) -> RouteHandler:
    @wraps(handler)
    async def read(call: Call) -> Response:
        id_ = header(call.request, HEADER)
        if id_ is None:
            return await handler(call)
        held = await load(call, id_.rpartition("/")[2])
        if held.status == "preparing":
            raise Conflict("snapshot.preparing", id=held.id)
        await _note_use(call, held)
        inside = Reach(held.tenant(call.tenant), call.reach.prefixes)
        response = await handler(replace(call, reach=inside))
        own = [(_TENANT, call.tenant.encode())] if call.tenant else []
        kept = [row for row in response.raw_headers if row[0] != _TENANT]
        response.raw_headers = [*kept, *own, (HEADER, held.id.encode())]
        return response

    return read


def _refusing(handler: RouteHandler) -> RouteHandler:
    @wraps(handler)
    async def refuse(call: Call) -> Response:
        if header(call.request, HEADER) is not None:
            raise Unsupported("snapshot.entities-only")
        return await handler(call)

    return refuse


async def _note_use(call: Call, held: Snapshot) -> None:
    """Stores when a snapshot was used, now and then."""
    if now_us() - held.last_used_at > _USE_NOTED_EVERY_US:
        held.last_used_at = now_us()
        await keep(call, held)

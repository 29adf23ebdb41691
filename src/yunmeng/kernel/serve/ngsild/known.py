"""Which query parameters NGSI-LD knows; another one is refused (ETSI GS CIM 009 §6.3.2)."""

from functools import wraps

from starlette.responses import Response

from yunmeng.kernel.base import BadInput
from yunmeng.kernel.serve.heading import parameters_of
from yunmeng.kernel.serve.routes import Call, RouteHandler

_KNOWN = frozenset(
    (
        *("id", "type", "idPattern", "attrs", "q", "csf", "scopeQ", "lang", "options", "format"),
        *("georel", "geometry", "coordinates", "geoproperty", "geometryProperty", "expandValues"),
        *("pick", "omit", "keep", "drop", "sysAttrs", "details", "local", "via", "join", "joinLevel"),
        *("containedBy", "limit", "offset", "count", "orderBy", "collation", "datasetId", "deleteAll"),
        *("timerel", "timeAt", "endTimeAt", "timeproperty", "lastN", "aggrMethods", "aggrPeriodDuration"),
        *("observedAt", "kind", "reload", "entityMap", "splitEntities", "jsonKeys", "orderFrom"),
        *("orderGeometry", "entityMapLifetime"),
    )
)


def knowing(handler: RouteHandler) -> RouteHandler:
    """Wraps a handler so that a request with an unknown parameter does nothing, and the tenant is echoed.

    Raises:
        BadInput: ``query.unknown``.
    """

    @wraps(handler)
    async def checked(call: Call) -> Response:
        parameters = parameters_of(call.request)
        if parameters and (unknown := [name for name in parameters if name not in _KNOWN]):
            raise BadInput("query.unknown", names=sorted(unknown))
        response = await handler(call)
        if call.tenant:
            # §6.3.14: what was done in a tenant says so
            response.raw_headers.append((b"ngsild-tenant", call.tenant.encode()))
        return response

    return checked

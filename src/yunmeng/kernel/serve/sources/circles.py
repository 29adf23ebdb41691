"""Requests that come back to where they have been (ETSI GS CIM 009 §4.3.6.4, §6.3.18)."""

from functools import wraps

from starlette.responses import Response

from yunmeng.kernel.serve.routes import Call, RouteHandler
from yunmeng.kernel.serve.sources.results import LoopDetected
from yunmeng.kernel.serve.sources.sources import alias_of, origin_of


def refusing_circles(handler: RouteHandler) -> RouteHandler:
    """Returns a handler that refuses what this broker itself has asked for, by way of others.

    A subscription that came back would tell this broker's subscribers everything twice.
    """

    @wraps(handler)
    async def refuse(call: Call) -> Response:
        alias = alias_of(call)
        if alias in origin_of(call).passed:
            raise LoopDetected("source.loop", source=alias)
        return await handler(call)

    return refuse

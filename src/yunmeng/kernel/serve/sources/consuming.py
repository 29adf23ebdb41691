"""Handlers of reads, made to look beyond this node when there is a source to look at (§4.3.6, §6.3.17)."""

from collections.abc import Awaitable, Sequence
from dataclasses import replace
from functools import wraps

from starlette.responses import Response

from yunmeng.kernel.base import NotFound
from yunmeng.kernel.model import Context, parse_q
from yunmeng.kernel.serve.body import as_object, decode_json
from yunmeng.kernel.serve.heading import parameters_of
from yunmeng.kernel.serve.ngsild.negotiation import request_context
from yunmeng.kernel.serve.ngsild.parameters import Parameters, expanded, flag, names
from yunmeng.kernel.serve.ngsild.query_body import body_parameters
from yunmeng.kernel.serve.ngsild.temporal_parameters import temporal_parameters
from yunmeng.kernel.serve.refusals import problem_reply
from yunmeng.kernel.serve.routes import Call, RouteHandler
from yunmeng.kernel.serve.sources.asking import Asking, Sight
from yunmeng.kernel.serve.sources.evolving import Evolutions, concerned
from yunmeng.kernel.serve.sources.reading import FederatedState
from yunmeng.kernel.serve.sources.registration import Registration
from yunmeng.kernel.serve.sources.sources import origin_of, sources_of
from yunmeng.kernel.serve.sources.warnings import Warnings

_MEMBERS = frozenset(("id", "type", "scope", "createdAt", "modifiedAt", "expiresAt"))


def distributed_read(handler: RouteHandler) -> RouteHandler:
    """Returns a handler that reads through :class:`FederatedState`; the same while no source is there."""

    @wraps(handler)
    async def read(call: Call) -> Response:
        registrations = await sources_of(call).registry.active(call.tenant)
        parameters = parameters_of(call.request)
        # all types are asked of this node alone (Table 6.4.3.2-1)
        if not registrations or flag(parameters, "local") or parameters.get("type") == "*":
            return await handler(call)
        return await _read(call, handler, registrations)

    return read


async def _read(call: Call, handler: RouteHandler, registrations: Sequence[Registration]) -> Response:
    parameters, context = await _asked(call)
    services = call.services
    sight = sight_of(call, _asking(parameters, context))
    state = FederatedState(services.state, registrations, sight, services.settings.node.division)
    asked = replace(call, services=replace(services, state=state))
    return await warned(call, handler(asked), sight.warnings)


def distributed_evolution(handler: RouteHandler) -> RouteHandler:
    """Returns a handler of the temporal evolution that sees what sources have of it (§5.7.3, §5.7.4)."""

    @wraps(handler)
    async def read(call: Call) -> Response:
        registrations = concerned(await sources_of(call).registry.active(call.tenant))
        parameters = parameters_of(call.request)
        # all types are asked of this node alone (Table 6.4.3.2-1)
        if not registrations or flag(parameters, "local") or parameters.get("type") == "*":
            return await handler(call)
        parameters, context = await _asked(call)
        sight = sight_of(call, _asking(parameters, context))
        evolutions = Evolutions(call.services, registrations, sight, call.reach)
        services = await evolutions.services_for(call.request.path_params.get("id", ""), parameters, context)
        return await warned(call, handler(replace(call, services=services)), sight.warnings)

    return read


def sight_of(call: Call, asking: Asking) -> Sight:
    """Returns the way to the sources for a call."""
    origin = origin_of(call)
    contexts = call.services.contexts
    return Sight(sources_of(call).forwarder, origin, contexts, asking, Warnings(origin.alias))


async def warned(call: Call, answering: Awaitable[Response], warnings: Warnings) -> Response:
    """Tells beside an answer what went wrong with sources, also when nothing was found (§6.3.17)."""
    try:
        response = await answering
    except NotFound as error:
        if not warnings.headers():
            raise
        response = problem_reply(error, call.language, etsi=True)
    for name, value in warnings.headers().items():
        response.raw_headers.append((name.lower().encode(), value.encode("latin-1", "replace")))
    return response


async def _asked(call: Call) -> tuple[Parameters, Context]:
    parameters: Parameters = parameters_of(call.request)
    if call.request.method == "GET":
        return parameters, await request_context(call)
    body = as_object(decode_json(await call.request.body()), "query")
    member = body.pop("@context", None)
    context = await (
        call.services.contexts.resolve(member) if member is not None else request_context(call)  # pyright: ignore[reportArgumentType]
    )
    return {**dict(parameters), **body_parameters(body), **temporal_parameters(body)}, context


def _asking(parameters: Parameters, context: Context) -> Asking:
    wanted = {*names(parameters.get("attrs")), *names(parameters.get("pick"))}
    csf = parameters.get("csf")
    return Asking(
        context,
        frozenset(expanded(wanted - _MEMBERS, context)) if not wanted & _MEMBERS else frozenset(),
        parse_q(csf, context) if csf else None,
        flag(parameters, "splitEntities"),
        frozenset(names(parameters.get("datasetId"))),
    )

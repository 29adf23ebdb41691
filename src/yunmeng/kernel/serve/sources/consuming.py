"""Handlers of reads, made to look beyond this node when there is a source to look at (§4.3.6, §6.3.17)."""

from collections.abc import Sequence
from dataclasses import replace
from functools import wraps

from starlette.responses import Response

from yunmeng.kernel.base import BadInput, NotFound
from yunmeng.kernel.model import Context, parse_q
from yunmeng.kernel.serve.body import as_object, decode_json
from yunmeng.kernel.serve.heading import parameters_of
from yunmeng.kernel.serve.ngsild.negotiation import request_context
from yunmeng.kernel.serve.ngsild.parameters import Parameters, expanded, flag, names
from yunmeng.kernel.serve.ngsild.querying import body_parameters
from yunmeng.kernel.serve.refusals import problem_reply
from yunmeng.kernel.serve.routes import Call, RouteHandler
from yunmeng.kernel.serve.sources.asking import Asking
from yunmeng.kernel.serve.sources.federation import federated
from yunmeng.kernel.serve.sources.registration import Registration
from yunmeng.kernel.serve.sources.sources import origin_of, sources_of

_MEMBERS = frozenset(("id", "type", "scope", "createdAt", "modifiedAt", "expiresAt"))


def distributed_read(handler: RouteHandler, *, ordered: bool = False) -> RouteHandler:
    """Returns a handler that reads through :class:`FederatedState`; as it was while no source is registered.

    ``ordered`` handlers refuse to sort what several brokers hold (§4.23).
    """

    @wraps(handler)
    async def read(call: Call) -> Response:
        registrations = await sources_of(call).registry.active(call.tenant)
        if not registrations or flag(parameters_of(call.request), "local"):
            return await handler(call)
        return await _read(call, handler, registrations, ordered=ordered)

    return read


async def _read(
    call: Call, handler: RouteHandler, registrations: Sequence[Registration], *, ordered: bool
) -> Response:
    parameters, context = await _asked(call)
    if ordered and parameters.get("orderBy"):
        raise BadInput("source.ordered")
    services = call.services
    asking = _asking(parameters, context)
    forwarder, origin = sources_of(call).forwarder, origin_of(call)
    state = federated(services, registrations, forwarder, origin, asking)
    warnings = state.sight.warnings
    try:
        response = await handler(replace(call, services=replace(services, state=state)))
    except NotFound as error:
        headers = warnings.headers()
        if not headers:
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
    return {**dict(parameters), **body_parameters(body)}, context


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

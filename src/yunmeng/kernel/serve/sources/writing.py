"""Writes on one entity, shared with the sources that hold it (ETSI GS CIM 009 §4.3.6, §5.6)."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import wraps
from typing import Any, Literal, cast
from urllib.parse import quote

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Message

from yunmeng.kernel.base import YunmengError, check_urn
from yunmeng.kernel.model import Context, Document, compact_entity, expand_fragment
from yunmeng.kernel.serve.body import as_object, decode_json
from yunmeng.kernel.serve.heading import parameters_of
from yunmeng.kernel.serve.ngsild.negotiation import read_payload, request_context
from yunmeng.kernel.serve.ngsild.parameters import flag
from yunmeng.kernel.serve.replies import Reply, empty_reply
from yunmeng.kernel.serve.routes import Call, RouteHandler
from yunmeng.kernel.serve.sources.forwarding import Forward, forward_context
from yunmeng.kernel.serve.sources.matching import Need
from yunmeng.kernel.serve.sources.plan import Part, Plan, plan
from yunmeng.kernel.serve.sources.registration import Registration
from yunmeng.kernel.serve.sources.results import (
    Result,
    attributes_answer,
    entity_answer,
    failed,
    local_result,
    result_of,
    unsupported,
)
from yunmeng.kernel.serve.sources.sources import origin_of, sources_of
from yunmeng.kernel.trust import Reach

MEMBERS = frozenset(
    ("id", "type", "scope", "@context", "createdAt", "modifiedAt", "expiresAt", "@id", "@type")
)

_document = msgspec.json.Decoder(Document).decode


@dataclass(frozen=True, slots=True)
class Share:
    """How one operation is shared: its name in a registration, what its body is, how it answers."""

    operation: str
    body: Literal["entity", "attribute", "none"] = "entity"
    answer: Literal["entity", "attributes"] = "entity"


@dataclass(frozen=True, slots=True)
class Order:
    """One write as it was asked for; ``names`` are its attributes by URI."""

    id: str
    context: Context
    names: dict[str, str]
    body: Any
    need: Need


def distributed_write(handler: RouteHandler, share: Share) -> RouteHandler:
    """Returns a handler that shares the write with sources; as it was while no source is registered."""

    @wraps(handler)
    async def write(call: Call) -> Response:
        registrations = await sources_of(call).registry.active(call.tenant)
        if not registrations or flag(parameters_of(call.request), "local"):
            return await handler(call)
        return await _write(call, handler, share, registrations)

    return write


async def _write(
    call: Call, handler: RouteHandler, share: Share, registrations: Sequence[Registration]
) -> Response:
    order = await _order(call, share)
    made = plan(
        registrations, order.need, frozenset((share.operation,)), whole=share.operation == "deleteEntity"
    )
    made = without_loops(call, made)
    if not made.parts:
        return await handler(call)
    results, response = await carry_out(call, handler, share, order, made)
    success = response if response is not None else _success(share, order)
    if share.answer == "attributes":
        return attributes_answer(call, order.context, frozenset(order.names), results)
    return entity_answer(order.id, results, success)


async def _order(call: Call, share: Share) -> Order:
    """Reads what is to be written, on whatever entity it may be."""
    path = call.request.path_params
    if share.body == "none":
        context, body = await request_context(call), None
    else:
        payload = await read_payload(call)
        context, body = payload.context, payload.value
    names: dict[str, str] = {}
    types: frozenset[str] = frozenset()
    if "attribute" in path:
        names = {context.expand(path["attribute"]): path["attribute"]}
    elif body is not None:
        entity = as_object(body, "entity")
        names = {context.expand(name): name for name in entity if name not in MEMBERS}
        types = types_of(entity.get("type", entity.get("@type")), context)
    id_ = check_urn(path.get("id") or cast("dict[str, Any]", body or {}).get("id", ""))
    if not types:
        types = await known_types(call, id_)
    return Order(id_, context, names, body, Need(frozenset((id_,)), types=types, attributes=frozenset(names)))


def types_of(value: object, context: Context) -> frozenset[str]:
    """Returns the types that a body names, by URI."""
    items = cast("list[object]", value) if isinstance(value, list) else [value]
    return frozenset(context.expand(item) for item in items if isinstance(item, str))


async def known_types(call: Call, id_: str) -> frozenset[str]:
    """Returns the types of an entity as this node knows it, none when it does not."""
    body = await call.services.state.get(Reach(call.tenant), id_)
    return frozenset(_document(body)["type"]) if body is not None else frozenset()


def without_loops(call: Call, made: Plan) -> Plan:
    """Leaves out sources that may as well stay silent and would bring the request back (§6.3.18)."""
    origin = origin_of(call)
    parts = [p for p in made.parts if p.registration.proxied or not origin.loops(p.registration)]
    return Plan(tuple(parts), made.taken, made.local)


async def carry_out(
    call: Call, handler: RouteHandler, share: Share, order: Order, made: Plan
) -> tuple[list[Result], Response | None]:
    """Has the sources and this node do their parts; returns how each went, and this node's own answer."""
    offered = [part for part in made.parts if part.supported]
    forwards = [forward_of(call, share, order, part) for part in offered]
    answers = await sources_of(call).forwarder.send_all(forwards, origin_of(call))
    results = [result_of(call, one, part.attributes) for one, part in zip(answers, offered, strict=True)]
    results += [unsupported(call, part, share.operation) for part in made.parts if not part.supported]
    response: Response | None = None
    if made.local:
        own, response = await _locally(call, handler, order, made)
        results.insert(0, own)
    return results, response


async def _locally(
    call: Call, handler: RouteHandler, order: Order, made: Plan
) -> tuple[Result, Response | None]:
    attributes = frozenset(order.names) - made.taken
    try:
        response = await handler(await without_attributes(call, order, made.taken) if made.taken else call)
    except YunmengError as error:
        return failed(call, "", error, attributes), None
    return local_result(response, attributes), response


async def without_attributes(call: Call, order: Order, taken: frozenset[str]) -> Call:
    """Returns the call with a body that leaves out what sources hold alone."""
    body = decode_json(await call.request.body())
    if not isinstance(body, dict):
        return call
    left_out = {order.names[uri] for uri in taken if uri in order.names}
    rest = {name: value for name, value in cast("dict[str, Any]", body).items() if name not in left_out}
    return with_body(call, msgspec.json.encode(rest))


def with_body(call: Call, body: bytes) -> Call:
    """Returns the call with another body."""

    async def receive() -> Message:
        return {"type": "http.request", "body": body, "more_body": False}

    return replace(call, request=Request(call.request.scope, receive))


def forward_of(call: Call, share: Share, order: Order, part: Part) -> Forward:
    """Returns the request that has a source do its part."""
    request = call.request
    registration = part.registration
    context = forward_context(registration, order.context) or order.context
    path = request.scope["path"].removeprefix("/ngsi-ld/v1").rstrip("/")
    parameters = dict(parameters_of(request))
    if registration.local_only:
        parameters["local"] = "true"
    body = order.body
    if share.body == "entity":
        body = reduced(cast("dict[str, Any]", body), order.names, part.attributes)
        if context is not order.context:
            body = renamed(body, order.context, context)
    elif share.body == "attribute" and "attribute" in request.path_params:
        name: str = request.path_params["attribute"]
        path = f"{path.removesuffix(name)}{context.compact(order.context.expand(name))}"
    return Forward(registration, request.method, path, context, parameters, body)


def reduced(body: dict[str, Any], names: dict[str, str], attributes: frozenset[str] | None) -> dict[str, Any]:
    """Returns an entity with these attributes only; with all of them for None."""
    kept = {name: value for name, value in body.items() if name != "@context"}
    if attributes is None:
        return kept
    wanted = {names[uri] for uri in attributes}
    return {name: value for name, value in kept.items() if name in MEMBERS or name in wanted}


def renamed(body: dict[str, Any], context: Context, other: Context) -> dict[str, Any]:
    """Returns an entity with the names of another context (§4.3.6.6)."""
    return compact_entity(expand_fragment(body, context), other)


def _success(share: Share, order: Order) -> Response:
    """Returns the answer when all was done elsewhere."""
    if share.operation != "createEntity":
        return empty_reply()
    return Reply(b"", 201, headers={"Location": f"/ngsi-ld/v1/entities/{quote(order.id, safe=':')}"})

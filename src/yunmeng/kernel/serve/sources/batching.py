"""Batches, shared with the sources that hold their entities (ETSI GS CIM 009 §4.3.6, §5.6.7 to §5.6.21)."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import wraps
from typing import Any, cast

import msgspec
from starlette.responses import Response

from yunmeng.kernel.base import YunmengError
from yunmeng.kernel.model import Context
from yunmeng.kernel.serve.body import as_array, decode_json
from yunmeng.kernel.serve.heading import parameters_of
from yunmeng.kernel.serve.ngsild.negotiation import read_batch, request_context
from yunmeng.kernel.serve.ngsild.parameters import flag
from yunmeng.kernel.serve.replies import empty_reply, json_reply
from yunmeng.kernel.serve.routes import Call, RouteHandler
from yunmeng.kernel.serve.sources.endpoints import read_selection
from yunmeng.kernel.serve.sources.fallback import SINGLE, Singles
from yunmeng.kernel.serve.sources.forwarding import Answer, Forward, forward_context
from yunmeng.kernel.serve.sources.matching import Need
from yunmeng.kernel.serve.sources.plan import Part, Plan, plan
from yunmeng.kernel.serve.sources.registration import Registration
from yunmeng.kernel.serve.sources.results import (
    Problem,
    Result,
    entity_errors,
    failed,
    local_result,
    result_of,
    unsupported,
)
from yunmeng.kernel.serve.sources.sources import origin_of, sources_of
from yunmeng.kernel.serve.sources.writing import (
    MEMBERS,
    known_types,
    reduced,
    renamed,
    types_of,
    with_body,
    without_loops,
)


@dataclass(slots=True)
class Share:
    """What one source is sent: bodies in one context, and of which entities."""

    registration: Registration
    context: Context
    bodies: list[Any] = field(default_factory=list[Any])
    ids: list[str] = field(default_factory=list[str])


@dataclass(slots=True)
class Ledger:
    """A batch shared out, and what has come of it so far."""

    operation: str
    shares: dict[tuple[str, str], Share] = field(default_factory=dict[tuple[str, str], Share])
    here: list[Any] = field(default_factory=list[Any])
    here_ids: list[str] = field(default_factory=list[str])
    ids: dict[str, None] = field(default_factory=dict[str, None])
    fine: set[str] = field(default_factory=set[str])
    created: dict[str, None] = field(default_factory=dict[str, None])
    errors: list[Problem] = field(default_factory=list[Problem])


def distributed_batch(handler: RouteHandler, operation: str) -> RouteHandler:
    """Returns a handler that shares a batch with sources; as it was while no source is registered."""

    @wraps(handler)
    async def write(call: Call) -> Response:
        registrations = await sources_of(call).registry.active(call.tenant)
        if not registrations or flag(parameters_of(call.request), "local"):
            return await handler(call)
        ledger = Ledger(operation)
        if operation == "deleteBatch":
            await _share_ids(call, ledger, registrations)
        else:
            await _share_entities(call, ledger, registrations)
        if not ledger.shares and not ledger.errors:
            return await handler(call)
        return await _settle(call, handler, ledger)

    return write


async def _share_entities(call: Call, ledger: Ledger, registrations: Sequence[Registration]) -> None:
    items, contexts = await read_batch(call)
    written = as_array(decode_json(await call.request.body()), "entities")
    for raw, item, context in zip(written, items, contexts, strict=True):
        try:
            await _share_entity(call, ledger, registrations, raw, item, context)
        except YunmengError:
            # this node says what is wrong with it
            ledger.here.append(raw)


async def _share_entity(
    call: Call,
    ledger: Ledger,
    registrations: Sequence[Registration],
    raw: Any,
    item: Any,
    context: Context | YunmengError,
) -> None:
    if isinstance(context, YunmengError) or not isinstance(item, dict):
        ledger.here.append(raw)
        return
    body = cast("dict[str, Any]", item)
    id_ = str(body.get("id", ""))
    names = {context.expand(name): name for name in body if name not in MEMBERS}
    types = types_of(body.get("type"), context) or await known_types(call, id_)
    need = Need(frozenset((id_,)), types=types, attributes=frozenset(names))
    made = _plan(call, ledger, registrations, need)
    for part in made.parts:
        _enter(call, ledger, part, id_, context, reduced(body, names, part.attributes))
    if made.local:
        gone = {names[uri] for uri in made.taken}
        ledger.here.append({name: value for name, value in raw.items() if name not in gone})
        ledger.here_ids.append(id_)
    ledger.ids[id_] = None


async def _share_ids(call: Call, ledger: Ledger, registrations: Sequence[Registration]) -> None:
    context = await request_context(call)
    for item in as_array(decode_json(await call.request.body()), "ids"):
        id_ = str(item)
        need = Need(frozenset((id_,)), types=await known_types(call, id_))
        made = _plan(call, ledger, registrations, need)
        for part in made.parts:
            _enter(call, ledger, part, id_, context, id_)
        if made.local:
            ledger.here.append(item)
            ledger.here_ids.append(id_)
        ledger.ids[id_] = None


def _plan(call: Call, ledger: Ledger, registrations: Sequence[Registration], need: Need) -> Plan:
    whole = ledger.operation == "deleteBatch"
    operations = SINGLE[ledger.operation] | {ledger.operation}
    return without_loops(call, plan(registrations, need, operations, whole=whole))


def _enter(call: Call, ledger: Ledger, part: Part, id_: str, context: Context, body: Any) -> None:
    if not part.supported:
        ledger.errors.extend(entity_errors(id_, unsupported(call, part, ledger.operation)))
        return
    other = forward_context(part.registration, context) or context
    key = (part.registration.id, other.key)
    share = ledger.shares.setdefault(key, Share(part.registration, other))
    share.bodies.append(renamed(body, context, other) if other is not context and body != id_ else body)
    share.ids.append(id_)


async def _settle(call: Call, handler: RouteHandler, ledger: Ledger) -> Response:
    own, *_ = await asyncio.gather(
        _locally(call, handler, ledger), *(_send(call, ledger, share) for share in ledger.shares.values())
    )
    if own is not None:
        _note_own(ledger, own)
    bad = {str(error.get("entityId")) for error in ledger.errors}
    done = [id_ for id_ in ledger.ids if id_ not in bad]
    if ledger.errors:
        return json_reply({"success": done, "errors": ledger.errors}, 207)
    if ledger.operation == "createBatch":
        return json_reply(done, 201)
    return json_reply(list(ledger.created), 201) if ledger.created else empty_reply()


async def _send(call: Call, ledger: Ledger, share: Share) -> None:
    """Has a source do its share, entity by entity where it offers no batch."""
    forwarder, origin, one = sources_of(call).forwarder, origin_of(call), share.registration
    if ledger.operation in one.operations:
        _note(call, ledger, share, await forwarder.send(_forward(call, share), origin))
        return
    singles = Singles(one, share.context, ledger.operation, parameters_of(call.request))
    answers = await singles.send(share.ids, share.bodies, forwarder, origin)
    for id_, answer in zip(share.ids, answers, strict=True):
        _note_single(call, ledger, id_, answer)


def _note_single(call: Call, ledger: Ledger, id_: str, answer: Answer) -> None:
    result = result_of(call, answer, None)
    errors = entity_errors(id_, result)
    ledger.errors.extend(errors)
    if not errors:
        ledger.fine.add(id_)
        if result.status == 201:
            ledger.created[id_] = None


def _forward(call: Call, share: Share) -> Forward:
    parameters = dict(parameters_of(call.request))
    if share.registration.local_only:
        parameters["local"] = "true"
    path = call.request.scope["path"].removeprefix("/ngsi-ld/v1").rstrip("/")
    return Forward(share.registration, "POST", path, share.context, parameters, share.bodies)


async def _locally(call: Call, handler: RouteHandler, ledger: Ledger) -> Result | None:
    if not ledger.here:
        return None
    try:
        response = await handler(with_body(call, msgspec.json.encode(ledger.here)))
    except YunmengError as error:
        return failed(call, "", error, None)
    return local_result(response, None)


def _note(call: Call, ledger: Ledger, share: Share, answer: Answer) -> None:
    """Takes down what a source made of its share."""
    result = result_of(call, answer, None)
    if result.problem is not None:
        for id_ in share.ids:
            ledger.errors.extend(entity_errors(id_, result))
        return
    errors = entity_errors("", result)
    bad = {str(error.get("entityId")) for error in errors}
    ledger.errors.extend(errors)
    ledger.fine.update(id_ for id_ in share.ids if id_ not in bad)
    if result.status == 201:
        ledger.created |= dict.fromkeys(result.listed())


def _note_own(ledger: Ledger, own: Result) -> None:
    """Takes down what this node made of its share; that it lacks what a source has is no failure."""
    if own.problem is not None:
        errors = [error for id_ in ledger.here_ids for error in entity_errors(id_, own)]
    else:
        errors = entity_errors("", own)
        if own.status == 201:
            ledger.created |= dict.fromkeys(own.listed())
    for error in errors:
        absent = cast("Problem", error.get("error", {})).get("status") == 404
        if not (absent and str(error.get("entityId")) in ledger.fine):
            ledger.errors.append(error)


def distributed_purge(handler: RouteHandler) -> RouteHandler:
    """Returns a handler that has sources purge too what the parameters select (§5.6.21)."""

    @wraps(handler)
    async def purge(call: Call) -> Response:
        registrations = await sources_of(call).registry.active(call.tenant)
        parameters = parameters_of(call.request)
        if not registrations or flag(parameters, "local"):
            return await handler(call)
        return await _purge(call, handler, registrations)

    return purge


async def _purge(call: Call, handler: RouteHandler, registrations: Sequence[Registration]) -> Response:
    context = await request_context(call)
    need = read_selection(parameters_of(call.request), context)
    made = without_loops(call, plan(registrations, need, frozenset(("purgeEntity",)), whole=True))
    shares = [
        Share(one.registration, forward_context(one.registration, context) or context)
        for one in made.parts
        if one.supported
    ]
    path = call.request.scope["path"].removeprefix("/ngsi-ld/v1").rstrip("/")
    parameters = dict(parameters_of(call.request))
    forwards = [Forward(one.registration, "DELETE", path, one.context, parameters) for one in shares]
    answers = await sources_of(call).forwarder.send_all(forwards, origin_of(call))
    results = [result_of(call, answer, None) for answer in answers]
    results += [unsupported(call, one, "purgeEntity") for one in made.parts if not one.supported]
    response = await handler(call)
    errors = [error for one in results for error in entity_errors("", one) if one.status != 404]
    if response.status_code >= 300 or not errors:
        return response
    return json_reply({"success": [], "errors": errors}, 207)

"""Context source registrations (ETSI GS CIM 009 §5.9, §5.10, §6.8, §6.9)."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from typing import Any
from urllib.parse import quote
from uuid import uuid4

import msgspec
from starlette.responses import Response

from yunmeng.kernel.base import BadInput, Conflict, NotFound, check_urn, format_us, now_us
from yunmeng.kernel.keeper import RecordPut
from yunmeng.kernel.model import And, Condition, Context, parse_q, parse_scopes, parse_types
from yunmeng.kernel.serve.body import as_object
from yunmeng.kernel.serve.heading import parameters_of
from yunmeng.kernel.serve.keeping import keep_records
from yunmeng.kernel.serve.ngsild.entities import path_id, same_id
from yunmeng.kernel.serve.ngsild.hosted import learn, own_urls
from yunmeng.kernel.serve.ngsild.negotiation import (
    accepted,
    answer,
    has_context_link,
    read_payload,
    request_context,
)
from yunmeng.kernel.serve.ngsild.parameters import (
    Page,
    Parameters,
    expanded,
    flag,
    names,
    options,
    page,
    pattern,
    urns,
)
from yunmeng.kernel.serve.ngsild.querying import paging, read_geo
from yunmeng.kernel.serve.ngsild.temporal_parameters import read_window
from yunmeng.kernel.serve.replies import Reply, empty_reply, encode_json
from yunmeng.kernel.serve.routes import Call
from yunmeng.kernel.serve.sources.conflicts import refuse_conflicts
from yunmeng.kernel.serve.sources.describing import describe_registration
from yunmeng.kernel.serve.sources.matching import Match, Need, TimeFrame, leaves, matching
from yunmeng.kernel.serve.sources.registration import (
    REGISTRATION,
    Registration,
    refuse_expired,
    work_out_registration,
)
from yunmeng.kernel.serve.sources.sources import sources_of
from yunmeng.kernel.serve.watching import Kept

PATH = "/ngsi-ld/v1/csourceRegistrations"

_NULL = "urn:ngsi-ld:null"
_SELECTORS = ("type", "attrs", "id", "idPattern", "q", "csf", "scopeQ", "georel")

_SAID_HERE = frozenset(
    (
        *("createdAt", "modifiedAt", "status", "timesSent", "timesFailed"),
        *("lastSuccess", "lastFailure"),
    )
)

_kept = msgspec.json.Decoder(Kept).decode


async def create(call: Call) -> Response:
    """Registers a context source (§5.9.2)."""
    payload = await read_payload(call)
    body = as_object(payload.value, "registration")
    id_ = check_urn(body.pop("id", None) or f"urn:ngsi-ld:ContextSourceRegistration:{uuid4()}")
    at, member = format_us(now_us()), payload.context.member
    hosted = own_urls(call, member)
    kept = Kept(id_, _written(body), member, call.principal, at, at, hosted)
    await learn(call.services, call.tenant, hosted)
    new = await work_out_registration(kept, call.tenant, call.services.contexts)
    refuse_expired(new)
    if await call.services.state.record(REGISTRATION, call.tenant, id_) is not None:
        raise Conflict("registration.exists", id=id_)
    await refuse_conflicts(call, new, await sources_of(call).registry.active(call.tenant))
    await _keep(call, kept)
    return Reply(b"", 201, headers={"Location": f"{PATH}/{quote(id_, safe=':')}"})


async def list_(call: Call) -> Response:
    """Queries the registrations that would serve a request (§5.10.2)."""
    media, context = accepted(call.request), await request_context(call)
    parameters = parameters_of(call.request)
    wanted = page(parameters)
    need = read_need(parameters, context)
    found = await _matches(call, need)
    sysattrs = "sysAttrs" in options(parameters) or flag(parameters, "sysAttrs")
    chosen = found[wanted.offset : wanted.offset + wanted.limit]
    shown = (_shown(call, one.registration, context, sysattrs=sysattrs) for one in chosen)
    rows = list(await asyncio.gather(*shown))
    return answer(rows, context, media, headers=_headers(call, wanted, found))


async def retrieve(call: Call) -> Response:
    """Retrieves a registration (§5.10.1); one that has expired is there no more (§5.2.9)."""
    media, context = accepted(call.request), await request_context(call)
    parameters = parameters_of(call.request)
    registration = await _worked_out(call, await _load(call))
    if not registration.active(now_us()):
        raise NotFound("registration.absent", id=registration.id)
    sysattrs = "sysAttrs" in options(parameters) or flag(parameters, "sysAttrs")
    return answer(await _shown(call, registration, context, sysattrs=sysattrs), context, media)


async def update(call: Call) -> Response:
    """Changes members of a registration (§5.9.3); null removes one."""
    kept = await _load(call)
    payload = await read_payload(call)
    fragment = as_object(payload.value, "registration")
    same_id(fragment, kept.id)
    fragment.pop("id", None)
    if fragment.get("type", "ContextSourceRegistration") != "ContextSourceRegistration":
        raise BadInput("registration.type")
    # a fragment that brings a context speaks for the whole registration from then on
    brings = payload.member is not None or has_context_link(call.request)
    member = payload.context.member if brings else kept.context
    hosted = tuple(sorted({*kept.hosted, *own_urls(call, member)}))
    body = _merged(kept.body, _written(fragment))
    changed = Kept(kept.id, body, member, call.principal, kept.created_at, format_us(now_us()), hosted)
    new = await _worked_out(call, changed)
    if "expiresAt" in fragment:
        refuse_expired(new)
    await refuse_conflicts(call, new, await sources_of(call).registry.active(call.tenant))
    await _keep(call, changed)
    return empty_reply()


async def delete(call: Call) -> Response:
    """Deletes a registration (§5.9.4)."""
    kept = await _load(call)
    await keep_records(call.services.bus, call.principal, drops=[(REGISTRATION, call.tenant, kept.id)])
    await sources_of(call).registry.drop(call.tenant, kept.id)
    await sources_of(call).forwarder.tallies.forget(call.tenant, kept.id)
    return empty_reply()


def read_need(parameters: Parameters, context: Context) -> Need:
    """Reads what registrations are looked for.

    Raises:
        BadInput: ``registration.selector``, and those of the parsers.
    """
    if not any(parameters.get(name) for name in _SELECTORS):
        raise BadInput("registration.selector")
    return replace(read_selection(parameters, context), csf=_filter(parameters, context), strictly=True)


def _filter(parameters: Parameters, context: Context) -> Condition | None:
    filters = [parse_q(parameters[name], context) for name in ("q", "csf") if parameters.get(name)]
    return And(tuple(filters)) if filters else None


def read_selection(parameters: Parameters, context: Context) -> Need:
    """Reads which entities a request selects."""
    types = parameters.get("type")
    return Need(
        ids=frozenset(urns(parameters.get("id"))),
        pattern=pattern(parameters.get("idPattern")),
        types=leaves(parse_types(types, context)) if types else frozenset(),
        attributes=frozenset(expanded(names(parameters.get("attrs")), context)),
        geo=read_geo(parameters, context),
        scope=parse_scopes(scopes) if (scopes := parameters.get("scopeQ")) else None,
        time=_time(parameters),
    )


def _time(parameters: Parameters) -> TimeFrame | None:
    if not parameters.get("timerel"):
        return None
    window = read_window(parameters, needed=True)
    observed = window.property == "observedAt"
    return TimeFrame(window.relation, window.start, window.end or None, observed)


async def _matches(call: Call, need: Need) -> Sequence[Match]:
    active = await sources_of(call).registry.active(call.tenant)
    found = matching(sorted(active, key=lambda one: one.id), need)
    if need.time is not None:
        return found
    # without a temporal query only sources of current information are meant (§5.10.2.4)
    return [one for one in found if one.registration.observed is None and one.registration.managed is None]


def _headers(call: Call, wanted: Page, found: Sequence[Match]) -> dict[str, str]:
    more = len(found) > wanted.offset + wanted.limit
    headers = paging(call, wanted, more=more, entities=False)
    if wanted.count:
        headers["NGSILD-Results-Count"] = str(len(found))
    return headers


async def _shown(
    call: Call, registration: Registration, context: Context, *, sysattrs: bool
) -> dict[str, Any]:
    """Returns a registration with how its source fares."""
    tally = await sources_of(call).forwarder.tallies.of(call.tenant, registration.id)
    return {**describe_registration(registration, context, sysattrs=sysattrs), **tally.members()}


def _written(body: dict[str, object]) -> dict[str, object]:
    """Leaves out what only the node itself says of a registration."""
    return {name: value for name, value in body.items() if name not in _SAID_HERE}


def _merged(body: dict[str, Any], fragment: dict[str, object]) -> dict[str, Any]:
    merged = {**body, **fragment}
    return {name: value for name, value in merged.items() if value is not None and value != _NULL}


async def _load(call: Call) -> Kept:
    id_ = path_id(call)
    record = await call.services.state.record(REGISTRATION, call.tenant, id_)
    if record is None:
        raise NotFound("registration.absent", id=id_)
    return _kept(record.body)


async def _worked_out(call: Call, kept: Kept) -> Registration:
    await learn(call.services, call.tenant, kept.hosted)
    return await work_out_registration(kept, call.tenant, call.services.contexts)


async def _keep(call: Call, kept: Kept) -> None:
    put = RecordPut(REGISTRATION, call.tenant, kept.id, encode_json(kept))
    await keep_records(call.services.bus, call.principal, [put])
    await sources_of(call).registry.put(call.tenant, kept)

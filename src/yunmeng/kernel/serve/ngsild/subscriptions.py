"""Subscriptions (ETSI GS CIM 009 §5.8, §6.10, §6.11)."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote
from uuid import uuid4

import msgspec
from starlette.responses import Response

from yunmeng.kernel.base import BadInput, Conflict, NotFound, check_urn, format_us, now_us
from yunmeng.kernel.keeper import RecordPut
from yunmeng.kernel.model import ContextMember
from yunmeng.kernel.serve.body import as_object
from yunmeng.kernel.serve.heading import header, parameters_of
from yunmeng.kernel.serve.keeping import keep_records
from yunmeng.kernel.serve.ngsild.contexts import host, hosted_url
from yunmeng.kernel.serve.ngsild.entities import path_id, same_id
from yunmeng.kernel.serve.ngsild.hosted import learn, own_urls
from yunmeng.kernel.serve.ngsild.negotiation import (
    accepted,
    answer,
    has_context_link,
    read_payload,
    request_context,
)
from yunmeng.kernel.serve.ngsild.parameters import flag, options, page
from yunmeng.kernel.serve.ngsild.querying import paging
from yunmeng.kernel.serve.replies import Reply, empty_reply, encode_json
from yunmeng.kernel.serve.routes import Call
from yunmeng.kernel.serve.watching import (
    SUBSCRIPTION,
    SUBSCRIPTION_STATUS,
    Kept,
    Status,
    Watch,
    describe,
    work_out,
)

PATH = "/ngsi-ld/v1/subscriptions"

_NULL = "urn:ngsi-ld:null"

_kept = msgspec.json.Decoder(Kept).decode
_status = msgspec.json.Decoder(Status).decode


async def create(call: Call) -> Response:
    """Creates a subscription (§5.8.1)."""
    payload = await read_payload(call)
    body = as_object(payload.value, "subscription")
    id_ = check_urn(body.pop("id", f"urn:ngsi-ld:Subscription:{uuid4()}"))
    at = format_us(now_us())
    member = payload.context.member
    if not payload.context.link and "jsonldContext" not in body:
        # notifications need one URL for what is several here (§5.8.1.4)
        body["jsonldContext"] = hosted_url(call, await host(call, member, "ImplicitlyCreated"))
    via, local = header(call.request, b"via") or "", flag(parameters_of(call.request), "local")
    hosted = await _hosted(call, member, body)
    kept = Kept(id_, body, member, call.principal, at, at, hosted, via, local)
    watch = await work_out(kept, call.tenant, call.services.contexts)
    _refuse_past(watch)
    if await call.services.state.record(SUBSCRIPTION, call.tenant, id_) is not None:
        raise Conflict("subscription.exists", id=id_)
    await _keep(call, kept)
    return Reply(b"", 201, headers={"Location": f"{PATH}/{quote(id_, safe=':')}"})


async def list_(call: Call) -> Response:
    """Lists subscriptions (§5.8.4)."""
    media, context, wanted = (
        accepted(call.request),
        await request_context(call),
        page(parameters_of(call.request)),
    )
    records = await call.services.state.records(SUBSCRIPTION, call.tenant)
    part = records[wanted.offset : wanted.offset + wanted.limit]
    rows = [await _shown(call, _kept(record.body), context) for record in part]
    headers = paging(call, wanted, more=len(records) > wanted.offset + wanted.limit)
    if wanted.count:
        headers["NGSILD-Results-Count"] = str(len(records))
    return answer(rows, context, media, headers=headers)


async def retrieve(call: Call) -> Response:
    """Retrieves a subscription (§5.8.3)."""
    media, context = accepted(call.request), await request_context(call)
    shown = await _shown(call, await _load(call), context)
    return answer(shown, context, media, headers=_preference(call))


def _preference(call: Call) -> dict[str, str]:
    """Says that a wish for an earlier version was heard; subscriptions look alike in all (§6.3.6)."""
    for wish in (header(call.request, b"prefer") or "").split(","):
        name, _, value = wish.partition(";")[0].partition("=")
        if name.strip().lower() == "ngsi-ld":
            version = value.strip().strip('"')
            return {"Preference-Applied": f"ngsi-ld={version}"}
    return {}


async def update(call: Call) -> Response:
    """Changes members of a subscription (§5.8.2); null removes one."""
    kept = await _load(call)
    payload = await read_payload(call)
    fragment = as_object(payload.value, "subscription")
    same_id(fragment, kept.id)
    fragment.pop("id", None)
    body = _merged(kept.body, fragment)
    # a fragment that brings a context speaks for the whole subscription from then on
    brings = payload.member is not None or has_context_link(call.request)
    member = payload.context.member if brings else kept.context
    hosted = await _hosted(call, member, body, kept.hosted)
    changed = msgspec.structs.replace(
        kept,
        body=body,
        context=member,
        principal=call.principal,
        modified_at=format_us(now_us()),
        hosted=hosted,
    )
    watch = await work_out(changed, call.tenant, call.services.contexts)
    if "expiresAt" in fragment:
        _refuse_past(watch)
    await _keep(call, changed)
    return empty_reply()


async def delete(call: Call) -> Response:
    """Deletes a subscription (§5.8.5)."""
    kept = await _load(call)
    drops = [(SUBSCRIPTION, call.tenant, kept.id), (SUBSCRIPTION_STATUS, call.tenant, kept.id)]
    await keep_records(call.services.bus, call.principal, drops=drops)
    return empty_reply()


def _refuse_past(watch: Watch) -> None:
    if watch.expires_us and watch.expires_us <= now_us():
        raise BadInput("subscription.expired", time=format_us(watch.expires_us))


def _merged(body: dict[str, Any], fragment: dict[str, Any]) -> dict[str, Any]:
    merged = dict(body)
    for name, value in fragment.items():
        if value is None or value == _NULL:
            merged.pop(name, None)
        elif name == "notification" and isinstance(value, dict):
            merged[name] = _merged(merged.get(name, {}), value)  # pyright: ignore[reportUnknownArgumentType]
        else:
            merged[name] = value
    return merged


async def _load(call: Call) -> Kept:
    id_ = path_id(call)
    record = await call.services.state.record(SUBSCRIPTION, call.tenant, id_)
    if record is None:
        raise NotFound("subscription.absent", id=id_)
    return _kept(record.body)


async def _hosted(
    call: Call, member: ContextMember, body: Mapping[str, Any], known: tuple[str, ...] = ()
) -> tuple[str, ...]:
    """Learns and returns which contexts of a subscription this node hosts."""
    found = {*known, *own_urls(call, member), *own_urls(call, body.get("jsonldContext"))}
    await learn(call.services, call.tenant, found)
    return tuple(sorted(found))


async def _keep(call: Call, kept: Kept) -> None:
    put = RecordPut(SUBSCRIPTION, call.tenant, kept.id, encode_json(kept))
    await keep_records(call.services.bus, call.principal, [put])


async def _shown(call: Call, kept: Kept, names: Any) -> dict[str, Any]:
    record = await call.services.state.record(SUBSCRIPTION_STATUS, call.tenant, kept.id)
    status = _status(record.body) if record is not None else Status()
    await learn(call.services, call.tenant, kept.hosted)
    context = await call.services.contexts.resolve(kept.context)
    sysattrs = "sysAttrs" in options(parameters_of(call.request))
    return describe(kept, status, context, names, sysattrs=sysattrs, now=now_us())

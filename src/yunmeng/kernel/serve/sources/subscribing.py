"""Subscriptions on context source registrations (ETSI GS CIM 009 §5.11, §6.12, §6.13)."""

from typing import Any
from urllib.parse import quote
from uuid import uuid4

import msgspec
from starlette.responses import Response

from yunmeng.kernel.base import BadInput, Conflict, NotFound, check_urn, format_us, now_us
from yunmeng.kernel.keeper import RecordPut
from yunmeng.kernel.model import Context
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
from yunmeng.kernel.serve.ngsild.parameters import options, page
from yunmeng.kernel.serve.ngsild.querying import paging
from yunmeng.kernel.serve.replies import Reply, empty_reply, encode_json
from yunmeng.kernel.serve.routes import Call
from yunmeng.kernel.serve.sources.telling import SOURCE_SUBSCRIPTION, SourceWatch, work_out_source_watch
from yunmeng.kernel.serve.watching import SUBSCRIPTION_STATUS, Kept, Status, describe

PATH = "/ngsi-ld/v1/csourceSubscriptions"

_NULL = "urn:ngsi-ld:null"
_COUNTS = ("timesSent", "timesFailed")

_kept = msgspec.json.Decoder(Kept).decode
_status = msgspec.json.Decoder(Status).decode


async def create(call: Call) -> Response:
    """Subscribes to registrations (§5.11.2)."""
    payload = await read_payload(call)
    body = as_object(payload.value, "subscription")
    id_ = check_urn(body.pop("id", None) or f"urn:ngsi-ld:Subscription:{uuid4()}")
    at, member = format_us(now_us()), payload.context.member
    kept = Kept(id_, body, member, call.principal, at, at, own_urls(call, member))
    _refuse_past(await _worked_out(call, kept))
    if await call.services.state.record(SOURCE_SUBSCRIPTION, call.tenant, id_) is not None:
        raise Conflict("subscription.exists", id=id_)
    await _keep(call, kept)
    return Reply(b"", 201, headers={"Location": f"{PATH}/{quote(id_, safe=':')}"})


async def list_(call: Call) -> Response:
    """Lists the subscriptions on registrations (§5.11.5)."""
    parameters = parameters_of(call.request)
    media, context, wanted = accepted(call.request), await request_context(call), page(parameters)
    records = await call.services.state.records(SOURCE_SUBSCRIPTION, call.tenant)
    chosen = records[wanted.offset : wanted.offset + wanted.limit]
    rows = [await _shown(call, _kept(record.body), context) for record in chosen]
    headers = paging(call, wanted, more=len(records) > wanted.offset + wanted.limit)
    if wanted.count:
        headers["NGSILD-Results-Count"] = str(len(records))
    return answer(rows, context, media, headers=headers)


async def retrieve(call: Call) -> Response:
    """Retrieves a subscription on registrations (§5.11.4)."""
    media, context = accepted(call.request), await request_context(call)
    return answer(await _shown(call, await _load(call), context), context, media)


async def update(call: Call) -> Response:
    """Changes members of a subscription on registrations (§5.11.3); null removes one."""
    kept = await _load(call)
    payload = await read_payload(call)
    fragment = as_object(payload.value, "subscription")
    same_id(fragment, kept.id)
    fragment.pop("id", None)
    # a fragment that brings a context speaks for the whole subscription from then on
    brings = payload.member is not None or has_context_link(call.request)
    member = payload.context.member if brings else kept.context
    hosted = tuple(sorted({*kept.hosted, *own_urls(call, member)}))
    body = _merged(kept.body, fragment)
    changed = Kept(kept.id, body, member, call.principal, kept.created_at, format_us(now_us()), hosted)
    await _worked_out(call, changed)
    await _keep(call, changed)
    return empty_reply()


async def delete(call: Call) -> Response:
    """Deletes a subscription on registrations (§5.11.6)."""
    kept = await _load(call)
    drops = [(SOURCE_SUBSCRIPTION, call.tenant, kept.id), (SUBSCRIPTION_STATUS, call.tenant, kept.id)]
    await keep_records(call.services.bus, call.principal, drops=drops)
    return empty_reply()


def _refuse_past(found: SourceWatch) -> None:
    if found.watch.expires_us and found.watch.expires_us <= now_us():
        raise BadInput("subscription.expired", time=format_us(found.watch.expires_us))


def _merged(body: dict[str, Any], fragment: dict[str, Any]) -> dict[str, Any]:
    """Replaces members as wholes, as a partial update does (§5.5.8)."""
    merged = {**body, **fragment}
    return {name: value for name, value in merged.items() if value is not None and value != _NULL}


async def _worked_out(call: Call, kept: Kept) -> SourceWatch:
    await learn(call.services, call.tenant, kept.hosted)
    return await work_out_source_watch(kept, call.tenant, call.services)


async def _load(call: Call) -> Kept:
    id_ = path_id(call)
    record = await call.services.state.record(SOURCE_SUBSCRIPTION, call.tenant, id_)
    if record is None:
        raise NotFound("subscription.absent", id=id_)
    return _kept(record.body)


async def _keep(call: Call, kept: Kept) -> None:
    put = RecordPut(SOURCE_SUBSCRIPTION, call.tenant, kept.id, encode_json(kept))
    await keep_records(call.services.bus, call.principal, [put])


async def _shown(call: Call, kept: Kept, names: Context) -> dict[str, Any]:
    record = await call.services.state.record(SUBSCRIPTION_STATUS, call.tenant, kept.id)
    status = _status(record.body) if record is not None else Status()
    await learn(call.services, call.tenant, kept.hosted)
    context = await call.services.contexts.resolve(kept.context)
    sysattrs = "sysAttrs" in options(parameters_of(call.request))
    shown = describe(kept, status, context, names, sysattrs=sysattrs, now=now_us())
    told = shown["notification"]
    # before anything was sent there is nothing to count (§5.2.14.2)
    shown["notification"] = {name: value for name, value in told.items() if value or name not in _COUNTS}
    return shown

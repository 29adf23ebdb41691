"""Subscriptions, on entities and on context sources alike (ETSI GS CIM 009 §5.8, §5.11, §6.10 to §6.13)."""

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote
from uuid import uuid4

import msgspec
from starlette.responses import Response

from yunmeng.kernel.base import BadInput, Conflict, NotFound, check_urn, format_us, now_us
from yunmeng.kernel.keeper import RecordPut
from yunmeng.kernel.model import Context, ContextMember
from yunmeng.kernel.serve.body import as_object
from yunmeng.kernel.serve.describing import Status, describe
from yunmeng.kernel.serve.faring import statuses
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
from yunmeng.kernel.serve.ngsild.paging import paging
from yunmeng.kernel.serve.ngsild.parameters import flag, options, page
from yunmeng.kernel.serve.ngsild.versions import applied
from yunmeng.kernel.serve.replies import Reply, empty_reply, encode_json
from yunmeng.kernel.serve.routes import Call, Route
from yunmeng.kernel.serve.services import Services
from yunmeng.kernel.serve.watching import (
    DEFAULT_TRIGGERS,
    SUBSCRIPTION,
    SUBSCRIPTION_STATUS,
    Kept,
    Watch,
    settled,
    work_out,
)

_NULL = "urn:ngsi-ld:null"

_kept = msgspec.json.Decoder(Kept).decode

WorkOut = Callable[[Kept, str, Services], Awaitable[Watch]]


@dataclass(frozen=True, slots=True)
class Subscriptions:
    """The handlers of one kind of subscriptions, kept as records of ``kind`` and served at ``path``.

    ``members`` are those that this kind has beside those of all, ``defaults`` what is shown where the owner
    said nothing; ``may_end`` lets an update end a subscription by a time that has passed.
    """

    kind: str
    path: str
    work_out: WorkOut
    members: tuple[str, ...] = ()
    defaults: Mapping[str, Any] = field(default_factory=dict[str, Any])
    may_end: bool = False

    def routes(self) -> tuple[Route, ...]:
        """Returns the rows of this kind in the route table."""
        one = f"{self.path}/{{id}}"
        return (
            Route("POST", self.path, "subscription.write", self.create),
            Route("GET", self.path, "subscription.read", self.list),
            Route("GET", one, "subscription.read", self.retrieve),
            Route("PATCH", one, "subscription.write", self.update),
            Route("DELETE", one, "subscription.write", self.delete),
        )

    async def create(self, call: Call) -> Response:
        """Creates a subscription (§5.8.1, §5.11.2)."""
        payload = await read_payload(call)
        body = as_object(payload.value, "subscription")
        id_ = check_urn(body.pop("id", f"urn:ngsi-ld:Subscription:{uuid4()}"))
        at, member = format_us(now_us()), payload.context.member
        if not payload.context.link and "jsonldContext" not in body:
            # notifications need one URL for what is several here (§5.8.1.4)
            body["jsonldContext"] = hosted_url(call, await host(call, member, "ImplicitlyCreated"))
        via, local = header(call.request, b"via") or "", flag(parameters_of(call.request), "local")
        hosted, body = await _hosted(call, member, body), settled(body, *self.members)
        kept = Kept(id_, body, member, call.principal, at, at, hosted, via, local)
        _refuse_past(await self.work_out(kept, call.tenant, call.services))
        if await call.services.state.record(self.kind, call.tenant, id_) is not None:
            raise Conflict("subscription.exists", id=id_)
        await self._keep(call, kept)
        return Reply(b"", 201, headers={"Location": f"{self.path}/{quote(id_, safe=':')}"})

    async def list(self, call: Call) -> Response:
        """Lists subscriptions (§5.8.4, §5.11.5)."""
        media, context = accepted(call.request), await request_context(call)
        wanted = page(parameters_of(call.request))
        records = await call.services.state.records(self.kind, call.tenant)
        part = records[wanted.offset : wanted.offset + wanted.limit]
        rows = await self._shown(call, [_kept(record.body) for record in part], context)
        headers = paging(call, wanted, more=len(records) > wanted.offset + wanted.limit, entities=False)
        if wanted.count:
            headers["NGSILD-Results-Count"] = str(len(records))
        return answer(rows, context, media, headers=headers)

    async def retrieve(self, call: Call) -> Response:
        """Retrieves a subscription (§5.8.3, §5.11.4)."""
        media, context = accepted(call.request), await request_context(call)
        (shown,) = await self._shown(call, [await self._load(call)], context)
        return answer(shown, context, media, headers=applied(call))

    async def update(self, call: Call) -> Response:
        """Replaces members of a subscription (§5.8.2, §5.11.3, §5.5.8); null removes one."""
        payload = await read_payload(call)
        kept = await self._load(call)
        fragment = as_object(payload.value, "subscription")
        same_id(fragment, kept.id)
        fragment.pop("id", None)
        # a fragment that brings a context speaks for the whole subscription from then on
        brings = payload.member is not None or has_context_link(call.request)
        member = payload.context.member if brings else kept.context
        body = settled(_merged(kept.body, fragment), *self.members)
        changed = msgspec.structs.replace(
            kept,
            body=body,
            context=member,
            principal=call.principal,
            modified_at=format_us(now_us()),
            hosted=await _hosted(call, member, body, kept.hosted),
        )
        watch = await self.work_out(changed, call.tenant, call.services)
        if "expiresAt" in fragment and not self.may_end:
            _refuse_past(watch)
        await self._keep(call, changed)
        return empty_reply()

    async def delete(self, call: Call) -> Response:
        """Deletes a subscription (§5.8.5, §5.11.6)."""
        id_ = (await self._load(call)).id
        drops = [(self.kind, call.tenant, id_), (SUBSCRIPTION_STATUS, call.tenant, id_)]
        await keep_records(call.services.bus, call.principal, drops=drops)
        return empty_reply()

    async def _load(self, call: Call) -> Kept:
        id_ = path_id(call)
        record = await call.services.state.record(self.kind, call.tenant, id_)
        if record is None:
            raise NotFound("subscription.absent", id=id_)
        return _kept(record.body)

    async def _keep(self, call: Call, kept: Kept) -> None:
        put = RecordPut(self.kind, call.tenant, kept.id, encode_json(kept))
        await keep_records(call.services.bus, call.principal, [put])

    async def _shown(self, call: Call, rows: Sequence[Kept], names: Context) -> Sequence[dict[str, Any]]:
        known = await statuses(call.services, call.principal, call.tenant, [kept.id for kept in rows])
        sysattrs = "sysAttrs" in options(parameters_of(call.request))
        return [
            {**self.defaults, **describe(kept, status, await _names(call, kept), names, sysattrs=sysattrs)}
            for kept, status in zip(rows, _in_order(rows, known), strict=True)
        ]


def _in_order(rows: Iterable[Kept], known: Mapping[str, Status]) -> Iterable[Status]:
    return (known.get(kept.id) or Status() for kept in rows)


async def _names(call: Call, kept: Kept) -> Context:
    """Returns the context in which the owner wrote a subscription."""
    await learn(call.services, call.tenant, kept.hosted)
    return await call.services.contexts.resolve(kept.context)


def _refuse_past(watch: Watch) -> None:
    if watch.expires_us and watch.expires_us <= now_us():
        raise BadInput("subscription.expired", time=format_us(watch.expires_us))


def _merged(body: Mapping[str, Any], fragment: Mapping[str, Any]) -> dict[str, Any]:
    merged = {**body, **fragment}
    return {name: value for name, value in merged.items() if value is not None and value != _NULL}


async def _hosted(
    call: Call, member: ContextMember, body: Mapping[str, Any], known: tuple[str, ...] = ()
) -> tuple[str, ...]:
    """Learns and returns which contexts of a subscription this node hosts."""
    found = {*known, *own_urls(call, member), *own_urls(call, body.get("jsonldContext"))}
    await learn(call.services, call.tenant, found)
    return tuple(sorted(found))


async def _work_out(kept: Kept, tenant: str, services: Services) -> Watch:
    return await work_out(kept, tenant, services.contexts)


ENTITY_SUBSCRIPTIONS = Subscriptions(
    SUBSCRIPTION,
    "/ngsi-ld/v1/subscriptions",
    _work_out,
    defaults={"notificationTrigger": sorted(DEFAULT_TRIGGERS)},
)

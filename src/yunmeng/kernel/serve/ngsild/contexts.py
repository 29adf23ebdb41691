"""Hosting of JSON-LD contexts (ETSI GS CIM 009 §5.13, §6.29, §6.30)."""

from hashlib import sha256
from typing import Any, Literal, cast

import msgspec
from starlette.responses import Response

from yunmeng.kernel.base import BadInput, NotFound, format_us, now_us
from yunmeng.kernel.keeper import RecordPut
from yunmeng.kernel.model import ContextMember, core_version
from yunmeng.kernel.serve.body import as_object, read_json
from yunmeng.kernel.serve.heading import parameters_of
from yunmeng.kernel.serve.keeping import keep_records
from yunmeng.kernel.serve.ngsild.hosted import CONTEXT_KIND, CONTEXTS
from yunmeng.kernel.serve.ngsild.negotiation import accepted
from yunmeng.kernel.serve.ngsild.parameters import flag
from yunmeng.kernel.serve.replies import Reply, empty_reply, encode_json, json_reply
from yunmeng.kernel.serve.routes import Call

Kind = Literal["Hosted", "ImplicitlyCreated"]

__all__ = ["CONTEXTS", "add", "delete", "get", "host", "hosted_url", "list_"]


async def add(call: Call) -> Response:
    """Hosts a context that the body brings (§5.13.2)."""
    body = as_object(await read_json(call.request), "body")
    if "@context" not in body:
        raise BadInput("context.none")
    if not isinstance(body["@context"], (dict, list, str)):
        raise BadInput("context.missing")
    member = cast("ContextMember", body["@context"])
    if isinstance(member, list) and not all(isinstance(item, (str, dict)) for item in member):
        raise BadInput("context.missing")
    # resolving proves that it can be used before anybody relies on it
    await call.services.contexts.resolve(member)
    id_ = await host(call, member, "Hosted")
    return Reply(b"", 201, headers={"Location": f"{CONTEXTS}/{id_}"})


async def host(call: Call, member: ContextMember, kind: Kind) -> str:
    """Stores a context to serve; equal contexts are one. Returns its id."""
    document = {"@context": member}
    digest = sha256(msgspec.json.encode(document, order="deterministic")).hexdigest()
    id_ = f"{kind.lower()}-{digest[:32]}"
    record = {"id": id_, "createdAt": format_us(now_us()), "body": document, "kind": kind}
    put = RecordPut(CONTEXT_KIND, call.tenant, id_, encode_json(record))
    await keep_records(call.services.bus, call.principal, [put])
    return id_


def hosted_url(call: Call, id_: str) -> str:
    """Returns under which URL this node serves a context, as the caller addresses the node."""
    return f"{call.request.url.scheme}://{call.request.url.netloc}{CONTEXTS}/{id_}"


async def list_(call: Call) -> Response:
    """Lists hosted contexts, and with them the ones fetched from elsewhere (§5.13.3)."""
    kind = parameters_of(call.request).get("kind", "")
    if kind not in ("", "Hosted", "Cached", "ImplicitlyCreated"):
        raise BadInput("query.value", name="kind", value=kind)
    details = flag(parameters_of(call.request), "details")
    records = await call.services.state.records(CONTEXT_KIND, call.tenant)
    rows = [_row(call, msgspec.json.decode(record.body)) for record in records]
    own = {row["URL"] for row in rows}
    rows.extend(_cached(call, url) for url in call.services.contexts.urls() if url not in own)
    rows = [row for row in rows if kind in ("", row["kind"])]
    return json_reply(rows if details else [row["URL"] for row in rows])


async def get(call: Call) -> Response:
    """Serves one context (§5.13.4); ``details`` describes it instead."""
    id_: str = call.request.path_params["id"]
    details = flag(parameters_of(call.request), "details")
    record = await call.services.state.record(CONTEXT_KIND, call.tenant, id_)
    if record is not None:
        held = msgspec.json.decode(record.body)
        row, document, url = _row(call, held), held["body"], hosted_url(call, id_)
    else:
        document, url = call.services.contexts.document(id_), id_
        if document is None:
            raise NotFound("context.absent", id=id_)
        row = _cached(call, id_)
    # being served is a use, too; the answer itself does not count yet
    call.services.contexts.count(url)
    return json_reply(row) if details else _served(call, document)


def _served(call: Call, document: dict[str, Any]) -> Reply:
    return Reply(encode_json(document), 200, accepted(call.request))


async def delete(call: Call) -> Response:
    """Drops a hosted context, or forgets one fetched from elsewhere; ``reload`` fetches it anew (§5.13.5)."""
    id_: str = call.request.path_params["id"]
    library = call.services.contexts
    hosted = await call.services.state.record(CONTEXT_KIND, call.tenant, id_) is not None
    if flag(parameters_of(call.request), "reload"):
        if hosted or library.document(id_) is None:
            raise BadInput("context.no-reload", id=id_)
        if core_version(id_) is None:
            await library.reload(id_)
    elif hosted:
        await keep_records(call.services.bus, call.principal, drops=[(CONTEXT_KIND, call.tenant, id_)])
        library.forget(hosted_url(call, id_))
    elif core_version(id_) is not None:
        raise BadInput("context.core", id=id_)
    elif not library.forget(id_):
        raise NotFound("context.absent", id=id_)
    return empty_reply()


def _row(call: Call, held: dict[str, Any]) -> dict[str, Any]:
    url = hosted_url(call, held["id"])
    _, used, hits = call.services.contexts.usage(url)
    row = {
        "URL": url,
        "localId": held["id"],
        "kind": held.get("kind", "Hosted"),
        "createdAt": held["createdAt"],
        "numberOfHits": hits,
    }
    return {**row, "lastUsage": format_us(used)} if used else row


def _cached(call: Call, url: str) -> dict[str, Any]:
    since, used, hits = call.services.contexts.usage(url)
    row = {
        "URL": url,
        "localId": url,
        "kind": "Cached",
        "createdAt": format_us(since or now_us()),
        "numberOfHits": hits,
    }
    return {**row, "lastUsage": format_us(used)} if used else row

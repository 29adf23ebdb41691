"""Hosting of JSON-LD contexts (ETSI GS CIM 009 §5.13, §6.29, §6.30)."""

from collections.abc import Mapping
from hashlib import sha256
from typing import Any, Literal, cast

import msgspec
from starlette.responses import Response

from yunmeng.kernel.base import BadInput, NotFound, format_us, now_us
from yunmeng.kernel.keeper import RecordPut
from yunmeng.kernel.model import ContextLibrary, ContextMember, ContextUse, core_version
from yunmeng.kernel.serve.body import as_object, read_json
from yunmeng.kernel.serve.desk import desk
from yunmeng.kernel.serve.heading import parameters_of
from yunmeng.kernel.serve.keeping import keep_records
from yunmeng.kernel.serve.ngsild.hosted import CONTEXT_KIND, CONTEXTS
from yunmeng.kernel.serve.ngsild.negotiation import accepted
from yunmeng.kernel.serve.ngsild.parameters import flag
from yunmeng.kernel.serve.replies import Reply, empty_reply, encode_json, json_reply
from yunmeng.kernel.serve.routes import Call
from yunmeng.kernel.serve.siblings import Siblings

Kind = Literal["Hosted", "ImplicitlyCreated"]

__all__ = ["CONTEXTS", "add", "delete", "get", "host", "hosted_url", "list_", "tell_contexts"]

_USES, _DOCUMENT, _FORGET, _DROP = "context-uses", "context-document", "context-forget", "context-drop"
_decode_document = msgspec.json.Decoder(dict[str, Any] | None).decode
_decode_uses = msgspec.msgpack.Decoder(dict[str, ContextUse]).decode


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
    uses = await _uses(call)
    rows = [_row(call, msgspec.json.decode(record.body), uses) for record in records]
    own = {row["URL"] for row in rows}
    rows.extend(_cached(url, use) for url, use in uses.items() if use.held and url not in own)
    rows = [row for row in rows if kind in ("", row["kind"])]
    return json_reply(rows if details else [row["URL"] for row in rows])


async def get(call: Call) -> Response:
    """Serves one context (§5.13.4); ``details`` describes it instead."""
    id_: str = call.request.path_params["id"]
    details = flag(parameters_of(call.request), "details")
    record = await call.services.state.record(CONTEXT_KIND, call.tenant, id_)
    uses = await _uses(call) if details else {}
    if record is not None:
        held = msgspec.json.decode(record.body)
        row, document, url = _row(call, held, uses), held["body"], hosted_url(call, id_)
    else:
        document, url = await _held(call, id_), id_
        if document is None:
            raise NotFound("context.absent", id=id_)
        row = _cached(id_, uses.get(id_, ContextUse()))
    # being served is a use, too; the answer itself does not count yet
    call.services.contexts.count(url)
    return json_reply(row) if details else _served(call, document)


def _served(call: Call, document: dict[str, Any]) -> Reply:
    return Reply(encode_json(document), 200, accepted(call.request))


async def delete(call: Call) -> Response:
    """Drops a hosted context, or forgets one fetched from elsewhere; ``reload`` fetches it anew (§5.13.5)."""
    id_: str = call.request.path_params["id"]
    hosted = await call.services.state.record(CONTEXT_KIND, call.tenant, id_) is not None
    if flag(parameters_of(call.request), "reload"):
        if hosted or await _held(call, id_) is None:
            raise BadInput("context.no-reload", id=id_)
        if core_version(id_) is None:
            await call.services.contexts.reload(id_)
            await desk(call).siblings.ask(_DROP, id_.encode())
    elif hosted:
        await keep_records(call.services.bus, call.principal, drops=[(CONTEXT_KIND, call.tenant, id_)])
        await _forget(call, hosted_url(call, id_))
    elif core_version(id_) is not None:
        raise BadInput("context.core", id=id_)
    elif not await _forget(call, id_):
        raise NotFound("context.absent", id=id_)
    return empty_reply()


def tell_contexts(siblings: Siblings, library: ContextLibrary) -> None:
    """Tells the other api processes what the library of this one holds, and lets them drop it."""

    async def uses(_: bytes) -> bytes:
        return msgspec.msgpack.encode(library.uses())

    async def document(url: bytes) -> bytes:
        return msgspec.json.encode(library.document(url.decode()))

    async def forget(url: bytes) -> bytes:
        return b"held" if library.forget(url.decode()) else b""

    async def drop(url: bytes) -> bytes:
        library.drop(url.decode())
        return b""

    for matter, teller in ((_USES, uses), (_DOCUMENT, document), (_FORGET, forget), (_DROP, drop)):
        siblings.tell(matter, teller)


async def _uses(call: Call) -> dict[str, ContextUse]:
    """Returns the use of contexts in all api processes."""
    found = call.services.contexts.uses()
    for told in await desk(call).siblings.ask(_USES):
        for url, use in _decode_uses(told).items():
            found[url] = found.get(url, ContextUse()).joined(use)
    return found


async def _held(call: Call, url: str) -> dict[str, Any] | None:
    """Returns a document that any of the api processes holds."""
    held = call.services.contexts.document(url)
    if held is None:
        for told in await desk(call).siblings.ask(_DOCUMENT, url.encode()):
            held = held or _decode_document(told)
    return held


async def _forget(call: Call, url: str) -> bool:
    here = call.services.contexts.forget(url)
    return any(await desk(call).siblings.ask(_FORGET, url.encode())) or here


def _row(call: Call, held: dict[str, Any], uses: Mapping[str, ContextUse]) -> dict[str, Any]:
    url = hosted_url(call, held["id"])
    use = uses.get(url, ContextUse())
    row = {
        "URL": url,
        "localId": held["id"],
        "kind": held.get("kind", "Hosted"),
        "createdAt": held["createdAt"],
        "numberOfHits": use.hits,
    }
    return _used(row, use)


def _cached(url: str, use: ContextUse) -> dict[str, Any]:
    row = {
        "URL": url,
        "localId": url,
        "kind": "Cached",
        "createdAt": format_us(use.since or now_us()),
        "numberOfHits": use.hits,
    }
    return _used(row, use)


def _used(row: dict[str, Any], use: ContextUse) -> dict[str, Any]:
    return {**row, "lastUsage": format_us(use.used)} if use.used else row

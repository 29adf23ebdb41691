"""Hosting of JSON-LD contexts (ETSI GS CIM 009 §5.13, §6.29, §6.30)."""

from hashlib import sha256
from typing import Any, cast
from urllib.parse import quote

import msgspec
from starlette.responses import Response

from yunmeng.kernel.base import BadInput, NotFound, format_us, now_us
from yunmeng.kernel.keeper.requests import RecordPut
from yunmeng.kernel.model.contexts import ContextMember
from yunmeng.kernel.serve.body import as_object, read_json
from yunmeng.kernel.serve.heading import parameters_of
from yunmeng.kernel.serve.keeping import keep_records
from yunmeng.kernel.serve.ngsild.hosted import CONTEXT_KIND, CONTEXTS
from yunmeng.kernel.serve.ngsild.parameters import flag
from yunmeng.kernel.serve.replies import LD_JSON, Reply, empty_reply, encode_json, json_reply
from yunmeng.kernel.serve.routes import Call

__all__ = ["CONTEXTS", "add", "delete", "get", "list_"]


async def add(call: Call) -> Response:
    """Hosts a context that the body brings (§5.13.2)."""
    body = as_object(await read_json(call.request), "body")
    if "@context" not in body or not isinstance(body["@context"], (dict, list, str)):
        raise BadInput("context.missing")
    member = cast("ContextMember", body["@context"])
    document = {"@context": member}
    # resolving proves that it can be used before anybody relies on it
    await call.services.contexts.resolve(member)
    id_ = (
        f"urn:ngsi-ld:Context:{sha256(msgspec.json.encode(document, order='deterministic')).hexdigest()[:32]}"
    )
    record = {"id": id_, "createdAt": format_us(now_us()), "body": document}
    put = RecordPut(CONTEXT_KIND, call.tenant, id_, encode_json(record))
    await keep_records(call.services.bus, call.principal, [put])
    return Reply(b"", 201, headers={"Location": f"{CONTEXTS}/{quote(id_)}"})


async def list_(call: Call) -> Response:
    """Lists hosted contexts, and with them the ones fetched from elsewhere (§5.13.3)."""
    kind = parameters_of(call.request).get("kind", "")
    if kind not in ("", "Hosted", "Cached", "ImplicitlyCreated"):
        raise BadInput("query.value", name="kind", value=kind)
    details = flag(parameters_of(call.request), "details")
    rows: list[dict[str, Any]] = []
    if kind in ("", "Hosted"):
        records = await call.services.state.records(CONTEXT_KIND, call.tenant)
        rows.extend(_row(call, msgspec.json.decode(record.body)) for record in records)
    if kind in ("", "Cached"):
        rows.extend({"URL": url, "localId": url, "kind": "Cached"} for url in call.services.contexts.urls())
    return json_reply(rows if details else [row["URL"] for row in rows])


async def get(call: Call) -> Response:
    """Serves one context (§5.13.4); ``details`` describes it instead."""
    id_: str = call.request.path_params["id"]
    details = flag(parameters_of(call.request), "details")
    record = await call.services.state.record(CONTEXT_KIND, call.tenant, id_)
    if record is not None:
        held = msgspec.json.decode(record.body)
        return json_reply(_row(call, held)) if details else Reply(encode_json(held["body"]), 200, LD_JSON)
    document = call.services.contexts.document(id_)
    if document is None:
        raise NotFound("context.absent", id=id_)
    if details:
        return json_reply({"URL": id_, "localId": id_, "kind": "Cached"})
    return Reply(encode_json(document), 200, LD_JSON)


async def delete(call: Call) -> Response:
    """Drops a hosted context, or forgets one fetched from elsewhere (§5.13.5)."""
    id_: str = call.request.path_params["id"]
    if await call.services.state.record(CONTEXT_KIND, call.tenant, id_) is not None:
        await keep_records(call.services.bus, call.principal, drops=[(CONTEXT_KIND, call.tenant, id_)])
    elif not call.services.contexts.forget(id_):
        raise NotFound("context.absent", id=id_)
    return empty_reply()


def _row(call: Call, held: dict[str, Any]) -> dict[str, Any]:
    base = f"{call.request.url.scheme}://{call.request.url.netloc}"
    return {
        "URL": f"{base}{CONTEXTS}/{quote(held['id'])}",
        "localId": held["id"],
        "kind": "Hosted",
        "createdAt": held["createdAt"],
    }

"""Writes of the temporal evolution of entities (ETSI GS CIM 009 §5.6.11 to §5.6.16, §6.18 to §6.22)."""

from collections.abc import Mapping
from typing import Any, cast
from urllib.parse import quote
from uuid import uuid4

import msgspec
from starlette.responses import Response

from yunmeng.kernel.base import BadInput, NotFound, check_urn, format_us, instant_us, now_us
from yunmeng.kernel.keeper import EvolveRequest, PurgeHistoryRequest
from yunmeng.kernel.model import (
    DIVISION,
    Context,
    Delete,
    Document,
    expand_fragment,
    expand_instance,
    is_array,
    is_object,
)
from yunmeng.kernel.serve.body import as_object
from yunmeng.kernel.serve.heading import parameters_of
from yunmeng.kernel.serve.keeping import evolve, purge_history, write_one
from yunmeng.kernel.serve.ngsild.entities import path_id, same_id
from yunmeng.kernel.serve.ngsild.evolution import SCOPE
from yunmeng.kernel.serve.ngsild.intake import checked
from yunmeng.kernel.serve.ngsild.negotiation import read_payload, request_context
from yunmeng.kernel.serve.ngsild.parameters import flag
from yunmeng.kernel.serve.ngsild.representation import View, decode_document
from yunmeng.kernel.serve.ngsild.temporal_current import BORN, Rows, carry_over, superseded
from yunmeng.kernel.serve.ngsild.temporal_parameters import TimeWindow
from yunmeng.kernel.serve.ngsild.temporal_selection import head, heads, query_of, settle
from yunmeng.kernel.serve.ngsild.tenants import absent
from yunmeng.kernel.serve.refusals import MethodNotAllowed
from yunmeng.kernel.serve.replies import Reply, empty_reply
from yunmeng.kernel.serve.routes import Call
from yunmeng.kernel.store import Instance, Point

PATH = "/ngsi-ld/v1/temporal/entities"

_MEMBERS = frozenset(("id", "type", SCOPE, "createdAt", "modifiedAt", "deletedAt", "expiresAt"))
_NULL = "urn:ngsi-ld:null"


async def create(call: Call) -> Response:
    """Creates or extends the temporal evolution of an entity (§5.6.11)."""
    payload = await read_payload(call)
    body = as_object(payload.value, "entity")
    document, scopes = _expanded(call, body, payload.context)
    if "id" not in document:
        raise BadInput("entity.no-id")
    if "type" not in document:
        raise BadInput("entity.no-type", id=document["id"])
    id_ = str(document["id"])
    known = await head(call, id_)
    await _evolve(call, known, document, scopes)
    if known is not None:
        return empty_reply()
    return Reply(b"", 201, headers={"Location": f"{PATH}/{quote(id_, safe=':@!$&*+,;=')}"})


async def append(call: Call) -> Response:
    """Adds attributes and instances to an evolution (§5.6.12)."""
    id_ = path_id(call)
    payload = await read_payload(call)
    body = as_object(payload.value, "entity")
    same_id(body, id_)
    if not body:
        raise BadInput("json.object", where="entity")
    document, scopes = _expanded(call, {**body, "id": id_}, payload.context)
    known = await head(call, id_)
    if known is None:
        raise await absent(call, id_)
    await _evolve(call, known, document, scopes)
    return empty_reply()


async def modify_instance(call: Call) -> Response:
    """Changes one instance of an attribute's evolution (§5.6.14)."""
    id_ = path_id(call)
    payload = await read_payload(call)
    name: str = call.request.path_params["attribute"]
    if not name:
        # .../attrs//{instance} names no attribute that could be changed
        raise MethodNotAllowed("http.405", method="PATCH", allow="DELETE")
    attribute = payload.context.expand(name)
    instance_id = check_urn(call.request.path_params["instance"])
    body = as_object(payload.value, "attribute")
    if is_object(body.get(name)) or is_array(body.get(name)):
        body = _only(body[name])
    patch = expand_instance(name, body, payload.context, partial=True)
    document = await _existing(call, id_)
    old = await _stored(call, id_, attribute, instance_id)
    at = now_us()
    merged = {**(old.body or {}), **patch, "modifiedAt": format_us(at)}
    merged = {key: value for key, value in merged.items() if value != _NULL or key not in patch}
    one = _instance(call, document, attribute, merged, at, instance_id)
    await evolve(call, EvolveRequest(call.tenant, id_, instances=(one,), replaces=(instance_id,)))
    return empty_reply()


def _only(value: Any) -> dict[str, Any]:
    if is_array(value):
        if len(value) != 1:
            raise BadInput("json.object", where="attribute")
        value = value[0]
    return as_object(value, "attribute")


async def delete(call: Call) -> Response:
    """Deletes the temporal evolution of an entity (§5.6.16)."""
    id_ = path_id(call)
    document = await _existing(call, id_)
    if await _birth(call, id_) and await call.services.state.get(call.reach, id_) is not None:
        # what the evolution has made goes with it
        await write_one(call, Delete(id_))
    await settle(call, [document])
    await _purge(call, PurgeHistoryRequest(call.tenant, id_))
    return empty_reply()


async def delete_attribute(call: Call) -> Response:
    """Deletes the temporal evolution of an attribute, of one dataset or of all (§5.6.13)."""
    id_, attribute = path_id(call), await _path_attribute(call)
    parameters = parameters_of(call.request)
    document = await _existing(call, id_)
    await settle(call, [document])
    dataset = None if flag(parameters, "deleteAll") else parameters.get("datasetId", "")
    await _stored(call, id_, attribute, dataset=dataset)
    await _purge(call, PurgeHistoryRequest(call.tenant, id_, attribute, dataset_id=dataset))
    return empty_reply()


async def delete_instance(call: Call) -> Response:
    """Deletes one instance of an attribute's evolution (§5.6.15)."""
    id_, attribute = path_id(call), await _path_attribute(call)
    instance_id = check_urn(call.request.path_params["instance"])
    await _existing(call, id_)
    await _stored(call, id_, attribute, instance_id)
    await _purge(call, PurgeHistoryRequest(call.tenant, id_, attribute, instance_id))
    return empty_reply()


async def _purge(call: Call, request: PurgeHistoryRequest) -> None:
    await purge_history(call.services.bus, call.principal, request)


async def _path_attribute(call: Call) -> str:
    name: str = call.request.path_params["attribute"]
    return SCOPE if name == SCOPE else (await request_context(call)).expand(name)


async def _existing(call: Call, id_: str) -> Document:
    document = await head(call, id_)
    if document is None:
        raise await absent(call, id_)
    return document


async def _stored(
    call: Call, id_: str, attribute: str, instance_id: str = "", dataset: str | None = None
) -> Point:
    """Returns the instance that is meant, or the newest one of an attribute.

    Raises:
        NotFound: ``attribute.absent``, ``temporal.instance``.
    """
    await settle(call, [await _existing(call, id_)])
    view = View(call.services.contexts.core, dataset_ids=None if dataset is None else frozenset((dataset,)))
    window = TimeWindow() if instance_id else TimeWindow(last=1)
    limit = 1_000_000 if instance_id else 1
    points = await call.services.history.points(query_of(call, [id_], [attribute], view, window, limit))
    if not points:
        raise NotFound("attribute.absent", attribute=attribute)
    if not instance_id:
        return points[-1]
    for point in points:
        if point.instance_id == instance_id:
            return point
    raise NotFound("temporal.instance", instance=instance_id)


def _expanded(call: Call, body: Mapping[str, Any], context: Context) -> tuple[Document, list[Document]]:
    """Returns the stored form of an evolution, and the instances of its scope."""
    if any(body.get(name) == _NULL for name in _MEMBERS):
        raise BadInput("attribute.null", attribute="expiresAt")
    rest = {name: value for name, value in body.items() if name not in (SCOPE, "expiresAt")}
    document = checked(call, expand_fragment(rest, context, temporal=True))
    return document, _scope_instances(body[SCOPE], context) if SCOPE in body else []


def _scope_instances(value: object, context: Context) -> list[Document]:
    """Returns the scope as instances of a Property (§4.5.6), however it was written."""
    rows = cast("list[object]", value) if is_array(value) else [value]
    if not all(is_object(row) for row in rows):
        return [{"type": "Property", "value": _scopes(value, context)}]
    return [_scope_instance(cast("dict[str, Any]", row), context) for row in rows]


def _scope_instance(row: dict[str, Any], context: Context) -> Document:
    instance: Document = {"type": "Property", "value": _scopes(row.get("value"), context)}
    if "observedAt" in row:
        instance["observedAt"] = format_us(instant_us(row["observedAt"]))
    return instance


def _scopes(value: object, context: Context) -> Any:
    scopes: list[str] = expand_fragment({SCOPE: value}, context, nulls=False)[SCOPE]
    return scopes[0] if len(scopes) == 1 else scopes


async def _evolve(call: Call, known: Document | None, document: Document, scopes: list[Document]) -> None:
    at = now_us()
    changed = _head(known, document, scopes, format_us(at))
    attributes: Rows = {name: rows for name, rows in document.items() if name not in _MEMBERS}
    replaced: tuple[str, ...] = ()
    if known is None:
        changed[BORN] = [{"type": "Property", "value": True}]
    else:
        changed |= await _birth(call, str(changed["id"]))
        attributes, replaced = await superseded(call, known, attributes)
    members = {name: value for name, value in document.items() if name in ("id", "type", "expiresAt")}
    untimed = [scope for scope in scopes if "observedAt" not in scope]
    if untimed:
        members[SCOPE] = changed[SCOPE]
    attributes = dict(await carry_over(call, known, members, attributes, at))
    if scopes:
        # a new entity's scope without a time is that of its creation, which the evolution records
        attributes[SCOPE] = [scope for scope in scopes if known is not None or scope not in untimed]
    instances = tuple(
        _instance(call, changed, name, {**row, "createdAt": format_us(at), "modifiedAt": format_us(at)}, at)
        for name, rows in attributes.items()
        for row in rows
    )
    await evolve(call, EvolveRequest(call.tenant, str(changed["id"]), changed, instances, replaced))


async def _birth(call: Call, id_: str) -> Document:
    """Returns what the head of an evolution says of having made the current entity."""
    kept = await call.services.state.get(heads(call), id_)
    head = decode_document(kept) if kept is not None else {}
    return {BORN: head[BORN]} if BORN in head else {}


def _head(known: Document | None, document: Document, scopes: list[Document], at: str) -> Document:
    before = known or {}
    types = list(dict.fromkeys((*before.get("type", ()), *document.get("type", ()))))
    kept = {name: value for name, value in {**before, **document}.items() if name in (*_MEMBERS, DIVISION)}
    changed = {**kept, "type": types, "createdAt": before.get("createdAt", at), "modifiedAt": at}
    if scopes:
        latest = max(scopes, key=lambda one: one.get("observedAt", at))["value"]
        changed[SCOPE] = latest if isinstance(latest, list) else [latest]
    return changed


def _instance(
    call: Call, document: Document, attribute: str, body: Document, at: int, instance_id: str = ""
) -> Instance:
    observed = body.get("observedAt")
    rows = document.get(DIVISION, ())
    division = str(rows[0].get("value", "")) if rows else ""
    return Instance(
        call.tenant,
        str(document["id"]),
        str(document["type"][0]),
        division or call.services.settings.node.division,
        attribute,
        str(body.get("datasetId", "")),
        instant_us(observed) if observed else 0,
        at,
        msgspec.json.encode({key: value for key, value in body.items() if key != "instanceId"}),
        instance_id or f"urn:ngsi-ld:Instance:{uuid4()}",
    )

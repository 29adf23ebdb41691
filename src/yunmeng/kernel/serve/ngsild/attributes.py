"""Attributes of one entity (ETSI GS CIM 009 §6.6, §6.7)."""

from typing import Any

from starlette.responses import Response

from yunmeng.kernel.base import BadInput, sentence
from yunmeng.kernel.model import (
    Append,
    DeleteAttribute,
    Outcome,
    PartialUpdate,
    ReplaceAttribute,
    Update,
    expand_instance,
)
from yunmeng.kernel.serve.body import as_object
from yunmeng.kernel.serve.heading import parameters_of
from yunmeng.kernel.serve.keeping import write_one
from yunmeng.kernel.serve.ngsild.entities import fragment_of, gate, path_id
from yunmeng.kernel.serve.ngsild.intake import check_instance, latest_time
from yunmeng.kernel.serve.ngsild.negotiation import Payload, read_payload, request_context
from yunmeng.kernel.serve.ngsild.parameters import flag, options
from yunmeng.kernel.serve.replies import empty_reply, json_reply
from yunmeng.kernel.serve.routes import Call


async def append(call: Call) -> Response:
    """Appends attributes (§5.6.3); ``options=noOverwrite`` leaves those that exist."""
    id_ = path_id(call)
    payload = await read_payload(call)
    await gate(call, id_, payload.context)
    overwrite = "noOverwrite" not in options(parameters_of(call.request))
    outcome = await write_one(call, Append(id_, fragment_of(call, payload, id_), overwrite))
    return update_result(call, outcome)


async def update(call: Call) -> Response:
    """Updates attributes that exist (§5.6.2)."""
    id_ = path_id(call)
    payload = await read_payload(call)
    await gate(call, id_, payload.context)
    outcome = await write_one(call, Update(id_, fragment_of(call, payload, id_)))
    return update_result(call, outcome)


async def partial_update(call: Call) -> Response:
    """Changes members of one attribute instance (§5.6.4)."""
    id_ = path_id(call)
    payload = await read_payload(call)
    await gate(call, id_, payload.context)
    attribute, instance = _instance(call, payload, partial=True)
    await write_one(call, PartialUpdate(id_, attribute, instance))
    return empty_reply()


async def replace(call: Call) -> Response:
    """Replaces one attribute instance (§5.6.19)."""
    id_ = path_id(call)
    payload = await read_payload(call)
    await gate(call, id_, payload.context)
    attribute, instance = _instance(call, payload, partial=False)
    await write_one(call, ReplaceAttribute(id_, attribute, instance))
    return empty_reply()


async def delete(call: Call) -> Response:
    """Deletes an attribute instance, or all of them (§5.6.5)."""
    id_ = path_id(call)
    context = await request_context(call)
    await gate(call, id_, context)
    parameters = parameters_of(call.request)
    attribute = context.expand(call.request.path_params["attribute"])
    every = flag(parameters, "deleteAll")
    await write_one(call, DeleteAttribute(id_, attribute, parameters.get("datasetId", ""), every))
    return empty_reply()


def _instance(call: Call, payload: Payload, *, partial: bool) -> tuple[str, dict[str, Any]]:
    name: str = call.request.path_params["attribute"]
    attribute = payload.context.expand(name)
    if name == "scope":
        raise BadInput("name.reserved", name=name)
    body = as_object(payload.value, "attribute")
    instance = expand_instance(name, body, payload.context, partial=partial)
    check_instance(instance, latest_time(call))
    return attribute, instance


def update_result(call: Call, outcome: Outcome) -> Response:
    """Answers 204, or 207 with what was and what was not updated (§5.2.18)."""
    if not outcome.not_updated:
        return empty_reply()
    # both lists name attributes by their URIs (§5.2.18)
    refused = [
        {"attributeName": uri, "reason": sentence(reason, {}, call.language)}
        for uri, reason in outcome.not_updated.items()
    ]
    return json_reply({"updated": outcome.updated, "notUpdated": refused}, 207)

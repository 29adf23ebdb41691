"""Entities, one at a time (ETSI GS CIM 009 §6.4, §6.5)."""

from urllib.parse import quote

from starlette.responses import Response

from yunmeng.kernel.base import BadInput, NotFound, check_urn
from yunmeng.kernel.model import Context, Create, Delete, Merge, Replace, matches_types, parse_types
from yunmeng.kernel.serve.body import as_object
from yunmeng.kernel.serve.heading import parameters_of
from yunmeng.kernel.serve.keeping import write_one
from yunmeng.kernel.serve.ngsild import entity_maps, intake
from yunmeng.kernel.serve.ngsild.negotiation import Payload, accepted, answer, read_payload, request_context
from yunmeng.kernel.serve.ngsild.representation import decode_document, is_alive, read_view, show
from yunmeng.kernel.serve.ngsild.sheets import created_together
from yunmeng.kernel.serve.ngsild.tenants import absent
from yunmeng.kernel.serve.ngsild.versions import applied, fall_back, prefer_of
from yunmeng.kernel.serve.refusals import refusal
from yunmeng.kernel.serve.replies import Reply, empty_reply
from yunmeng.kernel.serve.routes import Call

ENTITIES = "/ngsi-ld/v1/entities"


def path_id(call: Call) -> str:
    """Returns the entity id of the address.

    Raises:
        BadInput: ``id.bad``.
    """
    return check_urn(call.request.path_params["id"])


async def create(call: Call) -> Response:
    """Creates an entity (§5.6.1)."""
    payload = await read_payload(call)
    if payload.value in ({}, []):
        # nothing that could be judged (§5.5.4)
        raise BadInput("json.empty")
    body = as_object(payload.value, "entity")
    outcome = await created_together(call, body, payload.context)
    if outcome is None:
        outcome = await write_one(call, Create(intake.entity_of(call, body, payload.context)))
    elif outcome.done == "refused":
        raise refusal(outcome)
    location = f"{ENTITIES}/{quote(outcome.id, safe=':@!$&*+,;=')}"
    return Reply(b"", 201, headers={"Location": location})


async def retrieve(call: Call) -> Response:
    """Retrieves an entity (§5.7.1)."""
    id_ = path_id(call)
    parameters = parameters_of(call.request)
    media = accepted(call.request, geo=True)
    context = await request_context(call)
    view = read_view(parameters, context, media)
    body = await call.services.state.get(call.reach, id_)
    if body is None:
        raise await absent(call, id_)
    await gate(call, id_, context)
    shown = await show(call, (body,), view)
    if not shown or shown[0] == {}:
        if not is_alive(body):
            raise await absent(call, id_)
        raise NotFound("entity.no-attributes", id=id_)
    headers = {**await entity_maps.for_one(call, id_), **applied(call)}
    amended = fall_back(call, shown, view)
    shown, status = (shown, 200) if amended is None else (amended, 203)
    payload = shown if len(shown) > 1 else shown[0]
    return answer(payload, context, media, status=status, headers=headers, prefer=prefer_of(call))


async def merge(call: Call) -> Response:
    """Merges a fragment into an entity (§5.6.17)."""
    id_ = path_id(call)
    payload = await read_payload(call)
    await gate(call, id_, payload.context)
    parameters = parameters_of(call.request)
    fragment = fragment_of(call, payload, id_)
    await write_one(call, Merge(id_, fragment, parameters.get("observedAt", ""), parameters.get("lang", "")))
    return empty_reply()


async def replace(call: Call) -> Response:
    """Replaces an entity whole (§5.6.18)."""
    id_ = path_id(call)
    payload = await read_payload(call)
    body = as_object(payload.value, "entity")
    same_id(body, id_)
    await gate(call, id_, payload.context)
    document = intake.entity_of(call, {"id": id_, **body}, payload.context)
    await write_one(call, Replace(document))
    return empty_reply()


async def unnamed(call: Call) -> Response:
    """Refuses to change the entity that an address ending in ``/entities/`` does not name."""
    raise BadInput("id.bad", id="")


async def delete(call: Call) -> Response:
    """Deletes an entity (§5.6.6)."""
    id_ = path_id(call)
    await gate(call, id_, await request_context(call))
    await write_one(call, Delete(id_))
    return empty_reply()


async def gate(call: Call, id_: str, context: Context) -> None:
    """Lets through what is of the type that the request names, if it names one (§4.17).

    Raises:
        NotFound: ``entity.absent``.
    """
    types = parameters_of(call.request).get("type")
    if not types:
        return
    body = await call.services.state.get(call.reach, id_)
    if body is None or not matches_types(decode_document(body), parse_types(types, context)):
        raise NotFound("entity.absent", id=id_)


def fragment_of(call: Call, payload: Payload, id_: str) -> dict[str, object]:
    """Expands the attributes of a body that may name its entity only as the address does."""
    body = as_object(payload.value, "entity")
    same_id(body, id_)
    rest = {name: value for name, value in body.items() if name != "id"}
    return intake.fragment_of(call, rest, payload.context)


def same_id(body: dict[str, object], id_: str) -> None:
    """Refuses a body whose id is not that of the address.

    Raises:
        BadInput: ``id.differs``.
    """
    if body.get("id", id_) != id_:
        raise BadInput("id.differs", id=body["id"], path=id_)

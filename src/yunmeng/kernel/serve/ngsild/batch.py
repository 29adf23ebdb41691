"""Batches: many entities in one request, each on its own (ETSI GS CIM 009 §5.6.7 to §5.6.10, §5.6.20)."""

from collections.abc import Callable, Sequence
from typing import Any, Literal

from starlette.responses import Response

from yunmeng.kernel.base import BadInput, YunmengError, check_urn
from yunmeng.kernel.keeper import Sheet
from yunmeng.kernel.model import (
    Append,
    Context,
    Create,
    Delete,
    Merge,
    Operation,
    Outcome,
    Upsert,
)
from yunmeng.kernel.serve.body import as_array, as_object
from yunmeng.kernel.serve.heading import parameters_of
from yunmeng.kernel.serve.keeping import write
from yunmeng.kernel.serve.ngsild import intake
from yunmeng.kernel.serve.ngsild.negotiation import read_batch, read_payload
from yunmeng.kernel.serve.ngsild.parameters import options
from yunmeng.kernel.serve.ngsild.sheets import parted
from yunmeng.kernel.serve.refusals import as_error, problem_document, refusal
from yunmeng.kernel.serve.replies import empty_reply, json_reply
from yunmeng.kernel.serve.routes import Call

Body = dict[str, Any]
_Reader = Callable[[Body, Context], Operation]
_Problem = dict[str, Any]


async def create(call: Call) -> Response:
    """Creates many entities (§5.6.7): 201 with their ids, 207 when some were refused."""
    done, errors = await _carry_out(
        call, lambda body, context: Create(intake.entity_of(call, body, context)), "create"
    )
    return mixed(done, errors) or json_reply([o.id for o in done], 201)


async def upsert(call: Call) -> Response:
    """Creates or changes many entities (§5.6.8): 201 with the ids of new ones, 204 when none is new."""
    mode: Literal["update", "replace"] = (
        "update" if "update" in options(parameters_of(call.request)) else "replace"
    )
    done, errors = await _carry_out(
        call,
        lambda body, context: Upsert(intake.entity_of(call, body, context), mode),
        "upsert" if mode == "replace" else None,
    )
    refused = mixed(done, errors)
    if refused is not None:
        return refused
    made = [outcome.id for outcome in done if outcome.done == "created"]
    return json_reply(made, 201) if made else empty_reply()


async def update(call: Call) -> Response:
    """Appends to many entities that exist (§5.6.9)."""
    overwrite = "noOverwrite" not in options(parameters_of(call.request))
    done, errors = await _carry_out(
        call, lambda body, context: Append(*_part(call, body, context), overwrite)
    )
    late = [
        _error(call, outcome.id, BadInput("attribute.not-updated", attributes=list(outcome.not_updated)))
        for outcome in done
        if outcome.not_updated
    ]
    done = [outcome for outcome in done if not outcome.not_updated]
    return mixed(done, [*errors, *late]) or empty_reply()


async def merge(call: Call) -> Response:
    """Merges into many entities that exist (§5.6.20)."""
    parameters = parameters_of(call.request)
    observed_at, lang = parameters.get("observedAt", ""), parameters.get("lang", "")
    done, errors = await _carry_out(
        call, lambda body, context: Merge(*_part(call, body, context), observed_at, lang)
    )
    return mixed(done, errors) or empty_reply()


async def delete(call: Call) -> Response:
    """Deletes many entities by id (§5.6.10)."""
    ids = as_array((await read_payload(call)).value, "ids")
    operations: list[Operation] = []
    errors: list[_Problem] = []
    for id_ in ids:
        try:
            operations.append(Delete(check_urn(id_)))
        except BadInput as error:
            errors.append(_error(call, str(id_), error))
    done, refused = sort(call, await write(call, operations) if operations else ())
    return mixed(done, [*errors, *refused]) or empty_reply()


async def _carry_out(
    call: Call, read: _Reader, whole: Literal["create", "upsert"] | None = None
) -> tuple[list[Outcome], list[_Problem]]:
    """Has the keeper do what ``read`` makes of each item; ``whole`` entities go as sheets where they can."""
    items, contexts = await read_batch(call)
    for item in as_array(items, "entities"):
        as_object(item, "entity")
    all_of_them = list(zip(items, contexts, strict=True))
    sheets, others = parted(call, all_of_them, whole) if whole else ([], all_of_them)
    operations: list[Operation | Sheet] = list(sheets)
    errors: list[_Problem] = []
    for item, context in others:
        try:
            if isinstance(context, YunmengError):
                raise context
            operations.append(read(as_object(item, "entity"), context))
        except (YunmengError, RecursionError) as failure:
            error = as_error(failure)
            errors.append(_error(call, _id(item), error if error is not None else BadInput("json.deep")))
    outcomes = await write(call, operations) if operations else ()
    if sheets and others:
        order = {_id(item): place for place, item in enumerate(items)}
        outcomes = sorted(outcomes, key=lambda outcome: order[outcome.id])
    done, refused = sort(call, outcomes)
    return done, [*errors, *refused]


def _part(call: Call, body: Body, context: Context) -> tuple[str, Body]:
    rest = {name: value for name, value in body.items() if name != "id"}
    return check_urn(body.get("id")), intake.fragment_of(call, rest, context)


def _id(item: object) -> str:
    return str(item.get("id", "")) if isinstance(item, dict) else ""  # pyright: ignore[reportUnknownMemberType, reportUnknownArgumentType]


def sort(call: Call, outcomes: Sequence[Outcome]) -> tuple[list[Outcome], list[_Problem]]:
    """Parts what was done from what was refused, as the errors of a batch (§5.2.17)."""
    done = [outcome for outcome in outcomes if outcome.done != "refused"]
    refused = [_error(call, o.id, refusal(o)) for o in outcomes if o.done == "refused"]
    return done, refused


def _error(call: Call, id_: str, error: YunmengError) -> _Problem:
    return {"entityId": id_, "error": problem_document(error, call.language, etsi=True)}


def mixed(done: Sequence[Outcome], errors: Sequence[_Problem]) -> Response | None:
    """Answers 207 when something was refused (§5.2.16)."""
    if not errors:
        return None
    return json_reply({"success": [outcome.id for outcome in done], "errors": errors}, 207)

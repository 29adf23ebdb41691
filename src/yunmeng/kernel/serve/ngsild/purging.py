"""Purging: many entities, or attributes of many, by a query (ETSI GS CIM 009 §5.6.21, §6.4.3.3)."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from typing import Any

from starlette.responses import Response

from yunmeng.kernel.base import BadInput
from yunmeng.kernel.model import Delete, DeleteAttribute, Document, Operation, Outcome
from yunmeng.kernel.serve.heading import parameters_of
from yunmeng.kernel.serve.keeping import write
from yunmeng.kernel.serve.ngsild.batch import mixed, sort
from yunmeng.kernel.serve.ngsild.negotiation import request_context
from yunmeng.kernel.serve.ngsild.parameters import Page, expanded, names
from yunmeng.kernel.serve.ngsild.querying import check_width, read_query
from yunmeng.kernel.serve.ngsild.representation import decode_document
from yunmeng.kernel.serve.replies import empty_reply
from yunmeng.kernel.serve.routes import Call
from yunmeng.kernel.store import EntityQuery

_CHUNK = 500
_MEMBERS = frozenset(("id", "type", "scope", "createdAt", "modifiedAt", "deletedAt", "expiresAt"))


async def purge(call: Call) -> Response:
    """Deletes the entities that a query finds, or with ``keep`` and ``drop`` attributes of them."""
    parameters = parameters_of(call.request)
    context = await request_context(call)
    keep = frozenset(expanded(names(parameters.get("keep")), context))
    drop = frozenset(expanded(names(parameters.get("drop")), context))
    if keep and drop:
        raise BadInput("purge.keep-and-drop")
    if any("{" in parameters.get(name, "") for name in ("q", "pick", "omit", "keep", "drop", "attrs")):
        raise BadInput("purge.linked")
    asked = read_query(call, parameters, context, Page(_CHUNK, 0, count=False))
    check_width(parameters, context)
    done, refused = await _erase(call, asked, _eraser(keep, drop))
    return mixed(done, refused) or empty_reply()


def _eraser(keep: frozenset[str], drop: frozenset[str]) -> Callable[[Document], Iterable[Operation]]:
    def erase(document: Document) -> Iterator[Operation]:
        id_ = str(document["id"])
        if not keep and not drop:
            yield Delete(id_)
            return
        for name in document:
            if name not in _MEMBERS and (name in drop or (keep and name not in keep)):
                yield DeleteAttribute(id_, name, all=True)

    return erase


async def _erase(
    call: Call, asked: EntityQuery, erase: Callable[[Document], Iterable[Operation]]
) -> tuple[list[Outcome], list[dict[str, Any]]]:
    after, done, refused = "", list[Outcome](), list[dict[str, Any]]()
    while True:
        page = await call.services.state.query(replace(asked, limit=_CHUNK, after=after))
        documents = [decode_document(body) for body in page.documents]
        operations = [operation for document in documents for operation in erase(document)]
        if operations:
            more, errors = sort(call, await write(call, operations))
            done, refused = [*done, *more], [*refused, *errors]
        if len(documents) < _CHUNK:
            return done, refused
        after = str(documents[-1]["id"])

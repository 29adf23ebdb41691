"""What sources answer to reads, turned into stored documents."""

from collections.abc import Mapping
from typing import Any, cast

from yunmeng.kernel.base import BadInput, YunmengError
from yunmeng.kernel.model import Context, ContextLibrary, Document, expand_entity, expand_fragment
from yunmeng.kernel.serve.sources.forwarding import Answer
from yunmeng.kernel.serve.sources.views import Reading, View
from yunmeng.kernel.serve.sources.warnings import Warnings

_TIMES = ("createdAt", "modifiedAt", "deletedAt", "expiresAt", "instanceId")
_NO_ATTRIBUTES = frozenset(("id", "type", "scope", "@context", *_TIMES))


async def views_of(answer: Answer, contexts: ContextLibrary, warnings: Warnings, read: Reading) -> list[View]:
    """Returns the entities of an answer; what is no list of entities is left out whole, with a warning."""
    warnings.look(answer)
    if not answer.fine or not answer.body:
        return []
    value = answer.decoded()
    items = cast("list[object]", value) if isinstance(value, list) else [value]
    try:
        return [await _view(answer, item, contexts, read) for item in items]
    except YunmengError:
        warnings.invalid(answer)
        return []


async def _view(answer: Answer, item: object, contexts: ContextLibrary, read: Reading) -> View:
    body = cast("dict[str, Any]", item) if isinstance(item, dict) else {}
    if not isinstance(body.get("id"), str):
        raise BadInput("entity.no-id")
    context = answer.forward.context
    if "@context" in body:
        context = await contexts.resolve(body["@context"])
    return View(answer, body, context, read)


def entity_of(body: Mapping[str, Any], context: Context) -> Document:
    """Reads an entity, the times of the system too.

    Raises:
        BadInput: those of the model.
    """
    document = expand_entity(body, context)
    keep_times(body, document, context)
    return document


def evolution_of(body: Mapping[str, Any], context: Context) -> Document:
    """Reads an evolution (§4.5.6), deleted attributes too; scopes over time stand among the attributes."""
    scope = body.get("scope")
    dated = is_dated(scope)
    rest = {name: value for name, value in body.items() if not (dated and name == "scope")}
    document = expand_fragment(rest, context, temporal=True)
    if "id" not in document or "type" not in document:
        raise BadInput("entity.no-id")
    keep_times(rest, document, context)
    if dated:
        instances = cast("list[Document]", scope if isinstance(scope, list) else [scope])
        document["scope"] = [dict(one) for one in instances]
    return document


def is_dated(scope: object) -> bool:
    """Tells whether a scope is shown over time, as instances, and not as scopes alone (§4.18)."""
    items = cast("list[object]", scope) if isinstance(scope, list) else [scope]
    return any(isinstance(one, dict) for one in items)


def keep_times(body: Mapping[str, Any], document: Document, context: Context) -> None:
    """Takes over the times of the system, which are read from nobody but a source."""
    _take_times(body, document)
    for name, value in body.items():
        uri = context.expanded[name] if name not in _NO_ATTRIBUTES else ""
        given = cast("list[object]", value) if isinstance(value, list) else [value]
        for instance, one in zip(document.get(uri) or (), given, strict=False):
            _take_times(one, instance)


def _take_times(body: object, document: Document) -> None:
    if not isinstance(body, Mapping):
        return
    for name, value in cast("Mapping[str, Any]", body).items():
        if name in _TIMES and isinstance(value, str):
            document[name] = value

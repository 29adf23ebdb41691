"""What sources answer to reads, turned into stored documents."""

from collections.abc import Callable, Mapping
from typing import Any, cast

from yunmeng.kernel.base import BadInput, YunmengError
from yunmeng.kernel.model import Context, ContextLibrary, Document, expand_entity, expand_fragment
from yunmeng.kernel.serve.sources.forwarding import Answer
from yunmeng.kernel.serve.sources.warnings import Warnings

_TIMES = ("createdAt", "modifiedAt", "deletedAt", "expiresAt", "instanceId")
_NO_ATTRIBUTES = frozenset(("id", "type", "scope", "@context", *_TIMES))


async def entities_of(answer: Answer, contexts: ContextLibrary, warnings: Warnings) -> list[Document]:
    """Returns the entities of an answer; one that cannot be understood is left out whole, with a warning."""
    return await _documents(answer, contexts, warnings, _entity)


async def evolutions_of(answer: Answer, contexts: ContextLibrary, warnings: Warnings) -> list[Document]:
    """Returns the evolutions of an answer: entities with all instances of each attribute (§4.5.6)."""
    return await _documents(answer, contexts, warnings, _evolution)


async def _documents(
    answer: Answer,
    contexts: ContextLibrary,
    warnings: Warnings,
    read: Callable[[dict[str, Any], Context], Document],
) -> list[Document]:
    warnings.look(answer)
    if not answer.fine or not answer.body:
        return []
    value = answer.decoded()
    items = cast("list[object]", value) if isinstance(value, list) else [value]
    found: list[Document] = []
    try:
        for item in items:
            body = cast("dict[str, Any]", item) if isinstance(item, dict) else {}
            inline = "@context" in body
            context = await contexts.resolve(body["@context"]) if inline else answer.forward.context
            found.append(read(body, context))
    except YunmengError:
        warnings.invalid(answer)
        return []
    return found


def _entity(body: dict[str, Any], context: Context) -> Document:
    document = expand_entity(body or None, context)
    keep_times(body, document, context)
    return document


def _evolution(body: dict[str, Any], context: Context) -> Document:
    """Reads an evolution, deleted attributes in it too; scopes over time stand among the attributes."""
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

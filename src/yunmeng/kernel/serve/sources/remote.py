"""What sources answer to reads, turned into stored documents."""

from collections.abc import Sequence
from typing import Any, cast

from yunmeng.kernel.base import YunmengError
from yunmeng.kernel.model import Context, ContextLibrary, Document, expand_entity
from yunmeng.kernel.serve.sources.forwarding import Answer
from yunmeng.kernel.serve.sources.warnings import Warnings

_TIMES = ("createdAt", "modifiedAt", "expiresAt")


async def entities_of(answer: Answer, contexts: ContextLibrary, warnings: Warnings) -> list[Document]:
    """Returns the entities of an answer; one that cannot be understood is left out whole, with a warning."""
    warnings.look(answer)
    if not answer.fine:
        return []
    if not answer.body:
        return []
    value = answer.decoded()
    items = cast("list[object]", value) if isinstance(value, list) else [value]
    try:
        return [await _document(item, answer.forward.context, contexts) for item in items]
    except YunmengError:
        warnings.invalid(answer)
        return []


async def _document(item: object, context: Context, contexts: ContextLibrary) -> Document:
    if isinstance(item, dict) and "@context" in item:
        context = await contexts.resolve(cast("dict[str, Any]", item)["@context"])
    document = expand_entity(item, context)
    body = cast("dict[str, Any]", item)
    _keep_times(body, document)
    for name, value in body.items():
        uri = context.expanded[name] if name not in ("id", "type", "scope", "@context", *_TIMES) else ""
        instances = document.get(uri)
        given: Sequence[Any] = value if isinstance(value, list) else [value]
        for instance, one in zip(instances or (), given, strict=False):
            if isinstance(one, dict):
                _keep_times(cast("dict[str, Any]", one), instance)
    return document


def _keep_times(body: dict[str, Any], document: Document) -> None:
    for name in _TIMES:
        if isinstance(body.get(name), str):
            document[name] = body[name]

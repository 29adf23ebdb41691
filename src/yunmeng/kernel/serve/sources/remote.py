"""What sources answer to reads, turned into stored documents."""

from collections.abc import Mapping
from typing import Any, cast

from yunmeng.kernel.base import YunmengError
from yunmeng.kernel.model import Context, ContextLibrary, Document, expand_entity
from yunmeng.kernel.serve.sources.forwarding import Answer
from yunmeng.kernel.serve.sources.warnings import Warnings

_TIMES = ("createdAt", "modifiedAt", "expiresAt")
_NO_ATTRIBUTES = frozenset(("id", "type", "scope", "@context", *_TIMES))


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
    body = cast("dict[str, Any]", item) if isinstance(item, dict) else {}
    if "@context" in body:
        context = await contexts.resolve(body["@context"])
    document = expand_entity(body or None, context)
    keep_times(body, document, context)
    return document


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

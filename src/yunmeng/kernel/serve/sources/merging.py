"""Views of one entity from several places made into one (ETSI GS CIM 009 §4.3.6.2, §4.5.5)."""

from collections.abc import Iterable
from typing import Any

from yunmeng.kernel.model import Document

_MEMBERS = frozenset(("id", "type", "scope", "createdAt", "modifiedAt", "expiresAt"))


def merged(views: Iterable[Document], extra: Iterable[Document] = ()) -> Document | None:
    """Returns the entity that the views show together, None without any view.

    Of each attribute instance the newest counts (observedAt, else modifiedAt; the first view wins a tie).
    ``extra`` are views of auxiliary sources: they add attributes that no other view has.
    """
    found: Document | None = None
    for view in views:
        found = dict(view) if found is None else _both(found, view)
    own = set(found or ())
    for view in extra:
        rest = {name: value for name, value in view.items() if name in _MEMBERS or name not in own}
        found = rest if found is None else _both(found, rest)
    return found


def _both(one: Document, two: Document) -> Document:
    found = dict(one)
    for name, value in two.items():
        if name not in found:
            found[name] = value
        elif name in ("type", "scope"):
            found[name] = list(dict.fromkeys([*found[name], *value]))
        elif name == "createdAt":
            found[name] = min(found[name], value)
        elif name in ("modifiedAt", "expiresAt"):
            found[name] = max(found[name], value)
        elif name not in _MEMBERS:
            found[name] = _instances(found[name], value)
    return found


def _instances(one: list[Document], two: list[Document]) -> list[Document]:
    found = {instance.get("datasetId", ""): instance for instance in one}
    for instance in two:
        dataset = instance.get("datasetId", "")
        if dataset not in found or _age(instance) > _age(found[dataset]):
            found[dataset] = instance
    return list(found.values())


def _age(instance: Document) -> tuple[str, str]:
    return str(instance.get("observedAt", "")), str(instance.get("modifiedAt", ""))


def without(document: Document, attributes: frozenset[str]) -> Document:
    """Returns a document without these attributes."""
    return {name: value for name, value in document.items() if name not in attributes}


def only(document: Document, attributes: frozenset[str]) -> Document:
    """Returns a document with these attributes only; with all of them when none is named."""
    if not attributes:
        return document
    return {name: value for name, value in document.items() if name in _MEMBERS or name in attributes}


def bare(document: Document) -> bool:
    """Tells whether a document has no attribute."""
    return not document.keys() - _MEMBERS


def attributes_of(document: dict[str, Any]) -> frozenset[str]:
    """Returns the names of a document's attributes."""
    return frozenset(document.keys() - _MEMBERS)

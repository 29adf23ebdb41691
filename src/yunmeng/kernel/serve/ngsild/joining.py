"""Linked entities, inside the entity or beside it (ETSI GS CIM 009 §4.5.23)."""

from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, cast

from yunmeng.kernel.model import Document, is_array, is_object
from yunmeng.kernel.serve.ngsild.projection import Tree
from yunmeng.kernel.serve.ngsild.representation import View

Fetch = Callable[[Sequence[str]], Awaitable[Mapping[str, Document]]]
"""Returns the entities of these ids, by id, as far as the reader may see them."""

_KINDS = {"Relationship": "object", "ListRelationship": "objectList"}


async def joined(fetch: Fetch, documents: list[Document], view: View) -> list[dict[str, Any]]:
    """Shows entities with what they are linked to, ``view.join_level`` steps deep."""
    shown = [view.of(document) for document in documents]
    if view.join == "flat":
        return [*shown, *await _beside(fetch, documents, view)]
    for document, row in zip(documents, shown, strict=True):
        await _inside(fetch, document, row, view, (str(document["id"]),))
    return shown


async def _beside(fetch: Fetch, documents: list[Document], view: View) -> list[dict[str, Any]]:
    seen = {str(document["id"]) for document in documents}
    rows: list[dict[str, Any]] = []
    level = [(document, view) for document in documents]
    for _ in range(view.join_level):
        found: list[tuple[Document, View]] = []
        for document, above in level:
            for uri, ids in _links(document, above):
                fresh = [id_ for id_ in ids if id_ not in seen]
                seen.update(fresh)
                found.extend((one, _below(above, uri)) for one in (await fetch(fresh)).values())
        rows.extend(below.of(document) for document, below in found)
        level = found
    return rows


async def _inside(
    fetch: Fetch, document: Document, row: dict[str, Any], view: View, path: tuple[str, ...]
) -> None:
    if len(path) > view.join_level:
        return
    for uri, ids in _links(document, view):
        name = view.context.compact(uri)
        below = _below(view, uri)
        nested: dict[str, Any] = {}
        for id_, linked in (await fetch([id_ for id_ in ids if id_ not in path])).items():
            nested[id_] = below.of(linked)
            await _inside(fetch, linked, nested[id_], below, (*path, id_))
        if nested and name in row:
            row[name] = _with(row[name], nested, simple=view.representation.endswith("simplified"))


def _with(value: Any, nested: Mapping[str, Any], *, simple: bool) -> Any:
    if is_array(value):
        return [_with(item, nested, simple=simple) for item in value]
    if isinstance(value, str):
        return nested.get(value, value) if simple else value
    if not is_object(value):
        return value
    if simple:
        return {key: _with(item, nested, simple=True) for key, item in value.items()}
    return _reified(value, nested)


def _reified(value: dict[str, Any], nested: Mapping[str, Any]) -> dict[str, Any]:
    target = value.get("object")
    if isinstance(target, str):
        return {**value, "entity": nested[target]} if target in nested else value
    listed: list[Any] = target if is_array(target) else cast("list[Any]", value.get("objectList", []))
    ids = [item["object"] if is_object(item) else item for item in listed]
    found = [nested[id_] for id_ in ids if id_ in nested]
    member = "entity" if is_array(target) else "entityList"
    return {**value, member: found} if found else value


def _links(document: Document, view: View) -> Iterator[tuple[str, list[str]]]:
    """Yields the relationships that the view shows, with the ids that they point to."""
    for uri, instances in document.items():
        if not is_array(instances) or uri in view.omit or (view.pick and uri not in view.pick):
            continue
        ids = [id_ for one in instances if is_object(one) for id_ in _targets(one)]
        if ids:
            yield uri, list(dict.fromkeys(ids))


def _targets(instance: dict[str, Any]) -> list[str]:
    value = instance.get(_KINDS.get(instance.get("type", ""), ""))
    items: list[Any] = value if is_array(value) else [value]
    ids = [item.get("object") if is_object(item) else item for item in items]
    return [id_ for id_ in ids if isinstance(id_, str)]


def _below(view: View, uri: str) -> View:
    """Returns how what a relationship leads to is shown: as its own braces say, else whole."""
    pick, omit = view.pick_tree.get(uri, _NOTHING), view.omit_tree.get(uri, _NOTHING)
    return replace(
        view,
        attrs=frozenset(),
        pick=frozenset(pick),
        omit=frozenset(name for name, below in omit.items() if not below),
        pick_tree=pick,
        omit_tree=omit,
    )


_NOTHING: Tree = {}

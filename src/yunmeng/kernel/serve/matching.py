"""Which subscriptions a change concerns, and what each is told about it (ETSI GS CIM 009 §5.8.6)."""

from collections.abc import Collection, Iterator
from typing import Any
from uuid import uuid4

from yunmeng.kernel.base import format_us, now_us
from yunmeng.kernel.model import (
    VALUE_MEMBERS,
    Change,
    Document,
    TypeAll,
    TypeIs,
    TypeSelection,
    compact_entity,
    is_array,
    is_object,
    matches,
    matches_geo,
    matches_scopes,
    matches_types,
)
from yunmeng.kernel.serve.ngsild.negotiation import link_header
from yunmeng.kernel.serve.replies import GEO_JSON, JSON, LD_JSON
from yunmeng.kernel.serve.watching import Selector, Watch
from yunmeng.kernel.trust import Reach

_MEMBERS = frozenset(("id", "type", "scope", "createdAt", "modifiedAt", "deletedAt", "expiresAt"))
_NULL = "urn:ngsi-ld:null"
_ANY = ""
_NONE: dict[str, Watch] = {}


class Watches:
    """All subscriptions, found by the types that they name."""

    def __init__(self) -> None:
        self._all: dict[tuple[str, str], Watch] = {}
        self._by_type: dict[tuple[str, str], dict[str, Watch]] = {}
        self._series: dict[tuple[str, str, str, str], tuple[Watch, ...]] = {}

    def put(self, watch: Watch) -> None:
        """Adds or replaces one."""
        self.drop(watch.tenant, watch.id)
        self._all[watch.tenant, watch.id] = watch
        for uri in _types_of(watch):
            self._by_type.setdefault((watch.tenant, uri), {})[watch.id] = watch
        self._series.clear()

    def drop(self, tenant: str, id_: str) -> None:
        """Removes one; it may be gone already."""
        watch = self._all.pop((tenant, id_), None)
        if watch is None:
            return
        for uri in _types_of(watch):
            found = self._by_type[tenant, uri]
            del found[id_]
            if not found:
                del self._by_type[tenant, uri]
        self._series.clear()

    def find(self, tenant: str, id_: str) -> Watch | None:
        """Returns one."""
        return self._all.get((tenant, id_))

    def __iter__(self) -> Iterator[Watch]:
        return iter(tuple(self._all.values()))

    def __len__(self) -> int:
        return len(self._all)

    def about(self, tenant: str, entity: str, types: Collection[str]) -> Iterator[Watch]:
        """Yields those that watch an entity of these types."""
        seen: set[str] = set()
        for uri in (*types, _ANY):
            for watch in tuple(self._by_type.get((tenant, uri), _NONE).values()):
                if watch.id not in seen and selected(watch, entity, types):
                    seen.add(watch.id)
                    yield watch

    def about_series(self, tenant: str, entity: str, type_: str, attribute: str) -> tuple[Watch, ...]:
        """Returns those that watch this attribute of this entity; remembered, since series recur."""
        key = (tenant, entity, type_, attribute)
        found = self._series.get(key)
        if found is None:
            found = tuple(
                watch
                for watch in self.about(tenant, entity, (type_,))
                if (not watch.watched or attribute in watch.watched) and "attributeUpdated" in watch.triggers
            )
            if len(self._series) >= 1_000_000:
                self._series.clear()
            self._series[key] = found
        return found


def _types_of(watch: Watch) -> set[str]:
    """Returns the types of which an entity needs one; none where time alone decides."""
    if watch.interval_s:
        return set()
    uris: set[str] = set()
    for selector in watch.selectors:
        if selector.types is None:
            return {_ANY}
        uris.update(_leaves(selector.types))
    return uris or {_ANY}


def _leaves(selection: TypeSelection) -> Iterator[str]:
    match selection:
        case TypeIs(uri):
            yield uri
        case TypeAll(parts):
            # an entity needs all of them, so finding it by one is enough
            yield from _leaves(parts[0])
        case _:
            for part in selection.parts:
                yield from _leaves(part)


def selected(watch: Watch, entity: str, types: Collection[str]) -> bool:
    """Tells whether an entity is one of those that the subscription names."""
    return not watch.selectors or any(_fits(one, entity, types) for one in watch.selectors)


def _fits(selector: Selector, entity: str, types: Collection[str]) -> bool:
    if selector.ids and entity not in selector.ids:
        return False
    if selector.id_pattern is not None and not selector.id_pattern.search(entity):
        return False
    return selector.types is None or matches_types({"type": list(types)}, selector.types)


def triggered(watch: Watch, change: Change) -> bool:
    """Tells whether a change is of a kind that the subscription asked for."""
    if change.kind == "created" and "entityCreated" in watch.triggers:
        return _touches(watch, change)
    if change.kind == "deleted":
        return bool(watch.triggers & {"entityDeleted", "attributeDeleted"}) and _touches(watch, change)
    return any(
        not watch.triggers.isdisjoint(_kinds(change, attribute))
        for attribute in change.attributes
        if not watch.watched or attribute in watch.watched
    )


def _touches(watch: Watch, change: Change) -> bool:
    return not watch.watched or not watch.watched.isdisjoint(change.attributes)


def _kinds(change: Change, attribute: str) -> set[str]:
    """Returns what happened to an attribute: each of its instances may have another fate (§4.5.5)."""
    before, after = _instances(change.before, attribute), _instances(change.after, attribute)
    kinds = {"attributeCreated"} if after.keys() - before.keys() else set[str]()
    if before.keys() - after.keys():
        kinds.add("attributeDeleted")
    if not kinds or any(before[name] != after[name] for name in before.keys() & after.keys()):
        kinds.add("attributeUpdated")
    return kinds


def _instances(document: Document, attribute: str) -> dict[str, Document]:
    """Returns the instances of an attribute by their dataset, empty for the default one."""
    found = document.get(attribute, ())
    # an entity's own members, such as its scope, have no instances
    return {one.get("datasetId", ""): one for one in found} if attribute not in _MEMBERS else {"": found}


def within(division: str, reach: Reach) -> bool:
    """Tells whether a division lies within the reach."""
    return reach.prefixes is None or division.startswith(reach.prefixes)


def fulfils(watch: Watch, document: Document) -> bool:
    """Tells whether the entity as it is now is what the subscription's conditions ask for."""
    return (
        (watch.condition is None or matches(document, watch.condition))
        and (watch.geo is None or matches_geo(document, watch.geo))
        and (watch.scope is None or matches_scopes(document, watch.scope))
    )


def tell(
    watch: Watch, document: Document, hidden: Collection[str], change: Change | None = None
) -> dict[str, Any]:
    """Returns the entity as the subscription wants it shown."""
    if change is not None and change.kind == "deleted":
        return _tell_deleted(watch, change, hidden)
    document = told(document, hidden, change)
    shown = watch.view.of(document)
    return _with_previous(watch, shown, change) if change is not None and watch.show_changes else shown


def told(document: Document, hidden: Collection[str], change: Change | None = None) -> Document:
    """Returns an entity without what is hidden, and with a null for every instance that has gone (§5.2.2)."""
    if hidden:
        document = {name: value for name, value in document.items() if name not in hidden}
    if change is None:
        return document
    gone = {uri: _gone(change, uri) for uri in change.attributes if uri not in hidden and uri not in _MEMBERS}
    removed = {uri: [*document.get(uri, ()), *rows] for uri, rows in gone.items() if rows}
    return {**document, **removed} if removed else document


def _gone(change: Change, uri: str) -> list[Document]:
    """Returns the nulls for instances that have gone; one stands for all if none is left (§5.6.5)."""
    before, after = _instances(change.before, uri), _instances(change.after, uri)
    gone = [_deleted(one, change.at) for name, one in before.items() if name not in after]
    if after or len(gone) < 2:
        return gone
    return [{name: value for name, value in gone[0].items() if name != "datasetId"}]


def _deleted(instance: Document, at: str) -> Document:
    """Returns what tells of an instance that it is gone, in the kind that it had."""
    kind = instance["type"]
    value = {"@none": _NULL} if kind == "LanguageProperty" else _NULL
    kept = {name: instance[name] for name in ("datasetId", "createdAt", "modifiedAt") if name in instance}
    return {"type": kind, VALUE_MEMBERS[kind]: value, **kept, "deletedAt": at}


def _tell_deleted(watch: Watch, change: Change, hidden: Collection[str]) -> dict[str, Any]:
    """Returns what tells that an entity is gone (§5.8.6).

    Who watches for attributes that go learns which went with it, who asked for changes also what they were.
    """
    times = {name: change.before[name] for name in ("createdAt", "modifiedAt") if name in change.before}
    head: Document = {"id": change.entity, "type": list(change.types), **times}
    if not watch.show_changes:
        wanted = watch.watched or change.attributes if "attributeDeleted" in watch.triggers else ()
        hidden = {uri for uri in change.attributes if uri not in wanted} | set(hidden)
    shown = watch.view.of(told(head, hidden, change))
    if watch.show_changes:
        shown = _with_previous(watch, shown, change)
    shown.get("properties", shown)["deletedAt"] = change.at
    return shown


def _with_previous(watch: Watch, shown: dict[str, Any], change: Change) -> dict[str, Any]:
    """Adds to what has changed the value that it had before (§4.5.2, §5.2.14)."""
    for uri in change.attributes:
        name = watch.context.compact(uri)
        if uri in _MEMBERS or name not in shown:
            continue
        before = _instances(change.before, uri)
        rows: list[Any] = shown[name] if is_array(shown[name]) else [shown[name]]
        for row in filter(is_object, rows):
            old = before.get(row.get("datasetId", ""))
            if old is not None:
                row.update(_previous(watch, uri, old))
    return shown


def _previous(watch: Watch, uri: str, old: Document) -> dict[str, Any]:
    member = VALUE_MEMBERS[old["type"]]
    plain = {uri: [{"type": old["type"], member: old[member]}]}
    value = compact_entity(plain, watch.context)[watch.context.compact(uri)][member]
    return {f"previous{member[0].upper()}{member[1:]}": value}


def notification(watch: Watch, rows: list[Any]) -> dict[str, Any]:
    """Returns the body of one notification (§5.3.1)."""
    linked_data = watch.endpoint.media == LD_JSON
    data: Any = [{**row, "@context": watch.context.member} for row in rows] if linked_data else rows
    if watch.endpoint.media == GEO_JSON:
        data = {"type": "FeatureCollection", "features": rows}
    return {
        **({"@context": watch.context.member} if linked_data else {}),
        "id": f"urn:ngsi-ld:Notification:{uuid4()}",
        "type": "Notification",
        "subscriptionId": watch.id,
        "notifiedAt": format_us(now_us()),
        "data": data,
    }


def headers_of(watch: Watch) -> dict[str, str]:
    """Returns the headers of a notification (§6.3.8)."""
    headers = {"Content-Type": watch.endpoint.media, "Accept": JSON}
    if watch.endpoint.media != LD_JSON and watch.context.link:
        headers["Link"] = link_header(watch.context.link)
    if watch.tenant:
        headers["NGSILD-Tenant"] = watch.tenant
    return {**headers, **dict(watch.endpoint.receiver)}

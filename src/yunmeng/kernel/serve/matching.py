"""Which subscriptions a change concerns, and what each is told about it (ETSI GS CIM 009 §5.8.6)."""

from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any

from yunmeng.kernel.base import format_us, now_us
from yunmeng.kernel.model import (
    VALUE_MEMBERS,
    Change,
    Document,
    Representation,
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
from yunmeng.kernel.serve.watching import Selector, Watch
from yunmeng.kernel.trust import Reach

_MEMBERS = frozenset(("id", "type", "scope", "createdAt", "modifiedAt", "deletedAt", "expiresAt"))
_NULL = "urn:ngsi-ld:null"


class Watches:
    """All subscriptions, found by the types that they name."""

    def __init__(self, watches: Iterable[Watch] = ()) -> None:
        self._all: dict[tuple[str, str], Watch] = {}
        self._by_type: dict[tuple[str, str], list[Watch]] = {}
        self._any_type: dict[str, list[Watch]] = {}
        self._series: dict[tuple[str, str, str, str], tuple[Watch, ...]] = {}
        for watch in watches:
            self._all[watch.tenant, watch.id] = watch
        self._index()

    def put(self, watch: Watch) -> None:
        """Adds or replaces one."""
        self._all[watch.tenant, watch.id] = watch
        self._index()

    def drop(self, tenant: str, id_: str) -> None:
        """Removes one; it may be gone already."""
        if self._all.pop((tenant, id_), None) is not None:
            self._index()

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
        for found in (
            *(self._by_type.get((tenant, uri), ()) for uri in types),
            self._any_type.get(tenant, ()),
        ):
            for watch in found:
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

    def _index(self) -> None:
        self._by_type.clear()
        self._any_type.clear()
        self._series.clear()
        for watch in self._all.values():
            if watch.interval_s:
                continue
            uris = _types_of(watch)
            if uris is None:
                self._any_type.setdefault(watch.tenant, []).append(watch)
            for uri in uris or ():
                self._by_type.setdefault((watch.tenant, uri), []).append(watch)


def _types_of(watch: Watch) -> set[str] | None:
    """Returns the types of which an entity needs one, None when any will do."""
    uris: set[str] = set()
    for selector in watch.selectors:
        if selector.types is None:
            return None
        uris.update(_leaves(selector.types))
    return uris or None


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
        _kind(change, attribute) in watch.triggers
        for attribute in change.attributes
        if not watch.watched or attribute in watch.watched
    )


def _touches(watch: Watch, change: Change) -> bool:
    return not watch.watched or not watch.watched.isdisjoint(change.attributes)


def _kind(change: Change, attribute: str) -> str:
    if attribute not in change.after:
        return "attributeDeleted"
    return "attributeUpdated" if attribute in change.before else "attributeCreated"


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
    if hidden:
        document = {name: value for name, value in document.items() if name not in hidden}
    if change is not None:
        document = {**document, **_removed(change, hidden)}
    shown = _shown(watch, document)
    return _with_previous(watch, shown, change) if change is not None and watch.show_changes else shown


def _shown(watch: Watch, document: Document) -> dict[str, Any]:
    return compact_entity(
        document,
        watch.context,
        _representation(watch),
        sysattrs=watch.sysattrs,
        attrs=watch.attributes,
        pick=watch.pick,
        omit=watch.omit,
        lang=watch.lang,
        dataset_ids=watch.dataset_ids,
    )


def _tell_deleted(watch: Watch, change: Change, hidden: Collection[str]) -> dict[str, Any]:
    """Returns what tells that an entity is gone; who asked for changes learns what it had (§5.2.14)."""
    names = [watch.context.compact(uri) for uri in change.types]
    head = {"id": change.entity, "type": names[0] if len(names) == 1 else names, "deletedAt": change.at}
    if not watch.show_changes:
        return head
    gone = {"id": change.entity, "type": list(change.types), **_removed(change, hidden)}
    return {**_with_previous(watch, _shown(watch, gone), change), "deletedAt": change.at}


def _with_previous(watch: Watch, shown: dict[str, Any], change: Change) -> dict[str, Any]:
    """Adds to what has changed the value that it had before (§4.5.2, §5.2.14)."""
    for uri in change.attributes:
        name = watch.context.compact(uri)
        if uri in _MEMBERS or name not in shown:
            continue
        before = {one.get("datasetId", ""): one for one in change.before.get(uri, ())}
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


def _representation(watch: Watch) -> Representation:
    simple = watch.representation == "simplified"
    if watch.endpoint.media == "application/geo+json":
        return "geojson-simplified" if simple else "geojson"
    return "simplified" if simple else "concise" if watch.representation == "concise" else "normalized"


def _removed(change: Change, hidden: Collection[str]) -> dict[str, Any]:
    gone = [
        uri
        for uri in change.attributes
        if uri not in change.after and uri not in hidden and uri not in _MEMBERS
    ]
    return {uri: [_deleted(change, uri)] for uri in gone}


def _deleted(change: Change, uri: str) -> dict[str, Any]:
    """Returns what tells of an attribute that it is gone, in the kind that it had (§5.2.2)."""
    kind = next((one["type"] for one in change.before.get(uri, ())), "Property")
    value = {"@none": _NULL} if kind == "LanguageProperty" else _NULL
    return {"type": kind, VALUE_MEMBERS[kind]: value}


def notification(watch: Watch, id_: str, rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Returns the body of one notification (§5.3.1)."""
    data: Any = rows
    if watch.endpoint.media == "application/geo+json":
        data = {"type": "FeatureCollection", "features": rows}
    body: dict[str, Any] = {
        "id": id_,
        "type": "Notification",
        "subscriptionId": watch.id,
        "notifiedAt": format_us(now_us()),
        "data": data,
    }
    return (
        {"@context": watch.context.member, **body} if watch.endpoint.media == "application/ld+json" else body
    )


def headers_of(watch: Watch) -> Mapping[str, str]:
    """Returns the headers of a notification (§6.3.8)."""
    headers = {"Content-Type": watch.endpoint.media, "Accept": "application/json"}
    if watch.endpoint.media != "application/ld+json" and watch.context.link:
        relation = "http://www.w3.org/ns/json-ld#context"
        headers["Link"] = f'<{watch.context.link}>; rel="{relation}"; type="application/ld+json"'
    if watch.tenant:
        headers["NGSILD-Tenant"] = watch.tenant
    return {**headers, **dict(watch.endpoint.headers)}

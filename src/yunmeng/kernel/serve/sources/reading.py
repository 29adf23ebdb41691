"""Reads of the state that look beyond this node: what sources hold is merged in (§4.3.6, §5.7)."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import quote

import msgspec

from yunmeng.kernel.model import (
    DIVISION,
    Condition,
    Context,
    ContextLibrary,
    Document,
    TypeSelection,
    matches,
    matches_geo,
    matches_scopes,
    matches_types,
)
from yunmeng.kernel.serve.sources.forwarding import Forward, Forwarder, Origin, forward_context
from yunmeng.kernel.serve.sources.matching import Match, Need, leaves, matching
from yunmeng.kernel.serve.sources.merging import bare, merged, only, without
from yunmeng.kernel.serve.sources.registration import Registration
from yunmeng.kernel.serve.sources.remote import entities_of
from yunmeng.kernel.serve.sources.warnings import Warnings
from yunmeng.kernel.serve.sources.writing_down import geo_parameters, q_text, scope_text, type_text
from yunmeng.kernel.store import EntityPage, EntityQuery, Record, StateReader, Summary
from yunmeng.kernel.trust import Reach

_PAGE = 1000
_FEW = 100
_MOST_PAGES = 10

_encode = msgspec.json.Encoder().encode
_document = msgspec.json.Decoder(Document).decode


@dataclass(frozen=True, slots=True)
class Asking:
    """What the request says beside the query itself: its names, and which sources may be asked."""

    context: Context
    attributes: frozenset[str] = frozenset()
    csf: Condition | None = None
    split: bool = False


@dataclass(frozen=True, slots=True)
class FederatedState:
    """A state reader over this node and its sources, for one request."""

    local: StateReader
    registrations: Sequence[Registration]
    forwarder: Forwarder
    origin: Origin
    contexts: ContextLibrary
    asking: Asking
    warnings: Warnings
    home: str
    consulted: dict[str, frozenset[str]] = field(default_factory=dict[str, frozenset[str]])

    async def get(self, reach: Reach, id: str) -> bytes | None:
        """Returns the entity as this node and its sources show it together."""
        need = Need(frozenset((id,)), attributes=self.asking.attributes, csf=self.asking.csf)
        found = [one for one in matching(self.registrations, need) if _readable(one)]
        body = await self.local.get(reach, id)
        if not found:
            return body
        views = await self._views(found, EntityQuery(reach, ids=(id,)), retrieve=id)
        document = self._merge(id, _document(body) if body is not None else None, found, views, reach)
        return _encode(document) if document is not None else None

    async def query(self, query: EntityQuery) -> EntityPage:
        """Returns the page of entities that this node and its sources show together."""
        found = [one for one in matching(self.registrations, self._need(query)) if _readable(one)]
        if not found:
            return await self.local.query(query)
        wide = _unfiltered(query) if self.asking.split else query
        most = query.offset + query.limit
        own = await self.local.query(replace(wide, offset=0, limit=max(most, 1)))
        views = await self._views(found, wide, most=0 if query.count else most)
        documents = await self._together(own, found, views, wide)
        if self.asking.split:
            documents = [one for one in documents if fulfils(one, query)]
        documents.sort(key=lambda one: str(one["id"]))
        count = await self._count(wide, own, documents) if query.count else None
        page = documents[query.offset : most] if query.limit else []
        return EntityPage([_encode(one) for one in page], count)

    async def _together(
        self, own: EntityPage, found: list[Match], views: Sequence[list[Document]], query: EntityQuery
    ) -> list[Document]:
        """Merges each entity's views; this node's part counts also where the query does not find it."""
        mine = {str(one["id"]): one for one in map(_document, own.documents)}
        theirs = {str(one["id"]) for view in views for one in view}
        rest = sorted(theirs - mine.keys())
        for start in range(0, len(rest), _PAGE):
            some = tuple(rest[start : start + _PAGE])
            page = await self.local.query(EntityQuery(query.reach, ids=some, limit=_PAGE))
            mine |= {str(one["id"]): one for one in map(_document, page.documents)}
        by_id: list[dict[str, list[Document]]] = []
        for view in views:
            held: dict[str, list[Document]] = {}
            for one in view:
                held.setdefault(str(one["id"]), []).append(one)
            by_id.append(held)
        documents: list[Document] = []
        for id_ in mine.keys() | theirs:
            parts = [held.get(id_, []) for held in by_id]
            document = self._merge(id_, mine.get(id_), found, parts, query.reach)
            if document is not None:
                documents.append(document)
        return documents

    async def _count(self, query: EntityQuery, own: EntityPage, documents: list[Document]) -> int:
        """Counts entities once each, wherever they are held."""
        if self.asking.split:
            return len(documents)
        total = (await self.local.query(replace(query, offset=0, limit=0, count=True))).count or 0
        here = {str(_document(body)["id"]) for body in own.documents}
        beyond = tuple(str(one["id"]) for one in documents if str(one["id"]) not in here)
        both = 0
        for start in range(0, len(beyond), _PAGE):
            some = beyond[start : start + _PAGE]
            counted = await self.local.query(replace(query, ids=some, offset=0, limit=0, count=True))
            both += counted.count or 0
        return total + len(beyond) - both

    def _merge(
        self,
        id_: str,
        mine: Document | None,
        found: list[Match],
        views: Sequence[list[Document]],
        reach: Reach,
    ) -> Document | None:
        normal: list[Document] = []
        extra: list[Document] = []
        for match, view in zip(found, views, strict=True):
            shown = [only(one, match.attributes) for one in view if within(one, reach, self.home)]
            (extra if match.registration.mode == "auxiliary" else normal).extend(shown)
        if mine is not None:
            mine = _own_part(mine, id_, self.registrations, self.asking.csf)
        self.consulted[id_] = frozenset(
            match.registration.id for match, view in zip(found, views, strict=True) if view
        )
        return merged([one for one in (mine, *normal) if one is not None], extra)

    def _need(self, query: EntityQuery) -> Need:
        return Need(
            frozenset(query.ids),
            query.id_pattern,
            leaves(query.types),
            frozenset(query.attributes) | self.asking.attributes,
            self.asking.csf,
            query.geo,
            query.scope,
        )

    async def _views(
        self, found: list[Match], query: EntityQuery, *, retrieve: str = "", most: int = 0
    ) -> list[list[Document]]:
        """Asks all sources side by side; what a source does not answer is a warning."""
        forwards = [self._forward(match, query, retrieve, most) for match in found]
        answers = await self.forwarder.send_all(forwards, self.origin)
        views = [await entities_of(answer, self.contexts, self.warnings) for answer in answers]
        for place, forward in enumerate(forwards):
            await self._further(forward, views[place], most)
        return views

    async def _further(self, forward: Forward, view: list[Document], most: int) -> None:
        """Turns the pages of a source that has more than one of them."""
        limit = int(forward.parameters.get("limit", "0"))
        for page in range(1, _MOST_PAGES):
            if not limit or len(view) < limit * page or (most and len(view) >= most):
                return
            parameters = {**forward.parameters, "offset": str(limit * page)}
            answer = await self.forwarder.send(replace(forward, parameters=parameters), self.origin)
            view.extend(await entities_of(answer, self.contexts, self.warnings))

    def _forward(self, match: Match, query: EntityQuery, retrieve: str, most: int) -> Forward:
        registration = match.registration
        context = forward_context(registration, self.asking.context) or self.contexts.core
        attributes = ",".join(sorted(map(context.compact, match.attributes)))
        shared = {"attrs": attributes} if attributes else {}
        shared["options"] = "sysAttrs"
        if registration.local_only:
            shared["local"] = "true"
        if retrieve and "retrieveEntity" in registration.operations:
            return Forward(registration, "GET", f"/entities/{quote(retrieve, safe=':')}", context, shared)
        limit = 0 if retrieve else min(max(most or _PAGE, _FEW), _PAGE)
        if limit:
            shared["limit"] = str(limit)
        asked = _asked(match, query, context)
        if "queryEntity" in registration.operations:
            parameters = {**_plain(asked), **shared}
            return Forward(registration, "GET", "/entities", context, parameters)
        body = _query_body(asked, attributes)
        shared.pop("attrs", None)
        return Forward(registration, "POST", "/entityOperations/query", context, shared, body)

    async def types(self, reach: Reach) -> Mapping[str, int]:
        """Returns how many entities of each type there are; a source that only names types counts as none."""
        counts = Counter(await self.local.types(reach))
        found = [one for one in self.registrations if "retrieveEntityTypes" in one.operations]
        forwards = [
            Forward(one, "GET", "/types", forward_context(one, self.asking.context) or self.contexts.core)
            for one in found
        ]
        for answer in await self.forwarder.send_all(forwards, self.origin):
            self.warnings.look(answer)
            listed: Any = answer.decoded() if answer.fine else None
            names = listed.get("typeList", ()) if isinstance(listed, dict) else ()  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]
            for name in names:  # pyright: ignore[reportUnknownVariableType]
                if isinstance(name, str):
                    counts[answer.forward.context.expand(name)] += 0
        return counts

    async def last(self, reach: Reach, entity: str, attribute: str) -> tuple[int, float | str | None] | None:
        """Returns the last telemetry value of this node."""
        return await self.local.last(reach, entity, attribute)

    async def summary(
        self, reach: Reach, type: str, attribute: str, method: Summary, digits: int = 6
    ) -> Mapping[str, tuple[int, float | None]]:
        """Returns the summary over this node."""
        return await self.local.summary(reach, type, attribute, method, digits)

    async def record(self, kind: str, tenant: str, id: str) -> Record | None:
        """Returns one record of this node."""
        return await self.local.record(kind, tenant, id)

    async def records(self, kind: str, tenant: str | None = None) -> Sequence[Record]:
        """Returns the records of a kind on this node."""
        return await self.local.records(kind, tenant)

    async def close(self) -> None:
        """Leaves this node's reader open: it is not this request's alone."""


def _readable(match: Match) -> bool:
    return not match.registration.operations.isdisjoint(("retrieveEntity", "queryEntity", "queryBatch"))


def _own_part(
    mine: Document, id_: str, registrations: Sequence[Registration], csf: Condition | None
) -> Document | None:
    """Returns what of this node's view counts: not what a source holds alone (§4.3.6.3)."""
    types = frozenset(mine.get("type", ()))
    for one in registrations:
        if not one.proxied:
            continue
        for match in matching((one,), Need(frozenset((id_,)), types=types, csf=csf)):
            if not _readable(match):
                continue
            if not match.attributes:
                return None
            before = bare(mine)
            mine = without(mine, match.attributes)
            if bare(mine) and not before:
                return None
    return mine


def within(document: Document, reach: Reach, home: str) -> bool:
    """Tells whether the caller may see an entity's division, which is ``home`` when it has none."""
    if reach.prefixes is None:
        return True
    codes = [str(instance.get("value", "")) for instance in document.get(DIVISION, ())] or [home]
    return any(code.startswith(reach.prefixes) for code in codes)


def fulfils(document: Document, query: EntityQuery) -> bool:
    """Tells whether a whole entity is what a query asks for."""
    return (
        (query.conditions is None or matches(document, query.conditions))
        and (query.geo is None or matches_geo(document, query.geo))
        and (query.scope is None or matches_scopes(document, query.scope))
        and (not query.attributes or any(name in document for name in query.attributes))
        and (query.types is None or matches_types(document, query.types))
    )


def _unfiltered(query: EntityQuery) -> EntityQuery:
    return replace(query, conditions=None, geo=None, scope=None, attributes=())


def _asked(match: Match, query: EntityQuery, context: Context) -> dict[str, Any]:
    """Returns the parameters that ask a source for its part."""
    asked: dict[str, Any] = {}
    ids = match.ids or frozenset(query.ids)
    if ids:
        asked["id"] = sorted(ids)
    pattern = query.id_pattern or ("" if ids else match.pattern)
    if pattern:
        asked["idPattern"] = pattern
    types = _types(match, query.types, context)
    if types:
        asked["type"] = types
    if query.conditions is not None and (context.link or match.registration.context):
        asked["q"] = q_text(query.conditions, context)
    if query.scope is not None:
        asked["scopeQ"] = scope_text(query.scope)
    if query.geo is not None:
        asked["geo"] = geo_parameters(query.geo, context)
    return asked


def _types(match: Match, types: TypeSelection | None, context: Context) -> str:
    if types is not None:
        return type_text(types, context)
    return ",".join(sorted(map(context.compact, match.types)))


def _plain(asked: dict[str, Any]) -> dict[str, str]:
    plain = {name: asked[name] for name in ("type", "idPattern", "q", "scopeQ") if name in asked}
    if "id" in asked:
        plain["id"] = ",".join(asked["id"])
    for name, value in asked.get("geo", {}).items():
        plain[name] = value if isinstance(value, str) else _encode(value).decode()
    return plain


def _query_body(asked: dict[str, Any], attributes: str) -> dict[str, Any]:
    """Writes the parameters as a Query (§5.2.23); several types are several selectors."""
    shared: dict[str, Any] = {}
    if "id" in asked:
        shared["id"] = asked["id"] if len(asked["id"]) > 1 else asked["id"][0]
    if "idPattern" in asked:
        shared["idPattern"] = asked["idPattern"]
    types = (
        asked["type"].split(",") if asked.get("type") and "(" not in asked["type"] else [asked.get("type")]
    )
    entities = [{**shared, "type": one or "*"} for one in types]
    body: dict[str, Any] = {"type": "Query", "entities": entities}
    if attributes:
        body["attrs"] = attributes.split(",")
    body |= {name: asked[name] for name in ("q", "scopeQ") if name in asked}
    if "geo" in asked:
        body["geoQ"] = asked["geo"]
    return body

"""Reads of the state that look beyond this node: what sources hold is merged in (§4.3.6, §5.7)."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import msgspec

from yunmeng.kernel.model import Document
from yunmeng.kernel.serve.sources import wording
from yunmeng.kernel.serve.sources.asking import Sight
from yunmeng.kernel.serve.sources.forwarding import Forward
from yunmeng.kernel.serve.sources.judging import QUERYING, READING, fulfils, offers, own_part, within
from yunmeng.kernel.serve.sources.matching import Match, Need, leaves, matching
from yunmeng.kernel.serve.sources.merging import merged, only
from yunmeng.kernel.serve.sources.own_state import OwnState
from yunmeng.kernel.serve.sources.registration import Registration
from yunmeng.kernel.store import EntityPage, EntityQuery
from yunmeng.kernel.trust import Reach

HERE = "@none"
"""What stands in the place of a registration for this node (§5.2.39)."""

_PAGE = 1000

_encode = msgspec.json.Encoder().encode
_document = msgspec.json.Decoder(Document).decode


@dataclass(frozen=True, slots=True)
class FederatedState(OwnState):
    """A state reader over this node and its sources, for one request.

    ``home`` is the division of what names none; ``consulted`` fills with who showed an entity.
    """

    registrations: Sequence[Registration]
    sight: Sight
    home: str
    consulted: dict[str, frozenset[str]] = field(default_factory=dict[str, frozenset[str]])

    async def get(self, reach: Reach, id: str) -> bytes | None:
        """Returns the entity as this node and its sources show it together."""
        asking = self.sight.asking
        need = Need(frozenset((id,)), attributes=asking.attributes, csf=asking.csf, datasets=asking.datasets)
        found = self._found(need, READING)
        body = await self.local.get(reach, id)
        if not found:
            return body
        forwards = [wording.retrieval(one, id, self.sight.context(one.registration)) for one in found]
        views = await self.sight.views(forwards)
        document = self._merge(id, _document(body) if body is not None else None, found, views, reach)
        return _encode(document) if document is not None else None

    async def query(self, query: EntityQuery) -> EntityPage:
        """Returns the page of entities that this node and its sources show together."""
        found = self._found(self._need(query), QUERYING)
        if not found:
            return await self.local.query(query)
        split = self.sight.asking.split
        wide = _unfiltered(query) if split else query
        most = query.offset + query.limit
        own = await self.local.query(replace(wide, offset=0, limit=max(most, 1)))
        enough = 0 if query.count else most
        forwards = [wording.query(one, wide, self.sight.context(one.registration), enough) for one in found]
        documents = await self._together(own, found, await self.sight.views(forwards, enough), wide)
        if split:
            documents = [one for one in documents if fulfils(one, query)]
        documents.sort(key=lambda one: str(one["id"]))
        count = await self._count(wide, own, documents) if query.count else None
        page = documents[query.offset : most] if query.limit else []
        return EntityPage([_encode(one) for one in page], count)

    def _found(self, need: Need, operations: frozenset[str]) -> list[Match]:
        return [one for one in matching(self.registrations, need) if offers(one, operations)]

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
        if self.sight.asking.split:
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
            mine = own_part(mine, id_, self.registrations, self.sight.asking.csf)
        held = {match.registration.id for match, view in zip(found, views, strict=True) if view}
        self.consulted[id_] = frozenset(held if mine is None else {*held, HERE})
        return merged([one for one in (mine, *normal) if one is not None], extra)

    def _need(self, query: EntityQuery) -> Need:
        return Need(
            frozenset(query.ids),
            query.id_pattern,
            leaves(query.types),
            frozenset(query.attributes) | self.sight.asking.attributes,
            self.sight.asking.csf,
            query.geo,
            query.scope,
            datasets=self.sight.asking.datasets,
        )

    async def types(self, reach: Reach) -> Mapping[str, int]:
        """Returns how many entities of each type there are; a source that only names types counts as none."""
        counts = Counter(await self.local.types(reach))
        found = [one for one in self.registrations if "retrieveEntityTypes" in one.operations]
        forwards = [Forward(one, "GET", "/types", self.sight.context(one)) for one in found]
        for answer in await self.sight.forwarder.send_all(forwards, self.sight.origin):
            self.sight.warnings.look(answer)
            listed: Any = answer.decoded() if answer.fine else None
            names = listed.get("typeList", ()) if isinstance(listed, dict) else ()  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]
            for name in names:  # pyright: ignore[reportUnknownVariableType]
                if isinstance(name, str):
                    counts[answer.forward.context.expand(name)] += 0
        return counts


def _unfiltered(query: EntityQuery) -> EntityQuery:
    return replace(query, conditions=None, geo=None, scope=None, attributes=())

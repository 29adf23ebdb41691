"""Reads of the state that look beyond this node: what sources hold is merged in (§4.3.6, §5.7)."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace

import msgspec

from yunmeng.kernel.base import BadInput
from yunmeng.kernel.model import Document
from yunmeng.kernel.serve.sources import wording
from yunmeng.kernel.serve.sources.asking import Sight
from yunmeng.kernel.serve.sources.judging import QUERYING, READING, fulfils, offers, own_part, within
from yunmeng.kernel.serve.sources.matching import Match, Need, leaves, matching
from yunmeng.kernel.serve.sources.merging import merged, only
from yunmeng.kernel.serve.sources.own_state import OwnState
from yunmeng.kernel.serve.sources.registration import Registration
from yunmeng.kernel.serve.sources.views import Seen, seen_of
from yunmeng.kernel.store import EntityPage, EntityQuery
from yunmeng.kernel.trust import Reach

HERE = "@none"
"""What stands in the place of a registration for this node (§5.2.39)."""

_PAGE = 1000
_ALL = 1 << 62

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
        seen = seen_of(found, await self.sight.views(forwards)).get(id, [])
        document = self._merge(id, _document(body) if body is not None else None, seen, reach)
        return _encode(document) if document is not None else None

    async def query(self, query: EntityQuery) -> EntityPage:
        """Returns the page of entities that this node and its sources show together.

        Raises:
            BadInput: ``source.ordered``: what several brokers hold is not put in order (§4.23.1).
        """
        found = self._found(self._need(query), QUERYING)
        if not found:
            return await self.local.query(query)
        if query.order is not None:
            raise BadInput("source.ordered")
        split = self.sight.asking.split
        wide = _unfiltered(query) if split else query
        most = query.offset + query.limit
        own = await self.local.query(replace(wide, offset=0, limit=max(most, 1), count=False))
        enough = 0 if query.count else most
        forwards = [wording.query(one, wide, self.sight.context(one.registration), enough) for one in found]
        seen = seen_of(found, await self.sight.views(forwards, enough))
        mine = {str(one["id"]): one for one in map(_document, own.documents)}
        everything = split or (query.count and query.reach.prefixes is not None)
        documents = await self._together(mine, seen, query, _ALL if everything else most)
        count: int | None = None
        if query.count:
            ids = [str(one["id"]) for one in documents] if everything else seen.keys()
            count = len(documents) if split else await self._count(wide, mine.keys(), ids)
        page = documents[query.offset : most] if query.limit else []
        return EntityPage([_encode(one) for one in page], count)

    def _found(self, need: Need, operations: frozenset[str]) -> list[Match]:
        return [one for one in matching(self.registrations, need) if offers(one, operations)]

    async def _together(
        self, mine: dict[str, Document], seen: Mapping[str, Sequence[Seen]], query: EntityQuery, most: int
    ) -> list[Document]:
        """Merges what there is of each entity, by id, until there are ``most`` of them.

        This node's part counts also where the query does not find it.
        """
        documents: list[Document] = []
        if not most:
            return documents
        ids = sorted(id_ for id_ in mine.keys() | seen.keys() if id_ > query.after)
        step = max(1, min(_PAGE, most))
        for start in range(0, len(ids), step):
            some = ids[start : start + step]
            missing = tuple(id_ for id_ in some if id_ not in mine)
            if missing:
                page = await self.local.query(EntityQuery(query.reach, ids=missing, limit=_PAGE))
                mine |= {str(one["id"]): one for one in map(_document, page.documents)}
            for id_ in some:
                document = self._merge(id_, mine.get(id_), seen.get(id_, ()), query.reach)
                if document is not None and (not self.sight.asking.split or fulfils(document, query)):
                    documents.append(document)
                if len(documents) >= most:
                    return documents
        return documents

    async def _count(self, query: EntityQuery, here: Collection[str], ids: Collection[str]) -> int:
        """Counts entities once each, wherever they are held."""
        total = (await self.local.query(replace(query, offset=0, limit=0, count=True))).count or 0
        beyond = tuple(id_ for id_ in ids if id_ not in here)
        both = 0
        for start in range(0, len(beyond), _PAGE):
            some = beyond[start : start + _PAGE]
            counted = await self.local.query(replace(query, ids=some, offset=0, limit=0, count=True))
            both += counted.count or 0
        return total + len(beyond) - both

    def _merge(self, id_: str, mine: Document | None, seen: Sequence[Seen], reach: Reach) -> Document | None:
        normal: list[Document] = []
        extra: list[Document] = []
        for match, view in seen:
            document = view.document(self.sight.warnings)
            if document is not None and within(document, reach, self.home):
                shown = only(document, match.attributes)
                (extra if match.registration.mode == "auxiliary" else normal).append(shown)
        if mine is not None:
            mine = own_part(mine, id_, self.registrations, self.sight.asking.csf)
        held = {match.registration.id for match, _ in seen}
        self.consulted[id_] = frozenset(held if mine is None else {*held, HERE})
        return merged(normal if mine is None else [mine, *normal], extra)

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


def _unfiltered(query: EntityQuery) -> EntityQuery:
    return replace(query, conditions=None, geo=None, scope=None, attributes=())

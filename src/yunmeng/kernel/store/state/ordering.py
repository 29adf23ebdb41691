"""Pages in another order than that of the ids: entities stream by, the first ones of the order are kept."""

from collections.abc import Sequence
from dataclasses import replace

import msgspec

from yunmeng.kernel.base import BadInput
from yunmeng.kernel.model import Document, Order, SortKey, sorting
from yunmeng.kernel.store.state.port import EntityPage, EntityQuery

CHUNK = 1_000
ORDERED_MOST = 100_000
"""So many entities are put in order at most; more would keep one reader busy for many seconds."""

_decode = msgspec.json.Decoder(Document).decode


class Ordering:
    """Puts the entities of a query in order; feed it with each page of :attr:`chunk` until that is None."""

    def __init__(self, query: EntityQuery, order: Order) -> None:
        self._query = query
        self._key = sorting(order)
        self._first: list[tuple[SortKey, bytes]] = []
        self._seen = 0
        self.chunk: EntityQuery | None = replace(
            query, order=None, limit=CHUNK, offset=0, after="", count=False
        )

    def take(self, bodies: Sequence[bytes]) -> None:
        """Takes in one page.

        Raises:
            BadInput: ``query.order-wide`` when there are too many entities.
        """
        self._seen += len(bodies)
        if self._seen > ORDERED_MOST:
            raise BadInput("query.order-wide", most=ORDERED_MOST)
        documents = [_decode(body) for body in bodies]
        rows = [(self._key(one), body) for one, body in zip(documents, bodies, strict=True)]
        self._first = sorted([*self._first, *rows])[: self._query.offset + self._query.limit]
        full = len(bodies) == CHUNK and self.chunk is not None
        self.chunk = replace(self.chunk, after=str(documents[-1]["id"])) if full and self.chunk else None

    def page(self) -> EntityPage:
        """Returns the page that the query asks for."""
        bodies = [body for _, body in self._first[self._query.offset :]]
        return EntityPage(bodies, self._seen if self._query.count else None)

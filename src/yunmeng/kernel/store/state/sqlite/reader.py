"""The reader of the SQLite engine: quick reads at once, long ones on a thread of their own."""

import asyncio
import functools
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Concatenate, ParamSpec, TypeVar

from yunmeng.kernel.store.state.port import EntityPage, EntityQuery, Record, Summary
from yunmeng.kernel.store.state.sqlite.finder import SCAN_MOST, Finder
from yunmeng.kernel.store.state.sqlite.session import Session
from yunmeng.kernel.store.state.sqlite.summary import summarise
from yunmeng.kernel.trust import Reach

P = ParamSpec("P")
T = TypeVar("T")

_SPARE_MOST = 4


class SqliteReader:
    """Reads the state; any number of processes at once.

    ``home`` is the beginning of the node's own division code. A question that an index would answer sooner is
    noted in the folder ``wanted``, where the writer finds it.
    """

    def __init__(self, path: Path, home: str, scan_most: int = SCAN_MOST) -> None:
        self._path = path
        self._home = home
        self._scan_most = scan_most
        self._wanted = path.parent / "wanted"
        self._wished: set[int] = set()
        self._session = Session(path, home)
        self._finder = Finder(self._session, self._wish, scan_most)
        self._spare: list[Session] = []
        self._threads = asyncio.Semaphore(_SPARE_MOST)

    async def get(self, reach: Reach, id: str) -> bytes | None:
        """Returns the document with last values merged in, or None when absent or out of reach."""
        return self._session.get(reach, id)

    async def query(self, query: EntityQuery) -> EntityPage:
        """Returns the page of entities that match."""
        page = self._finder.find(query, only_light=True)
        return page if page is not None else await self._aside(self._find, query)

    async def types(self, reach: Reach) -> Mapping[str, int]:
        """Returns how many entities of each type there are."""
        return self._session.types(reach)

    async def last(self, reach: Reach, entity: str, attribute: str) -> tuple[int, float | str | None] | None:
        """Returns the last telemetry value as (observed_at in µs, value)."""
        return self._session.last(reach, entity, attribute)

    async def summary(
        self, reach: Reach, type: str, attribute: str, method: Summary, digits: int = 6
    ) -> Mapping[str, tuple[int, float | None]]:
        """Returns (entities, value) of a numeric attribute by division code cut to ``digits``."""
        return await self._aside(summarise, reach, type, attribute, method, digits)

    async def record(self, kind: str, tenant: str, id: str) -> Record | None:
        """Returns one record."""
        return self._session.record(kind, tenant, id)

    async def records(self, kind: str, tenant: str | None = None) -> Sequence[Record]:
        """Returns the records of a kind, ordered by id."""
        return self._session.records(kind, tenant)

    async def close(self) -> None:
        """Closes the connections."""
        for session in (self._session, *self._spare):
            session.close()
        self._spare.clear()

    async def _aside(
        self, work: Callable[Concatenate[Session, P], T], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        async with self._threads:
            session = self._spare.pop() if self._spare else Session(self._path, self._home)
            try:
                return await asyncio.to_thread(functools.partial(work, session, *args, **kwargs))
            finally:
                self._spare.append(session)

    def _find(self, session: Session, query: EntityQuery) -> EntityPage:
        page = Finder(session, self._wish, self._scan_most).find(query)
        return page if page is not None else EntityPage(())

    def _wish(self, attributes: set[int]) -> None:
        for attribute in attributes - self._wished:
            self._wished.add(attribute)
            self._wanted.mkdir(exist_ok=True)
            (self._wanted / str(attribute)).touch()

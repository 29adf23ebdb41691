"""What the water package reads of a node, within a reach: entities in simple form, series as arrays."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import msgspec
import numpy as np

from yunmeng.converged.water.measuring import merge_sources
from yunmeng.converged.water.measuring.control import Floats, Times
from yunmeng.kernel.base import BadInput, NotFound
from yunmeng.kernel.model import (
    VOCABULARY_CONTEXT,
    Compare,
    Context,
    Document,
    Operand,
    Path,
    Quality,
    TypeLibrary,
    compact_entity,
    parse_q,
    parse_types,
)
from yunmeng.kernel.store import EntityQuery, History, Point, StateReader, TemporalQuery
from yunmeng.kernel.trust import Reach

# what two gateways say of one station may be rounded differently
_AGREE = 0.05
_PAGE = 1000
_MOST_POINTS = 1_000_000
_TOGETHER = 200


@dataclass(frozen=True, slots=True)
class Series:
    """Values of one attribute of one entity: times µs UTC, rising; NaN where missing or not numeric.

    ``conflicts`` counts the times at which several gateways said different things.
    """

    times: Times
    values: Floats
    conflicts: int = 0


class Reader:
    """Reads within one reach."""

    def __init__(self, state: StateReader, history: History, reach: Reach, library: TypeLibrary) -> None:
        self._state, self._history, self._reach = state, history, reach
        self._library = library
        self._context = Context((library.context()["@context"],), (VOCABULARY_CONTEXT,))

    async def entity(self, id: str, type_: str = "") -> dict[str, Any]:
        """Returns one entity. Raises ``NotFound("water.absent")``, also for one of another type."""
        return (await self.read(id, type_))[0]

    async def read(self, id: str, type_: str = "") -> tuple[dict[str, Any], Document]:
        """Returns one entity in simple and in stored form. Raises like :meth:`entity`."""
        body = await self._state.get(self._reach, id)
        plain = self._plain(body) if body is not None else {}
        if body is None or (type_ and plain.get("type") != type_):
            raise NotFound("water.absent", id=id)
        return plain, msgspec.json.decode(body, type=Document)

    async def entities(self, types: str, q: str = "", divisions: Sequence[str] = ()) -> list[dict[str, Any]]:
        """Returns every entity of a type selection (``Reservoir,River``) that fulfils ``q``, by id."""
        query = EntityQuery(
            self._reach,
            types=parse_types(types, self._context),
            conditions=parse_q(q, self._context) if q else None,
            divisions=tuple(divisions),
        )
        return await self._every(query)

    async def pointing(self, types: str, relationship: str, ids: Sequence[str]) -> list[dict[str, Any]]:
        """Returns every entity of a type selection whose relationship names one of the ids."""
        found: list[dict[str, Any]] = []
        for start in range(0, len(ids), _TOGETHER):
            operands = tuple(Operand("string", id) for id in ids[start : start + _TOGETHER])
            condition = Compare(Path(self._context.expand(relationship)), "==", operands)
            query = EntityQuery(self._reach, types=parse_types(types, self._context), conditions=condition)
            found += await self._every(query)
        return found

    async def present(self, ids: Sequence[str]) -> list[str]:
        """Returns which of the ids there are."""
        found: list[str] = []
        for start in range(0, len(ids), _PAGE):
            some = tuple(ids[start : start + _PAGE])
            page = await self._state.query(EntityQuery(self._reach, ids=some, limit=_PAGE))
            found += [str(self._plain(body)["id"]) for body in page.documents]
        return found

    async def series(self, ids: Sequence[str], attribute: str, start: int, end: int) -> Mapping[str, Series]:
        """Returns what was observed in ``start <= time < end`` (µs UTC) by entity; who has none is left out.

        Values that are marked missing or bad are NaN. Raises ``BadInput("water.attribute")`` for an attribute
        that no type has, ``BadInput("water.many")`` where one entity has more than a million values.
        """
        row = self._library.attribute(attribute)
        if row is None:
            raise BadInput("water.attribute", attribute=attribute)
        found: dict[str, Series] = {}
        for first in range(0, len(ids), _TOGETHER):
            some = tuple(ids[first : first + _TOGETHER])
            # the bound is of each entity, and one who passes it is refused rather than cut
            query = TemporalQuery(
                self._reach, some, (row.uri,), "between", start, end, limit=_MOST_POINTS + 1
            )
            found |= _series(await self._history.points(query), attribute)
        return found

    async def _every(self, query: EntityQuery) -> list[dict[str, Any]]:
        """Returns all that a query finds, page by page."""
        found: list[dict[str, Any]] = []
        after = ""
        while True:
            page = await self._state.query(replace(query, limit=_PAGE, after=after))
            found += [self._plain(body) for body in page.documents]
            if len(page.documents) < _PAGE:
                return found
            after = found[-1]["id"]

    def _plain(self, body: bytes) -> dict[str, Any]:
        return compact_entity(msgspec.json.decode(body, type=Document), self._context, "simplified")


def _series(points: Iterable[Point], attribute: str) -> dict[str, Series]:
    rows: dict[str, dict[str, tuple[list[int], list[float]]]] = {}
    for point in points:
        good = isinstance(point.value, float | int) and point.quality not in (Quality.BAD, Quality.MISSING)
        times, values = rows.setdefault(point.entity, {}).setdefault(point.gateway, ([], []))
        times.append(point.at)
        values.append(float(point.value) if good and point.value is not None else float("nan"))
    for id, sources in rows.items():
        if sum(len(times) for times, _ in sources.values()) > _MOST_POINTS:
            raise BadInput("water.many", id=id, attribute=attribute, most=_MOST_POINTS)
    return {id: _merged(list(sources.values())) for id, sources in rows.items()}


def _merged(sources: Sequence[tuple[list[int], list[float]]]) -> Series:
    """Returns one series of what came through one gateway or several; who said most is trusted most."""
    arrays = [(np.array(times, np.int64), np.array(values, np.float64)) for times, values in sources]
    if len(arrays) == 1:
        return Series(*arrays[0])
    arrays.sort(key=lambda one: -int(np.count_nonzero(~np.isnan(one[1]))))
    merged = merge_sources(arrays, by=_AGREE)
    return Series(merged.times, merged.values, int(merged.conflict.sum()))

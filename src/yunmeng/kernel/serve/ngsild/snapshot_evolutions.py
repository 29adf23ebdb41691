"""What a snapshot keeps of evolutions: the values that temporal queries find (ETSI GS CIM 009 §5.16.1)."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import Any, TypeVar

import msgspec

from yunmeng.kernel.base import BadInput, Unsupported, instant_us
from yunmeng.kernel.keeper import EvolveRequest, evolution_tenant
from yunmeng.kernel.model import DIVISION, Context, Document
from yunmeng.kernel.serve.keeping import evolve, keep_copies
from yunmeng.kernel.serve.ngsild.evolution import HEAD, SCOPE, instance_of, is_shown
from yunmeng.kernel.serve.ngsild.parameters import Page
from yunmeng.kernel.serve.ngsild.query_body import body_parameters
from yunmeng.kernel.serve.ngsild.querying import check_width, read_query
from yunmeng.kernel.serve.ngsild.representation import View, decode_document
from yunmeng.kernel.serve.ngsild.snapshots import ENTITIES_MOST, Shelf, Snapshot
from yunmeng.kernel.serve.ngsild.temporal_parameters import temporal_parameters
from yunmeng.kernel.serve.ngsild.temporal_search import Search, find_all, read_search
from yunmeng.kernel.serve.ngsild.temporal_selection import Found
from yunmeng.kernel.serve.refusals import TooMany
from yunmeng.kernel.serve.routes import Call
from yunmeng.kernel.store import EntityQuery, Instance, Point, TemporalQuery
from yunmeng.kernel.trust import Reach

VALUES_MOST = 100_000
"""So many values the temporal queries of a snapshot may bring together."""

_SERIES_MOST = 10_000
_ENTITIES = 50
_HEADS = 200
_INSTANCES = 2_000
_EVERYTHING = 1_000_000

_Row = TypeVar("_Row")


@dataclass(frozen=True, slots=True)
class WantedEvolutions:
    """One temporal query of a snapshot, read."""

    query: EntityQuery
    search: Search


@dataclass(frozen=True, slots=True)
class Gathered:
    """What temporal queries have found: what the entities are, and each value once."""

    heads: dict[str, Document] = field(default_factory=dict[str, Document])
    points: dict[tuple[str, str, str, int, str], Point] = field(
        default_factory=dict[tuple[str, str, str, int, str], Point]
    )

    def add(self, one: Found, view: View) -> None:
        """Takes in an entity and those of its values that are shown."""
        self.heads[str(one.document["id"])] = one.document
        for attribute, points in one.series.items():
            if attribute == SCOPE or is_shown(attribute, view):
                for point in points:
                    key = (point.entity, attribute, point.dataset_id, point.at, point.instance_id)
                    self.points[key] = point


def read_wanted_evolutions(call: Call, body: Mapping[str, Any], context: Context) -> WantedEvolutions:
    """Reads one temporal query of a snapshot.

    Raises:
        BadInput: like a temporal query, ``snapshot.no-window`` for one without a temporal part.
        Unsupported: ``snapshot.aggregates``.
    """
    if body.get("type") != "Query":
        raise BadInput("query.type")
    if "temporalQ" not in body:
        raise BadInput("snapshot.no-window")
    parameters = {**body_parameters(body), **temporal_parameters(body)}
    check_width(parameters, context)
    search = replace(read_search(call, parameters, context, needed=True), most=_SERIES_MOST)
    if search.aggregation is not None:
        raise Unsupported("snapshot.aggregates")
    return WantedEvolutions(read_query(call, parameters, context, Page(1, 0, count=False)), search)


async def gather_evolutions(call: Call, wanted: WantedEvolutions, into: Gathered) -> bool:
    """Carries out a temporal query; tells whether it found anything.

    Raises:
        TooMany: ``snapshot.too-many``, ``snapshot.too-many-values``.
    """
    found = Gathered()
    async for chunk in find_all(call, wanted.query, wanted.search):
        for one in chunk:
            found.add(one, wanted.search.view)
        if len(found.heads) > ENTITIES_MOST:
            raise TooMany("snapshot.too-many", most=ENTITIES_MOST)
        longest = max((len(points) for one in chunk for points in one.series.values()), default=0)
        if longest > _SERIES_MOST or len(into.points) + len(found.points) > VALUES_MOST:
            raise TooMany("snapshot.too-many-values", series=_SERIES_MOST, most=VALUES_MOST)
    into.heads.update(found.heads)
    into.points.update(found.points)
    return bool(found.heads)


async def store_evolutions(call: Call, held: Snapshot, found: Gathered) -> None:
    """Puts what was found into the history under the name of the snapshot."""
    await _store_heads(call, held, found.heads.values())
    await _store_points(call, held, found.heads, found.points.values())


async def _store_heads(call: Call, held: Snapshot, documents: Iterable[Document]) -> None:
    tenant = evolution_tenant(held.tenant(call.tenant))
    for heads in _parts(map(_head, documents), _HEADS):
        await keep_copies(call.services.bus, call.principal, tenant, heads)


async def _store_points(
    call: Call, held: Snapshot, documents: Mapping[str, Document], points: Iterable[Point]
) -> None:
    tenant, usual = held.tenant(call.tenant), call.services.settings.node.division
    rows = (_instance(tenant, documents[point.entity], point, usual) for point in points)
    for instances in _parts(rows, _INSTANCES):
        await evolve(call, EvolveRequest(tenant, "", instances=instances))


async def copy_evolutions(call: Call, held: Snapshot, original: Snapshot) -> None:
    """Gives a snapshot the evolutions of another one, all of them whoever asks."""
    tenant = original.tenant(call.tenant)
    known: set[str] = set()
    for part in (tenant, evolution_tenant(tenant)):
        query = EntityQuery(Reach(part), limit=_ENTITIES)
        while bodies := (await Shelf.of(call).copies.query(query)).documents:
            documents = {str(one["id"]): one for one in map(decode_document, bodies)}
            query = replace(query, after=max(documents))
            fresh = {id_: one for id_, one in documents.items() if id_ not in known}
            known.update(documents)
            if part != tenant:
                await _store_heads(call, held, fresh.values())
            if fresh:
                asked = TemporalQuery(Reach(tenant), tuple(fresh), limit=_EVERYTHING)
                await _store_points(call, held, fresh, await call.services.history.points(asked))


def _parts(rows: Iterable[_Row], size: int) -> Iterator[tuple[_Row, ...]]:
    rest = iter(rows)
    while part := tuple(islice(rest, size)):
        yield part


def _head(document: Document) -> Document:
    return {name: document[name] for name in (*HEAD, DIVISION) if name in document}


def _instance(tenant: str, head: Document, point: Point, usual: str) -> Instance:
    body = instance_of(point)
    places: Sequence[Document] = head.get(DIVISION, ())
    return Instance(
        tenant,
        point.entity,
        str(head["type"][0]),
        str(places[0].get("value", "")) if places else usual,
        point.attribute,
        point.dataset_id,
        instant_us(body["observedAt"]) if "observedAt" in body else 0,
        instant_us(body["modifiedAt"]) if "modifiedAt" in body else point.at,
        msgspec.json.encode({name: value for name, value in body.items() if name != "instanceId"}),
        point.instance_id,
        deleted="deletedAt" in body,
    )

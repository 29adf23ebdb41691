"""Entity maps: which entities a query found and who holds them, kept for its later pages.

ETSI GS CIM 009 §5.2.39, §5.5.9.3, §5.5.14, §5.14.1 to §5.14.3, §6.32. A map is a cache: it ends by itself,
at the latest after a day, and each tenant has a bounded number of them, of which the one that ends first
makes room.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Protocol, runtime_checkable
from urllib.parse import unquote
from uuid import uuid4

import msgspec
from starlette.responses import Response

from yunmeng.kernel.base import NotFound, check_urn, format_us, instant_us, now_us
from yunmeng.kernel.keeper import RecordPut
from yunmeng.kernel.model import NULL
from yunmeng.kernel.serve.body import as_object
from yunmeng.kernel.serve.heading import header, parameters_of
from yunmeng.kernel.serve.keeping import keep_records
from yunmeng.kernel.serve.ngsild.negotiation import (
    accepted,
    answer,
    read_payload,
    request_context,
)
from yunmeng.kernel.serve.ngsild.parameters import Page, Parameters, duration_s, flag
from yunmeng.kernel.serve.ngsild.representation import decode_document
from yunmeng.kernel.serve.refusals import TooMany
from yunmeng.kernel.serve.replies import empty_reply, encode_json
from yunmeng.kernel.serve.routes import Call
from yunmeng.kernel.store import EntityPage, EntityQuery

KIND = "entity-map"
PATH = "/ngsi-ld/v1/entityMaps"
HEADER = "NGSILD-EntityMap"
ENTITIES_MOST = 10_000
MAPS_MOST = 100

_HEADER = HEADER.lower().encode()
_HERE = "@none"
_CHUNK = 200
_USUAL_S = 3_600
_LONGEST_S = 86_400


class EntityMap(msgspec.Struct, rename="camel"):
    """A map as it is kept; ``entities`` names for each id the registrations of its holders, in order."""

    id: str
    principal: str
    expires_at: int
    entities: dict[str, list[str]]

    @property
    def location(self) -> str:
        """Where the map is found."""
        return f"{PATH}/{self.id}"

    def narrowed(self, query: EntityQuery) -> EntityQuery:
        """Returns the query for the map's entities only."""
        ids = tuple(id_ for id_ in self.entities if not query.ids or id_ in query.ids)
        # a query without ids would ask for any
        return replace(query, ids=ids or (NULL,))

    def shown(self) -> dict[str, object]:
        """Returns the map as the interface shows it (§5.2.39)."""
        return {
            "id": self.id,
            "type": "EntityMap",
            "expiresAt": format_us(self.expires_at),
            "entityMap": self.entities,
            "linkedMaps": {},
        }


class _Head(msgspec.Struct, rename="camel"):
    expires_at: int


@runtime_checkable
class Consulting(Protocol):
    """A reader that remembers who held what it read: registrations, or ``@none`` for this node."""

    consulted: Mapping[str, frozenset[str]]


_map = msgspec.json.Decoder(EntityMap).decode
_head = msgspec.json.Decoder(_Head).decode


async def presented(call: Call) -> EntityMap | None:
    """Returns the map that the request names and may use, None when there is none any more (§5.5.14)."""
    location = header(call.request, _HEADER)
    return await _load(call, unquote(location.rstrip("/").rpartition("/")[2])) if location else None


def is_wanted(call: Call, parameters: Parameters) -> bool:
    """Tells whether the answer is to come with a map: one was asked for, or one that has ended was named."""
    return flag(parameters, "entityMap") or header(call.request, _HEADER) is not None


async def make(call: Call, parameters: Parameters, ids: Sequence[str]) -> EntityMap:
    """Keeps a new map of these entities.

    Raises:
        BadInput: ``query.duration``.
        TooMany: ``entity-map.too-many``.
    """
    lifetime = duration_s(parameters, "entityMapLifetime", _USUAL_S)
    if len(ids) > ENTITIES_MOST:
        raise TooMany("entity-map.too-many", most=ENTITIES_MOST)
    state = call.services.state
    holders: Mapping[str, frozenset[str]] = state.consulted if isinstance(state, Consulting) else {}
    entities = {id_: sorted(holders.get(id_, ())) or [_HERE] for id_ in ids}
    ends = now_us() + min(lifetime, _LONGEST_S) * 1_000_000
    made = EntityMap(f"urn:ngsi-ld:EntityMap:{uuid4()}", call.principal.id, ends, entities)
    await _keep(call, made, drops=await _outdated(call))
    return made


async def made_for(call: Call, parameters: Parameters, query: EntityQuery) -> EntityMap:
    """Keeps a new map of all that a query finds.

    Raises like :func:`make`.
    """
    whole = replace(query, limit=ENTITIES_MOST + 1, offset=0, count=False)
    found = (await call.services.state.query(whole)).documents
    return await make(call, parameters, [str(decode_document(body)["id"]) for body in found])


async def for_one(call: Call, id_: str) -> dict[str, str]:
    """Returns the header that names the map of one retrieved entity, made if asked for (§5.7.1.4)."""
    parameters = parameters_of(call.request)
    if not is_wanted(call, parameters):
        return {}
    held = await presented(call)
    return {HEADER: (held or await make(call, parameters, [id_])).location}


async def turned(call: Call, held: EntityMap, query: EntityQuery, wanted: Page) -> tuple[EntityPage, bool]:
    """Returns a page of the map's entities that still fit the query, and whether more follow (§5.5.9.3).

    Those on the way that fit no more are taken out of the map.
    """
    ids = [id_ for id_ in held.entities if not query.ids or id_ in query.ids]
    fitting: list[bytes] = []
    gone: list[str] = []
    for chunk in _chunks(ids[wanted.offset :]):
        found = await _fitting(call, query, chunk)
        for id_ in chunk:
            if len(fitting) > wanted.limit:
                break
            if id_ in found:
                fitting.append(found[id_])
            else:
                gone.append(id_)
        if len(fitting) > wanted.limit:
            break
    count = await _count(call, query, ids) if wanted.count else None
    if gone:
        held.entities = {id_: who for id_, who in held.entities.items() if id_ not in set(gone)}
        await _keep(call, held)
    return EntityPage(fitting[: wanted.limit], count), len(fitting) > wanted.limit


async def _fitting(call: Call, query: EntityQuery, ids: Sequence[str]) -> dict[str, bytes]:
    asked = replace(query, ids=tuple(ids), limit=len(ids), offset=0, count=False, order=None)
    page = await call.services.state.query(asked)
    return {str(decode_document(body)["id"]): body for body in page.documents}


async def _count(call: Call, query: EntityQuery, ids: Sequence[str]) -> int:
    return sum([len(await _fitting(call, query, chunk)) for chunk in _chunks(ids)])


def _chunks(ids: Sequence[str]) -> Iterator[Sequence[str]]:
    return (ids[start : start + _CHUNK] for start in range(0, len(ids), _CHUNK))


async def retrieve(call: Call) -> Response:
    """Retrieves an entity map (§5.14.1)."""
    media, context = accepted(call.request), await request_context(call)
    return answer((await _asked(call)).shown(), context, media)


async def update(call: Call) -> Response:
    """Moves the end of an entity map (§5.14.2); what only the broker writes is ignored."""
    held = await _asked(call)
    fragment = as_object((await read_payload(call)).value, "entityMap")
    if "expiresAt" in fragment:
        held.expires_at = min(instant_us(fragment["expiresAt"]), now_us() + _LONGEST_S * 1_000_000)
        await _keep(call, held)
    return empty_reply()


async def delete(call: Call) -> Response:
    """Deletes an entity map (§5.14.3)."""
    held = await _asked(call)
    await keep_records(call.services.bus, call.principal, drops=[(KIND, call.tenant, held.id)])
    return empty_reply()


async def _asked(call: Call) -> EntityMap:
    id_ = check_urn(call.request.path_params["id"])
    held = await _load(call, id_)
    if held is None:
        raise NotFound("entity-map.absent", id=id_)
    return held


async def _load(call: Call, id_: str) -> EntityMap | None:
    """Returns a map that has not ended; one of somebody else may name what the caller must not know of."""
    record = await call.services.state.record(KIND, call.tenant, id_)
    held = _map(record.body) if record is not None else None
    usable = held is not None and held.expires_at > now_us() and held.principal == call.principal.id
    return held if usable else None


async def _keep(call: Call, held: EntityMap, drops: Sequence[tuple[str, str, str]] = ()) -> None:
    put = RecordPut(KIND, call.tenant, held.id, encode_json(held))
    await keep_records(call.services.bus, call.principal, [put], drops)


async def _outdated(call: Call) -> list[tuple[str, str, str]]:
    """Returns the records of maps that have ended, or must for another one to fit in."""
    records = await call.services.state.records(KIND, call.tenant)
    ends = sorted((_head(record.body).expires_at, record.id) for record in records)
    late = len(ends) - MAPS_MOST + 1
    return [
        (KIND, call.tenant, id_) for place, (end, id_) in enumerate(ends) if place < late or end <= now_us()
    ]

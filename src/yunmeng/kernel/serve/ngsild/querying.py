"""Queries for entities, by address and by body (ETSI GS CIM 009 §5.7.2, §6.4.3.2, §6.23)."""

import re
from dataclasses import dataclass, replace
from typing import Any

import msgspec
from starlette.responses import Response

from yunmeng.kernel.base import BadInput, NotFound
from yunmeng.kernel.model import (
    Context,
    Order,
    TypeSelection,
    parse_geo,
    parse_order,
    parse_q,
    parse_scopes,
    parse_types,
)
from yunmeng.kernel.serve.body import as_object
from yunmeng.kernel.serve.grades import paths_of, refuse_graded
from yunmeng.kernel.serve.heading import parameters_of
from yunmeng.kernel.serve.ngsild import entity_maps
from yunmeng.kernel.serve.ngsild.linking import resolved
from yunmeng.kernel.serve.ngsild.negotiation import Media, accepted, answer, read_payload, request_context
from yunmeng.kernel.serve.ngsild.paging import paging
from yunmeng.kernel.serve.ngsild.parameters import (
    Page,
    Parameters,
    expanded,
    flag,
    names,
    page,
    pattern,
    urns,
)
from yunmeng.kernel.serve.ngsild.query_body import SELECTORS, body_parameters
from yunmeng.kernel.serve.ngsild.representation import collection, join_level, read_view, show
from yunmeng.kernel.serve.ngsild.tenants import tenant_exists
from yunmeng.kernel.serve.ngsild.versions import applied, fall_back, prefer_of
from yunmeng.kernel.serve.routes import Call
from yunmeng.kernel.store import EntityPage, EntityQuery, Selector

_GEO = ("georel", "geometry", "coordinates", "geoproperty")
_SELECTORS = ("type", "id", "idPattern", "attrs", "pick", "q", "scopeQ", "georel")
_BRACES = re.compile(r"\{.*\}")
_SYSTEM = frozenset(("createdAt", "modifiedAt", "deletedAt", "expiresAt", "observedAt"))
_NO_ATTRIBUTES = frozenset(("id", "type", "scope", "createdAt", "modifiedAt", "expiresAt"))


async def query(call: Call) -> Response:
    """Queries entities by the parameters of the address."""
    media = accepted(call.request, geo=True)
    context = await request_context(call)
    return await run_query(call, parameters_of(call.request), context, media)


async def query_by_body(call: Call) -> Response:
    """Queries entities by a Query in the body (§5.2.23)."""
    media = accepted(call.request, geo=True)
    payload = await read_payload(call)
    parameters = {**dict(parameters_of(call.request)), **read_body(payload.value)}
    return await run_query(call, parameters, payload.context, media)


def read_body(value: object) -> dict[str, str]:
    """Reads a Query for entities as parameters.

    Raises:
        BadInput: ``query.type``, ``query.temporal``, and those of :func:`body_parameters`.
    """
    body = as_object(value, "query")
    if body.get("type") != "Query":
        raise BadInput("query.type")
    if "temporalQ" in body:
        raise BadInput("query.temporal")
    return body_parameters(body)


@dataclass(frozen=True, slots=True)
class _Found:
    """One page of entities, whether more follow, and the map of them all, which may be fresh."""

    page: EntityPage
    more: bool
    held: entity_maps.EntityMap | None = None
    fresh: bool = False


async def run_query(call: Call, parameters: Parameters, context: Context, media: Media) -> Response:
    """Runs a query and answers with one page of it."""
    wanted = page(parameters)
    if not any(parameters.get(name) for name in ("id", "idPattern", "scopeQ", "pick")):
        check_width(parameters, context)
    asked = await linked(call, read_query(call, parameters, context, wanted))
    view = read_view(parameters, context, media)
    found = await _find(call, parameters, asked, wanted)
    if not found.page.documents and call.tenant and not await tenant_exists(call):
        raise NotFound("tenant.unknown", tenant=call.tenant)
    shown = await show(call, tuple(found.page.documents)[: wanted.limit], view)
    headers = query_headers(call, wanted, found.page, more=found.more) | applied(call)
    if found.held is not None:
        headers[entity_maps.HEADER] = found.held.location
    amended = fall_back(call, shown, view)
    status = 201 if found.fresh else 200 if amended is None else 203
    payload = collection(shown if amended is None else amended, media)
    return answer(payload, context, media, status=status, headers=headers, prefer=prefer_of(call))


async def _find(call: Call, parameters: Parameters, asked: EntityQuery, wanted: Page) -> _Found:
    held = await entity_maps.presented(call)
    if held is not None:
        turned, more = await entity_maps.turned(call, held, asked, wanted)
        return _Found(turned, more, held)
    found = await call.services.state.query(asked)
    more = len(found.documents) > wanted.limit
    if not entity_maps.is_wanted(call, parameters):
        return _Found(found, more)
    return _Found(found, more, await entity_maps.made_for(call, parameters, asked), fresh=True)


def query_headers(call: Call, wanted: Page, found: EntityPage, *, more: bool) -> dict[str, str]:
    """Returns the headers that say how many there are and where the pages beside this one lie."""
    headers = paging(call, wanted, more=more)
    if wanted.count:
        headers["NGSILD-Results-Count"] = str(found.count or 0)
    return headers


async def create_map(call: Call) -> Response:
    """Makes an entity map of a query, without the entities (§5.14.4, §6.34)."""
    media, context = accepted(call.request), await request_context(call)
    parameters = parameters_of(call.request)
    check_width(parameters, context)
    asked = await linked(call, read_query(call, parameters, context, page(parameters)))
    made = await entity_maps.made_for(call, parameters, asked)
    return answer(made.shown(), context, media, status=201, headers={entity_maps.HEADER: made.location})


def read_query(call: Call, parameters: Parameters, context: Context, wanted: Page) -> EntityQuery:
    """Reads what a query asks for; one row more than the page tells whether there is a next one.

    What it asks of linked entities is still to be resolved by :func:`linked`.

    Raises:
        BadInput: ``query.selector``, ``query.value``, ``query.everywhere``, and those of the parsers.
        Forbidden: ``attribute.graded`` when it asks about values that the principal may not see.
    """
    if not any(parameters.get(name) for name in _SELECTORS) and not flag(parameters, "local"):
        raise BadInput("query.selector")
    if csf := parameters.get("csf"):
        parse_q(csf, context)
    if parameters.get("type") == "*" and parameters.get("local") == "false":
        raise BadInput("query.everywhere")
    asked = EntityQuery(
        reach=call.reach,
        ids=urns(parameters.get("id")),
        id_pattern=pattern(parameters.get("idPattern")),
        types=_types(parameters, context),
        attributes=expanded(attribute_names(parameters), context),
        conditions=_conditions(parameters, context),
        geo=read_geo(parameters, context),
        scope=parse_scopes(scopes) if (scopes := parameters.get("scopeQ")) else None,
        limit=wanted.limit + 1 if wanted.limit else 0,
        offset=wanted.offset,
        count=wanted.count,
        order=read_order(parameters, context),
        selectors=_selectors(parameters, context),
    )
    refuse_graded(call, asked)
    return asked


def _types(parameters: Parameters, context: Context) -> TypeSelection | None:
    types = parameters.get("type")
    return parse_types(types, context) if types and types != "*" else None


def _selectors(parameters: Parameters, context: Context) -> tuple[Selector, ...]:
    """Reads the selectors of a Query that has several (§5.2.33): an entity must suit one of them."""
    text = parameters.get(SELECTORS)
    if not text:
        return ()
    return tuple(
        Selector(urns(one.get("id")), pattern(one.get("idPattern")), _types(one, context))
        for one in msgspec.json.decode(text, type=list[dict[str, str]])
    )


def _conditions(parameters: Parameters, context: Context) -> Any:
    q = parameters.get("q")
    if not q:
        return None
    links = join_level(parameters) if parameters.get("join", "@none") != "@none" else 0
    return parse_q(q, context, names(parameters.get("expandValues")), links)


def read_order(parameters: Parameters, context: Context) -> Order | None:
    """Reads ``orderBy`` and what belongs to it (§4.23), None without it; the ids decide anyway.

    Raises:
        BadInput: those of :func:`parse_order`.
    """
    keys = names(parameters.get("orderBy"))
    if not keys:
        return None
    order = parse_order(
        keys,
        context,
        coordinates=parameters.get("orderFrom"),
        geometry=parameters.get("orderGeometry", "Point"),
        language=parameters.get("collation", ""),
    )
    return None if keys in (("id",), ("id;asc",)) else order


async def linked(call: Call, asked: EntityQuery) -> EntityQuery:
    """Returns the query with what it asks of linked entities resolved.

    Raises:
        TooMany: ``query.links-many``.
    """
    if asked.conditions is None:
        return asked
    return replace(asked, conditions=await resolved(call, asked.conditions))


def check_width(parameters: Parameters, context: Context) -> None:
    """Refuses what would take too much: ids alone choose nothing here (§5.6.21.4, §5.7.4.4).

    Raises:
        BadInput: ``query.wide``.
    """
    attributes = [name for name in names(parameters.get("attrs")) if name not in _SYSTEM]
    chosen = bool(parameters.get("type") or parameters.get("georel") or attributes)
    if not any(parameters.get(name) for name in _SELECTORS) and not flag(parameters, "local"):
        raise BadInput("query.selector")
    if chosen or flag(parameters, "local"):
        return
    asked = _conditions(parameters, context)
    if not any(path not in _SYSTEM for path in paths_of(asked)):
        raise BadInput("query.wide")


def attribute_names(parameters: Parameters) -> tuple[str, ...]:
    """Returns the attributes of which an entity must have one: ``attrs``, else those that ``pick`` names."""
    if "attrs" in parameters:
        return names(parameters["attrs"])
    picked = names(_BRACES.sub("", parameters.get("pick", "")).replace("|", ","))
    # an entity always has its members, so picking one of them excludes nobody
    return () if _NO_ATTRIBUTES & set(picked) else picked


def read_geo(parameters: Parameters, context: Context) -> Any:
    """Reads the geographical part, None without one."""
    present = {name: parameters[name] for name in _GEO if parameters.get(name)}
    return parse_geo(present, context) if present.keys() - {"geoproperty"} else None

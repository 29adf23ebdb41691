"""Queries for entities, by address and by body (ETSI GS CIM 009 §5.7.2, §6.4.3.2, §6.23)."""

import re
from collections.abc import Mapping
from typing import Any, cast
from urllib.parse import quote, urlencode

import msgspec
from starlette.responses import Response

from yunmeng.kernel.base import BadInput, NotFound
from yunmeng.kernel.model import Context, parse_geo, parse_q, parse_scopes, parse_types
from yunmeng.kernel.serve.body import as_object
from yunmeng.kernel.serve.grades import paths_of, refuse_graded
from yunmeng.kernel.serve.heading import parameters_of
from yunmeng.kernel.serve.ngsild.negotiation import Media, accepted, answer, read_payload, request_context
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
from yunmeng.kernel.serve.ngsild.representation import collection, read_view, show
from yunmeng.kernel.serve.ngsild.tenants import tenant_exists
from yunmeng.kernel.serve.routes import Call
from yunmeng.kernel.store import EntityPage, EntityQuery

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
    body = as_object(payload.value, "query")
    if body.get("type") != "Query":
        raise BadInput("query.type")
    parameters = {**dict(parameters_of(call.request)), **body_parameters(body)}
    return await run_query(call, parameters, payload.context, media)


async def run_query(call: Call, parameters: Parameters, context: Context, media: Media) -> Response:
    """Runs a query and answers with one page of it."""
    wanted = page(parameters)
    if not any(parameters.get(name) for name in ("id", "idPattern", "scopeQ", "pick")):
        check_width(parameters, context)
    asked = read_query(call, parameters, context, wanted)
    view = read_view(parameters, context, media)
    found = await call.services.state.query(asked)
    if not found.documents and call.tenant and not await tenant_exists(call):
        raise NotFound("tenant.unknown", tenant=call.tenant)
    shown = await show(call, tuple(found.documents)[: wanted.limit], view)
    headers = query_headers(call, wanted, found)
    return answer(collection(shown, media), context, media, headers=headers)


def query_headers(call: Call, wanted: Page, found: EntityPage) -> dict[str, str]:
    """Returns the headers that say how many there are and where the pages beside this one lie."""
    headers = paging(call, wanted, more=len(found.documents) > wanted.limit)
    if wanted.count:
        headers["NGSILD-Results-Count"] = str(found.count or 0)
    return headers


def read_query(call: Call, parameters: Parameters, context: Context, wanted: Page) -> EntityQuery:
    """Reads what a query asks for; one row more than the page tells whether there is a next one.

    Raises:
        BadInput: ``query.selector``, ``query.value``, and those of the parsers.
        Forbidden: ``attribute.graded`` when it asks about values that the principal may not see.
    """
    if not any(parameters.get(name) for name in _SELECTORS) and not flag(parameters, "local"):
        raise BadInput("query.selector")
    asked = EntityQuery(
        reach=call.reach,
        ids=urns(parameters.get("id")),
        id_pattern=pattern(parameters.get("idPattern")),
        types=parse_types(types, context) if (types := parameters.get("type")) else None,
        attributes=expanded(attribute_names(parameters), context),
        conditions=parse_q(q, context) if (q := parameters.get("q")) else None,
        geo=read_geo(parameters, context),
        scope=parse_scopes(scopes) if (scopes := parameters.get("scopeQ")) else None,
        limit=wanted.limit + 1 if wanted.limit else 0,
        offset=wanted.offset,
        count=wanted.count,
    )
    refuse_graded(call, asked)
    return asked


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
    asked = parse_q(q, context) if (q := parameters.get("q")) else None
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


def body_parameters(body: Mapping[str, object]) -> dict[str, str]:
    """Writes a Query as the parameters that say the same.

    Raises:
        BadInput: ``json.text``, ``json.array``, ``json.object``.
    """
    parameters: dict[str, str] = {}
    entities = body.get("entities")
    if entities is not None:
        parameters.update(_selector_parameters(entities))
    for name in ("attrs", "pick", "omit", "datasetId"):
        if name in body:
            parameters[name] = ",".join(_texts(body[name], name))
    for name in ("q", "scopeQ", "lang"):
        if name in body:
            (parameters[name],) = _texts([body[name]], name)
    if "geoQ" in body:
        geo = as_object(body["geoQ"], "geoQ")
        parameters.update({name: _plain(geo[name]) for name in _GEO if name in geo})
    return parameters


def _selector_parameters(entities: object) -> dict[str, str]:
    """Joins the selectors of a Query; several count as alternatives of type and id."""
    if not isinstance(entities, list) or not entities:
        raise BadInput("json.array", where="entities")
    selectors = [as_object(one, "entities") for one in cast("list[object]", entities)]
    types = [_texts([one["type"]], "type")[0] for one in selectors if "type" in one]
    if len(types) != len(selectors):
        raise BadInput("json.text", where="entities.type")
    parameters = {"type": ",".join(t for t in types if t != "*")} if "*" not in types else {}
    ids = [id_ for one in selectors if "id" in one for id_ in _ids(one["id"])]
    if ids:
        parameters["id"] = ",".join(ids)
    patterns = [_texts([one["idPattern"]], "idPattern")[0] for one in selectors if "idPattern" in one]
    if patterns:
        parameters["idPattern"] = (
            "|".join(f"(?:{one})" for one in patterns) if len(patterns) > 1 else patterns[0]
        )
    return parameters


def _ids(value: object) -> list[str]:
    return _texts(cast("list[object]", value) if isinstance(value, list) else [value], "id")


def _texts(value: object, where: str) -> list[str]:
    items = cast("list[object]", value) if isinstance(value, list) else []
    if not items or not all(isinstance(item, str) for item in items):
        raise BadInput("json.text", where=where)
    return cast("list[str]", items)


def _plain(value: object) -> str:
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()


def paging(call: Call, wanted: Page, *, more: bool) -> dict[str, str]:
    """Returns the Link header to the pages before and after this one (§6.3.10)."""
    links: list[str] = []
    if wanted.offset and wanted.limit:
        links.append(_page_link(call, wanted.limit, max(0, wanted.offset - wanted.limit), "prev"))
    if more:
        links.append(_page_link(call, wanted.limit, wanted.offset + wanted.limit, "next"))
    return {"Link": ", ".join(links)} if links else {}


def _page_link(call: Call, limit: int, offset: int, relation: str) -> str:
    kept = [(n, v) for n, v in parameters_of(call.request).multi_items() if n not in ("limit", "offset")]
    address = urlencode([*kept, ("limit", limit), ("offset", offset)], quote_via=quote)
    path = call.request.url.path.rstrip("/")
    return f'<{path}?{address}>;rel="{relation}";type="application/ld+json"'

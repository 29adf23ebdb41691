"""Reads put into the words of the source that is asked (ETSI GS CIM 009 §4.3.6.6, §5.7)."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

import msgspec

from yunmeng.kernel.model import Context, TypeSelection
from yunmeng.kernel.serve.sources.forwarding import Forward
from yunmeng.kernel.serve.sources.matching import Match
from yunmeng.kernel.serve.sources.writing_down import geo_parameters, q_text, scope_text, type_text
from yunmeng.kernel.store import EntityQuery
from yunmeng.kernel.trust import Reach

_PAGE = 1000
_FEW = 100

_encode = msgspec.json.Encoder().encode


def retrieval(match: Match, id_: str, context: Context) -> Forward:
    """Returns the request for one entity; by a query where the source cannot be asked for one alone."""
    registration = match.registration
    if "retrieveEntity" not in registration.operations:
        return _queried(match, EntityQuery(Reach(""), ids=(id_,)), context, 0)
    path = f"/entities/{quote(id_, safe=':')}"
    return Forward(registration, "GET", path, context, _shared(match, context))


def query(match: Match, asked: EntityQuery, context: Context, most: int) -> Forward:
    """Returns the request for what a source has of a query; ``most`` entities are enough, 0 for all."""
    return _queried(match, asked, context, min(max(most or _PAGE, _FEW), _PAGE))


def evolution(match: Match, id_: str, context: Context, window: Mapping[str, str]) -> Forward:
    """Returns the request for the temporal evolution of one entity, in a window of time (§5.7.3)."""
    path = f"/temporal/entities/{quote(id_, safe=':')}"
    return Forward(match.registration, "GET", path, context, {**_shared(match, context), **window})


def evolutions(match: Match, asked: EntityQuery, context: Context, window: Mapping[str, str]) -> Forward:
    """Returns the request for the temporal evolutions that a query may be about (§5.7.4)."""
    plain = _plain(_asked(match, asked, context))
    parameters = {**plain, **_shared(match, context), **window, "limit": str(_FEW)}
    return Forward(match.registration, "GET", "/temporal/entities", context, parameters)


def _shared(match: Match, context: Context) -> dict[str, str]:
    attributes = ",".join(sorted(map(context.compact, match.attributes)))
    shared = {"attrs": attributes} if attributes else {}
    shared["options"] = "sysAttrs"
    if match.registration.local_only:
        shared["local"] = "true"
    return shared


def _queried(match: Match, query: EntityQuery, context: Context, limit: int) -> Forward:
    registration, shared = match.registration, _shared(match, context)
    if limit:
        shared["limit"] = str(limit)
    asked = _asked(match, query, context)
    if "queryEntity" in registration.operations:
        return Forward(registration, "GET", "/entities", context, {**_plain(asked), **shared})
    body = _query_body(asked, shared.pop("attrs", ""))
    return Forward(registration, "POST", "/entityOperations/query", context, shared, body)


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

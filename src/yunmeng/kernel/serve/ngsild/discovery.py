"""Which types and attributes there are (ETSI GS CIM 009 §5.7.5 to §5.7.10)."""

from collections import defaultdict
from collections.abc import Mapping
from typing import Any

import msgspec
from starlette.responses import Response

from yunmeng.kernel.base import BadInput, NotFound
from yunmeng.kernel.model import Context, Document, TypeIs
from yunmeng.kernel.serve.heading import parameters_of
from yunmeng.kernel.serve.ngsild.negotiation import accepted, answer, request_context
from yunmeng.kernel.serve.ngsild.parameters import flag
from yunmeng.kernel.serve.routes import Call
from yunmeng.kernel.store import EntityQuery

# attributes are read off this many entities of each type; the counts of types are exact
_SAMPLE = 500
_MEMBERS = frozenset(("id", "type", "scope", "createdAt", "modifiedAt", "deletedAt", "expiresAt"))
_ONE = frozenset(("local", "via"))
_LIST = _ONE | {"details", "count"}

_decode = msgspec.json.Decoder(Document).decode


class _Seen:
    """What was seen of one attribute."""

    __slots__ = ("count", "kinds", "types")

    def __init__(self) -> None:
        self.count = 0
        self.kinds: set[str] = set()
        self.types: set[str] = set()


async def types(call: Call) -> Response:
    """Lists the entity types in use; ``details`` adds their attributes."""
    _defined(call, _LIST)
    media, context = accepted(call.request), await request_context(call)
    counts = await call.services.state.types(call.reach)
    if flag(parameters_of(call.request), "details"):
        rows = [await _type_row(call, context, uri) for uri in sorted(counts)]
        return answer(rows, context, media)
    listed = {
        "id": f"urn:ngsi-ld:EntityTypeList:{context.key}",
        "type": "EntityTypeList",
        "typeList": sorted(context.compact(uri) for uri in counts),
    }
    return answer(listed, context, media)


async def type_(call: Call) -> Response:
    """Describes one entity type: how many entities, which attributes."""
    _defined(call, _ONE)
    media, context = accepted(call.request), await request_context(call)
    uri = context.expand(call.request.path_params["type"])
    counts = await call.services.state.types(call.reach)
    if uri not in counts:
        raise NotFound("type.absent", type=call.request.path_params["type"])
    seen = await _attributes_of(call, uri)
    row = {
        "id": uri,
        "type": "EntityTypeInfo",
        "typeName": context.compact(uri),
        "entityCount": counts[uri],
        "attributeDetails": [_attribute_row(context, name, seen[name]) for name in sorted(seen)],
    }
    return answer(row, context, media)


async def attributes(call: Call) -> Response:
    """Lists the attributes in use; ``details`` adds the types that have them."""
    _defined(call, _LIST)
    media, context = accepted(call.request), await request_context(call)
    seen = await _all_attributes(call)
    if flag(parameters_of(call.request), "details"):
        rows = [
            {
                "id": uri,
                "type": "Attribute",
                "attributeName": context.compact(uri),
                "typeNames": sorted(map(context.compact, seen[uri].types)),
            }
            for uri in sorted(seen)
        ]
        return answer(rows, context, media)
    listed = {
        "id": f"urn:ngsi-ld:AttributeList:{context.key}",
        "type": "AttributeList",
        "attributeList": sorted(context.compact(uri) for uri in seen),
    }
    return answer(listed, context, media)


async def attribute(call: Call) -> Response:
    """Describes one attribute."""
    _defined(call, _ONE)
    media, context = accepted(call.request), await request_context(call)
    name: str = call.request.path_params["attribute"]
    # members of an entity are no attributes (§4.5.1)
    uri = "" if name in _MEMBERS else context.expand(name)
    seen = await _all_attributes(call)
    if uri not in seen:
        raise NotFound("attribute.absent", attribute=name)
    row = {
        **_attribute_row(context, uri, seen[uri]),
        "attributeCount": seen[uri].count,
        "typeNames": sorted(map(context.compact, seen[uri].types)),
    }
    return answer(row, context, media)


def _defined(call: Call, names: frozenset[str]) -> None:
    """Refuses parameters that the address does not define (§6.3.20)."""
    unknown = [name for name in parameters_of(call.request) if name not in names]
    if unknown:
        raise BadInput("query.unknown", names=sorted(unknown))


async def _type_row(call: Call, context: Context, uri: str) -> dict[str, Any]:
    seen = await _attributes_of(call, uri)
    return {
        "id": uri,
        "type": "EntityType",
        "typeName": context.compact(uri),
        "attributeNames": sorted(map(context.compact, seen)),
    }


def _attribute_row(context: Context, uri: str, seen: _Seen) -> dict[str, Any]:
    return {
        "id": uri,
        "type": "Attribute",
        "attributeName": context.compact(uri),
        "attributeTypes": sorted(seen.kinds),
    }


async def _all_attributes(call: Call) -> Mapping[str, _Seen]:
    seen: defaultdict[str, _Seen] = defaultdict(_Seen)
    for uri in await call.services.state.types(call.reach):
        await _look(call, uri, seen)
    return seen


async def _attributes_of(call: Call, uri: str) -> Mapping[str, _Seen]:
    seen: defaultdict[str, _Seen] = defaultdict(_Seen)
    await _look(call, uri, seen)
    return seen


async def _look(call: Call, uri: str, seen: defaultdict[str, _Seen]) -> None:
    found = await call.services.state.query(EntityQuery(call.reach, types=TypeIs(uri), limit=_SAMPLE))
    for body in found.documents:
        document = _decode(body)
        for name, instances in document.items():
            if name not in _MEMBERS:
                seen[name].count += 1
                seen[name].kinds.update(instance["type"] for instance in instances)
                seen[name].types.update(document["type"])

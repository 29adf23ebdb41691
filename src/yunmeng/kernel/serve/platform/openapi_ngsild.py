"""What the requests and answers of NGSI-LD look like, for the description of the API (ETSI GS CIM 009 §6)."""

import re
from collections.abc import Iterable
from typing import Any

ROOT = "/ngsi-ld/v1"
MEDIA = ("application/json", "application/ld+json")

_TEXT: dict[str, Any] = {"type": "string"}
_KINDS: dict[str, dict[str, Any]] = {
    "limit": {"type": "integer", "minimum": 0, "maximum": 1000},
    "offset": {"type": "integer", "minimum": 0},
    "lastN": {"type": "integer", "minimum": 1},
    "count": {"type": "boolean"},
    "local": {"type": "boolean"},
    "details": {"type": "boolean"},
    "deleteAll": {"type": "boolean"},
    "reload": {"type": "boolean"},
    "timerel": {"type": "string", "enum": ["before", "after", "between"]},
    "timeAt": {"type": "string", "format": "date-time"},
    "endTimeAt": {"type": "string", "format": "date-time"},
    "timeproperty": {"type": "string", "enum": ["observedAt", "createdAt", "modifiedAt", "deletedAt"]},
    "join": {"type": "string", "enum": ["flat", "inline", "@none"]},
    "joinLevel": {"type": "integer", "minimum": 1},
}
_PAGE = ("limit", "offset", "count")
_CHOOSE = (
    *("id", "type", "idPattern", "attrs", "q", "csf", "scopeQ", "local"),
    *("georel", "geometry", "coordinates", "geoproperty"),
)
_SHOW = ("options", "format", "pick", "omit", "lang", "datasetId", "geometryProperty")
_JOIN = ("join", "joinLevel", "containedBy")
_TIME = ("timerel", "timeAt", "endTimeAt", "timeproperty", "lastN", "aggrMethods", "aggrPeriodDuration")

_PARAMETERS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("GET /entities", (*_CHOOSE, *_SHOW, *_JOIN, *_PAGE, "orderBy", "collation")),
    ("DELETE /entities", _CHOOSE),
    (r"GET /entities/{id}", ("attrs", "local", *_SHOW, *_JOIN)),
    (r"PATCH /entities/{id}", ("observedAt", "lang", "options")),
    (r"DELETE /entities/{id}/attrs/{attribute}", ("datasetId", "deleteAll")),
    (r"POST /entities/{id}/attrs", ("options",)),
    (r"POST /entityOperations/(?:upsert|update|merge)", ("options",)),
    (r"POST /entityOperations/query", (*_SHOW, *_JOIN, *_PAGE)),
    (r"GET /(?:types|attributes)", ("details",)),
    (r"GET /temporal/entities", (*_CHOOSE, *_TIME, *_SHOW, *_PAGE)),
    (r"GET /temporal/entities/{id}", ("attrs", *_TIME, *_SHOW)),
    (r"POST /temporal/entityOperations/query", (*_SHOW, *_PAGE)),
    (r"GET /(?:subscriptions|csourceSubscriptions)", _PAGE),
    (r"GET /csourceRegistrations", (*_CHOOSE, *_PAGE)),
    (r"GET /jsonldContexts", ("details", "kind")),
    (r"GET /jsonldContexts/{id}", ("details",)),
    (r"DELETE /jsonldContexts/{id}", ("reload",)),
)

_BODIES: tuple[tuple[str, str], ...] = (
    (r"\w+ /(?:temporal/)?entities(?:/{id})?", "Entity"),
    (r"\w+ /(?:temporal/)?entities/{id}/attrs", "Fragment"),
    (r"POST /entityOperations/delete", "Ids"),
    (r"POST /(?:temporal/)?entityOperations/query", "Query"),
    (r"POST /entityOperations/\w+", "Entities"),
    (r"\w+ /(?:subscriptions|csourceSubscriptions)(?:/{id})?", "Subscription"),
    (r"\w+ /csourceRegistrations(?:/{id})?", "Registration"),
    (r"POST /jsonldContexts", "Context"),
)

_DONE: tuple[tuple[str, tuple[int, ...]], ...] = (
    (r"POST /(?:temporal/)?entityOperations/query", (200, 206)),
    (r"POST /entityOperations/create", (201, 207)),
    (r"POST /entityOperations/upsert", (201, 204, 207)),
    (r"POST /entityOperations/\w+", (204, 207)),
    (r"\w+ /entities/{id}/attrs.*", (204, 207)),
    (r"POST /entities", (201, 207)),
    (r"(?:PATCH|PUT|DELETE) /entities.*", (204, 207)),
    (r"POST /temporal/entities", (201, 204)),
    (r"POST /temporal/entities/.*", (204,)),
    (r"GET /temporal/entities.*", (200, 206)),
    (r"\w+ /(?:entityMaps|temporal/entityMaps|snapshots).*", (200, 201, 202, 204)),
    (r"GET .*", (200,)),
    (r"POST .*", (201,)),
    (r".*", (204,)),
)

_OBJECT = {"type": "object"}
# a name (§4.6.2) or a URI
_NAME = {"type": "string", "pattern": r"^(?:[A-Za-z][A-Za-z0-9_]*|[a-z]+:[A-Za-z0-9_./:-]+)$"}
_ENTITY = {
    "id": "urn:ngsi-ld:Room:1",
    "type": "Room",
    "temperature": {"type": "Property", "value": 21.5, "unitCode": "CEL"},
}
SCHEMAS: dict[str, Any] = {
    "Entity": {
        "type": "object",
        "required": ["id", "type"],
        "properties": {
            "id": {"type": "string", "format": "uri"},
            "type": {"anyOf": [_NAME, {"type": "array", "items": _NAME, "minItems": 1}]},
            "scope": _TEXT,
            "@context": {"type": ["string", "object", "array"]},
        },
        "examples": [_ENTITY],
    },
    "Fragment": {"type": "object", "examples": [{"temperature": _ENTITY["temperature"]}]},
    "Entities": {"type": "array", "items": {"$ref": "#/components/schemas/Entity"}, "minItems": 1},
    "Ids": {"type": "array", "items": {"type": "string", "format": "uri"}, "minItems": 1},
    "Query": {
        "type": "object",
        "required": ["type"],
        "properties": {
            "type": {"const": "Query"},
            "entities": {"type": "array", "items": _OBJECT},
            "attrs": {"type": "array", "items": _NAME},
            "q": _TEXT,
            "scopeQ": _TEXT,
            "geoQ": _OBJECT,
            "temporalQ": _OBJECT,
        },
    },
    "Subscription": {
        "type": "object",
        "required": ["type", "notification"],
        "properties": {
            "type": {"const": "Subscription"},
            "entities": {"type": "array", "items": _OBJECT},
            "watchedAttributes": {"type": "array", "items": _NAME},
            "q": _TEXT,
            "notification": {"type": "object", "required": ["endpoint"], "properties": {"endpoint": _OBJECT}},
        },
    },
    "Registration": {
        "type": "object",
        "required": ["type", "information", "endpoint"],
        "properties": {
            "type": {"const": "ContextSourceRegistration"},
            "information": {"type": "array", "items": _OBJECT},
            "endpoint": {"type": "string", "format": "uri"},
        },
    },
    "Context": {"type": "object", "required": ["@context"]},
}


def _first(rows: Iterable[tuple[str, Any]], operation: str) -> Any:
    return next((value for pattern, value in rows if re.fullmatch(_escaped(pattern), operation)), None)


def _escaped(pattern: str) -> str:
    return pattern.replace("{", r"\{").replace("}", r"\}")


def parameters(method: str, path: str) -> list[dict[str, Any]]:
    """Returns the query parameters and headers that an operation reads."""
    names: tuple[str, ...] = _first(_PARAMETERS, f"{method} {path}") or ()
    asked = [{"name": name, "in": "query", "schema": _KINDS.get(name, _TEXT)} for name in names]
    headers = [{"name": name, "in": "header", "schema": _TEXT} for name in ("NGSILD-Tenant", "Link")]
    return [*asked, *headers]


def body(method: str, path: str) -> dict[str, Any]:
    """Returns the schema of an operation's body; the parts of a change are as free as a fragment."""
    name = _first(_BODIES, f"{method} {path}")
    if name is None or (method == "PATCH" and name != "Fragment"):
        name = "Fragment"
    return {"$ref": f"#/components/schemas/{name}"}


def done(method: str, path: str) -> tuple[int, ...]:
    """Returns the statuses of success."""
    return _first(_DONE, f"{method} {path}")

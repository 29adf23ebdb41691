"""JSON Schemas of entity types."""

from collections.abc import Iterable
from typing import Any, Literal

from yunmeng.kernel.model.attribute_kinds import GEOMETRIES, VALUE_MEMBERS
from yunmeng.kernel.model.type_tables import AttributeRow, EntityType

_JSON_TYPES: dict[str, dict[str, Any]] = {
    "number": {"type": "number"},
    "integer": {"type": "integer"},
    "string": {"type": "string"},
    "boolean": {"type": "boolean"},
    "datetime": {"type": "string", "format": "date-time"},
    "date": {"type": "string", "format": "date"},
    "object": {"type": "object"},
    "any": {},
}
_GEOMETRY: dict[str, Any] = {
    "type": "object",
    "required": ["type", "coordinates"],
    "properties": {"type": {"enum": sorted(GEOMETRIES)}, "coordinates": {"type": "array"}},
}
_URI: dict[str, Any] = {"type": "string", "format": "uri"}


def entity_schema(
    type_: EntityType,
    terms: Iterable[AttributeRow],
    representation: Literal["normalized", "simplified"],
) -> dict[str, Any]:
    """Returns the JSON Schema (2020-12) of one type in the representation asked for."""
    rows = {row.name: row for row in (*terms, *type_.attributes)}
    shape = _value if representation == "simplified" else _attribute
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": f"{type_.uri}/schema/{representation}",
        "title": type_.en,
        "x-title-zh": type_.zh,
        "type": "object",
        "required": ["id", "type", *(row.name for row in type_.attributes if row.required)],
        "properties": {
            "id": _URI,
            "type": {"const": type_.name},
            **{name: {**shape(row), **_words(row)} for name, row in rows.items()},
        },
    }


def _words(row: AttributeRow) -> dict[str, Any]:
    words: dict[str, Any] = {"title": row.en, "x-title-zh": row.zh, "x-grade": row.grade}
    if row.unit:
        words["x-unit"] = row.unit
    return words


def _attribute(row: AttributeRow) -> dict[str, Any]:
    member = VALUE_MEMBERS[row.kind]
    properties: dict[str, Any] = {"type": {"const": row.kind}, member: _value(row)}
    properties["observedAt"] = _JSON_TYPES["datetime"]
    if row.unit:
        properties["unitCode"] = {"type": "string", "default": row.unit}
    return {"type": "object", "required": ["type", member], "properties": properties}


def _value(row: AttributeRow) -> dict[str, Any]:
    match row.kind:
        case "GeoProperty":
            return _GEOMETRY
        case "Relationship":
            return {"anyOf": [_URI, {"type": "array", "items": _URI}]}
        case "ListRelationship":
            return {"type": "array", "items": {"type": "object", "properties": {"object": _URI}}}
        case "LanguageProperty":
            return {"type": "object", "additionalProperties": {"type": ["string", "array"]}}
        case "VocabProperty":
            return {"type": ["string", "array"], **({"enum": list(row.values)} if row.values else {})}
        case "ListProperty":
            return {"type": "array", "items": _plain(row)}
        case _:
            return _plain(row)


def _plain(row: AttributeRow) -> dict[str, Any]:
    schema = dict(_GEOMETRY if row.datatype == "geometry" else _JSON_TYPES[row.datatype])
    if row.values:
        schema["enum"] = list(row.values)
    if row.min is not None:
        schema["minimum"] = row.min
    if row.max is not None:
        schema["maximum"] = row.max
    return schema

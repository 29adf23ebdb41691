"""The kinds of attributes and the members that an instance may have (ETSI GS CIM 009 §4.5.2, §5.2.4–8)."""

from typing import Any

NULL = "urn:ngsi-ld:null"
"""The NGSI-LD Null: asks for a removal (§4.5.0)."""

VALUE_MEMBERS: dict[str, str] = {
    "Property": "value",
    "GeoProperty": "value",
    "Relationship": "object",
    "LanguageProperty": "languageMap",
    "VocabProperty": "vocab",
    "JsonProperty": "json",
    "ListProperty": "valueList",
    "ListRelationship": "objectList",
}
"""The member that holds the value, by kind of attribute."""

TIMES = frozenset(("createdAt", "modifiedAt", "deletedAt"))
"""Members that the system writes."""

EXPIRY = "expiresAt"
"""When an entity or an attribute instance ends by itself (§4.22)."""

INSTANCE_MEMBERS = frozenset(
    (
        *VALUE_MEMBERS.values(),
        *TIMES,
        "type",
        "observedAt",
        "unitCode",
        "datasetId",
        "instanceId",
        "objectType",
        "valueType",
        EXPIRY,
        "entityIdSealed",
        "entityTypeSealed",
    )
)
"""Members of an attribute instance that are not sub-attributes."""

ENTITY_MEMBERS = frozenset((*TIMES, EXPIRY, "id", "type", "scope"))
"""Members of a stored entity that are not attributes."""

GEOMETRIES = frozenset(("Point", "MultiPoint", "LineString", "MultiLineString", "Polygon", "MultiPolygon"))
"""GeoJSON geometries that a GeoProperty may have (§4.7)."""


def is_null(instance: dict[str, Any]) -> bool:
    """Says whether an attribute instance of a fragment asks for its own removal."""
    member = VALUE_MEMBERS.get(instance.get("type", ""))
    return member is not None and instance.get(member) == NULL

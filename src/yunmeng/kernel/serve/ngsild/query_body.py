"""The Query data type (ETSI GS CIM 009 §5.2.23), written as the parameters that say the same."""

from collections.abc import Mapping
from typing import cast

import msgspec

from yunmeng.kernel.base import BadInput
from yunmeng.kernel.serve.body import as_object

SELECTORS = "entities"
"""The parameter that holds several selectors, as JSON; no address can have it."""

_GEO = ("georel", "geometry", "coordinates", "geoproperty")
_LISTS = ("attrs", "pick", "omit", "datasetId", "expandValues", "containedBy", "jsonKeys")
_TEXTS = ("q", "scopeQ", "lang", "csf", "join", "entityMapLifetime", "geometryProperty")
_PLAIN = ("joinLevel", "splitEntities", "entityMap", "local")
_ORDERING = {"coordinates": "orderFrom", "geometry": "orderGeometry", "collation": "collation"}


def body_parameters(body: Mapping[str, object]) -> dict[str, str]:
    """Writes a Query as the parameters that say the same.

    Raises:
        BadInput: ``json.text``, ``json.array``, ``json.object``.
    """
    parameters: dict[str, str] = {}
    entities = body.get("entities")
    if entities is not None:
        parameters.update(_selector_parameters(entities))
    for name in _LISTS:
        if name in body:
            parameters[name] = ",".join(_texts(body[name], name))
    for name in _TEXTS:
        if name in body:
            parameters[name] = _text(body[name], name)
    parameters.update({name: _plain(body[name]) for name in _PLAIN if name in body})
    if "geoQ" in body:
        geo = as_object(body["geoQ"], "geoQ")
        parameters.update({name: _plain(geo[name]) for name in _GEO if name in geo})
    if "ordering" in body:
        parameters.update(_ordering_parameters(as_object(body["ordering"], "ordering")))
    return parameters


def _ordering_parameters(ordering: Mapping[str, object]) -> dict[str, str]:
    """Writes OrderingParams (§5.2.43)."""
    parameters = {"orderBy": ",".join(_texts(ordering.get("orderBy"), "ordering.orderBy"))}
    for member, name in _ORDERING.items():
        if member not in ordering:
            continue
        value = ordering[member]
        if member != "coordinates":
            parameters[name] = _text(value, f"ordering.{member}")
        elif isinstance(value, list):
            parameters[name] = _plain(cast("list[object]", value))
        else:
            raise BadInput("json.array", where="ordering.coordinates")
    return parameters


def _selector_parameters(entities: object) -> dict[str, str]:
    """Writes the selectors of a Query; where several choose by more than types, they go on as they are."""
    if not isinstance(entities, list) or not entities:
        raise BadInput("json.array", where="entities")
    selectors = [_selector(as_object(one, "entities")) for one in cast("list[object]", entities)]
    if len(selectors) == 1:
        return selectors[0]
    types = [one["type"] for one in selectors]
    parameters = {"type": "*" if "*" in types else ",".join(f"({one})" for one in types)}
    if any(one.keys() - {"type"} for one in selectors):
        parameters[SELECTORS] = _plain(selectors)
    return parameters


def _selector(one: Mapping[str, object]) -> dict[str, str]:
    """Writes one selector; of an id and a pattern the id counts (§5.2.33)."""
    parameters = {"type": _text(one.get("type"), "entities.type")}
    if "id" in one:
        parameters["id"] = ",".join(_ids(one["id"]))
    elif "idPattern" in one:
        parameters["idPattern"] = _text(one["idPattern"], "idPattern")
    return parameters


def _ids(value: object) -> list[str]:
    return _texts(cast("list[object]", value) if isinstance(value, list) else [value], "id")


def _text(value: object, where: str) -> str:
    if not isinstance(value, str):
        raise BadInput("json.text", where=where)
    return value


def _texts(value: object, where: str) -> list[str]:
    items = cast("list[object]", value) if isinstance(value, list) else []
    if not items or not all(isinstance(item, str) for item in items):
        raise BadInput("json.text", where=where)
    return cast("list[str]", items)


def _plain(value: object) -> str:
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()

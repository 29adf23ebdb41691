"""Entities as clients write them, checked and turned into the stored form: URIs for names, lists throughout.

Accepts the normalized and the concise representation (ETSI GS CIM 009 §4.5.1, §4.5.9) and, on request, the
simplified one (§4.5.4).
"""

import re
from collections.abc import Callable
from functools import lru_cache
from typing import Any

from yunmeng.kernel.base import BadInput, check_urn
from yunmeng.kernel.model.attribute_kinds import EXPIRY, INSTANCE_MEMBERS, NULL, TIMES, VALUE_MEMBERS
from yunmeng.kernel.model.contexts import Context
from yunmeng.kernel.model.core_context import NGSI_LD
from yunmeng.kernel.model.expand_values import (
    VALUE_CHECKS,
    Mode,
    plain_value,
    text_list,
    utc_text,
    vocabulary_uris,
)
from yunmeng.kernel.model.geometry import check_geometry, looks_like_geometry
from yunmeng.kernel.model.json_values import is_array, is_object
from yunmeng.kernel.model.operations import Document

_KIND_OF_MEMBER = {
    "value": "Property",
    "object": "Relationship",
    "languageMap": "LanguageProperty",
    "vocab": "VocabProperty",
    "json": "JsonProperty",
    "valueList": "ListProperty",
    "objectList": "ListRelationship",
}
# what the core context makes of the members of an entity or instance must not become an attribute
_RESERVED = (
    frozenset(NGSI_LD + name for name in (*TIMES, EXPIRY, "scope", "observedAt", "unitCode"))
    | frozenset(
        NGSI_LD + name
        for name in ("datasetId", "instanceId", "hasObjectType", "hasValue", "hasObject", "hasVocab")
    )
    | frozenset(NGSI_LD + name for name in ("hasLanguageMap", "hasJSON", "hasValueList", "hasObjectList"))
)
# what an entity has beside attributes; a context was read before, and times only the system writes
OWN = frozenset(("id", "@id", "type", "@type", "scope", EXPIRY, "@context", *TIMES))
# what only answers may have (§4.5.2, §4.5.3), or only a proof (§4.5.2.2)
_PREVIOUS = frozenset(f"previous{name[0].upper()}{name[1:]}" for name in _KIND_OF_MEMBER)
_SEALED = frozenset(("entityIdSealed", "entityTypeSealed"))
PROOF = "ngsildproof"
_MEASURED = frozenset(("type", "value", "unitCode", "observedAt", "datasetId"))
SCALARS = frozenset((int, float, bool, str))
_UNITLESS = frozenset(("Relationship", "ListRelationship", "JsonProperty", "VocabProperty"))
_GEO_NAMES = frozenset(NGSI_LD + name for name in ("location", "observationSpace", "operationSpace"))
_LANGUAGE_TYPES = frozenset(("langString", "rdf:langString"))
_SCOPE = re.compile(r"/?[^\W\d_]\w*(?:/[^\W\d_]\w*)*\Z")
_NO_CONTROL = re.compile(r"[^\x00-\x1f\x7f]{1,64}\Z")


def expand_entity(
    body: object, context: Context, *, simplified: bool = False, temporal: bool = False
) -> Document:
    """Returns the stored form of a whole entity; ``@context`` and times of the system are left out.

    ``temporal`` lets an attribute have several instances of one dataset (§4.5.6). Raises ``BadInput`` with
    the rule that is broken and the attribute that breaks it.
    """
    if not is_object(body):
        raise BadInput("entity.not-object")
    document = _entity(body, Mode(context.expanded, simplified, temporal))
    if "id" not in document:
        raise BadInput("entity.no-id")
    if "type" not in document:
        raise BadInput("entity.no-type", id=document["id"])
    return document


def expand_fragment(
    body: object,
    context: Context,
    *,
    simplified: bool = False,
    temporal: bool = False,
    nulls: bool = True,
    partial: bool = False,
) -> Document:
    """Returns the stored form of an entity fragment (§5.4): no member is required.

    ``nulls`` admits NGSI-LD Null, ``partial`` instances without a value (§5.5.12). Raises ``BadInput``.
    """
    if not is_object(body):
        raise BadInput("entity.not-object")
    return _entity(body, Mode(context.expanded, simplified, temporal, nulls, partial, merging=True))


def expand_instance(
    name: str, body: object, context: Context, *, nulls: bool = True, partial: bool = False
) -> Document:
    """Returns the stored form of one instance of the attribute ``name`` (§5.6.4, §5.6.19)."""
    mode = Mode(context.expanded, nulls=nulls, partial=partial)
    if is_object(body) and not looks_like_geometry(body):
        return _instance(mode, name, body)
    return instances_of(mode, name, body)[0]


def _entity(body: dict[str, Any], mode: Mode) -> Document:
    document: Document = {}
    for name, value in body.items():
        if name in OWN:
            _take_own(document, mode, name, value)
        else:
            uri = attribute_uri(mode, name)
            if uri in document:
                raise BadInput("name.twice", name=name)
            document[uri] = instances_of(mode, name, value)
            if wants_geometry(uri):
                must_be_geometry(name, document[uri])
    return document


def _take_own(document: Document, mode: Mode, name: str, value: object) -> None:
    if name in ("id", "@id"):
        document["id"] = _id(value)
    elif name in ("type", "@type"):
        document["type"] = types_of(mode, value)
    elif name == "scope":
        document["scope"] = _scopes(value, nulls=mode.nulls)
    elif name == EXPIRY:
        document[EXPIRY] = _expiry(mode, name, value)


def _id(value: object) -> str:
    if value == NULL:
        raise BadInput("attribute.null", attribute="id")
    return check_urn(value)


# datasets are few
_known_id = lru_cache(maxsize=4096)(_id)


def _expiry(mode: Mode, name: str, value: object) -> str:
    if value == NULL:
        if not mode.nulls:
            raise BadInput("attribute.null", attribute=name)
        return NULL
    return moment_of(value)


def moment_of(value: object) -> str:
    """Returns a DateTime of a member; only UTC with a ``Z`` is one (§4.6.3)."""
    text = utc_text(value)
    if not isinstance(value, str) or not value.endswith("Z"):
        raise BadInput("time.offset", time=value)
    return text


def attribute_uri(mode: Mode, name: str) -> str:
    """Returns the URI of an attribute. Raises ``BadInput`` for one that a member of the system has."""
    uri = mode.names[name]
    if uri in _RESERVED:
        raise BadInput("name.reserved", name=name)
    return uri


def wants_geometry(uri: str) -> bool:
    """Tells an attribute that must be a GeoProperty (§4.7)."""
    return uri in _GEO_NAMES


def must_be_geometry(name: str, instances: list[Document]) -> None:
    """Refuses instances of another kind."""
    for instance in instances:
        kind = instance.get("type", "GeoProperty")
        if kind != "GeoProperty" and instance.get(VALUE_MEMBERS[kind]) != NULL:
            raise BadInput("geometry.type", attribute=name)


def types_of(mode: Mode, value: object) -> list[str]:
    """Returns the URIs of an entity's types, one or a list as they came."""
    names = text_list(value)
    if not names or not all(names):
        raise BadInput("entity.type")
    return list(dict.fromkeys(mode.names[name] for name in names))


def _scopes(value: object, *, nulls: bool) -> list[str]:
    if value == NULL and nulls:
        return [NULL]
    if is_object(value) and value.get("type") == "Property":
        value = value.get("value")
    scopes = text_list(value)
    if not scopes or not all(_SCOPE.match(scope) for scope in scopes):
        raise BadInput("scope.invalid", scope=value)
    return list(dict.fromkeys(scope if scope.startswith("/") else f"/{scope}" for scope in scopes))


def instances_of(mode: Mode, name: str, value: object) -> list[Document]:
    """Returns the instances of an attribute in stored form."""
    if is_object(value):
        if looks_like_geometry(value):
            return [{"type": "GeoProperty", "value": check_geometry(name, value)}]
        if "dataset" in value and len(value) == 1 and is_object(value["dataset"]):
            return _datasets(mode, name, value["dataset"])
        if mode.simplified and value.keys().isdisjoint(_KIND_OF_MEMBER):
            return [{"type": "Property", "value": value}]
        return [_instance(mode, name, value)]
    if is_array(value) and value and _are_instances(value):
        return _many(mode, name, value)
    return [{"type": "Property", "value": plain_value(mode, name, value)}]


def _are_instances(items: list[Any]) -> bool:
    for item in items:
        if not is_object(item):
            return False
        kind = item.get("type")
        if not (isinstance(kind, str) and kind in VALUE_MEMBERS) and item.keys().isdisjoint(_KIND_OF_MEMBER):
            return False
    return True


def _many(mode: Mode, name: str, items: list[Any]) -> list[Document]:
    instances = [_instance(mode, name, item) for item in items]
    if not mode.temporal and len(instances) > 1:
        datasets = {instance.get("datasetId", "") for instance in instances}
        if len(datasets) < len(instances):
            raise BadInput("dataset.twice", attribute=name)
    return instances


def _datasets(mode: Mode, name: str, values: dict[str, Any]) -> list[Document]:
    found: list[Document] = []
    for dataset, value in values.items():
        mark = {} if dataset == "@none" else {"datasetId": check_urn(dataset)}
        found.extend({**instance, **mark} for instance in instances_of(mode, name, value))
    if not found:
        raise BadInput("attribute.null", attribute=name)
    return found


def _instance(mode: Mode, name: str, body: dict[str, Any]) -> Document:
    plain = _plain(name, body)
    if plain is not None:
        return plain
    kind = _kind(mode, name, body)
    member = VALUE_MEMBERS.get(kind, "")
    instance: Document = {"type": kind} if kind else {}
    for key, value in body.items():
        if member and key == member:
            if value == NULL and mode.nulls:
                instance[key] = NULL
            else:
                instance[key] = VALUE_CHECKS[kind](mode, name, value)
        elif key == "type":
            continue
        elif key in INSTANCE_MEMBERS:
            _member(mode, instance, name, key, value)
        elif key not in TIMES:
            uri = _sub_name(mode, instance, name, key)
            instance[uri] = instances_of(mode, f"{name}.{key}", value)
    return instance


def _plain(name: str, body: dict[str, Any]) -> Document | None:
    """Returns a measured value, as most instances are, in stored form; None for what wants a closer look."""
    value = body.get("value")
    if value.__class__ not in SCALARS or not _MEASURED.issuperset(body) or next(iter(body)) != "type":
        return None
    if body["type"] != "Property" or name == PROOF or NULL in body.values():
        return None
    instance = dict(body)
    if "observedAt" in body:
        instance["observedAt"] = moment_of(body["observedAt"])
    if "unitCode" in body:
        check_unit(name, body["unitCode"])
    if "datasetId" in body:
        dataset = _dataset_id(body["datasetId"])
        if dataset is None:
            del instance["datasetId"]
    return instance


def _kind(mode: Mode, name: str, body: dict[str, Any]) -> str:
    kind = body.get("type")
    if kind is None:
        kind = _infer(body)
    elif not isinstance(kind, str) or kind not in VALUE_MEMBERS:
        raise BadInput("attribute.kind", attribute=name, kind=kind)
    member = VALUE_MEMBERS.get(kind, "")
    if member not in body and not mode.partial:
        raise BadInput(
            "attribute.no-value", attribute=name, kind=kind or "Property", member=member or "value"
        )
    if name == PROOF and not is_object(body.get("value")):
        raise BadInput("attribute.proof")
    return kind


def _sub_name(mode: Mode, instance: Document, name: str, key: str) -> str:
    if key == "@context":
        raise BadInput("context.nested", attribute=name)
    if key in _PREVIOUS:
        _alien(instance, name, key)
    uri = mode.names[key]
    if uri in _RESERVED:
        raise BadInput("name.reserved", name=key)
    return uri


def _infer(body: dict[str, Any]) -> str:
    for member, kind in _KIND_OF_MEMBER.items():
        if member in body:
            return "GeoProperty" if kind == "Property" and looks_like_geometry(body["value"]) else kind
    return ""


def _member(mode: Mode, instance: Document, name: str, key: str, value: object) -> None:
    if key in TIMES:
        return
    read = _MEMBERS.get(key)
    if read is None or (key in _SEALED and name != PROOF):
        _alien(instance, name, key)
    elif value == NULL and mode.nulls and key in ("observedAt", "unitCode"):
        instance[key] = NULL
    elif (found := read(mode, instance, name, value)) is not None:
        instance[key] = found


def _dataset_id(value: object) -> str | None:
    return None if value == "@none" else _known_id(value) if isinstance(value, str) else _id(value)


def _instance_id(mode: Mode, instance: Document, name: str, value: object) -> str | None:
    return check_urn(value) if mode.temporal else None


def _unit_code(mode: Mode, instance: Document, name: str, value: object) -> str:
    if instance.get("type") in _UNITLESS:
        _alien(instance, name, "unitCode")
    return check_unit(name, value)


def _alien(instance: Document, name: str, key: str) -> None:
    raise BadInput("attribute.member", attribute=name, kind=instance.get("type", "Property"), member=key)


def _value_type(instance: Document, name: str, value: object) -> str:
    """Checks the datatype of a value; language maps have only one (§5.2.32)."""
    if not isinstance(value, str) or not value:
        raise BadInput("attribute.value-type", attribute=name)
    if instance.get("type") == "LanguageProperty" and value not in _LANGUAGE_TYPES:
        raise BadInput("attribute.value-type", attribute=name)
    return value


def check_unit(name: str, value: object) -> str:
    """Returns a unit that is a text without control characters."""
    if not isinstance(value, str) or not _NO_CONTROL.match(value):
        raise BadInput("attribute.unit", attribute=name, unit=value)
    return value


_MEMBERS: dict[str, Callable[[Mode, Document, str, object], object]] = {
    "observedAt": lambda _, _instance, _name, value: moment_of(value),
    EXPIRY: lambda mode, _, name, value: _expiry(mode, name, value),
    "datasetId": lambda _, _instance, _name, value: _dataset_id(value),
    "instanceId": _instance_id,
    "unitCode": _unit_code,
    "objectType": lambda mode, _, name, value: vocabulary_uris(mode, name, value),
    "entityTypeSealed": lambda mode, _, name, value: vocabulary_uris(mode, name, value),
    "entityIdSealed": lambda _, _instance, _name, value: _id(value),
    "valueType": lambda _, instance, name, value: _value_type(instance, name, value),
}

"""Stored documents to what clients read: normalized, concise, simplified, GeoJSON (ETSI GS CIM 009 §4.5)."""

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from itertools import takewhile
from typing import Any, Literal

from yunmeng.kernel.model.attribute_kinds import (
    ENTITY_MEMBERS,
    EXPIRY,
    INSTANCE_MEMBERS,
    TIMES,
    VALUE_MEMBERS,
)
from yunmeng.kernel.model.contexts import Context
from yunmeng.kernel.model.core_context import NGSI_LD
from yunmeng.kernel.model.json_values import is_array, is_object
from yunmeng.kernel.model.operations import Document

Representation = Literal["normalized", "concise", "simplified", "geojson", "geojson-simplified"]

_QUALITY = re.compile(r"0(?:\.\d{0,3})?|1(?:\.0{0,3})?")
LOCATION = NGSI_LD + "location"
_SYSTEM = TIMES | {EXPIRY}
_NAMES = frozenset(("vocab", "objectType", "entityTypeSealed"))
_AS_IS = INSTANCE_MEMBERS - _SYSTEM - _NAMES


@dataclass(frozen=True, slots=True)
class _View:
    """What one answer shows; ``names`` is the context's URI to name."""

    names: Mapping[str, str]
    sysattrs: bool
    lang: str
    simplified: bool
    concise: bool


def compact_entity(
    document: Document,
    context: Context,
    representation: Representation = "normalized",
    *,
    sysattrs: bool = False,
    attrs: Collection[str] = (),
    pick: Collection[str] = (),
    omit: Collection[str] = (),
    lang: str = "",
    dataset_ids: Collection[str] | None = None,
    geometry_property: str = LOCATION,
) -> dict[str, Any]:
    """Returns one entity as a client reads it, without ``@context``.

    ``attrs``, ``pick``, ``omit`` and ``geometry_property`` are expanded URIs (``pick`` and ``omit`` also
    ``id``, ``type``, ``scope``); ``dataset_ids`` keeps those instances only, ``@none`` being the default one.
    ``lang`` turns language maps into plain values (§4.5.18). Several types come as a list.
    """
    geojson = representation.startswith("geojson")
    simplified = representation in ("simplified", "geojson-simplified")
    view = _View(context.compacted, sysattrs, lang, simplified, representation == "concise")
    entity: dict[str, Any] = {}
    names = view.names
    choosy = bool(attrs or pick or omit)
    for key, value in document.items():
        if choosy and not _wanted(key, attrs, pick, omit):
            continue
        if key in ENTITY_MEMBERS:
            _entity_member(entity, key, value, view)
            continue
        instances = value if dataset_ids is None else _chosen(value, dataset_ids)
        if instances:
            entity[names[key]] = _attribute(instances, view)
    return _feature(entity, document, geometry_property) if geojson else entity


def _wanted(key: str, attrs: Collection[str], pick: Collection[str], omit: Collection[str]) -> bool:
    if key in omit:
        return False
    if pick:
        return key in pick or key in _SYSTEM
    return not attrs or key in ENTITY_MEMBERS or key in attrs


def _chosen(instances: list[Document], dataset_ids: Collection[str]) -> list[Document]:
    return [instance for instance in instances if instance.get("datasetId", "@none") in dataset_ids]


def _entity_member(entity: dict[str, Any], key: str, value: Any, view: _View) -> None:
    if key == "type":
        names = [view.names[uri] for uri in value]
        entity[key] = names[0] if len(names) == 1 else names
    elif key == "scope":
        entity[key] = value[0] if len(value) == 1 else value
    elif key not in _SYSTEM or view.sysattrs:
        entity[key] = value


def _attribute(instances: list[Document], view: _View) -> Any:
    if view.simplified:
        if len(instances) == 1 and "datasetId" not in instances[0]:
            return _simplified(instances[0], view)
        values = {instance.get("datasetId", "@none"): _simplified(instance, view) for instance in instances}
        return {"dataset": values}
    if len(instances) == 1:
        shown = _normalized(instances[0], view)
        return _concise(shown) if view.concise else shown
    several = [_normalized(instance, view) for instance in instances]
    if view.concise:
        for shown in several:
            shown.pop("type", None)
    return several


def _normalized(instance: Document, view: _View) -> dict[str, Any]:
    shown: dict[str, Any] = {}
    for key, value in instance.items():
        if key in _AS_IS:
            shown[key] = value
        elif key in _SYSTEM:
            if view.sysattrs:
                shown[key] = value
        elif key in _NAMES:
            shown[key] = _vocab(value, view)
        else:
            shown[view.names[key]] = _attribute(value, view)
    if view.lang and "languageMap" in shown:
        _speak(shown, view.lang)
    return shown


def _concise(shown: dict[str, Any]) -> Any:
    kind = shown.pop("type", "Property")
    if len(shown) == 1 and "value" in shown:
        value = shown["value"]
        if kind == "GeoProperty" or not _ambiguous(value):
            return value
    return shown


def _ambiguous(value: object) -> bool:
    return is_object(value) or (is_array(value) and any(is_object(item) for item in value))


def _simplified(instance: Document, view: _View) -> Any:
    kind = instance["type"]
    value = instance.get(VALUE_MEMBERS[kind])
    match kind:
        case "VocabProperty":
            return {"vocab": _vocab(value, view)}
        case "JsonProperty":
            return {"json": value}
        case "LanguageProperty":
            return (
                pick_language(value, view.lang)[0]
                if view.lang and is_object(value)
                else {"languageMap": value}
            )
        case "ListRelationship":
            return [item["object"] for item in value] if is_array(value) else value
        case _:
            return value


def _vocab(value: Any, view: _View) -> Any:
    return [view.names[uri] for uri in value] if is_array(value) else view.names[value]


def _speak(shown: dict[str, Any], lang: str) -> None:
    languages = shown.pop("languageMap")
    shown["type"] = "Property"
    shown["value"], shown["lang"] = pick_language(languages, lang)


def pick_language(languages: Mapping[str, Any], wanted: str) -> tuple[Any, str]:
    """Returns the words of a language map that suit best, and their language (RFC 4647 §3.4, §4.15)."""
    for tag in _by_quality(wanted):
        while tag:
            for language, words in languages.items():
                if language.lower() == tag or language.lower().startswith(f"{tag}-"):
                    return words, language
            tag = tag.rpartition("-")[0]
    language = "@none" if "@none" in languages else next(iter(languages))
    return languages[language], language


def _by_quality(wanted: str) -> list[str]:
    """Returns the languages wished for before any other, the dearest first (RFC 3282)."""
    wishes: list[tuple[float, str]] = []
    for part in wanted.split(","):
        tag, _, parameter = part.partition(";")
        name, _, value = parameter.strip().partition("=")
        found = _QUALITY.fullmatch(value) if name == "q" else None
        wishes.append((float(value) if found else 1.0, tag.strip().lower()))
    tags = (tag for quality, tag in sorted(wishes, key=lambda wish: -wish[0]) if quality)
    return list(takewhile(lambda tag: tag != "*", tags))


def _feature(entity: dict[str, Any], document: Document, geometry_property: str) -> dict[str, Any]:
    feature: dict[str, Any] = {"id": document["id"], "type": "Feature", "geometry": None}
    for instance in document.get(geometry_property, ()):
        if instance.get("type") == "GeoProperty" and "datasetId" not in instance:
            feature["geometry"] = instance["value"]
    feature["properties"] = {key: value for key, value in entity.items() if key != "id"}
    return feature

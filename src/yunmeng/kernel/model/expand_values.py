"""The value of an attribute by its kind: what each may hold (ETSI GS CIM 009 §4.5.2 to §4.5.25)."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from yunmeng.kernel.base import BadInput, check_urn, format_us, instant_us
from yunmeng.kernel.model.attribute_kinds import NULL
from yunmeng.kernel.model.core_context import NGSI_LD
from yunmeng.kernel.model.geometry import check_geometry
from yunmeng.kernel.model.json_values import is_array, is_object

_LANGUAGE = re.compile(r"(?:[A-Za-z]{1,8}(?:-[A-Za-z0-9]{1,8})*|@none)\Z")
_IRI = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:[^\s<>\"{}|\\^`]{1,1000}\Z")


@dataclass(frozen=True, slots=True)
class Mode:
    """How to read: ``nulls`` may ask for removals, ``partial`` instances may lack their value."""

    names: dict[str, str]
    simplified: bool = False
    temporal: bool = False
    nulls: bool = False
    partial: bool = False
    merging: bool = False


def text_list(value: object) -> list[str]:
    """Returns a text, or an array of texts, as a list; empty for anything else."""
    items = value if is_array(value) else [value]
    texts = [item for item in items if isinstance(item, str)]
    return texts if len(texts) == len(items) else []


def utc_text(value: object) -> str:
    """Returns a date and time as the client wrote it when it is in UTC, else converted to UTC.

    Raises ``BadInput`` with ``time.bad`` or ``time.naive``.
    """
    return _utc_text(value) if isinstance(value, str) else format_us(instant_us(value))


@lru_cache(maxsize=65_536)
def _utc_text(value: str) -> str:
    us = instant_us(value)
    return value if value.endswith("Z") and "," not in value else format_us(us)


def plain_value(mode: Mode, name: str, value: object) -> object:
    """Returns the value; refuses null where nothing may be removed."""
    if value is None or (value == NULL and not mode.nulls):
        raise BadInput("attribute.null", attribute=name)
    if not mode.merging and value.__class__ in (dict, list) and _holds_null(value):
        raise BadInput("attribute.null", attribute=name)
    return value


def _property(mode: Mode, name: str, value: object) -> object:
    if is_object(value) and "@type" in value and "@value" in value:
        _typed(value)
    return plain_value(mode, name, value)


def _holds_null(value: object) -> bool:
    if is_object(value):
        return any(_holds_null(item) for item in value.values())
    if is_array(value):
        return any(_holds_null(item) for item in value)
    return value == NULL


def _typed(value: dict[str, Any]) -> None:
    if value["@type"] in ("DateTime", NGSI_LD + "DateTime"):
        utc_text(value["@value"])


def _geometry(mode: Mode, name: str, value: object) -> object:
    return check_geometry(name, value)


def _relationship(mode: Mode, name: str, value: object) -> object:
    if is_array(value):
        if not value:
            raise BadInput("attribute.object", attribute=name)
        return [_uri(name, item) for item in value]
    return _uri(name, value)


def _uri(name: str, value: object) -> str:
    if not isinstance(value, str) or value == NULL:
        raise BadInput("attribute.object", attribute=name)
    try:
        return check_urn(value)
    except BadInput as cause:
        # an object may be an IRI (RFC 3987): letters of any script, but nothing invisible
        if _IRI.match(value) and value.isprintable() and not value.isascii():
            return value
        raise BadInput("attribute.object", attribute=name) from cause


def _object_list(mode: Mode, name: str, value: object) -> object:
    if not is_array(value):
        raise BadInput("attribute.object", attribute=name)
    if mode.nulls and value == [NULL]:
        return NULL
    return [{"object": _uri(name, item.get("object") if is_object(item) else item)} for item in value]


def _languages(mode: Mode, name: str, value: object) -> object:
    if not is_object(value) or not value:
        raise BadInput("attribute.language", attribute=name)
    if mode.nulls and value == {"@none": NULL}:
        return NULL
    for language, words in value.items():
        texts = words if is_array(words) else [words]
        if not _LANGUAGE.match(language) or not all(isinstance(text, str) for text in texts):
            raise BadInput("attribute.language", attribute=name)
        if NULL in texts and not mode.nulls:
            raise BadInput("attribute.null", attribute=name)
    return value


def vocabulary_uris(mode: Mode, name: str, value: object) -> object:
    """Returns the URIs of vocabulary terms, one or a list as it came."""
    names = text_list(value)
    if not names:
        raise BadInput("attribute.vocab", attribute=name)
    uris = [mode.names[item] for item in names]
    return uris if is_array(value) else uris[0]


def _json(mode: Mode, name: str, value: object) -> object:
    if value == NULL:
        raise BadInput("attribute.null", attribute=name)
    if not is_object(value) and not is_array(value):
        raise BadInput("attribute.json", attribute=name)
    return value


def _list(mode: Mode, name: str, value: object) -> object:
    if not is_array(value) or (NULL in value and not mode.nulls):
        raise BadInput("attribute.list", attribute=name)
    return NULL if value == [NULL] else value


VALUE_CHECKS: dict[str, Callable[[Mode, str, object], object]] = {
    "Property": _property,
    "GeoProperty": _geometry,
    "Relationship": _relationship,
    "LanguageProperty": _languages,
    "VocabProperty": vocabulary_uris,
    "JsonProperty": _json,
    "ListProperty": _list,
    "ListRelationship": _object_list,
}

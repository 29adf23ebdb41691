"""Stored bytes to what clients read most: normalized, all attributes, without times of the system.

Says what :func:`compact_entity` says by default, in a fraction of its time: the values of ordinary instances
are not parsed but handed through as they stand. Decisions 0011 and 0013 have the figures.
"""

from functools import lru_cache
from typing import Any

import msgspec
from msgspec import UNSET, Raw, UnsetType

from yunmeng.kernel.model.attribute_kinds import ENTITY_MEMBERS
from yunmeng.kernel.model.compact import compact_entity
from yunmeng.kernel.model.contexts import Context


class _Ordinary(msgspec.Struct, rename="camel", forbid_unknown_fields=True, omit_defaults=True):
    """An instance in which no member has to be renamed; one with others is left to :func:`compact_entity`."""

    type: Raw | UnsetType = UNSET
    value: Raw | UnsetType = UNSET
    object: Raw | UnsetType = UNSET
    language_map: Raw | UnsetType = UNSET
    json: Raw | UnsetType = UNSET
    value_list: Raw | UnsetType = UNSET
    object_list: Raw | UnsetType = UNSET
    unit_code: Raw | UnsetType = UNSET
    observed_at: Raw | UnsetType = UNSET
    dataset_id: Raw | UnsetType = UNSET
    value_type: Raw | UnsetType = UNSET
    created_at: Raw | UnsetType = UNSET
    modified_at: Raw | UnsetType = UNSET


_encode = msgspec.json.Encoder().encode
_members = msgspec.json.Decoder(dict[str, str | list[str | _Ordinary]]).decode
_outline = msgspec.json.Decoder(dict[str, Raw]).decode
_instances = msgspec.json.Decoder(list[_Ordinary]).decode
_any = msgspec.json.Decoder(list[Any]).decode
_texts = msgspec.json.Decoder(list[str]).decode
_EXPIRES = b'"expiresAt"'


# pages and maps ask for the same entities again and again; an entity takes about 5 kB here
@lru_cache(maxsize=2048)
def compact_stored(body: bytes, context: Context, apart: frozenset[str] = frozenset()) -> Raw | None:
    """Returns the JSON of an entity as :func:`compact_entity` shows it.

    None where more thought is needed: something of it may expire, or an attribute is one of those ``apart``.
    """
    if _EXPIRES in body:
        return None
    try:
        members = _members(body)
    except msgspec.ValidationError:
        return _piecewise(body, context, apart)
    if not apart.isdisjoint(members):
        return None
    names = context.compacted
    entity: dict[str, Any] = {}
    for key, held in members.items():
        if key not in ENTITY_MEMBERS:
            for one in held:
                one.created_at = one.modified_at = UNSET  # pyright: ignore[reportAttributeAccessIssue]
            entity[names[key]] = held[0] if len(held) == 1 else held
        elif key == "type":
            entity[key] = _single([names[str(uri)] for uri in held])
        elif key == "scope":
            entity[key] = _single(list(held))
        elif key == "id":
            entity[key] = held
    return Raw(_encode(entity))


def _piecewise(body: bytes, context: Context, apart: frozenset[str]) -> Raw | None:
    """Shows an entity some of whose attributes are out of the ordinary."""
    outline = _outline(body)
    if not apart.isdisjoint(outline):
        return None
    names = context.compacted
    entity: dict[str, Any] = {}
    for key, raw in outline.items():
        if key not in ENTITY_MEMBERS:
            entity[names[key]] = _attribute(key, raw, context)
        elif key == "type":
            entity[key] = _single([names[uri] for uri in _texts(raw)])
        elif key == "scope":
            entity[key] = _single(_texts(raw))
        elif key == "id":
            entity[key] = raw
    return Raw(_encode(entity))


def _attribute(key: str, raw: Raw, context: Context) -> Any:
    try:
        instances = _instances(raw)
    except msgspec.ValidationError:
        return compact_entity({key: _any(raw)}, context)[context.compacted[key]]
    for instance in instances:
        instance.created_at = instance.modified_at = UNSET
    return _single(instances)


def _single(items: list[Any]) -> Any:
    return items[0] if len(items) == 1 else items

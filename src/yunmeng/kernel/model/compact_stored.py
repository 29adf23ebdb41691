"""Stored bytes to what clients read most: normalized, all attributes, without times of the system.

Says what :func:`compact_entity` says by default, in a third of its time: the values of ordinary instances are
not parsed but handed through as they stand. Decision 0011 has the figures.
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


_outline = msgspec.json.Decoder(dict[str, Raw]).decode
_instances = msgspec.json.Decoder(list[_Ordinary]).decode
_any = msgspec.json.Decoder(list[Any]).decode
_texts = msgspec.json.Decoder(list[str]).decode


# pages and maps ask for the same entities again and again; an entity takes about 8 kB here
@lru_cache(maxsize=1024)
def compact_stored(body: bytes, context: Context) -> dict[str, Any]:
    """Returns an entity as :func:`compact_entity` does, to be encoded as JSON and not to be changed.

    Nothing of it may expire.
    """
    names = context.compacted
    entity: dict[str, Any] = {}
    for key, raw in _outline(body).items():
        if key not in ENTITY_MEMBERS:
            entity[names[key]] = _attribute(key, raw, context)
        elif key == "id":
            entity[key] = raw
        elif key == "type":
            entity[key] = _single([names[uri] for uri in _texts(raw)])
        elif key == "scope":
            entity[key] = _single(_texts(raw))
    return entity


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

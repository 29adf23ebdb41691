"""The writes that a node's keeper carries out on entities, as data that travels over the bus.

Documents are in *stored form*: ``id``, ``type`` (list of URIs), ``scope`` (list), ``createdAt``,
``modifiedAt``, and every attribute under its expanded URI as a list of instances; an instance keeps the
NGSI-LD member names (``type``, ``value`` | ``object`` | ``languageMap`` | ``vocab`` | ``json`` |
``valueList`` | ``objectList``, ``observedAt``, ``unitCode``, ``datasetId``, ``createdAt``, ``modifiedAt``)
and its sub-attributes, again as lists under their URIs. ETSI GS CIM 009 §4.5, §5.6.
"""

from typing import Any, Literal

import msgspec

Document = dict[str, Any]


class Create(msgspec.Struct, frozen=True, tag="create"):
    """Creates an entity (§5.6.1); refused when it exists."""

    document: Document


class Upsert(msgspec.Struct, frozen=True, tag="upsert"):
    """Creates or changes an entity (§5.6.8); ``update`` keeps attributes that are not named."""

    document: Document
    mode: Literal["replace", "update"] = "replace"


class Replace(msgspec.Struct, frozen=True, tag="replace"):
    """Replaces an entity whole (§5.6.18)."""

    document: Document


class Append(msgspec.Struct, frozen=True, tag="append"):
    """Appends attributes, types and scopes (§5.6.3)."""

    id: str
    fragment: Document
    overwrite: bool = True


class Update(msgspec.Struct, frozen=True, tag="update"):
    """Updates attributes that exist (§5.6.2); the others come back as not updated."""

    id: str
    fragment: Document


class PartialUpdate(msgspec.Struct, frozen=True, tag="partial"):
    """Updates members of one attribute instance (§5.6.4)."""

    id: str
    attribute: str
    instance: Document


class ReplaceAttribute(msgspec.Struct, frozen=True, tag="replace-attribute"):
    """Replaces one attribute instance (§5.6.19)."""

    id: str
    attribute: str
    instance: Document


class Merge(msgspec.Struct, frozen=True, tag="merge"):
    """Merges a fragment (§5.6.17); NGSI-LD Null removes."""

    id: str
    fragment: Document
    observed_at: str = ""
    lang: str = ""


class Delete(msgspec.Struct, frozen=True, tag="delete"):
    """Deletes an entity (§5.6.6)."""

    id: str


class DeleteAttribute(msgspec.Struct, frozen=True, tag="delete-attribute"):
    """Deletes an attribute instance, or all of them (§5.6.5)."""

    id: str
    attribute: str
    dataset_id: str = ""
    all: bool = False


class Expire(msgspec.Struct, frozen=True, tag="expire"):
    """Takes away what has expired of an entity, or the whole of it (§4.22)."""

    id: str


Operation = (
    Create
    | Upsert
    | Replace
    | Append
    | Update
    | PartialUpdate
    | ReplaceAttribute
    | Merge
    | Delete
    | DeleteAttribute
    | Expire
)


class Outcome(msgspec.Struct, frozen=True, omit_defaults=True):
    """What became of one operation; ``error`` is an error key with its ``facts`` and HTTP ``status``."""

    id: str
    done: Literal["created", "updated", "deleted", "unchanged", "refused"]
    updated: tuple[str, ...] = ()
    not_updated: dict[str, str] = {}
    error: str = ""
    facts: dict[str, Any] = {}
    status: int = 0


class Change(msgspec.Struct, frozen=True, omit_defaults=True):
    """One committed change of one entity, as the CHG stream carries it.

    ``after`` is the stored form without telemetry's last values, empty when the entity was deleted;
    ``attributes`` are the URIs that were created, changed or removed.
    """

    tenant: str
    entity: str
    types: tuple[str, ...]
    division: str
    at: str
    kind: Literal["created", "updated", "deleted"]
    attributes: tuple[str, ...] = ()
    after: Document = {}
    before: Document = {}
    principal: str = ""

"""What a commit changed, as the history receives it: instances of the attributes that were touched."""

from functools import cached_property, lru_cache
from hashlib import blake2b

import msgspec

from yunmeng.kernel.base import instant_us
from yunmeng.kernel.model import EXPIRY, NULL, VALUE_MEMBERS, Change, ChangeRecord, Document
from yunmeng.kernel.store import Instance, InstanceRows, InstanceSheet

_MEMBERS = frozenset({"id", "type", "scope", "createdAt", "modifiedAt", "deletedAt", "expiresAt"})


class Changed:
    """A committed change: ``record`` is what the bus carries, ``rows`` the history of what came prepared.

    Changes of one sheet have it in common.
    """

    def __init__(
        self,
        record: ChangeRecord,
        change: Change | None = None,
        rows: InstanceRows | InstanceSheet | None = None,
    ) -> None:
        self.record = record
        self.rows = rows
        if change is not None:
            self.change = change

    @cached_property
    def change(self) -> Change:
        """The change with its documents parsed."""
        return self.record.change()

    @property
    def instances(self) -> list[Instance]:
        """What it adds to the temporal evolution of its entity, where ``rows`` do not say it."""
        return instances_of(self.change) if self.rows is None else []


def instances_of(change: Change) -> list[Instance]:
    """Returns what a change adds to the temporal evolution of its entity."""
    return [
        _instance(change, attribute, instance)
        for attribute in change.attributes
        if attribute not in _MEMBERS
        for instance in _touched(change, attribute) or [{}]
    ] + _scope_of(change)


def _scope_of(change: Change) -> list[Instance]:
    """Returns the scope as an instance of a Property when the change sets or removes it (§4.5.6)."""
    if "scope" not in change.attributes and not (change.kind == "created" and "scope" in change.after):
        return []
    scopes: list[str] = change.after.get("scope", [])
    body: Document = {
        "type": "Property",
        "value": scopes[0] if len(scopes) == 1 else scopes,
        "createdAt": change.at,
        "modifiedAt": change.at,
        # a deletion was not observed (§4.8)
        "observedAt" if scopes else "deletedAt": change.at,
    }
    one = _instance(change, "scope", body)
    return [one if scopes else msgspec.structs.replace(one, deleted=True)]


def _touched(change: Change, attribute: str) -> list[Document]:
    return [i for i in change.after.get(attribute, ()) if i.get("modifiedAt") == change.at]


def _instance(change: Change, attribute: str, instance: Document) -> Instance:
    deleted = not instance
    if deleted:
        instance = _gone(change, attribute)
    return Instance(
        change.tenant,
        change.entity,
        change.types[0] if change.types else "",
        change.division,
        attribute,
        instance.get("datasetId", ""),
        instant_us(instance["observedAt"]) if "observedAt" in instance else 0,
        instant_us(change.at),
        msgspec.json.encode(instance),
        instance_id(
            moment_of(change.tenant, change.entity, change.at), attribute, instance.get("datasetId", "")
        ),
        deleted=deleted,
    )


def _gone(change: Change, attribute: str) -> Document:
    """Returns what the evolution keeps of an attribute that was deleted (§4.5.0, §4.8)."""
    instances: list[Document] = change.before.get(attribute, [])
    before: Document = instances[0] if instances else {}
    kind: str = before.get("type", "Property")
    # what was to expire leaves nothing behind, not even that it is gone (§4.22)
    expiry = {EXPIRY: before[EXPIRY]} if EXPIRY in before else {}
    return {
        **expiry,
        "type": kind,
        # the null of a language map is one in any language (§4.5.18)
        VALUE_MEMBERS[kind]: {"@none": NULL} if kind == "LanguageProperty" else NULL,
        "createdAt": before.get("createdAt", change.at),
        "modifiedAt": change.at,
        "deletedAt": change.at,
    }


def instance_id(moment: str, attribute: str, dataset: str) -> str:
    """Returns the id of one of a change's instances; ``moment`` is what :func:`moment_of` says.

    It is the same whenever the change is emitted, so that a replay stays one block.
    """
    return f"urn:ngsi-ld:Instance:{moment}{_place(attribute, dataset)}"


def moment_of(tenant: str, entity: str, at: str) -> str:
    """Returns 24 letters and digits that no other change of any entity has."""
    return blake2b(f"{tenant}\0{entity}\0{at}".encode(), digest_size=12).hexdigest()


@lru_cache(maxsize=16_384)
def _place(attribute: str, dataset: str) -> str:
    return blake2b(f"{attribute}\0{dataset}".encode(), digest_size=6).hexdigest()

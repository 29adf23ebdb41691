"""An entity on its way from one version to the next, and what came of it."""

from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import msgspec

from yunmeng.kernel.base import format_us, instant_us
from yunmeng.kernel.model.attribute_kinds import ENTITY_MEMBERS, EXPIRY, NULL, VALUE_MEMBERS
from yunmeng.kernel.model.operations import Change, Document, Outcome
from yunmeng.kernel.model.vocabulary import DIVISION

_instant_us = lru_cache(maxsize=65_536)(instant_us)


class AttributeInstance(msgspec.Struct, frozen=True):
    """One attribute instance for the history; times are microseconds UTC.

    ``observed_at`` is 0 when there is none. A deleted instance has ``NULL`` as its value, and ``deletedAt``.
    """

    attribute: str
    dataset_id: str
    observed_at: int
    modified_at: int
    body: Document
    deleted: bool = False


@dataclass(frozen=True, slots=True)
class Applied:
    """What an operation makes of an entity: ``document`` is None when it is gone or nothing was done.

    ``change`` is None when nothing changed; ``instances`` belong into the history.
    """

    document: Document | None
    outcome: Outcome
    change: Change | None = None
    instances: tuple[AttributeInstance, ...] = ()


def refused(id: str, error: str, status: int, **facts: Any) -> Applied:
    """Returns what a refused operation makes of an entity: nothing."""
    return Applied(
        None, Outcome(id=id, done="refused", error=error, status=status, facts={"id": id, **facts})
    )


def dataset_of(instance: Document) -> str:
    """Returns the datasetId of an instance, empty for the default one."""
    return instance.get("datasetId", "")


def division_of(document: Document) -> str:
    """Returns the division code of an entity, empty when it has none."""
    instances = document.get(DIVISION)
    value = instances[0].get("value") if instances else ""
    return value if isinstance(value, str) else ""


@dataclass(slots=True)
class Draft:
    """The next version of ``before``; nothing of ``before`` is changed in place."""

    id: str
    before: Document
    at_us: int
    at: str = ""
    document: Document = field(default_factory=dict[str, Any])
    touched: dict[str, None] = field(default_factory=dict[str, None])
    not_updated: dict[str, str] = field(default_factory=dict[str, str])
    instances: list[AttributeInstance] = field(default_factory=list[AttributeInstance])

    def __post_init__(self) -> None:
        self.at = format_us(self.at_us)
        self.document = self.document or dict(self.before)

    def find(self, attribute: str, dataset: str) -> Document | None:
        """Returns the instance of an attribute, or None."""
        for instance in self.document.get(attribute, ()):
            if dataset_of(instance) == dataset:
                return instance
        return None

    def put(self, attribute: str, instance: Document) -> None:
        """Sets an instance in place of the one of the same dataset, whose ``createdAt`` it keeps."""
        dataset: str = instance.get("datasetId", "")
        others: list[Document] = self.document.get(attribute, [])
        stamped = instance.copy()
        stamped["createdAt"] = stamped["modifiedAt"] = self.at
        if not others:
            self.document[attribute] = [stamped]
        elif len(others) == 1 and others[0].get("datasetId", "") == dataset:
            stamped["createdAt"] = others[0].get("createdAt", self.at)
            self.document[attribute] = [stamped]
        else:
            self.document[attribute] = self._among(others, stamped, dataset)
        self.touched[attribute] = None
        observed = stamped.get("observedAt")
        observed_us = _instant_us(observed) if observed else 0
        self.instances.append(AttributeInstance(attribute, dataset, observed_us, self.at_us, stamped))

    def _among(self, others: list[Document], stamped: Document, dataset: str) -> list[Document]:
        place = len(others)
        for number, other in enumerate(others):
            if dataset_of(other) == dataset:
                stamped["createdAt"], place = other.get("createdAt", self.at), number
        return [*others[:place], stamped, *others[place + 1 :]]

    def drop(self, attribute: str, dataset: str) -> bool:
        """Removes an instance; says whether it was there."""
        instances: list[Document] = self.document.get(attribute, [])
        kept = [instance for instance in instances if dataset_of(instance) != dataset]
        if len(kept) == len(instances):
            return False
        if kept:
            self.document[attribute] = kept
        else:
            del self.document[attribute]
        gone = next(instance for instance in instances if dataset_of(instance) == dataset)
        self.mark_deleted(attribute, gone)
        return True

    def mark_deleted(self, attribute: str, gone: Document) -> None:
        """Notes that an instance is gone."""
        dataset = dataset_of(gone)
        kind = gone.get("type", "Property")
        body: Document = {
            "type": kind,
            VALUE_MEMBERS[kind]: NULL,
            "modifiedAt": self.at,
            "deletedAt": self.at,
        }
        if dataset:
            body["datasetId"] = dataset
        self.touched[attribute] = None
        self.instances.append(AttributeInstance(attribute, dataset, 0, self.at_us, body, deleted=True))

    def add_types(self, types: list[str]) -> None:
        """Adds types that the entity does not have yet."""
        known: list[str] = self.document.get("type", [])
        added = [name for name in dict.fromkeys(types) if name not in known]
        if added:
            self.document["type"] = [*known, *added]
            self.touched["type"] = None

    def set_scopes(self, scopes: list[str]) -> None:
        """Sets the scopes; NGSI-LD Null or an empty list removes them."""
        after = [] if scopes == [NULL] else scopes
        if after == self.document.get("scope", []):
            return
        if after:
            self.document["scope"] = after
        else:
            del self.document["scope"]
        self.touched["scope"] = None

    def set_expiry(self, fragment: Document) -> None:
        """Sets when the entity expires as the fragment says; NGSI-LD Null makes it last."""
        after = fragment.get(EXPIRY, self.document.get(EXPIRY))
        after = None if after == NULL else after
        if after == self.document.get(EXPIRY):
            return
        if after is None:
            del self.document[EXPIRY]
        else:
            self.document[EXPIRY] = after
        self.touched[EXPIRY] = None

    def finish(self, tenant: str, principal: str) -> Applied:
        """Returns the result; an entity that nothing touched stays as it is."""
        updated = tuple(self.touched)
        created = not self.before
        if not created and not updated:
            outcome = Outcome(id=self.id, done="unchanged", not_updated=self.not_updated)
            return Applied(self.before, outcome)
        self.document["createdAt"] = self.before.get("createdAt", self.at)
        self.document["modifiedAt"] = self.at
        outcome = Outcome(
            id=self.id,
            done="created" if created else "updated",
            updated=updated,
            not_updated=self.not_updated,
        )
        change = Change(
            tenant=tenant,
            entity=self.id,
            types=tuple(self.document["type"]),
            division=division_of(self.document),
            at=self.at,
            kind="created" if created else "updated",
            attributes=updated,
            after=self.document,
            before=self.before,
            principal=principal,
        )
        return Applied(self.document, outcome, change, tuple(self.instances))


def attributes_of(document: Document) -> list[tuple[str, list[Document]]]:
    """Returns the attributes of a stored document with their instances."""
    return [(key, value) for key, value in document.items() if key not in ENTITY_MEMBERS]

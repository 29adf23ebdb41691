"""What ends by itself: transient entities and attribute instances (ETSI GS CIM 009 §4.22)."""

from functools import lru_cache
from typing import Any

from yunmeng.kernel.base import instant_us
from yunmeng.kernel.model.apply.draft import Draft, attributes_of, dataset_of
from yunmeng.kernel.model.attribute_kinds import ENTITY_MEMBERS, EXPIRY
from yunmeng.kernel.model.operations import Document

_instant_us = lru_cache(maxsize=4096)(instant_us)


def expires_us(member: dict[str, Any]) -> int:
    """Returns when an entity or an instance expires (µs UTC), 0 for never."""
    text = member.get(EXPIRY)
    return _instant_us(text) if isinstance(text, str) else 0


def is_expired(member: dict[str, Any], at_us: int) -> bool:
    """Says whether an entity or an instance has ended at a moment."""
    return 0 < expires_us(member) <= at_us


def next_expiry(document: Document) -> int:
    """Returns the first moment at which something of a stored document expires, 0 for never."""
    moments = [expires_us(document)]
    moments.extend(expires_us(one) for _, instances in attributes_of(document) for one in instances)
    return min((moment for moment in moments if moment), default=0)


def alive(document: Document, at_us: int) -> Document | None:
    """Returns what is left of a stored document at a moment, None when it has ended itself."""
    if is_expired(document, at_us):
        return None
    left: Document = {}
    for name, value in document.items():
        if name in ENTITY_MEMBERS or not any(is_expired(one, at_us) for one in value):
            left[name] = value
        elif kept := [one for one in value if not is_expired(one, at_us)]:
            left[name] = kept
    return left


def expire(draft: Draft) -> None:
    """Drops the instances that have ended."""
    for attribute, instances in attributes_of(draft.before):
        for instance in instances:
            if is_expired(instance, draft.at_us):
                draft.drop(attribute, dataset_of(instance))

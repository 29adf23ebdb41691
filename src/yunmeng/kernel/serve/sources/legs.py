"""The part of a subscription at one source: what is kept of it, and how it is worded (§5.8.1.4)."""

from collections.abc import Iterator
from typing import Any

import msgspec

from yunmeng.kernel.model import Context
from yunmeng.kernel.serve.sources.matching import Match, Need, leaves, match
from yunmeng.kernel.serve.sources.registration import Registration
from yunmeng.kernel.serve.sources.writing_down import geo_parameters, q_text, scope_text, type_text
from yunmeng.kernel.serve.watching import Kept, Selector, Watch

LEG = "subscription-leg"
PATH = "/ngsi-ld/ex/remote-notify"

# what a source is told as its owner wrote it
_AS_WRITTEN = ("notificationTrigger", "expiresAt")


class Leg(msgspec.Struct, frozen=True):
    """A subscription that this node holds at a source for the sake of one of its own.

    ``id`` is its name at the source, which nobody guesses: who notifies in this name is the source.
    ``source`` is the registration as it was known then, ``sent`` what the source took last, empty until it
    took anything.
    """

    id: str
    tenant: str
    subscription: str
    source: Kept
    sent: str = ""


class Relayed(msgspec.Struct, frozen=True):
    """What a source has notified of: entities whose names stand in ``context``."""

    tenant: str
    subscription: str
    source: str
    context: Any
    data: list[dict[str, Any]]


def needs_of(watch: Watch) -> Iterator[tuple[Selector | None, Need]]:
    """Yields what a subscription is about, one need for each of its entity selectors."""
    for selector in watch.selectors or (None,):
        yield (
            selector,
            Need(
                ids=selector.ids if selector else frozenset(),
                pattern=selector.id_pattern.pattern if selector and selector.id_pattern else "",
                types=leaves(selector.types) if selector else frozenset(),
                attributes=watch.watched | watch.attributes,
                geo=watch.geo,
                scope=watch.scope,
            ),
        )


def reduced(watch: Watch, kept: Kept, registration: Registration, context: Context) -> dict[str, Any] | None:
    """Returns the copy of a subscription for a source, None when the source has nothing of it.

    It asks for no more than the registration says the source has; what concerns the whole of an entity,
    which no source of split entities can judge, is left out.
    """
    entities: list[dict[str, Any]] = []
    held: set[str] = set()
    partial = True
    for selector, need in needs_of(watch):
        found = match(registration, need)
        if found is not None:
            entities += _entities(found, selector, context)
            partial = partial and bool(found.attributes)
            held |= found.attributes
    if not entities:
        return None
    body: dict[str, Any] = {"type": "Subscription", "entities": entities, "isActive": watch.active}
    body |= {name: kept.body[name] for name in _AS_WRITTEN if name in kept.body}
    watched = (watch.watched & held if watch.watched else held) if partial else watch.watched
    if watched:
        body["watchedAttributes"] = sorted(map(context.compact, watched))
    body |= {"splitEntities": True} if watch.split else _conditions(watch, context)
    told = (watch.attributes & held if watch.attributes else held) if partial else watch.attributes
    return {**body, "notification": _notification(watch, sorted(map(context.compact, told)))}


def _entities(found: Match, selector: Selector | None, context: Context) -> list[dict[str, Any]]:
    one: dict[str, Any] = {}
    if found.ids:
        one["id"] = sorted(found.ids)
    pattern = selector.id_pattern.pattern if selector and selector.id_pattern else found.pattern
    if pattern and not found.ids:
        one["idPattern"] = pattern
    if selector is not None and selector.types is not None:
        return [{**one, "type": type_text(selector.types, context)}]
    return [{**one, "type": name} for name in sorted(map(context.compact, found.types)) or ["*"]]


def _conditions(watch: Watch, context: Context) -> dict[str, Any]:
    found: dict[str, Any] = {}
    if watch.condition is not None:
        found["q"] = q_text(watch.condition, context)
    if watch.geo is not None:
        found["geoQ"] = geo_parameters(watch.geo, context)
    if watch.scope is not None:
        found["scopeQ"] = scope_text(watch.scope)
    return found


def _notification(watch: Watch, attributes: list[str]) -> dict[str, Any]:
    """Asks for entities as they are: how they are shown is this node's affair."""
    body: dict[str, Any] = {"attributes": attributes} if attributes else {}
    if watch.sysattrs or watch.split:
        body["sysAttrs"] = True
    if watch.show_changes:
        body["showChanges"] = True
    return body

"""Subscriptions as data: what is kept of one, and what is worked out from it to match changes (§5.2.12)."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any, cast
from urllib.parse import unquote

import msgspec

from yunmeng.kernel.base import BadInput, check_urn, instant_us
from yunmeng.kernel.model import (
    And,
    Condition,
    Context,
    ContextLibrary,
    GeoCondition,
    Linked,
    Or,
    Pattern,
    Representation,
    ScopeSelection,
    TypeSelection,
    check_pattern,
    parse_geo,
    parse_q,
    parse_scopes,
    parse_types,
)
from yunmeng.kernel.serve.body import as_array, as_object, text_member
from yunmeng.kernel.serve.endpoint import Endpoint, read_endpoint
from yunmeng.kernel.serve.ngsild.projection import parse_projection
from yunmeng.kernel.serve.ngsild.representation import View
from yunmeng.kernel.serve.replies import GEO_JSON
from yunmeng.kernel.trust import Principal

SUBSCRIPTION = "subscription"
SUBSCRIPTION_STATUS = "subscription-status"

TRIGGERS = frozenset(
    (
        "entityCreated",
        "entityUpdated",
        "entityDeleted",
        "attributeCreated",
        "attributeUpdated",
        "attributeDeleted",
    )
)
DEFAULT_TRIGGERS = frozenset(("attributeCreated", "attributeUpdated"))
_ENTITY_UPDATED = frozenset(("attributeCreated", "attributeUpdated", "attributeDeleted"))
_FORMATS: dict[str, Representation] = {
    "keyValues": "simplified",
    "simplified": "simplified",
    "concise": "concise",
    "normalized": "normalized",
}
_MEMBERS = frozenset(
    (
        *("id", "type", "subscriptionName", "description", "entities", "notificationTrigger"),
        *("watchedAttributes", "timeInterval", "q", "geoQ", "scopeQ", "isActive", "notification"),
        *("expiresAt", "throttling", "lang", "jsonldContext", "datasetId", "splitEntities", "csf"),
    )
)
_TOLD = frozenset(("status", "timesSent", "timesFailed", "lastNotification", "lastSuccess", "lastFailure"))
_JOINS = {"flat": "flat", "inline": "inline", "@none": "", "none": ""}
_DEEPEST_JOIN = 10
_DEEPEST_LINK = 10


class Kept(msgspec.Struct, frozen=True):
    """A subscription at rest: the body as its owner wrote it, the context of its names, and its owner.

    ``hosted`` are the URLs among its contexts that the node itself hosts, ``via`` the brokers that it came
    through; a ``local`` one does not look beyond this node.
    """

    id: str
    body: dict[str, Any]
    context: Any
    principal: Principal
    created_at: str
    modified_at: str
    hosted: tuple[str, ...] = ()
    via: str = ""
    local: bool = False


@dataclass(frozen=True, slots=True)
class Selector:
    """Which entities are meant: all three that are given must fit."""

    types: TypeSelection | None
    ids: frozenset[str]
    id_pattern: Pattern | None


@dataclass(frozen=True, slots=True)
class Watch:
    """A subscription worked out; names are expanded, times in microseconds or seconds."""

    id: str
    tenant: str
    principal: Principal
    context: Context
    selectors: tuple[Selector, ...]
    watched: frozenset[str]
    triggers: frozenset[str]
    condition: Condition | None
    geo: GeoCondition | None
    scope: ScopeSelection | None
    active: bool
    since_us: int
    expires_us: int
    throttling_s: float
    interval_s: float
    endpoint: Endpoint
    view: View
    show_changes: bool
    split: bool = False
    local: bool = False

    @property
    def linked(self) -> bool:
        """Whether the condition asks of linked entities."""
        return _asks_of_linked(self.condition)

    @property
    def attributes(self) -> frozenset[str]:
        """The attributes that are told, empty for all."""
        return self.view.attrs

    @property
    def sysattrs(self) -> bool:
        """Whether the times that the system keeps are told."""
        return self.view.sysattrs


def settled(body: Mapping[str, Any], *more: str) -> dict[str, Any]:
    """Returns a body without what is not its owner's to say, and what no subscription has (Table 5.2.12-2).

    ``more`` are members that this kind of subscription has beside those of all.
    """
    kept = {name: value for name, value in body.items() if name in _MEMBERS or name in more}
    notification = kept.get("notification")
    if isinstance(notification, dict):
        told = cast("dict[str, Any]", notification)
        kept["notification"] = {name: value for name, value in told.items() if name not in _TOLD}
    return kept


async def work_out(kept: Kept, tenant: str, contexts: ContextLibrary) -> Watch:
    """Works a subscription out, which also proves that it is sound.

    Raises:
        BadInput: ``subscription.*``, ``json.*`` and those of the parsers.
        Unavailable: ``context.unavailable``.
    """
    body = kept.body
    _check_members(body)
    context = await contexts.resolve(kept.context)
    read_q(body, "csf", context)
    notification = as_object(body.get("notification"), "notification")
    told = context if "jsonldContext" not in body else await contexts.resolve(body["jsonldContext"])
    view, endpoint = _view(body, notification, context, told), read_endpoint(notification)
    return Watch(
        id=kept.id,
        tenant=tenant,
        principal=kept.principal,
        context=told,
        selectors=_selectors(body, context),
        watched=frozenset(map(context.expand, _texts(body, "watchedAttributes"))),
        triggers=_triggers(body),
        condition=read_q(body, "q", context, _DEEPEST_LINK),
        geo=_geo(body, context),
        scope=parse_scopes(text_member(body, "scopeQ")) if "scopeQ" in body else None,
        active=_boolean(body, "isActive", default=True),
        since_us=instant_us(kept.created_at),
        expires_us=instant_us(text_member(body, "expiresAt")) if "expiresAt" in body else 0,
        throttling_s=_seconds(body, "throttling"),
        interval_s=_seconds(body, "timeInterval"),
        endpoint=endpoint,
        view=view,
        show_changes=_boolean(notification, "showChanges", default=False),
        split=_boolean(body, "splitEntities", default=False),
        local=kept.local,
    )


def _view(
    body: Mapping[str, object], notification: Mapping[str, object], names: Context, told: Context
) -> View:
    """Reads how entities are told (§5.2.14)."""
    pick, omit = _texts(notification, "pick"), _texts(notification, "omit")
    attributes = _texts(notification, "attributes")
    if attributes and (pick or omit):
        raise BadInput("query.attrs-and-pick")
    representation = _format(notification)
    if representation == "simplified" and notification.get("showChanges"):
        raise BadInput("subscription.changes")
    if as_object(notification.get("endpoint"), "notification.endpoint").get("accept") == GEO_JSON:
        representation = "geojson-simplified" if representation == "simplified" else "geojson"
    view = View(
        told,
        representation,
        sysattrs=_boolean(notification, "sysAttrs", default=False),
        attrs=frozenset(map(names.expand, attributes)),
        lang=text_member(body, "lang", ""),
        dataset_ids=frozenset(_texts(body, "datasetId")) if "datasetId" in body else None,
        join=_join(notification),
        join_level=_join_level(notification),
    )
    return _projected(_Plain(view), names, ",".join(pick), ",".join(omit))


class _Plain:
    """A view without projections, as a key: views hold dictionaries, which have no hash."""

    def __init__(self, view: View) -> None:
        self.view = view
        parts = (view.context, view.representation, view.sysattrs, view.attrs, view.lang)
        self._key = (*parts, view.dataset_ids, view.join, view.join_level)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Plain) and other._key == self._key

    def __hash__(self) -> int:
        return hash(self._key)


@lru_cache(maxsize=4096)
def _projected(plain: _Plain, names: Context, picked: str, omitted: str) -> View:
    """Returns a view; equal ones are one and the same, so that what they show can be shared."""
    pick, omit = parse_projection(picked, names), parse_projection(omitted, names)
    left_out = frozenset(name for name, below in omit.items() if not below)
    if pick.keys() & left_out:
        raise BadInput("query.pick-and-omit")
    return replace(plain.view, pick=frozenset(pick), omit=left_out, pick_tree=pick, omit_tree=omit)


def _join(notification: Mapping[str, object]) -> str:
    join = text_member(notification, "join", "@none")
    if join not in _JOINS:
        raise BadInput("query.value", name="join", value=join)
    return _JOINS[join]


def _join_level(notification: Mapping[str, object]) -> int:
    level = notification.get("joinLevel", 1)
    if isinstance(level, bool) or not isinstance(level, int) or not 1 <= level <= _DEEPEST_JOIN:
        raise BadInput("subscription.number", name="joinLevel", value=level)
    return level


def _check_members(body: Mapping[str, object]) -> None:
    if body.get("type") != "Subscription":
        raise BadInput("subscription.type")
    if "entities" not in body and "watchedAttributes" not in body:
        raise BadInput("subscription.empty")
    if "timeInterval" in body and ("watchedAttributes" in body or "throttling" in body):
        raise BadInput("subscription.interval")


def read_q(
    body: Mapping[str, object], name: str, context: Context, links: int | None = None
) -> Condition | None:
    """Reads a member that holds a query; as in a URL, it may be percent-encoded (§4.9).

    ``links`` is how many relationships it may follow, None when it may ask of no linked entity.

    Raises:
        BadInput: ``json.text`` and those of the parser.
    """
    return parse_q(unquote(text_member(body, name)), context, links=links) if name in body else None


def _asks_of_linked(condition: Condition | None) -> bool:
    if isinstance(condition, And | Or):
        return any(map(_asks_of_linked, condition.parts))
    return isinstance(condition, Linked)


def _selectors(body: Mapping[str, object], context: Context) -> tuple[Selector, ...]:
    if "entities" not in body:
        return ()
    found: list[Selector] = []
    for item in as_array(body["entities"], "entities"):
        one = as_object(item, "entities")
        types = text_member(one, "type")
        ids = one.get("id", [])
        many = cast("list[object]", ids) if isinstance(ids, list) else [ids]
        found.append(
            Selector(
                None if types == "*" else parse_types(types, context),
                frozenset(map(check_urn, many)),
                check_pattern(text_member(one, "idPattern")) if "idPattern" in one else None,
            )
        )
    return tuple(found)


def _triggers(body: Mapping[str, object]) -> frozenset[str]:
    chosen = frozenset(_texts(body, "notificationTrigger"))
    if unknown := sorted(chosen - TRIGGERS):
        raise BadInput("subscription.trigger", triggers=unknown)
    if not chosen:
        return DEFAULT_TRIGGERS
    return chosen | _ENTITY_UPDATED if "entityUpdated" in chosen else chosen


def _geo(body: Mapping[str, object], context: Context) -> GeoCondition | None:
    if "geoQ" not in body:
        return None
    plain = {
        name: value if isinstance(value, str) else msgspec.json.encode(value).decode()
        for name, value in as_object(body["geoQ"], "geoQ").items()
    }
    return parse_geo(plain, context)


def _format(notification: Mapping[str, object]) -> Representation:
    wanted = text_member(notification, "format", "normalized")
    if wanted not in _FORMATS:
        raise BadInput("subscription.format", format=wanted)
    return _FORMATS[wanted]


def _texts(body: Mapping[str, object], name: str) -> list[str]:
    if name not in body:
        return []
    items = as_array(body[name], name)
    if not all(isinstance(item, str) for item in items):
        raise BadInput("json.text", where=name)
    return cast("list[str]", items)


def _boolean(body: Mapping[str, object], name: str, *, default: bool) -> bool:
    value = body.get(name, default)
    if not isinstance(value, bool):
        raise BadInput("json.boolean", where=name)
    return value


def _seconds(body: Mapping[str, object], name: str) -> float:
    value = body.get(name)
    if value is None:
        return 0.0
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 < value <= 31_536_000:
        raise BadInput("subscription.number", name=name, value=value)
    return float(value)

"""Subscriptions as data: what is kept of one, and what is worked out from it to match changes (§5.2.12)."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast
from urllib.parse import urlsplit

import msgspec

from yunmeng.kernel.base import BadInput, check_urn, instant_us
from yunmeng.kernel.model import (
    Condition,
    Context,
    ContextLibrary,
    GeoCondition,
    ScopeSelection,
    TypeSelection,
    parse_geo,
    parse_q,
    parse_scopes,
    parse_types,
)
from yunmeng.kernel.serve.body import as_array, as_object, text_member
from yunmeng.kernel.serve.ngsild.parameters import pattern
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
_DEFAULT_TRIGGERS = frozenset(("attributeCreated", "attributeUpdated"))
_ENTITY_UPDATED = frozenset(("attributeCreated", "attributeUpdated", "attributeDeleted"))
_MEDIA = ("application/json", "application/ld+json", "application/geo+json")
_FORMATS = {
    "keyValues": "simplified",
    "simplified": "simplified",
    "concise": "concise",
    "normalized": "normalized",
}
_MEMBERS = frozenset(
    (
        *("id", "type", "subscriptionName", "description", "entities", "notificationTrigger"),
        *("watchedAttributes", "timeInterval", "q", "geoQ", "scopeQ", "isActive", "notification"),
        *("expiresAt", "throttling", "lang", "jsonldContext", "datasetId", "splitEntities"),
    )
)
_HEADER_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,100}")
_HEADER_VALUE = re.compile(r"[\x20-\x7e]{0,1000}")
_FORBIDDEN_HEADERS = frozenset(("host", "content-length", "transfer-encoding", "connection"))


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


class Status(msgspec.Struct):
    """How a subscription fares; times are ISO 8601 text, empty for never."""

    times_sent: int = 0
    times_failed: int = 0
    last_notification: str = ""
    last_success: str = ""
    last_failure: str = ""
    dropped: int = 0


@dataclass(frozen=True, slots=True)
class Selector:
    """Which entities are meant: all three that are given must fit."""

    types: TypeSelection | None
    ids: frozenset[str]
    id_pattern: re.Pattern[str] | None


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where and how to deliver; ``timeout_s`` is for one attempt."""

    uri: str
    media: str
    headers: tuple[tuple[str, str], ...]
    timeout_s: float

    @property
    def server(self) -> str:
        """What shares one queue: the scheme, host and port."""
        parts = urlsplit(self.uri)
        return f"{parts.scheme}://{parts.netloc}"


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
    representation: str
    attributes: frozenset[str]
    pick: frozenset[str]
    omit: frozenset[str]
    sysattrs: bool
    show_changes: bool
    lang: str
    dataset_ids: frozenset[str] | None = None
    split: bool = False
    local: bool = False


async def work_out(kept: Kept, tenant: str, contexts: ContextLibrary) -> Watch:
    """Works a subscription out, which also proves that it is sound.

    Raises:
        BadInput: ``subscription.*``, ``json.*`` and those of the parsers.
        Unavailable: ``context.unavailable``.
    """
    body = kept.body
    _check_members(body)
    context = await contexts.resolve(kept.context)
    notification = as_object(body.get("notification"), "notification")
    _check_notification(notification)
    expand = context.expand
    return Watch(
        id=kept.id,
        tenant=tenant,
        principal=kept.principal,
        context=context if "jsonldContext" not in body else await contexts.resolve(body["jsonldContext"]),
        selectors=_selectors(body, context),
        watched=frozenset(map(expand, _texts(body, "watchedAttributes"))),
        triggers=_triggers(body),
        condition=parse_q(text_member(body, "q"), context) if "q" in body else None,
        geo=_geo(body, context),
        scope=parse_scopes(text_member(body, "scopeQ")) if "scopeQ" in body else None,
        active=_boolean(body, "isActive", default=True),
        since_us=instant_us(kept.created_at),
        expires_us=instant_us(text_member(body, "expiresAt")) if "expiresAt" in body else 0,
        throttling_s=_seconds(body, "throttling"),
        interval_s=_seconds(body, "timeInterval"),
        endpoint=_endpoint(notification),
        representation=_format(notification),
        attributes=frozenset(map(expand, _texts(notification, "attributes"))),
        pick=frozenset(_names(_texts(notification, "pick"), context)),
        omit=frozenset(_names(_texts(notification, "omit"), context)),
        sysattrs=_boolean(notification, "sysAttrs", default=False),
        show_changes=_boolean(notification, "showChanges", default=False),
        lang=text_member(body, "lang", ""),
        dataset_ids=frozenset(_texts(body, "datasetId")) if "datasetId" in body else None,
        split=_boolean(body, "splitEntities", default=False),
        local=kept.local,
    )


def _check_notification(notification: Mapping[str, object]) -> None:
    if set(_texts(notification, "pick")) & set(_texts(notification, "omit")):
        raise BadInput("query.pick-and-omit")
    simple = _format(notification) == "simplified"
    if simple and _boolean(notification, "showChanges", default=False):
        raise BadInput("subscription.changes")


def _check_members(body: Mapping[str, object]) -> None:
    if body.get("type") != "Subscription":
        raise BadInput("subscription.type")
    if unknown := sorted(body.keys() - _MEMBERS):
        raise BadInput("subscription.member", members=unknown)
    if "entities" not in body and "watchedAttributes" not in body:
        raise BadInput("subscription.empty")
    if "timeInterval" in body and ("watchedAttributes" in body or "throttling" in body):
        raise BadInput("subscription.interval")


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
                re.compile(pattern(text_member(one, "idPattern"))) if "idPattern" in one else None,
            )
        )
    return tuple(found)


def _triggers(body: Mapping[str, object]) -> frozenset[str]:
    chosen = frozenset(_texts(body, "notificationTrigger"))
    if unknown := sorted(chosen - TRIGGERS):
        raise BadInput("subscription.trigger", triggers=unknown)
    if not chosen:
        return _DEFAULT_TRIGGERS
    return chosen | _ENTITY_UPDATED if "entityUpdated" in chosen else chosen


def _geo(body: Mapping[str, object], context: Context) -> GeoCondition | None:
    if "geoQ" not in body:
        return None
    plain = {
        name: value if isinstance(value, str) else msgspec.json.encode(value).decode()
        for name, value in as_object(body["geoQ"], "geoQ").items()
    }
    return parse_geo(plain, context)


def _endpoint(notification: Mapping[str, object]) -> Endpoint:
    endpoint = as_object(notification.get("endpoint"), "notification.endpoint")
    uri = text_member(endpoint, "uri")
    parts = urlsplit(uri) if uri.isascii() and uri.isprintable() else None
    if parts is None or parts.scheme not in ("http", "https") or not parts.hostname:
        raise BadInput("subscription.endpoint", uri=uri)
    media = text_member(endpoint, "accept", "application/json")
    if media not in _MEDIA:
        raise BadInput("subscription.accept", media=media)
    timeout = endpoint.get("timeout", 5000)
    if isinstance(timeout, bool) or not isinstance(timeout, (int, float)) or not 0 < timeout <= 60_000:
        raise BadInput("subscription.number", name="endpoint.timeout", value=timeout)
    return Endpoint(uri, media, tuple(_receiver_info(endpoint)), timeout / 1000)


def _receiver_info(endpoint: Mapping[str, object]) -> list[tuple[str, str]]:
    pairs: list[tuple[str, str]] = []
    info = endpoint.get("receiverInfo")
    for item in as_array(info, "receiverInfo") if info is not None else ():
        one = as_object(item, "receiverInfo")
        name, value = text_member(one, "key"), text_member(one, "value")
        sound = _HEADER_NAME.fullmatch(name) and _HEADER_VALUE.fullmatch(value)
        if not sound or name.lower() in _FORBIDDEN_HEADERS:
            raise BadInput("subscription.header", name=name)
        pairs.append((name, value))
    return pairs


def _format(notification: Mapping[str, object]) -> str:
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


def _names(terms: list[str], context: Context) -> list[str]:
    return [term if term in ("id", "type", "scope") else context.expand(term) for term in terms]


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


def describe(
    kept: Kept, status: Status, context: Context, names: Context, *, sysattrs: bool, now: int
) -> dict[str, Any]:
    """Returns a subscription as a client reads it: names of ``context`` written as ``names`` writes them."""
    body: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(kept.body))

    def rename(terms: list[str]) -> list[str]:
        return [names.compact(context.expand(term)) for term in terms]

    if "watchedAttributes" in body:
        body["watchedAttributes"] = rename(body["watchedAttributes"])
    for one in body.get("entities", ()):
        if re.fullmatch(r"[\w-]+|[A-Za-z][\w+.-]*:[^\s,;|()]+", one["type"]):
            one["type"] = names.compact(context.expand(one["type"]))
    notification = body["notification"]
    if "attributes" in notification:
        notification["attributes"] = rename(notification["attributes"])
    expired = "expiresAt" in body and instant_us(body["expiresAt"]) <= now
    body["status"] = "expired" if expired else "active" if body.get("isActive", True) else "paused"
    _add_status(notification, status)
    if sysattrs:
        body["createdAt"], body["modifiedAt"] = kept.created_at, kept.modified_at
    return {"id": kept.id, **body}


def _add_status(notification: dict[str, Any], status: Status) -> None:
    if status.last_notification or status.last_failure:
        failed = status.last_failure > status.last_success
        notification["status"] = "failed" if failed else "ok"
    notification["timesSent"], notification["timesFailed"] = status.times_sent, status.times_failed
    times = {
        "lastNotification": status.last_notification,
        "lastSuccess": status.last_success,
        "lastFailure": status.last_failure,
    }
    notification.update({name: at for name, at in times.items() if at})

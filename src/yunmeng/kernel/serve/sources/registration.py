"""Context source registrations as data: what one says, checked and worked out (ETSI GS CIM 009 §5.2.9)."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, cast
from urllib.parse import urlsplit

from yunmeng.kernel.base import BadInput, check_urn, instant_us, now_us
from yunmeng.kernel.model import (
    Context,
    ContextLibrary,
    ContextMember,
    Document,
    Pattern,
    check_geometry,
    check_pattern,
    expand_fragment,
)
from yunmeng.kernel.serve.body import as_array, as_object, text_member
from yunmeng.kernel.serve.ngsild.tenants import check_tenant
from yunmeng.kernel.serve.sources.operations import AUXILIARY, GROUPS, OPERATIONS, resolved
from yunmeng.kernel.serve.watching import Kept

REGISTRATION = "context-source"

Mode = Literal["inclusive", "exclusive", "redirect", "auxiliary"]

_MODES = ("inclusive", "exclusive", "redirect", "auxiliary")
_GEOMETRIES = ("location", "observationSpace", "operationSpace")
_TEXTS = ("registrationName", "description", "contextSourceAlias", "hostAlias", "lang")
_MEMBERS = frozenset(
    (
        *("id", "type", "information", "endpoint", "mode", "operations", "tenant", "expiresAt"),
        *("observationInterval", "managementInterval", "contextSourceInfo", "management", "refreshRate"),
        *("scope", "localOnly", "datasetId", "createdAt", "modifiedAt", "deletedAt", "status"),
        *("timesSent", "timesFailed", "lastSuccess", "lastFailure", *_GEOMETRIES, *_TEXTS),
    )
)
# members that a context source filter may ask about like properties of the source
_ASKED = ("endpoint", "mode", "tenant", "refreshRate", *_TEXTS[:4])
_DURATION = re.compile(r"P(?=.)(?:\d+[YMWD])*(?:T(?:\d+(?:\.\d+)?[HMS])+)?")
_HEADER = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,100}")
_PRINTABLE = re.compile(r"[\x20-\x7e]{0,4000}")
# what the connection and this node say themselves (§4.3.6.5)
_OWN_HEADERS = frozenset(
    (
        *("host", "via", "content-length", "transfer-encoding", "connection", "ngsild-tenant", "link"),
        *("te", "upgrade", "trailer", "expect", "keep-alive"),
    )
)
_SPECIAL = frozenset(("jsonldcontext", "contenttype", "accept", "content-type"))
_DEFAULT_TIMEOUT_S = 5.0
_LONGEST_TIMEOUT_S = 60.0


@dataclass(frozen=True, slots=True)
class EntityInfo:
    """Which entities a source holds (§5.2.8): of these types (any when empty), by id or pattern if given."""

    types: frozenset[str]
    id: str = ""
    pattern: Pattern | None = None


@dataclass(frozen=True, slots=True)
class Information:
    """One RegistrationInfo (§5.2.10); empty ``entities`` are any, empty names are all attributes."""

    entities: tuple[EntityInfo, ...]
    properties: frozenset[str]
    relationships: frozenset[str]

    @property
    def attributes(self) -> frozenset[str]:
        """The attributes by URI, empty for all."""
        return self.properties | self.relationships


@dataclass(frozen=True, slots=True)
class Interval:
    """A time interval in microseconds UTC; ``end`` is None while it goes on."""

    start: int
    end: int | None


@dataclass(frozen=True, slots=True)
class Registration:
    """A registration worked out; names are expanded, times in microseconds or seconds."""

    id: str
    tenant: str
    mode: Mode
    operations: frozenset[str]
    information: tuple[Information, ...]
    endpoint: str
    remote_tenant: str
    headers: tuple[tuple[str, str], ...]
    context: Context | None
    content_type: str
    accept: str
    local_only: bool
    timeout_s: float
    cooldown_s: float
    host_alias: str
    expires_us: int
    scopes: tuple[str, ...]
    properties: Document
    observed: Interval | None
    managed: Interval | None
    datasets: frozenset[str]
    kept: Kept
    names: Context = field(repr=False)

    @property
    def proxied(self) -> bool:
        """Whether what it covers is held by the source alone (§4.3.6.3)."""
        return self.mode in ("exclusive", "redirect")

    def active(self, now: int) -> bool:
        """Whether it has not expired."""
        return not self.expires_us or self.expires_us > now


async def work_out_registration(kept: Kept, tenant: str, contexts: ContextLibrary) -> Registration:
    """Works a registration out, which also proves that it is sound.

    Raises:
        BadInput: ``registration.*``, ``json.*``, ``time.*`` and those of the model.
        Unavailable: ``context.unavailable``.
    """
    body = kept.body
    names = await contexts.resolve(kept.context)
    if body.get("type") != "ContextSourceRegistration":
        raise BadInput("registration.type")
    mode, operations = _mode(body), _operations(body)
    information = _information(body, names)
    _check_mode(mode, operations, information)
    for name in _TEXTS:
        text_member(body, name, "")
    info = _context_source_info(body)
    _check_duration(body, "refreshRate")
    management = as_object(body.get("management", {}), "management")
    _check_duration(management, "cacheDuration")
    member: ContextMember | None = info.get("jsonldcontext")
    return Registration(
        id=kept.id,
        tenant=tenant,
        mode=mode,
        operations=resolved(operations),
        information=information,
        endpoint=_endpoint(body),
        remote_tenant=check_tenant(text_member(body, "tenant", "")),
        headers=tuple((key, value) for key, value in info.items() if key not in _SPECIAL),
        context=await contexts.resolve(member) if member else None,
        content_type=info.get("contenttype", info.get("content-type", "")),
        accept=info.get("accept", ""),
        local_only=_boolean(body, "localOnly") or _boolean(management, "localOnly"),
        timeout_s=_milliseconds(management, "timeout", _DEFAULT_TIMEOUT_S),
        cooldown_s=_milliseconds(management, "cooldown", 0.0),
        host_alias=text_member(body, "contextSourceAlias", text_member(body, "hostAlias", "")),
        expires_us=_expiry(body),
        scopes=_scopes(body),
        properties=_properties(body, names),
        observed=_interval(body, "observationInterval"),
        managed=_interval(body, "managementInterval"),
        datasets=frozenset(_one_or_more(body["datasetId"], "datasetId"))
        if "datasetId" in body
        else frozenset(),
        kept=kept,
        names=names,
    )


def refuse_expired(registration: Registration) -> None:
    """Refuses a registration whose end has already passed.

    Raises:
        BadInput: ``registration.expired``.
    """
    if not registration.active(now_us()):
        raise BadInput("registration.expired", time=registration.kept.body["expiresAt"])


def _bad(member: str, value: object) -> BadInput:
    return BadInput("registration.member", member=member, value=value)


def _mode(body: Mapping[str, Any]) -> Mode:
    mode = body.get("mode", "inclusive")
    if mode not in _MODES:
        raise _bad("mode", mode)
    return mode


def _operations(body: Mapping[str, object]) -> frozenset[str]:
    if "operations" not in body:
        return frozenset()
    found = frozenset(_texts(body["operations"], "operations"))
    if unknown := sorted(found - OPERATIONS - GROUPS.keys()):
        raise _bad("operations", unknown)
    return found


def _check_mode(mode: Mode, operations: frozenset[str], information: tuple[Information, ...]) -> None:
    if mode == "auxiliary" and operations - AUXILIARY:
        raise BadInput("registration.auxiliary", operations=sorted(operations - AUXILIARY))
    if mode != "exclusive":
        return
    for one in information:
        if not one.entities or not all(entity.id for entity in one.entities) or not one.attributes:
            raise BadInput("registration.exclusive")


def _information(body: Mapping[str, object], names: Context) -> tuple[Information, ...]:
    return tuple(
        _one_information(as_object(item, "information"), names)
        for item in as_array(body.get("information"), "information")
    )


def _one_information(item: Mapping[str, object], names: Context) -> Information:
    if item.keys().isdisjoint(("entities", "propertyNames", "relationshipNames")):
        raise BadInput("registration.information")
    entities = as_array(item["entities"], "entities") if "entities" in item else []
    return Information(
        tuple(_entity_info(as_object(one, "entities"), names) for one in entities),
        _names(item, "propertyNames", names),
        _names(item, "relationshipNames", names),
    )


def _names(item: Mapping[str, object], member: str, names: Context) -> frozenset[str]:
    if member not in item:
        return frozenset()
    return frozenset(names.expand(name) for name in _texts(item[member], member))


def _entity_info(item: Mapping[str, object], names: Context) -> EntityInfo:
    # who names the entity need not name its type
    named = "type" not in item and ("id" in item or "idPattern" in item)
    found = [] if named else _one_or_more(item.get("type"), "entities.type")
    id_ = check_urn(item["id"]) if "id" in item else ""
    pattern = check_pattern(text_member(item, "idPattern")) if "idPattern" in item else None
    return EntityInfo(frozenset(map(names.expand, found)), id_, pattern)


def _endpoint(body: Mapping[str, object]) -> str:
    uri = text_member(body, "endpoint")
    parts = urlsplit(uri) if uri.isascii() and uri.isprintable() else None
    if parts is None or parts.scheme not in ("http", "https") or not parts.hostname:
        raise _bad("endpoint", uri)
    base = uri.rstrip("/")
    return base.removesuffix("/ngsi-ld/v1")


def _context_source_info(body: Mapping[str, object]) -> dict[str, str]:
    found: dict[str, str] = {}
    pairs = as_array(body["contextSourceInfo"], "contextSourceInfo") if "contextSourceInfo" in body else []
    for item in pairs:
        pair = as_object(item, "contextSourceInfo")
        key, value = text_member(pair, "key"), text_member(pair, "value")
        if not _HEADER.fullmatch(key) or not _PRINTABLE.fullmatch(value):
            raise _bad("contextSourceInfo", key)
        if key.lower() not in _OWN_HEADERS:
            found[key.lower() if key.lower() in _SPECIAL else key] = value
    return found


def _check_duration(body: Mapping[str, object], name: str) -> None:
    value = body.get(name)
    if value is not None and not (isinstance(value, str) and _DURATION.fullmatch(value)):
        raise _bad(name, value)


def _milliseconds(management: Mapping[str, object], name: str, default: float) -> float:
    value = management.get(name)
    if value is None:
        return default
    if isinstance(value, bool) or not isinstance(value, (int, float)) or value <= 0:
        raise _bad(f"management.{name}", value)
    seconds = value / 1000
    return min(seconds, _LONGEST_TIMEOUT_S) if name == "timeout" else seconds


def _boolean(body: Mapping[str, object], name: str) -> bool:
    value = body.get(name, False)
    if not isinstance(value, bool):
        raise BadInput("json.boolean", where=name)
    return value


def _scopes(body: Mapping[str, object]) -> tuple[str, ...]:
    if "scope" not in body:
        return ()
    scopes = _one_or_more(body["scope"], "scope")
    return tuple(scope if scope.startswith("/") else f"/{scope}" for scope in scopes)


def _expiry(body: Mapping[str, object]) -> int:
    """Reads ``expiresAt``, which is in UTC and says so (§4.6.3)."""
    if "expiresAt" not in body:
        return 0
    text = text_member(body, "expiresAt")
    if not text.endswith("Z"):
        raise _bad("expiresAt", text)
    return instant_us(text)


def _interval(body: Mapping[str, object], name: str) -> Interval | None:
    if name not in body:
        return None
    value = as_object(body[name], name)
    start = instant_us(text_member(value, "startAt" if "startAt" in value else "start"))
    ending = value.get("endAt", value.get("end"))
    end = instant_us(ending) if ending is not None else None
    if end is not None and end < start:
        raise _bad(name, value)
    return Interval(start, end)


def _properties(body: Mapping[str, Any], names: Context) -> Document:
    """Returns the context source properties, the geometries and the scope as a document to be queried."""
    rest = {name: value for name, value in body.items() if name not in _MEMBERS or name in _ASKED}
    document = expand_fragment(rest, names) if rest else {}
    for name in _GEOMETRIES:
        if name in body:
            geometry = check_geometry(name, body[name])
            document[names.expand(name)] = [{"type": "GeoProperty", "value": geometry}]
    if "scope" in body:
        document["scope"] = list(_scopes(body))
    return document


def _one_or_more(value: object, where: str) -> list[str]:
    return _texts(value if isinstance(value, list) else [value], where)  # pyright: ignore[reportUnknownArgumentType]


def _texts(value: object, where: str) -> list[str]:
    items = as_array(value, where)
    if not all(isinstance(item, str) and item for item in items):
        raise BadInput("json.text", where=where)
    return cast("list[str]", items)


def describe_registration(
    registration: Registration, shown: Context, *, sysattrs: bool = False
) -> dict[str, Any]:
    """Returns a registration as a client reads it, its names written as ``shown`` writes them."""
    names = registration.names

    def rename(name: str) -> str:
        return shown.compact(names.expand(name))

    body: dict[str, Any] = {"id": registration.id}
    for member, value in registration.kept.body.items():
        if member == "information":
            body[member] = [_shown_information(item, rename) for item in value]
        else:
            body[member if member in _MEMBERS else rename(member)] = value
    if sysattrs:
        body["createdAt"], body["modifiedAt"] = registration.kept.created_at, registration.kept.modified_at
    return body


def _shown_information(item: dict[str, Any], rename: Any) -> dict[str, Any]:
    found = dict(item)
    for member in ("propertyNames", "relationshipNames"):
        if member in found:
            found[member] = [rename(name) for name in found[member]]
    if "entities" in found:
        found["entities"] = [
            {**one, "type": _renamed(one["type"], rename)} if "type" in one else one
            for one in found["entities"]
        ]
    return found


def _renamed(types: Any, rename: Any) -> Any:
    return [rename(name) for name in types] if isinstance(types, list) else rename(types)  # pyright: ignore[reportUnknownVariableType]

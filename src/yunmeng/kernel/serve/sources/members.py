"""Members of a context source registration, read and checked (ETSI GS CIM 009 §5.2.9, §5.2.10, §5.2.34)."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, cast
from urllib.parse import urlsplit

from yunmeng.kernel.base import BadInput, instant_us
from yunmeng.kernel.serve.body import as_array, as_object, text_member
from yunmeng.kernel.serve.sources.operations import GROUPS, OPERATIONS

Mode = Literal["inclusive", "exclusive", "redirect", "auxiliary"]

GEOMETRIES = ("location", "observationSpace", "operationSpace")
TEXTS = ("registrationName", "description", "contextSourceAlias", "hostAlias", "lang")
MEMBERS = frozenset(
    (
        *("id", "type", "information", "endpoint", "mode", "operations", "tenant", "expiresAt"),
        *("observationInterval", "managementInterval", "contextSourceInfo", "management", "refreshRate"),
        *("scope", "localOnly", "datasetId", "createdAt", "modifiedAt", "deletedAt", "status"),
        *("timesSent", "timesFailed", "lastSuccess", "lastFailure", *GEOMETRIES, *TEXTS),
    )
)
SPECIAL = frozenset(("jsonldcontext", "contenttype", "accept", "content-type"))
"""Keys of ``contextSourceInfo`` that steer this node instead of becoming headers (§4.3.6.6)."""

_MODES = ("inclusive", "exclusive", "redirect", "auxiliary")
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
_LONGEST_TIMEOUT_S = 60.0


@dataclass(frozen=True, slots=True)
class Interval:
    """A time interval in microseconds UTC; ``end`` is None while it goes on."""

    start: int
    end: int | None


def mode(body: Mapping[str, Any]) -> Mode:
    """Reads how a source and this node share entities, ``inclusive`` when it does not say.

    Raises:
        BadInput: ``registration.member`` or ``json.*``.
    """
    found = body.get("mode", "inclusive")
    if found not in _MODES:
        raise _bad("mode", found)
    return found


def operations(body: Mapping[str, object]) -> frozenset[str]:
    """Reads what a source offers, single operations and groups; empty when it does not say.

    Raises:
        BadInput: ``registration.member`` or ``json.*``.
    """
    if "operations" not in body:
        return frozenset()
    found = frozenset(texts(body["operations"], "operations"))
    if unknown := sorted(found - OPERATIONS - GROUPS.keys()):
        raise _bad("operations", unknown)
    return found


def endpoint(body: Mapping[str, object]) -> str:
    """Reads where a source is, without the path of the API.

    Raises:
        BadInput: ``registration.member`` or ``json.*``.
    """
    uri = text_member(body, "endpoint")
    parts = urlsplit(uri) if uri.isascii() and uri.isprintable() else None
    if parts is None or parts.scheme not in ("http", "https") or not parts.hostname:
        raise _bad("endpoint", uri)
    base = uri.rstrip("/")
    return base.removesuffix("/ngsi-ld/v1")


def context_source_info(body: Mapping[str, object]) -> dict[str, str]:
    """Reads what a source is told in headers; keys of :data:`SPECIAL` in lower case.

    Raises:
        BadInput: ``registration.member`` or ``json.*``.
    """
    found: dict[str, str] = {}
    pairs = as_array(body["contextSourceInfo"], "contextSourceInfo") if "contextSourceInfo" in body else []
    for item in pairs:
        pair = as_object(item, "contextSourceInfo")
        key, value = text_member(pair, "key"), text_member(pair, "value")
        if not _HEADER.fullmatch(key) or not _PRINTABLE.fullmatch(value):
            raise _bad("contextSourceInfo", key)
        if key.lower() not in _OWN_HEADERS:
            found[key.lower() if key.lower() in SPECIAL else key] = value
    return found


def check_duration(body: Mapping[str, object], name: str) -> None:
    """Checks that a member is an ISO 8601 duration, if it is there.

    Raises:
        BadInput: ``registration.member`` or ``json.*``.
    """
    value = body.get(name)
    if value is not None and not (isinstance(value, str) and _DURATION.fullmatch(value)):
        raise _bad(name, value)


def milliseconds(management: Mapping[str, object], name: str, default: float) -> float:
    """Reads a number of milliseconds, as seconds.

    Raises:
        BadInput: ``registration.member`` or ``json.*``.
    """
    value = management.get(name)
    if value is None:
        return default
    if isinstance(value, bool) or not isinstance(value, (int, float)) or value <= 0:
        raise _bad(f"management.{name}", value)
    seconds = value / 1000
    return min(seconds, _LONGEST_TIMEOUT_S) if name == "timeout" else seconds


def boolean(body: Mapping[str, object], name: str) -> bool:
    """Reads true or false, which it is when it is not there.

    Raises:
        BadInput: ``registration.member`` or ``json.*``.
    """
    value = body.get(name, False)
    if not isinstance(value, bool):
        raise BadInput("json.boolean", where=name)
    return value


def scopes(body: Mapping[str, object]) -> tuple[str, ...]:
    """Reads the scopes of a source, each from the root.

    Raises:
        BadInput: ``registration.member`` or ``json.*``.
    """
    if "scope" not in body:
        return ()
    scopes = one_or_more(body["scope"], "scope")
    return tuple(scope if scope.startswith("/") else f"/{scope}" for scope in scopes)


def expiry(body: Mapping[str, object]) -> int:
    """Reads ``expiresAt``, which is in UTC and says so (§4.6.3)."""
    if "expiresAt" not in body:
        return 0
    text = text_member(body, "expiresAt")
    if not text.endswith("Z"):
        raise _bad("expiresAt", text)
    return instant_us(text)


def interval(body: Mapping[str, object], name: str) -> Interval | None:
    """Reads a time interval, None when it is not there.

    Raises:
        BadInput: ``registration.member`` or ``json.*``.
    """
    if name not in body:
        return None
    value = as_object(body[name], name)
    start = instant_us(text_member(value, "startAt" if "startAt" in value else "start"))
    ending = value.get("endAt", value.get("end"))
    end = instant_us(ending) if ending is not None else None
    if end is not None and end < start:
        raise _bad(name, value)
    return Interval(start, end)


def one_or_more(value: object, where: str) -> list[str]:
    """Reads a text or several.

    Raises:
        BadInput: ``registration.member`` or ``json.*``.
    """
    return texts(value if isinstance(value, list) else [value], where)  # pyright: ignore[reportUnknownArgumentType]


def texts(value: object, where: str) -> list[str]:
    """Reads texts, none of them empty.

    Raises:
        BadInput: ``registration.member`` or ``json.*``.
    """
    items = as_array(value, where)
    if not all(isinstance(item, str) and item for item in items):
        raise BadInput("json.text", where=where)
    return cast("list[str]", items)


def _bad(member: str, value: object) -> BadInput:
    return BadInput("registration.member", member=member, value=value)

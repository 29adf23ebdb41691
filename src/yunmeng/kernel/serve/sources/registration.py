"""Context source registrations as data: what one says, checked and worked out (ETSI GS CIM 009 §5.2.9)."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from yunmeng.kernel.base import BadInput, now_us
from yunmeng.kernel.model import (
    Context,
    ContextLibrary,
    ContextMember,
    Document,
    check_geometry,
    expand_fragment,
)
from yunmeng.kernel.serve.body import as_object, text_member
from yunmeng.kernel.serve.ngsild.tenants import check_tenant
from yunmeng.kernel.serve.sources.information import Information, information_of
from yunmeng.kernel.serve.sources.members import (
    GEOMETRIES,
    MEMBERS,
    SPECIAL,
    TEXTS,
    Interval,
    Mode,
    boolean,
    check_duration,
    context_source_info,
    endpoint,
    expiry,
    interval,
    milliseconds,
    mode,
    one_or_more,
    operations,
    scopes,
)
from yunmeng.kernel.serve.sources.operations import AUXILIARY, resolved
from yunmeng.kernel.serve.watching import Kept

REGISTRATION = "context-source"

# members that a context source filter may ask about like properties of the source
_ASKED = ("endpoint", "mode", "tenant", "refreshRate", *TEXTS[:4])
_DEFAULT_TIMEOUT_S = 5.0


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
    chosen, offered = mode(body), operations(body)
    information = information_of(body, names)
    _check_mode(chosen, offered, information)
    for name in TEXTS:
        text_member(body, name, "")
    info = context_source_info(body)
    check_duration(body, "refreshRate")
    management = as_object(body.get("management", {}), "management")
    check_duration(management, "cacheDuration")
    member: ContextMember | None = info.get("jsonldcontext")
    return Registration(
        id=kept.id,
        tenant=tenant,
        mode=chosen,
        operations=resolved(offered),
        information=information,
        endpoint=endpoint(body),
        remote_tenant=check_tenant(text_member(body, "tenant", "")),
        headers=tuple((key, value) for key, value in info.items() if key not in SPECIAL),
        context=await contexts.resolve(member) if member else None,
        content_type=info.get("contenttype", info.get("content-type", "")),
        accept=info.get("accept", ""),
        local_only=boolean(body, "localOnly") or boolean(management, "localOnly"),
        timeout_s=milliseconds(management, "timeout", _DEFAULT_TIMEOUT_S),
        cooldown_s=milliseconds(management, "cooldown", 0.0),
        host_alias=text_member(body, "contextSourceAlias", text_member(body, "hostAlias", "")),
        expires_us=expiry(body),
        scopes=scopes(body),
        properties=_properties(body, names),
        observed=interval(body, "observationInterval"),
        managed=interval(body, "managementInterval"),
        datasets=frozenset(one_or_more(body["datasetId"], "datasetId"))
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


def _check_mode(mode: Mode, operations: frozenset[str], information: tuple[Information, ...]) -> None:
    if mode == "auxiliary" and operations - AUXILIARY:
        raise BadInput("registration.auxiliary", operations=sorted(operations - AUXILIARY))
    if mode != "exclusive":
        return
    for one in information:
        if not one.entities or not all(entity.id for entity in one.entities) or not one.attributes:
            raise BadInput("registration.exclusive")


def _properties(body: Mapping[str, Any], names: Context) -> Document:
    """Returns the context source properties, the geometries and the scope as a document to be queried."""
    rest = {name: value for name, value in body.items() if name not in MEMBERS or name in _ASKED}
    document = expand_fragment(rest, names) if rest else {}
    for name in GEOMETRIES:
        if name in body:
            geometry = check_geometry(name, body[name])
            document[names.expand(name)] = [{"type": "GeoProperty", "value": geometry}]
    if "scope" in body:
        document["scope"] = list(scopes(body))
    return document

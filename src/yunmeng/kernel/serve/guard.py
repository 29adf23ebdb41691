"""The guard before every handler: who is it, which tenant, may they; and the audit trail of that."""

from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import Response

from yunmeng.kernel.base import Forbidden, Unauthenticated, YunmengError, now_us
from yunmeng.kernel.serve.audit import AuditTrail
from yunmeng.kernel.serve.body import declared_length
from yunmeng.kernel.serve.heading import header
from yunmeng.kernel.serve.identity import OPEN, Identity
from yunmeng.kernel.serve.language import negotiate
from yunmeng.kernel.serve.ngsild.tenants import TENANT_HEADER, check_tenant
from yunmeng.kernel.serve.routes import Call, Route
from yunmeng.kernel.serve.services import Services
from yunmeng.kernel.trust import ANONYMOUS, AuditEvent, Principal, Resource

SAFE = frozenset(("GET", "HEAD", "OPTIONS"))
REQUEST_ID = "yunmeng.request"

_LONGEST_PATH = 500

# reads that are asked for by POST change nothing
_READS = frozenset(("entity.read", "temporal.read", "view.read", "plan.read", "live.read"))


@dataclass(frozen=True, slots=True)
class Guard:
    """Admits calls, or refuses them with the error to answer."""

    services: Services
    trail: AuditTrail
    identity: Identity

    async def admit(self, route: Route, request: Request) -> Call:
        """Returns the admitted call.

        Raises:
            Unauthenticated: ``session.*``, ``token.*``.
            Forbidden: ``session.csrf``, ``policy.refused``.
            TooLarge: ``body.large`` by the declared length.
            BadInput: ``tenant.bad``.
        """
        declared_length(request, self.services.settings.http.max_body)
        principal, tenant = ANONYMOUS, ""
        try:
            principal = await self._principal(request)
            tenant = check_tenant(_asked_tenant(request, principal))
            resource = Resource(route.action.partition(".")[0], request.path_params.get("id", ""), tenant)
            decision = self.services.policy.require(principal, route.action, resource)
        except (Unauthenticated, Forbidden) as error:
            self.trail.record(event_of(route, request, principal, tenant, refused=error))
            raise
        language = negotiate(header(request, b"accept-language") or "")
        return Call(request, self.services, principal, decision.reach, language)

    async def _principal(self, request: Request) -> Principal:
        if not self.services.settings.trust.sign_in:
            return OPEN
        return await self.identity.of(request)

    async def carry_out(self, route: Route, call: Call) -> Response:
        """Runs the handler; what changes data is answered only once its audit event is on the bus."""
        if route.method in SAFE or route.action in _READS:
            return await self._run(route, call)
        noted = self.trail.record(event_of(route, call.request, call.principal, call.tenant))
        response = await self._run(route, call)
        await noted
        return response

    async def _run(self, route: Route, call: Call) -> Response:
        try:
            return await route.handler(call)
        except (Unauthenticated, Forbidden) as error:
            # the handler found out more than the address said: a division, a grade, a wrong password
            self.trail.record(event_of(route, call.request, call.principal, call.tenant, refused=error))
            raise


def _asked_tenant(request: Request, principal: Principal) -> str:
    asked = header(request, TENANT_HEADER)
    return principal.tenant if asked is None else asked


def event_of(
    route: Route, request: Request, principal: Principal, tenant: str, refused: YunmengError | None = None
) -> AuditEvent:
    """Writes down what a call does, or why it was refused."""
    reasons = refused.facts.get("reasons", refused.key) if refused is not None else ""
    return AuditEvent(
        at=now_us(),
        principal=principal.id,
        action=route.action,
        resource=request.scope["path"][:_LONGEST_PATH],
        decision="refuse" if refused is not None else "allow",
        tenant=tenant,
        reasons=tuple(str(reasons).split(", ")) if reasons else (),
        facts={"method": request.method},
        request=request_id(request),
    )


def request_id(request: Request) -> str:
    """Returns the id of a request, as the answer's ``X-Request-Id`` says it."""
    return str(request.scope.get(REQUEST_ID, ""))

"""The ASGI application: one table of routes, one guard before all of them, one way to answer an error."""

import logging
import re
from collections.abc import Sequence
from itertools import count
from pathlib import Path
from secrets import token_hex
from time import perf_counter

from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import Message, Receive, Scope, Send

from yunmeng.kernel.base import Broken, NotFound, Unavailable, YunmengError
from yunmeng.kernel.serve.audit import AuditTrail
from yunmeng.kernel.serve.body import Asked
from yunmeng.kernel.serve.desk import DESK, Desk
from yunmeng.kernel.serve.gathering import Gathering
from yunmeng.kernel.serve.grades import Grades
from yunmeng.kernel.serve.guard import REQUEST_ID, Guard
from yunmeng.kernel.serve.heading import HEADERS, header, read_headers
from yunmeng.kernel.serve.identity import Identity
from yunmeng.kernel.serve.lane import WriteLane
from yunmeng.kernel.serve.language import negotiate
from yunmeng.kernel.serve.metrics import Metrics
from yunmeng.kernel.serve.ngsild.contexts import tell_contexts
from yunmeng.kernel.serve.ngsild.sheets import FEWEST_ALIKE
from yunmeng.kernel.serve.ngsild.tenants import TENANT_HEADER
from yunmeng.kernel.serve.pages import page_route
from yunmeng.kernel.serve.paths import Match, PathTable
from yunmeng.kernel.serve.refusals import MethodNotAllowed, as_error, problem_reply
from yunmeng.kernel.serve.replies import Reply
from yunmeng.kernel.serve.routes import Route
from yunmeng.kernel.serve.services import Services
from yunmeng.kernel.serve.siblings import Siblings
from yunmeng.kernel.serve.sources.sources import Sources

SECURITY_HEADERS = (
    (
        b"content-security-policy",
        b"default-src 'self'; img-src 'self' data: blob:; style-src 'self' 'unsafe-inline'; "
        b"worker-src 'self'; object-src 'none'; base-uri 'self'; frame-ancestors 'none'; form-action 'self'",
    ),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"same-origin"),
    (b"cross-origin-opener-policy", b"same-origin"),
)

_NGSI_LD = "/ngsi-ld/"
_REQUEST_ID = re.compile(rb"[A-Za-z0-9._-]{1,64}")

_log = logging.getLogger("yunmeng.serve")


def create_app(
    services: Services, routes: Sequence[Route], static: Path | None = None, *, nth: int = 1
) -> "Application":
    """Makes the ASGI application of a node.

    ``routes`` is the joined table of all families; ``static`` is the folder of the console's built pages,
    which are served wherever no other route answers, behind the action ``page.read``. ``nth`` says which
    of the ``http.workers`` processes this is.

    Raises:
        ValueError: when two rows have one address.
    """
    rows = (*routes, page_route(static)) if static is not None else tuple(routes)
    siblings = Siblings(services.bus, nth, services.settings.http.workers)
    return Application(services, PathTable(rows), siblings)


class Application:
    """The ASGI application; ``table`` holds every address that it answers."""

    def __init__(self, services: Services, table: PathTable, siblings: Siblings) -> None:
        self.table = table
        trail = AuditTrail(services.bus)
        lane = WriteLane(services.bus)
        metrics, sources = Metrics(), Sources(services, siblings)
        siblings.tell("metrics", metrics.tell)
        tell_contexts(siblings, services.contexts)
        grades, creations = Grades(services.types), Gathering(FEWEST_ALIKE)
        self.desk = Desk(table, metrics, trail, grades, sources, lane, siblings, creations)
        self._guard = Guard(services, trail, Identity(services.accounts))
        self._most = services.settings.http.max_body
        self._prefix, self._numbers = token_hex(4), count(1)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers one connection of the server."""
        if scope["type"] == "lifespan":
            await self._lifespan(receive, send)
        elif scope["type"] == "http":
            await self._answer(scope, receive, send)
        else:
            await send({"type": "websocket.close", "code": 1000})

    async def _lifespan(self, receive: Receive, send: Send) -> None:
        while True:
            message = await receive()
            if message["type"] == "lifespan.startup":
                await self.desk.siblings.start()
            elif message["type"] == "lifespan.shutdown":
                await self.desk.trail.flush()
                await self.desk.sources.close()
            await send({"type": f"{message['type']}.complete"})
            if message["type"] == "lifespan.shutdown":
                return

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        started = perf_counter()
        read_headers(scope)
        number = self._request_id(scope)
        scope[REQUEST_ID] = number
        scope[DESK] = self.desk
        request = Asked(scope, receive, self._most)
        wire = _Wire(send, number.encode("latin-1"), head_only=scope["method"] == "HEAD")
        route: Route | None = None
        try:
            match, route = self._find(scope)
            response = await self._respond(match, route, request)
            await response(scope, request.receive, wire.send)
        except ClientDisconnect:
            return
        except Exception as failure:
            error = as_error(failure) or self._defect(failure, number)
            if wire.started:
                raise
            await self._refuse(error, request)(scope, request.receive, wire.send)
        action = route.action if route is not None else "-"
        self.desk.metrics.call(action, wire.status, perf_counter() - started)

    def _find(self, scope: Scope) -> tuple[Match, Route | None]:
        raw: bytes | None = scope.get("raw_path")
        match = self.table.find(raw.decode("latin-1") if raw is not None else scope["path"])
        if match is None:
            raise NotFound("http.404", path=scope["path"])
        method = scope["method"]
        if method == "OPTIONS":
            return match, None
        route = match.rows.get("GET" if method == "HEAD" else method)
        if route is None:
            raise MethodNotAllowed("http.405", method=method, allow=match.allow)
        scope["path_params"] = self.table.parameters(route, match)
        return match, route

    async def _respond(self, match: Match, route: Route | None, request: Request) -> Response:
        if route is None:
            return Reply(b"", 204, headers={"Allow": match.allow})
        call = await self._guard.admit(route, request)
        return await self._guard.carry_out(route, call)

    def _refuse(self, error: YunmengError, request: Request) -> Response:
        language = negotiate(header(request, b"accept-language") or "")
        etsi = request.scope["path"].startswith(_NGSI_LD)
        reply = problem_reply(error, language, etsi=etsi)
        tenant = header(request, TENANT_HEADER)
        if etsi and tenant and error.key != "tenant.bad":
            # §6.3.14: a refusal, too, says which tenant it is about
            reply.raw_headers.append((TENANT_HEADER, tenant.encode("latin-1")))
        return reply

    def _defect(self, failure: Exception, number: str) -> YunmengError:
        _log.error("request %s failed", number, exc_info=failure)
        if isinstance(failure, TimeoutError):
            return Unavailable("http.timeout", request=number)
        return Broken("http.defect", request=number)

    def _request_id(self, scope: Scope) -> str:
        asked: bytes | None = scope[HEADERS].get(b"x-request-id")
        if asked is not None and _REQUEST_ID.fullmatch(asked):
            return asked.decode()
        return f"{self._prefix}-{next(self._numbers)}"


class _Wire:
    """The way out: adds what every answer carries, drops the body of a HEAD, remembers the status."""

    __slots__ = ("_head_only", "_number", "_send", "started", "status")

    def __init__(self, send: Send, number: bytes, *, head_only: bool) -> None:
        self._send = send
        self._number = number
        self._head_only = head_only
        self.started = False
        self.status = 0

    async def send(self, message: Message) -> None:
        """Sends one message of the answer."""
        if message["type"] == "http.response.start":
            self.started = True
            self.status = message["status"]
            headers = [*message["headers"], (b"x-request-id", self._number), *SECURITY_HEADERS]
            message = {**message, "headers": headers}
        elif self._head_only:
            message = {
                "type": "http.response.body",
                "body": b"",
                "more_body": message.get("more_body", False),
            }
        await self._send(message)

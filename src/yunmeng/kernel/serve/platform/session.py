"""Signing in and out, and changing one's password."""

from typing import Any

from starlette.responses import Response

from yunmeng.kernel.base import Unsupported, format_us, now_us
from yunmeng.kernel.serve.body import as_object, read_json, text_member
from yunmeng.kernel.serve.desk import desk
from yunmeng.kernel.serve.heading import header
from yunmeng.kernel.serve.identity import SESSION_COOKIE, address_of, session_id
from yunmeng.kernel.serve.replies import empty_reply, json_reply
from yunmeng.kernel.serve.routes import Call
from yunmeng.kernel.trust import AuditEvent, Principal, Session


async def sign_in(call: Call) -> Response:
    """Starts a session; the answer carries the cookie and the CSRF token that goes with it."""
    if not call.services.settings.trust.sign_in:
        raise Unsupported("session.off")
    body = as_object(await read_json(call.request), "body")
    name, password = text_member(body, "name"), text_member(body, "password")
    session = await call.services.accounts.sign_in(name, password, address_of(call.request))
    await desk(call).trail.record(
        AuditEvent(
            at=now_us(),
            principal=session.principal.id,
            action="session.create",
            resource=session.principal.id,
            decision="allow",
            tenant=session.principal.tenant,
            facts={"address": address_of(call.request)},
        )
    )
    return _with_cookie(call, session, 201)


async def current(call: Call) -> Response:
    """Says who is signed in, and gives the CSRF token anew."""
    id_ = session_id(call.request)
    if not id_ or header(call.request, b"authorization") is not None:
        return json_reply({"principal": _principal(call.principal)})
    return json_reply(_described(await call.services.accounts.session(id_)))


async def sign_out(call: Call) -> Response:
    """Ends the session."""
    id_ = session_id(call.request)
    if id_:
        await call.services.accounts.sign_out(id_)
    response = empty_reply()
    response.delete_cookie(SESSION_COOKIE, path="/", httponly=True, samesite="strict")
    return response


async def change_password(call: Call) -> Response:
    """Changes the password of whoever is signed in; every other session of theirs ends."""
    body = as_object(await read_json(call.request), "body")
    old, new = text_member(body, "old"), text_member(body, "new")
    id_ = session_id(call.request)
    session = await call.services.accounts.change_password(id_, old, new, address_of(call.request))
    return _with_cookie(call, session, 200)


def _with_cookie(call: Call, session: Session, status: int) -> Response:
    response = json_reply(_described(session), status)
    response.set_cookie(
        SESSION_COOKIE,
        session.id,
        max_age=max(0, (session.expires_at - now_us()) // 1_000_000),
        path="/",
        httponly=True,
        secure=call.request.url.scheme == "https",
        samesite="strict",
    )
    return response


def _described(session: Session) -> dict[str, Any]:
    return {
        "name": session.name,
        "display": session.display,
        "language": session.language,
        "mustChange": session.must_change,
        "csrf": session.csrf,
        "expiresAt": format_us(session.expires_at),
        "principal": _principal(session.principal),
    }


def _principal(principal: Principal) -> dict[str, Any]:
    return {
        "id": principal.id,
        "kind": principal.kind,
        "tenant": principal.tenant,
        "roles": principal.roles,
        "divisions": principal.divisions,
        "clearance": principal.clearance,
    }

"""Who calls: a session cookie with its CSRF token, a bearer token, or nobody in particular."""

from starlette.requests import Request

from yunmeng.kernel.base import Unauthenticated
from yunmeng.kernel.serve.heading import header
from yunmeng.kernel.trust import ANONYMOUS, Accounts, Principal

SESSION_COOKIE = "ym_session"
CSRF_HEADER = b"x-csrf-token"
SIGN_IN_PATH = "/api/session"

_UNSAFE = frozenset(("POST", "PUT", "PATCH", "DELETE"))


OPEN = Principal("urn:yunmeng:service:open", kind="service", roles=("administrator",), clearance=4)
"""Whoever calls a node that runs without sign-in."""


async def identify(accounts: Accounts, request: Request) -> Principal:
    """Returns the principal behind a request.

    An expired cookie makes a caller anonymous (the pages must still open), a wrong token is refused.

    Raises:
        Unauthenticated: ``token.wrong``, ``token.expired``, ``token.scheme``.
        Forbidden: ``session.csrf`` when a cookie comes without its token in an unsafe method.
    """
    authorization = header(request, b"authorization")
    if authorization is not None:
        scheme, _, text = authorization.partition(" ")
        if scheme.lower() != "bearer":
            raise Unauthenticated("token.scheme", scheme=scheme)
        return await accounts.bearer(text.strip())
    id_ = session_id(request)
    if not id_:
        return ANONYMOUS
    if request.method in _UNSAFE and not _signs_in(request):
        accounts.check_csrf(id_, header(request, CSRF_HEADER) or "")
    try:
        return (await accounts.session(id_)).principal
    except Unauthenticated:
        return ANONYMOUS


def session_id(request: Request) -> str:
    """Returns the id of the session that the cookie names, empty without one."""
    return request.cookies.get(SESSION_COOKIE, "") if header(request, b"cookie") else ""


def _signs_in(request: Request) -> bool:
    """Signing in anew needs no token of the session that it replaces; the cookie is SameSite=Strict."""
    return request.method == "POST" and request.scope["path"].rstrip("/") == SIGN_IN_PATH


def address_of(request: Request) -> str:
    """Returns the address of the caller as the server saw it."""
    return request.client.host if request.client is not None else ""

"""Who calls: a session cookie with its CSRF token, a bearer token, or nobody in particular."""

from time import monotonic

from starlette.requests import Request

from yunmeng.kernel.base import Unauthenticated
from yunmeng.kernel.serve.heading import header
from yunmeng.kernel.trust import ANONYMOUS, Accounts, Principal

SESSION_COOKIE = "ym_session"
CSRF_HEADER = b"x-csrf-token"
SIGN_IN_PATH = "/api/session"

_BELIEVED_S = 1.0
_MOST_BELIEVED = 10_000
_UNSAFE = frozenset(("POST", "PUT", "PATCH", "DELETE"))


OPEN = Principal("urn:yunmeng:service:open", kind="service", roles=("administrator",), clearance=4)
"""Whoever calls a node that runs without sign-in."""


class Identity:
    """Finds the principal behind a request.

    A token that was good is believed for another second, so that programs which ask thousands of times a
    second cost one look-up; a revoked token therefore ends within that second.
    """

    def __init__(self, accounts: Accounts) -> None:
        self._accounts = accounts
        self._believed: dict[str, tuple[float, Principal]] = {}

    async def of(self, request: Request) -> Principal:
        """Returns the principal.

        An expired cookie makes a caller anonymous (the pages must still open), a wrong token is refused.

        Raises:
            Unauthenticated: ``token.wrong``, ``token.expired``, ``token.scheme``.
            Forbidden: ``session.csrf`` when a cookie comes without its token in an unsafe method.
        """
        authorization = header(request, b"authorization")
        if authorization is not None:
            return await self._bearer(authorization)
        id_ = session_id(request)
        if not id_:
            return ANONYMOUS
        if request.method in _UNSAFE and not _signs_in(request):
            self._accounts.check_csrf(id_, header(request, CSRF_HEADER) or "")
        try:
            return (await self._accounts.session(id_)).principal
        except Unauthenticated:
            return ANONYMOUS

    async def _bearer(self, authorization: str) -> Principal:
        now = monotonic()
        until, principal = self._believed.get(authorization, (0.0, ANONYMOUS))
        if now < until:
            return principal
        scheme, _, text = authorization.partition(" ")
        if scheme.lower() != "bearer":
            raise Unauthenticated("token.scheme", scheme=scheme)
        principal = await self._accounts.bearer(text.strip())
        if len(self._believed) >= _MOST_BELIEVED:
            self._believed.clear()
        self._believed[authorization] = (now + _BELIEVED_S, principal)
        return principal


def session_id(request: Request) -> str:
    """Returns the id of the session that the cookie names, empty without one."""
    return request.cookies.get(SESSION_COOKIE, "") if header(request, b"cookie") else ""


def _signs_in(request: Request) -> bool:
    """Signing in anew needs no token of the session that it replaces; the cookie is SameSite=Strict."""
    return request.method == "POST" and request.scope["path"].rstrip("/") == SIGN_IN_PATH


def address_of(request: Request) -> str:
    """Returns the address of the caller as the server saw it."""
    return request.client.host if request.client is not None else ""

"""Accounts: people who sign in, and the services, devices and nodes that carry tokens."""

import asyncio
from collections.abc import Callable, Collection
from typing import Literal

import msgspec
from msgspec.structs import replace

from yunmeng.kernel.base import Conflict, Language, NotFound, Unauthenticated, now_us
from yunmeng.kernel.trust.attempts import Attempts
from yunmeng.kernel.trust.grants import HIGHEST_GRADE, SYSTEM, canonical, check_grant, check_name, inside
from yunmeng.kernel.trust.passwords import Cost, Passwords, check_new_password, one_time_password
from yunmeng.kernel.trust.policy import ADMINISTRATOR, ROLES
from yunmeng.kernel.trust.principal import Principal
from yunmeng.kernel.trust.records import USERS, RecordStore, Token, User
from yunmeng.kernel.trust.sessions import Session, Sessions, check_csrf
from yunmeng.kernel.trust.tokens import Tokens

FIRST_NAME = "admin"

_DAY = 86_400_000_000
_TOKEN_DAYS = 365


class Account(msgspec.Struct, frozen=True):
    """What may be shown of a person's account."""

    name: str
    display: str
    roles: tuple[str, ...]
    divisions: tuple[str, ...]
    tenant: str
    clearance: int
    language: Language
    must_change: bool
    disabled: bool
    created_at: int


class Accounts:
    """Signs people in and services on, over the node's records.

    ``clock`` gives microseconds since 1970 UTC; ``roles`` are those that may be given, more than the
    built-in ones where the operator's own policy files name more.
    """

    def __init__(
        self,
        store: RecordStore,
        session_hours: float = 12,
        clock: Callable[[], int] = now_us,
        cost: Cost | None = None,
        roles: Collection[str] = ROLES,
    ) -> None:
        self._store = store
        self._clock = clock
        self._roles = roles
        self._passwords = Passwords(cost)
        self._attempts = Attempts(store, clock)
        self._sessions = Sessions(store, clock, session_hours)
        self._tokens = Tokens(store, clock)
        self._changing = asyncio.Lock()

    async def first_start(self) -> str | None:
        """Returns the one-time password of the first administrator, or None once it has been changed.

        It works for one sign-in. A later start gives a new one as long as nobody has changed it, and the
        older stops working. Only one process of a node may call this.
        """
        async with self._changing:
            kept = await self._find(FIRST_NAME)
            if kept and not kept.one_time:
                return None
            password = one_time_password()
            user = kept or User(
                FIRST_NAME, "", (ADMINISTRATOR,), clearance=HIGHEST_GRADE, created_at=self._clock()
            )
            await self._set_password(user, password, one_time=True)
        return password

    async def sign_in(self, name: str, password: str, address: str = "") -> Session:
        """Starts a session.

        Raises:
            Unauthenticated: ``session.wrong``, ``session.locked`` (seconds) after too many tries of the name
                or from the address, ``session.used`` when a one-time password comes again.
            Unavailable: ``session.busy`` when too many sign in at once.
        """
        plain = canonical(name)
        await self._attempts.begin(plain, address)
        user = await self._checked(plain, password)
        await self._attempts.succeed(plain, address)
        if user.one_time or self._passwords.outdated(user.password):
            user = await self._after_sign_in(user, password)
        return await self._sessions.open(user)

    async def session(self, id: str) -> Session:
        """Returns the session of a cookie. Raises ``Unauthenticated("session.expired")``."""
        return await self._sessions.find(id)

    async def renew(self, id: str) -> Session:
        """Replaces a session by a fresh one with a new id. Raises ``Unauthenticated("session.expired")``."""
        return await self._sessions.renew(id)

    async def sign_out(self, id: str) -> None:
        """Ends a session; one that is over already is no error."""
        await self._sessions.end(id)

    def check_csrf(self, id: str, token: str) -> None:
        """Accepts the token that belongs to the session. Raises ``Forbidden("session.csrf")``."""
        check_csrf(id, token)

    async def change_password(self, id: str, old: str, new: str, address: str = "") -> Session:
        """Changes the password of whoever is signed in, ends all their sessions and starts a new one.

        Raises:
            Unauthenticated: ``session.expired``, ``session.wrong`` (the old one), ``session.locked``.
            BadInput: ``account.password.short``, ``.long``, ``.name``, ``.common`` or ``.same``.
        """
        session = await self._sessions.find(id)
        check_new_password(new, session.name, old)
        await self._attempts.begin(session.name, address)
        user = await self._checked(session.name, old)
        await self._attempts.succeed(session.name, address)
        async with self._changing:
            user = await self._set_password(await self._user(user.name), new)
        await self._sessions.end(id)
        return await self._sessions.open(user)

    async def create(
        self,
        name: str,
        password: str,
        *,
        by: Principal,
        roles: tuple[str, ...],
        divisions: tuple[str, ...] = (),
        tenant: str = "",
        clearance: int = 1,
        language: Language = "zh-CN",
        display: str = "",
    ) -> Account:
        """Makes an account. One that a person makes for another starts with a password to be changed.

        Raises:
            BadInput: ``account.name``, ``account.password.*``, ``account.role``, ``account.grade``,
                ``division.unknown``.
            Forbidden: ``account.grant`` when it would get more than ``by`` has.
            Conflict: ``account.exists``.
        """
        plain = check_name(name)
        check_new_password(password, plain)
        user = User(plain, "", roles, divisions, tenant, clearance, language, display, by != SYSTEM)
        return await self._add(user, password, by)

    async def invite(
        self,
        name: str,
        *,
        by: Principal,
        roles: tuple[str, ...],
        divisions: tuple[str, ...] = (),
        tenant: str = "",
        clearance: int = 1,
        language: Language = "zh-CN",
        display: str = "",
    ) -> tuple[Account, str]:
        """Makes an account, and returns it with a one-time password that is shown this once.

        Raises:
            BadInput: ``account.name``, ``account.role``, ``account.grade``, ``division.unknown``.
            Forbidden: ``account.grant`` when it would get more than ``by`` has.
            Conflict: ``account.exists``.
        """
        plain, password = check_name(name), one_time_password()
        user = User(plain, "", roles, divisions, tenant, clearance, language, display, True, "fresh")
        return await self._add(user, password, by), password

    async def update(
        self,
        name: str,
        *,
        by: Principal,
        roles: tuple[str, ...] | None = None,
        divisions: tuple[str, ...] | None = None,
        clearance: int | None = None,
        language: Language | None = None,
        display: str | None = None,
        disabled: bool | None = None,
    ) -> Account:
        """Changes what is given; it holds for open sessions too.

        Raises:
            NotFound: ``account.unknown``.
            Forbidden: ``account.grant``.
            Conflict: ``account.self`` when somebody would take their own role or access.
        """
        given = {
            "roles": roles,
            "divisions": divisions,
            "clearance": clearance,
            "language": language,
            "display": display,
            "disabled": disabled,
        }
        async with self._changing:
            user = await self._within(name, by)
            changed = replace(user, **{key: value for key, value in given.items() if value is not None})
            check_grant(by, _granted(changed), self._roles)
            if _is(user, by) and (changed.disabled or changed.roles != user.roles):
                raise Conflict("account.self", name=user.name)
            await self._put(changed)
        return _shown(changed)

    async def reset_password(self, name: str, *, by: Principal) -> str:
        """Returns a one-time password for somebody who lost theirs, and ends their sessions.

        Raises:
            NotFound: ``account.unknown``.
            Forbidden: ``account.grant``.
        """
        async with self._changing:
            user = await self._within(name, by)
            password = one_time_password()
            await self._set_password(user, password, one_time=True)
        return password

    async def remove(self, name: str, *, by: Principal) -> None:
        """Removes an account and ends its sessions.

        Raises:
            NotFound: ``account.unknown``.
            Forbidden: ``account.grant``.
            Conflict: ``account.self``.
        """
        async with self._changing:
            user = await self._within(name, by)
            if _is(user, by):
                raise Conflict("account.self", name=user.name)
            await self._store.drop(USERS, "", user.name)
            self._sessions.forget()

    async def accounts(self, tenant: str | None = None, within: tuple[str, ...] = ()) -> list[Account]:
        """Returns the accounts (of one tenant, reaching no further than some divisions), ordered by name."""
        users = [msgspec.json.decode(body, type=User) for body in await self._store.all(USERS, "")]
        return [_shown(user) for user in users if _listed(_granted(user), tenant, within)]

    async def account(self, name: str, tenant: str | None = None, within: tuple[str, ...] = ()) -> Account:
        """Returns one of :meth:`accounts`. Raises ``NotFound("account.unknown")``."""
        user = await self._user(canonical(name))
        if not _listed(_granted(user), tenant, within):
            raise NotFound("account.unknown", name=user.name)
        return _shown(user)

    async def issue_token(
        self,
        name: str,
        kind: Literal["service", "device", "node"],
        *,
        by: Principal,
        roles: tuple[str, ...] = (),
        divisions: tuple[str, ...] = (),
        tenant: str = "",
        clearance: int = 1,
        days: int = _TOKEN_DAYS,
    ) -> tuple[str, Token]:
        """Returns a new token's text, which is shown this once, and what is kept of it.

        Without ``roles`` the token has the role of its kind.

        Raises:
            BadInput: ``account.name``, ``account.role``, ``account.grade``, ``division.unknown``.
            Forbidden: ``account.grant`` when it would get more than ``by`` has.
        """
        principal = Principal(
            f"{kind}:{check_name(name)}", kind, tenant, roles or (kind,), divisions, clearance
        )
        check_grant(by, principal, self._roles)
        return await self._tokens.issue(principal, self._clock() + days * _DAY, by.id)

    async def bearer(self, text: str) -> Principal:
        """Returns who a token stands for. Raises ``Unauthenticated`` ``token.wrong`` or ``token.expired``."""
        return await self._tokens.find(text)

    async def tokens(self, tenant: str | None = None, within: tuple[str, ...] = ()) -> list[Token]:
        """Returns what is kept of the tokens (of one tenant, reaching no further than some divisions)."""
        return [token for token in await self._tokens.all() if _listed(token.principal, tenant, within)]

    async def revoke_token(self, id: str, *, by: Principal) -> None:
        """Ends a token at once.

        Raises:
            NotFound: ``token.unknown``.
            Forbidden: ``account.grant`` when it reaches beyond ``by``.
        """
        check_grant(by, (await self._tokens.get(id)).principal, self._roles)
        await self._tokens.revoke(id)

    async def _add(self, user: User, password: str, by: Principal) -> Account:
        check_grant(by, _granted(user), self._roles)
        async with self._changing:
            if await self._find(user.name):
                raise Conflict("account.exists", name=user.name)
            user = replace(user, password=await self._passwords.hash(password), created_at=self._clock())
            await self._put(user)
        return _shown(user)

    async def _checked(self, name: str, password: str) -> User:
        user = await self._find(name)
        fits = await self._passwords.fits(password, user.password if user else None)
        if user is None or not fits or user.disabled:
            raise Unauthenticated("session.wrong")
        return user

    async def _after_sign_in(self, user: User, password: str) -> User:
        async with self._changing:
            # Two may come with the same one-time password at once: the second sees it used.
            fresh = await self._user(user.name)
            if fresh.password != user.password or fresh.one_time == "used":
                raise Unauthenticated("session.used")
            if fresh.one_time:
                fresh = replace(fresh, one_time="used")
            elif self._passwords.outdated(fresh.password):
                fresh = replace(fresh, password=await self._passwords.hash(password))
            await self._put(fresh)
        return fresh

    async def _set_password(self, user: User, password: str, *, one_time: bool = False) -> User:
        changed = replace(
            user,
            password=await self._passwords.hash(password),
            must_change=one_time,
            one_time="fresh" if one_time else "",
            generation=user.generation + 1,
        )
        await self._put(changed)
        return changed

    async def _put(self, user: User) -> None:
        await self._store.put(USERS, "", user.name, msgspec.json.encode(user))
        self._sessions.forget()

    async def _find(self, name: str) -> User | None:
        body = await self._store.get(USERS, "", name)
        return msgspec.json.decode(body, type=User) if body else None

    async def _user(self, name: str) -> User:
        user = await self._find(name)
        if user is None:
            raise NotFound("account.unknown", name=name)
        return user

    async def _within(self, name: str, by: Principal) -> User:
        user = await self._user(canonical(name))
        if by.tenant not in ("", user.tenant):
            # Another tenant's accounts are as if they were not.
            raise NotFound("account.unknown", name=user.name)
        check_grant(by, _granted(user), self._roles)
        return user


def _granted(user: User) -> Principal:
    return replace(user.principal, roles=user.roles)


def _listed(one: Principal, tenant: str | None, within: tuple[str, ...]) -> bool:
    return tenant in (None, one.tenant) and (not within or inside(within, one))


def _is(user: User, by: Principal) -> bool:
    return by.id == user.principal.id


def _shown(user: User) -> Account:
    return msgspec.convert(user, Account, from_attributes=True)

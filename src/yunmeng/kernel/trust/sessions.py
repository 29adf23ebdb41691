"""Sessions of people: a random id in a cookie, its hash at rest, and a token against forged requests."""

import hmac
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256

import msgspec

from yunmeng.kernel.base import Forbidden, Language, Unauthenticated
from yunmeng.kernel.trust.principal import Principal
from yunmeng.kernel.trust.records import SESSIONS, USERS, KeptSession, RecordStore, User

_ID_BYTES = 32
_LONGEST_ID = 64
_HOUR = 3_600_000_000
_SECOND = 1_000_000
# However often it is renewed, a session ends so many times its length after the sign-in.
_MOST_LENGTHS = 14
_CACHE_S = 1
_CACHED = 4096


@dataclass(frozen=True, slots=True)
class Session:
    """Somebody signed in; ``id`` goes into the cookie, ``csrf`` into every request that changes something.

    While ``must_change`` is true the principal has no role: only the password can be changed.
    """

    id: str
    csrf: str
    principal: Principal
    name: str
    display: str
    language: Language
    must_change: bool
    expires_at: int


class Sessions:
    """Opens, finds and ends sessions. What another process ends is noticed within a second."""

    def __init__(self, store: RecordStore, clock: Callable[[], int], hours: float) -> None:
        self._store = store
        self._clock = clock
        self._length = int(hours * _HOUR)
        self._cache: dict[str, tuple[int, Session]] = {}

    async def open(self, user: User, born_at: int | None = None) -> Session:
        """Starts a session; ``born_at`` is the sign-in that it continues."""
        now = self._clock()
        born = now if born_at is None else born_at
        expires = min(now + self._length, born + self._length * _MOST_LENGTHS)
        id_ = secrets.token_urlsafe(_ID_BYTES)
        kept = KeptSession(user.name, user.generation, born, expires)
        await self._store.put(SESSIONS, "", _digest(id_), msgspec.json.encode(kept))
        return _session(id_, user, expires)

    async def find(self, id_: str) -> Session:
        """Returns the session.

        Raises:
            Unauthenticated: ``session.expired`` when it is over, was ended, or never was.
        """
        now = self._clock()
        until, session = self._cache.get(id_, (0, None))
        if session and now < min(until, session.expires_at):
            return session
        kept, user = await self._kept(id_)
        session = _session(id_, user, kept.expires_at)
        if len(self._cache) >= _CACHED:
            self._cache.clear()
        self._cache[id_] = (now + _CACHE_S * _SECOND, session)
        return session

    async def renew(self, id_: str) -> Session:
        """Replaces a session by a fresh one under a new id.

        Raises:
            Unauthenticated: ``session.expired``.
        """
        kept, user = await self._kept(id_)
        session = await self.open(user, kept.born_at)
        await self.end(id_)
        return session

    async def end(self, id_: str) -> None:
        """Ends a session; one that is over already is no error."""
        self._cache.pop(id_, None)
        await self._store.drop(SESSIONS, "", _digest(id_))

    def forget(self) -> None:
        """Makes this process look again at who may be here, after an account changed."""
        self._cache.clear()

    async def _kept(self, id_: str) -> tuple[KeptSession, User]:
        body = await self._store.get(SESSIONS, "", _digest(id_)) if len(id_) <= _LONGEST_ID else None
        if body is None:
            raise Unauthenticated("session.expired")
        kept = msgspec.json.decode(body, type=KeptSession)
        found = await self._store.get(USERS, "", kept.user)
        user = msgspec.json.decode(found, type=User) if found else None
        if (
            user
            and not user.disabled
            and user.generation == kept.generation
            and kept.expires_at > self._clock()
        ):
            return kept, user
        await self.end(id_)
        raise Unauthenticated("session.expired")


def csrf_token(id_: str) -> str:
    """Returns the token that goes with a session; it says nothing about the session's id."""
    return hmac.new(id_.encode(), b"yunmeng csrf", sha256).hexdigest()


def check_csrf(id_: str, token: str) -> None:
    """Accepts the token of the session, compared in constant time.

    Raises:
        Forbidden: ``session.csrf``.
    """
    if not hmac.compare_digest(csrf_token(id_).encode(), token.encode("utf-8", "replace")):
        raise Forbidden("session.csrf")


def _session(id_: str, user: User, expires: int) -> Session:
    return Session(
        id=id_,
        csrf=csrf_token(id_),
        principal=user.principal,
        name=user.name,
        display=user.display or user.name,
        language=user.language,
        must_change=user.must_change,
        expires_at=expires,
    )


def _digest(id_: str) -> str:
    return sha256(id_.encode("utf-8", "replace")).hexdigest()

"""What trust keeps in the node's records: accounts, sessions, tokens and failed attempts."""

from collections.abc import Sequence
from typing import Literal, Protocol

import msgspec

from yunmeng.kernel.base import Language
from yunmeng.kernel.trust.principal import Principal

USERS = "trust.user"
SESSIONS = "trust.session"
TOKENS = "trust.token"
ATTEMPTS = "trust.attempt"


class RecordStore(Protocol):
    """Small records by kind, tenant and id; a write returns when it is durable and seen by reads."""

    async def get(self, kind: str, tenant: str, id: str) -> bytes | None:
        """Returns a record, or None."""
        ...

    async def put(self, kind: str, tenant: str, id: str, body: bytes) -> None:
        """Stores a record, over an older one."""
        ...

    async def drop(self, kind: str, tenant: str, id: str) -> None:
        """Removes a record; one that is absent is no error."""
        ...

    async def all(self, kind: str, tenant: str) -> Sequence[bytes]:
        """Returns every record of a kind, ordered by id."""
        ...


class User(msgspec.Struct, frozen=True, omit_defaults=True):
    """A person's account; times are microseconds since 1970 UTC.

    ``generation`` grows when the password changes or the account is reset, which ends every session.
    ``one_time`` is ``fresh`` while the password may be used for one sign-in, then ``used``.
    """

    name: str
    password: str
    roles: tuple[str, ...] = ()
    divisions: tuple[str, ...] = ()
    tenant: str = ""
    clearance: int = 1
    language: Language = "zh-CN"
    display: str = ""
    must_change: bool = False
    one_time: Literal["", "fresh", "used"] = ""
    disabled: bool = False
    generation: int = 0
    created_at: int = 0

    @property
    def principal(self) -> Principal:
        """Who acts; before the password is changed, somebody without any role."""
        return Principal(
            id=f"person:{self.name}",
            tenant=self.tenant,
            roles=() if self.must_change else self.roles,
            divisions=self.divisions,
            clearance=self.clearance,
        )


class KeptSession(msgspec.Struct, frozen=True):
    """A session at rest: its id is kept only as a hash, which is the record's id."""

    user: str
    generation: int
    born_at: int
    expires_at: int


class Token(msgspec.Struct, frozen=True, omit_defaults=True):
    """A token of a service, device or node; its text is kept only as a hash."""

    id: str
    name: str
    hash: str
    principal: Principal
    expires_at: int
    created_at: int = 0
    created_by: str = ""


class KeptAttempts(msgspec.Struct):
    """Failed sign-ins of a name or an address, and until when it is locked."""

    failures: int = 0
    last_at: int = 0
    locked_until: int = 0

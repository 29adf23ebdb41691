"""Tokens of services, devices and nodes: long random texts that stand for a principal."""

import hmac
import secrets
from collections.abc import Callable
from hashlib import sha256

import msgspec

from yunmeng.kernel.base import NotFound, Unauthenticated
from yunmeng.kernel.trust.principal import Principal
from yunmeng.kernel.trust.records import TOKENS, RecordStore, Token

PREFIX = "ym_"

_TEXT_BYTES = 32
_LONGEST_TEXT = 64
_ID_DIGITS = 16


class Tokens:
    """Issues, finds and revokes tokens; the text is shown once and kept only as a hash."""

    def __init__(self, store: RecordStore, clock: Callable[[], int]) -> None:
        self._store = store
        self._clock = clock

    async def issue(self, principal: Principal, expires_at: int, by: str) -> tuple[str, Token]:
        """Returns a new token's text and what is kept of it."""
        text = PREFIX + secrets.token_urlsafe(_TEXT_BYTES)
        hash_ = _digest(text)
        name = principal.id.partition(":")[2]
        token = Token(hash_[:_ID_DIGITS], name, hash_, principal, expires_at, self._clock(), by)
        await self._store.put(TOKENS, "", token.id, msgspec.json.encode(token))
        return text, token

    async def find(self, text: str) -> Principal:
        """Returns who a token stands for.

        Raises:
            Unauthenticated: ``token.wrong`` when there is none or it was revoked, ``token.expired``.
        """
        hash_ = _digest(text) if len(text) <= _LONGEST_TEXT else ""
        body = (
            await self._store.get(TOKENS, "", hash_[:_ID_DIGITS])
            if text.startswith(PREFIX) and hash_
            else None
        )
        token = msgspec.json.decode(body, type=Token) if body else None
        if token is None or not hmac.compare_digest(token.hash, hash_):
            raise Unauthenticated("token.wrong")
        if token.expires_at <= self._clock():
            raise Unauthenticated("token.expired", name=token.name)
        return token.principal

    async def get(self, id_: str) -> Token:
        """Returns what is kept of a token.

        Raises:
            NotFound: ``token.unknown``.
        """
        body = await self._store.get(TOKENS, "", id_)
        if body is None:
            raise NotFound("token.unknown", id=id_)
        return msgspec.json.decode(body, type=Token)

    async def all(self) -> list[Token]:
        """Returns what is kept of every token."""
        return [msgspec.json.decode(body, type=Token) for body in await self._store.all(TOKENS, "")]

    async def revoke(self, id_: str) -> None:
        """Ends a token at once."""
        await self._store.drop(TOKENS, "", id_)


def _digest(text: str) -> str:
    return sha256(text.encode("utf-8", "replace")).hexdigest()

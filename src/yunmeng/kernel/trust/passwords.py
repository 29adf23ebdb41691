"""Passwords: kept as scrypt, compared in constant time, refused when easily guessed."""

import asyncio
import hmac
import os
import secrets
import unicodedata
from base64 import b64decode, b64encode
from dataclasses import dataclass
from hashlib import scrypt
from pathlib import Path

from yunmeng.kernel.base import BadInput, Unavailable

SHORTEST = 12
LONGEST = 256

_SALT_BYTES = 16
_HASH_BYTES = 32
_FEWEST_LETTERS = 5
_FEWEST_BESIDE_NAME = 8
_MOST_WAITING = 32
_AT_ONCE = 2
_ALPHABET = "abcdefghjkmnpqrstuvwxyz23456789"
_RUNS = (
    "abcdefghijklmnopqrstuvwxyz",
    "01234567890123456789",
    "qwertyuiopasdfghjklzxcvbnm",
    "1qaz2wsx3edc4rfv",
)
# What is left of common passwords once digits and signs are taken away.
_COMMON = frozenset((Path(__file__).parent / "common_passwords.txt").read_text(encoding="utf-8").split())


@dataclass(frozen=True, slots=True)
class Cost:
    """What one guess costs: scrypt's n, r and p (128 n r bytes of memory)."""

    n: int = 2**15
    r: int = 8
    p: int = 3


class Passwords:
    """Hashes and checks passwords off the event loop, two at a time so that guessing cannot fill memory."""

    def __init__(self, cost: Cost | None = None) -> None:
        self._cost = cost or Cost()
        self._slots = asyncio.Semaphore(_AT_ONCE)
        self._waiting = 0
        # Checked when there is no such account, so that the answer takes as long.
        self._nobody = _encode(self._cost, os.urandom(_SALT_BYTES), os.urandom(_HASH_BYTES))

    async def hash(self, password: str) -> str:
        """Returns what is kept of a password: the cost, a salt and the hash."""
        salt = os.urandom(_SALT_BYTES)
        return _encode(self._cost, salt, await self._derive(password, self._cost, salt))

    async def fits(self, password: str, kept: str | None) -> bool:
        """Returns whether a password is the one kept; takes as long when there is none.

        Raises:
            Unavailable: ``session.busy`` when too many wait to be checked.
        """
        cost, salt, hash_ = _decode(kept or self._nobody)
        found = await self._derive(password, cost, salt)
        return hmac.compare_digest(found, hash_) and kept is not None

    def outdated(self, kept: str) -> bool:
        """Returns whether a kept password was hashed at another cost."""
        return _decode(kept)[0] != self._cost

    async def _derive(self, password: str, cost: Cost, salt: bytes) -> bytes:
        if self._waiting >= _MOST_WAITING:
            raise Unavailable("session.busy")
        self._waiting += 1
        try:
            async with self._slots:
                return await asyncio.to_thread(_scrypt, password, cost, salt)
        finally:
            self._waiting -= 1


def check_new_password(password: str, name: str, old: str = "") -> None:
    """Accepts a password that is long enough and not easily guessed.

    Raises:
        BadInput: ``account.password.short``, ``.long``, ``.same`` (as ``old``), ``.name`` or ``.common``.
    """
    plain = _normal(password)
    if len(plain) < SHORTEST:
        raise BadInput("account.password.short", least=SHORTEST)
    if len(plain) > LONGEST:
        raise BadInput("account.password.long", most=LONGEST)
    folded = plain.casefold()
    if plain == _normal(old):
        raise BadInput("account.password.same")
    if len(folded.replace(name.casefold(), "") if name else folded) < _FEWEST_BESIDE_NAME:
        raise BadInput("account.password.name")
    if _guessable(folded):
        raise BadInput("account.password.common")


def one_time_password() -> str:
    """Returns a random password that can be read aloud: four groups of five, 99 bits."""
    return "-".join("".join(secrets.choice(_ALPHABET) for _ in range(5)) for _ in range(4))


def _guessable(folded: str) -> bool:
    stem = "".join(letter for letter in folded if letter.isalpha())
    half = len(folded) // 2
    return (
        len(set(folded)) < _FEWEST_LETTERS
        or stem in _COMMON
        or any(stem == word * (len(stem) // len(word)) for word in _COMMON)
        or any(folded in run * 2 or folded[::-1] in run * 2 for run in _RUNS)
        or any(folded == folded[:size] * (len(folded) // size) for size in range(1, half + 1))
    )


def _scrypt(password: str, cost: Cost, salt: bytes) -> bytes:
    memory = 256 * cost.n * cost.r
    text = _normal(password[: LONGEST * 4]).encode("utf-8", "surrogatepass")
    return scrypt(text, salt=salt, n=cost.n, r=cost.r, p=cost.p, maxmem=memory, dklen=_HASH_BYTES)


def _normal(password: str) -> str:
    # The same character may arrive composed or not, half or full width, from different keyboards.
    return unicodedata.normalize("NFKC", password)


def _encode(cost: Cost, salt: bytes, hash_: bytes) -> str:
    numbers = f"{cost.n},{cost.r},{cost.p}"
    return "$".join(("scrypt", numbers, b64encode(salt).decode(), b64encode(hash_).decode()))


def _decode(kept: str) -> tuple[Cost, bytes, bytes]:
    _, cost, salt, hash_ = kept.split("$")
    return Cost(*map(int, cost.split(","))), b64decode(salt), b64decode(hash_)

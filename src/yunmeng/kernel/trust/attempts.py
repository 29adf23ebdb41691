"""Guessing is slowed down: by the name that is tried and by the address it comes from."""

from collections import OrderedDict
from collections.abc import Callable
from hashlib import sha256
from ipaddress import IPv6Address, ip_address

import msgspec

from yunmeng.kernel.base import Unauthenticated
from yunmeng.kernel.trust.records import ATTEMPTS, KeptAttempts, RecordStore

TRIES_OF_A_NAME = 5
TRIES_OF_AN_ADDRESS = 30

_SECOND = 1_000_000
_FIRST_LOCK_S = 60
_LONGEST_LOCK_S = 900
_FORGET_S = 3600
_REMEMBERED = 10_000


class Attempts:
    """Counts before the password is looked at, so that many tries at once gain nothing.

    Names that exist and names that do not are treated alike. Locks are kept in the records and outlive a
    restart; the longest is 15 minutes, so that nobody can lock a person out for good.
    """

    def __init__(self, store: RecordStore, clock: Callable[[], int]) -> None:
        self._store = store
        self._clock = clock
        self._known: OrderedDict[str, KeptAttempts] = OrderedDict()

    async def begin(self, name: str, address: str) -> None:
        """Counts one try.

        Raises:
            Unauthenticated: ``session.locked`` with the seconds to wait.
        """
        limits = _limits(name, address)
        kept = {key: await self._load(key) for key in limits}
        now = self._clock()
        wait = max((each.locked_until for each in kept.values()), default=now) - now
        if wait > 0:
            raise Unauthenticated("session.locked", seconds=-(-wait // _SECOND))
        for key, each in kept.items():
            self._count(each, limits[key], now)
        for key, each in kept.items():
            if each.locked_until > now:
                await self._store.put(ATTEMPTS, "", key, msgspec.json.encode(each))

    async def succeed(self, name: str, address: str) -> None:
        """Forgets the failures of the name; the address only gets this one try back."""
        for key in _limits(name, ""):
            kept = self._known.pop(key, None)
            if kept and kept.failures >= TRIES_OF_A_NAME:
                await self._store.drop(ATTEMPTS, "", key)
        for key, limit in _limits("", address).items():
            await self._give_back(key, limit)

    async def _give_back(self, key: str, limit: int) -> None:
        kept = await self._load(key)
        kept.failures = max(kept.failures - 1, 0)
        if kept.locked_until and kept.failures < limit:
            # It was this very try that had locked the address.
            kept.locked_until = 0
            await self._store.drop(ATTEMPTS, "", key)

    def _count(self, kept: KeptAttempts, limit: int, now: int) -> None:
        if now - max(kept.last_at, kept.locked_until) > _FORGET_S * _SECOND:
            kept.failures = 0
        kept.failures += 1
        kept.last_at = now
        if kept.failures >= limit:
            pause = min(_FIRST_LOCK_S << min(kept.failures - limit, 8), _LONGEST_LOCK_S)
            kept.locked_until = now + pause * _SECOND

    async def _load(self, key: str) -> KeptAttempts:
        if key not in self._known:
            body = await self._store.get(ATTEMPTS, "", key)
            found = msgspec.json.decode(body, type=KeptAttempts) if body else KeptAttempts()
            self._known.setdefault(key, found)
        self._known.move_to_end(key)
        if len(self._known) > _REMEMBERED:
            self._known.popitem(last=False)
        return self._known[key]


def _limits(name: str, address: str) -> dict[str, int]:
    keys = {f"name:{name}": TRIES_OF_A_NAME} if name else {}
    network = _network(address)
    if network:
        keys[f"address:{network}"] = TRIES_OF_AN_ADDRESS
    return {
        sha256(key.encode("utf-8", "surrogatepass")).hexdigest()[:32]: limit for key, limit in keys.items()
    }


def _network(address: str) -> str:
    """Returns the address, or the /64 that one IPv6 customer gets whole; nothing for this machine itself.

    Behind a proxy on the same machine everybody has its address, and one guesser must not lock them all out.
    """
    try:
        parsed = ip_address(address)
    except ValueError:
        return address
    if isinstance(parsed, IPv6Address) and parsed.ipv4_mapped:
        parsed = parsed.ipv4_mapped
    if parsed.is_loopback:
        return ""
    return parsed.exploded[:19] if isinstance(parsed, IPv6Address) else str(parsed)

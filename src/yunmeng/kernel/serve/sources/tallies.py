"""How sources fare: what registrations tell of the requests that they caused (ETSI GS CIM 009 §5.2.9)."""

from collections import defaultdict
from typing import Any

import msgspec

from yunmeng.kernel.base import format_us, now_us
from yunmeng.kernel.serve.siblings import Siblings

_ABSENT = 404
_SHOW, _FORGET = "tallies", "tallies-forget"
_encode = msgspec.msgpack.encode
_registration = msgspec.msgpack.Decoder(tuple[str, str]).decode


class Tally(msgspec.Struct):
    """The requests to one source; times are microseconds UTC, 0 for never."""

    sent: int = 0
    failed: int = 0
    success_us: int = 0
    failure_us: int = 0

    def joined(self, other: "Tally") -> "Tally":
        """Returns the requests of two processes as one."""
        return Tally(
            self.sent + other.sent,
            self.failed + other.failed,
            max(self.success_us, other.success_us),
            max(self.failure_us, other.failure_us),
        )

    def members(self) -> dict[str, Any]:
        """Returns the members that tell of it, none before the first request."""
        if not self.sent:
            return {}
        found: dict[str, Any] = {
            "status": "failed" if self.failure_us > self.success_us else "ok",
            "timesSent": self.sent,
            "timesFailed": self.failed,
        }
        times = {"lastSuccess": self.success_us, "lastFailure": self.failure_us}
        return found | {name: format_us(at) for name, at in times.items() if at}


_tally = msgspec.msgpack.Decoder(Tally).decode


class Tallies:
    """Counts by registration (tenant, id) since the api processes started."""

    def __init__(self, siblings: Siblings) -> None:
        self._by_id: defaultdict[tuple[str, str], Tally] = defaultdict(Tally)
        self._siblings = siblings
        siblings.tell(_SHOW, self._tell)
        siblings.tell(_FORGET, self._told_to_forget)

    def count(self, tenant: str, id_: str, status: int) -> None:
        """Counts a request; ``status`` is 0 without an answer. That a source has nothing is no failure."""
        tally = self._by_id[tenant, id_]
        tally.sent += 1
        if 200 <= status < 400 or status == _ABSENT:
            tally.success_us = now_us()
        else:
            tally.failed += 1
            tally.failure_us = now_us()

    async def forget(self, tenant: str, id_: str) -> None:
        """Forgets a registration that is gone."""
        self._by_id.pop((tenant, id_), None)
        await self._siblings.ask(_FORGET, _encode((tenant, id_)))

    async def of(self, tenant: str, id_: str) -> Tally:
        """Returns the requests that all api processes made for a registration."""
        found = self._by_id.get((tenant, id_), Tally())
        for told in await self._siblings.ask(_SHOW, _encode((tenant, id_))):
            found = found.joined(_tally(told))
        return found

    async def _tell(self, data: bytes) -> bytes:
        return _encode(self._by_id.get(_registration(data), Tally()))

    async def _told_to_forget(self, data: bytes) -> bytes:
        self._by_id.pop(_registration(data), None)
        return b""

"""How sources fare: what registrations tell of the requests that they caused (ETSI GS CIM 009 §5.2.9)."""

from collections import defaultdict
from dataclasses import dataclass
from typing import Any

from yunmeng.kernel.base import format_us, now_us

_ABSENT = 404


@dataclass(slots=True)
class Tally:
    """The requests to one source; times are microseconds UTC, 0 for never."""

    sent: int = 0
    failed: int = 0
    success_us: int = 0
    failure_us: int = 0


class Tallies:
    """Counts by registration, of one process since it started."""

    def __init__(self) -> None:
        self._by_id: defaultdict[tuple[str, str], Tally] = defaultdict(Tally)

    def count(self, tenant: str, id_: str, status: int) -> None:
        """Counts a request; ``status`` is 0 without an answer. That a source has nothing is no failure."""
        tally = self._by_id[tenant, id_]
        tally.sent += 1
        if 200 <= status < 400 or status == _ABSENT:
            tally.success_us = now_us()
        else:
            tally.failed += 1
            tally.failure_us = now_us()

    def forget(self, tenant: str, id_: str) -> None:
        """Forgets a registration that is gone."""
        self._by_id.pop((tenant, id_), None)

    def shown(self, tenant: str, id_: str) -> dict[str, Any]:
        """Returns the members that tell of it, none before the first request."""
        tally = self._by_id.get((tenant, id_))
        if tally is None:
            return {}
        found: dict[str, Any] = {
            "status": "failed" if tally.failure_us > tally.success_us else "ok",
            "timesSent": tally.sent,
            "timesFailed": tally.failed,
        }
        times = {"lastSuccess": tally.success_us, "lastFailure": tally.failure_us}
        return found | {name: format_us(at) for name, at in times.items() if at}

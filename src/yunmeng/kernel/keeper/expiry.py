"""Which entities have something that expires, and when: known across restarts, asked twice a second."""

from heapq import heappop, heappush

import msgspec

from yunmeng.kernel.store import Commit, Record, StateReader

KIND = "expiry"


class Expiries:
    """The moments at which entities expire; each is a record of the state, stored with its entity."""

    def __init__(self) -> None:
        self._moments: dict[tuple[str, str], int] = {}
        self._heap: list[tuple[int, str, str]] = []

    async def load(self, state: StateReader) -> None:
        """Reads what an earlier run stored."""
        for record in await state.records(KIND):
            self._set(record.tenant, record.id, msgspec.json.decode(record.body, type=int))

    def note(self, commit: Commit, tenant: str, id: str, moment: int, at: int) -> None:
        """Adds to the commit when something of a written entity ends, 0 for never."""
        if moment == self._moments.get((tenant, id), 0):
            return
        if moment:
            commit.records.append(Record(KIND, tenant, id, msgspec.json.encode(moment), at))
            self._set(tenant, id, moment)
        else:
            commit.drop_records.append((KIND, tenant, id))
            del self._moments[tenant, id]

    def _set(self, tenant: str, id: str, moment: int) -> None:
        self._moments[tenant, id] = moment
        heappush(self._heap, (moment, tenant, id))

    def due(self, now: int, most: int = 500) -> list[tuple[str, str]]:
        """Returns tenant and id of what has expired; each is named until a write of it is noted."""
        found: list[tuple[str, str]] = []
        while self._heap and self._heap[0][0] <= now and len(found) < most:
            moment, tenant, id = heappop(self._heap)
            if self._moments.get((tenant, id)) == moment:
                found.append((tenant, id))
        return found

    def later(self, tenant: str, id: str) -> None:
        """Puts back what could not be carried out."""
        moment = self._moments.get((tenant, id))
        if moment is not None:
            heappush(self._heap, (moment, tenant, id))

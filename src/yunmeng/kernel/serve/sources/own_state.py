"""What every reader that looks beyond this node answers from this node alone."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from yunmeng.kernel.store import Record, StateReader, Summary
from yunmeng.kernel.trust import Reach


@dataclass(frozen=True, slots=True)
class OwnState:
    """The state of this node; what looks further overrides ``get``, ``query`` and what else it can."""

    local: StateReader

    async def types(self, reach: Reach) -> Mapping[str, int]:
        """Returns how many entities of each type this node has."""
        return await self.local.types(reach)

    async def last(self, reach: Reach, entity: str, attribute: str) -> tuple[int, float | str | None] | None:
        """Returns the last telemetry value of this node."""
        return await self.local.last(reach, entity, attribute)

    async def summary(
        self, reach: Reach, type: str, attribute: str, method: Summary, digits: int = 6
    ) -> Mapping[str, tuple[int, float | None]]:
        """Returns the summary over this node."""
        return await self.local.summary(reach, type, attribute, method, digits)

    async def record(self, kind: str, tenant: str, id: str) -> Record | None:
        """Returns one record of this node."""
        return await self.local.record(kind, tenant, id)

    async def records(self, kind: str, tenant: str | None = None) -> Sequence[Record]:
        """Returns the records of a kind on this node."""
        return await self.local.records(kind, tenant)

    async def close(self) -> None:
        """Leaves this node's reader open: it is not this request's alone."""

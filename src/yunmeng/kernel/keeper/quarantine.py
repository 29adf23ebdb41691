"""The limit of the quarantine: when it is full, the oldest makes room, and is counted."""

import logging
from itertools import islice

import msgspec

from yunmeng.kernel.base import format_us
from yunmeng.kernel.keeper.emitter import RecordNote
from yunmeng.kernel.keeper.intake import QUARANTINE
from yunmeng.kernel.store import Commit, Record, StateReader, StateWriter

_LOSS = ("keeper", "", "quarantine-loss")
# a limit that was lowered far is reached by and by
_AT_ONCE = 10_000
_log = logging.getLogger("yunmeng.keeper")


class QuarantineLoss(msgspec.Struct, frozen=True):
    """How many have ever made room in the quarantine, and when the last of them did (ISO 8601)."""

    count: int = 0
    last: str = ""


async def quarantine_loss(state: StateReader) -> QuarantineLoss:
    """Returns what was dropped because the quarantine was full."""
    record = await state.record(*_LOSS)
    return msgspec.json.decode(record.body, type=QuarantineLoss) if record else QuarantineLoss()


class QuarantineLimit:
    """Keeps at most ``most`` records in quarantine, of all tenants together."""

    def __init__(self, state: StateWriter, most: int) -> None:
        self._state = state
        self._most = most
        self._held: dict[tuple[str, str], None] | None = None
        self._loss = QuarantineLoss()
        self._full = False

    async def hold(self, commit: Commit, at: int) -> list[RecordNote]:
        """Drops the oldest in the same commit that adds too many; returns a note of each."""
        added = [(each.tenant, each.id) for each in commit.records if each.kind == QUARANTINE]
        if self._held is None and not added:
            return []
        held = await self._known()
        held.update(dict.fromkeys(added))
        for kind, tenant, id in commit.drop_records:
            if kind == QUARANTINE:
                held.pop((tenant, id), None)
        return self._make_room(held, commit, at)

    def forget(self) -> None:
        """Looks again what lies there, after a commit that failed."""
        self._held = None

    async def _known(self) -> dict[tuple[str, str], None]:
        """Returns what lies there, oldest first; on a node without trouble nothing is ever read."""
        if self._held is None:
            self._held = dict.fromkeys(await self._state.record_keys(QUARANTINE))
            self._loss = await quarantine_loss(self._state)
        return self._held

    def _make_room(self, held: dict[tuple[str, str], None], commit: Commit, at: int) -> list[RecordNote]:
        oldest = list(islice(held, min(max(len(held) - self._most, 0), _AT_ONCE)))
        for key in oldest:
            del held[key]
            commit.drop_records.append((QUARANTINE, *key))
        if oldest:
            self._count(len(oldest), commit, at)
        return [RecordNote(QUARANTINE, *key, dropped=True) for key in oldest]

    def _count(self, more: int, commit: Commit, at: int) -> None:
        self._loss = QuarantineLoss(self._loss.count + more, format_us(at))
        commit.records.append(Record(*_LOSS, msgspec.json.encode(self._loss), at))
        if not self._full:
            _log.warning("the quarantine holds %d and is full: the oldest make room", self._most)
        self._full = True

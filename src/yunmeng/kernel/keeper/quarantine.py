"""The limit of the quarantine: when it is full, the oldest makes room, and is counted."""

import logging

import msgspec

from yunmeng.kernel.base import KeeperSettings, format_us
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
    """Keeps only so many records, and so many bytes, in quarantine, of all tenants together."""

    def __init__(self, state: StateWriter, settings: KeeperSettings) -> None:
        self._state = state
        self._most = settings.max_quarantined
        self._most_bytes = settings.max_quarantined_bytes
        self._held: dict[tuple[str, str], int] | None = None
        self._bytes = 0
        self._loss = QuarantineLoss()
        self._full = False

    async def hold(self, commit: Commit, at: int) -> list[RecordNote]:
        """Drops the oldest in the same commit that adds too many; returns a note of each."""
        added = {(each.tenant, each.id): len(each.body) for each in commit.records if each.kind == QUARANTINE}
        if self._held is None and not added:
            return []
        held = await self._known()
        self._bytes += sum(size - held.get(key, 0) for key, size in added.items())
        held.update(added)
        for kind, tenant, id in commit.drop_records:
            if kind == QUARANTINE:
                self._bytes -= held.pop((tenant, id), 0)
        return self._make_room(held, commit, at)

    def forget(self) -> None:
        """Looks again what lies there, after a commit that failed."""
        self._held = None

    async def _known(self) -> dict[tuple[str, str], int]:
        """Returns what lies there, oldest first; on a node without trouble nothing is ever read."""
        if self._held is None:
            self._held = dict(await self._state.record_sizes(QUARANTINE))
            self._bytes = sum(self._held.values())
            self._loss = await quarantine_loss(self._state)
        return self._held

    def _make_room(self, held: dict[tuple[str, str], int], commit: Commit, at: int) -> list[RecordNote]:
        oldest: list[tuple[str, str]] = []
        while self._is_over(held) and len(oldest) < _AT_ONCE:
            key = next(iter(held))
            self._bytes -= held.pop(key)
            oldest.append(key)
            commit.drop_records.append((QUARANTINE, *key))
        if oldest:
            self._count(len(oldest), commit, at)
        return [RecordNote(QUARANTINE, *key, dropped=True) for key in oldest]

    def _is_over(self, held: dict[tuple[str, str], int]) -> bool:
        return len(held) > self._most or self._bytes > self._most_bytes

    def _count(self, more: int, commit: Commit, at: int) -> None:
        self._loss = QuarantineLoss(self._loss.count + more, format_us(at))
        commit.records.append(Record(*_LOSS, msgspec.json.encode(self._loss), at))
        if not self._full:
            most = (self._most, self._most_bytes)
            _log.warning("the quarantine holds %d, or %d bytes, and is full: the oldest make room", *most)
        self._full = True

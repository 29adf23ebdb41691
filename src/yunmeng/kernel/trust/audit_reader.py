"""Reading an audit log: its events, its checkpoint, its proofs."""

from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import msgspec

from yunmeng.kernel.base import BadInput, Broken
from yunmeng.kernel.trust.merkle import consistency_path, inclusion_path
from yunmeng.kernel.trust.tiles import CHECKPOINT, TILE_WIDTH, TileReader, TreeReader, bundle_of


class AuditEvent(msgspec.Struct, frozen=True, omit_defaults=True):
    """One thing that somebody did or was refused; ``at`` is microseconds since 1970 UTC.

    ``facts`` are what the action was about, in words that later readers need; never secrets.
    """

    at: int
    principal: str
    action: str
    resource: str
    decision: Literal["allow", "refuse"]
    tenant: str = ""
    reasons: tuple[str, ...] = ()
    facts: dict[str, str] = {}
    request: str = ""


class AuditReader:
    """Reads a log and gives proofs, beside the one writer."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._tiles = TileReader(folder)

    def note(self) -> str:
        """Returns the signed checkpoint as it stands; keep it to prove later that nothing was rolled back.

        Raises:
            Broken: ``audit.missing``.
        """
        try:
            return (self._folder / CHECKPOINT).read_bytes().decode()
        except (OSError, UnicodeDecodeError) as cause:
            raise Broken("audit.missing", file=CHECKPOINT) from cause

    @property
    def size(self) -> int:
        """How many entries the log holds, by its own account (``verify`` checks the signature)."""
        lines = self.note().split("\n")
        if len(lines) < 2 or not lines[1].isdigit():
            raise Broken("audit.damaged", file=CHECKPOINT)
        return int(lines[1])

    def entry(self, index: int) -> bytes:
        """Returns one entry as stored, the bytes that its leaf hash covers.

        Raises:
            BadInput: ``audit.index`` beyond the log.
        """
        size = _within(index, self.size)
        return self._tiles.entries(bundle_of(index, size))[index % TILE_WIDTH]

    def events(self, start: int = 0, end: int | None = None) -> Iterator[AuditEvent]:
        """Yields the events ``[start, end)``, oldest first."""
        size = self.size
        stop = size if end is None else min(end, size)
        while start < stop:
            bundle = bundle_of(start, size)
            for entry in self._tiles.entries(bundle)[start % TILE_WIDTH : stop - bundle.number * TILE_WIDTH]:
                yield msgspec.json.decode(entry, type=AuditEvent)
                start += 1

    def inclusion_proof(self, index: int, size: int | None = None) -> list[bytes]:
        """Returns the path from entry ``index`` to the root of the log when it had ``size`` entries.

        Raises:
            BadInput: ``audit.index`` beyond the log.
        """
        size = self._size(size)
        return inclusion_path(index, _within(index, size), TreeReader(self._tiles, size).range)

    def consistency_proof(self, old: int, size: int | None = None) -> list[bytes]:
        """Returns the proof that the log of ``old`` entries begins the log of ``size``.

        Raises:
            BadInput: ``audit.index`` beyond the log.
        """
        size = self._size(size)
        if not 0 <= old <= size:
            raise BadInput("audit.index", index=old, size=size)
        return consistency_path(old, size, TreeReader(self._tiles, size).range)

    def root(self, size: int | None = None) -> bytes:
        """Returns the root of the log when it had ``size`` entries."""
        return TreeReader(self._tiles, self._size(size)).root()

    def _size(self, asked: int | None) -> int:
        size = self.size
        if asked is not None and not 0 <= asked <= size:
            raise BadInput("audit.index", index=asked, size=size)
        return size if asked is None else asked


def _within(index: int, size: int) -> int:
    if not 0 <= index < size:
        raise BadInput("audit.index", index=index, size=size)
    return size

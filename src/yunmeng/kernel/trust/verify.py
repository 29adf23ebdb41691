"""What an outsider runs: is this copy of the log whole, signed, and a continuation of the one seen before?"""

from dataclasses import dataclass
from itertools import repeat
from pathlib import Path

from yunmeng.kernel.base import Broken
from yunmeng.kernel.trust.audit_reader import AuditReader
from yunmeng.kernel.trust.checkpoint import Checkpoint, Verifier
from yunmeng.kernel.trust.merkle import Frontier, leaf_hash, tree_root
from yunmeng.kernel.trust.tiles import (
    CHECKPOINT,
    TILE_BITS,
    TILE_WIDTH,
    Tile,
    TileReader,
    count_at,
    split_bundle,
    split_hashes,
    tiles_of,
)

_TRIES = 5


@dataclass(frozen=True, slots=True)
class Fault:
    """Something wrong: a key of the words tables, the file, and the first entry that it puts in doubt."""

    key: str
    file: str
    entry: int | None = None


@dataclass(frozen=True, slots=True)
class Report:
    """What verification found; ``ok`` when there is no fault.

    ``tail`` counts files of an append that was under way or cut short; no promise covers them.
    """

    size: int
    root: bytes
    faults: tuple[Fault, ...]
    tail: int = 0

    @property
    def ok(self) -> bool:
        """Whether the log is what its node signed."""
        return not self.faults

    @property
    def first_bad(self) -> int | None:
        """The first entry in doubt, or None when none can be named."""
        return min((fault.entry for fault in self.faults if fault.entry is not None), default=None)


def verify(folder: Path, verifier_key: str, since: str = "") -> Report:
    """Checks every entry, tile and the signature; needs nothing but the folder and the verifier key.

    ``since`` is a signed checkpoint kept from before (or from elsewhere): the log must continue it.

    Raises:
        Broken: ``audit.verifier`` when the key is none.
    """
    verifier = Verifier.parse(verifier_key)
    note, tries = _note(folder), 1
    report = _Verification(folder, verifier, since).run(note)
    # A writer may replace files under the reader: what counts is a checkpoint that stood still meanwhile.
    while not report.ok and tries < _TRIES and _note(folder) != note:
        note, tries = _note(folder), tries + 1
        report = _Verification(folder, verifier, since).run(note)
    return report


class _Verification:
    def __init__(self, folder: Path, verifier: Verifier, since: str) -> None:
        self._tiles = TileReader(folder)
        self._verifier = verifier
        self._since = since
        self._faults: list[Fault] = []
        self._frontier = Frontier()
        self._old: Checkpoint | None = None
        self._old_root = b""

    def run(self, note: str) -> Report:
        checkpoint = self._verifier.checkpoint(note)
        if checkpoint is None:
            return Report(0, b"", (Fault("audit.signature", CHECKPOINT),))
        size = checkpoint.size
        self._recall(size)
        roots = [self._bundle(tile) for tile in tiles_of(size) if tile.level < 0]
        if not self._faults:
            self._tree([root for root in roots if root], size)
        if not self._faults and self._frontier.root() != checkpoint.root:
            self._fault("audit.root", CHECKPOINT)
        if not self._faults and self._old and self._old_root != self._old.root:
            self._fault("audit.forked", CHECKPOINT)
        tail = sum(map(self._beyond, self._tiles.files(), repeat(size)))
        return Report(size, checkpoint.root, tuple(self._faults), tail)

    def _fault(self, key: str, file: str, entry: int | None = None) -> None:
        self._faults.append(Fault(key, file, entry))

    def _recall(self, size: int) -> None:
        if not self._since:
            return
        self._old = self._verifier.checkpoint(self._since)
        self._old_root = self._frontier.root()
        if self._old is None:
            self._fault("audit.since", CHECKPOINT)
        elif self._old.size > size:
            self._fault("audit.rollback", CHECKPOINT, size)

    def _bundle(self, tile: Tile) -> bytes:
        """Checks a bundle against its hashes; returns the root of the tile when it is full."""
        stored = self._read(Tile(0, tile.number, tile.width))
        data = self._read(tile)
        if stored is None or data is None:
            return b""
        entries = split_bundle(data)
        if entries is None or len(entries) != tile.width:
            self._fault("audit.damaged", tile.path, _first(tile) + _agreeing(data, split_hashes(stored)))
            return b""
        leaves = [leaf_hash(entry) for entry in entries]
        if (joined := b"".join(leaves)) != stored:
            self._fault("audit.changed", tile.path, _first(tile) + _differing(joined, stored))
        self._grow(leaves)
        return tree_root(leaves) if tile.width == TILE_WIDTH else b""

    def _grow(self, leaves: list[bytes]) -> None:
        watched = self._old.size if self._old else 0
        for leaf in leaves:
            self._frontier.add(leaf)
            if self._frontier.size == watched:
                self._old_root = self._frontier.root()

    def _tree(self, hashes: list[bytes], size: int) -> None:
        """Checks the tiles above the leaves, level by level, against the roots of those below."""
        level = 1
        while hashes:
            tiles = [tile for tile in tiles_of(size) if tile.level == level]
            for tile in tiles:
                wanted = b"".join(hashes[tile.number * TILE_WIDTH : tile.end])
                stored = self._read(tile)
                if stored is not None and stored != wanted:
                    self._fault("audit.changed", tile.path, _first(tile, _differing(wanted, stored)))
            full = len(hashes) // TILE_WIDTH * TILE_WIDTH
            hashes = [tree_root(hashes[at : at + TILE_WIDTH]) for at in range(0, full, TILE_WIDTH)]
            level += 1

    def _read(self, tile: Tile) -> bytes | None:
        try:
            return self._tiles.raw(tile)
        except Broken as broken:
            self._fault(broken.key, tile.path, _first(tile))
            return None

    def _beyond(self, path: str, size: int) -> bool:
        """Tells whether a file is of no entry that the checkpoint promises; a foreign one is a fault."""
        tile = Tile.parse(path)
        if path == CHECKPOINT:
            return False
        if tile is None:
            self._fault("audit.foreign", path)
            return False
        return tile.end > count_at(tile.level, size)


def _first(tile: Tile, offset: int = 0) -> int:
    return (tile.number * TILE_WIDTH + offset) << (TILE_BITS * max(tile.level, 0))


def _differing(wanted: bytes, stored: bytes) -> int:
    """Returns the number of the first hash that differs."""
    pairs = zip(split_hashes(wanted), split_hashes(stored), strict=False)
    return next((number for number, (one, other) in enumerate(pairs) if one != other), 0)


def _agreeing(data: bytes, hashes: list[bytes]) -> int:
    """Returns how many entries at the start of a damaged bundle still fit their hashes."""
    at = 0
    for number, hash_ in enumerate(hashes):
        end = at + 2 + int.from_bytes(data[at : at + 2], "big")
        if leaf_hash(data[at + 2 : end]) != hash_:
            return number
        at = end
    return max(len(hashes) - 1, 0)


def _note(folder: Path) -> str:
    try:
        return AuditReader(folder).note()
    except Broken:
        return ""

"""The audit log: what was decided, in an append-only Merkle log that an outsider can check."""

import fcntl
import os
import threading
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import msgspec

from yunmeng.kernel.base import Broken, TooLarge, Unavailable, format_us, now_us
from yunmeng.kernel.trust.audit_reader import AuditEvent, AuditReader
from yunmeng.kernel.trust.checkpoint import Checkpoint, Signer
from yunmeng.kernel.trust.tiles import (
    CHECKPOINT,
    LARGEST_ENTRY,
    TILE_WIDTH,
    Edge,
    Tile,
    bundle_of,
    count_at,
    edge_of,
    tiles_of,
)


@dataclass(frozen=True, slots=True)
class Sidecars:
    """The files beside a log: key, verifier key, lock, torn tails. An outsider gets only the second."""

    folder: Path

    @property
    def key(self) -> Path:
        """The private key, readable by its owner only."""
        return self.folder.with_name(f"{self.folder.name}.key")

    @property
    def verifier(self) -> Path:
        """The verifier key, to be given away."""
        return self.folder.with_name(f"{self.folder.name}.vkey")

    @property
    def lock(self) -> Path:
        """The file that the one writer holds."""
        return self.folder.with_name(f"{self.folder.name}.lock")

    @property
    def torn(self) -> Path:
        """Where tails go that a crash left unreadable."""
        return self.folder.with_name(f"{self.folder.name}.torn") / format_us(now_us()).replace(":", "")


class AuditLog(AuditReader):
    """The one writer of a log. Safe to use from several threads; ``append`` waits for the disk.

    The key is made at the first start and lies beside the folder with the verifier key. A tail that a crash
    left is taken in when it is whole, else moved beside the folder; nothing that was acknowledged is lost.

    Raises:
        Broken: ``audit.busy`` when another process writes here, ``audit.damaged``, ``audit.missing``,
            ``audit.key`` or ``audit.key.open`` when the log or its key is not as it was left.
    """

    def __init__(self, folder: Path, origin: str = "yunmeng") -> None:
        super().__init__(folder)
        self._files = Sidecars(folder)
        folder.mkdir(parents=True, exist_ok=True)
        self._mutex = threading.Lock()
        self._lock = _lock(self._files.lock)
        try:
            self._signer = self._key(origin)
            self._edge: Edge | None = self._open()
        except BaseException:
            self._lock.close()
            raise

    @property
    def verifier_key(self) -> str:
        """What an outsider needs besides the folder (also in the ``.vkey`` file beside it)."""
        return str(self._signer.verifier)

    def append(self, events: Sequence[AuditEvent]) -> range:
        """Stores events durably and returns their indices.

        Raises:
            TooLarge: ``audit.entry`` when one is over 65,535 bytes; none is stored then.
            Unavailable: ``audit.write`` when the disk refuses; none counts as stored then.
        """
        entries = [_encoded(event) for event in events]
        with self._mutex:
            try:
                # After a failed write the disk says what is stored, not the memory.
                edge = self._edge or self._open()
                self._edge = None
                first = edge.size
                self._edge = self._grow(edge, entries) if entries else edge
            except OSError as cause:
                raise Unavailable("audit.write", reason=str(cause)) from cause
        return range(first, first + len(entries))

    def close(self) -> None:
        """Lets another process write."""
        self._lock.close()

    def _key(self, origin: str) -> Signer:
        if self._files.key.exists():
            signer = Signer.load(self._files.key)
        elif (self._folder / CHECKPOINT).exists():
            raise Broken("audit.key", file=str(self._files.key), reason="missing")
        else:
            signer = Signer.create(self._files.key, origin)
        text = f"{signer.verifier}\n"
        if not self._files.verifier.exists() or self._files.verifier.read_text() != text:
            _write(self._files.verifier, text.encode())
            _sync_folder(self._files.verifier.parent)
        return signer

    def _open(self) -> Edge:
        if not (self._folder / CHECKPOINT).exists():
            if any(self._tiles.files()):
                raise Broken("audit.missing", file=CHECKPOINT)
            edge = Edge.load(self._tiles, 0)
            self._publish(edge)
            return edge
        checkpoint = self._signer.verifier.checkpoint(self.note())
        if checkpoint is None:
            raise Broken("audit.damaged", file=CHECKPOINT)
        return self._recover(self._load(checkpoint), set(tiles_of(checkpoint.size)))

    def _load(self, checkpoint: Checkpoint) -> Edge:
        edge = Edge.load(self._tiles, checkpoint.size)
        if edge.root() != checkpoint.root:
            raise Broken("audit.damaged", file=CHECKPOINT)
        return edge

    def _recover(self, edge: Edge, expected: set[Tile]) -> Edge:
        found = {tile for path in self._tiles.files() if (tile := Tile.parse(path))}
        missing = expected - found
        if missing:
            raise Broken("audit.missing", file=min(missing).path)
        extra = found - expected
        tail = {tile for tile in extra if tile.end > count_at(tile.level, edge.size)}
        self._remove(extra - tail)
        if not tail:
            return edge
        return self._adopt(edge, tail) or self._set_aside(edge, tail)

    def _adopt(self, edge: Edge, tail: set[Tile]) -> Edge | None:
        """Takes in a tail that was written whole before the crash; returns None when it was not."""
        size = max((tile.end for tile in tail if tile.level < 0), default=0)
        grown = edge.copy()
        try:
            files = grown.grow(list(self._stored(edge.size, size)))
            if set(files) < tail or any(self._tiles.raw(tile) != data for tile, data in files.items()):
                return None
        except Broken:
            return None
        self._publish(grown)
        self._remove(set(edge_of(edge.size)) - set(edge_of(grown.size)))
        return grown

    def _stored(self, start: int, size: int) -> Iterator[bytes]:
        while start < size:
            bundle = bundle_of(start, size)
            yield from self._tiles.entries(bundle)[start % TILE_WIDTH :]
            start = bundle.end

    def _set_aside(self, edge: Edge, tail: set[Tile]) -> Edge:
        aside = self._files.torn
        for tile in tail:
            (aside / tile.path).parent.mkdir(parents=True, exist_ok=True)
            (self._folder / tile.path).replace(aside / tile.path)
        return edge

    def _grow(self, edge: Edge, entries: list[bytes]) -> Edge:
        grown = edge.copy()
        old = set(edge_of(edge.size))
        # An unfinished file that did not grow is in use already: writing it again could tear it.
        files = {tile: data for tile, data in grown.grow(entries).items() if tile not in old}
        folders = {self._folder}
        for tile, data in files.items():
            file = self._folder / tile.path
            folders.update(_make_folder(file.parent, self._folder))
            _write(file, data)
        for folder in folders:
            _sync_folder(folder)
        self._publish(grown)
        self._remove(old - set(edge_of(grown.size)))
        return grown

    def _publish(self, edge: Edge) -> None:
        name = self._signer.verifier.name
        note = self._signer.sign(Checkpoint(name, edge.size, edge.root()).text())
        draft = self._folder.with_name(f"{self._folder.name}.draft")
        _write(draft, note.encode())
        draft.replace(self._folder / CHECKPOINT)
        _sync_folder(self._folder)

    def _remove(self, tiles: Iterable[Tile]) -> None:
        for tile in tiles:
            file = self._folder / tile.path
            file.unlink(missing_ok=True)
            if file.parent.name.endswith(".p") and not any(file.parent.iterdir()):
                file.parent.rmdir()


def _encoded(event: AuditEvent) -> bytes:
    entry = msgspec.json.encode(event)
    if len(entry) > LARGEST_ENTRY:
        raise TooLarge("audit.entry", bytes=len(entry), most=LARGEST_ENTRY)
    return entry


def _lock(file: Path) -> IO[bytes]:
    handle = file.open("ab")
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as cause:
        handle.close()
        raise Broken("audit.busy", file=str(file)) from cause
    return handle


def _write(file: Path, data: bytes) -> None:
    with file.open("wb") as out:
        out.write(data)
        out.flush()
        os.fsync(out.fileno())


def _make_folder(folder: Path, top: Path) -> set[Path]:
    """Makes a folder and returns those whose lists of names changed or will."""
    changed = {folder}
    while folder != top and not folder.exists():
        folder = folder.parent
        changed.add(folder)
    for missing in changed:
        missing.mkdir(parents=True, exist_ok=True)
    return changed


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)

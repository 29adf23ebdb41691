"""The files of a log: C2SP tlog-tiles, as paths, bytes and the right edge that grows."""

import os
import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from yunmeng.kernel.base import Broken
from yunmeng.kernel.trust.merkle import HASH_BYTES, Frontier, fold, leaf_hash, node_hash, split_at, tree_root

TILE_WIDTH = 256
TILE_BITS = 8
LARGEST_ENTRY = 0xFFFF
CHECKPOINT = "checkpoint"

_ENTRIES = -1
_PATH = re.compile(r"tile/(entries|\d+)/((?:x\d{3}/)*\d{3})(?:\.p/(\d+))?")


@dataclass(frozen=True, slots=True, order=True)
class Tile:
    """One file: ``width`` hashes of a level, or (level -1) ``width`` entries, from ``number * 256`` on."""

    level: int
    number: int
    width: int

    @property
    def path(self) -> str:
        """Where the tile is below the log's folder."""
        level = "entries" if self.level == _ENTRIES else str(self.level)
        partial = "" if self.width == TILE_WIDTH else f".p/{self.width}"
        return f"tile/{level}/{_digits(self.number)}{partial}"

    @property
    def end(self) -> int:
        """The number after the last hash or entry of the tile."""
        return self.number * TILE_WIDTH + self.width

    @classmethod
    def parse(cls, path: str) -> "Tile | None":
        """Returns the tile that a path names, or None when it names none."""
        found = _PATH.fullmatch(path)
        if not found:
            return None
        level = _ENTRIES if found[1] == "entries" else int(found[1])
        tile = cls(level, int(re.sub(r"\D", "", found[2])), int(found[3] or TILE_WIDTH))
        return tile if tile.path == path and 0 < tile.width <= TILE_WIDTH else None


def count_at(level: int, size: int) -> int:
    """Returns how many hashes of a level (or entries) a log of ``size`` entries has."""
    return size >> (TILE_BITS * max(level, 0))


def tiles_of(size: int) -> Iterator[Tile]:
    """Yields every file that a log of ``size`` entries consists of, besides its checkpoint."""
    level = _ENTRIES
    while count := count_at(level, size):
        full, rest = divmod(count, TILE_WIDTH)
        yield from (Tile(level, number, TILE_WIDTH) for number in range(full))
        if rest:
            yield Tile(level, full, rest)
        level += 1


def edge_of(size: int) -> Iterator[Tile]:
    """Yields the unfinished files of a log of ``size`` entries: at most one a level, and the last bundle."""
    level = _ENTRIES
    while count := count_at(level, size):
        full, rest = divmod(count, TILE_WIDTH)
        if rest:
            yield Tile(level, full, rest)
        level += 1


def bundle_of(index: int, size: int) -> Tile:
    """Returns the bundle that holds an entry."""
    number = index // TILE_WIDTH
    return Tile(_ENTRIES, number, min(TILE_WIDTH, size - number * TILE_WIDTH))


def split_bundle(data: bytes) -> list[bytes] | None:
    """Returns the entries of a bundle, or None when the last is cut short."""
    entries: list[bytes] = []
    at = 0
    while at < len(data):
        if at + 2 > len(data):
            return None
        end = at + 2 + int.from_bytes(data[at : at + 2], "big")
        if end > len(data):
            return None
        entries.append(data[at + 2 : end])
        at = end
    return entries


class TileReader:
    """Reads the files of a log; a tile that has grown since is cut back to the width asked for."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def raw(self, tile: Tile) -> bytes:
        """Returns a tile's bytes as stored, or cut from a wider one when that has taken its place.

        Raises:
            Broken: ``audit.missing`` naming the file.
        """
        for path in (tile.path, Tile(tile.level, tile.number, TILE_WIDTH).path, *self._wider(tile)):
            try:
                data = (self._folder / path).read_bytes()
                return data if path == tile.path else _cut(tile, data)
            except (FileNotFoundError, NotADirectoryError):
                continue
            except OSError as cause:
                raise Broken("audit.missing", file=tile.path) from cause
        raise Broken("audit.missing", file=tile.path)

    def hashes(self, tile: Tile) -> bytes:
        """Returns the joined hashes of a tile.

        Raises:
            Broken: ``audit.missing`` or ``audit.damaged`` naming the file.
        """
        data = self.raw(tile)
        if len(data) != tile.width * HASH_BYTES:
            raise Broken("audit.damaged", file=tile.path)
        return data

    def entries(self, tile: Tile) -> list[bytes]:
        """Returns the entries of a bundle.

        Raises:
            Broken: ``audit.missing`` or ``audit.damaged`` naming the file.
        """
        found = split_bundle(self.raw(tile))
        if found is None or len(found) != tile.width:
            raise Broken("audit.damaged", file=tile.path)
        return found

    def files(self) -> Iterator[str]:
        """Yields the path of every file of the log."""
        for root, _, names in os.walk(self._folder):
            for name in names:
                yield (Path(root) / name).relative_to(self._folder).as_posix()

    def _wider(self, tile: Tile) -> list[str]:
        if tile.width == TILE_WIDTH:
            return []
        folder = (self._folder / tile.path).parent
        names = [path.name for path in folder.glob("*")] if folder.is_dir() else []
        widths = sorted(int(name) for name in names if name.isdigit())
        return [Tile(tile.level, tile.number, width).path for width in widths if width > tile.width]


class TreeReader:
    """Gives the hash of any range of a log of ``size`` entries, read from its tiles."""

    def __init__(self, tiles: TileReader, size: int) -> None:
        self._tiles = tiles
        self._size = size

    def range(self, start: int, end: int) -> bytes:
        """Returns the root over the leaves ``[start, end)``, a range as RFC 9162 proofs ask for."""
        width = end - start
        if width & (width - 1) == 0:
            return self._subtree(start, width.bit_length() - 1)
        middle = start + split_at(width)
        return node_hash(self.range(start, middle), self.range(middle, end))

    def root(self) -> bytes:
        """Returns the root of the whole log."""
        return self.range(0, self._size) if self._size else fold(())

    def frontier(self) -> Frontier:
        """Returns the right edge of the tree, ready to grow."""
        subtrees: list[bytes] = []
        start = 0
        for bit in reversed(range(self._size.bit_length())):
            if self._size >> bit & 1:
                subtrees.append(self._subtree(start, bit))
                start += 1 << bit
        return Frontier(self._size, subtrees)

    def _subtree(self, start: int, height: int) -> bytes:
        level, inner = divmod(height, TILE_BITS)
        number, offset = divmod(start >> (TILE_BITS * level), TILE_WIDTH)
        width = min(TILE_WIDTH, count_at(level, self._size) - number * TILE_WIDTH)
        data = self._tiles.hashes(Tile(level, number, width))
        return tree_root(split_hashes(data[offset * HASH_BYTES : (offset + (1 << inner)) * HASH_BYTES]))


def split_hashes(data: bytes) -> list[bytes]:
    """Returns the hashes that a tile joins."""
    return [data[at : at + HASH_BYTES] for at in range(0, len(data), HASH_BYTES)]


class Edge:
    """The right edge of a log: its unfinished tiles and the root so far."""

    def __init__(self, frontier: Frontier, bundle: bytes, tiles: list[bytes]) -> None:
        self._frontier = frontier
        self._bundle = bytearray(bundle)
        self._tiles = [bytearray(tile) for tile in tiles]

    @classmethod
    def load(cls, tiles: TileReader, size: int) -> "Edge":
        """Reads the edge of a log of ``size`` entries.

        Raises:
            Broken: ``audit.missing`` or ``audit.damaged`` naming the file.
        """
        hashes: list[bytes] = [b""] * (size.bit_length() // TILE_BITS + 1)
        bundle = b""
        for tile in edge_of(size):
            if tile.level == _ENTRIES:
                bundle = b"".join(map(_framed, tiles.entries(tile)))
            else:
                hashes[tile.level] = tiles.hashes(tile)
        return cls(TreeReader(tiles, size).frontier(), bundle, hashes)

    @property
    def size(self) -> int:
        """How many entries the log has."""
        return self._frontier.size

    def root(self) -> bytes:
        """Returns the root of the log."""
        return self._frontier.root()

    def copy(self) -> "Edge":
        """Returns an edge that grows on its own."""
        return Edge(self._frontier.copy(), bytes(self._bundle), [bytes(tile) for tile in self._tiles])

    def grow(self, entries: list[bytes]) -> dict[Tile, bytes]:
        """Adds entries and returns every file that is new, whole and unfinished ones."""
        files: dict[Tile, bytes] = {}
        for entry in entries:
            leaf = leaf_hash(entry)
            self._frontier.add(leaf)
            self._bundle += _framed(entry)
            if self.size % TILE_WIDTH == 0:
                files[bundle_of(self.size - 1, self.size)] = bytes(self._bundle)
                self._bundle.clear()
            self._push(leaf, files)
        files.update(self._unfinished())
        return files

    def _push(self, hash_: bytes, files: dict[Tile, bytes]) -> None:
        for level in range(len(self._tiles) + 1):
            if level == len(self._tiles):
                self._tiles.append(bytearray())
            tile = self._tiles[level]
            tile += hash_
            if len(tile) < TILE_WIDTH * HASH_BYTES:
                return
            number = count_at(level, self.size) // TILE_WIDTH - 1
            files[Tile(level, number, TILE_WIDTH)] = bytes(tile)
            hash_ = tree_root(split_hashes(bytes(tile)))
            tile.clear()

    def _unfinished(self) -> Iterator[tuple[Tile, bytes]]:
        if self._bundle:
            yield bundle_of(self.size - 1, self.size), bytes(self._bundle)
        for level, tile in enumerate(self._tiles):
            if tile:
                number = count_at(level, self.size) // TILE_WIDTH
                yield Tile(level, number, len(tile) // HASH_BYTES), bytes(tile)


def _framed(entry: bytes) -> bytes:
    return struct.pack(">H", len(entry)) + entry


def _cut(tile: Tile, data: bytes) -> bytes:
    if tile.level != _ENTRIES:
        return data[: tile.width * HASH_BYTES]
    return b"".join(map(_framed, (split_bundle(data) or [])[: tile.width]))


def _digits(number: int) -> str:
    parts = [f"{number % 1000:03d}"]
    while number := number // 1000:
        parts.append(f"x{number % 1000:03d}")
    return "/".join(reversed(parts))

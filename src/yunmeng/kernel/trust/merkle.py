"""The Merkle tree of RFC 9162 §2.1: hashes, roots and proofs, over any source of leaf hashes."""

from collections.abc import Callable, Iterable
from hashlib import sha256

HASH_BYTES = 32

RangeHash = Callable[[int, int], bytes]
"""The root of the leaves ``[start, end)``, where ``start`` is a multiple of the range's rounded-up size."""


def leaf_hash(entry: bytes) -> bytes:
    """Returns the hash of one entry (RFC 9162 §2.1.1)."""
    return sha256(b"\x00" + entry).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """Returns the hash of an inner node."""
    return sha256(b"\x01" + left + right).digest()


def fold(subtrees: Iterable[bytes]) -> bytes:
    """Returns the root over perfect subtrees of falling size, left to right; of none, the empty tree's."""
    rest = list(subtrees)
    if not rest:
        return sha256(b"").digest()
    root = rest.pop()
    while rest:
        root = node_hash(rest.pop(), root)
    return root


class Frontier:
    """The perfect subtrees on the right edge of a growing tree: all that is needed to know its root."""

    def __init__(self, size: int = 0, subtrees: Iterable[bytes] = ()) -> None:
        self.size = size
        self._subtrees = list(subtrees)

    def add(self, leaf: bytes) -> None:
        """Adds one leaf hash."""
        size, subtrees = self.size, self._subtrees
        while size & 1:
            leaf = sha256(b"\x01" + subtrees.pop() + leaf).digest()
            size >>= 1
        subtrees.append(leaf)
        self.size += 1

    def copy(self) -> "Frontier":
        """Returns an edge that grows on its own."""
        return Frontier(self.size, self._subtrees)

    def root(self) -> bytes:
        """Returns the root of the tree so far."""
        return fold(self._subtrees)


def tree_root(leaves: Iterable[bytes]) -> bytes:
    """Returns the root over leaf hashes."""
    frontier = Frontier()
    for leaf in leaves:
        frontier.add(leaf)
    return frontier.root()


def split_at(size: int) -> int:
    """Returns the largest power of two below ``size`` (at least 2)."""
    return 1 << ((size - 1).bit_length() - 1)


def inclusion_path(index: int, size: int, hashes: RangeHash) -> list[bytes]:
    """Returns the proof that leaf ``index`` is in the tree of ``size`` leaves (RFC 9162 §2.1.3.1)."""
    path: list[bytes] = []
    start, end = 0, size
    while end - start > 1:
        middle = start + split_at(end - start)
        if index < middle:
            path.append(hashes(middle, end))
            end = middle
        else:
            path.append(hashes(start, middle))
            start = middle
    return path[::-1]


def consistency_path(old: int, size: int, hashes: RangeHash) -> list[bytes]:
    """Returns the proof that the tree of ``old`` leaves begins that of ``size`` (RFC 9162 §2.1.4.1)."""
    if old in (0, size):
        return []
    path: list[bytes] = []
    start, end, whole = 0, size, True
    while old != end:
        middle = start + split_at(end - start)
        if old <= middle:
            path.append(hashes(middle, end))
            end = middle
        else:
            path.append(hashes(start, middle))
            start, whole = middle, False
    if not whole:
        path.append(hashes(start, end))
    return path[::-1]


def proves_inclusion(leaf: bytes, index: int, size: int, path: Iterable[bytes], root: bytes) -> bool:
    """Returns whether the path leads from the leaf to the root (RFC 9162 §2.1.3.2)."""
    if not 0 <= index < size:
        return False
    node, last, result = index, size - 1, leaf
    for other in path:
        if last == 0:
            return False
        if node & 1 or node == last:
            result = node_hash(other, result)
            node, last = _climb_left(node, last)
        else:
            result = node_hash(result, other)
        node, last = node >> 1, last >> 1
    return last == 0 and result == root


def proves_consistency(old: int, old_root: bytes, size: int, root: bytes, path: Iterable[bytes]) -> bool:
    """Returns whether the path shows that the old tree begins the new one (RFC 9162 §2.1.4.2)."""
    hashes = list(path)
    if not 0 <= old <= size:
        return False
    if old == 0:
        return not hashes and old_root == fold(())
    if old == size:
        return not hashes and old_root == root
    if old & (old - 1) == 0:
        hashes.insert(0, old_root)
    return bool(hashes) and _both_roots(old, size, hashes) == (old_root, root)


def _both_roots(old: int, size: int, hashes: list[bytes]) -> tuple[bytes, bytes] | None:
    node, last = old - 1, size - 1
    while node & 1:
        node, last = node >> 1, last >> 1
    old_result = result = hashes[0]
    for other in hashes[1:]:
        if last == 0:
            return None
        if node & 1 or node == last:
            old_result, result = node_hash(other, old_result), node_hash(other, result)
            node, last = _climb_left(node, last)
        else:
            result = node_hash(result, other)
        node, last = node >> 1, last >> 1
    return (old_result, result) if last == 0 else None


def _climb_left(node: int, last: int) -> tuple[int, int]:
    while node and not node & 1:
        node, last = node >> 1, last >> 1
    return node, last

"""ClickHouse's Native format: a block of columns straight from numpy buffers, strings as dictionaries."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain

import numpy as np
from numpy.typing import NDArray

_SHARED_DICTIONARY = 1
_OWN_KEYS = 1 << 9
_WIDTHS: tuple[tuple[int, type[np.unsignedinteger]], ...] = ((1 << 8, np.uint8), (1 << 16, np.uint16))


@dataclass(frozen=True, slots=True)
class Fixed:
    """A column of fixed width; the buffer's type must be that of the ClickHouse type, little-endian."""

    type: str
    values: NDArray[np.generic]

    def encode(self) -> Sequence[bytes]:
        """Returns the column's bytes, in parts."""
        return (np.ascontiguousarray(self.values).tobytes(),)


@dataclass(frozen=True, slots=True)
class Keyed:
    """Strings as a dictionary: row ``i`` is ``keys[codes[i]]``; the first key is the empty string."""

    keys: Sequence[str]
    codes: NDArray[np.integer]
    type: str = "LowCardinality(String)"

    def encode(self) -> Sequence[bytes]:
        """Returns the column's bytes, in parts."""
        fits = (n for n, (most, _) in enumerate(_WIDTHS) if len(self.keys) <= most)
        width = next(fits, len(_WIDTHS))
        kind = _WIDTHS[width][1] if width < len(_WIDTHS) else np.uint32
        head = np.array([_SHARED_DICTIONARY, _OWN_KEYS | width, len(self.keys)], np.uint64)
        size = np.array([len(self.codes)], np.uint64)
        return head.tobytes(), strings(self.keys), size.tobytes(), self.codes.astype(kind).tobytes()


@dataclass(frozen=True, slots=True)
class Plain:
    """Strings one by one, each with its length before it already; for columns that are all different."""

    data: Sequence[bytes]
    type: str = "String"

    def encode(self) -> Sequence[bytes]:
        """Returns the column's bytes, in parts."""
        return self.data


@dataclass(frozen=True, slots=True)
class Sparse:
    """Strings of which most are missing: a byte a row tells which, then the texts, as of :func:`optional`."""

    missing: Sequence[bytes]
    texts: Sequence[bytes]
    type: str = "Nullable(String)"

    def encode(self) -> Sequence[bytes]:
        """Returns the column's bytes, in parts."""
        return *self.missing, *self.texts


Column = Fixed | Keyed | Plain | Sparse


def block(rows: int, columns: dict[str, Column]) -> bytes:
    """Returns one block; every column has ``rows`` rows."""
    parts = [varint(len(columns)), varint(rows)]
    for name, column in columns.items():
        parts += (strings((name, column.type)), *column.encode())
    return b"".join(parts)


def strings(values: Sequence[str | bytes]) -> bytes:
    """Returns strings with their lengths before them."""
    raw = [value.encode() if isinstance(value, str) else value for value in values]
    return b"".join(chain.from_iterable(zip(_sizes(raw), raw, strict=True)))


def ended(values: Sequence[bytes], ends: Iterable[bytes], length: int) -> bytes:
    """Returns strings, each with its end of ``length`` bytes, with their lengths before them."""
    return b"".join(chain.from_iterable(zip(_sizes(values, length), values, ends, strict=False)))


def _sizes(values: Sequence[bytes], more: int = 0) -> Iterable[bytes]:
    lengths = [len(value) + more for value in values]
    return map(_SIZES.__getitem__ if max(lengths, default=0) < len(_SIZES) else varint, lengths)


def sized(raw: bytes) -> bytes:
    """Returns one string with its length before it."""
    size = len(raw)
    return (_SIZES[size] if size < len(_SIZES) else varint(size)) + raw


def optional(rows: int, present: Mapping[int, str]) -> tuple[bytes, bytes]:
    """Returns which rows miss their text (a byte each), and the texts: ``present`` maps a row to its own."""
    if not present:
        return b"\x01" * rows, bytes(rows)
    missing = bytearray(b"\x01") * rows
    texts: list[str | bytes] = [b""] * rows
    for row, text in present.items():
        missing[row] = 0
        texts[row] = text
    return bytes(missing), strings(texts)


def varint(number: int) -> bytes:
    """Returns an unsigned integer, seven bits a byte, the lowest first."""
    out = bytearray()
    while number >= 0x80:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)


_SIZES = [varint(size) for size in range(4096)]

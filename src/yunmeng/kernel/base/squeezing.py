"""Bytes that processes of a node send each other, squeezed: Zstandard at its quickest.

Messages repeat themselves (names, units, times, the document before and after), so they shrink thirtyfold and
more, for less time than it takes to send what is saved.
"""

import threading

import zstandard

_MAGIC = zstandard.FRAME_HEADER
_FEWEST = 512


class _Tools(threading.local):
    """A thread's own, since they cannot be shared."""

    def __init__(self) -> None:
        self.squeeze = zstandard.ZstdCompressor(level=1).compress
        self.unsqueeze = zstandard.ZstdDecompressor().decompress


_tools = _Tools()


def squeezed(data: bytes) -> bytes:
    """Returns the bytes squeezed, or as they are when they are few.

    They must not begin like a Zstandard frame; MessagePack and JSON never do.
    """
    return data if len(data) < _FEWEST else _tools.squeeze(data)


def unsqueezed(data: bytes) -> bytes:
    """Returns what :func:`squeezed` was given; ``zstandard.ZstdError`` when it is damaged."""
    return _tools.unsqueeze(data) if data.startswith(_MAGIC) else data

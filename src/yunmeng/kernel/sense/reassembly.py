"""Messages that come in parts."""

from collections.abc import Hashable
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from yunmeng.kernel.base import BadInput

Key = TypeVar("Key", bound=Hashable)


@dataclass(slots=True)
class _Whole:
    total: int
    began: int
    heard: int
    size: int = 0
    parts: dict[int, bytes] = field(default_factory=dict[int, bytes])


class Reassembly(Generic[Key]):
    """Joins parts 1..total under a key; bounded in time, and in messages and bytes all together.

    Beyond the bounds the message that began first is given up.
    """

    def __init__(self, most_bytes: int = 4 << 20, most_messages: int = 16, patience_s: float = 300.0) -> None:
        self._most_bytes = most_bytes
        self._most_messages = most_messages
        self._patience_us = int(patience_s * 1e6)
        self._size = 0
        self._open: dict[Key, _Whole] = {}

    def add(self, key: Key, number: int, total: int, part: bytes, at: int) -> bytes | None:
        """Takes one part; returns the whole when it was the last that was missing.

        Raises:
            BadInput: ``frame.part`` for a number outside 1..total, or a message beyond the bounds.
        """
        if not 1 <= number <= total:
            raise BadInput("frame.part", number=number, total=total)
        whole = self._open.get(key)
        if whole is None or whole.total != total:
            self._drop(key)
            whole = self._open[key] = _Whole(total, at, at)
        grown = len(part) - len(whole.parts.get(number, b""))
        whole.size += grown
        self._size += grown
        whole.parts[number] = part
        whole.heard = at
        if whole.size > self._most_bytes:
            self._drop(key)
            raise BadInput("frame.part", number=number, total=total)
        self._make_room(key)
        if len(whole.parts) < total:
            return None
        self._drop(key)
        return b"".join(whole.parts[place] for place in range(1, total + 1))

    def missing(self, key: Key) -> tuple[int, ...]:
        """Returns the numbers that have not come."""
        whole = self._open.get(key)
        return () if whole is None else tuple(n for n in range(1, whole.total + 1) if n not in whole.parts)

    def stalled(self, at: int, for_s: float) -> list[Key]:
        """Returns the keys of which no part has come for so long."""
        return [key for key, whole in self._open.items() if at - whole.heard > for_s * 1e6]

    def forget(self, key: Key) -> bytes:
        """Gives a message up; returns what has come of it, in order."""
        parts = self._open[key].parts if key in self._open else {}
        self._drop(key)
        return b"".join(parts[number] for number in sorted(parts))

    def expire(self, at: int) -> list[Key]:
        """Forgets what began too long ago; returns the keys."""
        late = [key for key, whole in self._open.items() if at - whole.began > self._patience_us]
        for key in late:
            self._drop(key)
        return late

    def _make_room(self, newest: Key) -> None:
        while len(self._open) > self._most_messages or self._size > self._most_bytes:
            self._drop(next(key for key in self._open if key != newest))

    def _drop(self, key: Key) -> None:
        if whole := self._open.pop(key, None):
            self._size -= whole.size

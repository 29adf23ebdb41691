"""Messages that come in parts."""

from collections import OrderedDict
from collections.abc import Hashable
from dataclasses import dataclass, field

from yunmeng.kernel.base import BadInput


@dataclass(slots=True)
class _Whole:
    total: int
    began: int
    size: int = 0
    parts: dict[int, bytes] = field(default_factory=dict[int, bytes])


class Reassembly:
    """Joins parts 1..total under a key; bounded in bytes, in messages and in time."""

    def __init__(self, most_bytes: int = 4 << 20, most_messages: int = 16, patience_s: float = 300.0) -> None:
        self._most_bytes = most_bytes
        self._most_messages = most_messages
        self._patience_us = int(patience_s * 1e6)
        self._open: OrderedDict[Hashable, _Whole] = OrderedDict()

    def add(self, key: Hashable, number: int, total: int, part: bytes, at: int) -> bytes | None:
        """Takes one part; returns the whole when it was the last that was missing.

        Raises:
            BadInput: ``frame.part`` for a number outside 1..total, or a message beyond the bounds.
        """
        if not 1 <= number <= total:
            raise BadInput("frame.part", number=number, total=total)
        whole = self._open.get(key)
        if whole is None or whole.total != total:
            whole = self._open[key] = _Whole(total, at)
            while len(self._open) > self._most_messages:
                self._open.popitem(last=False)
        whole.size += len(part) - len(whole.parts.get(number, b""))
        whole.parts[number] = part
        if whole.size > self._most_bytes:
            del self._open[key]
            raise BadInput("frame.part", number=number, total=total)
        if len(whole.parts) < total:
            return None
        del self._open[key]
        return b"".join(whole.parts[place] for place in range(1, total + 1))

    def missing(self, key: Hashable) -> tuple[int, ...]:
        """Returns the numbers that have not come."""
        whole = self._open.get(key)
        return () if whole is None else tuple(n for n in range(1, whole.total + 1) if n not in whole.parts)

    def expire(self, at: int) -> list[Hashable]:
        """Forgets what began too long ago; returns the keys."""
        late = [key for key, whole in self._open.items() if at - whole.began > self._patience_us]
        for key in late:
            del self._open[key]
        return late

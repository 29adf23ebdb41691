"""Bits and pieces that several messages share: times, texts, and a reader that knows where the body ends."""

from calendar import timegm
from collections.abc import Callable
from functools import lru_cache

from yunmeng.gateways.jt808.codec import PROTOCOL
from yunmeng.kernel.sense import bad_frame

BEIJING_US = 8 * 3_600_000_000
_BCD = {number // 10 << 4 | number % 10: number for number in range(100)}


@lru_cache(4096)
def _minute(date: bytes) -> int:
    year, month, day, hour, minute = [_BCD[byte] for byte in date]
    if not 1 <= month <= 12 or not 1 <= day <= 31 or hour > 23 or minute > 59:
        raise KeyError
    moment = timegm((2000 + year, month, day, hour, minute, 0))
    return moment * 1_000_000 - BEIJING_US


def read_time(bcd: bytes) -> int:
    """Reads BCD[6] YYMMDDhhmmss of Beijing as microseconds since 1970 UTC. Raises ``frame.bad``."""
    try:
        seconds = _BCD[bcd[5]]
        if seconds < 60:
            return _minute(bcd[:5]) + seconds * 1_000_000
    except (KeyError, IndexError):
        pass
    raise bad_frame(PROTOCOL, f"time {bcd.hex()}")


def write_time(at: int) -> bytes:
    """Writes a moment as BCD[6] of Beijing."""
    from datetime import UTC, datetime, timedelta

    moment = datetime.fromtimestamp(at // 1_000_000, UTC) + timedelta(hours=8)
    return bytes.fromhex(moment.strftime("%y%m%d%H%M%S"))


def text_of(raw: bytes) -> str:
    """Reads GBK text without the zeros that fill it up."""
    return raw.rstrip(b"\0").decode("gbk", "replace")


class Reader:
    """Reads a body from front to back; what is not there is ``frame.bad``, naming the message."""

    def __init__(self, body: bytes, name: str) -> None:
        self._body = body
        self._name = name
        self._place = 0

    def take(self, size: int) -> bytes:
        """Returns the next bytes."""
        piece = self._body[self._place : self._place + size]
        if len(piece) != size:
            raise bad_frame(PROTOCOL, f"{self._name} ends after {len(self._body)} bytes")
        self._place += size
        return piece

    def number(self, size: int) -> int:
        """Returns the next unsigned number."""
        return int.from_bytes(self.take(size))

    def time(self) -> int:
        """Returns the next BCD[6] time in microseconds UTC."""
        return read_time(self.take(6))

    def rest(self) -> bytes:
        """Returns everything that is left."""
        return self.take(len(self._body) - self._place)

    def end(self) -> None:
        """Refuses what is left over."""
        if left := len(self._body) - self._place:
            raise bad_frame(PROTOCOL, f"{self._name} has {left} bytes too many")

    def many(self, count: int, read: "Callable[[Reader], object]") -> "tuple[object, ...]":
        """Reads ``count`` things of a kind."""
        return tuple([read(self) for _ in range(count)])

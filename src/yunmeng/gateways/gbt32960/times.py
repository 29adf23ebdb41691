"""Times of GB/T 32960.3: six bytes, year to second, of Beijing (6.4)."""

from calendar import timegm
from datetime import UTC, datetime, timedelta
from functools import lru_cache

from yunmeng.gateways.gbt32960.codec import PROTOCOL
from yunmeng.kernel.sense import bad_frame

_BEIJING_S = 8 * 3600


@lru_cache(4096)
def read_time(data: bytes) -> int:
    """Reads a time as microseconds since 1970 UTC. Raises ``frame.bad``."""
    if len(data) == 6:
        year, month, day, hour, minute, second = data
        if 1 <= month <= 12 and 1 <= day <= 31 and hour < 24 and minute < 60 and second < 60 and year < 100:
            return (timegm((2000 + year, month, day, hour, minute, second)) - _BEIJING_S) * 1_000_000
    raise bad_frame(PROTOCOL, f"time {data.hex()}")


def write_time(at: int) -> bytes:
    """Writes a moment, in microseconds since 1970 UTC."""
    moment = datetime.fromtimestamp(at // 1_000_000, UTC) + timedelta(seconds=_BEIJING_S)
    return bytes((moment.year - 2000, moment.month, moment.day, moment.hour, moment.minute, moment.second))

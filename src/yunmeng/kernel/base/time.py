"""Time: aware UTC inside, microseconds since 1970 in columns, ISO 8601 outside, Asia/Shanghai for people."""

import re
import time
from datetime import UTC, datetime, timedelta, timezone
from functools import lru_cache

from yunmeng.kernel.base.errors import BadInput

# China has kept UTC+8 without summer time since 1992; a fixed offset needs no zone files on the machine
SHANGHAI = timezone(timedelta(hours=8), "Asia/Shanghai")

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_DURATION = re.compile(
    r"P(?:(?P<w>\d{1,5})W)?(?:(?P<d>\d{1,5})D)?"
    r"(?:T(?:(?P<h>\d{1,6})H)?(?:(?P<m>\d{1,7})M)?(?:(?P<s>\d{1,9})S)?)?"
)
_SECONDS = {"w": 604_800, "d": 86_400, "h": 3_600, "m": 60, "s": 1}


def now() -> datetime:
    """Returns the present instant, aware, in UTC."""
    return datetime.now(UTC)


def now_us() -> int:
    """Returns the present instant in microseconds since 1970 UTC."""
    return time.time_ns() // 1000


def parse_instant(text: object) -> datetime:
    """Returns the instant of an ISO 8601 date and time with an offset, in UTC; digits beyond µs are cut.

    Raises:
        BadInput: ``time.bad`` when it is no such text, ``time.naive`` when the offset is missing.
    """
    instant = _parse(text)
    try:
        return instant.astimezone(UTC)
    except OverflowError as cause:
        raise BadInput("time.bad", time=text) from cause


def instant_us(text: object) -> int:
    """Returns the instant in microseconds since 1970 UTC; same rules as ``parse_instant``."""
    return datetime_us(_parse(text))


def datetime_us(instant: datetime) -> int:
    """Returns an aware datetime in microseconds since 1970 UTC, exactly.

    Raises:
        BadInput: ``time.naive``.
    """
    if instant.tzinfo is None:
        raise BadInput("time.naive", time=instant.isoformat())
    passed = instant - _EPOCH
    return (passed.days * 86_400 + passed.seconds) * 1_000_000 + passed.microseconds


def format_us(us: int) -> str:
    """Formats microseconds since 1970 as ``2026-11-22T04:00:00.123Z``; six digits where three are too few.

    Raises:
        BadInput: ``time.bad`` outside the years 1 to 9999.
    """
    second, rest = divmod(us, 1_000_000)
    milli, micro = divmod(rest, 1000)
    if micro:
        return f"{_second(second)}.{rest:06d}Z"
    return f"{_second(second)}.{milli:03d}Z"


def from_us(us: int) -> datetime:
    """Returns the aware UTC datetime of microseconds since 1970.

    Raises:
        BadInput: ``time.bad`` outside the years 1 to 9999.
    """
    try:
        return _EPOCH + timedelta(microseconds=us)
    except OverflowError as cause:
        raise BadInput("time.bad", time=us) from cause


def _parse(text: object) -> datetime:
    # fromisoformat takes any separator, week dates and dates alone; an instant is YYYY-MM-DDThh:mm…
    if not isinstance(text, str) or text[10:11] != "T" or text[7:8] != "-" or text[13:14] != ":":
        raise BadInput("time.bad", time=text)
    try:
        instant = datetime.fromisoformat(text)
    except ValueError as cause:
        raise BadInput("time.bad", time=text) from cause
    if instant.tzinfo is None:
        raise BadInput("time.naive", time=text)
    return instant


@lru_cache(maxsize=8192)
def _second(second: int) -> str:
    return from_us(second * 1_000_000).isoformat()[:19]


def seconds_of(duration: str) -> int | None:
    """Returns how many seconds an ISO 8601 duration of weeks, days and times lasts, None when it is none."""
    found = _DURATION.fullmatch(duration)
    parts = {name: value for name, value in found.groupdict().items() if value} if found else {}
    return sum(int(value) * _SECONDS[name] for name, value in parts.items()) if parts else None

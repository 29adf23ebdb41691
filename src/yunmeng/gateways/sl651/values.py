"""Numbers and times of SL 651: BCD digits with a sign, FF for none, Beijing time (clauses 6.6.2, 6.6.3)."""

import re
from datetime import datetime, timedelta, timezone
from functools import lru_cache

from yunmeng.gateways.sl651.messages import Value
from yunmeng.kernel.sense import bad_frame

BEIJING = timezone(timedelta(hours=8))
_EPOCH = datetime(1970, 1, 1, tzinfo=BEIJING) + timedelta(hours=8)
_EXACT_DIGITS = 15
_TIME = re.compile(r"\d{10}(?:\d\d)?\Z", re.ASCII)


def read_digits(digits: str, decimals: int) -> Value:
    """Reads BCD digits: all F is None, a leading FF a minus; more digits than a float keeps stay text.

    Raises ``BadInput("frame.bad")``.
    """
    if not digits.strip("f"):
        return None
    negative = digits.startswith("ff")
    plain = digits[2:] if negative else digits
    if not plain.isdecimal():
        raise bad_frame("sl651", f"{digits} are no BCD digits")
    if len(plain.lstrip("0")) > _EXACT_DIGITS:
        point = len(plain) - decimals
        text = f"{plain[:point]}.{plain[point:]}" if decimals else plain
        return ("-" if negative else "") + text
    number = -int(plain) if negative else int(plain)
    return number / 10**decimals if decimals else number


def write_digits(value: float, digits: int, decimals: int) -> bytes:
    """Writes a number of so many digits as BCD, with FF (or FF0) before a negative one."""
    text = f"{round(abs(value) * 10**decimals):0{digits}d}"
    if value < 0:
        return bytes.fromhex(("ff" if len(text) % 2 == 0 else "ff0") + text)
    return bytes.fromhex(text if len(text) % 2 == 0 else "0" + text)


@lru_cache(maxsize=8192)
def read_time(digits: str) -> int:
    """Reads ``YYMMDDHHmm`` with or without ``SS`` as microseconds UTC. Raises ``BadInput("frame.bad")``."""
    if not _TIME.match(digits):
        raise bad_frame("sl651", f"{digits} is no time")
    try:
        year, month, day, hour, minute, *second = [
            int(digits[place : place + 2]) for place in range(0, len(digits), 2)
        ]
        moment = datetime(2000 + year, month, day, hour, minute, *second, tzinfo=BEIJING)
    except ValueError as cause:
        raise bad_frame("sl651", f"{digits} is no time") from cause
    return int(moment.timestamp()) * 1_000_000


def write_time(at: int, form: str = "%y%m%d%H%M%S") -> str:
    """Writes a moment in Beijing time, in seconds or as ``form`` says."""
    return _write_second(at // 1_000_000, form)


@lru_cache(maxsize=1024)
def _write_second(second: int, form: str) -> str:
    return (_EPOCH + timedelta(seconds=second)).strftime(form)


def time_bytes(at: int) -> bytes:
    """Writes a moment as six BCD bytes, in Beijing time."""
    return _second_bytes(at // 1_000_000)


@lru_cache(maxsize=1024)
def _second_bytes(second: int) -> bytes:
    return bytes.fromhex(_write_second(second, "%y%m%d%H%M%S"))


def duration_minutes(value: Value) -> Value:
    """Turns ``HH.mm``, read as a decimal number, into minutes (table C.1, DT)."""
    if not isinstance(value, int | float):
        return value
    hours, minutes = divmod(round(value * 100), 100)
    return hours * 60 + minutes

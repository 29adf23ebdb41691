"""Regular expressions from clients: bounded in length, and none that backtracks without end."""

import re
from functools import lru_cache

from yunmeng.kernel.base import BadInput

_MOST = 2_000
_UNBOUNDED = re.compile(r"[*+]|\{\d*,\d*\}")


@lru_cache(maxsize=1024)
def check_pattern(text: str) -> re.Pattern[str]:
    """Returns the compiled pattern; it matches anywhere unless anchored.

    Raises ``BadInput("pattern.bad")`` when it does not compile, is longer than 2,000 characters, refers back,
    or repeats a group that itself repeats or branches (which can take time without end).
    """
    if len(text) > _MOST or re.search(r"\\[1-9]|\(\?(?!:)", text) or _repeats_repetition(text):
        raise BadInput("pattern.bad", pattern=text[:_MOST])
    try:
        return re.compile(text)
    except (re.error, OverflowError, RecursionError) as cause:
        raise BadInput("pattern.bad", pattern=text) from cause


def _repeats_repetition(text: str) -> bool:
    """Says whether a group with a repetition or branches inside is repeated."""
    open_groups: list[bool] = []
    place = 0
    while place < len(text):
        character = text[place]
        if character == "\\":
            place += 1
        elif character == "[":
            place = _after_class(text, place)
        elif character == "(":
            open_groups.append(False)
        elif character == ")" and open_groups:
            risky = open_groups.pop()
            if risky and _UNBOUNDED.match(text, place + 1):
                return True
            if risky and open_groups:
                open_groups[-1] = True
        elif open_groups and (character == "|" or _UNBOUNDED.match(text, place)):
            open_groups = [True] * len(open_groups)
        place += 1
    return False


def _after_class(text: str, place: int) -> int:
    end = text.find("]", place + 2 if text[place + 1 : place + 2] != "^" else place + 3)
    return end if end >= 0 else len(text)

"""Regular expressions from clients: in an engine whose time grows with the text alone (RE2)."""

from functools import lru_cache
from typing import Protocol, cast

import re2  # pyright: ignore[reportMissingTypeStubs]

from yunmeng.kernel.base import BadInput

_MOST = 2_000
_OPTIONS = re2.Options()  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]
_OPTIONS.log_errors = False


class Pattern(Protocol):
    """A compiled regular expression."""

    @property
    def pattern(self) -> str:
        """What it was compiled from."""
        ...

    def search(self, text: str) -> object | None:
        """Returns something when it matches anywhere in the text."""
        ...


@lru_cache(maxsize=1024)
def check_pattern(text: str) -> Pattern:
    """Returns the compiled pattern; it matches anywhere unless anchored.

    Python's own engine would take longer than anybody waits for ``.*.*.*.*x``; this one never goes back.
    Raises ``BadInput("pattern.bad")`` when it does not compile, is longer than 2,000 characters, or looks
    around or back.
    """
    if len(text) > _MOST:
        raise BadInput("pattern.bad", pattern=text[:_MOST])
    try:
        return cast("Pattern", re2.compile(text, _OPTIONS))  # pyright: ignore[reportUnknownMemberType]
    except (re2.error, UnicodeError) as cause:  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]
        raise BadInput("pattern.bad", pattern=text) from cause

"""What everything else stands on: errors, words, ids, time, units, divisions, settings, packages."""

from yunmeng.kernel.base.errors import (
    BadInput,
    Broken,
    Conflict,
    Forbidden,
    NotFound,
    TooLarge,
    Unauthenticated,
    Unavailable,
    Unsupported,
    YunmengError,
)

__all__ = [
    "BadInput",
    "Broken",
    "Conflict",
    "Forbidden",
    "NotFound",
    "TooLarge",
    "Unauthenticated",
    "Unavailable",
    "Unsupported",
    "YunmengError",
]

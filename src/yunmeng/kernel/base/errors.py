"""One root for every error: a key, facts, an HTTP status, words in two languages and the way out."""

# ruff: noqa: N818 (callers read better as `raise NotFound(...)`)

from collections.abc import Callable
from typing import ClassVar


class YunmengError(Exception):
    """An error that a person can act on.

    ``key`` names it for good (``division.unknown``); the sentences live in the ``words`` tables under
    ``[errors."<key>"]`` as ``title``, ``detail`` and ``remedy``, and ``facts`` fill their placeholders.
    """

    status: ClassVar[int] = 500

    def __init__(self, key: str, /, **facts: object) -> None:
        super().__init__(key, facts)
        self.key = key
        self.facts = facts

    def __reduce__(self) -> "tuple[_Make, tuple[type[YunmengError], str, dict[str, object]]]":
        # jobs run in other processes, and facts are keywords
        return _remake, (type(self), self.key, self.facts)

    @property
    def type(self) -> str:
        """The stable URI of this error (RFC 9457 ``type``)."""
        return f"urn:yunmeng:error:{self.key}"

    def __str__(self) -> str:
        from yunmeng.kernel.base.words import sentence

        return sentence(self.key, self.facts, "en")


class BadInput(YunmengError):
    """The input breaks a rule; it was refused whole."""

    status = 400


class Unauthenticated(YunmengError):
    """Nobody is signed in, or the credentials are wrong."""

    status = 401


class Forbidden(YunmengError):
    """The policy refuses this principal."""

    status = 403


class NotFound(YunmengError):
    """The thing does not exist, or is out of the principal's reach."""

    status = 404


class Conflict(YunmengError):
    """The thing exists already, or changed in between."""

    status = 409


class TooLarge(YunmengError):
    """The body is over the limit."""

    status = 413


class Unsupported(YunmengError):
    """The operation is not offered here."""

    status = 422


class Unavailable(YunmengError):
    """A part that is needed does not answer, is full, or is busy; try again later."""

    status = 503


class Broken(YunmengError):
    """A file or folder of the node is corrupt, foreign, or of a newer version."""

    status = 500


_Make = Callable[[type[YunmengError], str, dict[str, object]], YunmengError]


def _remake(kind: type[YunmengError], key: str, facts: dict[str, object]) -> YunmengError:
    return kind(key, **facts)

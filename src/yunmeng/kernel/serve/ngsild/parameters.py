"""Query parameters of NGSI-LD (§6.3.10 to §6.4.3), read once and checked."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from yunmeng.kernel.base import BadInput, check_urn, seconds_of
from yunmeng.kernel.model import Context, check_pattern
from yunmeng.kernel.serve.refusals import TooMany

MOST_PER_PAGE = 1000
MOST_OFFSET = 10_000_000

Parameters = Mapping[str, str]


def names(text: str | None) -> tuple[str, ...]:
    """Splits a comma-separated list, without empty parts and blanks."""
    return tuple(part.strip() for part in text.split(",") if part.strip()) if text else ()


def flag(parameters: Parameters, name: str) -> bool:
    """Reads ``true`` or ``false`` (the default).

    Raises:
        BadInput: ``query.value``.
    """
    value = parameters.get(name, "false")
    if value not in ("true", "false"):
        raise BadInput("query.value", name=name, value=value)
    return value == "true"


def whole(parameters: Parameters, name: str, default: int, low: int, high: int) -> int:
    """Reads a whole number within bounds.

    Raises:
        BadInput: ``query.number``.
    """
    text = parameters.get(name)
    if text is None:
        return default
    if not text.isascii() or not text.isdigit() or len(text) > 9 or not low <= int(text) <= high:
        raise BadInput("query.number", name=name, value=text, low=low, high=high)
    return int(text)


def duration_s(parameters: Parameters, name: str, default: int) -> int:
    """Reads a duration, in seconds.

    Raises:
        BadInput: ``query.duration``.
    """
    text = parameters.get(name)
    seconds = default if text is None else seconds_of(text)
    if seconds is None:
        raise BadInput("query.duration", name=name, value=text)
    return seconds


def options(parameters: Parameters) -> frozenset[str]:
    """Reads ``options`` and ``format`` as one set of words."""
    return frozenset((*names(parameters.get("options")), *names(parameters.get("format"))))


@dataclass(frozen=True, slots=True)
class Page:
    """Which part of the answer is wanted (§6.3.10)."""

    limit: int
    offset: int
    count: bool


def page(parameters: Parameters) -> Page:
    """Reads limit, offset and count.

    Raises:
        BadInput: ``query.number``, ``query.limit-zero``.
        TooMany: ``query.too-many``.
    """
    count = flag(parameters, "count") or "count" in options(parameters)
    limit = whole(parameters, "limit", 20, 0, 999_999_999)
    if limit > MOST_PER_PAGE:
        raise TooMany("query.too-many", limit=limit, most=MOST_PER_PAGE)
    if limit == 0 and not count:
        raise BadInput("query.limit-zero")
    return Page(limit, whole(parameters, "offset", 0, 0, MOST_OFFSET), count)


def urns(text: str | None) -> tuple[str, ...]:
    """Reads a list of entity ids.

    Raises:
        BadInput: ``id.bad``.
    """
    found = names(text)
    for one in found:
        check_urn(one)
    return found


def pattern(text: str | None) -> str:
    """Reads an ``idPattern``.

    Raises:
        BadInput: ``pattern.bad`` when it is no regular expression, or too long.
    """
    if not text:
        return ""
    check_pattern(text)
    return text


def expanded(terms: Iterable[str], context: Context) -> tuple[str, ...]:
    """Expands attribute names.

    Raises:
        BadInput: ``name.invalid``.
    """
    return tuple(context.expand(term) for term in terms)

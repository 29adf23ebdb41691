"""Type selections and scope queries, parsed and matched (ETSI GS CIM 009 §4.17, §4.19).

Both combine names with ``|`` or ``,`` (one of), ``;`` or ``&`` (all of) and parentheses.
"""

import re
from collections.abc import Callable, Collection
from functools import lru_cache
from typing import Generic, TypeVar

from yunmeng.kernel.base import BadInput
from yunmeng.kernel.model.conditions import (
    ScopeAll,
    ScopeAny,
    ScopeIs,
    ScopeSelection,
    TypeAll,
    TypeAny,
    TypeIs,
    TypeSelection,
)
from yunmeng.kernel.model.contexts import Context
from yunmeng.kernel.model.operations import Document

_T = TypeVar("_T")
_WORD = re.compile(r"[^,|;&()\s]+")
_SCOPE = re.compile(r"(?:/(?:\+|[^\W\d_]\w*))*(?:/#)?\Z")
_DEEPEST = 32
_KEPT = 512


def parse_types(text: str, context: Context) -> TypeSelection:
    """Returns the selection that ``type`` states; names become URIs.

    Raises ``BadInput`` with ``types.selection`` and the position, or ``name.invalid``.
    """
    read = _types if len(text) <= _KEPT else _types.__wrapped__
    return read(text, context)


# pages and dashboards ask the same again and again
@lru_cache(maxsize=512)
def _types(text: str, context: Context) -> TypeSelection:
    return _Selection[TypeSelection](
        text,
        "types.selection",
        lambda name: TypeIs(context.expanded[name]),
        lambda parts: TypeAll(tuple(parts)),
        lambda parts: TypeAny(tuple(parts)),
    ).whole()


def parse_scopes(text: str) -> ScopeSelection:
    """Returns the selection that ``scopeQ`` states. Raises ``BadInput("scopes.bad")`` with the position."""
    return _Selection[ScopeSelection](
        text,
        "scopes.bad",
        _scope,
        lambda parts: ScopeAll(tuple(parts)),
        lambda parts: ScopeAny(tuple(parts)),
    ).whole()


def matches_types(document: Document, selection: TypeSelection) -> bool:
    """Says whether a stored document has the types asked for."""
    return _has_types(document["type"], selection)


def matches_scopes(document: Document, selection: ScopeSelection) -> bool:
    """Says whether a stored document lies in the scopes asked for."""
    return _in_scopes(document.get("scope", ()), selection)


def _has_types(types: Collection[str], selection: TypeSelection) -> bool:
    match selection:
        case TypeIs(uri):
            return uri in types
        case TypeAll(parts):
            return all(_has_types(types, part) for part in parts)
        case TypeAny(parts):
            return any(_has_types(types, part) for part in parts)


def _in_scopes(scopes: Collection[str], selection: ScopeSelection) -> bool:
    match selection:
        case ScopeIs(pattern):
            compiled = scope_pattern(pattern)
            return any(compiled.fullmatch(scope) for scope in scopes)
        case ScopeAll(parts):
            return all(_in_scopes(scopes, part) for part in parts)
        case ScopeAny(parts):
            return any(_in_scopes(scopes, part) for part in parts)


@lru_cache(maxsize=1024)
def scope_pattern(pattern: str) -> re.Pattern[str]:
    """Returns the regular expression that a whole scope must match to lie in ``pattern``."""
    base, hierarchy, _ = pattern.partition("/#")
    levels = ["[^/]+" if level == "+" else re.escape(level) for level in base.split("/")]
    rest = "(?:/.+)?" if hierarchy and base else "/.+" if hierarchy else ""
    return re.compile("/".join(levels) + rest)


def _scope(name: str) -> ScopeSelection:
    pattern = name if name.startswith("/") else f"/{name}"
    if not _SCOPE.match(pattern):
        raise BadInput("scope.invalid", scope=name)
    return ScopeIs(pattern)


class _Selection(Generic[_T]):
    """A recursive descent over names, operators and parentheses."""

    def __init__(
        self,
        text: str,
        error: str,
        one: Callable[[str], _T],
        every: Callable[[list[_T]], _T],
        some: Callable[[list[_T]], _T],
    ) -> None:
        self._text, self._error, self._place, self._depth = text, error, 0, 0
        self._one, self._every, self._some = one, every, some

    def whole(self) -> _T:
        """Returns what the whole text states."""
        found = self._any()
        if self._place < len(self._text):
            raise self._bad()
        return found

    def _bad(self) -> BadInput:
        rest = self._text[self._place : self._place + 20]
        return BadInput(self._error, position=self._place + 1, found=rest)

    def _take(self, tokens: str) -> bool:
        if self._place < len(self._text) and self._text[self._place] in tokens:
            self._place += 1
            return True
        return False

    def _any(self) -> _T:
        parts = [self._all()]
        while self._take("|,"):
            parts.append(self._all())
        return parts[0] if len(parts) == 1 else self._some(parts)

    def _all(self) -> _T:
        parts = [self._atom()]
        while self._take(";&"):
            parts.append(self._atom())
        return parts[0] if len(parts) == 1 else self._every(parts)

    def _atom(self) -> _T:
        if self._take("("):
            self._depth += 1
            if self._depth > _DEEPEST:
                raise self._bad()
            inner = self._any()
            if not self._take(")"):
                raise self._bad()
            self._depth -= 1
            return inner
        word = _WORD.match(self._text, self._place)
        if word is None:
            raise self._bad()
        self._place = word.end()
        return self._one(word[0])

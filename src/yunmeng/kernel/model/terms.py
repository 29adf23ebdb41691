"""What the terms of a JSON-LD context stand for: JSON-LD 1.1 context processing as far as NGSI-LD needs."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from yunmeng.kernel.base import BadInput
from yunmeng.kernel.model.json_values import is_object

_SETTINGS = frozenset(
    ("@base", "@direction", "@import", "@language", "@propagate", "@protected", "@version", "@vocab")
)
_VALUE_KEYWORDS = frozenset(("@id", "@json", "@list", "@none", "@set", "@type", "@value"))
_FRAME_KEYWORDS = frozenset(
    ("@container", "@context", "@graph", "@included", "@index", "@nest", "@prefix", "@reverse")
)
_KEYWORDS = _SETTINGS | _VALUE_KEYWORDS | _FRAME_KEYWORDS
_GENERIC_DELIMITERS = (":", "/", "?", "#", "[", "]", "@")


@dataclass(frozen=True, slots=True)
class Term:
    """One term: its URI or keyword, the type its values are coerced to, and whether it may be a prefix."""

    uri: str
    coercion: str = ""
    prefix: bool = False


@dataclass(slots=True)
class TermTable:
    """The active context: terms, and the vocabulary for those it does not name. ``None`` hides a term."""

    terms: dict[str, Term | None] = field(default_factory=dict[str, "Term | None"])
    vocab: str = ""

    def add(self, local: Mapping[str, Any]) -> None:
        """Takes over the definitions of one context object. Raises ``BadInput("context.invalid")``."""
        self._set_vocab(local)
        pending: dict[str, bool] = {}
        for term in local:
            if term not in _SETTINGS:
                self._define(term, local, pending)

    def expand(self, name: str, *, prefixes_only: bool = True) -> str | None:
        """Returns the URI that ``name`` stands for, or None when it stands for nothing."""
        term = self.terms.get(name)
        if term is not None or name in self.terms:
            return term.uri if term else None
        prefix, colon, suffix = name.partition(":")
        if not colon:
            return self.vocab + name if self.vocab else None
        space = None if suffix.startswith("//") else self.terms.get(prefix)
        if space is not None and (space.prefix or not prefixes_only):
            return space.uri + suffix
        return name

    def _set_vocab(self, local: Mapping[str, Any]) -> None:
        if "@vocab" not in local:
            return
        vocab = local["@vocab"]
        if vocab is not None and not isinstance(vocab, str):
            raise BadInput("context.invalid", reason="@vocab is not a string")
        self.vocab = (self.expand(vocab) or "") if vocab and ":" in vocab else vocab or ""

    def _define(self, term: str, local: Mapping[str, Any], pending: dict[str, bool]) -> None:
        if pending.get(term):
            return
        if term in pending:
            raise BadInput("context.invalid", reason=f"{term} is defined by itself")
        if not term or term in _KEYWORDS:
            raise BadInput("context.invalid", reason=f"{term!r} cannot be a term")
        pending[term] = False
        self.terms[term] = self._read(term, local, pending)
        pending[term] = True

    def _read(self, term: str, local: Mapping[str, Any], pending: dict[str, bool]) -> Term | None:
        value = local[term]
        definition = value if is_object(value) else {"@id": value}
        if "@reverse" not in definition and "@id" in definition and definition["@id"] is None:
            return None
        target = definition.get("@reverse", definition.get("@id", term))
        if not isinstance(target, str):
            raise BadInput("context.invalid", reason=f"{term} stands for no string")
        uri = self._target(term, target, local, pending)
        coercion = definition.get("@type", "")
        if not isinstance(coercion, str):
            raise BadInput("context.invalid", reason=f"@type of {term} is not a string")
        plain = not isinstance(value, dict) and uri.endswith(_GENERIC_DELIMITERS)
        return Term(uri, coercion, bool(definition.get("@prefix", plain)))

    def _target(self, term: str, target: str, local: Mapping[str, Any], pending: dict[str, bool]) -> str:
        if target in _KEYWORDS:
            return target
        prefix, colon, suffix = target.partition(":")
        if target != term and target in local:
            self._define(target, local, pending)
        elif colon and not suffix.startswith("//") and prefix in local and prefix != term:
            self._define(prefix, local, pending)
        if target == term:
            self.terms.pop(term, None)
        uri = self.expand(target, prefixes_only=False)
        if uri is None:
            raise BadInput("context.invalid", reason=f"{term} stands for no URI")
        return uri

    def names(self) -> dict[str, str]:
        """Returns the term to write for each URI: the shortest, then the first in the alphabet."""
        chosen: dict[str, str] = {}
        for name, term in self.terms.items():
            if term is None or term.uri.startswith("@"):
                continue
            rival = chosen.get(term.uri)
            if rival is None or (len(name), name) < (len(rival), rival):
                chosen[term.uri] = name
        return chosen

    def prefixes(self) -> list[tuple[str, str]]:
        """Returns (URI, prefix), longest URI first."""
        found = [(term.uri, name) for name, term in self.terms.items() if term is not None and term.prefix]
        return sorted(found, key=lambda pair: (-len(pair[0]), pair[1]))

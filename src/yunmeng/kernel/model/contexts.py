"""A resolved @context: names to URIs and back (ETSI GS CIM 009 §5.5.7)."""

import re
from collections.abc import Mapping, Sequence
from hashlib import sha256
from typing import Any

import msgspec

from yunmeng.kernel.base import BadInput
from yunmeng.kernel.model.core_context import CORE_CONTEXT, core_document, core_version
from yunmeng.kernel.model.terms import TermTable

ContextMember = str | dict[str, Any] | list[Any]

# §4.6.2 asks for letters, digits and "_"; published data models also use "-" within names.
_NAME = re.compile(r"[^\W\d][\w-]*\Z")
_URI = re.compile(r"""[A-Za-z][A-Za-z0-9+.-]*:[^\x00-\x20\x7f<>"{}|\\^`]+\Z""")
_MOST_CACHED = 50_000


class Context:
    """What the names of one @context stand for; the core context wins over all others.

    ``member`` is the ``@context`` to write into a response body; ``link`` the URL for a Link header,
    empty when no single URL says it all; ``key`` names equal contexts alike on every node.
    """

    def __init__(self, parts: Sequence[Mapping[str, Any]], sources: Sequence[str | dict[str, Any]]) -> None:
        self._table = TermTable()
        for part in (*parts, core_document()["@context"]):
            self._table.add(part)
        self._names = self._table.names()
        self._prefixes = self._table.prefixes()
        self.expanded = _Expanded(self)
        self.compacted = _Compacted(self)
        cores = [source for source in sources if isinstance(source, str) and core_version(source)]
        own = [source for source in sources if source not in cores]
        core = cores[0] if cores else CORE_CONTEXT
        # the core context applies whether it is named or not (§5.5.7), so the caller's own words stand
        named = list(sources) or [core]
        self.member: ContextMember = named[0] if len(named) == 1 else named
        self.link = core if not own else own[0] if len(own) == 1 and isinstance(own[0], str) else ""
        self.key = sha256(msgspec.json.encode(self.member, order="deterministic")).hexdigest()[:16]

    def expand(self, term: str) -> str:
        """Returns the URI of a type or attribute name. Raises ``BadInput("name.invalid")`` (§4.6.2)."""
        return self.expanded[term]

    def compact(self, uri: str) -> str:
        """Returns the name of a URI: a term, else its vocabulary name, else prefix:name, else itself."""
        return self.compacted[uri]

    def expand_new(self, term: str) -> str:
        """Works out :meth:`expand` afresh, without the cache."""
        if not _NAME.match(term) and not _URI.match(term):
            raise BadInput("name.invalid", name=term)
        uri = self._table.expand(term)
        if uri is None or uri.startswith("@"):
            raise BadInput("name.invalid", name=term)
        return uri

    def compact_new(self, uri: str) -> str:
        """Works out :meth:`compact` afresh, without the cache."""
        name = self._names.get(uri)
        if name is not None:
            return name
        vocab = self._table.vocab
        if vocab and uri.startswith(vocab) and self._means(uri[len(vocab) :], uri):
            return uri[len(vocab) :]
        for space, prefix in self._prefixes:
            short = f"{prefix}:{uri[len(space) :]}"
            if uri.startswith(space) and len(uri) > len(space) and self._means(short, uri):
                return short
        return uri

    def _means(self, name: str, uri: str) -> bool:
        usable = _NAME.match(name) or _URI.match(name)
        return bool(usable) and self._table.expand(name) == uri


class _Expanded(dict[str, str]):
    """Name to URI, filled as names are asked for; a plain lookup on the hot path."""

    def __init__(self, context: Context) -> None:
        super().__init__()
        self._context = context

    def __missing__(self, name: str) -> str:
        uri = self._context.expand_new(name)
        if len(self) < _MOST_CACHED:
            self[name] = uri
        return uri


class _Compacted(dict[str, str]):
    """URI to name, filled as URIs are asked for."""

    def __init__(self, context: Context) -> None:
        super().__init__()
        self._context = context

    def __missing__(self, uri: str) -> str:
        name = self._context.compact_new(uri)
        if len(self) < _MOST_CACHED:
            self[uri] = name
        return name

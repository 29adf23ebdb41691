"""Where contexts come from: the core that ships inside, mapped files, hosted documents, the network."""

import re
from collections import Counter, OrderedDict
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from yunmeng.kernel.base import BadInput, YunmengError, now_us
from yunmeng.kernel.model.context_fetching import ContextFetcher
from yunmeng.kernel.model.contexts import Context, ContextMember
from yunmeng.kernel.model.core_context import core_document, core_version
from yunmeng.kernel.model.json_values import is_array, is_object

_LINK = re.compile(r"<([^<>]+)>((?:\s*;\s*[^;,]+)*)")
_CONTEXT_RELATION = "http://www.w3.org/ns/json-ld#context"
_MOST_DEPTH = 8
_MOST_CONTEXTS = 1024


class ContextUse(NamedTuple):
    """Whether and since when a document is held, when it was used last (µs UTC, 0: never) and how often."""

    since: int = 0
    used: int = 0
    hits: int = 0
    held: bool = False

    def joined(self, other: "ContextUse") -> "ContextUse":
        """Returns the use in two processes as one."""
        since = min(filter(None, (self.since, other.since)), default=0)
        return ContextUse(since, max(self.used, other.used), self.hits + other.hits, self.held or other.held)


class ContextLibrary:
    """Resolves @context members; whatever it has resolved once it answers from memory.

    ``own`` are documents by URL that nobody has to fetch: those of this node's own types.

    ``files`` maps URLs to files (setting ``contexts``) and goes before the network, also for core contexts.
    Contexts at private addresses, this machine's among them, are fetched only when ``private`` allows it.
    """

    def __init__(
        self,
        files: Mapping[str, str | Path] | None = None,
        *,
        timeout_s: float = 5.0,
        private: bool = False,
        own: Mapping[str, dict[str, Any]] | None = None,
    ) -> None:
        self._own = dict(own or {})
        self._files = {url: Path(file) for url, file in (files or {}).items()}
        self._fetcher = ContextFetcher(timeout_s, private=private)
        self._documents: dict[str, dict[str, Any]] = {}
        self._since: dict[str, int] = {}
        self._hits: Counter[str] = Counter()
        self._used: dict[str, int] = {}
        self._contexts: OrderedDict[str | bytes, Context] = OrderedDict()
        self.core = Context((), ())

    async def resolve(self, member: ContextMember | None = None, link_header: str | None = None) -> Context:
        """Returns the context of a body's ``@context``, else of the Link header, else the core context alone.

        Raises ``BadInput("context.invalid")``, and ``Unavailable`` (``context.unavailable``,
        ``context.private``, with ``url``) when a document cannot be had (LdContextNotAvailable).
        """
        if member is None:
            member = context_link(link_header) if link_header else None
            if member is None:
                return self.core
        key = member if isinstance(member, str) else msgspec.json.encode(member)
        known = self._contexts.get(key)
        if known is not None:
            return known
        context = await self._load(member)
        self._contexts[key] = context
        if len(self._contexts) > _MOST_CONTEXTS:
            self._contexts.popitem(last=False)
        return context

    def count(self, member: ContextMember | None) -> None:
        """Counts one use of every document that a member names."""
        for url in (member,) if isinstance(member, str) else member if is_array(member) else ():
            if isinstance(url, str) and len(self._hits) < _MOST_CONTEXTS:
                self._hits[url] += 1
                self._used[url] = now_us()

    def uses(self) -> dict[str, ContextUse]:
        """Returns the use of every document that is held or was used, by URL."""
        return {
            url: ContextUse(
                self._since.get(url, 0),
                self._used.get(url, 0),
                self._hits.get(url, 0),
                url in self._documents,
            )
            for url in {**self._documents, **self._hits}
        }

    async def reload(self, url: str) -> None:
        """Fetches a document anew; the one held stays when that fails. Raises like :meth:`resolve`."""
        held = self._documents.pop(url, None)
        try:
            await self._fetch(url)
        except YunmengError:
            if held is not None:
                self._documents[url] = held
            raise
        self._contexts.clear()

    def add(self, url: str, document: Mapping[str, Any]) -> None:
        """Hosts a document with an ``@context`` under a URL. Raises ``BadInput("context.invalid")``."""
        if "@context" not in document:
            raise BadInput("context.invalid", reason="no @context in the document")
        self._documents[url] = dict(document)
        self._contexts.clear()

    def forget(self, url: str) -> bool:
        """Drops a hosted or fetched document and its count of uses; says whether there was one."""
        self._hits.pop(url, None)
        self._used.pop(url, None)
        return self.drop(url)

    def drop(self, url: str) -> bool:
        """Drops a hosted or fetched document, so that it is fetched anew; says whether there was one."""
        self._contexts.clear()
        return self._documents.pop(url, None) is not None

    def document(self, url: str) -> dict[str, Any] | None:
        """Returns the document at a URL as far as it is here, core contexts included."""
        held = self._documents.get(url)
        version = core_version(url)
        return held if held is not None or version is None else core_document(version)

    async def close(self) -> None:
        """Closes connections."""
        await self._fetcher.close()

    async def _load(self, member: ContextMember) -> Context:
        parts: list[dict[str, Any]] = []
        await self._collect(member, parts, 0)
        sources: list[Any] = member if isinstance(member, list) else [member]
        return Context(parts, [source for source in sources if source is not None])

    async def _collect(self, member: object, parts: list[dict[str, Any]], depth: int) -> None:
        if depth > _MOST_DEPTH:
            raise BadInput("context.invalid", reason="contexts include each other too deeply")
        if member is None:
            parts.clear()
        elif isinstance(member, str):
            # the core context is put behind all others in any case (§5.5.7)
            if core_version(member) is None or member in self._files:
                document = await self._fetch(member)
                await self._collect(document["@context"], parts, depth + 1)
        elif is_array(member):
            for item in member:
                await self._collect(item, parts, depth + 1)
        elif is_object(member):
            await self._collect_object(member, parts, depth)
        else:
            raise BadInput("context.invalid", reason="a context is a URL, an object or a list of them")

    async def _collect_object(self, part: dict[str, Any], parts: list[dict[str, Any]], depth: int) -> None:
        if "@context" in part and len(part) == 1:
            await self._collect(part["@context"], parts, depth + 1)
            return
        if any(is_object(term) and "@context" in term for term in part.values()):
            raise BadInput("context.scoped")
        if "@import" in part:
            await self._collect(part["@import"], parts, depth + 1)
        parts.append(part)

    async def _fetch(self, url: str) -> dict[str, Any]:
        if url in self._own:
            return self._own[url]
        held = self._documents.get(url)
        if held is not None:
            return held
        body = self._files[url].read_bytes() if url in self._files else await self._fetcher.fetch(url)
        try:
            document = msgspec.json.decode(body, type=dict[str, Any])
        except (msgspec.MsgspecError, UnicodeDecodeError) as cause:
            raise BadInput("context.invalid", reason=f"{url} holds no JSON object") from cause
        if "@context" not in document:
            raise BadInput("context.invalid", reason=f"no @context at {url}")
        self._documents[url] = document
        self._since[url] = now_us()
        return document


@lru_cache(maxsize=256)
def context_link(header: str) -> str | None:
    """Returns the URL of the JSON-LD context in a Link header. Raises ``BadInput("context.link")`` on two."""
    found: list[str] = []
    for target, parameters in _LINK.findall(header):
        relations = [
            value.strip().strip('"')
            for name, _, value in (item.partition("=") for item in parameters.split(";"))
            if name.strip().lower() == "rel"
        ]
        if any(_CONTEXT_RELATION in relation.split() for relation in relations):
            found.append(target.strip())
    if len(found) > 1:
        raise BadInput("context.link", header=header)
    return found[0] if found else None

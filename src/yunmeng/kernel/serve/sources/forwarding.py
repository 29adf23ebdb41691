"""Requests to context sources: their headers, their time limit, and what came of them (§4.3.6, §6.3.17)."""

import asyncio
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Literal
from urllib.parse import quote, urlencode

import msgspec

from yunmeng.kernel.base.http import HttpClient, HttpTrouble, TooLong
from yunmeng.kernel.model import CORE_CONTEXT, Context, context_link
from yunmeng.kernel.serve.ngsild.negotiation import link_header
from yunmeng.kernel.serve.replies import JSON, LD_JSON
from yunmeng.kernel.serve.siblings import Siblings
from yunmeng.kernel.serve.sources.registration import Registration
from yunmeng.kernel.serve.sources.tallies import Tallies

ROOT = "/ngsi-ld/v1"
MOST_BYTES = 16 << 20

_FROM_REQUEST = "urn:ngsi-ld:request"
_REST = "source-rests"
_encode = msgspec.msgpack.encode
_told = msgspec.msgpack.Decoder(tuple[str, float]).decode

Trouble = Literal["", "timeout", "unreachable", "loop", "large", "cooldown"]


@dataclass(frozen=True, slots=True)
class Forward:
    """One request to one source; ``body`` is a JSON value whose names stand in ``context``."""

    registration: Registration
    method: str
    path: str
    context: Context
    parameters: Mapping[str, str] = field(default_factory=dict[str, str])
    body: Any = None


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back; ``trouble`` says why nothing did, ``status`` is then 0."""

    forward: Forward
    status: int
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    trouble: Trouble = ""

    @property
    def fine(self) -> bool:
        """Whether the source did what it was asked."""
        return 200 <= self.status < 300

    def decoded(self) -> Any:
        """Returns the body as JSON, None when it is none."""
        try:
            return msgspec.json.decode(self.body)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return None


@dataclass(frozen=True, slots=True)
class Origin:
    """The request that makes others necessary: its headers, and the brokers that it has come through."""

    tenant: str
    headers: Mapping[bytes, bytes]
    alias: str

    @property
    def via(self) -> str:
        """The Via header as it arrived."""
        return self.headers.get(b"via", b"").decode("latin-1")

    @property
    def passed(self) -> frozenset[str]:
        """The aliases of the brokers on the way."""
        return frozenset(part.split()[1] for part in self.via.split(",") if len(part.split()) > 1)

    def loops(self, registration: Registration) -> bool:
        """Whether asking this source would bring the request back to where it has been."""
        passed = self.passed
        return self.alias in passed or (registration.host_alias in passed if passed else False)


class Forwarder:
    """Sends requests to sources, side by side, none longer than its registration allows."""

    def __init__(self, siblings: Siblings) -> None:
        self._client = HttpClient()
        self.tallies = Tallies(siblings)
        self._resting: dict[str, float] = {}
        self._siblings = siblings
        siblings.tell(_REST, self._told_to_rest)

    async def send_all(self, forwards: Sequence[Forward], origin: Origin) -> list[Answer]:
        """Returns one answer for each, in order."""
        return list(await asyncio.gather(*(self.send(one, origin) for one in forwards)))

    async def send(self, forward: Forward, origin: Origin) -> Answer:
        """Returns what the source answered, or why it did not."""
        registration = forward.registration
        if origin.loops(registration):
            return Answer(forward, 0, trouble="loop")
        if self._resting.get(registration.id, 0.0) > time.monotonic():
            return Answer(forward, 0, trouble="cooldown")
        answer = await self._within(forward, origin)
        self.tallies.count(registration.tenant, registration.id, answer.status)
        if registration.cooldown_s and (answer.trouble in ("timeout", "unreachable") or answer.status >= 500):
            self._rest(registration.id, registration.cooldown_s)
            await self._siblings.ask(_REST, _encode((registration.id, registration.cooldown_s)))
        return answer

    def _rest(self, id_: str, seconds: float) -> None:
        self._resting[id_] = time.monotonic() + seconds

    async def _told_to_rest(self, data: bytes) -> bytes:
        self._rest(*_told(data))
        return b""

    async def close(self) -> None:
        """Closes the connections."""
        self._client.close()

    async def _within(self, forward: Forward, origin: Origin) -> Answer:
        try:
            async with asyncio.timeout(forward.registration.timeout_s):
                return await self._ask(forward, origin)
        except TimeoutError:
            return Answer(forward, 0, trouble="timeout")
        except TooLong:
            return Answer(forward, 0, trouble="large")
        except HttpTrouble:
            return Answer(forward, 0, trouble="unreachable")

    async def _ask(self, forward: Forward, origin: Origin) -> Answer:
        url = forward.registration.endpoint + ROOT + forward.path
        if forward.parameters:
            url = f"{url}?{_written(tuple(forward.parameters.items()))}"
        content, headers = _content(forward)
        headers.update(_headers(forward, origin))
        answer = await self._client.ask(forward.method, url, headers, content, MOST_BYTES)
        return Answer(forward, answer.status, answer.body, answer.headers)


def forward_context(registration: Registration, context: Context) -> Context | None:
    """Returns the context in which a source is spoken to; None when that is the core context alone.

    The one that its registration asks for (``jsonldContext``, §4.3.6.6), else the caller's where one
    URL names it.
    """
    if registration.context is not None:
        return registration.context
    return context if context.link else None


@lru_cache(maxsize=256)
def _written(parameters: tuple[tuple[str, str], ...]) -> str:
    """Writes parameters, which are the same for many sources."""
    return urlencode(parameters, quote_via=quote, safe=":,;/@")


def _content(forward: Forward) -> tuple[bytes | None, dict[str, str]]:
    context = forward.context
    # what a registration asks for is sent even where every broker would assume it (§4.3.6.6)
    told = forward.registration.context is not None or context.link != CORE_CONTEXT
    link = {"Link": link_header(context.link)} if context.link and told else {}
    if forward.body is None:
        return None, link
    wanted = forward.registration.content_type
    inline = wanted == LD_JSON or not context.link
    if forward.registration.context is not None and context.link:
        inline = False
    if not inline:
        return msgspec.json.encode(forward.body), {"Content-Type": wanted or JSON, **link}
    return msgspec.json.encode(_with_context(forward.body, context)), {"Content-Type": LD_JSON}


def _with_context(body: Any, context: Context) -> Any:
    if isinstance(body, list):
        return [{**one, "@context": context.member} if isinstance(one, dict) else one for one in body]  # pyright: ignore[reportUnknownVariableType]
    return {**body, "@context": context.member}


def _headers(forward: Forward, origin: Origin) -> dict[str, str]:
    registration = forward.registration
    via = f"1.1 {origin.alias}"
    headers = {
        "Accept": registration.accept or JSON,
        "Via": f"{origin.via}, {via}" if origin.via else via,
    }
    tenant = registration.remote_tenant
    if tenant:
        headers["NGSILD-Tenant"] = tenant
    for name, value in registration.headers:
        if value != _FROM_REQUEST:
            headers[name] = value
        elif (given := origin.headers.get(name.lower().encode("latin-1"))) is not None:
            headers[name] = given.decode("latin-1")
    return headers


def answer_context(answer: Answer) -> str:
    """Returns the URL of the context that the answer's Link header names, empty without one."""
    return context_link(answer.headers.get("link", "")) or "" if answer.headers.get("link") else ""

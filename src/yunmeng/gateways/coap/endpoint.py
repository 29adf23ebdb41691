"""aiocoap, which owns the sockets: requests that come, requests that go, resources that are observed.

Nothing else imports the library. Its transports: RFC 7252 over UDP and DTLS (with DTLSSocket), RFC 8323 over
TCP; blocks (RFC 7959) both ways; OSCORE (RFC 8613); the resource directory (RFC 9176).
"""

import asyncio
import sys
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import msgspec

from yunmeng.kernel.base import BadInput, Unavailable
from yunmeng.kernel.sense import bad_frame

MOST_BYTES = 256 << 10
"""A payload in blocks is refused beyond this."""

_MOST_UNFINISHED = 200
_LINK_FORMAT = 40
_DIRECTORY = ("rd", "reg", "rd-lookup")
_DTLS_BEYOND = 1
"""aiocoap listens for DTLS on the port after the one that it is told."""

_TRANSPORTS: Mapping[str, Sequence[str]] = {
    "udp": ("udp6",) if sys.platform == "linux" else ("simplesocketserver", "simple6"),
    "tcp": ("tcpserver", "tcpclient"),
    "dtls": ("tinydtls_server", "tinydtls"),
}


class Ask(msgspec.Struct, frozen=True):
    """A request: its path without the first slash, and ``remote``, where its answer goes.

    ``claims`` are the names under which its sender's keys are known; empty for one without protection.
    """

    method: str
    path: str
    payload: bytes = b""
    format: int | None = None
    query: tuple[str, ...] = ()
    remote: Any = None
    peer: str = "?"
    claims: tuple[str, ...] = ()


class Told(msgspec.Struct, frozen=True):
    """A response: its code as in ``2.04``."""

    code: str
    payload: bytes = b""
    format: int | None = None
    max_age: int | None = None

    @property
    def is_good(self) -> bool:
        """Whether it is a success."""
        return self.code.startswith("2.")


Handler = Callable[[Ask], Awaitable[Told]]


def aiocoap(part: str = "") -> Any:
    """Returns the library or a part of it. Raises ``Unavailable("sense.extra")`` without it."""
    try:
        return import_module(f"aiocoap.{part}" if part else "aiocoap")
    except ImportError as cause:
        raise Unavailable("sense.extra", gateway="coap", library="aiocoap", extra="coap") from cause


def write_message(ask: Ask) -> bytes:
    """Writes a request as one message of RFC 7252 §3, whatever blocks it came in."""
    library = aiocoap()
    message = library.Message(
        code=getattr(library, ask.method),
        payload=ask.payload,
        content_format=ask.format,
        uri_path=tuple(ask.path.split("/")),
        uri_query=ask.query,
        _mtype=library.NON,
        _mid=0,
    )
    return bytes(message.encode())


def read_message(frame: bytes) -> Ask:
    """Reads a request from one message. Raises ``BadInput("frame.bad")``."""
    library = aiocoap()
    try:
        message = library.Message.decode(frame)
        if not message.code.is_request():
            raise bad_frame("coap", f"code {message.code}")
        return _ask(message)
    except BadInput:
        raise
    except (library.error.Error, ValueError, IndexError, TypeError, AttributeError) as cause:
        raise bad_frame("coap", str(cause) or type(cause).__name__) from cause


class Endpoint:
    """One context of aiocoap: a server, or a client."""

    def __init__(self, context: Any, close: Callable[[], None] = lambda: None) -> None:
        self._context = context
        self._close = close

    async def ask(self, ask: Ask, *, host: str = "", patience_s: float = 60.0) -> Told:
        """Asks a device: ``ask.remote``, or ``host`` as in ``192.0.2.1:5683``.

        Raises:
            Unavailable: ``command.timeout`` when it does not answer.
        """
        try:
            async with asyncio.timeout(patience_s):
                answer: Any = await self._context.request(_message(ask, host)).response
        except (aiocoap("error").Error, OSError, TimeoutError) as cause:
            raise Unavailable("command.timeout", device=host or ask.peer) from cause
        return _told(answer)

    async def observe(self, ask: Ask, host: str, stale_s: float) -> AsyncGenerator[Told]:
        """Yields what a resource is and becomes (RFC 7641); ends when the device ends it or cannot.

        Raises:
            Unavailable: ``command.timeout`` when nothing came for ``stale_s``, or the device is gone.
        """
        message = _message(ask, host)
        message.opt.observe = 0
        request = self._context.request(message)
        error = aiocoap("error")
        try:
            async with asyncio.timeout(stale_s):
                first: Any = await request.response
            yield _told(first)
            notices: Any = request.observation.__aiter__()
            while True:
                async with asyncio.timeout(stale_s):
                    notice: Any = await anext(notices)
                yield _told(notice)
        except StopAsyncIteration:
            return
        except (error.Error, OSError, TimeoutError) as cause:
            raise Unavailable("command.timeout", device=host) from cause
        finally:
            if not request.observation.cancelled:
                request.observation.cancel()

    async def close(self) -> None:
        """Ends it."""
        self._close()
        await self._context.shutdown()


async def open_client(keys: Mapping[str, Any]) -> Endpoint:
    """Opens a client; ``keys`` are credentials as aiocoap's ``credentials.cddl`` has them."""
    transports = ["udp6" if sys.platform == "linux" else "simple6", "tcpclient"]
    if keys:
        transports.insert(0, "oscore")
    context = await aiocoap().Context.create_client_context(transports=transports)
    context.client_credentials.load_from_dict(dict(keys))
    return Endpoint(context)


async def open_server(
    transport: str,
    host: str,
    port: int,
    handler: Handler,
    links: Iterable[str],
    keys: Mapping[str, Any] | None = None,
) -> Endpoint:
    """Opens a server that answers every request by ``handler``.

    Raises:
        Unavailable: ``sense.extra`` without DTLSSocket for ``dtls``.
        OSError: when the port cannot be had.
    """
    library = aiocoap()
    if transport == "dtls" and find_spec("DTLSSocket") is None:
        raise Unavailable("sense.extra", gateway="coap", library="DTLSSocket", extra="coap")
    site = _Site(handler, links)
    if transport == "dtls":
        port -= _DTLS_BEYOND
    context = await library.Context.create_server_context(
        None, bind=(host, port), transports=list(_TRANSPORTS[transport])
    )
    context.serversite = site
    if keys:
        context.server_credentials.load_from_dict(dict(keys))
        if transport != "dtls":
            wrapper = aiocoap("oscore_sitewrapper")
            context.serversite = wrapper.OscoreSiteWrapper(site, context.server_credentials)
    return Endpoint(context, site.close)


def oscore_keys(folder: Path) -> dict[str, Any]:
    """Returns the security contexts of a folder: one folder each, named as its device, in aiocoap's form."""
    found = [each for each in sorted(folder.iterdir()) if each.is_dir()]
    return {f":{each.name}": {"oscore": {"basedir": f"{each}/"}} for each in found}


class _Site:
    """All resources at once: blocks are joined, the directory kept, the rest handed on."""

    def __init__(self, handler: Handler, links: Iterable[str]) -> None:
        self._handler = handler
        blocks = aiocoap("blockwise")
        self._block1, self._block2 = blocks.Block1Spool(), blocks.Block2Cache()
        self._directory, self._registered = _directory()
        self._links = [*links, '</rd>;rt="core.rd"', '</rd-lookup/ep>;rt="core.rd-lookup-ep"']

    def close(self) -> None:
        """Forgets who is registered."""
        for each in list(self._registered.get_endpoints()):
            each.timeout.cancel()

    def get_resources_as_linkheader(self) -> Any:
        """Returns what the directory says of itself."""
        return self._directory.get_resources_as_linkheader()

    async def render_to_pipe(self, pipe: Any) -> None:
        """Answers one request of aiocoap."""
        request = pipe.request
        if request.opt.uri_path[:1] and request.opt.uri_path[0] in _DIRECTORY:
            await self._directory.render_to_pipe(pipe)
            if request.opt.uri_path == ("rd",):
                # the directory has answered; we remember where the endpoint is
                await self._handler(_ask(request))
            return
        block = request.opt.block1
        if block is not None:
            self._check(block)
        request = self._block1.feed_and_take(request)
        response = await self._block2.extract_or_insert(request, lambda: self._render(request))
        response.opt.block1 = request.opt.block1
        pipe.add_response(response, is_last=True)

    def _check(self, block: Any) -> None:
        """Bounds what unfinished payloads may take: one of them, and all together."""
        error = aiocoap("error")
        if (block.block_number + 1) * block.size > MOST_BYTES:
            raise error.RequestEntityTooLarge
        # the library forgets them after a while (MAX_TRANSMIT_WAIT), and has no bound of its own
        if block.block_number == 0 and len(self._block1._assemblies._items) >= _MOST_UNFINISHED:
            raise error.ServiceUnavailable

    async def _render(self, request: Any) -> Any:
        ask = _ask(request)
        if ask.path == ".well-known/core" and ask.method == "GET":
            return _response(Told("2.05", ",".join(self._links).encode(), _LINK_FORMAT))
        return _response(await self._handler(ask))


def _directory() -> tuple[Any, Any]:
    """Returns a resource directory (RFC 9176) as aiocoap has it, and its register."""
    parts, site = aiocoap("cli.rd"), aiocoap("resource").Site()
    register = parts.CommonRD()
    site.add_resource(["rd"], parts.DirectoryResource(common_rd=register))
    site.add_resource(register.entity_prefix, parts.RegistrationDispatchSite(common_rd=register))
    site.add_resource(["rd-lookup", "ep"], parts.EndpointLookupInterface(common_rd=register))
    site.add_resource(["rd-lookup", "res"], parts.ResourceLookupInterface(common_rd=register))
    return site, register


def _ask(message: Any) -> Ask:
    remote, peer, claims = message.remote, "?", ()
    if remote is not None:
        claims = tuple(str(name).lstrip(":") for name in remote.authenticated_claims)
        with suppress(aiocoap("error").AnonymousHost):
            peer = str(remote.hostinfo)
    format = message.opt.content_format
    return Ask(
        str(message.code),
        "/".join(message.opt.uri_path),
        bytes(message.payload),
        None if format is None else int(format),
        tuple(message.opt.uri_query),
        remote,
        peer,
        claims,
    )


def _message(ask: Ask, host: str) -> Any:
    library = aiocoap()
    code = getattr(library, ask.method)
    more: dict[str, Any] = {"uri": f"coap://{host}"} if host else {}
    message = library.Message(code=code, payload=ask.payload, content_format=ask.format, **more)
    message.opt.uri_path = tuple(part for part in ask.path.split("/") if part)
    message.opt.uri_query = ask.query
    if not host:
        message.remote = ask.remote
    return message


def _told(message: Any) -> Told:
    format = message.opt.content_format
    return Told(
        str(message.code.dotted),
        bytes(message.payload),
        None if format is None else int(format),
        message.opt.max_age,
    )


def _response(told: Told) -> Any:
    library = aiocoap()
    major, _, minor = told.code.partition(".")
    code = library.numbers.codes.Code(int(major) << 5 | int(minor))
    message = library.Message(code=code, payload=told.payload, content_format=told.format)
    message.opt.max_age = told.max_age
    return message

"""Connections of a caster: a request decides whether a peer feeds, listens, or reads the table."""

import asyncio
import logging
import re
from typing import cast

from yunmeng.gateways.ntrip.bodies import Listener, Source
from yunmeng.gateways.ntrip.caster import Caster
from yunmeng.gateways.ntrip.http import AGENT, Request, head_end, read_request
from yunmeng.gateways.ntrip.mounts import Rover
from yunmeng.kernel.base import BadInput, Unavailable
from yunmeng.kernel.sense import Hub

_HEAD_S = 15.0
_OK = {1: "ICY 200 OK\r\n\r\n", 2: "HTTP/1.1 200 OK\r\nNtrip-Version: Ntrip/2.0\r\n"}
_ERRORS = {
    400: "Bad Request",
    401: "Unauthorized",
    404: "Not Found",
    409: "Conflict",
}
_MOUNT = re.compile(r"[A-Za-z0-9_.-]{1,100}\Z")
_log = logging.getLogger("yunmeng.sense")


class Peer(asyncio.Protocol):
    """One connection: a head, then a source's frames or a rover's sentences."""

    def __init__(self, caster: Caster, open_peers: "set[Peer]") -> None:
        self._caster = caster
        self._open_peers = open_peers
        self._transport: asyncio.Transport | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._head = bytearray()
        self._peer = "?"
        self._body: Source | Listener | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Waits for a head, not for ever."""
        self._transport = cast("asyncio.Transport", transport)
        host, port = (transport.get_extra_info("peername") or ("?", 0))[:2]
        self._peer = f"{host}:{port}"
        self._open_peers.add(self)
        self._timer = asyncio.get_running_loop().call_later(_HEAD_S, self.close)

    def data_received(self, data: bytes) -> None:
        """Takes what belongs to the head, or to what follows it."""
        try:
            if self._body is not None:
                self._body.hear(data)
            else:
                self._begin(data)
        except BadInput as reason:
            _log.info("%s: %s", self._peer, reason)
            self._fail(400) if self._body is None else self.close()

    def connection_lost(self, exc: Exception | None) -> None:
        """Ends what was begun."""
        self._open_peers.discard(self)
        if self._timer is not None:
            self._timer.cancel()
        if self._body is not None:
            self._body.lost()

    def close(self) -> None:
        """Hangs up."""
        if self._transport is not None:
            self._transport.close()

    def _begin(self, data: bytes) -> None:
        self._head += data
        end = head_end(self._head)
        if end < 0 or self._transport is None:
            return
        head, rest = bytes(self._head[:end]), bytes(self._head[end:])
        self._head.clear()
        if self._timer is not None:
            self._timer.cancel()
        request = read_request(head)
        (self._listen if request.method == "GET" else self._feed)(request, self._transport)
        if rest and self._body is not None:
            self._body.hear(rest)

    def _listen(self, request: Request, transport: asyncio.Transport) -> None:
        mount = self._caster.mounts.get(request.mount)
        if not request.mount or (mount is None and request.revision == 1):
            self._tell_table(request)
        elif mount is None:
            self._fail(404)
        elif (user := self._caster.may_listen(request)) is None:
            self._fail(401)
        else:
            chunked = request.revision == 2
            said = _OK[request.revision]
            said += "Content-Type: gnss/data\r\nTransfer-Encoding: chunked\r\n\r\n" if chunked else ""
            transport.write(said.encode())
            rover = Rover(transport, chunked=chunked, most=self._caster.most)
            self._body = Listener(self._caster.hub, mount, rover, user, self._peer)
            if gga := request.headers.get("ntrip-gga"):
                self._body.hear(gga.encode() + b"\r\n")

    def _feed(self, request: Request, transport: asyncio.Transport) -> None:
        if not _MOUNT.match(request.mount):
            self._fail(404, request)
        elif not self._caster.may_feed(request):
            self._fail(401, request)
        elif request.mount in self._caster.mounts:
            self._fail(409, request)
        else:
            said = _OK[2] + "\r\n" if request.method == "POST" else _OK[1].removesuffix("\r\n")
            transport.write(said.encode())
            self._body = Source(self._caster, request, self._peer, transport)

    def _tell_table(self, request: Request) -> None:
        table = self._caster.table().encode()
        first = (
            "HTTP/1.1 200 OK\r\nNtrip-Version: Ntrip/2.0" if request.revision == 2 else "SOURCETABLE 200 OK"
        )
        kind = "gnss/sourcetable" if request.revision == 2 else "text/plain"
        self._say(
            f"{first}\r\nServer: {AGENT}\r\nContent-Type: {kind}\r\nContent-Length: {len(table)}\r\n"
            "Connection: close\r\n\r\n".encode()
            + table
        )

    def _fail(self, status: int, request: Request | None = None) -> None:
        self._caster.hub.sink.counts["unwelcome"] += 1
        if request is not None and request.method == "SOURCE":
            reason = {401: "Bad Password", 409: "Mount Point Taken"}.get(status, "Bad Mount Point")
            self._say(f"ERROR - {reason}\r\n".encode())
            return
        more = 'WWW-Authenticate: Basic realm="NTRIP"\r\n' if status == 401 else ""
        self._say(
            f"HTTP/1.1 {status} {_ERRORS[status]}\r\nNtrip-Version: Ntrip/2.0\r\nServer: {AGENT}\r\n{more}"
            "Content-Length: 0\r\nConnection: close\r\n\r\n".encode()
        )

    def _say(self, data: bytes) -> None:
        if self._transport is not None:
            self._transport.write(data)
            self._transport.close()


async def serve_caster(hub: Hub) -> None:
    """Listens until it is cancelled. Raises ``Unavailable("sense.port")``."""
    listen, loop = hub.listen, asyncio.get_running_loop()
    host, port = listen.host or "127.0.0.1", listen.port or hub.gateway.ports["tcp"]
    caster, peers = Caster(hub), set[Peer]()
    try:
        server = await loop.create_server(lambda: Peer(caster, peers), host, port, backlog=1024)
    except OSError as cause:
        raise Unavailable("sense.port", name=listen.name, host=host, port=port, reason=str(cause)) from cause
    hub.bound(server.sockets[0].getsockname()[:2])
    try:
        async with server:
            await server.serve_forever()
    finally:
        for peer in list(peers):
            peer.close()

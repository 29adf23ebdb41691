"""A caster: sources push, rovers listen, everybody may ask for the table of sources (NTRIP 1.0 and 2.0)."""

import asyncio
import logging
import re
from collections.abc import Mapping
from typing import cast

from yunmeng.gateways.ntrip.http import AGENT, Chunks, Request, head_end, read_request
from yunmeng.gateways.ntrip.mounts import Mount, Rover
from yunmeng.gateways.ntrip.nmea import LONGEST, Fix, read_gga
from yunmeng.gateways.ntrip.session import PIECE, SourceSession, seconds
from yunmeng.kernel.base import BadInput, Unavailable, now_us
from yunmeng.kernel.sense import Channel, Hub, Locate

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


class Caster:
    """The mount points of one place to listen, and who may use them.

    Options: ``admit=known`` (only registered mount points and users), ``queue`` (bytes that may wait for one
    rover), ``every`` (seconds between two reports), ``operator`` (for the sourcetable).
    """

    def __init__(self, hub: Hub) -> None:
        self.hub = hub
        self.mounts: dict[str, Mount] = {}
        self.most = int(seconds(hub.listen.options, "queue", "65536"))
        self.connections: set[_Peer] = set()

    def table(self) -> str:
        """Returns the sourcetable (NTRIP 2.0, 3.4): this caster, and each mount point that is fed."""
        options = self.hub.listen.options
        operator = options.get("operator", "Yunmeng").replace(";", " ")
        listen = self.hub.listen
        head = f"CAS;{listen.host};{listen.port};{listen.name};{operator};0;CHN;0;0;;0;"
        rows = [head, *(mount.row() for _, mount in sorted(self.mounts.items())), "ENDSOURCETABLE"]
        return "".join(f"{row}\r\n" for row in rows)

    def may_feed(self, request: Request) -> bool:
        """Tells whether this source may feed its mount point: its registration's credential decides."""
        station = self.hub.station("-")
        _, password = request.credentials()
        try:
            record = station.admit(request.mount)
        except BadInput:
            return False
        return record is None or record.accepts(password)

    def may_listen(self, request: Request) -> str | None:
        """Returns the user of a rover, empty for one without a name; None for one that may not listen.

        A registered mount point names its users in the option ``rovers`` (``*`` is every registered user);
        users are registered as ``user:NAME``.
        """
        devices, user = self.hub.devices, request.credentials()[0]
        mount = devices.find("ntrip", request.mount)
        wanted = mount.options.get("rovers", "") if mount else ""
        if not wanted and self.hub.listen.options.get("admit", "all") != "known":
            return user if self._is_user(request) else ""
        allowed = wanted == "*" or user in wanted.split(",") or not wanted
        return user if user and allowed and self._is_user(request) else None

    def _is_user(self, request: Request) -> bool:
        user, password = request.credentials()
        record = self.hub.devices.find("ntrip", f"user:{user}")
        return record is not None and record.admitted and record.accepts(password)

    def connection(self) -> "_Peer":
        """Begins a connection."""
        return _Peer(self)


class _Peer(asyncio.Protocol):
    """One connection: a head, then a source's frames or a rover's sentences."""

    def __init__(self, caster: Caster) -> None:
        self._caster = caster
        self._transport: asyncio.Transport | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._head = bytearray()
        self._peer = "?"
        self._body: _Source | _Listener | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        host, port = (transport.get_extra_info("peername") or ("?", 0))[:2]
        self._peer = f"{host}:{port}"
        self._caster.connections.add(self)
        self._timer = asyncio.get_running_loop().call_later(_HEAD_S, self.close)

    def data_received(self, data: bytes) -> None:
        try:
            if self._body is not None:
                self._body.hear(data)
            else:
                self._begin(data)
        except BadInput as reason:
            _log.info("%s: %s", self._peer, reason)
            self._fail(400) if self._body is None else self.close()

    def connection_lost(self, exc: Exception | None) -> None:
        self._caster.connections.discard(self)
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
            self._body = _Listener(self._caster.hub, mount, rover, user, self._peer)
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
            self._body = _Source(self._caster, request, self._peer, transport)

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


class _Source:
    """A source's body: frames, in chunks or plain."""

    def __init__(self, caster: Caster, request: Request, peer: str, transport: asyncio.Transport) -> None:
        hub = caster.hub
        self._caster = caster
        self._transport = transport
        self._chunks = Chunks() if request.chunked else None
        self._mount = caster.mounts[request.mount] = Mount(request.mount)
        self._session = SourceSession(hub.station(peer), request.mount, self._mount.relay, self._mount.load)
        self._mount.status = self._session.status
        self._channel = Channel(hub, self._session, peer, lambda _: None, transport.close)
        self._channel.open()

    def hear(self, data: bytes) -> None:
        """Relays what came; while the quarantine or the bus is full, nothing more is read."""
        frames = data if self._chunks is None else self._chunks.feed(data)
        for start in range(0, len(frames), PIECE):
            self._channel.hear(frames[start : start + PIECE])
            if self._session.hopeless:
                break
        if self._session.hopeless or (self._chunks is not None and self._chunks.ended):
            self._transport.close()
        elif self._caster.hub.sink.full:
            self._transport.pause_reading()
            self._caster.hub.sink.when_room(self._go_on)

    def lost(self) -> None:
        """The source is gone: whoever listens is told so by the end of the stream."""
        del self._caster.mounts[self._mount.name]
        self._channel.lost()
        for rover in self._mount.rovers:
            rover.end()

    def _go_on(self, _: "asyncio.Future[None]") -> None:
        if not self._transport.is_closing():
            self._transport.resume_reading()


class _Listener:
    """A rover: gets frames, and may say where it is."""

    def __init__(self, hub: Hub, mount: Mount, rover: Rover, user: str, peer: str) -> None:
        self._hub = hub
        self._peer = peer
        self._mount = mount
        self._rover = rover
        self._user = user
        self._buffer = bytearray()
        self._told_at = 0
        mount.rovers.add(rover)

    def hear(self, data: bytes) -> None:
        """Takes GGA sentences; of those that come at once the newest is enough."""
        self._buffer += data
        *lines, rest = self._buffer.split(b"\n")
        self._buffer = bytearray(rest[-LONGEST:])
        if not lines:
            return
        line = bytes(lines[-1][-LONGEST:])
        try:
            fix = read_gga(line.decode("ascii", "replace"))
        except BadInput as reason:
            if not self._hub.sink.full:
                self._hub.sink.refuse(line, reason, self._peer)
        else:
            if fix is not None:
                self._tell(fix)

    def lost(self) -> None:
        """The rover is gone."""
        self._mount.rovers.discard(self._rover)

    def _tell(self, fix: Fix) -> None:
        at = now_us()
        if not self._user or at - self._told_at < 1_000_000:
            return
        self._told_at = at
        record = self._hub.devices.find("ntrip", f"user:{self._user}")
        tell_rover(self._hub, self._user, fix, (record and record.division) or self._hub.division, at)


def tell_rover(hub: Hub, user: str, fix: Fix, division: str, at: int) -> None:
    """Keeps where a known rover is, and how good its fix."""
    mapper = hub.mappers["rover"]
    fields: Mapping[str, float | int | None] = {
        "kind": fix.kind,
        "satellites": fix.satellites,
        "hdop": fix.hdop,
        "altitude": fix.altitude,
        "age": fix.age,
    }
    hub.sink.observe(mapper.reading(user, at, fields, division=division))
    entity = mapper.entity(user)
    hub.sink.locate(Locate(entity, mapper.type.name, division, fix.longitude, fix.latitude, at))


async def serve_caster(hub: Hub) -> None:
    """Listens until it is cancelled. Raises ``Unavailable("sense.port")``."""
    listen, loop = hub.listen, asyncio.get_running_loop()
    host, port = listen.host or "127.0.0.1", listen.port or hub.gateway.ports["tcp"]
    caster = Caster(hub)
    try:
        server = await loop.create_server(caster.connection, host, port, backlog=1024)
    except OSError as cause:
        raise Unavailable("sense.port", name=listen.name, host=host, port=port, reason=str(cause)) from cause
    hub.bound(server.sockets[0].getsockname()[:2])
    try:
        async with server:
            await server.serve_forever()
    finally:
        for connection in list(caster.connections):
            connection.close()

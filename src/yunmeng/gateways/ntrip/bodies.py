"""What follows a head: the frames of a source, or the sentences of a rover."""

import asyncio
from collections.abc import Mapping

from yunmeng.gateways.ntrip.caster import Caster
from yunmeng.gateways.ntrip.http import Chunks, Request
from yunmeng.gateways.ntrip.mounts import Mount, Rover
from yunmeng.gateways.ntrip.nmea import LONGEST, Fix, read_gga
from yunmeng.gateways.ntrip.session import PIECE, SourceSession
from yunmeng.kernel.base import BadInput, now_us
from yunmeng.kernel.sense import Channel, Hub, Locate


class Source:
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


class Listener:
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

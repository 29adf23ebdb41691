"""One gateway at work: its channels, its devices, its commands, and frames that are handed in again."""

import asyncio
from collections.abc import Awaitable, Callable, Hashable, Mapping
from functools import partial
from pathlib import Path
from typing import Any, cast

import msgspec

from yunmeng.kernel.base import BadInput, Unavailable, now_us
from yunmeng.kernel.link import Bus, Request, sense_subject
from yunmeng.kernel.model import TypeLibrary
from yunmeng.kernel.sense.channel import Channel
from yunmeng.kernel.sense.devices import Devices, device_id
from yunmeng.kernel.sense.effects import Command, Observe
from yunmeng.kernel.sense.gateway import Gateway, Greeting, Listen, Station
from yunmeng.kernel.sense.mapping import Mapper, read_mapping
from yunmeng.kernel.sense.repeats import Repeats, Said
from yunmeng.kernel.sense.session import Session
from yunmeng.kernel.sense.sink import Sink

_AT_ONCE = 500

Handler = Callable[[Command], Awaitable[Mapping[str, Any]]]


class FrameReport(msgspec.Struct, frozen=True):
    """What became of frames that were handed in: how many readings were kept, why frames were refused."""

    readings: int
    refused: tuple[str, ...] = ()


class Hub:
    """What the connections of one gateway share."""

    def __init__(
        self,
        gateway: Gateway,
        listen: Listen,
        sink: Sink,
        devices: Devices,
        types: TypeLibrary,
        mapping: Path,
        division: str,
    ) -> None:
        self.gateway = gateway
        self.listen = listen
        self.sink = sink
        self.devices = devices
        self.division = listen.options.get("division", division)
        self.folder: Path | None = None
        """The node's data folder, where a gateway finds the node's own servers."""
        self.repeats = Repeats()
        self.shared: dict[str, Any] = {}
        self.channels: set[Channel] = set()
        self.address: asyncio.Future[tuple[str, int]] = asyncio.get_running_loop().create_future()
        self._online: dict[str, Handler] = {}
        made_up = listen.options.get("synthetic") == "1"
        sink.marks = {"synthetic": True} if made_up else {}
        file = Path(listen.options["mapping"]) if "mapping" in listen.options else mapping
        tables = read_mapping(file) if file.exists() else {}
        self.mappers = {
            name: Mapper(
                table,
                types,
                gateway=gateway.id,
                division=self.division,
                synthetic=made_up,
                places=devices,
            )
            for name, table in tables.items()
        }

    def station(self, peer: str, *, replayed: bool = False, greeting: Greeting | None = None) -> Station:
        """Returns what a session with this peer knows."""
        return Station(
            self.gateway.id,
            self.division,
            peer,
            self.mappers,
            self.devices,
            self.listen.options,
            replayed,
            greeting,
            self.shared,
        )

    def channel(
        self,
        peer: str,
        write: Callable[[bytes], None],
        close: Callable[[], None],
        greeting: Greeting | None = None,
    ) -> Channel:
        """Begins a conversation; after a greeting every answer is a message of its own.

        Raises:
            YunmengError: why the session refuses who greets.
        """
        session = self._session(self.station(peer, greeting=greeting))
        return Channel(self, session, peer, write, close, joins=greeting is None)

    def online(self, device: str, handler: Handler) -> None:
        """A device is there; ``handler`` takes its commands. The newest connection of a device counts."""
        new = device not in self._online
        self._online[device] = handler
        if new:
            self._tell(device, "online")

    def offline(self, device: str, handler: Handler) -> None:
        """A connection of a device is gone."""
        if self._online.get(device) == handler:
            del self._online[device]
            self._tell(device, "offline")

    async def command(self, command: Command) -> Mapping[str, Any]:
        """Has a device do something. Raises ``Unavailable("device.offline")``, or why the device did not."""
        handler = self._online.get(command.device)
        if handler is None:
            raise Unavailable("device.offline", device=command.device)
        return await handler(command)

    def observe(self, observed: Observe) -> "tuple[Said, asyncio.Future[Any]]":
        """Takes readings for a gateway whose library owns the sockets, once under their key.

        The future is done when they are on disk, and at once for what came before (kept, or under way).
        """
        said = Said.NEW if observed.key is None else self.repeats.say(observed.key)
        if said is not Said.NEW:
            done: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
            done.set_result(None)
            return said, done
        futures = {self.sink.observe(reading) for reading in observed.readings}
        held = futures.pop() if len(futures) == 1 else cast("asyncio.Future[Any]", asyncio.gather(*futures))
        held.add_done_callback(partial(self._settle, observed.key))
        return said, held

    def _settle(self, key: Hashable, held: "asyncio.Future[Any]") -> None:
        # asking for the failure also says that it was seen: not everybody waits for it
        is_kept = not held.cancelled() and held.exception() is None
        if key is not None:
            (self.repeats.kept if is_kept else self.repeats.lost)(key)

    async def serve(self, bus: Bus) -> None:
        """Takes commands and frames from the bus."""
        await bus.serve(sense_subject("command", self.listen.name), self._commanded)
        for name in {self.listen.name, self.gateway.id}:
            await bus.serve(sense_subject("frame", name), self._handed_in)

    async def tick(self) -> None:
        """Calls every channel about once a second, and closes those that were silent too long."""
        idle_us = int(float(self.listen.options.get("idle", "1800")) * 1e6)
        while True:
            await asyncio.sleep(1.0)
            now = now_us()
            for place, channel in enumerate(list(self.channels)):
                if not place % _AT_ONCE:  # thousands that are silent hold up nobody who speaks
                    await asyncio.sleep(0)
                channel.tick()
                if now - channel.heard_at > idle_us:
                    channel.hang_up()

    def bound(self, address: tuple[str, int]) -> None:
        """The transport listens there, or has connected there; ``address`` is done with it."""
        if not self.address.done():
            self.address.set_result(address)

    def opened(self, channel: Channel) -> None:
        """A channel is open."""
        self.channels.add(channel)

    def identified(self, channel: Channel, device: str) -> None:
        """A channel knows whose it is."""
        self.online(device, channel.command)

    def closed(self, channel: Channel) -> None:
        """A channel is gone."""
        self.channels.discard(channel)
        for device in channel.devices:
            self.offline(device, channel.command)

    def _session(self, station: Station) -> Session:
        if self.gateway.session is None:
            raise BadInput("sense.no-frames", gateway=self.gateway.id)
        return self.gateway.session(station)

    def _tell(self, device: str, state: str) -> None:
        record = self.devices.find(self.gateway.id, device)
        # nobody gave a stranger a name yet
        name = {} if record else {"name": device}
        self.sink.note(
            {
                **name,
                "id": f"urn:ngsi-ld:Device:{device_id(self.gateway.id, device)}",
                "type": "Device",
                "division": (record and record.division) or self.division,
                "deviceState": state,
                "protocol": self.gateway.id,
                "gateway": self.listen.name,
            }
        )

    async def _commanded(self, request: Request) -> bytes:
        command = msgspec.msgpack.decode(request.data, type=Command)
        return msgspec.msgpack.encode(await self.command(command))

    async def _handed_in(self, request: Request) -> bytes:
        """Hears frames as if a trusted device had sent them, one after the other."""
        session = self._session(self.station(f"replay:{request.principal.id}", replayed=True))
        channel = Channel(self, session, "replay", lambda _: None, lambda: None)
        channel.refused = []
        for frame in msgspec.msgpack.decode(request.data, type=list[bytes]):
            channel.hear(frame)
        refused = [str(reason) for reason in channel.refused]
        await channel.settled()
        return msgspec.msgpack.encode(FrameReport(channel.readings, tuple(refused)))

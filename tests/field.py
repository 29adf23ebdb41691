"""A gateway at work on a free port of 127.0.0.1, and the devices that speak to it."""

import asyncio
import math
import socket
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from tests.nodes import free_port

from yunmeng.kernel.base import packages
from yunmeng.kernel.link import Bus, MemoryBus
from yunmeng.kernel.model import ContextLibrary, TypeLibrary, decode_batch, load_types
from yunmeng.kernel.sense import (
    Command,
    DeviceRecord,
    Devices,
    Gateway,
    Hub,
    Listen,
    Mapper,
    Sink,
    Station,
    find_gateway,
    read_listen,
    read_mapping,
    serve,
)
from yunmeng.kernel.store import Objects

PATIENCE_S = 10.0


@dataclass(frozen=True)
class Seen:
    """One value that reached the bus; ``attribute`` is its name without the namespace."""

    entity: str
    attribute: str
    value: float | str | None
    at: int
    quality: int
    unit: str
    division: str


class Field:
    """One gateway, listening; ``bus`` holds what it took."""

    def __init__(self, hub: Hub, bus: Bus, serving: "asyncio.Task[None]") -> None:
        self.hub = hub
        self.bus = bus
        self.serving = serving
        self.devices: list[Device] = []

    @property
    def port(self) -> int:
        return self.hub.address.result()[1]

    async def connect(self) -> "Device":
        """A device that has connected over TCP."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        self.devices.append(Device(reader, writer))
        return self.devices[-1]

    def peer(self) -> "Peer":
        """A device that speaks over UDP."""
        return Peer(self.port)

    async def seen(self, at_least: int = 1) -> list[Seen]:
        """Everything on the bus, in its order, once there are so many values."""
        async with asyncio.timeout(PATIENCE_S):
            while len(found := await seen_on(self.bus)) < at_least:
                await asyncio.sleep(0.005)
        return found

    async def values(self, at_least: int = 1) -> dict[str, float | str | None]:
        """The newest value of each attribute, whatever its entity."""
        return {each.attribute: each.value for each in await self.seen(at_least)}

    async def online(self, device: str) -> None:
        """Waits until commands for a device have somewhere to go."""
        async with asyncio.timeout(PATIENCE_S):
            while not any(device in channel.devices for channel in self.hub.channels):
                await asyncio.sleep(0.005)

    async def command(self, device: str, name: str, /, **arguments: object) -> Any:
        """Has a device carry out a command and returns its result."""
        async with asyncio.timeout(PATIENCE_S):
            return await self.hub.command(Command(f"{device}-{name}", device, name, arguments))


class Device:
    """The far end of a TCP connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    async def send(self, data: bytes) -> None:
        self.writer.write(data)
        await self.writer.drain()

    async def hear(self, size: int) -> bytes:
        """Exactly so many bytes."""
        async with asyncio.timeout(PATIENCE_S):
            return await self.reader.readexactly(size)

    async def until(self, end: bytes) -> bytes:
        """Everything up to and including ``end``."""
        async with asyncio.timeout(PATIENCE_S):
            return await self.reader.readuntil(end)

    async def rest(self) -> bytes:
        """Everything until the gateway hangs up."""
        async with asyncio.timeout(PATIENCE_S):
            return await self.reader.read()

    async def close(self) -> None:
        self.writer.close()
        with suppress(ConnectionError):
            await self.writer.wait_closed()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()


class Peer:
    """A device with a UDP port of its own."""

    def __init__(self, port: int) -> None:
        self._to = ("127.0.0.1", port)
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.setblocking(False)
        self._socket.bind(("127.0.0.1", 0))

    async def send(self, data: bytes) -> None:
        await asyncio.get_running_loop().sock_sendto(self._socket, data, self._to)

    async def hear(self) -> bytes:
        """The next datagram."""
        async with asyncio.timeout(PATIENCE_S):
            return await asyncio.get_running_loop().sock_recv(self._socket, 65_536)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._socket.close()


@cache
def all_types() -> TypeLibrary:
    """The entity types of every package."""
    return load_types([package.folder for package in packages()])


def own_mapping(gateway: str) -> Path:
    """The mapping file of a gateway's package; one that does not exist for a gateway of a test."""
    folders = [package.folder for package in packages() if package.id == gateway]
    return (folders[0] if folders else Path("none")) / "mapping.toml"


def station(gateway: str, *records: DeviceRecord, replayed: bool = False, **options: str) -> Station:
    """What a session knows, for tests of conversations without any connection."""
    division = options.get("division", "420100")
    mappers = {
        name: Mapper(table, all_types(), gateway=gateway, division=division)
        for name, table in read_mapping(own_mapping(gateway)).items()
    }
    return Station(gateway, division, "test", mappers, Devices(records), options, replayed)


@asynccontextmanager
async def working(
    url: str,
    *,
    bus: Bus | None = None,
    gateway: Gateway | None = None,
    mapping: Path | None = None,
    records: Iterable[DeviceRecord] = (),
    objects: Objects | None = None,
    types: TypeLibrary | None = None,
) -> AsyncIterator[Field]:
    """Runs a gateway on a free port, or where the URL says; without a keeper unless one is on the bus."""
    listen = _free(read_listen("field", url))
    found = gateway or find_gateway(listen.gateway)
    types, bus = types or all_types(), bus or MemoryBus()
    context = await ContextLibrary({}).resolve(types.context())
    hub = Hub(
        found,
        listen,
        Sink(bus, context, listen.name, tenant=listen.options.get("tenant", ""), objects=objects),
        Devices(records),
        types,
        mapping or own_mapping(found.id),
        "420100",
    )
    await hub.serve(bus)
    works = [asyncio.create_task(serve(hub)), asyncio.create_task(hub.tick())]
    if listen.transport in ("tcp", "udp", "ws", "wss"):
        await asyncio.wait([hub.address, works[0]], timeout=PATIENCE_S, return_when=asyncio.FIRST_COMPLETED)
    await asyncio.sleep(0)
    if works[0].done():
        works[0].result()
    field = Field(hub, bus, works[0])
    try:
        yield field
    finally:
        for device in field.devices:
            await device.close()
        for channel in list(hub.channels):
            channel.hang_up()
        for work in works:
            work.cancel()
        await asyncio.gather(*works, return_exceptions=True)


async def seen_on(bus: Bus) -> list[Seen]:
    """Every value on a bus, in its order."""
    extent = await bus.extent("OBS")
    found: list[Seen] = []
    for message in await bus.read("OBS", 1, extent.last):
        batch = decode_batch(message.data)
        for row in range(len(batch)):
            series = batch.series[batch.index[row]]
            number = float(batch.number[row])
            value = batch.text.get(row, None if math.isnan(number) else number)
            name = series.attribute.rpartition("/")[2].rpartition("#")[2]
            at, quality = int(batch.observed_at[row]), int(batch.quality[row])
            found.append(Seen(series.entity, name, value, at, quality, series.unit, series.division))
    return found


def _free(listen: Listen) -> Listen:
    if listen.port or listen.transport == "serial":
        return listen
    return replace(listen, host=listen.host or "127.0.0.1", port=free_port())

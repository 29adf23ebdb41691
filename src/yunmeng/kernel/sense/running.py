"""The gateways of a node, as its settings name them."""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager

from yunmeng.kernel.base import Settings, packages
from yunmeng.kernel.link import Bus
from yunmeng.kernel.model import ContextLibrary, TypeLibrary
from yunmeng.kernel.sense.devices import Devices
from yunmeng.kernel.sense.gateway import Listen, find_gateway, read_listen
from yunmeng.kernel.sense.hub import Hub
from yunmeng.kernel.sense.sink import Sink
from yunmeng.kernel.sense.stranded import part_with_stranded
from yunmeng.kernel.sense.transports import transport
from yunmeng.kernel.store import Objects, StateReader


@asynccontextmanager
async def gateways_running(
    bus: Bus, state: StateReader, objects: Objects | None, types: TypeLibrary, settings: Settings
) -> AsyncGenerator[Sequence[Hub]]:
    """Runs every gateway of the settings; at the end, what was taken is on disk.

    Raises:
        BadInput: ``sense.url``, ``sense.transport``.
        NotFound: ``gateway.unknown``.
        Unavailable: ``sense.port``.
    """
    devices = Devices()
    # nobody is met before it is known who is registered
    await devices.load(state)
    context = await ContextLibrary({}).resolve(types.context())
    listens = [read_listen(name, url) for name, url in settings.gateways.items()]
    tenants = {listen.name: listen.options.get("tenant", "") for listen in listens}
    await part_with_stranded(bus, state, context, tenants)
    hubs = [
        make_hub(
            listen,
            Sink(bus, context, listen.name, tenant=listen.options.get("tenant", ""), objects=objects),
            devices,
            types,
            settings.node.division,
        )
        for listen in listens
    ]
    async with asyncio.TaskGroup() as group:
        works = [group.create_task(devices.follow(bus, state))]
        for hub in hubs:
            hub.folder = settings.node.data.expanduser().resolve()
            await hub.serve(bus)
            works += [group.create_task(serve(hub)), group.create_task(hub.tick())]
        try:
            yield hubs
        finally:
            for work in works:
                work.cancel()
            for hub in hubs:
                await hub.sink.flush()


def make_hub(listen: Listen, sink: Sink, devices: Devices, types: TypeLibrary, division: str) -> Hub:
    """Returns the gateway that a place to listen names, not yet listening."""
    gateway = find_gateway(listen.gateway)
    folder = next(package.folder for package in packages() if package.id == gateway.id)
    return Hub(gateway, listen, sink, devices, types, folder / "mapping.toml", division)


async def serve(hub: Hub) -> None:
    """Meets devices until it is cancelled: by the gateway's own library, or over one of our transports.

    Options that are none are refused now, not when the first device is met.
    """
    if hub.gateway.session is not None:
        hub.gateway.session(hub.station("-"))
    await (hub.gateway.run or transport(hub.listen.transport))(hub)

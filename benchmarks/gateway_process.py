"""A gateway in a process of its own: ``python -m benchmarks.gateway_process URL NATS_URL NATS_TOKEN``.

Says its port once it listens; with an empty NATS URL its bus is in memory, for what measures no throughput.
"""

import asyncio
import sys

import uvloop

from yunmeng.kernel.base import packages
from yunmeng.kernel.link import Bus, MemoryBus, NatsBus
from yunmeng.kernel.model import ContextLibrary, load_types
from yunmeng.kernel.sense import Devices, Sink, make_hub, read_listen, serve


async def work(url: str, nats_url: str, token: str) -> None:
    """Serves until it is ended."""
    bus: Bus = await NatsBus.connect(nats_url, token) if nats_url else MemoryBus()
    listen = read_listen("bench", url)
    types = load_types([package.folder for package in packages()])
    context = await ContextLibrary({}).resolve(types.context())
    hub = make_hub(listen, Sink(bus, context, listen.name), Devices(), types, "420100")
    async with asyncio.TaskGroup() as group:
        group.create_task(serve(hub))
        group.create_task(hub.tick())
        address = await hub.address
        print(address[1], flush=True)


if __name__ == "__main__":
    uvloop.run(work(*sys.argv[1:4]))

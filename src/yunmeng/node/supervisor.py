"""One node: bus, history, keeper, api, worker, in that order; and a way to see how they are."""

import asyncio
import logging
import socket
from collections.abc import AsyncGenerator, Callable, Coroutine
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from ipaddress import ip_address

from yunmeng.kernel.base import BadInput, Settings, Unavailable, YunmengError
from yunmeng.kernel.link import NatsServer
from yunmeng.kernel.store import HistoryServer
from yunmeng.node.folder import DataFolder, Endpoints
from yunmeng.node.processes import Role

_log = logging.getLogger("yunmeng.node")

Progress = Callable[[str], None]


@dataclass(slots=True)
class Node:
    """A running node."""

    settings: Settings
    folder: DataFolder
    roles: list[Role] = field(default_factory=list[Role])

    @property
    def url(self) -> str:
        """Where people reach it."""
        return _http_url(self.settings)


def open_port(host: str, port: int) -> int:
    """Returns the port when nobody listens there, or any free one for 0. Raises ``node.port-busy``."""
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as cause:
            raise Unavailable("node.port-busy", host=host, port=port, reason=cause.strerror) from cause
        return int(probe.getsockname()[1])


@asynccontextmanager
async def running(
    settings: Settings,
    arguments: tuple[str, ...],
    progress: Progress = lambda part: None,
    *,
    gateways: bool = True,
) -> AsyncGenerator[Node]:
    """Starts a node and stops it at the end; ``arguments`` hand the settings on to its processes.

    Without ``gateways`` whoever calls starts that process when it suits.
    """
    if not settings.trust.sign_in and not ip_address(settings.http.host).is_loopback:
        raise BadInput("node.open-host", host=settings.http.host)
    if settings.bus.engine == "memory":
        raise BadInput("node.memory-bus")
    if settings.schedule:
        from yunmeng.kernel.compute import appointments

        appointments(settings.schedule)
    port = open_port(settings.http.host, settings.http.port)
    settings = replace(settings, http=replace(settings.http, port=port))
    arguments = (*arguments, "--set", f"http.port={port}")
    folder = DataFolder(settings.node.data)
    folder.open()
    async with AsyncExitStack() as stack:
        stack.callback(folder.close)
        node = Node(settings, folder)
        meets = gateways and bool(settings.gateways)
        answering = ("api", *(f"api-{nth}" for nth in range(2, settings.http.workers + 1)))
        names = ("keeper", *answering, "worker", *["gateway"] * meets)
        progress("servers")
        # side by side: a role is still importing while the servers come up, and waits for them
        await gathered(
            _start_servers(settings, folder, stack),
            *(start_role(node, name, arguments, stack) for name in names),
        )
        yield node


async def start_role(node: Node, name: str, arguments: tuple[str, ...], stack: AsyncExitStack) -> None:
    """Starts one more process of the node; it stops with the stack."""
    role = Role(name, arguments, node.folder.logs / f"{name}.log")
    stack.push_async_callback(role.stop)
    node.roles.append(role)
    await role.start()


async def gathered(*starts: Coroutine[None, None, None]) -> None:
    """Runs the starts side by side; the first that fails ends the others."""
    try:
        async with asyncio.TaskGroup() as group:
            for start in starts:
                group.create_task(start)
    except* YunmengError as failed:
        raise failed.exceptions[0] from failed


async def _start_servers(settings: Settings, folder: DataFolder, stack: AsyncExitStack) -> None:
    """Starts the servers that the settings do not place elsewhere."""
    starting: list[Coroutine[None, None, None]] = []
    bus = NatsServer(folder.path / "bus", port=settings.bus.port, sync=settings.bus.sync)
    if not settings.bus.url:
        stack.push_async_callback(bus.stop)
        starting.append(bus.start())
    if settings.bus.mqtt_port:
        listener = NatsServer(
            folder.path / "mqtt",
            sync=settings.bus.sync,
            mqtt_port=settings.bus.mqtt_port,
            each=settings.bus.mqtt_sign_in == "each",
        )
        stack.push_async_callback(listener.stop)
        starting.append(listener.start())
    if settings.history.engine == "chdb":
        history = HistoryServer(folder.path / "history", port=settings.history.port)
        stack.push_async_callback(history.stop)
        starting.append(history.start())
    await gathered(*starting)
    folder.write_endpoints(
        Endpoints(
            bus_url=settings.bus.url or bus.url,
            bus_token=settings.bus.token.reveal() or bus.token,
            http_url=_http_url(settings),
        )
    )


def _http_url(settings: Settings) -> str:
    return f"http://{settings.http.host}:{settings.http.port}"

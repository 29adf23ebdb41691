"""Following a server: subscribed to, called again when it is lost, asked for what was missed."""

import asyncio
import logging
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

from yunmeng.gateways.opcua.calling import address, check_options, open_client
from yunmeng.gateways.opcua.history import missed
from yunmeng.gateways.opcua.intake import Intake
from yunmeng.gateways.opcua.library import asyncua, failures
from yunmeng.gateways.opcua.nodes import resolve
from yunmeng.gateways.opcua.orders import Orders
from yunmeng.gateways.opcua.points import Point, read_points
from yunmeng.kernel.base import BadInput, Unavailable
from yunmeng.kernel.sense import Hub

_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 1.0, 60.0
_MOST_WAITING = 100_000
_QUEUE = 100
"""Changes of one node that the server keeps between two publications."""
_log = logging.getLogger("yunmeng.sense")


async def follow(hub: Hub) -> None:
    """Follows one server until it is cancelled.

    ``opcua+connect://host:4840/path?device=mill&mapping=FILE``; ``period`` ms between publications (1000),
    ``history`` seconds to ask for at the start; ``policy``, ``mode``, ``cert``, ``key``, ``server_cert``;
    ``user``, ``password``.

    Raises:
        BadInput: ``sense.option``.
        Broken: ``mapping.bad``.
        Unavailable: ``sense.extra`` without asyncua.
    """
    asyncua()
    listen = hub.listen
    check_options(listen)
    file = Path(listen.options["mapping"]) if "mapping" in listen.options else None
    points = read_points(hub.mappers, file)
    intake = Intake(hub, {point.node: point for point in points}, _seconds(hub, "history", "0"))
    period_ms = _seconds(hub, "period", "1000")
    pause = _FIRST_PAUSE_S
    while True:
        try:
            async with _connected(hub) as (client, lost):
                pause = _FIRST_PAUSE_S
                await _Call(hub, client, lost, points, intake).work(period_ms)
        except (*failures(), Unavailable) as error:
            _log.warning("%s: %s: %s", listen.name, address(listen), error or type(error).__name__)
        _log.info("%s: next call in %.0f s", listen.name, pause)
        await asyncio.sleep(pause)
        pause = min(pause * 2, _LONGEST_PAUSE_S)


@asynccontextmanager
async def _connected(hub: Hub) -> "AsyncGenerator[tuple[Any, asyncio.Event]]":
    client, lost = await open_client(hub.listen), asyncio.Event()

    async def gone(_: Exception) -> None:
        lost.set()

    client.connection_lost_callback = gone
    await client.connect()
    hub.bound((hub.listen.host, hub.listen.port))
    try:
        yield client, lost
    finally:
        with suppress(*failures()):
            await client.disconnect()


class _Call:
    """One connection to the server, from the subscription to the loss."""

    def __init__(
        self, hub: Hub, client: Any, lost: asyncio.Event, points: list[Point], intake: Intake
    ) -> None:
        self._hub = hub
        self._client = client
        self._lost = lost
        self._points = points
        self._intake = intake
        self._device = intake.device
        self._handle = 0

    async def work(self, period_ms: float) -> None:
        """Follows the nodes until the connection is lost."""
        namespaces = [str(name) for name in await self._client.get_namespace_array()]
        nodes = self._resolve(namespaces)
        subscription: Any = await self._client.create_subscription(
            period_ms,
            queue_maxsize=_MOST_WAITING,
            overflow=asyncua("common.subscription").OverflowPolicy.DISCONNECT,
        )
        orders = Orders(self._client, self._points, nodes, self._device)
        for point, node in nodes.items():
            if point.table:
                await self._subscribe(subscription, point, node)
        self._hub.online(self._device, orders.command)
        try:
            await missed(self._intake, nodes, self._client)
            names = {node: point.node for point, node in nodes.items()}
            await self._hear(subscription, names)
        finally:
            self._hub.offline(self._device, orders.command)

    async def _hear(self, subscription: Any, names: dict[Any, str]) -> None:
        changed = asyncua("common.subscription").DataChangeEvent
        while not self._lost.is_set():
            try:
                event: Any = await subscription.next_event(1.0)
            except StopAsyncIteration:
                return
            if isinstance(event, changed):
                name = names.get(event.node.nodeid)
                if name is not None:
                    await self._intake.take(name, event.data.monitored_item.Value)
            elif event is not None:
                # the server has ended the subscription (OPC 10000-4 §7.25.4)
                return

    def _resolve(self, namespaces: list[str]) -> dict[Point, Any]:
        nodes: dict[Point, Any] = {}
        for point in self._points:
            try:
                nodes[point] = resolve(point.node, namespaces)
            except BadInput as reason:
                self._intake.refuse(point.node, reason)
        return nodes

    async def _subscribe(self, subscription: Any, point: Point, node: Any) -> None:
        """Asks for the changes of one node; a server that knows no deadband is asked without."""
        ua = asyncua("ua")
        bands = [_filter(point)] if point.deadband else []
        for band in [*bands, None]:
            self._handle += 1
            request = _request(point, node, band, self._handle)
            (result,) = await subscription.create_monitored_items([request])
            if not isinstance(result, ua.StatusCode):
                return
            reason = BadInput("opcua.node", node=point.node, reason=result.name)
            if band is None or not result.name.startswith(
                ("BadMonitoredItemFilter", "BadFilter", "BadDeadband")
            ):
                self._intake.refuse(point.node, reason)
                return


def _request(point: Point, node: Any, band: Any, handle: int) -> Any:
    ua = asyncua("ua")
    request = ua.MonitoredItemCreateRequest()
    request.ItemToMonitor.NodeId = node
    request.ItemToMonitor.AttributeId = ua.AttributeIds.Value
    request.MonitoringMode = ua.MonitoringMode.Reporting
    wanted = request.RequestedParameters
    wanted.ClientHandle = handle
    wanted.SamplingInterval = point.sampling_ms
    wanted.QueueSize = _QUEUE
    wanted.DiscardOldest = True
    if band is not None:
        wanted.Filter = band
    return request


def _filter(point: Point) -> Any:
    ua = asyncua("ua")
    band = ua.DataChangeFilter()
    band.Trigger = ua.DataChangeTrigger.StatusValue
    band.DeadbandType = int(ua.DeadbandType.Percent if point.is_percent else ua.DeadbandType.Absolute)
    band.DeadbandValue = point.deadband
    return band


def _seconds(hub: Hub, option: str, default: str) -> float:
    text = hub.listen.options.get(option, default)
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value < 1e9:
        raise BadInput("sense.option", name=hub.listen.name, option=option, value=text)
    return value

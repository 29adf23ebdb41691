"""Devices that we ask: ``coap+connect://``, by observation (RFC 7641) or again and again."""

import asyncio
import logging
from contextlib import aclosing
from pathlib import Path
from urllib.parse import quote

import msgspec

from yunmeng.gateways.coap.endpoint import Ask, Endpoint, Told, open_client, oscore_keys, write_message
from yunmeng.gateways.coap.orders import Desk
from yunmeng.gateways.coap.payloads import Table
from yunmeng.gateways.coap.session import Intake
from yunmeng.kernel.base import BadInput, Unavailable, now_us
from yunmeng.kernel.sense import Hub

_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 1.0, 60.0
_STALE_S = 300.0
_log = logging.getLogger("yunmeng.sense")


async def observe(hub: Hub) -> None:
    """Asks one device for the resources of the tables until it is cancelled.

    Options: ``device`` is its name, the place to listen's when left out; ``use`` the tables; ``stale``
    seconds without a notification until it is observed anew; ``oscore`` the folder of our security context.

    Raises:
        BadInput: ``sense.option``.
        Unavailable: ``sense.extra``.
    """
    listen, options = hub.listen, hub.listen.options
    host = f"{listen.host}:{listen.port or hub.gateway.ports['connect']}"
    stale_s = _seconds(hub, "stale", _STALE_S)
    keys = oscore_keys(Path(options["oscore"])) if "oscore" in options else {}
    keys = {f"coap://{host}/*": each for each in keys.values()}
    endpoint = await open_client(keys)
    hub.bound((listen.host, listen.port))
    try:
        watches = _watches(hub, endpoint, host, stale_s)
        async with asyncio.TaskGroup() as group:
            for watch in watches:
                group.create_task(watch.work())
    finally:
        await endpoint.close()


class _Watch:
    """One resource of the device."""

    def __init__(self, hub: Hub, intake: Intake, table: Table, desk: Desk, stale_s: float) -> None:
        self._hub = hub
        self._intake = intake
        self._table = table
        self._desk = desk
        self._stale_s = stale_s
        path = table.pattern.fill({"device": quote(desk.device, safe="")})
        self._ask = Ask("GET", path, peer=desk.host)

    async def work(self) -> None:
        """Hears the resource, again whenever the device is lost."""
        hear = self._observe if self._table.row.observe else self._poll
        pause = _FIRST_PAUSE_S
        while True:
            try:
                await hear()
                pause = _FIRST_PAUSE_S
            except Unavailable as error:
                _log.info("%s: %s", self._hub.listen.name, error)
                self._hub.offline(self._desk.device, self._desk.command)
            await asyncio.sleep(pause)
            pause = min(pause * 2, _LONGEST_PAUSE_S)

    async def _observe(self) -> None:
        notices = self._desk.endpoint.observe(self._ask, self._desk.host, self._stale_s)
        async with aclosing(notices):
            async for told in notices:
                await self._take(told)

    async def _poll(self) -> None:
        while True:
            await self._take(await self._desk.endpoint.ask(self._ask, host=self._desk.host))
            await asyncio.sleep(self._table.row.every or 60.0)

    async def _take(self, told: Told) -> None:
        if not told.is_good:
            raise Unavailable(
                "command.refused", device=self._desk.device, name=f"GET {self._ask.path}", reason=told.code
            )
        self._hub.online(self._desk.device, self._desk.command)
        ask = Ask("POST", self._ask.path, told.payload, told.format, peer=self._desk.host)
        try:
            said = self._intake.read(self._table, self._desk.device, ask, now_us())
        except BadInput as reason:
            self._hub.sink.refuse(write_message(ask), reason, ask.peer)
            return
        await self._hub.sink.room()
        for observed in said.values():
            self._hub.observe(observed)


def _watches(hub: Hub, endpoint: Endpoint, host: str, stale_s: float) -> list[_Watch]:
    intake = Intake(hub.station(host))
    device = hub.listen.options.get("device") or hub.listen.name
    tables = [table for table in intake.tables if table.row.observe or table.row.every]
    if not tables:
        raise BadInput("sense.option", name=hub.listen.name, option="resources", value="observe / every")
    # commands of every table go to the one device
    rows = {name: row for table in intake.tables for name, row in table.row.commands.items()}
    desk = Desk(device, endpoint, msgspec.structs.replace(tables[0].row, commands=rows), host=host)
    return [_Watch(hub, intake, table, desk, stale_s) for table in tables]


def _seconds(hub: Hub, option: str, default: float) -> float:
    text = hub.listen.options.get(option, "")
    try:
        value = float(text) if text else default
    except ValueError:
        value = 0.0
    if not 0 < value < 1e9:
        raise BadInput("sense.option", name=hub.listen.name, option=option, value=text)
    return value

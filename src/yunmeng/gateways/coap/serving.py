"""Devices that report to us: ``coap+udp://``, ``coap+tcp://``, ``coap+dtls://``."""

import asyncio
import tomllib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from yunmeng.gateways.coap.endpoint import (
    Ask,
    Endpoint,
    Told,
    open_server,
    oscore_keys,
    write_message,
)
from yunmeng.gateways.coap.orders import Desk
from yunmeng.gateways.coap.payloads import FORMATS, Table
from yunmeng.gateways.coap.session import Intake
from yunmeng.kernel.base import BadInput, Secret, Unavailable, YunmengError, now_us
from yunmeng.kernel.sense import Hub, Observe, Said

_CODES = {
    "coap.path": "4.04",
    "coap.method": "4.05",
    "coap.format": "4.15",
    "device.unknown": "4.03",
    "device.suspended": "4.03",
    "device.credential": "4.01",
}
_BUSY = Told("5.03", max_age=5)
_TEXT = 0
_MOST_DEVICES = 200_000


async def serve(hub: Hub) -> None:
    """Answers devices until it is cancelled; a report is answered once it is on disk.

    Options: ``resources`` and ``use`` name tables, ``oscore`` a folder of security contexts, ``keys`` a file
    of pre-shared keys for ``dtls``; with either, unprotected requests are refused.

    Raises:
        BadInput: ``sense.option``.
        Unavailable: ``sense.port``, ``sense.extra``.
    """
    listen = hub.listen
    host, port = listen.host or "127.0.0.1", listen.port or hub.gateway.ports[listen.transport]
    keys = _keys(hub)
    reception = Reception(hub, is_protected=bool(keys))
    links = [_link(table) for table in reception.intake.tables]
    try:
        endpoint = await open_server(listen.transport, host, port, reception.answer, links, keys)
    except OSError as cause:
        raise Unavailable("sense.port", name=listen.name, host=host, port=port, reason=str(cause)) from cause
    reception.endpoint = endpoint
    hub.bound((host, port))
    try:
        await reception.watch()
    finally:
        reception.leave()
        await endpoint.close()


class Reception:
    """Takes requests, and knows where each device spoke from."""

    def __init__(self, hub: Hub, *, is_protected: bool = False) -> None:
        self.intake = Intake(hub.station("coap"))
        self.endpoint: Endpoint | None = None
        self._hub = hub
        self._is_protected = is_protected
        self._desks: dict[str, Desk] = {}

    async def answer(self, ask: Ask) -> Told:
        """Keeps what a request reports, then answers it."""
        if self._is_protected and not ask.claims:
            return Told("4.01")
        if ask.path == "rd":
            self._registered(ask)
            return Told("2.04")
        if self._hub.sink.full:
            return _BUSY
        try:
            said = self.intake.take(ask, now_us())
            table, _ = self.intake.table(ask.path)
        except BadInput as reason:
            return await self._refuse(ask, reason)
        if not await self._kept(said.values()):
            return _BUSY
        for device in said:
            self._heard(device, table, ask)
        return Told("2.04")

    async def watch(self) -> None:
        """Takes devices off the list that have been silent too long; those that sleep stay."""
        idle_s = float(self._hub.listen.options.get("idle", "1800"))
        while True:
            await asyncio.sleep(1.0)
            now = asyncio.get_running_loop().time()
            for device, desk in list(self._desks.items()):
                if not desk.row.sleeps and now - desk.heard_at > idle_s:
                    self._forget(device)

    def leave(self) -> None:
        """Nobody is there any more."""
        for device in list(self._desks):
            self._forget(device)

    async def _kept(self, said: Iterable[Observe]) -> bool:
        """Returns whether all of it is on disk; what comes again while it is under way is asked for later."""
        taken = [self._hub.observe(each) for each in said]
        try:
            await asyncio.gather(*(held for _, held in taken))
        except YunmengError:
            return False
        return all(state is not Said.UNDER_WAY for state, _ in taken)

    async def _refuse(self, ask: Ask, reason: BadInput) -> Told:
        try:
            await self._hub.sink.refuse(write_message(ask), reason, ask.peer)
        except YunmengError:
            return _BUSY
        return Told(_CODES.get(reason.key, "4.00"), str(reason).encode(), _TEXT)

    def _registered(self, ask: Ask) -> None:
        """An endpoint has registered with the directory (RFC 9176 §5): it can be asked there."""
        names = [part[3:] for part in ask.query if part.startswith("ep=")]
        table = next((table for table in self.intake.tables if table.row.commands), None)
        if names and table is not None:
            self._heard(names[0], table, ask)

    def _heard(self, device: str, table: Table, ask: Ask) -> None:
        desk = self._desks.pop(device, None)
        if desk is None and self.endpoint is not None:
            desk = Desk(device, self.endpoint, table.row)
            self._hub.online(device, desk.command)
        if desk is None:
            return
        if table.row.commands:
            desk.row = table.row
        # the one that has been silent for longest stands first
        self._desks[device] = desk
        desk.heard(ask.remote)
        if len(self._desks) > _MOST_DEVICES:
            self._forget(next(iter(self._desks)))

    def _forget(self, device: str) -> None:
        desk = self._desks.pop(device)
        desk.leave()
        self._hub.offline(device, desk.command)


def _link(table: Table) -> str:
    formats = " ".join(map(str, FORMATS))
    return f'</{table.pattern.stem}>;rt="yunmeng.{table.name}";ct="{formats}"'


def _keys(hub: Hub) -> dict[str, Any]:
    """Returns the keys of the options in aiocoap's form."""
    options = hub.listen.options
    try:
        if "oscore" in options:
            return oscore_keys(Path(options["oscore"]))
        if "keys" in options:
            named = tomllib.loads(Path(options["keys"]).read_text(encoding="utf-8"))
            return {f":{device}": _psk(device, str(reference)) for device, reference in named.items()}
    except (OSError, ValueError) as cause:
        value = options.get("oscore") or options["keys"]
        raise BadInput("sense.option", name=hub.listen.name, option="oscore/keys", value=value) from cause
    if hub.listen.transport == "dtls":
        raise BadInput("sense.option", name=hub.listen.name, option="keys", value="")
    return {}


def _psk(device: str, reference: str) -> dict[str, Any]:
    key = Secret(reference).reveal().encode()
    return {"dtls": {"psk": key, "client-identity": device.encode()}}

"""Charging stations played by the library ``ocpp`` and its own client classes: none of our code."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from types import ModuleType
from typing import Any

import ocpp.v16
import ocpp.v21
import ocpp.v201
from ocpp.routing import create_route_map, on
from tests.field import Field
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed
from websockets.typing import Subprotocol

MODULES: dict[str, ModuleType] = {"1.6": ocpp.v16, "2.0.1": ocpp.v201, "2.1": ocpp.v21}
VERSIONS = ("1.6", "2.0.1", "2.1")
AT = "2026-07-01T12:00:00Z"
STATION = "urn:ngsi-ld:EVChargingStation:ocpp:CP-7"
BOOT16 = {"charge_point_vendor": "Acme", "charge_point_model": "Fast", "firmware_version": "1.2"}
BOOT2 = {
    "charging_station": {
        "vendor_name": "Acme",
        "model": "Fast",
        "firmware_version": "1.2",
        "serial_number": "S1",
    },
    "reason": "PowerUp",
}
# the library tells of every message
logging.getLogger("ocpp").setLevel(logging.CRITICAL)


def obeying(version: str, answers: dict[str, dict[str, Any]]) -> type:
    """A class of stations that answers these actions so, and remembers what it was told."""
    module = MODULES[version]
    members: dict[str, Any] = {}
    for action, answer in answers.items():

        def handler(self: Any, _action: str = action, _answer: dict[str, Any] = answer, **told: Any) -> Any:
            self.told.append((_action, told))
            return getattr(module.call_result, _action)(**_answer)

        # the library looks handlers up by their names
        handler.__name__ = f"on_{action}"
        members[handler.__name__] = on(action)(handler)
    return type("Station", (module.ChargePoint,), members)


class Link:
    """A connection whose bare messages a test may see and send as well."""

    def __init__(self, connection: ClientConnection) -> None:
        self.connection = connection
        self.bare: asyncio.Queue[str] | None = None

    async def recv(self) -> str:
        message = await self.connection.recv()
        return message if isinstance(message, str) else message.decode()

    async def send(self, message: str) -> None:
        await self.connection.send(message)


@asynccontextmanager
async def dialled(
    field: Field, name: str, version: str, password: str = ""
) -> AsyncIterator[ClientConnection]:
    """A bare connection."""
    credential = f"{name}:{password}@" if password else ""
    url = f"ws://{credential}127.0.0.1:{field.port}/{name}"
    async with connect(url, subprotocols=[Subprotocol(f"ocpp{version}")], proxy=None) as connection:
        yield connection


@asynccontextmanager
async def station(
    field: Field,
    version: str,
    name: str = "CP-7",
    password: str = "",
    answers: dict[str, dict[str, Any]] | None = None,
) -> AsyncIterator[Any]:
    """A station that is connected and listens; ``station.told`` is what it was told."""
    async with dialled(field, name, version, password) as connection:
        made: Any = obeying(version, answers or {})(name, Link(connection), response_timeout=10)
        made.told = []
        made.route_map = create_route_map(made)
        listening = asyncio.create_task(_listen(made))
        try:
            yield made
        finally:
            listening.cancel()


async def _listen(made: Any) -> None:
    with suppress(ConnectionClosed):
        await made.start()


async def say(station: Any, action: str, **payload: Any) -> Any:
    """Has a station say something, by the library's class for it and returns the answer."""
    module = next(each for each in MODULES.values() if isinstance(station, each.ChargePoint))
    return await station.call(getattr(module.call, action)(**payload), suppress=False)


async def boot(made: Any, version: str) -> Any:
    return await say(made, "BootNotification", **(BOOT16 if version == "1.6" else BOOT2))

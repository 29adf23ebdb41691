"""Plays a plant: a server with pumps that run, are set and are stopped, and keep a history."""

import asyncio
import math
import random
import time
from contextlib import suppress
from typing import Any

from yunmeng.gateways.opcua.library import asyncua
from yunmeng.kernel.sense import Simulation

NAMESPACE = "urn:yunmeng:simulation:plant"
"""Node ids are ``nsu=urn:yunmeng:simulation:plant;s=Pump1.Flow`` and so on."""

_NOMINAL_RPM = 1480.0


async def simulate(play: Simulation) -> int:
    """Serves ``count`` pumps at ``opc.tcp://host:port/plant`` until the time is over; returns the changes.

    Raises:
        Unavailable: ``sense.extra`` without asyncua.
    """
    server = asyncua().Server()
    await server.init()
    server.set_endpoint(f"opc.tcp://{play.host}:{play.port}/plant")
    server.set_server_name("Yunmeng plant")
    server.set_security_policy([asyncua("ua").SecurityPolicyType.NoSecurity])
    index = await server.register_namespace(NAMESPACE)
    pumps = [await Pump.build(server, index, number, play.seed) for number in range(1, play.count + 1)]
    until, changes = time.monotonic() + (play.for_s or math.inf), 0
    await server.start()
    try:
        while time.monotonic() < until:
            for pump in pumps:
                changes += await pump.run()
            await asyncio.sleep(min(play.every_s, max(0.0, until - time.monotonic())))
    finally:
        with suppress(asyncio.CancelledError):
            await server.stop()
    return changes


class Pump:
    """One pump: flow and pressure follow its speed, the bearing its load."""

    def __init__(self, nodes: dict[str, Any], seed: int) -> None:
        self._nodes = nodes
        self._chance = random.Random(seed)  # noqa: S311  (plausible, not secret)
        self._warmth = 35.0

    @classmethod
    async def build(cls, server: Any, index: int, number: int, seed: int) -> "Pump":
        """Adds a pump to the server's objects."""
        ua, name = asyncua("ua"), f"Pump{number}"
        home = await server.nodes.objects.add_object(ua.NodeId(name, index), f"{index}:{name}")
        nodes: dict[str, Any] = {}
        for field, (start, unit) in _FIELDS.items():
            node = await home.add_variable(ua.NodeId(f"{name}.{field}", index), f"{index}:{field}", start)
            await _tell_unit(node, unit)
            nodes[field] = node
        await nodes["Speed"].set_writable()
        await server.historize_node_data_change([nodes["Flow"], nodes["Pressure"]])
        pump = cls(nodes, seed + number)

        async def switch(_: Any, running: Any) -> list[Any]:
            await pump._nodes["Running"].write_value(bool(running.Value))
            return [ua.Variant(bool(running.Value), ua.VariantType.Boolean)]

        boolean = [ua.VariantType.Boolean]
        await home.add_method(ua.NodeId(f"{name}.Switch", index), f"{index}:Switch", switch, boolean, boolean)
        return pump

    async def run(self) -> int:
        """Lets some time pass; returns how many values changed."""
        speed: float = await self._nodes["Speed"].read_value()
        running: bool = await self._nodes["Running"].read_value()
        share = speed / _NOMINAL_RPM if running else 0.0
        self._warmth += (35.0 + 30.0 * share - self._warmth) * 0.1
        told = {
            "Flow": 320.0 * share + self._chance.gauss(0, 1.5) * share,
            "Pressure": 480.0 * share**2 + self._chance.gauss(0, 2.0) * share,
            "BearingTemperature": self._warmth + self._chance.gauss(0, 0.1),
        }
        for name, value in told.items():
            await self._nodes[name].write_value(round(value, 2))
        return len(told)


_FIELDS: dict[str, tuple[float | bool, str]] = {
    "Flow": (320.0, "MQH"),
    "Pressure": (480.0, "KPA"),
    "BearingTemperature": (35.0, "CEL"),
    "Speed": (_NOMINAL_RPM, "RPM"),
    "Running": (True, ""),
}


async def _tell_unit(node: Any, code: str) -> None:
    if not code:
        return
    ua = asyncua("ua")
    told = ua.EUInformation(
        NamespaceUri="http://www.opcfoundation.org/UA/units/un/cefact",
        UnitId=int.from_bytes(code.encode(), "big"),
        DisplayName=ua.LocalizedText(code),
    )
    await node.add_property(0, "EngineeringUnits", told)

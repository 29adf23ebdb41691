"""Publishes observations: packed onto the bus, as every gateway does it."""

import asyncio
import os

from yunmeng.kernel.base import load_settings, now_us
from yunmeng.kernel.model import NAMESPACE, Row, Series
from yunmeng.kernel.sense import Packer
from yunmeng.kernel.trust import Principal
from yunmeng.node.parts import connected

DATA = os.environ.get("YUNMENG_DATA", "yunmeng-demo")
GATEWAY = Principal("urn:yunmeng:service:tutorial", kind="service", roles=("service",))
LEVEL = Series(
    entity="urn:ngsi-ld:Reservoir:tutorial",
    attribute=f"{NAMESPACE}waterLevel",
    type=f"{NAMESPACE}Reservoir",
    division="420106",
    unit="MTR",
    synthetic=True,
)


async def main() -> None:
    """Sends five levels, one for each of the last five minutes; returns when the bus has them on disk."""
    async with (
        connected(load_settings(overrides=[f"node.data={DATA}"])) as parts,
        Packer(parts.bus, "tutorial", GATEWAY) as packer,
    ):
        for minute, level in enumerate(("25.10", "25.22", "25.37", "25.51", "25.64")):
            await packer.add(Row(LEVEL, now_us() - (4 - minute) * 60_000_000, level))
    print("5 observations on the bus")


asyncio.run(main())

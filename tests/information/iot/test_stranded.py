"""Devices whose gateway process was killed while they were online."""

import asyncio
import socket
from collections.abc import Callable
from pathlib import Path

import httpx
from tests.information.iot.test_firmware import driving, register, soon
from tests.nodes import Node, free_port

from yunmeng.gateways.jt808.simulator import Terminal
from yunmeng.kernel.model import VOCABULARY_CONTEXT


def online(client: httpx.Client) -> set[str]:
    rows = client.get("/api/devices", params={"state": "online"}).json()
    return {row.get("address", row["id"]) for row in rows}


def listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def test_devices_are_offline_when_their_gateway_was_killed_until_they_come_again(
    launch: Callable[..., Node], tmp_path: Path
) -> None:
    port = free_port()
    node = launch(tmp_path / "data", "--set", f"gateways.buses=jt808+tcp://127.0.0.1:{port}")
    client = node.administrator()
    staying, leaving = register(client, range(500, 502), "killed").values()

    far = {"id": "urn:ngsi-ld:Device:far", "type": "Device", "deviceState": "online", "gateway": "elsewhere"}
    head = {"content-type": "application/ld+json"}
    made = client.post("/ngsi-ld/v1/entities", json={**far, "@context": VOCABULARY_CONTEXT}, headers=head)
    assert made.status_code == 201, made.text

    async def work() -> None:
        async with driving(port, Terminal(500, 42), Terminal(501, 42)):
            await soon(lambda: online(client) == {far["id"], staying, leaving}, "both terminals")
            node.role("gateway").kill()
        await soon(lambda: online(client) == {far["id"]}, "only the other node's to be online")
        await soon(lambda: listens(port), "the gateway to listen again")
        async with driving(port, Terminal(500, 42)):
            await soon(lambda: online(client) == {far["id"], staying}, "the one that came again")

    asyncio.run(work())

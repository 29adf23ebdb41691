"""Firmware brought to terminals over real sockets: in waves, stopped by failures, after a restart too."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from hashlib import sha256
from pathlib import Path
from struct import pack
from typing import Any

import httpx
from tests.field import working
from tests.nodes import Node, free_port, until, with_parts

from yunmeng.gateways.jt808.codec import Jt808Codec, Packet
from yunmeng.gateways.jt808.simulator import Terminal
from yunmeng.kernel.sense import DeviceRecord
from yunmeng.kernel.trust import AuditReader
from yunmeng.node.parts import Parts

CODEC = Jt808Codec()
QUICK = {"ask_every_s": 0.3, "within_s": 30, "patience_s": 60}


class Stubborn(Terminal):
    """A terminal that refuses to be upgraded."""

    def obey(self, order: Packet) -> bytes:
        if order.id == 0x8105:
            return self.packet(0x0001, pack(">HHB", order.serial, order.id, 1))
        return super().obey(order)


@asynccontextmanager
async def driving(port: int, *terminals: Terminal) -> AsyncIterator[None]:
    """Has terminals connect, say that they are alive, and do what they are told."""

    async def play(terminal: Terminal) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(terminal.packet(0x0002))
        try:
            with suppress(asyncio.IncompleteReadError):
                while True:
                    frame = await reader.readuntil(b"\x7e")
                    if len(frame) > 1 and (packet := CODEC.decode(b"\x7e" + frame)).id != 0x8001:
                        writer.write(terminal.obey(packet))
        finally:
            writer.close()

    tasks = [asyncio.create_task(play(each)) for each in terminals]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def register(client: httpx.Client, numbers: range, tag: str) -> dict[str, str]:
    """Registers the terminals of these numbers; returns addresses by id."""
    rows = [
        {"kind": "vehicle-terminal", "division": "420106", "address": f"{13_000_000_000 + number:d}"}
        for number in numbers
    ]
    said = client.post("/api/devices", json=rows)
    assert said.status_code == 201, said.text
    ids = said.json()["ids"]
    client.post("/api/devices/tags", json={"selection": {"ids": ids}, "add": [tag]})
    return {id: row["address"] for id, row in zip(ids, rows, strict=True)}


def add(client: httpx.Client, version: str) -> str:
    said = client.post(
        "/api/firmware",
        params={"kind": "vehicle-terminal", "version": version},
        content=version.encode() * 1000,
        headers={"Content-Type": "application/octet-stream"},
    )
    assert said.status_code == 201, said.text
    return said.json()["id"]


def begin(client: httpx.Client, firmware: str, tag: str, **plan: object) -> str:
    body = {"firmware": firmware, "selection": {"tag": tag}, **QUICK, **plan}
    said = client.post("/api/firmware-campaigns", json=body)
    assert said.status_code == 201, said.text
    return said.json()["id"]


def shown(client: httpx.Client, campaign: str) -> dict[str, Any]:
    return client.get(f"/api/firmware-campaigns/{campaign}").json()


def played(node: Node, ids: dict[str, str], work: Callable[[int], Awaitable[None]]) -> None:
    """Runs a gateway at the node, and devices at the gateway."""
    records = [DeviceRecord("jt808", address, "420106") for address in ids.values()]

    async def run(parts: Parts) -> None:
        async with working("jt808+tcp://", bus=parts.bus, records=records) as field:
            await work(field.port)

    with_parts(node, run)


async def soon(check: Callable[[], object], what: str) -> None:
    await asyncio.to_thread(until, check, what)


def test_firmware_reaches_terminals_wave_by_wave(province: Node, administrator: httpx.Client) -> None:
    ids = register(administrator, range(100, 110), "wave")
    firmware = add(administrator, "2.1")
    campaign = begin(administrator, firmware, "wave", waves=["10%", "100%"])
    busy = administrator.post(
        "/api/firmware-campaigns", json={"firmware": firmware, "selection": {"tag": "wave"}}
    )
    assert busy.json()["key"] == "campaign.busy"
    assert shown(administrator, campaign)["waves"] == {"1": {"pending": 1}, "2": {"pending": 9}}
    terminals = [Terminal(number, 42) for number in range(100, 110)]

    async def work(port: int) -> None:
        async with driving(port, *terminals):
            await soon(lambda: shown(administrator, campaign)["campaignState"] == "done", "the campaign")

    played(province, ids, work)
    after = shown(administrator, campaign)
    assert after["waves"] == {"1": {"applied": 1}, "2": {"applied": 9}}
    assert (after["devicesApplied"], after["devicesFailed"]) == (10, 0)
    assert {terminal.firmware for terminal in terminals} == {"2.1"}
    assert administrator.get(f"/api/devices/{next(iter(ids))}").json()["firmwareVersion"] == "2.1"
    again = begin(administrator, firmware, "wave")
    until(lambda: shown(administrator, again)["campaignState"] == "done", "the second campaign")
    assert shown(administrator, again)["devicesSkipped"] == 10, "they have it already"


def test_failures_stop_a_campaign_until_somebody_lets_it_go_on(
    province: Node, administrator: httpx.Client
) -> None:
    ids = register(administrator, range(200, 204), "stop")
    campaign = begin(administrator, add(administrator, "2.2"), "stop", waves=[2, 4], stop_share=0.4)
    terminals = [Stubborn(number, 42) for number in range(200, 204)]

    async def work(port: int) -> None:
        async with driving(port, *terminals):
            await soon(lambda: shown(administrator, campaign)["campaignState"] == "stopped", "the stop")
            stopped = shown(administrator, campaign)
            assert stopped["waves"]["2"] == {"pending": 2}, "the second wave was spared"
            assert stopped["waves"]["1"]["failed"] >= 1
            assert "> 40%" in stopped["campaignReason"]
            on = administrator.patch(f"/api/firmware-campaigns/{campaign}", json={"state": "running"})
            assert on.status_code == 200, on.text
            await soon(lambda: shown(administrator, campaign)["waves"]["2"].get("failed"), "the second wave")
            await soon(lambda: shown(administrator, campaign)["campaignState"] == "stopped", "another stop")
            administrator.patch(f"/api/firmware-campaigns/{campaign}", json={"state": "cancelled"})

    played(province, ids, work)
    rows = administrator.get(f"/api/firmware-campaigns/{campaign}/devices").json()
    assert {row["updateState"] for row in rows} <= {"failed", "skipped"}
    assert any(row["updateReason"].startswith("command.refused") for row in rows)
    over = administrator.patch(f"/api/firmware-campaigns/{campaign}", json={"state": "running"})
    assert over.json()["key"] == "campaign.over"


def test_a_campaign_outlives_a_restart_of_its_node(launch: Callable[..., Node], tmp_path: Path) -> None:
    port = free_port()
    node = launch(tmp_path / "data", "--set", f"gateways.buses=jt808+tcp://127.0.0.1:{port}")
    client = node.administrator()
    register(client, range(300, 303), "again")
    firmware = add(client, "3.0")
    campaign = begin(client, firmware, "again", waves=["100%"])
    paused = client.patch(f"/api/firmware-campaigns/{campaign}", json={"state": "paused"})
    assert paused.status_code == 200, paused.text
    cookies, head = dict(client.cookies), dict(client.headers)
    node.stop()
    node.start()
    terminals = [Terminal(number, 42) for number in range(300, 303)]

    async def work() -> None:
        async with driving(port, *terminals), httpx.AsyncClient(base_url=node.url, timeout=30) as there:
            there.cookies.update(cookies)
            there.headers.update(head)
            async with asyncio.timeout(60):
                online: list[object] = []
                while len(online) < 3:
                    await asyncio.sleep(0.3)
                    online = (await there.get("/api/devices", params={"state": "online"})).json()
                told = (await there.get(f"/api/firmware-campaigns/{campaign}")).json()
                assert told["waves"] == {"1": {"pending": 3}}, "it is paused still"
                on = await there.patch(f"/api/firmware-campaigns/{campaign}", json={"state": "running"})
                assert on.status_code == 200, on.text
                while told["campaignState"] != "done":
                    await asyncio.sleep(0.3)
                    told = (await there.get(f"/api/firmware-campaigns/{campaign}")).json()
            assert told["waves"] == {"1": {"applied": 3}}
            fetched = await there.get((await there.get("/api/firmware")).json()[0]["downloadUrl"])
            assert sha256(fetched.content).hexdigest() == sha256(b"3.0" * 1000).hexdigest()

    asyncio.run(work())
    log = AuditReader(node.data / "audit")
    events = [event for event in log.events(0) if event.facts.get("campaign") == campaign]
    assert [event.action for event in events] == ["command.send"] * 3
    assert {event.principal for event in events} == {"person:admin"}


def test_firmware_is_checked_before_it_is_kept(administrator: httpx.Client) -> None:
    facts = {"kind": "vehicle-terminal", "version": "9.9"}
    head = {"Content-Type": "application/octet-stream"}
    empty = administrator.post("/api/firmware", params=facts, headers=head)
    assert empty.json()["key"] == "firmware.empty"
    wrong = administrator.post(
        "/api/firmware", params={**facts, "sha256": "0" * 64}, content=b"x", headers=head
    )
    assert wrong.json()["key"] == "firmware.hash"
    there = {**facts, "url": "https://files.example/fw.bin"}
    assert administrator.post("/api/firmware", json=there).status_code == 201
    assert administrator.post("/api/firmware", json=there).json()["key"] == "firmware.known"
    assert administrator.get("/api/firmware/files/guessed").json()["key"] == "firmware.absent"
    nobody = administrator.post(
        "/api/firmware-campaigns",
        json={"firmware": "urn:ngsi-ld:DeviceFirmware:vehicle-terminal:9.9", "selection": {"tag": "none"}},
    )
    assert nobody.json()["key"] == "campaign.nobody"

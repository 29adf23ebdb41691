"""A flood from the telegram on: an SL 651 station speaks to a node's gateway, and somebody is called."""

import asyncio
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest
from tests.nodes import Node, free_port, until

from yunmeng.gateways.sl651.codec import Sl651Codec
from yunmeng.gateways.sl651.messages import ETX, Frame
from yunmeng.gateways.sl651.tables import codes
from yunmeng.gateways.sl651.writing import element_item, station_item, time_item, write_text
from yunmeng.kernel.base import now_us

STATION = "4211250001"
LAKE = "urn:ngsi-ld:Reservoir:42112500001"
CODEC = Sl651Codec()


def telegram(at: int, serial: int, **values: float) -> bytes:
    """The timed report of a reservoir station (function code 0x32), in HEX/BCD."""
    items = [station_item(STATION, "K"), time_item(at)]
    items += [element_item(codes()[code], value) for code, value in values.items()]
    return CODEC.encode(
        Frame(STATION, 0x32, write_text(serial, at, items, is_ascii=False), 5, 0x03E8, end=ETX)
    )


async def report(port: int, *frames: bytes) -> list[bytes]:
    """Sends frames as a station does, and hears each confirmed."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    answers: list[bytes] = []
    for frame in frames:
        writer.write(frame)
        await writer.drain()
        head = await asyncio.wait_for(reader.readexactly(14), 10)
        answers.append(head + await reader.readexactly(((head[11] & 0x0F) << 8 | head[12]) + 3))
    writer.close()
    return answers


@pytest.fixture
def office(launch: Callable[..., Node], tmp_path: Path) -> tuple[httpx.Client, int]:
    """A node with a gateway for telegrams, one reservoir and its station in the registers."""
    port = free_port()
    node = launch(tmp_path / "data", "--set", f"gateways.water=sl651+tcp://127.0.0.1:{port}")
    client = node.administrator()
    table = "reservoirCode,name,division,floodLimitLevel\n42112500001,白莲试验水库,421125,104\n"
    path, csv = "/api/water/register", {"Content-Type": "text/csv"}
    assert client.post(path, params={"type": "Reservoir"}, content=table, headers=csv).status_code == 201
    device = {
        "kind": "hydrological-station",
        "division": "421125",
        "address": STATION,
        "options": {"entity": LAKE},
    }
    said = client.post("/api/devices", json=[device])
    assert said.status_code == 201, said.text
    return client, port


def test_a_telegram_calls_the_duty_officer(office: tuple[httpx.Client, int]) -> None:
    client, port = office
    at = now_us()
    minute = 60_000_000
    frames = [telegram(at - 5 * minute, 1, ZU=103.40, Q=210.0), telegram(at, 2, ZU=105.25, Q=640.0, QA=120.0)]
    answers = asyncio.run(report(port, *frames))
    assert [CODEC.decode(each).function for each in answers] == [0x32, 0x32]

    def lake() -> dict[str, object]:
        return client.get(f"/api/entities/{LAKE}").json()

    until(lambda: "105.25" in str(lake()), "the level at the registered reservoir")
    (alert,) = until(lambda: client.get("/api/alerts", params={"state": "active"}).json(), "the alert")
    assert alert["alertSource"] == LAKE
    assert alert["responseLevel"] == "II"
    assert "白莲试验水库" in str(alert["headline"])
    (event,) = until(lambda: client.get("/api/events").json(), "the event")
    path = f"/api/events/{event['id']}"
    assign = {"stage": "assigned", "owner": "白莲管理处", "note": "开闸预泄"}
    assert client.post(f"{path}/steps", json=assign).status_code == 200
    asyncio.run(report(port, telegram(now_us(), 3, ZU=103.2, Q=80.0)))
    until(lambda: client.get("/api/alerts", params={"state": "ended"}).json(), "the end of the alert")
    assert client.get(path).json()["stage"] == "assigned", "people end an event, not the water"

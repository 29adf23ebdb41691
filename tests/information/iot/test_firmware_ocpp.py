"""Firmware brought to charging stations of the library ``ocpp``: told, fetched, installed, booted anew."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import httpx
import pytest
from tests.field import Field, working
from tests.gateways.ocpp.stations import BOOT2, BOOT16, say, station
from tests.information.iot.test_firmware import begin, shown, soon
from tests.nodes import Node, with_parts

from yunmeng.kernel.sense import DeviceRecord
from yunmeng.node.parts import Parts

FILE = b"what a station runs " * 1000
both_versions = pytest.mark.parametrize("version", ["1.6", "2.0.1"])


class Pile:
    """A station that fetches and installs what it is told to, and starts anew once ``starts`` lets it."""

    def __init__(self, version: str, name: str, *, last: str = "Installed", answer: str = "Accepted") -> None:
        self.version = version
        self.name = name
        self.last = last
        self.firmware = "1.2"
        self.fetched = b""
        self.starts = asyncio.Event()
        self._answer = answer

    async def work(self, field: Field) -> None:
        """Is connected until it is cancelled; an update that is installed ends one connection."""
        answers = {"UpdateFirmware": {} if self.version == "1.6" else {"status": self._answer}}
        while True:
            async with station(field, self.version, self.name, answers=answers) as made:
                await say(made, "BootNotification", **self._boot())
                while not made.told or not await self._update(made, made.told.pop()[1]):
                    await asyncio.sleep(0.02)
                await self.starts.wait()

    async def _update(self, made: Any, told: dict[str, Any]) -> bool:
        """Does what UpdateFirmware says (L01); tells whether it is to start anew."""
        if self._answer != "Accepted":
            return False
        is16 = self.version == "1.6"
        number = {} if is16 else {"request_id": told["request_id"]}
        for status in ("Downloading", "Downloaded", "Installing", self.last):
            await say(made, "FirmwareStatusNotification", status=status, **number)
            if status == "Downloading":
                async with httpx.AsyncClient() as client:
                    file = told["location"] if is16 else told["firmware"]["location"]
                    self.fetched = (await client.get(file)).content
        if self.last != "Installed":
            return False
        self.firmware = "2.0"
        return True

    def _boot(self) -> dict[str, Any]:
        if self.version == "1.6":
            return {**BOOT16, "firmware_version": self.firmware}
        of = {**BOOT2["charging_station"], "firmware_version": self.firmware}
        return {"charging_station": of, "reason": "FirmwareUpdate"}


def register(client: httpx.Client, tag: str, piles: list[Pile]) -> list[str]:
    """Registers stations; returns the ids of the devices."""
    rows = [{"kind": "charging-pile", "division": "420106", "address": pile.name} for pile in piles]
    said = client.post("/api/devices", json=rows)
    assert said.status_code == 201, said.text
    ids = said.json()["ids"]
    client.post("/api/devices/tags", json={"selection": {"ids": ids}, "add": [tag]})
    return ids


def played(node: Node, piles: list[Pile], work: Callable[[], Awaitable[None]]) -> None:
    """Runs an OCPP gateway at the node, and the stations at the gateway."""
    records = [DeviceRecord("ocpp", pile.name, "420106") for pile in piles]

    async def run(parts: Parts) -> None:
        async with (
            working("ocpp+ws://", bus=parts.bus, records=records) as field,
            asyncio.TaskGroup() as group,
        ):
            tasks = [group.create_task(pile.work(field)) for pile in piles]
            await work()
            for task in tasks:
                task.cancel()

    with_parts(node, run)


@pytest.fixture(scope="module")
def firmware(administrator: httpx.Client) -> str:
    """Firmware for every station of these tests."""
    said = administrator.post(
        "/api/firmware",
        params={"kind": "charging-pile", "version": "2.0"},
        content=FILE,
        headers={"Content-Type": "application/octet-stream"},
    )
    assert said.status_code == 201, said.text
    return said.json()["id"]


@both_versions
def test_stations_take_firmware_wave_by_wave_and_have_it_once_they_start_anew(
    province: Node, administrator: httpx.Client, firmware: str, version: str
) -> None:
    piles = [Pile(version, f"good-{version}-{number}") for number in range(3)]
    ids = register(administrator, f"good-{version}", piles)
    campaign = begin(administrator, firmware, f"good-{version}", waves=[1, "100%"])

    def devices() -> list[dict[str, Any]]:
        return [administrator.get(f"/api/devices/{id}").json() for id in ids]

    async def work() -> None:
        await soon(
            lambda: any(each.get("firmwareProgress") == "Installed" for each in devices()), "the first"
        )
        told = {"1": {"downloading": 1}, "2": {"pending": 2}}
        await soon(lambda: shown(administrator, campaign)["waves"] == told, "the first to be waited for")
        await asyncio.sleep(2)
        assert shown(administrator, campaign)["waves"] == told, "it has not started anew"
        for pile in piles:
            pile.starts.set()
        await soon(lambda: shown(administrator, campaign)["campaignState"] == "done", "the campaign")

    played(province, piles, work)
    assert shown(administrator, campaign)["waves"] == {"1": {"applied": 1}, "2": {"applied": 2}}
    assert {pile.fetched for pile in piles} == {FILE}
    assert {each["firmwareVersion"] for each in devices()} == {"2.0"}


@both_versions
def test_a_station_that_says_it_failed_has_failed_and_may_be_told_again(
    province: Node, administrator: httpx.Client, firmware: str, version: str
) -> None:
    pile = Pile(version, f"bad-{version}", last="InstallationFailed")
    register(administrator, f"bad-{version}", [pile])

    def reason(campaign: str) -> str:
        (row,) = administrator.get(f"/api/firmware-campaigns/{campaign}/devices").json()
        return row["updateReason"]

    async def work() -> None:
        first = begin(administrator, firmware, f"bad-{version}", waves=["100%"], within_s=3600)
        await soon(lambda: reason(first) == "InstallationFailed", "the failure, long before the time is over")
        administrator.patch(f"/api/firmware-campaigns/{first}", json={"state": "cancelled"})
        pile.last = "Installed"
        pile.starts.set()
        again = begin(administrator, firmware, f"bad-{version}", waves=["100%"])
        await soon(lambda: shown(administrator, again)["campaignState"] == "done", "the second campaign")
        assert shown(administrator, again)["waves"] == {"1": {"applied": 1}}, "what it said before is over"

    played(province, [pile], work)


def test_a_station_that_refuses_the_update_has_failed(
    province: Node, administrator: httpx.Client, firmware: str
) -> None:
    pile = Pile("2.0.1", "refusing", answer="Rejected")
    register(administrator, "refusing", [pile])
    campaign = begin(administrator, firmware, "refusing", waves=["100%"])

    async def work() -> None:
        await soon(lambda: shown(administrator, campaign)["campaignState"] == "stopped", "the refusal")

    played(province, [pile], work)
    (row,) = administrator.get(f"/api/firmware-campaigns/{campaign}/devices").json()
    assert row["updateReason"].startswith("command.refused")
    assert "Rejected" in row["updateReason"]
    assert pile.fetched == b""
    administrator.patch(f"/api/firmware-campaigns/{campaign}", json={"state": "cancelled"})

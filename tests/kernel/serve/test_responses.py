"""From a measured value to a scored event: rules, alerts and events at a node, over HTTP."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from tests.kernel.compute.test_cap import THUNDERSTORM
from tests.kernel.serve.conftest import NODE, Node, running, until

from yunmeng.kernel.base import now_us, packages
from yunmeng.kernel.compute import CAP, RuleRunner, from_cap, load_rules
from yunmeng.kernel.link import obs_subject
from yunmeng.kernel.model import Reading, Series, TypeLibrary, encode_batch, make_batch_of
from yunmeng.kernel.store import HistoryServer

WATER = [package for package in packages() if package.id == "water"]
RESERVOIR = "urn:ngsi-ld:Reservoir:r1"


@asynccontextmanager
async def judging(node: Node) -> AsyncIterator[None]:
    """Runs the rules of water at a node; a second time is a restart."""
    library = node.services.types
    runner = RuleRunner(node.bus, node.state, load_rules(WATER, library), library)
    await runner.start()
    task = asyncio.create_task(runner.run())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await runner.stop()


@pytest.fixture
async def water(tmp_path: Path, history_server: HistoryServer) -> AsyncIterator[Node]:
    async with running(tmp_path / "data", history_server, [package.folder for package in packages()]) as node:
        await reservoir(node)
        yield node


async def reservoir(node: Node, id: str = RESERVOIR, name: str = "白莲河") -> None:
    body = {
        "@context": node.services.types.context()["@context"],
        "id": id,
        "type": "Reservoir",
        "name": name,
        "division": "420106",
        "floodLimitLevel": 100.0,
        "location": {"type": "Point", "coordinates": [115.0, 30.5]},
    }
    said = await node.admin.post(
        "/ngsi-ld/v1/entities", json=body, headers={"Content-Type": "application/ld+json"}
    )
    assert said.status_code == 201, said.text


async def measure(node: Node, *levels: float, id: str = RESERVOIR) -> None:
    library: TypeLibrary = node.services.types
    attribute = library.attribute("waterLevel")
    assert attribute is not None
    series = Series(id, attribute.uri, library.type("Reservoir").uri, "420106", "MTR")
    for level in levels:
        now = now_us()
        batch = make_batch_of([Reading((series,), now, (level,))], gateway="test", received_at=now)
        await node.bus.publish(obs_subject("", "test"), encode_batch(batch), NODE)


async def listed(node: Node, path: str, **asked: str) -> list[dict[str, Any]]:
    said = await node.admin.get(path, params=asked)
    assert said.status_code == 200, said.text
    return said.json()


async def one(node: Node, path: str, **asked: str) -> dict[str, Any]:
    async def there() -> bool:
        return len(await listed(node, path, **asked)) == 1

    await until(there)
    return (await listed(node, path, **asked))[0]


async def test_a_level_above_the_limit_becomes_an_alert_and_ends(water: Node) -> None:
    async with judging(water):
        await measure(water, 99.0, 100.2)
        alert = await one(water, "/api/alerts", state="active")
        assert alert["responseLevel"] == "IV"
        assert alert["alertSource"] == RESERVOIR
        assert alert["division"] == "420106"
        assert alert["alertLimit"] == 100.0
        assert await listed(water, "/api/events") == []
        await measure(water, 99.0)
        ended = await one(water, "/api/alerts", state="ended")
        assert ended["id"] == alert["id"]

        async def told() -> bool:
            said = await water.admin.get(f"/ngsi-ld/v1/entities/{RESERVOIR}", params={"options": "keyValues"})
            return said.json().get("https://w3id.org/yunmeng/levelOverLimit") == -1.0

        await until(told)


async def test_grave_alerts_of_one_county_join_one_event(water: Node) -> None:
    await reservoir(water, "urn:ngsi-ld:Reservoir:r2", "金盆")
    async with judging(water):
        await measure(water, 100.6)
        event = await one(water, "/api/events")
        assert (event["stage"], event["responseLevel"], event["place"]) == ("received", "III", "420106")
        await measure(water, 101.2, id="urn:ngsi-ld:Reservoir:r2")
        await one(water, "/api/events", level="II")
        assert len(await listed(water, "/api/alerts", event=event["id"])) == 2


async def test_an_event_is_handled_to_its_end(water: Node) -> None:
    async with judging(water):
        await measure(water, 102.5)
        event = await one(water, "/api/events")
    path = f"/api/events/{event['id']}"
    early = await water.admin.post(f"{path}/steps", json={"stage": "scored", "score": 5})
    assert early.status_code == 400
    assert early.json()["key"] == "event.step"
    task = await water.admin.post(f"{path}/tasks", json={"title": "巡查大坝", "assignee": "person:b"})
    assert task.status_code == 201, task.text
    for step in (
        {"stage": "assigned", "owner": "白莲河管理局", "note": "两小时内到位"},
        {"stage": "handled", "note": "已开闸"},
        {"stage": "verified", "note": "水位回落"},
        {"stage": "scored", "score": 95},
    ):
        said = await water.admin.post(f"{path}/steps", json=step)
        assert said.status_code == 200, said.text
    done = await water.admin.patch(
        f"/api/tasks/{task.json()['id']}", json={"state": "done", "result": "正常"}
    )
    assert done.status_code == 200, done.text
    again = await water.admin.patch(f"/api/tasks/{task.json()['id']}", json={"state": "done", "result": "x"})
    assert again.status_code == 400
    whole = (await water.admin.get(path)).json()
    assert (whole["stage"], whole["score"], whole["owner"]) == ("scored", 95, "白莲河管理局")
    assert whole["tasks"][0]["taskState"] == "done"
    assert len(whole["alerts"]) == 1


async def test_of_two_who_lead_an_event_on_at_once_one_is_told(water: Node) -> None:
    async with judging(water):
        await measure(water, 102.5)
        event = await one(water, "/api/events")
    path = f"/api/events/{event['id']}"
    said = await asyncio.gather(
        *(
            water.admin.post(f"{path}/steps", json={"stage": "assigned", "owner": owner})
            for owner in ("东湖处", "西湖处")
        )
    )
    done, refused = sorted(said, key=lambda each: each.status_code)
    assert (done.status_code, refused.status_code, refused.json()["key"]) == (200, 409, "entity.changed")
    assert (await water.admin.get(path)).json()["owner"] == done.json()["owner"]


async def test_after_a_restart_nothing_is_raised_twice(water: Node) -> None:
    async with judging(water):
        await measure(water, 100.6)
        event = await one(water, "/api/events")
    async with judging(water):
        await measure(water, 100.7, 101.5)
        await one(water, "/api/alerts", level="II")
        assert [each["id"] for each in await listed(water, "/api/events")] == [event["id"]]
        await measure(water, 98.0)
        await one(water, "/api/alerts", state="ended")


async def test_a_written_value_is_judged_as_a_measured_one(water: Node) -> None:
    async with judging(water):
        context = water.services.types.context()["@context"]
        body = {"@context": context, "waterLevel": {"type": "Property", "value": 100.1}}
        said = await water.admin.post(
            f"/ngsi-ld/v1/entities/{RESERVOIR}/attrs",
            json=body,
            headers={"Content-Type": "application/ld+json"},
        )
        assert said.status_code == 204, said.text
        assert (await one(water, "/api/alerts"))["responseLevel"] == "IV"


async def test_alerts_travel_as_cap(water: Node) -> None:
    async with judging(water):
        await measure(water, 100.2)
        alert = await one(water, "/api/alerts")
    message = (await water.admin.get(f"/api/alerts/{alert['id']}", headers={"Accept": CAP})).content
    assert from_cap(message).grade == "IV"
    foreign = message.replace(alert["id"].encode(), b"urn:oid:2.49.0.1.156.1")
    said = await water.admin.post("/api/alerts", content=foreign, headers={"Content-Type": CAP})
    assert said.status_code == 201, said.text
    assert len(await listed(water, "/api/alerts", state="active")) == 2
    bad = await water.admin.post("/api/alerts", content=b"<alert/>", headers={"Content-Type": CAP})
    assert bad.status_code == 400
    assert bad.json()["key"] == "cap.bad"


async def test_who_only_looks_cannot_end_an_alert(water: Node) -> None:
    async with judging(water):
        await measure(water, 100.2)
        alert = await one(water, "/api/alerts")
    viewer = await water.client("viewer")
    assert (await viewer.get("/api/alerts")).status_code == 200
    assert (await viewer.patch(f"/api/alerts/{alert['id']}", json={"state": "ended"})).status_code == 403
    said = await water.admin.patch(f"/api/alerts/{alert['id']}", json={"state": "cancelled"})
    assert said.status_code == 200, said.text
    assert (await listed(water, "/api/alerts", state="cancelled"))[0]["id"] == alert["id"]


async def test_an_alert_ended_by_hand_stays_ended_until_it_gets_graver(water: Node) -> None:
    async with judging(water):
        await measure(water, 100.2)
        first = await one(water, "/api/alerts", state="active")
        said = await water.admin.patch(f"/api/alerts/{first['id']}", json={"state": "cancelled"})
        assert said.status_code == 200, said.text
        await measure(water, 100.3, 98.0, 100.7)
        second = await one(water, "/api/alerts", state="active")
        assert (second["responseLevel"], second["id"] != first["id"]) == ("III", True)
        assert (await listed(water, "/api/alerts", state="cancelled"))[0]["id"] == first["id"]


async def test_a_city_sees_its_own_events_only(water: Node) -> None:
    async with judging(water):
        await measure(water, 100.6)
        await one(water, "/api/events")
    elsewhere = await water.client("operator", divisions=("420500",))
    assert (await elsewhere.get("/api/events")).json() == []
    assert (await elsewhere.get("/api/alerts")).json() == []


async def test_a_message_from_elsewhere_is_about_nothing_of_ours_and_overwrites_nothing(water: Node) -> None:
    said = await water.admin.post("/api/alerts", content=THUNDERSTORM, headers={"Content-Type": CAP})
    assert said.status_code == 201, said.text
    shown = await water.admin.get(f"/api/alerts/{said.json()['id']}")
    assert "alertSource" not in shown.json()
    assert shown.json()["responseLevel"] == "II"
    again = await water.admin.get(f"/api/alerts/{said.json()['id']}", headers={"Accept": CAP})
    assert from_cap(again.content).source == ""
    own = THUNDERSTORM.replace(b"KSTO1055887203", RESERVOIR.encode())
    said = await water.admin.post("/api/alerts", content=own, headers={"Content-Type": CAP})
    assert said.status_code == 201, said.text
    kept = (await water.admin.get(f"/ngsi-ld/v1/entities/{RESERVOIR}")).json()
    assert str(kept["type"]).endswith("/Reservoir")

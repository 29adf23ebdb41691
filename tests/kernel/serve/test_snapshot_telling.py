"""Notifications of snapshots (ETSI GS CIM 009 §5.3.4, §5.16.6), delivered over real sockets."""

import asyncio
from typing import Any

import pytest

from yunmeng.kernel.serve.ngsild import snapshot_telling, snapshots

from .conftest import until
from .test_subscriptions import notifying, receiver, subscribe

SNAPSHOTS = "/ngsi-ld/v1/snapshots"
QUERY = {"type": "Query", "entities": [{"type": "Meter"}]}


def body(url: str, **members: Any) -> dict[str, Any]:
    return {"type": "Snapshot", "snapshotQueries": [QUERY], "endpoint": url, **members}


async def test_the_end_changes_and_the_removal_are_told(node: Any) -> None:
    await node.admin.post("/ngsi-ld/v1/entities", json={"id": "urn:ngsi-ld:Meter:1", "type": "Meter"})
    async with receiver() as there, notifying(node):
        info = [{"key": "X-Key", "value": "secret"}]
        made = await node.admin.post(SNAPSHOTS, json=body(there.url, receiverInfo=info))
        address = made.headers["location"]
        await there.expect(1)
        headers, filled = there.got[0]
        assert headers["x-key"] == "secret"
        assert headers["content-type"] == "application/json"
        assert filled["type"] == "SnapshotNotification"
        assert filled["snapshotId"] == address.rpartition("/")[2]
        assert (filled["snapshotStatus"], filled["snapshotPriority"]) == ("success", 5)
        assert filled["snapshotQueriesDetails"] == [{"resultStatus": "success"}]
        assert filled["notifiedAt"] < filled["expiresAt"]

        # to use it is no news
        found = await node.admin.get(
            "/ngsi-ld/v1/entities?type=Meter", headers={"NGSILD-Snapshot": filled["snapshotId"]}
        )
        assert found.status_code == 200
        shown = (await node.admin.patch(address, json={"snapshotPriority": 8})).json()
        assert (shown["endpoint"], shown["receiverInfo"]) == (there.url, info)
        await there.expect(2)
        assert there.got[1][1]["snapshotPriority"] == 8

        assert (await node.admin.delete(address)).status_code == 204
        await there.expect(3)
        gone = there.got[2][1]
        assert gone["expiresAt"] <= gone["notifiedAt"]
        assert len(there.got) == 3


async def test_a_receiver_that_is_away_is_told_later(node: Any) -> None:
    tenant = {"NGSILD-Tenant": "there"}
    async with receiver(status=503) as there, notifying(node):
        made = await node.admin.post(SNAPSHOTS, json=body(there.url), headers=tenant)
        assert made.status_code == 201
        while not there.attempts:
            await node.flush()
        there.status = 200
        await there.expect(1)
        headers, told = there.got[0]
        assert (headers["ngsild-tenant"], told["snapshotStatus"]) == ("there", "empty")


async def test_what_was_made_while_nobody_told_is_told_after_a_start(node: Any) -> None:
    async with receiver() as there:
        made = await node.admin.post(SNAPSHOTS, json=body(there.url))
        assert made.status_code == 201, made.text
        async with notifying(node):
            await there.expect(1)
            assert there.got[0][1]["snapshotId"] == made.headers["location"].rpartition("/")[2]


async def test_who_no_longer_wants_to_hear_is_told_nothing(node: Any) -> None:
    async with receiver() as there, notifying(node):
        made = await node.admin.post(SNAPSHOTS, json=body(there.url))
        assert made.status_code == 201, made.text
        await there.expect(1)
        address = made.headers["location"]
        shown = (await node.admin.patch(address, json={"endpoint": "urn:ngsi-ld:null"})).json()
        assert "endpoint" not in shown
        assert (await node.admin.delete(address)).status_code == 204
        other = await node.admin.post(SNAPSHOTS, json=body(there.url))
        await there.expect(2)
        assert there.got[1][1]["snapshotId"] == other.headers["location"].rpartition("/")[2]


async def test_who_could_not_be_told_of_one_that_has_gone_is_told_after_a_restart(node: Any) -> None:
    async with receiver(status=503) as there:
        async with notifying(node):
            made = await node.admin.post(SNAPSHOTS, json=body(there.url))
            while not there.attempts:
                await node.flush()
            assert (await node.admin.delete(made.headers["location"])).status_code == 204
            await until(lambda: both_parked(node))
        there.status = 200
        async with notifying(node):
            await there.expect(2)
        assert [one["snapshotStatus"] for _, one in there.got] == ["empty", "empty"]
        assert there.got[1][1]["expiresAt"] <= there.got[1][1]["notifiedAt"]
        assert await node.state.records("subscription-status") == []


async def both_parked(node: Any) -> bool:
    return len(await node.state.records("notification")) == 2


async def test_a_snapshot_and_a_subscription_may_have_one_id(node: Any) -> None:
    both = "urn:ngsi-ld:Both:1"
    async with receiver() as here, receiver() as there, notifying(node):
        await node.admin.post(SNAPSHOTS, json=body(here.url, id=both))
        told = {"endpoint": {"uri": there.url}}
        subscription = {
            "id": both,
            "type": "Subscription",
            "entities": [{"type": "Meter"}],
            "notification": told,
        }
        assert (await node.admin.post("/ngsi-ld/v1/subscriptions", json=subscription)).status_code == 201
        await here.expect(1)
        await node.admin.post(
            "/ngsi-ld/v1/entities",
            json={"id": "urn:ngsi-ld:Meter:1", "type": "Meter", "level": {"value": 1}},
        )
        await there.expect(1)
        assert [one["type"] for _, one in there.got] == ["Notification"]
        assert [one["type"] for _, one in here.got] == ["SnapshotNotification"]


async def test_what_has_ended_is_removed_and_told(node: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(snapshot_telling, "SWEEP_S", 0.1)
    await node.admin.post("/ngsi-ld/v1/entities", json={"id": "urn:ngsi-ld:Meter:1", "type": "Meter"})
    async with receiver() as there, notifying(node):
        made = await node.admin.post(SNAPSHOTS, json=body(there.url, snapshotLifetime="PT1S"))
        assert made.status_code == 201, made.text
        await there.expect(2)
        gone = there.got[-1][1]
        assert gone["expiresAt"] <= gone["notifiedAt"]
        assert await node.state.records("snapshot") == []


async def test_a_removal_that_takes_its_time_holds_nobody_up(
    node: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    removing, go_on = asyncio.Event(), asyncio.Event()

    async def wait(*_: Any) -> None:
        removing.set()
        await go_on.wait()

    monkeypatch.setattr(snapshot_telling, "SWEEP_S", 0.1)
    await node.admin.post("/ngsi-ld/v1/entities", json={"id": "urn:ngsi-ld:Station:1", "type": "Station"})
    async with receiver() as there, notifying(node):
        made = await node.admin.post(SNAPSHOTS, json=body(there.url, endpoint=None))
        assert made.status_code == 201, made.text
        monkeypatch.setattr(snapshots.Shelf, "clear", wait)
        await node.admin.patch(made.headers["location"], json={"snapshotLifetime": "PT0S"})
        await asyncio.wait_for(removing.wait(), 5)
        await subscribe(node, there.url, timeInterval=1)
        await there.expect(1)
        assert there.got[0][1]["type"] == "Notification"

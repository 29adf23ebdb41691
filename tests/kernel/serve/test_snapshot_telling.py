"""Notifications of snapshots (ETSI GS CIM 009 §5.3.4, §5.16.6), delivered over real sockets."""

from typing import Any

from .test_subscriptions import notifying, receiver

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

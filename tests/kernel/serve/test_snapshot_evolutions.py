"""Snapshots of evolutions (ETSI GS CIM 009 §5.16.1): values as they were when the snapshot was made."""

from typing import Any

import httpx
import pytest

from yunmeng.kernel.serve import keeping
from yunmeng.kernel.serve.ngsild import snapshot_evolutions, snapshots

from .test_temporal import TEMPORAL, at, fill

SNAPSHOTS = "/ngsi-ld/v1/snapshots"
HEADER = "NGSILD-Snapshot"
WINDOW = {"timerel": "between", "timeAt": at(10), "endTimeAt": at(20)}


def asking(*queries: dict[str, Any], **members: Any) -> dict[str, Any]:
    whole = [
        {"type": "Query", "entities": [{"type": "Station"}], "temporalQ": WINDOW, **query}
        for query in queries
    ]
    return {"type": "Snapshot", "snapshotTemporalQueries": whole, **members}


async def make(client: httpx.AsyncClient, body: dict[str, Any], path: str = SNAPSHOTS) -> dict[str, Any]:
    made = await client.post(path, json=body)
    assert made.status_code == 201, made.text
    return (await client.get(made.headers["location"])).json()


async def levels(client: httpx.AsyncClient, id_: str, snapshot: dict[str, Any], more: str = "") -> list[Any]:
    answer = await client.get(f"{TEMPORAL}/{id_}?{more}", headers={HEADER: snapshot["id"]})
    assert answer.status_code == 200, answer.text
    assert answer.headers[HEADER] == snapshot["id"]
    return [row["value"] for row in answer.json().get("level", [])]


async def test_a_snapshot_keeps_what_was_then(node: Any) -> None:
    id_ = await fill(node)
    snapshot = await make(node.admin, asking({}))
    assert snapshot["snapshotStatus"] == "success", snapshot
    assert snapshot["snapshotTemporalQueriesDetails"] == [{"resultStatus": "success"}]
    assert "snapshotQueries" not in snapshot
    assert (await node.admin.delete(f"{TEMPORAL}/{id_}")).status_code == 204
    assert await levels(node.admin, id_, snapshot) == list(range(10, 20))
    assert await levels(node.admin, id_, snapshot, "lastN=2") == [18, 19]
    inside = {HEADER: snapshot["id"]}
    query = f"type=Station&attrs=level&timerel=after&timeAt={at(15)}&aggrMethods=avg,totalCount"
    found = await node.admin.get(f"{TEMPORAL}?{query}&options=aggregatedValues", headers=inside)
    assert [found.json()[0]["level"][name][0][0] for name in ("avg", "totalCount")] == [17, 5]
    whole = (await node.admin.get(f"{TEMPORAL}/{id_}", headers=inside)).json()
    assert whole["level"][0]["unitCode"] == "MTR"
    assert "name" not in whole
    assert (await node.admin.get("/ngsi-ld/v1/entities?type=Station", headers=inside)).json() == []


async def test_several_queries_keep_each_value_once(node: Any) -> None:
    id_ = await fill(node)
    ends = {"timerel": "before", "timeAt": at(12)}
    snapshot = await make(node.admin, asking({"attrs": ["level"]}, {"temporalQ": ends}))
    assert await levels(node.admin, id_, snapshot) == list(range(20))
    inside = {HEADER: snapshot["id"]}
    whole = (await node.admin.get(f"{TEMPORAL}/{id_}?sysAttrs=true", headers=inside)).json()
    live = (await node.admin.get(f"{TEMPORAL}/{id_}?options=sysAttrs")).json()
    assert whole["name"][0]["instanceId"] == live["name"][0]["instanceId"]
    assert whole["name"][0]["value"] == "one"


async def test_results_tell_what_was_found(node: Any) -> None:
    await fill(node, 20)
    none = {"entities": [{"type": "Absent"}]}
    now = {"snapshotQueries": [{"type": "Query", "entities": [{"type": "Station"}]}]}
    partial = await make(node.admin, asking({}, none, **now))
    assert partial["snapshotStatus"] == "partial"
    assert [row["resultStatus"] for row in partial["snapshotTemporalQueriesDetails"]] == ["success", "empty"]
    assert partial["snapshotQueriesDetails"] == [{"resultStatus": "success"}]
    assert (await make(node.admin, asking(none)))["snapshotStatus"] == "empty"


async def test_a_query_that_brings_too_much_brings_nothing(
    node: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    id_ = await fill(node, 30)
    monkeypatch.setattr(snapshot_evolutions, "VALUES_MOST", 12)
    few = {"temporalQ": {"timerel": "before", "timeAt": at(3)}, "attrs": ["level"]}
    snapshot = await make(node.admin, asking({"temporalQ": {"timerel": "before", "timeAt": at(25)}}, few))
    assert snapshot["snapshotStatus"] == "partial"
    failed = snapshot["snapshotTemporalQueriesDetails"][0]
    assert failed["problemDetails"]["key"] == "snapshot.too-many-values"
    assert await levels(node.admin, id_, snapshot) == [0, 1, 2]


async def test_a_clone_has_values_of_its_own_and_what_is_removed_leaves_none(
    node: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    id_ = await fill(node, 20)
    monkeypatch.setattr(snapshots, "_PLACES", 2)
    original = await make(node.admin, asking({}))
    inside = {HEADER: original["id"]}
    more = {"id": id_, "type": "Station", "level": [{"value": 500, "observedAt": at(25)}]}
    written = await node.admin.post(TEMPORAL, json=more, headers=inside)
    assert written.status_code == 204, written.text
    kept = [*range(10, 20), 500]
    assert await levels(node.admin, id_, original) == kept
    assert (await node.admin.get(f"{TEMPORAL}/{id_}?lastN=1")).json()["level"][0]["value"] == 19

    clone = await make(node.admin, {"type": "Snapshot"}, f"{SNAPSHOTS}/{original['id']}/clone")
    assert (await node.admin.delete(f"{SNAPSHOTS}/{original['id']}")).status_code == 204
    assert await levels(node.admin, id_, clone) == kept
    await node.flush()
    (record,) = await node.state.records(snapshots.KIND, "")
    place = snapshots.decode_snapshot(record.body).place
    assert await node.services.history.count(f"~snapshot-{place}") == len(kept)
    assert await node.services.history.count(f"~snapshot-{1 - place}") == 0


async def test_a_clone_has_all_that_its_original_has(node: Any) -> None:
    """Also what no query finds: an evolution that has only a scope."""
    await fill(node, 20)
    original = await make(node.admin, asking({}))
    inside = {HEADER: original["id"]}
    bare = {"id": "urn:ngsi-ld:Station:2", "type": "Station", "scope": "/Hubei"}
    assert (await node.admin.post(TEMPORAL, json=bare, headers=inside)).status_code == 201
    clone = await make(node.admin, {"type": "Snapshot"}, f"{SNAPSHOTS}/{original['id']}/clone")
    assert clone["snapshotStatus"] == "success"
    both = [
        (await node.admin.get(f"{TEMPORAL}/{bare['id']}", headers={HEADER: one["id"]})).json()
        for one in (original, clone)
    ]
    assert both[0] == both[1]
    assert both[0]["scope"]


async def test_large_values_go_in_several_messages(node: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    id_ = await fill(node)
    monkeypatch.setattr(keeping, "LARGEST_MESSAGE", 1_000)
    snapshot = await make(node.admin, asking({}))
    assert snapshot["snapshotStatus"] == "success"
    assert await levels(node.admin, id_, snapshot) == list(range(10, 20))


@pytest.mark.parametrize(
    ("query", "status", "key"),
    [
        ({"temporalQ": {"timerel": "since", "timeAt": at(0)}}, 400, "temporal.relation"),
        ({"temporalQ": {**WINDOW, "aggrMethods": ["avg"]}}, 422, "snapshot.aggregates"),
        ({"type": "Other"}, 400, "query.type"),
        ({"q": "level>"}, 400, "q.value"),
    ],
)
async def test_what_makes_no_snapshot_of_evolutions(
    admin: httpx.AsyncClient, query: dict[str, Any], status: int, key: str
) -> None:
    refused = await admin.post(SNAPSHOTS, json=asking(query))
    assert (refused.status_code, refused.json()["key"]) == (status, key)


async def test_a_temporal_query_needs_its_time(admin: httpx.AsyncClient) -> None:
    plain = {"type": "Query", "entities": [{"type": "Station"}]}
    refused = await admin.post(SNAPSHOTS, json={"type": "Snapshot", "snapshotTemporalQueries": [plain]})
    assert (refused.status_code, refused.json()["key"]) == (400, "snapshot.no-window")

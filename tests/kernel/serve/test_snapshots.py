"""Snapshots (ETSI GS CIM 009 §5.16, §6.3.22): made of queries, asked instead of the live entities."""

import asyncio
from typing import Any

import httpx
import pytest

from yunmeng.kernel.base import Unavailable
from yunmeng.kernel.serve.ngsild import snapshot_filling, snapshots

from .conftest import NODE

ENTITIES = "/ngsi-ld/v1/entities"
SNAPSHOTS = "/ngsi-ld/v1/snapshots"
HEADER = "NGSILD-Snapshot"


def urn(number: int) -> str:
    return f"urn:ngsi-ld:Meter:{number}"


def meter(number: int) -> dict[str, Any]:
    return {"id": urn(number), "type": "Meter", "level": {"value": number}, "spare": {"value": "x"}}


def asking(*queries: dict[str, Any], **members: Any) -> dict[str, Any]:
    whole = [{"type": "Query", "entities": [{"type": "Meter"}], **query} for query in queries]
    return {"type": "Snapshot", "snapshotQueries": whole, **members}


@pytest.fixture
async def filled(admin: httpx.AsyncClient) -> httpx.AsyncClient:
    made = await admin.post("/ngsi-ld/v1/entityOperations/create", json=[meter(n) for n in range(5)])
    assert made.status_code == 201, made.text
    return admin


async def make(client: httpx.AsyncClient, body: dict[str, Any], **headers: str) -> dict[str, Any]:
    """Makes a snapshot and returns what is said of it when it is full."""
    made = await client.post(SNAPSHOTS, json=body, headers=headers)
    assert made.status_code == 201, made.text
    return (await client.get(made.headers["location"], headers=headers)).json()


async def found(client: httpx.AsyncClient, snapshot: dict[str, Any], query: str = "type=Meter") -> list[str]:
    answer = await client.get(f"{ENTITIES}?{query}", headers={HEADER: snapshot["id"]})
    assert answer.status_code == 200, answer.text
    assert answer.headers[HEADER] == snapshot["id"]
    return [row["id"] for row in answer.json()]


async def test_a_snapshot_keeps_what_its_queries_found(filled: httpx.AsyncClient) -> None:
    snapshot = await make(filled, asking({"q": "level>2"}))
    assert snapshot["snapshotStatus"] == "success"
    assert snapshot["snapshotQueriesDetails"] == [{"resultStatus": "success"}]
    assert snapshot["snapshotPriority"] == 5
    assert snapshot["createdAt"] <= snapshot["lastUsedAt"] < snapshot["expiresAt"]
    assert await found(filled, snapshot) == [urn(3), urn(4)]

    await filled.patch(f"{ENTITIES}/{urn(3)}/attrs", json={"level": {"value": 99}})
    await filled.delete(f"{ENTITIES}/{urn(4)}")
    frozen = await filled.get(f"{ENTITIES}/{urn(3)}?options=keyValues", headers={HEADER: snapshot["id"]})
    assert frozen.json()["level"] == 3
    assert await found(filled, snapshot, "type=Meter&q=level==4") == [urn(4)]
    types = await filled.get("/ngsi-ld/v1/types", headers={HEADER: snapshot["id"]})
    assert types.json()["typeList"] == ["Meter"]
    assert await found(filled, snapshot, "type=Meter&q=level>50") == []


async def test_results_are_told_query_by_query(filled: httpx.AsyncClient) -> None:
    """§5.16.1.4: success, partial, empty."""
    none = {"entities": [{"type": "Absent"}]}
    partial = await make(filled, asking({}, none))
    assert partial["snapshotStatus"] == "partial"
    assert [row["resultStatus"] for row in partial["snapshotQueriesDetails"]] == ["success", "empty"]
    assert (await make(filled, asking(none)))["snapshotStatus"] == "empty"


async def test_a_query_that_fails_says_why(
    filled: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(snapshot_filling, "ENTITIES_MOST", 4)
    failed = await make(filled, asking({}, {"q": "level<2"}))
    assert failed["snapshotStatus"] == "partial"
    assert failed["snapshotQueriesDetails"][0]["problemDetails"]["key"] == "snapshot.too-many"
    assert await found(filled, failed) == [urn(0), urn(1)]


async def test_what_is_not_the_clients_to_say_is_left_out(filled: httpx.AsyncClient) -> None:
    """Table 5.2.41-2."""
    snapshot = await make(filled, asking({}, snapshotStatus="empty", createdAt="2020-01-01T00:00:00Z"))
    assert snapshot["snapshotStatus"] == "success"
    assert snapshot["createdAt"] > "2020-01-02"


async def test_a_client_may_choose_the_id_once(filled: httpx.AsyncClient) -> None:
    snapshot = await make(filled, asking({}, id="urn:ngsi-ld:Snapshot:mine"))
    assert snapshot["id"] == "urn:ngsi-ld:Snapshot:mine"
    again = await filled.post(SNAPSHOTS, json=asking({}, id=snapshot["id"]))
    assert (again.status_code, again.json()["key"]) == (409, "snapshot.exists")
    clone = await make_clone(filled, snapshot, {"type": "Snapshot", "id": "urn:ngsi-ld:Snapshot:too"})
    assert await found(filled, clone) == [urn(n) for n in range(5)]


async def test_what_is_written_into_a_snapshot_stays_inside(filled: httpx.AsyncClient) -> None:
    """§5.5.15: a snapshot is a place to try things."""
    snapshot = await make(filled, asking({"q": "level>2"}))
    inside = {HEADER: snapshot["id"]}
    changed = await filled.patch(f"{ENTITIES}/{urn(3)}/attrs", json={"level": {"value": 77}}, headers=inside)
    assert changed.status_code == 204, changed.text
    assert (await filled.post(ENTITIES, json=meter(9), headers=inside)).status_code == 201
    gone = await filled.post("/ngsi-ld/v1/entityOperations/delete", json=[urn(4)], headers=inside)
    assert gone.status_code == 204
    assert await found(filled, snapshot) == [urn(3), urn(9)]
    assert await found(filled, snapshot, "type=Meter&q=level==77") == [urn(3)]
    live = await filled.get(f"{ENTITIES}?type=Meter&options=keyValues")
    assert [row["level"] for row in live.json()] == [0, 1, 2, 3, 4]
    past = await filled.get(f"/ngsi-ld/v1/temporal/entities/{urn(3)}?attrs=level", headers=inside)
    assert [row["value"] for row in past.json()["level"]] == [77]


async def test_queries_add_up_and_choose_members(filled: httpx.AsyncClient) -> None:
    snapshot = await make(filled, asking({"q": "level<1", "pick": ["id", "level"]}, {"q": "level==4"}))
    headers = {HEADER: snapshot["id"]}
    rows = (await filled.get(f"{ENTITIES}?type=Meter&options=keyValues", headers=headers)).json()
    assert rows[0] == {"id": urn(0), "type": "Meter", "level": 0}
    assert set(rows[1]) == {"id", "type", "level", "spare"}


async def test_a_clone_outlives_its_original(filled: httpx.AsyncClient) -> None:
    original = await make(filled, asking({"q": "level<2"}))
    clone = await make_clone(filled, original, {"type": "Snapshot", "snapshotPriority": 9})
    assert (clone["snapshotStatus"], clone["snapshotPriority"]) == ("success", 9)
    assert clone["id"] != original["id"]
    assert (await filled.delete(f"{SNAPSHOTS}/{original['id']}")).status_code == 204
    assert (await filled.get(f"{SNAPSHOTS}/{original['id']}")).status_code == 404
    assert await found(filled, clone) == [urn(0), urn(1)]


async def make_clone(
    client: httpx.AsyncClient, original: dict[str, Any], body: dict[str, Any]
) -> dict[str, Any]:
    made = await client.post(f"{SNAPSHOTS}/{original['id']}/clone", json=body)
    assert made.status_code == 201, made.text
    return (await client.get(made.headers["location"])).json()


async def test_priority_and_lifetime_can_be_changed(filled: httpx.AsyncClient) -> None:
    snapshot = await make(filled, asking({}, snapshotLifetime="PT10M"))
    address = f"{SNAPSHOTS}/{snapshot['id']}"
    changed = await filled.patch(address, json={"snapshotPriority": 2, "snapshotLifetime": "PT30M"})
    assert changed.status_code == 200
    assert changed.json()["snapshotPriority"] == 2
    assert changed.json()["expiresAt"] > snapshot["expiresAt"]
    ended = await filled.patch(address, json={"snapshotLifetime": "PT0S"})
    assert ended.status_code == 200
    assert (await filled.get(address)).json()["key"] == "snapshot.absent"


async def test_a_purge_goes_by_the_snapshots_own_members(filled: httpx.AsyncClient) -> None:
    low = await make(filled, asking({}, snapshotPriority=2))
    high = await make(filled, asking({}, snapshotPriority=7))
    refused = await filled.delete(f"{SNAPSHOTS}?q=level>1")
    assert (refused.status_code, refused.json()["key"]) == (400, "snapshot.purge")
    assert (await filled.delete(SNAPSHOTS)).status_code == 400
    assert (
        await filled.delete(f"{SNAPSHOTS}?q=snapshotPriority<5;createdAt>2020-01-01T00:00:00Z")
    ).status_code == 204
    states = [(await filled.get(f"{SNAPSHOTS}/{one['id']}")).status_code for one in (low, high)]
    assert states == [404, 200]


async def test_the_least_important_makes_room(
    filled: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(snapshots, "SNAPSHOTS_MOST", 2)
    made = [await make(filled, asking({}, snapshotPriority=priority)) for priority in (5, 3, 4)]
    states = [(await filled.get(f"{SNAPSHOTS}/{one['id']}")).status_code for one in made]
    assert states == [200, 404, 200]


async def test_snapshots_made_at_once_do_not_mix(
    filled: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(snapshots, "_PLACES", 4)
    made = await asyncio.gather(*(make(filled, asking({"q": f"level=={n}"})) for n in range(3)))
    assert [await found(filled, one) for one in made] == [[urn(n)] for n in range(3)]


async def test_tenants_have_their_own(filled: httpx.AsyncClient) -> None:
    there = {"NGSILD-Tenant": "there"}
    await filled.post(ENTITIES, json=meter(8), headers=there)
    snapshot = await make(filled, asking({}), **there)
    assert (await filled.get(f"{SNAPSHOTS}/{snapshot['id']}")).status_code == 404
    both = {**there, HEADER: snapshot["id"]}
    rows = await filled.get(f"{ENTITIES}?type=Meter", headers=both)
    assert [row["id"] for row in rows.json()] == [urn(8)]
    assert rows.headers["ngsild-tenant"] == "there"
    empty = await filled.get(f"{ENTITIES}?type=Absent", headers=both)
    assert (empty.status_code, empty.json()) == (200, [])
    hidden = {"NGSILD-Tenant": "there~snapshot-1"}
    assert (await filled.get(f"{ENTITIES}?type=Meter", headers=hidden)).json()["key"] == "tenant.bad"


@pytest.mark.parametrize(
    ("body", "status", "key"),
    [
        ({"type": "Snapshot"}, 400, "snapshot.queries"),
        ({"type": "Snapshot", "snapshotQueries": []}, 400, "snapshot.queries"),
        ({"type": "Query", "snapshotQueries": []}, 400, "snapshot.type"),
        (
            asking({"temporalQ": {"timerel": "after", "timeAt": "2020-01-01T00:00:00Z"}}),
            400,
            "query.temporal",
        ),
        (asking({"q": "level>"}), 400, "q.value"),
        (asking({"type": "Other"}), 400, "query.type"),
        (asking({}, snapshotPriority=0), 400, "snapshot.priority"),
        (asking({}, snapshotLifetime="soon"), 400, "query.duration"),
        (asking({}, status="success"), 400, "snapshot.read-only"),
        (asking({}, snapshotTemporalQueries=[]), 400, "snapshot.queries"),
        (asking({}, id="no urn"), 400, "id.bad"),
        (asking({}, endpoint="ftp://there"), 400, "subscription.endpoint"),
        (asking({}, endpoint=7), 400, "json.text"),
    ],
)
async def test_what_makes_no_snapshot(filled: httpx.AsyncClient, body: Any, status: int, key: str) -> None:
    refused = await filled.post(SNAPSHOTS, json=body)
    assert (refused.status_code, refused.json()["key"]) == (status, key)


async def test_an_unknown_snapshot_and_what_cannot_be_done_in_one(filled: httpx.AsyncClient) -> None:
    absent = {HEADER: "urn:ngsi-ld:Snapshot:absent"}
    assert (await filled.get(f"{ENTITIES}?type=Meter", headers=absent)).status_code == 404
    snapshot = await make(filled, asking({}))
    inside = {HEADER: snapshot["id"]}
    subscription = {"type": "Subscription", "watchedAttributes": ["level"]}
    refused = await filled.post("/ngsi-ld/v1/subscriptions", json=subscription, headers=inside)
    assert (refused.status_code, refused.json()["key"]) == (422, "snapshot.entities-only")
    fixed = await filled.patch(f"{SNAPSHOTS}/{snapshot['id']}", json={"snapshotQueries": []})
    assert (fixed.status_code, fixed.json()["key"]) == (400, "snapshot.read-only")


@pytest.fixture
def held_up(monkeypatch: pytest.MonkeyPatch) -> asyncio.Event:
    """Has the filling of snapshots wait until the event is set."""
    go_on, clear = asyncio.Event(), snapshots.Shelf.clear

    async def wait(self: snapshots.Shelf, held: snapshots.Snapshot) -> None:
        await go_on.wait()
        await clear(self, held)

    monkeypatch.setattr(snapshots.Shelf, "clear", wait)
    return go_on


async def begun(client: httpx.AsyncClient, id_: str, **members: Any) -> "asyncio.Task[httpx.Response]":
    """Begins to make a snapshot; returns while it is being filled."""
    making = asyncio.create_task(client.post(SNAPSHOTS, json=asking({}, id=id_, **members)))
    async with asyncio.timeout(5):
        while (await client.get(f"{SNAPSHOTS}/{id_}")).status_code != 200:
            await asyncio.sleep(0.01)
    return making


MINE = "urn:ngsi-ld:Snapshot:mine"


async def test_what_is_changed_while_it_is_filled_stays_changed(
    filled: httpx.AsyncClient, held_up: asyncio.Event
) -> None:
    making = await begun(filled, MINE)
    assert (await filled.get(f"{SNAPSHOTS}/{MINE}")).json()["snapshotStatus"] == "preparing"
    asked = await filled.get(f"{ENTITIES}?type=Meter", headers={HEADER: MINE})
    assert (asked.status_code, asked.json()["key"]) == (409, "snapshot.preparing")
    early = await filled.post(f"{SNAPSHOTS}/{MINE}/clone", json={"type": "Snapshot"})
    assert (early.status_code, early.json()["key"]) == (409, "snapshot.preparing")
    assert (await filled.patch(f"{SNAPSHOTS}/{MINE}", json={"snapshotPriority": 9})).status_code == 200
    held_up.set()
    await making
    shown = (await filled.get(f"{SNAPSHOTS}/{MINE}")).json()
    assert (shown["snapshotStatus"], shown["snapshotPriority"]) == ("success", 9)


async def test_what_is_deleted_while_it_is_filled_stays_deleted(
    filled: httpx.AsyncClient, held_up: asyncio.Event, node: Any
) -> None:
    making = await begun(filled, MINE)
    deleting = asyncio.create_task(filled.delete(f"{SNAPSHOTS}/{MINE}"))
    await asyncio.sleep(0.1)
    assert (await filled.get(f"{SNAPSHOTS}/{MINE}")).status_code == 404
    held_up.set()
    await asyncio.gather(making, deleting)
    assert deleting.result().status_code == 204
    assert (await filled.get(f"{SNAPSHOTS}/{MINE}")).status_code == 404
    assert await node.state.records(snapshots.KIND, "") == []


async def test_what_cannot_be_stored_is_a_failure(
    filled: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def refuse(*_: Any) -> None:
        raise Unavailable("keeper.busy", waiting=1)

    monkeypatch.setattr(snapshot_filling, "keep_copies", refuse)
    snapshot = await make(filled, asking({}))
    assert snapshot["snapshotStatus"] == "failure"
    assert snapshot["snapshotQueriesDetails"][0]["problemDetails"]["key"] == "keeper.busy"


async def test_of_several_with_one_id_one_is_made(filled: httpx.AsyncClient) -> None:
    made = await asyncio.gather(*(filled.post(SNAPSHOTS, json=asking({}, id=MINE)) for _ in range(4)))
    assert sorted(one.status_code for one in made) == [201, 409, 409, 409]
    assert len(await found(filled, {"id": MINE})) == 5


async def test_who_is_late_with_a_removal_spares_the_next_one(
    filled: httpx.AsyncClient, node: Any, held_up: asyncio.Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    held_up.set()
    await make(filled, asking({}, id=MINE))
    shelf = snapshots.Shelf(node.services, NODE, "")
    old = await shelf.load(MINE)
    held_up.clear()
    late = asyncio.create_task(shelf.remove((old,)))
    await ended(filled)
    monkeypatch.undo()
    await make(filled, asking({}, id=MINE))
    held_up.set()
    await late
    await shelf.remove((old,))
    assert len(await found(filled, {"id": MINE})) == 5


async def ended(client: httpx.AsyncClient) -> None:
    async with asyncio.timeout(5):
        while (await client.get(f"{SNAPSHOTS}/{MINE}")).status_code != 404:
            await asyncio.sleep(0.01)


@pytest.mark.parametrize("id_", ["urn:xx:a/b", "urn:xx:a?=b", "urn:xx:a#b", "urn:xx:a%41"])
async def test_any_id_can_be_found_again(filled: httpx.AsyncClient, id_: str) -> None:
    made = await filled.post(SNAPSHOTS, json=asking({}, id=id_))
    location = made.headers["location"]
    assert (await filled.get(location)).json()["id"] == id_
    for named in (id_, location, f"http://node.test{location}"):
        rows = await filled.get(f"{ENTITIES}?type=Meter", headers={HEADER: named})
        assert (rows.status_code, len(rows.json())) == (200, 5)
        assert rows.headers[HEADER] == id_
    assert (await filled.delete(location)).status_code == 204


async def test_nothing_of_a_removed_snapshot_is_left(filled: httpx.AsyncClient, node: Any) -> None:
    snapshot = await make(filled, asking({}))
    inside = {HEADER: snapshot["id"]}
    later = {**meter(7), "expiresAt": "2099-01-01T00:00:00Z"}
    assert (await filled.post(ENTITIES, json=later, headers=inside)).status_code == 201
    mapped = await filled.get(f"{ENTITIES}?type=Meter&entityMap=true", headers=inside)
    assert "ngsild-entitymap" in mapped.headers
    assert (await filled.delete(f"{SNAPSHOTS}/{snapshot['id']}")).status_code == 204
    for kind in (snapshots.KIND, snapshots.USE, "expiry", "entity-map"):
        assert await node.state.records(kind) == [], kind

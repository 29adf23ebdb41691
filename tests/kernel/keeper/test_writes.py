"""What the keeper answers to write requests, and what is stored then."""

import asyncio

from yunmeng.kernel.model import DIVISION, Append, Create, Delete, Upsert, decode_changes
from yunmeng.kernel.store import TemporalQuery
from yunmeng.kernel.trust import Reach

TYPE = "https://w3id.org/yunmeng/Reservoir"
LIMIT = "https://w3id.org/yunmeng/floodLimitLevel"
ANY = "urn:ngsi-ld:Reservoir:w1"


def document(id: str, limit: float, division: str = "420100") -> dict:
    return {
        "id": id,
        "type": [TYPE],
        LIMIT: [{"type": "Property", "value": limit}],
        DIVISION: [{"type": "Property", "value": division}],
    }


async def test_an_answered_write_is_stored(house):
    (outcome,) = await house.write(Create(document(ANY, 100.0)))
    assert outcome.done == "created"
    stored = await house.get(ANY)
    assert stored[LIMIT][0]["value"] == 100.0
    assert stored["createdAt"].endswith("Z")


async def test_operations_of_one_group_see_each_other(house):
    id = "urn:ngsi-ld:Reservoir:w2"
    outcomes = await house.write(
        Create(document(id, 1.0)), Create(document(id, 2.0)), Upsert(document(id, 3.0), "update"), Delete(id)
    )
    assert [o.done for o in outcomes] == ["created", "refused", "updated", "deleted"]
    assert outcomes[1].status == 409
    assert await house.get(id) is None


async def test_who_read_before_a_change_is_refused_whole(house):
    id, other = "urn:ngsi-ld:Reservoir:w2e", "urn:ngsi-ld:Reservoir:w2f"
    await house.write(Create(document(id, 1.0)))
    seen = (await house.get(id))["modifiedAt"]
    change = Upsert(document(id, 2.0), "update")
    answers = await asyncio.gather(*(house.write(change, expected=((id, seen),)) for _ in range(2)))
    assert sorted(answer[0].done for answer in answers) == ["refused", "updated"]
    refused = await house.write(Create(document(other, 1.0)), Delete(id), expected=((id, seen),))
    assert [(each.id, each.error, each.status) for each in refused] == [
        (other, "entity.changed", 409),
        (id, "entity.changed", 409),
    ]
    assert await house.get(other) is None
    (absent,) = await house.write(change, expected=((other, seen),))
    assert absent.error == "entity.changed"


async def test_concurrent_writers_are_committed_together_and_all_answered(house):
    ids = [f"urn:ngsi-ld:Reservoir:many-{n}" for n in range(200)]
    answers = await asyncio.gather(*(house.write(Create(document(id, 1.0))) for id in ids))
    assert all(answer[0].done == "created" for answer in answers)
    assert await house.state.known("", ids) == set(ids)


async def test_history_holds_every_version(house):
    id = "urn:ngsi-ld:Reservoir:w3"
    await house.write(Create(document(id, 1.0)))
    for value in (2.0, 3.0):
        await house.write(Append(id, {LIMIT: [{"type": "Property", "value": value}]}))
    await house.flush()
    points = await house.history.points(TemporalQuery(Reach(), (id,), (LIMIT,), property="modifiedAt"))
    assert [point.value for point in points] == [1.0, 2.0, 3.0]


async def test_reach_is_enforced_by_the_writer(house):
    id = "urn:ngsi-ld:Reservoir:w4"
    wuhan, yichang = Reach(prefixes=("4201",)), Reach(prefixes=("4205",))
    (refused,) = await house.write(Create(document(id, 1.0)), reach=yichang)
    assert (refused.done, refused.error, refused.status) == ("refused", "keeper.out-of-reach", 403)
    (made,) = await house.write(Create(document(id, 1.0)), reach=wuhan)
    assert made.done == "created"
    (hidden,) = await house.write(Delete(id), reach=yichang)
    assert (hidden.done, hidden.status) == ("refused", 404)
    (moved,) = await house.write(
        Append(id, {DIVISION: [{"type": "Property", "value": "420500"}]}), reach=wuhan
    )
    assert moved.error == "keeper.out-of-reach"


async def test_an_unknown_division_is_refused_whole(house):
    id = "urn:ngsi-ld:Reservoir:w5"
    (outcome,) = await house.write(Create(document(id, 1.0, "999999")))
    assert (outcome.done, outcome.error) == ("refused", "division.unknown")
    assert await house.get(id) is None


async def test_tenants_do_not_see_each_other(house):
    id = "urn:ngsi-ld:Reservoir:w6"
    await house.write(Create(document(id, 1.0)), reach=Reach("hydro"))
    assert await house.get(id) is None
    assert (await house.get(id, Reach("hydro")))["id"] == id


async def test_changes_follow_on_the_bus(house):
    consumer = await house.bus.consumer("CHG", "probe", subject="chg.entity.>")
    await house.write(Create(document("urn:ngsi-ld:Reservoir:w7", 1.0)))
    messages = await consumer.fetch(10, 2.0)
    assert [change.entity for change in decode_changes(messages[0].data)] == ["urn:ngsi-ld:Reservoir:w7"]
    await consumer.close()


async def test_a_changed_scope_is_stored_and_stops_nothing(house):
    id = "urn:ngsi-ld:Reservoir:w8"
    await house.write(Create(document(id, 1.0) | {"scope": ["/hubei"]}))
    (outcome,) = await house.write(Append(id, {"scope": ["/hubei/wuhan"]}))
    assert outcome.done == "updated"
    await house.flush()
    (again,) = await house.write(Append(id, {LIMIT: [{"type": "Property", "value": 2.0}]}))
    assert again.done == "updated"
    assert "/hubei/wuhan" in (await house.get(id))["scope"]

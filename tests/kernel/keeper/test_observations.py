"""Observations through the keeper: state, history, quarantine."""

from base64 import b64decode

import msgspec
from tests.kernel.keeper.conftest import LEVEL, OPERATOR, House, level

from yunmeng.kernel.base import now_us
from yunmeng.kernel.keeper import QUARANTINE, Quarantined
from yunmeng.kernel.link import obs_subject
from yunmeng.kernel.model import SYNTHETIC, Delete, Quality, decode_batch, encode_batch, make_batch
from yunmeng.kernel.store import TemporalQuery
from yunmeng.kernel.trust import Reach

SECOND = 1_000_000


async def history_of(house: House, entity: str) -> list[float | str | None]:
    return [p.value for p in await house.history.points(TemporalQuery(Reach(), (entity,), (LEVEL,)))]


async def test_an_observation_makes_its_entity_and_is_its_last_value(house):
    entity, now = "urn:ngsi-ld:Reservoir:o1", now_us()
    await house.observe(level(entity, 95.2, now - SECOND), level(entity, 95.4, now))
    await house.flush()
    stored = await house.get(entity)
    assert stored[LEVEL][0]["value"] == 95.4
    assert stored[LEVEL][0]["unitCode"] == "MTR"
    assert stored[SYNTHETIC][0]["value"] is True
    assert await history_of(house, entity) == [95.2, 95.4]


async def test_late_values_reach_the_history_but_not_the_state(house):
    entity, now = "urn:ngsi-ld:Reservoir:o2", now_us()
    await house.observe(level(entity, 2.0, now))
    await house.observe(level(entity, 1.0, now - 60 * SECOND))
    await house.flush()
    assert (await house.get(entity))[LEVEL][0]["value"] == 2.0
    assert await history_of(house, entity) == [1.0, 2.0]


async def test_a_missing_value_is_not_zero(house):
    entity, now = "urn:ngsi-ld:Reservoir:o3", now_us()
    await house.observe(level(entity, 7.0, now - SECOND), level(entity, None, now, quality=Quality.MISSING))
    await house.flush()
    assert (await house.get(entity))[LEVEL][0]["value"] == 7.0
    assert 0.0 not in await history_of(house, entity)


async def test_bad_rows_are_quarantined_and_the_others_stored(house):
    good, bad, now = "urn:ngsi-ld:Reservoir:o4", "urn:ngsi-ld:Reservoir:o5", now_us()
    await house.observe(
        level(good, 1.0, now), level(good, 2.0, now + 3600 * SECOND), level(bad, 3.0, now, division="999999")
    )
    await house.flush()
    assert await history_of(house, good) == [1.0]
    assert await house.get(bad) is None
    records = [msgspec.json.decode(r.body, type=Quarantined) for r in await house.state.records(QUARANTINE)]
    assert {r.reason.key for r in records} == {"observation.future", "division.unknown"}
    kept = decode_batch(b64decode(next(r for r in records if r.reason.key == "division.unknown").raw))
    assert [s.entity for s in kept.series if s.division == "999999"] == [bad]


async def test_bytes_that_are_no_batch_are_quarantined(house):
    await house.bus.publish("obs._.test", b"\x00 no batch", OPERATOR)
    await house.flush()
    (record,) = await house.state.records(QUARANTINE)
    held = msgspec.json.decode(record.body, type=Quarantined)
    assert held.reason.key == "batch.bad"
    assert b64decode(held.raw) == b"\x00 no batch"


async def test_a_deleted_entity_comes_back_with_its_next_observation(house):
    entity, now = "urn:ngsi-ld:Reservoir:o6", now_us()
    await house.observe(level(entity, 1.0, now - SECOND))
    await house.flush()
    await house.write(Delete(entity))
    assert await house.get(entity) is None
    await house.observe(level(entity, 2.0, now))
    await house.flush()
    assert (await house.get(entity))[LEVEL][0]["value"] == 2.0


async def test_nobody_writes_into_another_tenant(house):
    entity, now = "urn:ngsi-ld:Reservoir:stranger", now_us()
    batch = make_batch([level(entity, 1.0, now)], gateway="g", received_at=now, tenant="水利厅")
    await house.bus.publish(obs_subject("", "g"), encode_batch(batch), OPERATOR)
    await house.flush()
    assert await house.get(entity, Reach("水利厅")) is None
    [record] = await house.state.records(QUARANTINE)
    held = msgspec.json.decode(record.body, type=Quarantined)
    assert held.reason.key == "observation.tenant"
    assert held.reason.facts == {"tenant": "水利厅", "subject": "obs._.g"}
    assert record.tenant == ""
    assert b64decode(held.raw) == encode_batch(batch)
    await house.bus.publish(obs_subject("水利厅", "g"), encode_batch(batch), OPERATOR)
    await house.flush()
    assert (await house.get(entity, Reach("水利厅")))[LEVEL][0]["value"] == 1.0
    assert len(await house.state.records(QUARANTINE)) == 1

"""A bus that was lost, wholly or its newest messages, while the state was kept: nothing new is skipped."""

import asyncio
import logging
from dataclasses import replace

import msgspec
import pytest
from tests.kernel.keeper.conftest import LEVEL, OPERATOR, House, level
from tests.kernel.keeper.test_observations import history_of

from yunmeng.kernel.base import Broken, now_us
from yunmeng.kernel.keeper import QUARANTINE, Keeper, Quarantined
from yunmeng.kernel.keeper.emitter import OBSERVED, Observed
from yunmeng.kernel.link import MemoryBus, obs_subject
from yunmeng.kernel.model import encode_batch, make_batch
from yunmeng.kernel.store import Commit, OutboxItem

ENTITY = "urn:ngsi-ld:Reservoir:lost"


async def observe(bus: MemoryBus, entity: str, value: float) -> int:
    batch = make_batch([level(entity, value, now_us())], gateway="test", received_at=now_us())
    return await bus.publish(obs_subject("", "test"), encode_batch(batch), OPERATOR)


async def restarted(house: House, bus: MemoryBus, *, forgo_lost: bool = False) -> House:
    """Starts another keeper on the same state, with this bus."""
    settings = replace(house.settings, keeper=replace(house.settings.keeper, forgo_lost=forgo_lost))
    keeper = Keeper(bus, house.state, house.history, settings)
    await keeper.start()
    return House(settings, bus, house.state, house.history, keeper)


async def paid(house: House) -> None:
    """Waits until the outbox is empty, then stops the keeper."""
    async with asyncio.timeout(10):
        while await house.state.outbox(1):
            await asyncio.sleep(0.01)
    await house.keeper.stop()


@pytest.mark.parametrize("before", [0, 2, 12], ids=["empty", "shorter", "longer than the lost one"])
async def test_what_comes_on_a_new_bus_is_taken_from_its_beginning(
    house: House, before: int, caplog: pytest.LogCaptureFixture
) -> None:
    entity = f"{ENTITY}:{before}"
    for n in range(5):
        await observe(house.bus, entity, float(n))
    await house.flush()
    await paid(house)
    bus = MemoryBus()
    for n in range(before):
        await observe(bus, entity, 100.0 + n)
    with caplog.at_level(logging.ERROR, "yunmeng.keeper"):
        anew = await restarted(house, bus)
    assert "the bus has lost observations" in caplog.text
    await observe(bus, entity, 200.0)
    await anew.flush()
    expected = [*map(float, range(5)), *(100.0 + n for n in range(before)), 200.0]
    assert await history_of(anew, entity) == expected
    assert (await anew.get(entity))[LEVEL][0]["value"] == 200.0
    assert await anew.state.position("OBS") == before + 1
    await paid(anew)
    caplog.clear()
    again = await restarted(house, bus)
    assert caplog.text == "", "the loss is said once"
    assert await history_of(again, entity) == expected
    await again.keeper.stop()


async def test_a_stream_that_lost_its_newest_messages_goes_on_behind_the_rest(house: House) -> None:
    entity = f"{ENTITY}:tail"
    for n in range(5):
        await observe(house.bus, entity, float(n))
    await house.flush()
    await paid(house)
    # as after a power cut: the state says 7, the same stream ends at 5
    await house.state.commit(Commit(positions={"OBS": 7}))
    anew = await restarted(house, house.bus)
    await observe(house.bus, entity, 5.0)
    await anew.flush()
    assert await history_of(anew, entity) == [0.0, 1.0, 2.0, 3.0, 4.0, 5.0]
    await anew.keeper.stop()


async def owed_observation(house: House) -> None:
    """Leaves what a killed keeper leaves that had committed an observation and not written its history."""
    item = OutboxItem(OBSERVED, msgspec.msgpack.encode([Observed(1)]))
    await house.state.commit(Commit(positions={"OBS": 1}, outbox=[item]))


async def test_history_that_is_owed_and_lost_is_an_error_with_a_way_out(
    house: House, caplog: pytest.LogCaptureFixture
) -> None:
    entity = f"{ENTITY}:owed"
    await house.flush()
    await paid(house)
    await owed_observation(house)
    bus = MemoryBus()
    # the new stream has something else at the position that the outbox names
    await observe(bus, entity, 1.0)
    for _ in range(2):
        with pytest.raises(Broken) as caught:
            await restarted(house, bus)
        assert caught.value.key == "keeper.lost-observations"
        assert caught.value.facts == {"first": 1, "last": 1}
    with caplog.at_level(logging.ERROR, "yunmeng.keeper"):
        anew = await restarted(house, bus, forgo_lost=True)
    assert "the history stays without" in caplog.text
    await anew.flush()
    assert await history_of(anew, entity) == [1.0], "once, as the new one that it is"
    await paid(anew)
    plain = await restarted(house, bus)
    assert await history_of(plain, entity) == [1.0]
    await plain.keeper.stop()


async def test_nothing_set_aside_is_overwritten_when_positions_come_again(house: House) -> None:
    await house.bus.publish(obs_subject("", "a"), b"\xc1 first", OPERATOR)
    await house.flush()
    await paid(house)
    bus = MemoryBus()
    await bus.publish(obs_subject("", "b"), b"\xc1 second", OPERATOR)
    anew = await restarted(house, bus)
    await anew.flush()
    held = [msgspec.json.decode(r.body, type=Quarantined) for r in await anew.state.records(QUARANTINE)]
    assert [each.subject for each in held] == [obs_subject("", "a"), obs_subject("", "b")]
    await anew.keeper.stop()

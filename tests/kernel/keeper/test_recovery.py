"""What a keeper finds that died at an awkward moment, and what it makes of it."""

import asyncio

import msgspec
import pytest
from tests.kernel.keeper.conftest import LEVEL, RESERVOIR, House, level

from yunmeng.kernel.base import format_us, now_us
from yunmeng.kernel.keeper import Keeper
from yunmeng.kernel.keeper.changes import Changed, instances_of
from yunmeng.kernel.keeper.emitter import CHANGES, messages_of
from yunmeng.kernel.keeper.recovery import STORE_ID
from yunmeng.kernel.keeper.rounds import ANNOUNCED
from yunmeng.kernel.model import Change, Delete, record_of
from yunmeng.kernel.store import Commit, HistoryBlock, OutboxItem, Record, TemporalQuery
from yunmeng.kernel.trust import Reach

ENTITY = "urn:ngsi-ld:Reservoir:recovered"


def change(value: int, at: int) -> Change:
    when = format_us(at)
    after = {LEVEL: [{"type": "Property", "value": value, "createdAt": when, "modifiedAt": when}]}
    return Change("", ENTITY, (RESERVOIR,), "420100", when, "updated", (LEVEL,), after)


def changed(one: Change) -> Changed:
    return Changed(record_of(one, msgspec.json.encode(one.after), b""))


async def owe(house: House, changes: list[Change], announced: tuple[int, int]) -> int:
    """Leaves an outbox behind as a killed keeper does; ``announced`` counts from its first item."""
    outbox = [OutboxItem(CHANGES, msgspec.msgpack.encode(messages_of([changed(one)]))) for one in changes]
    first = await house.state.commit(Commit(outbox=outbox)) - len(outbox) + 1
    body = msgspec.json.encode({"first": first + announced[0], "last": first + announced[1]})
    await house.state.commit(Commit(records=[Record(*ANNOUNCED, body, now_us())]))
    return first


async def recovered_values(house: House) -> list[object]:
    keeper = Keeper(house.bus, house.state, house.history, house.settings)
    await keeper.start()
    await house.flush()
    await keeper.stop()
    query = TemporalQuery(Reach(), (ENTITY,), (LEVEL,), property="modifiedAt", limit=5000)
    found = [point.value for point in await house.history.points(query)]
    await house.history.delete("", ENTITY)
    return found


@pytest.mark.parametrize(
    ("announced", "expected"),
    [
        pytest.param((0, 1), [0, 1, 2, 3], id="announced and not inserted"),
        pytest.param((-1, 1), [2, 3], id="inserted, its first item dropped already"),
        pytest.param((1, 2), [1, 2, 3], id="what comes before an announced block is in the history"),
    ],
)
async def test_a_block_is_sent_again_whole_or_not_at_all(house, announced, expected):
    await house.flush()
    await house.keeper.stop()
    await owe(house, [change(value, now_us() + value) for value in range(4)], announced)
    assert await recovered_values(house) == expected


async def test_a_block_that_was_inserted_before_the_end_is_stored_once(house):
    await house.flush()
    await house.keeper.stop()
    changes = [change(value, now_us() + value) for value in range(3)]
    first = await owe(house, changes, (0, 1))
    store = await house.state.record(*STORE_ID)
    assert store is not None
    block = [instance for one in changes[:2] for instance in instances_of(one)]
    await house.history.insert(HistoryBlock(f"{store.body.decode()}-{first}-{first + 1}", instances=block))
    assert await recovered_values(house) == [0, 1, 2]


async def test_observations_are_acknowledged_only_when_the_outbox_has_dropped_them(house):
    position = await house.observe(level(ENTITY, 1.0, now_us()))
    async with asyncio.timeout(5):
        while await house.state.outbox(1) or await house.state.position("OBS") < position:
            # whatever the outbox still names is still there to be read again
            assert await house.bus.read("OBS", position, position)
            await asyncio.sleep(0.01)
    await house.history.delete("", ENTITY)


async def test_an_entity_deleted_and_observed_in_one_round_is_there_again(house):
    entity, now = "urn:ngsi-ld:Reservoir:again", now_us()
    await house.observe(level(entity, 1.0, now - 1_000_000))
    await house.flush()
    for _ in range(5):
        await asyncio.gather(house.observe(level(entity, 2.0, now_us())), house.write(Delete(entity)))
        await house.observe(level(entity, 3.0, now_us()))
        await house.flush()
        assert (await house.get(entity))[LEVEL][0]["value"] == 3.0


async def test_an_outbox_of_thousands_is_paid_whole(house):
    await house.flush()
    await house.keeper.stop()
    start = now_us()
    await owe(house, [change(value, start + value) for value in range(2_300)], (0, 0))
    assert await recovered_values(house) == list(range(2_300))

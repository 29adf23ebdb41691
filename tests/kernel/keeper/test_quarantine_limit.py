"""The quarantine of a keeper that is sent much that it cannot take."""

import asyncio
from base64 import b64decode
from dataclasses import replace

import msgspec
import pytest
from tests.kernel.keeper.conftest import OPERATOR, House

from yunmeng.kernel.keeper import (
    QUARANTINE,
    RECORDS,
    Keeper,
    Quarantined,
    RecordPut,
    RecordsRequest,
    quarantine_loss,
)

of_three = pytest.mark.parametrize("house", [{"max_quarantined": 3}], indirect=True)


async def send(house: House, *numbers: int) -> None:
    """Publishes what is no batch, one after the other."""
    for number in numbers:
        await house.bus.publish("obs._.broken", b"no batch %d" % number, OPERATOR)
        await house.flush()


async def held(house: House) -> list[int]:
    records = await house.state.records(QUARANTINE)
    raws = [b64decode(msgspec.json.decode(each.body, type=Quarantined).raw) for each in records]
    return sorted(int(raw.split()[-1]) for raw in raws)


async def change(house: House, request: RecordsRequest) -> None:
    await house.bus.request(RECORDS, msgspec.msgpack.encode(request), OPERATOR)


@of_three
async def test_the_oldest_make_room_and_are_counted(house: House) -> None:
    await send(house, 1, 2, 3)
    assert await held(house) == [1, 2, 3]
    assert (await quarantine_loss(house.state)).count == 0
    await send(house, 4, 5)
    assert await held(house) == [3, 4, 5]
    loss = await quarantine_loss(house.state)
    assert loss.count == 2
    assert loss.last.endswith("Z")


@of_three
async def test_more_than_fits_at_once_leaves_the_newest(house: House) -> None:
    numbers = range(10, 17)
    for number in numbers:
        await house.bus.publish("obs._.broken", b"no batch %d" % number, OPERATOR)
    await house.flush()
    assert await held(house) == [14, 15, 16]
    assert (await quarantine_loss(house.state)).count == 4


@of_three
async def test_frames_of_gateways_and_all_tenants_share_the_room(house: House) -> None:
    await send(house, 1, 2)
    frame = (await house.state.records(QUARANTINE))[0].body
    puts = tuple(RecordPut(QUARANTINE, tenant, "frame", frame) for tenant in ("", "水利厅"))
    await change(house, RecordsRequest(puts))
    kept = {(each.tenant, each.id) for each in await house.state.records(QUARANTINE)}
    assert {("", "frame"), ("水利厅", "frame")} < kept
    assert len(kept) == 3
    await change(house, RecordsRequest(puts))
    assert (await quarantine_loss(house.state)).count == 1, "what is put again takes no more room"


@of_three
async def test_what_somebody_drops_makes_room_without_a_loss(house: House) -> None:
    await send(house, 1, 2, 3)
    first = (await house.state.records(QUARANTINE))[0]
    await change(house, RecordsRequest(drops=((QUARANTINE, first.tenant, first.id),)))
    await send(house, 4)
    assert await held(house) == [2, 3, 4]
    assert (await quarantine_loss(house.state)).count == 0


@pytest.mark.parametrize("house", [{"max_quarantined_bytes": 100_000}], indirect=True)
async def test_few_that_are_large_make_room_as_well(house: House) -> None:
    for number in range(1, 5):
        await house.bus.publish("obs._.broken", b"x" * 30_000 + b" %d" % number, OPERATOR)
        await house.flush()
    assert await held(house) == [3, 4], "in base64 each has 40,000 bytes and a little more"
    assert (await quarantine_loss(house.state)).count == 2
    first = (await house.state.records(QUARANTINE))[0]
    await change(house, RecordsRequest(drops=((QUARANTINE, first.tenant, first.id),)))
    await send(house, 5)
    assert (await quarantine_loss(house.state)).count == 2, "what somebody dropped has made room"


@of_three
async def test_a_keeper_with_less_room_goes_on_counting(house: House) -> None:
    await send(house, 1, 2, 3, 4)
    await house.keeper.stop()
    less = replace(house.settings, keeper=replace(house.settings.keeper, max_quarantined=2))
    again = Keeper(house.bus, house.state, house.history, less)
    await again.start()
    try:
        await house.bus.publish("obs._.broken", b"no batch 5", OPERATOR)
        async with asyncio.timeout(10):
            while 5 not in await held(house):
                await asyncio.sleep(0.01)
        assert await held(house) == [4, 5]
        assert (await quarantine_loss(house.state)).count == 3
    finally:
        await again.stop()

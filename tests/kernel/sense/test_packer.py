"""The packer: packs by number and by time, slows its source down, tells what the bus refused."""

import asyncio

import pytest
from tests.nodes import refused

from yunmeng.kernel.base import Unavailable, now_us
from yunmeng.kernel.link import MemoryBus, Message
from yunmeng.kernel.model import Row, Series, decode_batch
from yunmeng.kernel.sense import Packer
from yunmeng.kernel.trust import Principal

GATEWAY = Principal("urn:yunmeng:service:meter", kind="service", roles=("gateway",))
POWER, METER = "https://w3id.org/yunmeng/activePower", "https://w3id.org/yunmeng/SmartMeter"


class SlowBus(MemoryBus):
    """The memory bus with a gate before each publication, and a refusal on request."""

    def __init__(self) -> None:
        super().__init__()
        self.gate = asyncio.Event()
        self.gate.set()
        self.refusing = False

    async def publish(self, subject: str, data: bytes, principal: Principal, **more: object) -> int:
        await self.gate.wait()
        if self.refusing:
            raise Unavailable("bus.full", stream="OBS", bytes=1)
        return await super().publish(subject, data, principal, **more)


def row(number: int) -> Row:
    return Row(Series(f"urn:ngsi-ld:SmartMeter:{number}", POWER, METER, "420100", "KWT"), now_us(), number)


async def packs(bus: MemoryBus) -> list[Message]:
    return list(await bus.read("OBS", 1, 1000))


async def test_a_pack_leaves_when_it_is_full() -> None:
    bus = SlowBus()
    packer = Packer(bus, "meter", GATEWAY, tenant="wuhan", most=10, linger_s=60)
    held = [await packer.add(row(number)) for number in range(25)]
    assert [await future for future in held[:20]] == [1] * 10 + [2] * 10
    assert not held[20].done()
    assert [len(decode_batch(pack.data)) for pack in await packs(bus)] == [10, 10]
    await packer.flush()
    found = await packs(bus)
    assert [len(decode_batch(pack.data)) for pack in found] == [10, 10, 5]
    assert {pack.subject for pack in found} == {"obs.wuhan.meter"}
    assert found[0].principal == GATEWAY
    values = [value for pack in found for value in decode_batch(pack.data).number.tolist()]
    assert values == list(range(25)), "in the order in which they came"
    await bus.close()


async def test_a_pack_that_is_not_full_leaves_after_its_time() -> None:
    bus = SlowBus()
    packer = Packer(bus, "meter", GATEWAY, linger_s=0.02)
    held = await packer.add(row(1))
    assert await asyncio.wait_for(held, 10) == 1
    await packer.flush()
    assert len(await packs(bus)) == 1, "a flush of nothing sends nothing"
    await bus.close()


async def test_a_slow_bus_slows_the_source() -> None:
    bus = SlowBus()
    bus.gate.clear()
    packer = Packer(bus, "meter", GATEWAY, most=1, linger_s=60, on_the_way=2)
    taken = 0

    async def source() -> None:
        nonlocal taken
        for number in range(20):
            await packer.add(row(number))
            taken += 1

    work = asyncio.create_task(source())
    for _ in range(50):
        await asyncio.sleep(0)
    assert taken <= 4, "the source waits while two packs are on their way"
    assert not work.done()
    bus.gate.set()
    await asyncio.wait_for(work, 10)
    await packer.flush()
    assert sum(len(decode_batch(pack.data)) for pack in await packs(bus)) == 20
    await bus.close()


async def test_what_the_bus_refuses_reaches_whoever_added_it() -> None:
    bus = SlowBus()
    packer = Packer(bus, "meter", GATEWAY, most=2, linger_s=60)
    bus.refusing = True
    held = [await packer.add(row(number)) for number in range(2)]
    for future in held:
        with refused("bus.full"):
            await future
    with refused("bus.full"):
        held.append(await packer.add(row(3)))
        await packer.flush()
    bus.refusing = False
    async with packer:
        last = await packer.add(row(4))
    assert last.done()
    assert len(await packs(bus)) == 1, "the packer goes on after a refusal"
    await bus.close()


async def test_leaving_after_an_error_does_not_hide_it() -> None:
    bus = SlowBus()
    bus.refusing = True

    async def gateway() -> None:
        async with Packer(bus, "meter", GATEWAY, linger_s=60) as packer:
            await packer.add(row(1))
            raise LookupError("ours")

    with pytest.raises(LookupError, match="ours"):
        await gateway()
    await bus.close()

"""What a durable consumer promises: order, waiting, and that nothing unacknowledged is forgotten."""

import asyncio
import time

import pytest

from yunmeng.kernel.base import BadInput
from yunmeng.kernel.link import Bus, Consumer, Message
from yunmeng.kernel.trust import Principal

SERVICE = Principal("keeper", kind="service")


async def test_messages_come_in_order_and_no_more_than_asked(bus: Bus) -> None:
    await _publish(bus, 25)
    consumer = await bus.consumer("OBS", "keeper")
    first = await consumer.fetch(10, 5)
    assert 0 < len(first) <= 10
    rest = await _fetch_all(consumer, 25 - len(first))
    assert [m.position for m in [*first, *rest]] == list(range(1, 26))
    assert {m.principal for m in rest} == {SERVICE}


async def test_fetch_waits_for_the_first_message_only(bus: Bus) -> None:
    consumer = await bus.consumer("OBS", "keeper")
    waiting = asyncio.create_task(consumer.fetch(100, 10))
    await asyncio.sleep(0.1)
    started = time.monotonic()
    await bus.publish("obs._.a", b"x", SERVICE)
    assert [m.data for m in await waiting] == [b"x"]
    assert time.monotonic() - started < 1


async def test_fetch_gives_up_in_time(bus: Bus) -> None:
    consumer = await bus.consumer("OBS", "keeper")
    started = time.monotonic()
    assert list(await consumer.fetch(10, 0.2)) == []
    assert 0.1 < time.monotonic() - started < 1


async def test_what_is_not_acknowledged_comes_again(bus: Bus) -> None:
    await _publish(bus, 10)
    consumer = await bus.consumer("OBS", "keeper")
    await _fetch_all(consumer, 10)
    await consumer.ack(4)
    await consumer.close()
    again = await bus.consumer("OBS", "keeper")
    assert [m.position for m in await _fetch_all(again, 6)] == [5, 6, 7, 8, 9, 10]


async def test_what_is_not_acknowledged_comes_again_before_what_is_new(bus: Bus) -> None:
    await _publish(bus, 3)
    consumer = await bus.consumer("OBS", "keeper")
    await _fetch_all(consumer, 3)
    await consumer.close()
    again = await bus.consumer("OBS", "keeper")
    await _publish(bus, 2)
    assert [m.position for m in await _fetch_all(again, 5)] == [1, 2, 3, 4, 5]


async def test_what_is_acknowledged_does_not_come_again(bus: Bus) -> None:
    await _publish(bus, 10)
    consumer = await bus.consumer("OBS", "keeper")
    await _fetch_all(consumer, 10)
    await consumer.ack(10)
    await consumer.ack(3)
    await consumer.close()
    again = await bus.consumer("OBS", "keeper")
    assert list(await again.fetch(10, 0.2)) == []
    await _publish(bus, 1)
    assert [m.position for m in await _fetch_all(again, 1)] == [11]


async def test_another_connection_takes_over(engine: object) -> None:
    first, second = await engine.open(), await engine.open()
    await _publish(first, 6)
    consumer = await first.consumer("OBS", "keeper")
    await _fetch_all(consumer, 6)
    await consumer.ack(2)
    await consumer.close()
    taken = await second.consumer("OBS", "keeper")
    assert [m.position for m in await _fetch_all(taken, 4)] == [3, 4, 5, 6]


async def test_acknowledging_what_was_never_handed_out_loses_nothing(bus: Bus) -> None:
    await _publish(bus, 3)
    consumer = await bus.consumer("OBS", "keeper")
    await _fetch_all(consumer, 3)
    await consumer.ack(100)
    await _publish(bus, 2)
    await consumer.close()
    again = await bus.consumer("OBS", "keeper")
    assert [m.position for m in await _fetch_all(again, 2)] == [4, 5]


async def test_durables_are_independent(bus: Bus) -> None:
    await _publish(bus, 3)
    keeper, notifier = await bus.consumer("OBS", "keeper"), await bus.consumer("OBS", "notifier")
    await _fetch_all(keeper, 3)
    await keeper.ack(3)
    assert [m.position for m in await _fetch_all(notifier, 3)] == [1, 2, 3]


async def test_a_new_durable_starts_where_it_is_told_and_an_old_one_where_it_was(bus: Bus) -> None:
    await _publish(bus, 6)
    consumer = await bus.consumer("OBS", "late", start=5)
    assert [m.position for m in await _fetch_all(consumer, 2)] == [5, 6]
    await consumer.ack(5)
    await consumer.close()
    again = await bus.consumer("OBS", "late", start=1)
    assert [m.position for m in await _fetch_all(again, 1)] == [6]


async def test_a_start_ahead_of_the_stream_waits_for_it(bus: Bus) -> None:
    consumer = await bus.consumer("OBS", "ahead", start=3)
    await _publish(bus, 4)
    assert [m.position for m in await _fetch_all(consumer, 2)] == [3, 4]


async def test_a_filter_passes_its_subject_only(bus: Bus) -> None:
    for subject in ("chg.entity._", "chg.observed._", "chg.entity.a"):
        await bus.publish(subject, b"", SERVICE)
    consumer = await bus.consumer("CHG", "entities", subject="chg.entity.>")
    assert [m.position for m in await _fetch_all(consumer, 2)] == [1, 3]
    await consumer.ack(3)
    await consumer.close()
    again = await bus.consumer("CHG", "entities", subject="chg.entity.>")
    assert list(await again.fetch(10, 0.2)) == []


async def test_a_changed_filter_keeps_the_place(bus: Bus) -> None:
    await bus.publish("chg.entity._", b"", SERVICE)
    consumer = await bus.consumer("CHG", "some", subject="chg.entity.>")
    await _fetch_all(consumer, 1)
    await consumer.ack(1)
    await consumer.close()
    await bus.publish("chg.observed._", b"", SERVICE)
    wider = await bus.consumer("CHG", "some", subject="chg.>")
    assert [m.position for m in await _fetch_all(wider, 1)] == [2]


async def test_a_durable_name_must_fit_a_subject(bus: Bus) -> None:
    for name in ("", "a.b", "a b", "a>", "甲"):
        with pytest.raises(BadInput) as refusal:
            await bus.consumer("OBS", name)
        assert refusal.value.key == "bus.bad-durable"


async def test_thousands_flow_through_with_acknowledgements(bus: Bus) -> None:
    await asyncio.gather(*(_publish(bus, 1) for _ in range(4000)))
    consumer = await bus.consumer("OBS", "keeper")
    seen: list[int] = []
    while len(seen) < 4000:
        batch = await consumer.fetch(300, 5)
        seen += [m.position for m in batch]
        await consumer.ack(seen[-1])
    assert seen == list(range(1, 4001))


async def test_thousands_may_be_handed_out_before_the_first_acknowledgement(bus: Bus) -> None:
    await asyncio.gather(*(_publish(bus, 1) for _ in range(3000)))
    consumer = await bus.consumer("OBS", "keeper")
    assert [m.position for m in await _fetch_all(consumer, 3000)] == list(range(1, 3001))
    await consumer.ack(2000)
    await consumer.close()
    again = await bus.consumer("OBS", "keeper")
    assert [m.position for m in await _fetch_all(again, 1000)] == list(range(2001, 3001))


async def _publish(bus: Bus, number: int) -> None:
    for n in range(number):
        await bus.publish("obs._.a", b"%d" % n, SERVICE)


async def _fetch_all(consumer: Consumer, number: int) -> list[Message]:
    seen: list[Message] = []
    async with asyncio.timeout(10):
        while len(seen) < number:
            seen += await consumer.fetch(number - len(seen), 5)
    return seen

"""What a stream promises: order, positions, repeats, size, reading again, following."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing

import pytest

from yunmeng.kernel.base import BadInput, TooLarge, Unavailable
from yunmeng.kernel.link import Bus, Consumer, Message, obs_subject
from yunmeng.kernel.trust import Principal

GATEWAY = Principal("gateway:mqtt", kind="service", tenant="水利厅", roles=("gateway",), divisions=("42",))
SUBJECT = obs_subject("水利厅", "mqtt.1")


async def test_positions_count_from_one_and_messages_come_back_whole(bus: Bus) -> None:
    positions = [await bus.publish(SUBJECT, b"%d" % n, GATEWAY) for n in range(5)]
    assert positions == [1, 2, 3, 4, 5]
    messages = await bus.read("OBS", 1, 5)
    assert [(m.subject, m.data, m.position, m.principal) for m in messages] == [
        (SUBJECT, b"%d" % n, n + 1, GATEWAY) for n in range(5)
    ]


async def test_each_stream_counts_for_itself(bus: Bus) -> None:
    assert await bus.publish("obs._.a", b"", GATEWAY) == 1
    assert await bus.publish("chg.entity._", b"", GATEWAY) == 1
    assert await bus.publish("obs._.a", b"", GATEWAY) == 2


async def test_a_stream_tells_how_far_it_has_come(bus: Bus) -> None:
    assert (await bus.extent("OBS")).last == 0
    for _ in range(3):
        await bus.publish(SUBJECT, b"", GATEWAY, key="same")
        await bus.publish(SUBJECT, b"", GATEWAY)
    assert (await bus.extent("OBS")).last == 4
    assert (await bus.extent("AUD")).last == 0


async def test_dropped_messages_still_count(bus: Bus) -> None:
    position = 0
    for _ in range(12):
        position = await bus.publish("alr.x", bytes(64 * 1024), GATEWAY)
    assert len(await bus.read("ALR", 1, position)) < position
    assert (await bus.extent("ALR")).last == position


async def test_thousands_in_flight_are_each_stored_once(bus: Bus) -> None:
    bodies = [b"%d" % n for n in range(5000)]
    positions = await asyncio.gather(*(bus.publish(SUBJECT, body, GATEWAY) for body in bodies))
    assert sorted(positions) == list(range(1, 5001))
    stored = {m.position: m.data for m in await bus.read("OBS", 1, 5000)}
    assert stored == dict(zip(positions, bodies, strict=True))


async def test_one_publisher_in_flight_keeps_its_order(bus: Bus) -> None:
    positions = await asyncio.gather(*(bus.publish(SUBJECT, b"", GATEWAY) for _ in range(500)))
    assert positions == sorted(positions)


async def test_a_repeated_key_returns_the_first_position(bus: Bus) -> None:
    first = await bus.publish(SUBJECT, b"once", GATEWAY, key="frame-1")
    assert await bus.publish(SUBJECT, b"again", GATEWAY, key="frame-1") == first
    assert await bus.publish(SUBJECT, b"other", GATEWAY, key="frame-2") == first + 1
    assert [m.data for m in await bus.read("OBS", 1, 9)] == [b"once", b"other"]


async def test_a_key_may_come_again_after_the_window(bus: Bus) -> None:
    await bus.publish("aud.sign-in", b"", GATEWAY, key="k")
    await asyncio.sleep(1.2)
    assert await bus.publish("aud.sign-in", b"", GATEWAY, key="k") == 2


async def test_big_payloads_pass_and_bigger_ones_are_refused(bus: Bus) -> None:
    body = bytes(range(256)) * (16 * 1024 * 4)
    assert len(body) == 16 * 1024**2
    await bus.publish(SUBJECT, body, GATEWAY)
    assert (await bus.read("OBS", 1, 1))[0].data == body
    with pytest.raises(TooLarge) as refusal:
        await bus.publish(SUBJECT, bytes(33 * 1024**2), GATEWAY)
    assert refusal.value.key == "bus.too-large"


async def test_several_big_payloads_reach_a_consumer(bus: Bus) -> None:
    for n in range(3):
        await bus.publish(SUBJECT, bytes([n]) * (20 * 1024**2), GATEWAY)
    consumer = await bus.consumer("OBS", "keeper")
    seen: list[Message] = []
    while len(seen) < 3:
        got = await consumer.fetch(10, 10)
        assert got
        seen += got
    assert [(m.position, m.data[0], len(m.data)) for m in seen] == [
        (n + 1, n, 20 * 1024**2) for n in range(3)
    ]


@pytest.mark.parametrize("subject", ["obs", "obs.>", "obs.a b", "other.x", "", "obs.*.a"])
async def test_a_subject_that_no_stream_keeps_is_refused(bus: Bus, subject: str) -> None:
    with pytest.raises(BadInput) as refusal:
        await bus.publish(subject, b"", GATEWAY)
    assert refusal.value.key == "bus.bad-subject"


async def test_read_takes_only_what_is_asked_and_kept(bus: Bus) -> None:
    for n in range(600):
        await bus.publish(SUBJECT, b"%d" % n, GATEWAY)
    assert [m.position for m in await bus.read("OBS", 3, 5)] == [3, 4, 5]
    assert len(await bus.read("OBS", 1, 600)) == 600
    assert [m.position for m in await bus.read("OBS", 599, 10_000)] == [599, 600]
    assert list(await bus.read("OBS", 601, 700)) == []
    assert list(await bus.read("OBS", 5, 4)) == []
    assert list(await bus.read("ALR", 1, 4)) == []


async def test_a_full_stream_refuses_and_loses_nothing_it_accepted(bus: Bus) -> None:
    last = await _fill(bus)
    with pytest.raises(Unavailable) as refusal:
        await bus.publish("cmd._.valve", bytes(4096), GATEWAY)
    assert refusal.value.key == "bus.full"
    assert refusal.value.facts["stream"] == "CMD"
    assert [m.position for m in await bus.read("CMD", 1, 1000)] == list(range(1, last + 1))


async def test_a_full_stream_makes_room_once_every_consumer_has_acknowledged(bus: Bus) -> None:
    fast, slow = await bus.consumer("CMD", "fast"), await bus.consumer("CMD", "slow")
    last = await _fill(bus)
    await _take(fast, last)
    await fast.ack(last)
    with pytest.raises(Unavailable):
        await bus.publish("cmd._.valve", bytes(4096), GATEWAY)
    await _take(slow, 10)
    await slow.ack(10)
    assert await bus.publish("cmd._.valve", bytes(4096), GATEWAY) == last + 1
    assert (await bus.read("CMD", 1, last))[0].position == 11


async def test_a_stream_of_news_drops_its_oldest(bus: Bus) -> None:
    for _ in range(200):
        last = await bus.publish("alr._.flood", bytes(4096), GATEWAY)
    kept = [m.position for m in await bus.read("ALR", 1, last)]
    assert last == 200
    assert kept[-1] == 200
    assert 1 < kept[0] < 200
    assert kept == list(range(kept[0], 201))


async def test_following_sees_what_is_stored_from_now_on(bus: Bus) -> None:
    await bus.publish("chg.entity._", b"before", GATEWAY)
    async with aclosing(bus.follow("chg.entity.>")) as live:
        await bus.publish("chg.observed._", b"other", GATEWAY)
        await bus.publish("chg.entity._", b"after", GATEWAY)
        await bus.publish("chg.entity.a", b"later", GATEWAY)
        seen = [await _next(live) for _ in range(2)]
    assert [(m.subject, m.data, m.position, m.principal) for m in seen] == [
        ("chg.entity._", b"after", 3, GATEWAY),
        ("chg.entity.a", b"later", 4, GATEWAY),
    ]


async def test_following_does_not_see_repeats(bus: Bus) -> None:
    async with aclosing(bus.follow("chg.>")) as live:
        for key in ("a", "a", "b"):
            await bus.publish("chg.entity._", key.encode(), GATEWAY, key=key)
        assert [(await _next(live)).data for _ in range(2)] == [b"a", b"b"]


async def test_a_slow_follower_loses_the_oldest_and_stops_nobody(bus: Bus) -> None:
    async with aclosing(bus.follow("chg.>")) as live:
        for n in range(50):
            await asyncio.gather(*(bus.publish("chg.entity._", b"%d" % n, GATEWAY) for _ in range(100)))
        await asyncio.sleep(0.3)
        first = await _next(live)
        assert 1 < first.position < 5000


async def _fill(bus: Bus) -> int:
    for last in range(1000):
        try:
            await bus.publish("cmd._.valve", bytes(4096), GATEWAY)
        except Unavailable:
            return last
    raise AssertionError


async def _take(consumer: Consumer, wanted: int) -> None:
    seen = 0
    while seen < wanted:
        messages = await consumer.fetch(wanted - seen, 5)
        assert messages
        seen = messages[-1].position


async def _next(live: AsyncIterator[Message]) -> Message:
    async with asyncio.timeout(5):
        return await anext(live)

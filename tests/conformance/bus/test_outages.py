"""A server that is killed and started again, and a bus that is not there: nothing acknowledged is lost."""

import asyncio
import os
import signal
from contextlib import aclosing
from pathlib import Path

import nats
import pytest

from yunmeng.kernel.base import Unauthenticated, Unavailable
from yunmeng.kernel.link import Bus, Consumer, NatsBus, NatsServer, Request
from yunmeng.kernel.trust import Principal

SERVICE = Principal("keeper", kind="service")
SUBJECT = "obs._.a"


async def test_nothing_acknowledged_is_lost_when_the_server_is_killed(nats_engine) -> None:
    bus = await nats_engine.open()
    accepted: dict[str, int] = {}
    writer = asyncio.create_task(_publish_keys(bus, 3000, accepted))
    for wanted in (300, 1500):
        await _until(lambda wanted=wanted: len(accepted) > wanted)
        await nats_engine.kill()
    await writer
    assert len(accepted) == 3000
    stored = {m.data.decode(): m.position for m in await bus.read("OBS", 1, 10_000)}
    assert stored == accepted


async def test_a_consumer_goes_on_in_order_when_the_server_is_killed(nats_engine) -> None:
    bus = await nats_engine.open()
    writer = asyncio.create_task(_publish_keys(bus, 3000, {}))
    consumer = await bus.consumer("OBS", "keeper")
    seen: list[int] = []
    reader = asyncio.create_task(_consume(consumer, 3000, seen))
    for wanted in (200, 1500):
        await _until(lambda wanted=wanted: len(seen) > wanted)
        await nats_engine.kill()
    await asyncio.gather(writer, reader)
    assert seen == list(range(1, 3001))


async def test_what_was_fetched_before_the_kill_and_acknowledged_after_it_stays_so(
    nats_engine,
) -> None:
    bus = await nats_engine.open()
    await _publish_keys(bus, 20, {})
    consumer = await bus.consumer("OBS", "keeper")
    await _consume(consumer, 20, [], ack=False)
    os.kill(nats_engine.server.pid, signal.SIGKILL)
    await consumer.ack(15)
    await _until(lambda: nats_engine.server.restarts == 1)
    assert list(await consumer.fetch(10, 1.5)) == []
    await consumer.close()
    again = await bus.consumer("OBS", "keeper")
    assert [m.position for m in await again.fetch(10, 5)] == [16, 17, 18, 19, 20]


async def test_following_and_serving_go_on_when_the_server_is_killed(nats_engine) -> None:
    bus = await nats_engine.open()

    async def handler(request: Request) -> bytes:
        return request.data

    await bus.serve("keeper.write", handler)
    async with aclosing(bus.follow("obs.>")) as live:
        await bus.publish(SUBJECT, b"1", SERVICE)
        await nats_engine.kill()
        accepted: dict[str, int] = {}
        await _publish_keys(bus, 1, accepted)
        async with asyncio.timeout(5):
            assert [(await anext(live)).position for _ in range(2)] == [1, 2]
    assert await bus.request("keeper.write", b"x", SERVICE) == b"x"


async def test_everything_in_flight_fails_at_once_when_the_server_dies(tmp_path: Path) -> None:
    server = NatsServer(tmp_path / "bus")
    await server.start()
    bus = await NatsBus.connect(server.url, server.token)
    answering = asyncio.Event()

    async def handler(_: Request) -> bytes:
        answering.set()
        await asyncio.sleep(60)
        return b""

    await bus.serve("keeper.write", handler)
    consumer = await bus.consumer("OBS", "keeper")
    asking = asyncio.create_task(bus.request("keeper.write", b"", SERVICE, timeout_s=60))
    await answering.wait()
    await server.stop()
    async with asyncio.timeout(5):
        with pytest.raises(Unavailable) as lost:
            await asking
        with pytest.raises(Unavailable) as refused:
            await bus.publish(SUBJECT, b"", SERVICE)
        assert list(await consumer.fetch(1, 0.3)) == []
    assert {lost.value.key, refused.value.key} == {"bus.down"}
    await bus.close()


async def test_no_bus_at_all_is_said_soon(tmp_path: Path) -> None:
    server = NatsServer(tmp_path / "bus")
    await server.start()
    url = server.url
    await server.stop()
    with pytest.raises(Unavailable) as refusal:
        await NatsBus.connect(url, "", wait_s=0.5)
    assert refusal.value.key == "bus.down"


async def test_a_wrong_token_is_refused(nats_engine) -> None:
    with pytest.raises(Unauthenticated) as refusal:
        await NatsBus.connect(nats_engine.server.url, "wrong", wait_s=20)
    assert refusal.value.key == "bus.bad-token"


async def test_the_streams_and_places_survive_a_stop(tmp_path: Path) -> None:
    server = NatsServer(tmp_path / "bus")
    for turn in range(3):
        await server.start()
        bus = await NatsBus.connect(server.url, server.token)
        assert await bus.publish(SUBJECT, b"%d" % turn, SERVICE) == turn + 1
        consumer = await bus.consumer("OBS", "keeper")
        assert [m.position for m in await consumer.fetch(10, 5)] == [turn + 1]
        await consumer.ack(turn + 1)
        await bus.close()
        await server.stop()


async def test_a_durable_that_is_gone_is_made_again_behind_what_was_acknowledged(nats_engine) -> None:
    bus = await nats_engine.open()
    await _publish_keys(bus, 10, {})
    consumer = await bus.consumer("OBS", "keeper")
    await _consume(consumer, 10, [], ack=False)
    await consumer.ack(7)
    client = await nats.connect(nats_engine.server.url, token=nats_engine.server.token)
    await client.jetstream().delete_consumer("OBS", "keeper")
    await client.close()
    await _publish_keys(bus, 12, {})
    seen: list[int] = []
    await _consume(consumer, 2, seen, ack=False)
    assert seen == [11, 12]
    await consumer.close()
    again = await bus.consumer("OBS", "keeper")
    assert (await again.fetch(3, 5))[0].position == 8


async def test_two_connections_on_one_durable_still_see_everything(nats_engine) -> None:
    bus, other = await nats_engine.open(), await nats_engine.open()
    await _publish_keys(bus, 1000, {})
    first, second = await bus.consumer("OBS", "keeper"), await other.consumer("OBS", "keeper")
    seen: set[int] = set()
    async with asyncio.timeout(20):
        while len(seen) < 1000:
            for consumer in (first, second):
                seen |= {m.position for m in await consumer.fetch(50, 0.2)}
    assert seen == set(range(1, 1001))


async def test_positions_never_repeat_even_when_the_disk_lost_messages(tmp_path: Path) -> None:
    server = NatsServer(tmp_path / "bus")
    await server.start()
    bus = await NatsBus.connect(server.url, server.token)
    await _publish_keys(bus, 100, {})
    consumer = await bus.consumer("OBS", "keeper")
    await _consume(consumer, 100, [])
    await bus.close()
    await server.stop()
    (block,) = (tmp_path / "bus").rglob("OBS/msgs/*.blk")
    block.write_bytes(block.read_bytes()[: block.stat().st_size // 2])
    await server.start()
    bus = await NatsBus.connect(server.url, server.token)
    assert await bus.publish(SUBJECT, b"", SERVICE) == 101
    await bus.close()
    await server.stop()


async def test_positions_never_repeat_when_an_emptied_stream_is_killed(nats_engine) -> None:
    bus = await nats_engine.open()
    consumer = await bus.consumer("CMD", "valves")
    for position in range(1, 100):
        assert await bus.publish("cmd._.valve", bytes(8192), SERVICE) == position
        await consumer.ack((await consumer.fetch(1, 5))[0].position)
    await nats_engine.kill()
    accepted: dict[str, int] = {}
    await _publish_keys(bus, 1, accepted, subject="cmd._.valve")
    assert accepted == {"k0": 100}


async def _publish_keys(bus: Bus, number: int, accepted: dict[str, int], subject: str = SUBJECT) -> None:
    """Publishes with keys, in order of need, and tries again whatever was not accepted."""

    async def one(key: str) -> None:
        while True:
            try:
                accepted[key] = await bus.publish(subject, key.encode(), SERVICE, key=key)
            except Unavailable:
                await asyncio.sleep(0.05)
            else:
                return

    for start in range(0, number, 50):
        await asyncio.gather(*(one(f"k{n}") for n in range(start, min(start + 50, number))))


async def _consume(consumer: Consumer, number: int, seen: list[int], *, ack: bool = True) -> None:
    async with asyncio.timeout(30):
        while len(seen) < number:
            batch = await consumer.fetch(100, 5)
            seen += [m.position for m in batch]
            if ack and batch:
                await consumer.ack(batch[-1].position)


async def _until(reached) -> None:
    async with asyncio.timeout(20):
        while not reached():
            await asyncio.sleep(0.005)


async def test_a_stream_keeps_its_life_over_restarts_and_has_another_once_it_was_lost(
    nats_engine, tmp_path: Path
) -> None:
    bus = await nats_engine.open()
    await _publish_keys(bus, 5, {})
    before = await bus.extent("OBS")
    await nats_engine.kill()
    again = await nats_engine.open()
    assert await again.extent("OBS") == before
    other = NatsServer(tmp_path / "other")
    await other.start()
    anew = await NatsBus.connect(other.url, other.token)
    found = await anew.extent("OBS")
    await anew.close()
    await other.stop()
    assert found.last == 0
    assert found.life != before.life

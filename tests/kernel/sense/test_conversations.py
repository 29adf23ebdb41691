"""Devices over real sockets: answered once their data is safe, never twice kept, never heard half."""

import asyncio
import os
from base64 import b64decode
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from msgspec import json, msgpack
from tests.field import Device, Field, Seen
from tests.kernel.keeper.conftest import OPERATOR, House
from tests.kernel.sense.line import LINE, line, write_mapping
from tests.kernel.sense.test_packer import SlowBus
from tests.nodes import refused

from yunmeng.kernel.base import now_us
from yunmeng.kernel.link import sense_subject
from yunmeng.kernel.sense import Command, DeviceRecord, FrameReport, bad_checksum, bad_frame, xor8
from yunmeng.kernel.store.objects.folder import FolderObjects

Start = Callable[..., Awaitable[Field]]
METER = "urn:ngsi-ld:SmartMeter:line:M1"
DATA = line("data", 7, 1_700_000_000, 2500, 400)


@pytest.fixture
def start(listening: Start, tmp_path: Path) -> Start:
    async def begin(url: str = "line+tcp://", **more: object) -> Field:
        return await listening(url, gateway=LINE, mapping=write_mapping(tmp_path), **more)

    return begin


async def hello(field: Field, name: str = "M1") -> Device:
    device = await field.connect()
    await device.send(line("hello", name))
    assert await device.until(b"\n") == line("welcome", name)
    return device


async def test_a_device_is_answered_once_the_bus_has_what_it_said(start: Start) -> None:
    bus = SlowBus()
    bus.gate.clear()
    field = await start(bus=bus)
    async with await hello(field) as device:
        await device.send(DATA + line("hello", "M1"))
        # what is said at once overtakes what waits for the disk
        assert await device.until(b"\n") == line("welcome", "M1")
        assert (await bus.extent("OBS")).last == 0
        bus.gate.set()
        assert await device.until(b"\n") == line("ok", 7)
    assert await field.seen(2) == [
        Seen(METER, "activePower", 2.5, 1_700_000_000_000_000, 1, "KWT", "420100"),
        Seen(METER, "energyImported", 40.0, 1_700_000_000_000_000, 1, "KWH", "420100"),
    ]


async def test_a_device_whose_data_is_lost_gets_no_answer_and_its_next_try_is_kept(start: Start) -> None:
    bus = SlowBus()
    bus.refusing = True
    field = await start(bus=bus)
    async with await hello(field) as device:
        await device.send(DATA)
        await asyncio.wait_for(_failed(field), 10)
        bus.refusing = False
        await device.send(line("hello", "M1"))
        assert await device.until(b"\n") == line("welcome", "M1"), "no answer to what was lost"
        await device.send(DATA)
        assert await device.until(b"\n") == line("ok", 7)
    assert len(await field.seen(2)) == 2


async def _failed(field: Field) -> None:
    while not field.hub.sink.counts["readings"]:
        await asyncio.sleep(0)
    with refused("bus.full"):
        await field.hub.sink.flush()


async def test_who_counts_hears_of_every_number_once_it_is_kept(start: Start) -> None:
    bus = SlowBus()
    bus.gate.clear()
    field = await start(bus=bus)
    async with await hello(field) as device:
        await device.send(line("count", 1, 1_700_000_000, 5) + line("hello", "M1"))
        assert await device.until(b"\n") == line("welcome", "M1")
        bus.gate.set()
        assert await device.until(b"\n") == line("upto", 1)
        await device.send(line("count", 1, 1_700_000_000, 5))
        assert await device.until(b"\n") == line("upto", 1), "what was kept before counts as well"
    assert len(await field.seen(1)) == 1


async def test_what_comes_twice_is_answered_twice_and_kept_once(start: Start) -> None:
    field = await start()
    async with await hello(field) as device:
        for _ in range(3):
            await device.send(DATA)
            assert await device.until(b"\n") == line("ok", 7)
        await device.send(line("data", 8, 1_700_000_000, 2500, 400))
        assert await device.until(b"\n") == line("ok", 8)
    async with await hello(field) as again:
        await again.send(DATA)
        assert await again.until(b"\n") == line("ok", 7), "over another connection as well"
    assert len(await field.seen(4)) == 4


async def test_a_frame_cut_anywhere_is_the_same_frame(start: Start) -> None:
    field = await start()
    async with await hello(field) as device:
        for place in range(1, len(DATA)):
            number = 100 + place
            data = line("data", number, 1_700_000_000, 2500)
            await device.send(data[:place])
            await asyncio.sleep(0)
            await device.send(data[place:])
            assert await device.until(b"\n") == line("ok", number)


async def test_a_slow_bus_stops_the_reading_and_all_is_kept_in_the_end(start: Start) -> None:
    bus = SlowBus()
    field = await start(bus=bus)
    device = await hello(field)
    bus.gate.clear()
    many = 30_000
    sending = asyncio.create_task(
        device.send(b"".join(line("data", n, 1_700_000_000 + n, n, n) for n in range(many)))
    )
    async with asyncio.timeout(30):
        while not field.hub.sink.full:
            await asyncio.sleep(0.005)
        before = -1
        while before != field.hub.sink.counts["readings"]:
            before = field.hub.sink.counts["readings"]
            await asyncio.sleep(0.2)
        assert before < many * 0.9, "nothing more is heard while the bus does not take it"
        bus.gate.set()
        last = line("ok", many - 1)
        heard = b""
        while not heard.endswith(last):
            heard = heard[-len(last) :] + await device.reader.read(1 << 16)
        await sending
    assert [each.value for each in await field.seen(2 * many)][::2] == [n / 1000 for n in range(many)]
    await device.close()


async def test_a_flood_leaves_others_their_turn(start: Start) -> None:
    field = await start()
    flood, other = await hello(field, "F"), await hello(field, "M1")
    many = 20_000
    sending = asyncio.create_task(flood.send(b"".join(line("data", n, n, n) for n in range(many))))
    async with asyncio.timeout(30):
        while not field.hub.sink.counts["readings"]:
            await asyncio.sleep(0)
        await other.send(line("hello", "M1"))
        assert await other.until(b"\n") == line("welcome", "M1")
        assert field.hub.sink.counts["readings"] < many, "answered while the flood was still coming in"
        await sending
        await field.seen(many)
    await flood.close()
    await other.close()


async def test_what_is_refused_lies_in_quarantine_before_the_device_hears_of_it(
    start: Start, house: House
) -> None:
    field = await start(bus=house.bus)
    async with await hello(field) as device:
        broken = DATA.replace(b"2500", b"2501")
        await device.send(broken + b"\x00noise\n" + DATA)
        heard = {await device.until(b"\n") for _ in range(3)}
        assert heard == {line("no", "frame.checksum"), line("no", "frame.bad"), line("ok", 7)}
        kept = [json.decode(record.body) for record in await house.state.records("quarantine")]
        assert [(each["reason"]["key"], b64decode(each["raw"])) for each in kept] == [
            ("frame.checksum", broken),
            ("frame.bad", b"\x00noise\n"),
        ]
        assert {each["peer"].rpartition(":")[0] for each in kept} == {"127.0.0.1"}
        assert {each["gateway"] for each in kept} == {"field"}


async def test_what_a_device_says_of_itself_and_where_it_is_reaches_its_entity(
    start: Start, house: House
) -> None:
    field = await start(bus=house.bus)
    async with await hello(field) as device:
        await device.send(line("say", "factory") + line("place", 114.3, 30.6))
        assert await device.until(b"\n") == line("noted")
        await field.hub.sink.flush()
        entity = _short(await house.get(METER))
        assert entity["source"]["value"] == "factory"
        assert entity["location"]["value"]["coordinates"] == [114.3, 30.6]
        state = await _state(house, "online")
    assert state["protocol"]["value"] == "line"
    await _state(house, "offline")


async def _state(house: House, expected: str) -> dict:
    async with asyncio.timeout(10):
        while True:
            entity = _short(await house.get("urn:ngsi-ld:Device:line:M1"))
            if entity.get("deviceState", {}).get("value") == expected:
                return entity
            await asyncio.sleep(0.02)


def _short(entity: dict | None) -> dict:
    """The attributes of an entity as it is kept, by the last word of their names."""
    attributes = {name.rpartition("/")[2]: value for name, value in (entity or {}).items()}
    return {name: value[0] for name, value in attributes.items() if isinstance(value, list)}


async def test_a_file_is_stored_before_its_answer_and_refused_without_a_store(
    start: Start, tmp_path: Path
) -> None:
    objects = FolderObjects(tmp_path / "objects")
    field = await start(objects=objects)
    async with await hello(field) as device:
        await device.send(line("file", "M1/picture.txt", "abc"))
        assert await device.until(b"\n") == line("stored")
    assert await objects.get("field/M1/picture.txt") == b"abc"


async def test_frames_that_are_handed_in_are_counted_and_turn_no_commands_away(start: Start) -> None:
    field = await start()
    async with await hello(field) as device:
        broken = DATA.replace(b" 7 ", b" 8 ")
        frames = [line("hello", "M1"), DATA, broken, line("nonsense")]
        answer = await field.bus.request(sense_subject("frame", "line"), msgpack.encode(frames), OPERATOR)
        report = msgpack.decode(answer, type=FrameReport)
        assert report.readings == 1
        wrong = bad_checksum("line", int(DATA[-3:], 16), xor8(broken[:-4]))
        assert report.refused == (str(wrong), str(bad_frame("line", "unknown words")))
        assert len(await field.seen(2)) == 2
        # the device itself still has the commands, although somebody replayed its frames
        result = asyncio.create_task(field.command("M1", "do", number=1))
        assert await device.until(b"\n") == line("do", 1)
        await device.send(line("done", 1, "fine"))
        assert await result == {"said": ["fine"]}
    answer = await field.bus.request(sense_subject("frame", "field"), msgpack.encode([DATA]), OPERATOR)
    assert msgpack.decode(answer, type=FrameReport).readings == 1


async def test_a_command_over_the_bus_comes_back_with_the_devices_word(start: Start) -> None:
    field = await start()
    subject = sense_subject("command", "field")

    def order(device: str, name: str = "do") -> Awaitable[bytes]:
        command = Command("c1", device, name, {"number": 5})
        return field.bus.request(subject, msgpack.encode(command), OPERATOR)

    async with await hello(field) as device:
        waiting = asyncio.ensure_future(order("M1"))
        assert await device.until(b"\n") == line("do", 5)
        await device.send(line("failed", 5, "stuck"))
        with refused("command.unknown"):
            await waiting
        with refused("command.unknown"):
            await order("M1", "dance")
        with refused("device.offline"):
            await order("M2")
        waiting = asyncio.ensure_future(order("M1"))
        assert await device.until(b"\n") == line("do", 5)
    with refused("device.gone"):
        await waiting
    with refused("device.offline"):
        await order("M1")


async def test_commands_go_to_the_newest_connection_of_a_device(start: Start) -> None:
    field = await start()
    old, new = await hello(field), await hello(field)
    await old.close()
    async with asyncio.timeout(10):
        while len(field.hub.channels) > 1:
            await asyncio.sleep(0.005)
    result = asyncio.create_task(field.command("M1", "do", number=1))
    assert await new.until(b"\n") == line("do", 1)
    await new.send(line("done", 1))
    assert await result == {"said": []}
    await new.close()


async def test_what_is_heard_after_the_connection_broke_is_kept_but_brings_no_device_back(
    start: Start,
) -> None:
    field = await start()
    channel = field.hub.channel("there", lambda _: None, lambda: None)
    channel.open()
    channel.hear(line("hello", "M1"))
    channel.lost()
    channel.hear(DATA + line("hello", "M1"))
    assert len(await field.seen(2)) == 2
    with refused("device.offline"):
        await field.command("M1", "do", number=1)


async def test_an_order_is_sent_again_until_it_is_given_up(start: Start) -> None:
    field = await start()
    channels: list[bytes] = []
    channel = field.hub.channel("there", channels.append, lambda: None)
    channel.open()
    channel.hear(line("hello", "M1"))
    order = asyncio.create_task(field.command("M1", "do", number=1))
    await asyncio.sleep(0)
    for seconds in (0, 4, 20):
        channel.perform(channel._session.tick(now_us() + seconds * 1_000_000))
    assert channels == [line("welcome", "M1"), line("do", 1), line("do", 1)]
    with refused("command.timeout"):
        await order


async def test_only_known_and_active_devices_are_let_in_where_that_is_asked_for(
    start: Start, house: House
) -> None:
    records = [DeviceRecord("line", "M1"), DeviceRecord("line", "M2", state="suspended")]
    field = await start("line+tcp://?admit=known", bus=house.bus, records=records)
    device = await hello(field)
    for name, key in (("M2", "device.suspended"), ("M3", "device.unknown")):
        await device.send(line("hello", name))
        assert await device.until(b"\n") == line("no", key)
    await device.send(line("bye"))
    assert await device.rest() == line("bye")
    await device.close()


async def test_silence_ends_a_connection(start: Start) -> None:
    field = await start("line+tcp://?idle=0.1")
    device = await hello(field)
    assert await device.rest() == b""
    await device.close()


async def test_each_udp_peer_has_a_conversation_of_its_own(start: Start) -> None:
    field = await start("line+udp://")
    async with field.peer() as one, field.peer() as other:
        await one.send(line("hello", "M1"))
        await other.send(line("hello", "M2"))
        assert (await one.hear(), await other.hear()) == (line("welcome", "M1"), line("welcome", "M2"))
        await one.send(DATA)
        await other.send(DATA)
        assert (await one.hear(), await other.hear()) == (line("ok", 7), line("ok", 7))
    assert {each.entity for each in await field.seen(4)} == {METER, METER.replace("M1", "M2")}


async def test_a_serial_line_is_spoken_over(start: Start) -> None:
    device, far = os.openpty()
    await start(f"line+serial://{os.ttyname(far)}?baud=19200&parity=e")
    os.close(far)
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader()
    transport, _ = await loop.connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), os.fdopen(device, "rb", buffering=0)
    )
    async with asyncio.timeout(10):
        os.write(device, line("hello", "M1"))
        assert await reader.readuntil(b"\n") == line("welcome", "M1")
        os.write(device, DATA)
        assert await reader.readuntil(b"\n") == line("ok", 7)
    transport.close()


@pytest.mark.parametrize("options", ["baud=12345", "parity=X"])
async def test_a_speed_that_no_line_knows_is_refused(start: Start, options: str) -> None:
    device, far = os.openpty()
    try:
        with refused("sense.option"):
            await start(f"line+serial://{os.ttyname(far)}?{options}")
    finally:
        os.close(device)
        os.close(far)


async def test_a_device_that_we_call_is_called_again(start: Start) -> None:
    met: asyncio.Queue[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = asyncio.Queue()
    server = await asyncio.start_server(lambda *pair: met.put_nowait(pair), "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    await start(f"line+connect://127.0.0.1:{port}")
    for _ in range(2):
        async with asyncio.timeout(10):
            reader, writer = await met.get()
            writer.write(line("hello", "M1"))
            assert await reader.readuntil(b"\n") == line("welcome", "M1")
            writer.close()
    server.close()


async def test_a_port_that_is_taken_is_named(start: Start) -> None:
    field = await start()
    with refused("sense.port") as caught:
        await start(f"line+tcp://127.0.0.1:{field.port}")
    assert caught.value.facts["port"] == field.port


@pytest.mark.parametrize(
    ("url", "key"),
    [("line:127.0.0.1", "sense.url"), ("line+tcp://h:port", "sense.url"), ("line+tpc://", "sense.transport")],
)
async def test_a_place_to_listen_that_is_none_is_refused(start: Start, url: str, key: str) -> None:
    with refused(key):
        await start(url)

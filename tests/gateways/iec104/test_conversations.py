"""Outstations over real sockets: interrogation, acknowledgement after the disk, commands, loss, return."""

import asyncio
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import pytest
from tests.field import Field
from tests.gateways.conftest import Listening
from tests.kernel.keeper.conftest import House
from tests.kernel.sense.test_packer import SlowBus
from tests.nodes import free_port, refused

from yunmeng.gateways.iec104.apci import (
    MODULO,
    Apdu,
    Function,
    Iec104Codec,
    Numbered,
    Supervisory,
    Unnumbered,
)
from yunmeng.gateways.iec104.asdu import Asdu, Cause, Item, Shape, read_asdu, write_asdu
from yunmeng.gateways.iec104.clock import Clock
from yunmeng.gateways.iec104.outstation import BREAKER, COMMAND, MEASURANDS, SETPOINT
from yunmeng.gateways.iec104.simulator import simulate
from yunmeng.kernel.base import now_us
from yunmeng.kernel.model import Quality
from yunmeng.kernel.sense import Command, DeviceRecord, Simulation

CODEC, SHAPE = Iec104Codec(), Shape()
START, STARTED = Unnumbered(Function.STARTDT_ACT), Unnumbered(Function.STARTDT_CON)
PATIENCE_S = 10.0
POINTS = """table,type,field,name,attribute,unit,factor,values
T1,PowerTransformer,1:16385,1号主变有功,activePower,MAW,0.1,
T1,PowerTransformer,1:16386,1号主变油温,oilTemperature,,,
Q1,Switchgear,1:1,101断路器,switchPosition,,,0=intermediate;1=open;2=closed;3=faulty
Q1,Switchgear,1:2.0,弹簧储能,springCharged,,,
Q1,Switchgear,1:2.3,保护动作,protectionTripped,,,
S,Substation,7,频率,gridFrequency,,,
"""


@dataclass
class Outside:
    """The far end of one connection, spoken by hand."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    sent: int = 0
    heard: list[Apdu] = field(default_factory=list[Apdu])

    async def hear(self) -> Apdu:
        async with asyncio.timeout(PATIENCE_S):
            head = await self.reader.readexactly(2)
            self.heard.append(CODEC.decode(head + await self.reader.readexactly(head[1])))
        return self.heard[-1]

    async def asdu(self) -> Asdu:
        """The next ASDU, whatever is acknowledged or tested in between."""
        while not isinstance(message := await self.hear(), Numbered):
            pass
        return read_asdu(message.asdu, SHAPE)

    async def start(self) -> None:
        assert await self.hear() == START
        self.say(STARTED)

    def say(self, message: Apdu) -> None:
        self.writer.write(CODEC.encode(message))

    def tell(self, asdu: Asdu | bytes) -> None:
        """Sends an ASDU under the next number."""
        received = sum(isinstance(each, Numbered) for each in self.heard)
        data = asdu if isinstance(asdu, bytes) else write_asdu(asdu, SHAPE)
        self.say(Numbered(self.sent, received, data))
        self.sent = (self.sent + 1) % MODULO

    async def gone(self) -> bytes:
        async with asyncio.timeout(PATIENCE_S):
            return await self.reader.read()


class Port:
    """Where an outstation waits; gives one connection after the other."""

    def __init__(self) -> None:
        self.number = free_port()
        self._calls: asyncio.Queue[Outside] = asyncio.Queue()
        self._open: list[asyncio.StreamWriter] = []

    async def call(self) -> Outside:
        async with asyncio.timeout(PATIENCE_S):
            return await self._calls.get()

    async def met(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._open.append(writer)
        await self._calls.put(Outside(reader, writer))

    def close(self) -> None:
        for writer in self._open:
            writer.close()

    def url(self, options: str = "interrogate=0") -> str:
        return f"iec104+connect://127.0.0.1:{self.number}?device=shahu&{options}"


@pytest.fixture
async def port() -> AsyncIterator[Port]:
    port = Port()
    server = await asyncio.start_server(port.met, "127.0.0.1", port.number)
    yield port
    port.close()
    server.close()


@pytest.fixture
def points(tmp_path: Path) -> Path:
    file = tmp_path / "points.csv"
    file.write_text(POINTS, encoding="utf-8")
    return file


def measured(*values: tuple[int, float], cause: int = Cause.SPONTANEOUS, quality: int = 0) -> Asdu:
    items = (Item(address, struct.pack("<fB", value, quality)) for address, value in values)
    return Asdu(13, cause, 1, tuple(items))


async def test_the_transfer_is_started_and_everything_asked_for(listening: Listening, port: Port) -> None:
    before = now_us()
    field = await listening(port.url("stations=1,2&clock=600&interrogate=600&counters=600&originator=9&k=20"))
    outside = await port.call()
    assert await outside.hear() == START
    outside.say(STARTED)
    asked = [await outside.asdu() for _ in range(6)]
    assert [(each.type, each.station) for each in asked] == [
        (103, 1),
        (103, 2),
        (100, 1),
        (100, 2),
        (101, 1),
        (101, 2),
    ]
    assert {(each.cause, each.originator, each.items[0].address) for each in asked} == {(6, 9, 0)}
    assert [each.items[0].data for each in asked[2:]] == [b"\x14", b"\x14", b"\x05", b"\x05"]
    told = Clock().read(asked[0].items[0].data)
    assert told is not None
    assert before // 1000 <= told // 1000 <= now_us() // 1000
    await field.online("shahu-1")
    await field.online("shahu-2")


async def test_a_table_of_points_says_what_each_is(listening: Listening, port: Port, points: Path) -> None:
    field = await listening(port.url(), mapping=points)
    outside = await port.call()
    await outside.start()
    outside.tell(measured((16_385, 123.4), (16_386, 61.5), (99, 1.0)))
    outside.tell(measured((7, 50.02), quality=0x20))
    moment = int(datetime(2026, 7, 1, tzinfo=UTC).timestamp() * 1e6)
    outside.tell(Asdu(31, Cause.SPONTANEOUS, 1, (Item(1, b"\x02" + Clock().write(moment)),)))
    outside.tell(Asdu(33, Cause.SPONTANEOUS, 1, (Item(2, b"\x09\0\0\0\0" + Clock().write(moment)),)))
    seen = await field.seen(6)
    said = {(each.entity, each.attribute, each.value, each.unit, each.quality) for each in seen}
    assert said == {
        ("urn:ngsi-ld:PowerTransformer:iec104:shahu:T1", "activePower", 12_340.0, "KWT", Quality.GOOD),
        ("urn:ngsi-ld:PowerTransformer:iec104:shahu:T1", "oilTemperature", 61.5, "CEL", Quality.GOOD),
        ("urn:ngsi-ld:Substation:iec104:shahu:S", "gridFrequency", 50.02, "HTZ", Quality.SUBSTITUTED),
        ("urn:ngsi-ld:Switchgear:iec104:shahu:Q1", "switchPosition", "closed", "", Quality.GOOD),
        ("urn:ngsi-ld:Switchgear:iec104:shahu:Q1", "springCharged", 1.0, "", Quality.GOOD),
        ("urn:ngsi-ld:Switchgear:iec104:shahu:Q1", "protectionTripped", 1.0, "", Quality.GOOD),
    }
    assert {each.at for each in seen if "Switchgear" in each.entity} == {moment}


async def test_a_point_that_no_table_names_is_an_entity_of_its_own(listening: Listening, port: Port) -> None:
    field = await listening(port.url())
    outside = await port.call()
    await outside.start()
    outside.tell(measured((16_385, 0.1)))
    outside.tell(Asdu(15, Cause.COUNTER_REQUEST, 3, (Item(1, b"\x10\x27\0\0\0"),)))
    seen = await field.seen(2)
    assert [(each.entity, each.attribute, each.value) for each in seen] == [
        ("urn:ngsi-ld:TelecontrolPoint:iec104:shahu:1:16385", "pointValue", 0.1),
        ("urn:ngsi-ld:TelecontrolPoint:iec104:shahu-3:3:1", "pointCount", 10_000.0),
    ]


async def test_the_station_is_acknowledged_once_its_data_is_on_disk(listening: Listening, port: Port) -> None:
    bus = SlowBus()
    bus.gate.clear()
    await listening(port.url("interrogate=0&w=3"), bus=bus)
    outside = await port.call()
    await outside.start()
    for number in range(3):
        outside.tell(measured((1, float(number))))
    outside.say(Unnumbered(Function.TESTFR_ACT))
    assert await outside.hear() == Unnumbered(Function.TESTFR_CON), "heard, and not acknowledged"
    assert (await bus.extent("OBS")).last == 0
    bus.gate.set()
    assert await outside.hear() == Supervisory(3)
    assert (await bus.extent("OBS")).last > 0


async def test_what_the_bus_refuses_is_not_acknowledged_and_kept_after_the_next_call(
    listening: Listening, port: Port
) -> None:
    bus = SlowBus()
    bus.refusing = True
    field = await listening(port.url("interrogate=0&w=1"), bus=bus)
    outside = await port.call()
    await outside.start()
    event = Asdu(30, Cause.SPONTANEOUS, 1, (Item(5, b"\x01" + Clock().write(now_us())),))
    outside.tell(event)
    assert await outside.gone() == b"", "the call ends without an acknowledgement"
    bus.refusing = False
    outside = await port.call()
    await outside.start()
    outside.tell(event)
    assert await outside.hear() == Supervisory(1)
    assert len(await field.seen(1)) == 1


async def test_an_event_that_comes_again_after_a_lost_call_is_kept_once(
    listening: Listening, port: Port
) -> None:
    field = await listening(port.url("interrogate=600&w=1"))
    at = Clock().write(now_us())
    for state in (1, 0):
        outside = await port.call()
        await outside.start()
        assert (await outside.asdu()).type == 100, "everything is asked for anew"
        outside.tell(Asdu(30, Cause.SPONTANEOUS, 1, (Item(5, b"\x01" + at),)))
        assert await outside.hear() == Supervisory(1)
        outside.tell(Asdu(30, Cause.SPONTANEOUS, 1, (Item(6, bytes((state,)) + at),)))
        assert await outside.hear() == Supervisory(2)
        outside.writer.close()
    seen = await field.seen(3)
    assert [(each.entity.rpartition(":")[2], each.value) for each in seen] == [("5", 1), ("6", 1), ("6", 0)]


async def test_a_bad_asdu_lies_in_quarantine_before_its_number_is_acknowledged(
    listening: Listening, port: Port, house: House
) -> None:
    field = await listening(port.url("interrogate=0&w=1"), bus=house.bus)
    outside = await port.call()
    await outside.start()
    outside.tell(bytes.fromhex("7A01060001000000000000000000"))
    assert await outside.hear() == Supervisory(1)
    assert field.hub.sink.counts["refused"] == 1
    outside.tell(Asdu(1, Cause.SPONTANEOUS, 1, (Item(5, b"\1"),), test=True))
    assert await outside.hear() == Supervisory(2)
    assert field.hub.sink.counts["refused"] == 2


@pytest.mark.parametrize("number", [1, 32_767])
async def test_a_wrong_number_ends_the_call(
    listening: Listening, port: Port, house: House, number: int
) -> None:
    field = await listening(port.url(), bus=house.bus)
    outside = await port.call()
    await outside.start()
    outside.sent = number
    outside.tell(measured((1, 1.0)))
    outside.tell(measured((1, 1.0)))
    assert await outside.gone() == b""
    assert field.hub.sink.counts["readings"] == 0
    assert await (await port.call()).hear() == START, "and it is called again"


async def test_data_before_the_start_ends_the_call(listening: Listening, port: Port, house: House) -> None:
    await listening(port.url(), bus=house.bus)
    outside = await port.call()
    assert await outside.hear() == START
    outside.tell(measured((1, 1.0)))
    assert await outside.gone() == b""


async def test_a_station_that_begins_anew_is_asked_for_everything(listening: Listening, port: Port) -> None:
    await listening(port.url("interrogate=600&clock=600"))
    outside = await port.call()
    await outside.start()
    assert [(await outside.asdu()).type for _ in range(2)] == [103, 100]
    outside.tell(Asdu(70, Cause.INITIALISED, 1, (Item(0, b"\0"),)))
    assert [(await outside.asdu()).type for _ in range(2)] == [103, 100]


async def started(listening: Listening, port: Port, options: str = "interrogate=0") -> tuple[Field, Outside]:
    field = await listening(port.url(options))
    outside = await port.call()
    await outside.start()
    await field.online("shahu")
    return field, outside


@pytest.mark.parametrize(
    ("name", "arguments", "type", "octets"),
    [
        ("single", {"value": "on"}, 45, "01"),
        ("single", {"value": 0, "qualifier": 1}, 45, "04"),
        ("double", {"value": "open"}, 46, "01"),
        ("double", {"value": "on", "qualifier": 3}, 46, "0E"),
        ("step", {"value": "higher"}, 47, "02"),
        ("setpoint-normalized", {"value": -0.5}, 48, "00C000"),
        ("setpoint-scaled", {"value": -2}, 49, "FEFF00"),
        ("setpoint-float", {"value": 42.5}, 50, "00002A4200"),
        ("bitstring", {"value": 0x80000001}, 51, "01000080"),
    ],
)
async def test_direct_commands(
    listening: Listening, port: Port, name: str, arguments: dict[str, object], type: int, octets: str
) -> None:
    field, outside = await started(listening, port)
    doing = asyncio.create_task(field.command("shahu", name, ioa=24_577, **arguments))
    asdu = await outside.asdu()
    assert asdu == Asdu(type, Cause.ACTIVATION, 1, (Item(24_577, bytes.fromhex(octets)),))
    outside.tell(answer(asdu, Cause.ACTIVATION_CON))
    await asyncio.sleep(0.05)
    assert not doing.done(), "confirmed is not yet carried out"
    outside.tell(answer(asdu, Cause.TERMINATION))
    assert await doing == {"confirmed": True, "terminated": True}


def answer(asdu: Asdu, cause: int, data: bytes | None = None, *, negative: bool = False) -> Asdu:
    item = asdu.items[0]
    items = (item if data is None else Item(item.address, data),)
    return Asdu(asdu.type, cause, asdu.station, items, negative=negative)


async def test_a_command_with_a_time(listening: Listening, port: Port) -> None:
    field, outside = await started(listening, port, "interrogate=0&time=utc&termination=no")
    before = now_us()
    doing = asyncio.create_task(field.command("shahu", "double", ioa=1, value="on", time=True, mode="sbo"))
    asdu = await outside.asdu()
    assert (asdu.type, asdu.items[0].data[0]) == (59, 0x82)
    told = Clock("utc").read(asdu.items[0].data[1:])
    assert told is not None
    assert before // 1000 <= told // 1000 <= now_us() // 1000
    outside.tell(answer(asdu, Cause.ACTIVATION_CON))
    execute = await outside.asdu()
    assert execute.items[0].data[0] == 0x02
    outside.tell(answer(execute, Cause.ACTIVATION_CON))
    assert await doing == {"confirmed": True}


async def test_select_before_operate(listening: Listening, port: Port) -> None:
    field, outside = await started(listening, port)
    doing = asyncio.create_task(field.command("shahu", "double", ioa=24_577, value="open", mode="sbo"))
    select = await outside.asdu()
    assert select == Asdu(46, Cause.ACTIVATION, 1, (Item(24_577, b"\x81"),))
    with refused("iec104.busy"):
        await field.hub.command(Command("another", "shahu", "double", {"ioa": 24_577, "value": "on"}))
    outside.tell(answer(select, Cause.ACTIVATION_CON))
    execute = await outside.asdu()
    assert execute == Asdu(46, Cause.ACTIVATION, 1, (Item(24_577, b"\x01"),))
    outside.tell(answer(execute, Cause.ACTIVATION_CON))
    outside.tell(answer(execute, Cause.TERMINATION))
    assert await doing == {"confirmed": True, "terminated": True}


async def test_what_the_station_selected_otherwise_is_not_carried_out(
    listening: Listening, port: Port
) -> None:
    field, outside = await started(listening, port)
    doing = asyncio.create_task(field.command("shahu", "double", ioa=1, value="open", mode="sbo"))
    outside.tell(answer(await outside.asdu(), Cause.ACTIVATION_CON, b"\x82"))
    with refused("command.refused"):
        await doing
    outside.say(Unnumbered(Function.TESTFR_ACT))
    while (message := await outside.hear()) != Unnumbered(Function.TESTFR_CON):
        assert isinstance(message, Supervisory), "nothing else was sent"


async def test_selecting_and_cancelling_by_hand(listening: Listening, port: Port) -> None:
    field, outside = await started(listening, port)
    doing = asyncio.create_task(field.command("shahu", "single", ioa=1, value="on", mode="select"))
    outside.tell(answer(await outside.asdu(), Cause.ACTIVATION_CON))
    assert await doing == {"selected": True}
    doing = asyncio.create_task(field.command("shahu", "single", ioa=1, value="on", mode="cancel"))
    asdu = await outside.asdu()
    assert asdu == Asdu(45, Cause.DEACTIVATION, 1, (Item(1, b"\x81"),))
    outside.tell(answer(asdu, Cause.DEACTIVATION_CON))
    assert await doing == {"cancelled": True}


@pytest.mark.parametrize(
    ("cause", "negative"), [(Cause.ACTIVATION_CON, True), (Cause.UNKNOWN_OBJECT, True), (45, False)]
)
async def test_a_refusal_says_its_cause(listening: Listening, port: Port, cause: int, negative: bool) -> None:
    field, outside = await started(listening, port)
    doing = asyncio.create_task(field.command("shahu", "single", ioa=1, value="on"))
    outside.tell(answer(await outside.asdu(), cause, negative=negative))
    with refused("command.refused") as caught:
        await doing
    assert f"cause {int(cause)}" in str(caught.value.facts["reason"])


async def test_a_station_that_does_not_confirm_is_given_up(listening: Listening, port: Port) -> None:
    field, outside = await started(listening, port, "interrogate=0&wait=0.5&t1=60")
    doing = asyncio.create_task(field.command("shahu", "single", ioa=1, value="on"))
    await outside.asdu()
    with refused("command.timeout"):
        await doing


async def test_a_command_that_was_given_up_is_not_carried_out_later(listening: Listening, port: Port) -> None:
    field, outside = await started(listening, port, "interrogate=0&wait=0.5&k=1&t1=60")
    doing = asyncio.create_task(field.command("shahu", "single", ioa=1, value="on"))
    late = asyncio.create_task(field.command("shahu", "double", ioa=2, value="on"))
    assert (await outside.asdu()).type == 45
    for each in (doing, late):
        with refused("command.timeout"):
            await each
    outside.say(Supervisory(1))
    outside.say(Unnumbered(Function.TESTFR_ACT))
    assert await outside.hear() == Unnumbered(Function.TESTFR_CON)


async def test_a_point_is_read(listening: Listening, port: Port) -> None:
    field, outside = await started(listening, port)
    doing = asyncio.create_task(field.command("shahu", "read", ioa=16_385))
    assert await outside.asdu() == Asdu(102, Cause.REQUEST, 1, (Item(16_385, b""),))
    outside.tell(measured((16_385, 7.5), cause=Cause.REQUEST))
    assert await doing == {"value": 7.5}
    assert (await field.seen(1))[0].value == 7.5


@pytest.mark.parametrize(
    ("name", "arguments", "type", "octets", "result"),
    [
        ("interrogate", {"group": 3}, 100, "17", {"confirmed": True, "terminated": True}),
        ("interrogate-counters", {"freeze": 1}, 101, "45", {"confirmed": True, "terminated": True}),
        ("reset", {}, 105, "01", {"confirmed": True}),
        ("parameter-float", {"ioa": 5, "value": 1.5, "kind": 1}, 112, "0000C03F01", {"confirmed": True}),
        ("parameter-activate", {"ioa": 5, "qualifier": 3}, 113, "03", {"confirmed": True}),
    ],
)
async def test_other_orders(
    listening: Listening,
    port: Port,
    name: str,
    arguments: dict[str, object],
    type: int,
    octets: str,
    result: dict[str, object],
) -> None:
    field, outside = await started(listening, port)
    doing = asyncio.create_task(field.command("shahu", name, **arguments))
    asdu = await outside.asdu()
    assert (asdu.type, asdu.items[0].data) == (type, bytes.fromhex(octets))
    outside.tell(answer(asdu, Cause.ACTIVATION_CON))
    outside.tell(answer(asdu, Cause.TERMINATION))
    assert await doing == result


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("single", {"ioa": 1}),
        ("single", {"ioa": 1, "value": 2}),
        ("single", {"ioa": 1 << 24, "value": 1}),
        ("single", {"ioa": 1, "value": 1, "qualifier": 32}),
        ("double", {"ioa": 1, "value": "ajar"}),
        ("double", {"ioa": 1, "value": 3}),
        ("setpoint-normalized", {"ioa": 1, "value": 1.0}),
        ("setpoint-scaled", {"ioa": 1, "value": 40_000}),
        ("setpoint-float", {"ioa": 1, "value": "nan"}),
        ("setpoint-float", {"ioa": 1, "value": 1e39}),
        ("bitstring", {"ioa": 1, "value": -1}),
        ("bitstring", {"ioa": 1, "value": 1, "mode": "sbo"}),
        ("interrogate", {"group": 17}),
    ],
)
async def test_arguments_that_are_none_are_refused(
    listening: Listening, port: Port, name: str, arguments: dict[str, object]
) -> None:
    field, _ = await started(listening, port)
    with refused("command.arguments"):
        await field.command("shahu", name, **arguments)
    with refused("command.unknown"):
        await field.command("shahu", "explode")


async def test_the_transfer_is_stopped_and_started(listening: Listening, port: Port) -> None:
    field, outside = await started(listening, port, "interrogate=600")
    assert (await outside.asdu()).type == 100
    outside.tell(measured((1, 1.0)))
    await field.seen(1)
    # what others can read already, the session is told of a few turns of the loop later
    await asyncio.sleep(0.2)
    assert await field.command("shahu", "stop") == {"asked": True}
    assert await outside.hear() == Supervisory(1), "what is on disk is acknowledged before"
    assert await outside.hear() == Unnumbered(Function.STOPDT_ACT)
    outside.say(Unnumbered(Function.STOPDT_CON))
    async with asyncio.timeout(PATIENCE_S):
        while any("shahu" in channel.devices for channel in field.hub.channels):
            await asyncio.sleep(0.01)
    with refused("device.offline"):
        await field.command("shahu", "single", ioa=1, value=1)


async def test_a_lost_call_fails_what_waits_and_resumes(listening: Listening, port: Port) -> None:
    field, outside = await started(listening, port)
    doing = asyncio.create_task(field.command("shahu", "single", ioa=1, value="on"))
    await outside.asdu()
    outside.writer.close()
    with refused("device.gone"):
        await doing
    again = await port.call()
    await again.start()
    again.tell(measured((1, 1.0)))
    await field.seen(1)


async def test_a_suspended_station_is_not_spoken_to(listening: Listening, port: Port) -> None:
    record = DeviceRecord("iec104", "shahu", state="suspended")
    await listening(port.url(), records=[record])
    assert await (await port.call()).gone() == b""


async def test_a_registered_station_is_of_its_division(listening: Listening, port: Port) -> None:
    record = DeviceRecord("iec104", "shahu", division="420106")
    field = await listening(port.url(), records=[record])
    outside = await port.call()
    await outside.start()
    outside.tell(measured((1, 1.0)))
    assert (await field.seen(1))[0].division == "420106"


@pytest.mark.parametrize(
    "options",
    ["stations=x", "stations=65535", "k=0", "time=mars", "interrogate=-1", "originator=256", "ioa_size=0"],
)
async def test_options_that_are_none_are_refused_at_the_start(
    listening: Listening, port: Port, options: str
) -> None:
    with refused("sense.option"):
        field = await listening(port.url(options))
        await field.serving


async def test_a_field_that_is_no_point_is_refused_at_the_start(
    listening: Listening, port: Port, points: Path
) -> None:
    points.write_text(POINTS.replace("1:16385", "bay 1"), encoding="utf-8")
    with refused("mapping.bad"):
        field = await listening(port.url(), mapping=points)
        await field.serving


@asynccontextmanager
async def simulated(count: int, every_s: float = 0.1) -> AsyncIterator[int]:
    """Outstations on ports that follow each other; gives the first."""
    first = free_port()
    play = Simulation("127.0.0.1", first, "connect", count=count, every_s=every_s)
    playing = asyncio.create_task(simulate(play))
    await asyncio.sleep(0.1)
    yield first
    playing.cancel()
    await asyncio.gather(playing, return_exceptions=True)


async def test_played_outstations_are_interrogated_report_and_obey(listening: Listening) -> None:
    async with simulated(1) as first:
        field = await listening(
            f"iec104+connect://127.0.0.1:{first}?device=s&interrogate=600&counters=600&clock=600"
        )
        seen = await field.seen(20)
        stem = "urn:ngsi-ld:TelecontrolPoint:iec104:s:1:"
        places = {int(each.entity.removeprefix(stem)) for each in seen}
        assert {BREAKER, MEASURANDS, MEASURANDS + 4} <= places
        await field.online("s")
        assert await field.command("s", "double", ioa=COMMAND, value="open", mode="sbo") == {
            "confirmed": True,
            "terminated": True,
        }
        await field.command("s", "setpoint-float", ioa=SETPOINT, value=10)
        assert (await field.command("s", "read", ioa=MEASURANDS)) == {"value": 0.0}, "the breaker is open"
        with refused("command.refused"):
            await field.command("s", "double", ioa=COMMAND, value="on")
        with refused("command.refused"):
            await field.command("s", "single", ioa=COMMAND, value="on")
        async with asyncio.timeout(PATIENCE_S):
            while (f"{stem}{BREAKER}", 1.0) not in [(e.entity, e.value) for e in await field.seen()]:
                await asyncio.sleep(0.05)

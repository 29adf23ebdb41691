"""Data loggers that speak over sockets, after the conversations of annex C."""

import asyncio
from hashlib import sha256

import pytest
from tests.field import Device, station
from tests.gateways.conftest import Listening
from tests.kernel.keeper.conftest import House
from tests.kernel.sense.test_packer import SlowBus
from tests.nodes import refused

from yunmeng.gateways.hj212.codec import Hj212Codec
from yunmeng.gateways.hj212.messages import Packet, make_packet
from yunmeng.gateways.hj212.orders import ORDERS
from yunmeng.gateways.hj212.readings import read_time
from yunmeng.gateways.hj212.session import Hj212Session
from yunmeng.gateways.hj212.simulator import simulate
from yunmeng.kernel.sense import Answer, Command, DeviceRecord, Observe, Refuse, Send, Simulation

MN = "010000A8900016F000169DC0"
QN = "20160801085857223"
AT = read_time(QN)
CODEC = Hj212Codec()


def say(cn: str, cp: str = "", **more: object) -> bytes:
    head = {"qn": QN, "st": "32", "pw": "123456", "flag": 5} | more
    return CODEC.encode(make_packet(cn, MN, cp=cp, **head))


def split(pno: int, cp: str, flag: int = 7) -> bytes:
    data = f"QN={QN};ST=32;CN=2061;PW=123456;MN={MN};Flag={flag};PNUM=2;PNO={pno};CP=&&{cp}&&".encode()
    return CODEC.encode(Packet(data))


NOW = say("2011", "DataTime=20160801085857;w01001-Rtd=7.1,w01001-Flag=N;w01018-Rtd=2.2,w01018-Flag=N")


async def hear(device: Device) -> Packet:
    return CODEC.decode(await device.until(b"\r\n"))


async def test_data_is_answered_once_it_is_kept(listening: Listening) -> None:
    bus = SlowBus()
    bus.gate.clear()
    field = await listening("hj212+tcp://", bus=bus)
    async with await field.connect() as device:
        await device.send(NOW)
        await asyncio.sleep(0.2)
        assert (await bus.extent("OBS")).last == 0
        bus.gate.set()
        # table C.14: to the byte
        expected = f"QN={QN};ST=91;CN=9014;PW=123456;MN={MN};Flag=4;CP=&&&&".encode()
        assert (await hear(device)).data == expected
        await device.send(NOW)
        assert (await hear(device)).cn == "9014"
    seen = await field.seen(2)
    assert [(each.attribute, each.value, each.at) for each in seen] == [
        ("pH", 7.1, AT - 223_000),
        ("cod", 2.2, AT - 223_000),
    ]
    assert {each.entity for each in seen} == {f"urn:ngsi-ld:WastewaterOutlet:hj212:{MN}"}


def heard(session: Hj212Session, data: bytes) -> list[object]:
    return [
        effect
        for effect in session.received(data, AT)
        if isinstance(effect, Observe | Send | Refuse | Answer)
    ]


@pytest.mark.parametrize(("flag", "answer"), [(5, 4), (9, 8), (1, 0), (4, None), (8, None)])
def test_who_wants_no_answer_gets_none_and_each_edition_hears_its_own_version(
    flag: int, answer: int | None
) -> None:
    frame = say("2011", "DataTime=20160801085857;w01001-Rtd=7.1", flag=flag)
    (observed,) = heard(Hj212Session(station("hj212")), frame)
    assert (CODEC.decode(observed.reply).flag if observed.reply else None) == answer


def test_a_line_in_parts() -> None:
    """Table C.50: each part is answered; here the second one leaves the time to the first."""
    session = Hj212Session(station("hj212"))
    first, second = heard(
        session, split(1, "DataTime=20160801080000;w00000-Avg=17.5") + split(2, "w01018-Avg=40.1")
    )
    eight = read_time("20160801080000")
    assert [reading.observed_at for each in (first, second) for reading in each.readings] == [eight, eight]
    assert first.reply == second.reply != b""
    assert first.key != second.key


@pytest.mark.parametrize(("pno", "cp"), [(2, "w01018-Avg=40.1"), (3, "DataTime=20160801080000;w01018-Avg=1")])
def test_a_part_without_its_first_one_is_refused(pno: int, cp: str) -> None:
    (refusal,) = heard(Hj212Session(station("hj212")), split(pno, cp))
    assert refusal.reason.key == "frame.bad"


def order(name: str, **arguments: object) -> tuple[Hj212Session, Packet]:
    session = Hj212Session(station("hj212"))
    heard(session, NOW)
    (sent,) = session.command(Command("1", MN, name, arguments), AT)
    return session, CODEC.decode(sent.data)


REQUESTS = [
    # the examples of annex C, from table C.1 on
    ("set-timeout", {"OverTime": 5, "ReCount": 3}, "1000", "OverTime=5;ReCount=3"),
    ("get-time", {"PolId": "w01018"}, "1011", "PolId=w01018"),
    (
        "set-time",
        {"SystemTime": "20160801085857", "PolId": "w01018"},
        "1012",
        "PolId=w01018;SystemTime=20160801085857",
    ),
    ("get-realtime-interval", {}, "1061", ""),
    ("set-realtime-interval", {"RtdInterval": 30}, "1062", "RtdInterval=30"),
    ("get-minute-interval", {}, "1063", ""),
    ("set-minute-interval", {"MinInterval": 10}, "1064", "MinInterval=10"),
    ("set-password", {"NewPW": "654321"}, "1072", "NewPW=654321"),
    ("start-realtime", {}, "2011", ""),
    ("stop-realtime", {}, "2012", ""),
    ("start-states", {}, "2021", ""),
    ("stop-states", {}, "2022", ""),
    (
        "query-minutes",
        {"BeginTime": "2016-08-01T00:40:00Z", "EndTime": "20160801084000"},
        "2051",
        "BeginTime=20160801084000;EndTime=20160801084000",
    ),
    ("calibrate", {"PolId": "w01018"}, "3011", "PolId=w01018"),
    ("retain", {}, "3015", ""),
    (
        "set-sampling",
        {"CTime": 2, "CstartTime": "000000", "PolId": "w01018"},
        "3016",
        "PolId=w01018;CstartTime=000000;CTime=2",
    ),
    ("get-info", {"InfoId": "i12001", "PolId": "w01018"}, "3020", "PolId=w01018;InfoId=i12001"),
    (
        "set-info",
        {"PolId": "w01018", "InfoId": "i13004", "i13004-Info": 168.0},
        "3021",
        "PolId=w01018;InfoId=i13004;i13004-Info=168.0",
    ),
    ("raw", {"cn": "3099", "VaseNo": 1}, "3099", "VaseNo=1"),
]


@pytest.mark.parametrize(("name", "arguments", "cn", "cp"), REQUESTS)
def test_how_a_request_is_written(name: str, arguments: dict, cn: str, cp: str) -> None:
    _, sent = order(name, **arguments)
    assert sent.data.decode() == f"QN={QN};ST=32;CN={cn};PW=123456;MN={MN};Flag=5;CP=&&{cp}&&"


@pytest.mark.parametrize(
    ("name", "arguments", "key"),
    [
        ("fly", {}, "command.unknown"),
        ("set-timeout", {"OverTime": 5}, "command.arguments"),
        ("set-password", {"NewPW": "1;CN=1072"}, "command.arguments"),
        ("query-days", {"BeginTime": "yesterday", "EndTime": "20160801000000"}, "command.arguments"),
        ("raw", {"cn": "12"}, "command.arguments"),
    ],
)
def test_requests_that_make_no_sense_are_refused(name: str, arguments: dict, key: str) -> None:
    with refused(key):
        order(name, **arguments)


def test_every_code_is_a_request_once() -> None:
    codes = [each.cn for each in ORDERS.values()]
    assert len(codes) == len(set(codes))
    # table 9 of 2017, as requests and notices of the centre
    assert {
        *("1000", "1011", "1012", "1061", "1062", "1063", "1064", "1072"),
        *("2011", "2012", "2021", "2022", "2031", "2041", "2051", "2061"),
        *(f"{cn}" for cn in range(3011, 3022)),
    } <= set(codes)


async def test_a_request_in_four_steps(listening: Listening) -> None:
    """Table C.2: the request is taken, the answer comes, then how it went."""
    field = await listening("hj212+tcp://")
    async with await field.connect() as device:
        await device.send(NOW)
        assert (await hear(device)).cn == "9014"
        waiting = asyncio.create_task(field.command(MN, "get-time", PolId="w01018"))
        asked = await hear(device)
        assert (asked.cn, asked.flag) == ("1011", 5)
        answers = {"qn": asked.qn, "flag": 4}
        await device.send(say("9011", "QnRtn=1", st="91", **answers))
        await device.send(say("1011", " PolId=w01018;SystemTime=20160801085857", **answers))
        await device.send(say("9012", "ExeRtn=1", st="91", **answers))
        assert await waiting == {"PolId": "w01018", "SystemTime": "20160801085857"}
    assert len(await field.seen(2)) == 2, "an answer is no observation"


async def test_history_that_was_asked_for_is_kept_under_its_own_numbers(listening: Listening) -> None:
    """Table C.20: the data have a QN of their own."""
    field = await listening("hj212+tcp://")
    async with await field.connect() as device:
        await device.send(NOW)
        await hear(device)
        span = {"BeginTime": "20160801080000", "EndTime": "20160801090000"}
        waiting = asyncio.create_task(field.command(MN, "query-hours", **span))
        asked = await hear(device)
        await device.send(say("9011", "QnRtn=1", st="91", qn=asked.qn, flag=4))
        for hour in (8, 9):
            await device.send(
                say(
                    "2061", f"DataTime=201608010{hour}0000;w01018-Avg=40.{hour}", qn=f"2016080109000000{hour}"
                )
            )
            assert (await hear(device)).cn == "9014"
        await device.send(say("9012", "ExeRtn=1", st="91", qn=asked.qn, flag=4))
        assert await waiting == {"lines": 2}
    seen = (await field.seen(4))[2:]
    assert [(each.value, each.entity.rpartition(":")[2]) for each in seen] == [(40.8, "hour"), (40.9, "hour")]


@pytest.mark.parametrize(
    ("cn", "cp", "reason"),
    [
        ("9011", "QnRtn=2", "refused"),
        ("9011", "QnRtn=3", "PW"),
        ("9012", "ExeRtn=5", "busy"),
        ("9012", "ExeRtn=100", "no data"),
    ],
)
def test_requests_that_a_device_does_not_carry_out(cn: str, cp: str, reason: str) -> None:
    session, sent = order("calibrate", PolId="w01018")
    (answer,) = heard(session, say(cn, cp, st="91", qn=sent.qn, flag=4))
    assert answer.error is not None
    assert answer.error.key == "command.refused"
    assert answer.error.facts["reason"] == reason


def test_a_notice_is_answered_by_one_line() -> None:
    session, sent = order("stop-realtime")
    (answer,) = heard(session, say("9013", st="91", qn=sent.qn, flag=4))
    assert (answer.error, dict(answer.result)) == (None, {})


def test_what_is_taken_is_not_sent_again_and_may_take_its_time() -> None:
    session, sent = order("calibrate", PolId="w01018")
    heard(session, say("9011", "QnRtn=1", st="91", qn=sent.qn, flag=4))
    assert not [effect for second in range(299) for effect in session.tick(AT + second * 1_000_000)]
    (answer,) = heard(session, say("9012", "ExeRtn=1", st="91", qn=sent.qn, flag=4))
    assert answer.error is None


def test_what_is_not_answered_is_sent_again_and_given_up() -> None:
    session, sent = order("get-realtime-interval")
    effects = [effect for second in range(120) for effect in session.tick(AT + second * 1_000_000)]
    again = [CODEC.decode(effect.data) for effect in effects if isinstance(effect, Send)]
    assert [each.qn for each in again] == [sent.qn, sent.qn]
    assert [effect.error.key for effect in effects if isinstance(effect, Answer)] == ["command.timeout"]


@pytest.mark.parametrize(("options", "codes"), [({}, ["9013", "1012"]), ({"clock": "no"}, ["9013"])])
def test_who_asks_for_the_time_is_set(options: dict, codes: list[str]) -> None:
    """Table C.4: a notice, then the request of table C.3."""
    session = Hj212Session(station("hj212", **options))
    sent = [CODEC.decode(effect.data) for effect in heard(session, say("1013", "PolId=w01018"))]
    assert [each.cn for each in sent] == codes
    if len(sent) > 1:
        assert sent[1].cp == "PolId=w01018;SystemTime=20160801085857"


def test_a_heartbeat_is_answered() -> None:
    """HJ 212-2025 adds one (9015)."""
    (sent,) = heard(Hj212Session(station("hj212")), say("9015", flag=9))
    assert (CODEC.decode(sent.data).cn, CODEC.decode(sent.data).flag) == ("9013", 8)


def test_a_logger_must_show_its_password() -> None:
    record = DeviceRecord("hj212", MN, key=sha256(b"123456").hexdigest(), division="420800")
    session = Hj212Session(station("hj212", record))
    (observed,) = heard(session, NOW)
    assert {series.division for series in observed.readings[0].series} == {"420800"}
    (refusal,) = heard(session, say("2011", "DataTime=20160801085857;w01001-Rtd=1", pw="000000"))
    assert refusal.reason.key == "device.credential"


def test_the_register_of_devices_may_name_the_table() -> None:
    record = DeviceRecord("hj212", MN, mapping="st21")
    (observed,) = heard(Hj212Session(station("hj212", record)), NOW)
    assert {series.type.rpartition("/")[2] for series in observed.readings[0].series} == {
        "WaterQualityObserved"
    }
    absent = DeviceRecord("hj212", MN, mapping="st77")
    (refusal,) = heard(Hj212Session(station("hj212", absent)), NOW)
    assert refusal.reason.key == "mapping.absent"


async def test_what_is_broken_lies_in_quarantine(listening: Listening, house: House) -> None:
    field = await listening("hj212+tcp://", bus=house.bus)
    async with await field.connect() as device:
        await device.send(NOW.replace(b"7.1", b"7.2") + NOW)
        assert (await hear(device)).cn == "9014"
        await field.hub.sink.flush()
    assert len(await house.state.records("quarantine")) == 1


async def test_simulated_loggers_are_all_answered(listening: Listening) -> None:
    field = await listening("hj212+tcp://")
    answered = await simulate(Simulation("127.0.0.1", field.port, count=4, every_s=0.1, for_s=0.5))
    assert answered >= 4
    assert not field.hub.sink.counts["refused"]
    seen = await field.seen(4 * answered)
    assert {each.entity.split(":")[2] for each in seen} == {
        "WastewaterOutlet",
        "WasteGasOutlet",
        "AirQualityObserved",
        "WaterQualityObserved",
    }


async def test_simulated_loggers_obey(listening: Listening) -> None:
    field = await listening("hj212+tcp://")
    playing = asyncio.create_task(
        simulate(Simulation("127.0.0.1", field.port, count=1, every_s=0.2, for_s=3.0))
    )
    await field.seen(4)
    (device,) = {name for channel in field.hub.channels for name in channel.devices}
    assert await field.command(device, "set-realtime-interval", RtdInterval=60) == {}
    assert await field.command(device, "get-realtime-interval") == {"RtdInterval": "60"}
    assert await playing

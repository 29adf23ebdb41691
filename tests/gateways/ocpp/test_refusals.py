"""What cannot be taken is answered as the standard says, and set aside with its reason."""

import asyncio
import json
from base64 import b64decode
from collections.abc import Awaitable, Callable

import msgspec
import pytest
from tests.field import Field, working
from tests.gateways.ocpp.stations import STATION, VERSIONS, dialled
from tests.kernel.keeper.conftest import OPERATOR, House

from yunmeng.kernel.base import instant_us
from yunmeng.kernel.link import MemoryBus, sense_subject
from yunmeng.kernel.sense import FrameReport

Start = Callable[..., Awaitable[Field]]


FORMAT = ("FormationViolation", "FormatViolation", "FormatViolation")
UNREADABLE = ("", "RpcFrameworkError", "RpcFrameworkError")
BAD: list[tuple[str, tuple[str, str, str]]] = [
    ('[2,"1","NoSuchThing",{}]', ("NotImplemented",) * 3),
    (
        '[2,"1","Reset",{"type":"Hard"}]',
        ("NotSupported", "PropertyConstraintViolation", "PropertyConstraintViolation"),
    ),
    ('[2,"1","Heartbeat",{"x":1}]', FORMAT),
    (
        '[2,"1","BootNotification",{}]',
        ("OccurenceConstraintViolation", "OccurenceConstraintViolation", "OccurrenceConstraintViolation"),
    ),
    ('[2,"1","DataTransfer",{"vendorId":5}]', ("TypeConstraintViolation",) * 3),
    ('[2,"1","Heartbeat",[]]', FORMAT),
    ('[2,"1","Heartbeat"]', FORMAT),
    ('[9,"1","Heartbeat",{}]', ("", "MessageTypeNotSupported", "MessageTypeNotSupported")),
    ("{not json", UNREADABLE),
    ('{"a":1}', UNREADABLE),
    ("[" * 5000, UNREADABLE),
    (f'[2,"{"1" * 37}","Heartbeat",{{}}]', UNREADABLE),
    ('[3,"1",[]]', ("", "", "")),
    ('[6,"1","NotifyPeriodicEventStream",{}]', ("", "", "")),
]


@pytest.mark.parametrize("version", VERSIONS)
async def test_what_cannot_be_taken_is_answered_so_and_set_aside(
    listening: Start, house: House, version: str
) -> None:
    field = await listening("ocpp+ws://", bus=house.bus)
    async with dialled(field, "CP-7", version) as link:
        for message, codes in BAD:
            code = codes[VERSIONS.index(version)]
            await link.send(message)
            if code:
                async with asyncio.timeout(10):
                    kind, id, found, description, details = json.loads(await link.recv())
                readable = code != "RpcFrameworkError"
                assert (kind, id, found, details) == (4, "1" if readable else "-1", code, {}), message
                assert 0 < len(description) <= 255
            await link.send('[2,"h","Heartbeat",{}]')
            assert json.loads(await link.recv())[:2] == [3, "h"], "the conversation goes on"
    await field.hub.sink.flush()
    held = await house.state.records("quarantine")
    assert [each for each in held if b"frame.bad" not in each.body] == []
    assert sorted(b64decode(json.loads(each.body)["raw"]).decode() for each in held) == sorted(
        f"CP-7 ocpp{version}\n{message}" for message, _ in BAD
    )


async def test_a_time_without_offset_is_set_aside_until_somebody_says_what_it_means(
    listening: Start, house: House
) -> None:
    values = [{"timestamp": "2026-07-01T12:00:00", "sampledValue": [{"value": "5"}]}]
    message = json.dumps([2, "1", "MeterValues", {"connectorId": 0, "meterValue": values}])
    async with working("ocpp+ws://", bus=house.bus) as field, dialled(field, "CP-7", "1.6") as link:
        await link.send(message)
        assert json.loads(await link.recv())[:3] == [4, "1", "PropertyConstraintViolation"]
    (held,) = await house.state.records("quarantine")
    raw = b64decode(json.loads(held.body)["raw"])
    assert raw == b"CP-7 ocpp1.6\n" + message.encode()
    mended = await listening("ocpp+ws://?zone=%2B08:00", bus=MemoryBus())
    again = msgspec.msgpack.encode([raw, message.encode()])
    answer = await mended.bus.request(sense_subject("frame", "ocpp"), again, OPERATOR)
    report = msgspec.msgpack.decode(answer, type=FrameReport)
    assert (report.readings, len(report.refused)) == (1, 1), "without its first line nobody knows whose it is"
    assert {(each.at, each.entity) for each in await mended.seen()} == {
        (instant_us("2026-07-01T12:00:00+08:00"), STATION)
    }

"""What stations of the library ``ocpp`` are told, and what they answer."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from tests.field import Field
from tests.gateways.ocpp.stations import AT, VERSIONS, dialled, say, station
from tests.kernel.keeper.conftest import House
from tests.nodes import refused

from yunmeng.gateways.ocpp.simulator import simulate
from yunmeng.kernel.sense import Simulation

Start = Callable[..., Awaitable[Field]]

ACCEPTED = {"status": "Accepted"}


URL = "https://files.example.org/a"


ORDERS: list[tuple[str, dict[str, Any], dict[str, tuple[str, dict[str, Any], dict[str, Any]]]]] = [
    (
        "start",
        {"evse": 1, "token": "04A2", "number": 5},
        {
            "1.6": ("RemoteStartTransaction", ACCEPTED, {"connector_id": 1, "id_tag": "04A2"}),
            "2": (
                "RequestStartTransaction",
                ACCEPTED,
                {"evse_id": 1, "id_token": {"id_token": "04A2", "type": "Central"}, "remote_start_id": 5},
            ),
        },
    ),
    (
        "stop",
        {"transaction": "77"},
        {
            "1.6": ("RemoteStopTransaction", ACCEPTED, {"transaction_id": 77}),
            "2": ("RequestStopTransaction", ACCEPTED, {"transaction_id": "77"}),
        },
    ),
    (
        "reset",
        {"kind": "hard"},
        {"1.6": ("Reset", ACCEPTED, {"type": "Hard"}), "2": ("Reset", ACCEPTED, {"type": "Immediate"})},
    ),
    (
        "unlock",
        {"evse": 1},
        {
            "1.6": ("UnlockConnector", {"status": "Unlocked"}, {"connector_id": 1}),
            "2": ("UnlockConnector", {"status": "Unlocked"}, {"evse_id": 1, "connector_id": 1}),
        },
    ),
    (
        "availability",
        {"operative": False, "evse": 2},
        {
            "1.6": (
                "ChangeAvailability",
                {"status": "Scheduled"},
                {"connector_id": 2, "type": "Inoperative"},
            ),
            "2": (
                "ChangeAvailability",
                {"status": "Scheduled"},
                {"operational_status": "Inoperative", "evse": {"id": 2}},
            ),
        },
    ),
    (
        "trigger",
        {"message": "StatusNotification", "evse": 1},
        {
            "1.6": (
                "TriggerMessage",
                ACCEPTED,
                {"requested_message": "StatusNotification", "connector_id": 1},
            ),
            "2": ("TriggerMessage", ACCEPTED, {"requested_message": "StatusNotification", "evse": {"id": 1}}),
        },
    ),
    (
        "set",
        {"name": "OCPPCommCtrlr.HeartbeatInterval", "value": 60},
        {
            "1.6": (
                "ChangeConfiguration",
                {"status": "RebootRequired"},
                {"key": "OCPPCommCtrlr.HeartbeatInterval", "value": "60"},
            ),
            "2": (
                "SetVariables",
                {
                    "set_variable_result": [
                        {
                            "attribute_status": "Accepted",
                            "component": {"name": "OCPPCommCtrlr"},
                            "variable": {"name": "HeartbeatInterval"},
                        }
                    ]
                },
                {
                    "set_variable_data": [
                        {
                            "attribute_value": "60",
                            "component": {"name": "OCPPCommCtrlr"},
                            "variable": {"name": "HeartbeatInterval"},
                        }
                    ]
                },
            ),
        },
    ),
    (
        "reserve",
        {"reservation": 4, "evse": 1, "token": "04A2", "expires": AT},
        {
            "1.6": (
                "ReserveNow",
                ACCEPTED,
                {"connector_id": 1, "expiry_date": AT, "id_tag": "04A2", "reservation_id": 4},
            ),
            "2": (
                "ReserveNow",
                ACCEPTED,
                {
                    "id": 4,
                    "expiry_date_time": AT,
                    "evse_id": 1,
                    "id_token": {"id_token": "04A2", "type": "Central"},
                },
            ),
        },
    ),
    (
        "cancel-reservation",
        {"reservation": 4},
        {
            "1.6": ("CancelReservation", ACCEPTED, {"reservation_id": 4}),
            "2": ("CancelReservation", ACCEPTED, {"reservation_id": 4}),
        },
    ),
    (
        "limit",
        {"evse": 1, "limit": 16.3, "unit": "A", "from": AT},
        {
            "1.6": (
                "SetChargingProfile",
                ACCEPTED,
                {
                    "connector_id": 1,
                    "cs_charging_profiles": {
                        "charging_profile_id": 2,
                        "stack_level": 0,
                        "charging_profile_purpose": "TxDefaultProfile",
                        "charging_profile_kind": "Absolute",
                        "charging_schedule": {
                            "charging_rate_unit": "A",
                            "charging_schedule_period": [{"start_period": 0, "limit": 16.3}],
                            "start_schedule": AT,
                        },
                    },
                },
            ),
            "2": (
                "SetChargingProfile",
                ACCEPTED,
                {
                    "evse_id": 1,
                    "charging_profile": {
                        "id": 2,
                        "stack_level": 0,
                        "charging_profile_purpose": "TxDefaultProfile",
                        "charging_profile_kind": "Absolute",
                        "charging_schedule": [
                            {
                                "id": 2,
                                "charging_rate_unit": "A",
                                "charging_schedule_period": [{"start_period": 0, "limit": 16.3}],
                                "start_schedule": AT,
                            }
                        ],
                    },
                },
            ),
        },
    ),
    (
        "clear-limit",
        {"profile": 2},
        {
            "1.6": ("ClearChargingProfile", ACCEPTED, {"id": 2}),
            "2": ("ClearChargingProfile", ACCEPTED, {"charging_profile_id": 2}),
        },
    ),
    (
        "schedule",
        {"evse": 1, "for_s": 3600, "unit": "W"},
        {
            "1.6": (
                "GetCompositeSchedule",
                ACCEPTED,
                {"connector_id": 1, "duration": 3600, "charging_rate_unit": "W"},
            ),
            "2": (
                "GetCompositeSchedule",
                ACCEPTED,
                {"evse_id": 1, "duration": 3600, "charging_rate_unit": "W"},
            ),
        },
    ),
    (
        "firmware",
        {"url": URL, "at": AT, "number": 9},
        {
            "1.6": ("UpdateFirmware", {}, {"location": URL, "retrieve_date": AT}),
            "2": (
                "UpdateFirmware",
                ACCEPTED,
                {"request_id": 9, "firmware": {"location": URL, "retrieve_date_time": AT}},
            ),
        },
    ),
    (
        "log",
        {"url": URL, "kind": "security", "number": 9},
        {
            "1.6": (
                "GetLog",
                ACCEPTED,
                {"log_type": "SecurityLog", "request_id": 9, "log": {"remote_location": URL}},
            ),
            "2": (
                "GetLog",
                ACCEPTED,
                {"log_type": "SecurityLog", "request_id": 9, "log": {"remote_location": URL}},
            ),
        },
    ),
    (
        "list-version",
        {},
        {
            "1.6": ("GetLocalListVersion", {"list_version": 3}, {}),
            "2": ("GetLocalListVersion", {"version_number": 3}, {}),
        },
    ),
    (
        "data",
        {"vendor": "Acme", "message": "hello", "data": "x"},
        {
            "1.6": ("DataTransfer", ACCEPTED, {"vendor_id": "Acme", "message_id": "hello", "data": "x"}),
            "2": ("DataTransfer", ACCEPTED, {"vendor_id": "Acme", "message_id": "hello", "data": "x"}),
        },
    ),
]


@pytest.mark.parametrize("version", VERSIONS)
async def test_a_command_means_the_same_in_every_version(listening: Start, version: str) -> None:
    field = await listening("ocpp+ws://")
    kind = "1.6" if version == "1.6" else "2"
    answers = {wanted[kind][0]: wanted[kind][1] for _, _, wanted in ORDERS}
    async with station(field, version, answers=answers) as made:
        await field.online("CP-7")
        for name, arguments, wanted in ORDERS:
            action, answer, told = wanted[kind]
            result = await field.command("CP-7", name, **arguments)
            assert {_snake(key) for key in result} == set(answer), name
            assert json.loads(json.dumps(made.told[-1], default=float)) == [action, told], name


def _snake(name: str) -> str:
    return "".join(f"_{each.lower()}" if each.isupper() else each for each in name)


async def test_signed_firmware_and_diagnostics_have_names_of_their_own_in_1_6(listening: Start) -> None:
    field = await listening("ocpp+ws://")
    answers = {"SignedUpdateFirmware": ACCEPTED, "GetDiagnostics": {"file_name": "log.zip"}}
    async with station(field, "1.6", answers=answers) as made:
        await field.online("CP-7")
        signed = {"url": URL, "at": AT, "certificate": "cert", "signature": "c2ln", "number": 3}
        assert await field.command("CP-7", "firmware", **signed) == ACCEPTED
        assert made.told[-1][1]["firmware"]["signature"] == "c2ln"
        assert await field.command("CP-7", "log", url=URL) == {"fileName": "log.zip"}


async def test_a_setting_that_the_station_does_not_take_fails_the_command(listening: Start) -> None:
    field = await listening("ocpp+ws://")
    rows = [
        {"attribute_status": status, "component": {"name": "C"}, "variable": {"name": name}}
        for name, status in (("Good", "Accepted"), ("Bad", "UnknownVariable"))
    ]
    async with station(field, "2.0.1", answers={"SetVariables": {"set_variable_result": rows}}) as made:
        await field.online("CP-7")
        with refused("command.refused") as caught:
            await field.command("CP-7", "configure", **{"C.Good": 1, "C.Bad": 2})
        assert "C.Bad: UnknownVariable" in str(caught.value)
        assert len(made.told[0][1]["set_variable_data"]) == 2
    async with station(field, "1.6", "CP-6"):
        await field.online("CP-6")
        with refused("command.arguments"):
            await field.command("CP-6", "configure", A=1, B=2)


async def test_any_action_may_be_sent_by_its_own_name(listening: Start) -> None:
    field = await listening("ocpp+ws://")
    answers = {"InstallCertificate": {"status": "Failed", "status_info": {"reason_code": "NoSpace"}}}
    async with station(field, "2.0.1", answers=answers):
        await field.online("CP-7")
        certificate = {"certificateType": "CSMSRootCertificate", "certificate": "x"}
        with refused("command.refused") as caught:
            await field.command("CP-7", "InstallCertificate", **certificate)
        assert "Failed NoSpace" in str(caught.value)
        with refused("command.arguments"):
            await field.command("CP-7", "InstallCertificate", certificate="x")
        with refused("command.unknown"):
            await field.command("CP-7", "RemoteStartTransaction", idTag="x")
        with refused("command.refused") as caught:
            await field.command("CP-7", "clear-cache")
        assert "NotImplemented" in str(caught.value) or "NotSupported" in str(caught.value)


async def test_commands_wait_for_one_another_and_a_late_answer_changes_nothing(listening: Start) -> None:
    field = await listening("ocpp+ws://")
    async with dialled(field, "CP-7", "1.6") as link:
        await field.online("CP-7")
        first = asyncio.create_task(field.command("CP-7", "unlock", evse=1))
        other = asyncio.create_task(field.command("CP-7", "reset"))
        asked = json.loads(await link.recv())
        assert asked[2] == "UnlockConnector"
        await link.send(json.dumps([3, "nobody asked", {}]))
        await link.send(json.dumps([2, "h", "Heartbeat", {}]))
        assert json.loads(await link.recv())[:2] == [3, "h"], "nothing else is asked before the answer"
        await link.send(json.dumps([3, asked[1], {"status": "Unlocked"}]))
        assert await first == {"status": "Unlocked"}
        asked = json.loads(await link.recv())
        assert asked[2:] == ["Reset", {"type": "Soft"}]
        await link.send(json.dumps([4, asked[1], "InternalError", "stuck", {}]))
        with refused("command.refused") as caught:
            await other
        assert "InternalError: stuck" in str(caught.value)


async def test_an_answer_that_breaks_its_schema_fails_the_command(listening: Start, house: House) -> None:
    field = await listening("ocpp+ws://", bus=house.bus)
    async with dialled(field, "CP-7", "2.1") as link:
        await field.online("CP-7")
        order = asyncio.create_task(field.command("CP-7", "clear-cache"))
        asked = json.loads(await link.recv())
        await link.send(json.dumps([3, asked[1], {"status": "Maybe"}]))
        with refused("command.refused"):
            await order
        assert json.loads(await link.recv())[:3] == [5, asked[1], "PropertyConstraintViolation"], (
            "CALLRESULTERROR"
        )
        (held,) = await house.state.records("quarantine")
        assert b"Maybe" in held.body


async def test_a_report_answers_the_command_with_all_its_parts(listening: Start) -> None:
    field = await listening("ocpp+ws://")
    async with station(field, "2.0.1", answers={"GetBaseReport": ACCEPTED}) as made:
        await field.online("CP-7")
        order = asyncio.create_task(field.command("CP-7", "report", number=8))
        async with asyncio.timeout(10):
            while not made.told:
                await asyncio.sleep(0.01)
        for number, more in enumerate((True, True, False)):
            variable = {"name": f"V{number}"}
            data = [
                {
                    "component": {"name": "C"},
                    "variable": variable,
                    "variable_attribute": [{"value": str(number)}],
                }
            ]
            await say(
                made, "NotifyReport", request_id=8, generated_at=AT, seq_no=number, tbc=more, report_data=data
            )
        result = await order
    assert [each["variable"]["name"] for each in result["report"]] == ["V0", "V1", "V2"]


@pytest.mark.parametrize("version", VERSIONS)
async def test_simulated_stations_charge_and_obey(listening: Start, house: House, version: str) -> None:
    field = await listening("ocpp+ws:///ev", bus=house.bus)
    options = {"version": version, "path": "ev", "session": "2"}
    play = Simulation("127.0.0.1", field.port, "ws", 3, every_s=0.1, for_s=2.0, options=options)
    playing = asyncio.create_task(simulate(play))
    await field.online("SIM00002")
    assert await field.command("SIM00002", "unlock", evse=1) == {"status": "Unlocked"}
    if version != "1.6":
        report = await field.command("SIM00002", "report")
        assert [each["variable"]["name"] for each in report["report"]] == ["HeartbeatInterval"]
    assert await playing
    seen = await field.seen(30)
    assert {each.entity for each in seen} == {f"urn:ngsi-ld:EVSE:ocpp:SIM0000{n}:1" for n in range(3)}
    assert not await house.state.records("quarantine")

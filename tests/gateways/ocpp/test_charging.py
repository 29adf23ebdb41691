"""Stations of the library ``ocpp`` charge vehicles: answered once all is safe, kept once."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from tests.field import Field
from tests.gateways.ocpp.stations import AT, STATION, VERSIONS, boot, dialled, say, station
from tests.kernel.keeper.conftest import House

from yunmeng.kernel.base import instant_us

Start = Callable[..., Awaitable[Field]]

EVSE = "urn:ngsi-ld:EVSE:ocpp:CP-7:1"


async def simple(house: House, id: str) -> dict[str, Any]:
    """An entity as it is kept: plain values, targets of relationships, times."""
    document = await house.get(id)
    assert document is not None, id
    return {
        name.rpartition("/")[2]: _plain(value[0])
        for name, value in document.items()
        if isinstance(value, list)
    }


def _plain(member: Any) -> Any:
    if not isinstance(member, dict):
        return member
    value = member.get("value", member.get("object"))
    return value["@value"] if isinstance(value, dict) and "@value" in value else value


def meter(value: float, context: str, at: str = AT) -> dict[str, Any]:
    sampled = {"value": value, "context": context, "unit_of_measure": {"unit": "kWh", "multiplier": 0}}
    return {"timestamp": at, "sampled_value": [sampled]}


def event(type_: str, number: int, at: str = AT, **more: Any) -> dict[str, Any]:
    info = {"transaction_id": "T-1", **more.pop("info", {})}
    reason = {"Started": "Authorized", "Updated": "MeterValuePeriodic", "Ended": "StopAuthorized"}[type_]
    head = {"event_type": type_, "timestamp": at, "trigger_reason": reason, "seq_no": number}
    return {**head, "transaction_info": info, **more}


async def test_a_station_of_1_6_charges_a_vehicle(listening: Start, house: House) -> None:
    field = await listening("ocpp+ws://?heartbeat=90", bus=house.bus)
    async with station(field, "1.6") as made:
        answer = await boot(made, "1.6")
        assert (answer.status, answer.interval) == ("Accepted", 90)
        assert (
            abs(instant_us(answer.current_time) - instant_us((await say(made, "Heartbeat")).current_time))
            < 1e7
        )
        assert (await say(made, "Authorize", id_tag="04A2")).id_tag_info["status"] == "Accepted"
        status = {"connector_id": 1, "error_code": "NoError", "timestamp": AT}
        await say(made, "StatusNotification", status="Preparing", **status)
        began = await say(
            made, "StartTransaction", connector_id=1, id_tag="04A2", meter_start=1500, timestamp=AT
        )
        assert began.id_tag_info["status"] == "Accepted"
        sampled = [
            {"value": "2.25", "unit": "kWh"},
            {"value": "16.1", "measurand": "Current.Import", "phase": "L1", "unit": "A"},
            {"value": "230.4", "measurand": "Voltage", "phase": "L1-N", "unit": "V"},
            {"value": "398", "measurand": "Voltage", "phase": "L1-L2", "unit": "V"},
            {"value": "3700", "measurand": "Power.Active.Import", "unit": "W", "context": "Sample.Clock"},
            {"value": "81", "measurand": "SoC", "unit": "Percent", "location": "EV"},
            {"value": "77", "measurand": "Temperature", "unit": "Fahrenheit", "location": "Body"},
        ]
        values = [{"timestamp": "2026-07-01T12:10:00Z", "sampled_value": sampled}]
        await say(
            made, "MeterValues", connector_id=1, transaction_id=began.transaction_id, meter_value=values
        )
        ended = await say(
            made,
            "StopTransaction",
            transaction_id=began.transaction_id,
            meter_stop=9000,
            timestamp="2026-07-01T12:30:00Z",
            reason="Remote",
            transaction_data=[
                {"timestamp": AT, "sampled_value": [{"value": "1500", "context": "Transaction.Begin"}]}
            ],
        )
        assert ended.id_tag_info is None
    seen = await field.seen()
    assert {each.entity for each in seen} == {EVSE}
    first = instant_us(AT)
    assert [(each.value, each.unit) for each in seen if each.attribute == "energyImported"] == [
        (1.5, "KWH"),
        (2.25, "KWH"),
        (1.5, "KWH"),
        (9.0, "KWH"),
    ]
    assert {each.attribute: each.value for each in seen if each.at == first + 600_000_000} == {
        "readingContext": "Sample.Periodic",
        "energyImported": 2.25,
        "chargingCurrentL1": 16.1,
        "chargingVoltageL1": 230.4,
        "chargingVoltageL1L2": 398,
        "chargingPower": 3.7,
        "stateOfCharge": 81,
        "cabinetTemperature": 25,
    }
    assert [each.value for each in seen if each.attribute == "operationalStatus"] == ["Preparing"]
    number = str(began.transaction_id)
    assert [each.value for each in seen if each.attribute == "currentTransaction"] == [
        f"urn:ngsi-ld:ChargingSession:ocpp:CP-7:{number}",
        "",
    ]
    session = await simple(house, f"urn:ngsi-ld:ChargingSession:ocpp:CP-7:{number}")
    assert (
        session.items()
        >= {
            "transactionId": number,
            "idToken": "04A2",
            "startedAt": "2026-07-01T12:00:00.000Z",
            "endedAt": "2026-07-01T12:30:00.000Z",
            "meterStart": 1.5,
            "meterStop": 9.0,
            "energyDelivered": 7.5,
            "stopReason": "Remote",
            "evse": EVSE,
            "chargingStation": STATION,
        }.items()
    )
    place = await simple(house, STATION)
    assert (place["manufacturerName"], place["firmwareVersion"], place["protocol"]) == (
        "Acme",
        "1.2",
        "OCPP 1.6",
    )
    assert (await simple(house, "urn:ngsi-ld:Device:ocpp:CP-7"))["firmwareVersion"] == "1.2"


@pytest.mark.parametrize("version", ["2.0.1", "2.1"])
async def test_a_station_of_2_charges_a_vehicle(listening: Start, house: House, version: str) -> None:
    field = await listening("ocpp+ws://", bus=house.bus)
    async with station(field, version) as made:
        answer = await boot(made, version)
        assert (answer.status, answer.interval) == ("Accepted", 300)
        token = {"id_token": "04A2", "type": "ISO14443"}
        assert (await say(made, "Authorize", id_token=token)).id_token_info["status"] == "Accepted"
        here = {"id": 1, "connector_id": 1}
        await say(
            made, "StatusNotification", timestamp=AT, connector_status="Occupied", evse_id=1, connector_id=1
        )
        begin = event("Started", 0, evse=here, id_token=token, meter_value=[meter(1.5, "Transaction.Begin")])
        answer = await say(made, "TransactionEvent", **begin)
        assert answer.id_token_info["status"] == "Accepted"
        sampled = [
            {
                "value": 3.7,
                "measurand": "Power.Active.Import",
                "unit_of_measure": {"unit": "W", "multiplier": 3},
            },
            {"value": 230.4, "measurand": "Voltage", "phase": "L2-N", "unit_of_measure": {"unit": "V"}},
            {
                "value": 12,
                "measurand": "Energy.Reactive.Import.Register",
                "unit_of_measure": {"unit": "kvarh"},
            },
            {
                "value": 2250,
                "signed_meter_value": {
                    "signed_meter_data": "T0NNRg==",
                    "signing_method": "ECDSA",
                    "encoding_method": "OCMF",
                    "public_key": "",
                },
            },
        ]
        late = "2026-07-01T12:10:00Z"
        more = {"meter_value": [{"timestamp": late, "sampled_value": sampled}], "number_of_phases_used": 3}
        going = event("Updated", 1, late, info={"charging_state": "Charging"}, **more)
        assert (await say(made, "TransactionEvent", **going)).id_token_info is None
        info = {"stopped_reason": "EVDisconnected", "time_spent_charging": 1700}
        end = event("Ended", 2, "2026-07-01T12:30:00Z", info=info, meter_value=[meter(9, "Transaction.End")])
        await say(made, "TransactionEvent", **end)
    seen = await field.seen()
    assert {each.entity for each in seen} == {EVSE}
    assert {each.attribute: each.value for each in seen if each.at == instant_us(late)} == {
        "readingContext": "Sample.Periodic",
        "chargingPower": 3.7,
        "chargingVoltageL2": 230.4,
        "reactiveEnergyImported": 12,
        "energyImported": 2.25,
        "signedMeterValue": "T0NNRg==",
        "eventTrigger": "MeterValuePeriodic",
        "currentTransaction": "urn:ngsi-ld:ChargingSession:ocpp:CP-7:T-1",
        "chargingState": "Charging",
        "phasesUsed": 3,
    }
    session = await simple(house, "urn:ngsi-ld:ChargingSession:ocpp:CP-7:T-1")
    assert (
        session.items()
        >= {
            "transactionId": "T-1",
            "idToken": "04A2",
            "tokenType": "ISO14443",
            "startedAt": "2026-07-01T12:00:00.000Z",
            "endedAt": "2026-07-01T12:30:00.000Z",
            "meterStart": 1.5,
            "meterStop": 9,
            "energyDelivered": 7.5,
            "stopReason": "EVDisconnected",
            "timeSpentCharging": 1700,
            "evse": EVSE,
        }.items()
    )
    place = await simple(house, STATION)
    assert (place["serialNumber"], place["bootReason"], place["protocol"]) == (
        "S1",
        "PowerUp",
        f"OCPP {version}",
    )


@pytest.mark.parametrize("version", ["2.0.1", "2.1"])
async def test_what_else_a_station_of_2_notices_is_kept(listening: Start, house: House, version: str) -> None:
    field = await listening("ocpp+ws://", bus=house.bus)
    async with station(field, version) as made:
        state = {
            "event_id": 1,
            "timestamp": AT,
            "trigger": "Delta",
            "actual_value": "Faulted",
            "event_notification_type": "HardWiredNotification",
            "component": {"name": "Connector", "evse": {"id": 2, "connector_id": 1}},
            "variable": {"name": "AvailabilityState"},
        }
        hot = {**state, "event_id": 2, "actual_value": "true", "component": {"name": "ChargingStation"}}
        hot["variable"] = {"name": "Problem"}
        await say(made, "NotifyEvent", generated_at=AT, seq_no=0, event_data=[state, hot])
        limit = {"charging_limit_source": "EMS"}
        await say(made, "NotifyChargingLimit", charging_limit=limit, evse_id=1)
        needs = {
            "requested_energy_transfer": "DC",
            "dc_charging_parameters": {"ev_max_current": 400, "ev_max_voltage": 800, "energy_amount": 30_000},
        }
        if version == "2.1":
            needs["dc_charging_parameters"] |= {"ev_max_power": 250_000}
        answer = await say(made, "NotifyEVChargingNeeds", charging_needs=needs, evse_id=1)
        assert answer.status == "Processing"
        await say(made, "SecurityEventNotification", type="FirmwareUpdated", timestamp=AT, tech_info="1.3")
        await say(made, "FirmwareStatusNotification", status="Installed", request_id=1)
        await say(made, "LogStatusNotification", status="Uploaded", request_id=1)
        own = [meter(12.5, "Sample.Clock")]
        await say(made, "MeterValues", evse_id=0, meter_value=own)
        assert (await say(made, "DataTransfer", vendor_id="Acme")).status == "UnknownVendorId"
        assert (await say(made, "SignCertificate", csr="-----BEGIN")).status == "Rejected"
        await say(made, "ClearedChargingLimit", charging_limit_source="EMS", evse_id=1)
    seen = [(each.entity.rpartition(":ocpp:")[2], each.attribute, each.value) for each in await field.seen()]
    assert set(seen) >= {
        ("CP-7:2", "operationalStatus", "Faulted"),
        ("CP-7:2", "lastEvent", "Connector.AvailabilityState = Faulted"),
        ("CP-7", "lastEvent", "ChargingStation.Problem = true"),
        ("CP-7:1", "limitSource", "EMS"),
        ("CP-7:1", "limitSource", ""),
        ("CP-7:1", "energyTransferWanted", "DC"),
        ("CP-7:1", "vehicleMaxCurrent", 400),
        ("CP-7:1", "vehicleMaxVoltage", 800),
        ("CP-7:1", "energyNeeded", 30),
        ("CP-7", "securityEvent", "FirmwareUpdated: 1.3"),
        ("CP-7", "firmwareStatus", "Installed"),
        ("CP-7", "logStatus", "Uploaded"),
        ("CP-7", "energyImported", 12.5),
        ("CP-7", "readingContext", "Sample.Clock"),
    }
    assert (("CP-7:1", "vehicleMaxPower", 250.0) in seen) == (version == "2.1")


async def test_a_transaction_of_2_1_has_its_cost_and_its_vehicle_a_display(
    listening: Start, house: House
) -> None:
    field = await listening("ocpp+ws://", bus=house.bus)
    async with station(field, "2.1") as made:
        cost = {
            "total_cost": {
                "currency": "CNY",
                "type_of_cost": "NormalCost",
                "total": {"excl_tax": 30.0, "incl_tax": 33.9},
            },
            "total_usage": {"energy": 20.0, "charging_time": 60, "idle_time": 0},
        }
        sampled = {
            "value": 80,
            "measurand": "Display.TargetSOC",
            "location": "EV",
            "unit_of_measure": {"unit": "Percent"},
        }
        values = [{"timestamp": AT, "sampled_value": [sampled, {**sampled, "location": "Outlet"}]}]
        end = event("Ended", 9, evse={"id": 1}, meter_value=values, cost_details=cost, offline=True)
        await say(made, "TransactionEvent", **end)
    session = await simple(house, "urn:ngsi-ld:ChargingSession:ocpp:CP-7:T-1")
    assert session.items() >= {"totalCost": 33.9, "costCurrency": "CNY", "isOffline": True}.items()
    assert (await field.values())["displayedTargetSoc"] == 80


async def test_what_happened_offline_comes_late_and_twice_and_is_kept_once(
    listening: Start, house: House
) -> None:
    """Queued events are said again after a broken connection, whoever lost the answer (E12)."""
    field = await listening("ocpp+ws://", bus=house.bus)
    times = [f"2026-06-30T{hour:02}:00:00Z" for hour in range(8)]
    events = [
        event(
            "Started",
            0,
            times[0],
            offline=True,
            evse={"id": 1},
            meter_value=[meter(1, "Transaction.Begin", times[0])],
        ),
        *[
            event("Updated", n, times[n], offline=True, meter_value=[meter(n, "Sample.Clock", times[n])])
            for n in range(1, 7)
        ],
        event("Ended", 7, times[7], offline=True, meter_value=[meter(8, "Transaction.End", times[7])]),
    ]
    async with station(field, "2.0.1") as made:
        for each in events[:5]:
            await say(made, "TransactionEvent", **each)
    async with station(field, "2.0.1") as made:
        for each in events[3:]:
            await say(made, "TransactionEvent", **each)
        before = len(await field.seen())
        for each in events:
            await say(made, "TransactionEvent", **each)
    seen = await field.seen()
    assert len(seen) == before
    energies = [(each.at, each.value) for each in seen if each.attribute == "energyImported"]
    assert energies == [
        (instant_us(at), value) for at, value in zip(times, (1, 1, 2, 3, 4, 5, 6, 8), strict=True)
    ]
    session = await simple(house, "urn:ngsi-ld:ChargingSession:ocpp:CP-7:T-1")
    assert (session["energyDelivered"], session["isOffline"]) == (7, True)


async def test_a_transaction_of_1_6_has_one_number_however_often_it_begins(
    listening: Start, house: House
) -> None:
    start = {"connector_id": 2, "id_tag": "04A2", "meter_start": 10, "timestamp": "2026-06-30T08:00:00Z"}
    numbers = []
    for _ in range(2):  # another node, or the same after a restart
        field = await listening("ocpp+ws://", bus=house.bus)
        for _ in range(2):
            async with station(field, "1.6") as made:
                numbers.append((await say(made, "StartTransaction", **start)).transaction_id)
        other = {**start, "meter_start": 11}
        async with station(field, "1.6") as made:
            assert (await say(made, "StartTransaction", **other)).transaction_id not in numbers
    assert len(set(numbers)) == 1
    assert 0 < numbers[0] < 2**31
    field = await listening("ocpp+ws://", bus=house.bus)
    async with station(field, "1.6") as made:
        stop = {"transaction_id": numbers[0], "meter_stop": 2010, "timestamp": "2026-06-30T09:00:00Z"}
        await say(made, "StopTransaction", **stop)
        before = len(await field.seen())
        await say(made, "StopTransaction", **stop)
    seen = await field.seen()
    assert len(seen) == before
    last = [each for each in seen if each.attribute == "energyImported"][-1]
    assert (last.entity, last.value) == ("urn:ngsi-ld:EVSE:ocpp:CP-7:2", 2.01), (
        "its number tells the connector"
    )
    session = await simple(house, f"urn:ngsi-ld:ChargingSession:ocpp:CP-7:{numbers[0]}")
    assert (session["meterStart"], session["meterStop"]) == (0.01, 2.01)


@pytest.mark.parametrize("version", VERSIONS)
async def test_nothing_is_acknowledged_before_the_bus_has_it(
    listening: Start, house: House, monkeypatch: pytest.MonkeyPatch, version: str
) -> None:
    gate, publish = asyncio.Event(), house.bus.publish

    async def slow(subject: str, *rest: Any, **more: Any) -> int:
        if ".obs." in f".{subject}.":
            await gate.wait()
        return await publish(subject, *rest, **more)

    monkeypatch.setattr(house.bus, "publish", slow)
    field = await listening("ocpp+ws://", bus=house.bus)
    async with dialled(field, "CP-7", version) as link:
        sampled = [{"value": "1" if version == "1.6" else 1}]
        place = {"connectorId": 0} if version == "1.6" else {"evseId": 0}
        body = {**place, "meterValue": [{"timestamp": AT, "sampledValue": sampled}]}
        await link.send(json.dumps([2, "m", "MeterValues", body]))
        await link.send(json.dumps([2, "h", "Heartbeat", {}]))
        assert json.loads(await link.recv())[1] == "h", (
            "what is said at once overtakes what waits for the disk"
        )
        assert (await house.bus.extent("OBS")).last == 0
        gate.set()
        assert json.loads(await link.recv()) == [3, "m", {}]
        assert (await house.bus.extent("OBS")).last > 0

"""What a station of OCPP 2.0.1 or 2.1 says (part 2; use cases by their letters)."""

from collections.abc import Iterable, Mapping
from typing import Any

from yunmeng.gateways.ocpp.central import Running
from yunmeng.gateways.ocpp.charger import Charger, Entity, Outcome, instant, kilowatt_hours, measure
from yunmeng.gateways.ocpp.heard import (
    Handle,
    alive,
    as_text,
    booted,
    canonical,
    noted,
    of_maker,
    plain,
    updating,
)
from yunmeng.gateways.ocpp.messages import Payload
from yunmeng.gateways.ocpp.metering import Field, energy_at, moment, samples
from yunmeng.gateways.ocpp.tokens import info2

_NOWHERE: Mapping[str, Any] = {}


def _boot(charger: Charger, payload: Payload, at: int) -> Outcome:
    of, modem = payload["chargingStation"], payload["chargingStation"].get("modem", _NOWHERE)
    return booted(
        charger,
        at,
        version=charger.version,
        reason=payload["reason"],
        manufacturerName=of["vendorName"],
        modelName=of["model"],
        serialNumber=of.get("serialNumber"),
        firmwareVersion=of.get("firmwareVersion"),
        iccid=modem.get("iccid"),
        imsi=modem.get("imsi"),
    )


def _info(charger: Charger, id_token: Mapping[str, Any], at: int) -> Payload:
    if id_token["type"] == "NoAuthorization":
        return {"status": "Accepted"}
    return info2(charger.central.tokens.find(str(id_token["idToken"]), at), at)


def _authorize(charger: Charger, payload: Payload, at: int) -> Outcome:
    """Authorize (C01); contract certificates are not checked here, and said to be unknown."""
    answer: Payload = {"idTokenInfo": _info(charger, payload["idToken"], at)}
    if "certificate" in payload or "iso15118CertificateHashData" in payload:
        answer["certificateStatus"] = "NoCertificateAvailable"
    return Outcome(answer)


def _transaction(charger: Charger, payload: Payload, at: int) -> Outcome:
    """TransactionEvent: kept once by its transaction, sequence number and time, however late (E)."""
    when, info = moment(payload["timestamp"], charger.zone), payload["transactionInfo"]
    id, meters = str(info["transactionId"]), payload.get("meterValue", ())
    begin = energy_at(meters, "Transaction.Begin")
    charger.central.began(charger.name, id, Running(payload.get("evse", _NOWHERE).get("id", 0), begin))
    evse = charger.central.running(charger.name, id).evse
    mapper, _ = charger.place(evse, id)
    ended = payload["eventType"] == "Ended"
    said: dict[str, Field] = {
        "trigger": payload["triggerReason"],
        "transaction": "" if ended else charger.body("session", id)["id"],
        "chargingState": info.get("chargingState"),
        "cableMaxCurrent": payload.get("cableMaxCurrent"),
        "phases": payload.get("numberOfPhasesUsed"),
    }
    fields = {name: value for name, value in said.items() if value is not None}
    readings = (
        *charger.readings(evse, samples(meters, mapper, charger.zone), id),
        *charger.reading(evse, when, fields, id),
    )
    token = payload.get("idToken")
    answer: Payload = {} if token is None else {"idTokenInfo": _info(charger, token, at)}
    entities = (*charger.evse(evse), *_session(charger, payload, id, evse, when))
    # the time as well: stations that begin to count anew with each start lose nothing
    key = ("TransactionEvent", charger.name, id, payload["seqNo"], when)
    return Outcome(answer, readings, entities, key)


def _session(charger: Charger, payload: Payload, id: str, evse: int, when: int) -> Iterable[Entity]:
    """Returns what the event adds to the session, nothing when it only says that it goes on."""
    info, token = payload["transactionInfo"], payload.get("idToken", _NOWHERE)
    began, ended = payload["eventType"] == "Started", payload["eventType"] == "Ended"
    meters = payload.get("meterValue", ())
    stop = energy_at(meters, "Transaction.End") if ended else None
    running = charger.central.running(charger.name, id)
    cost = payload.get("costDetails", _NOWHERE).get("totalCost", _NOWHERE)
    total = cost.get("total", _NOWHERE)
    delivered = None if stop is None or running.meter is None else stop - running.meter
    members: dict[str, object] = {
        "startedAt": instant(when) if began else None,
        "endedAt": instant(when) if ended else None,
        "meterStart": kilowatt_hours(running.meter) if began else None,
        "meterStop": kilowatt_hours(stop),
        "energyDelivered": kilowatt_hours(delivered),
        "idToken": token.get("idToken") or None,
        "tokenType": token.get("type"),
        "stopReason": info.get("stoppedReason", "Local") if ended else None,
        "reservationId": payload.get("reservationId"),
        "remoteStartId": info.get("remoteStartId"),
        "timeSpentCharging": measure(info.get("timeSpentCharging"), "SEC"),
        "isOffline": True if payload.get("offline") else None,
        "totalCost": total.get("inclTax", total.get("exclTax")),
        "costCurrency": cost.get("currency"),
    }
    if not any(value is not None for value in members.values()):
        return
    links = {"evse": charger.link("evse", str(evse)), "chargingStation": charger.link("station")}
    yield charger.body("session", id, transactionId=id, **members, **links)


def _metered(charger: Charger, payload: Payload, at: int) -> Outcome:
    """MeterValues outside transactions (J01)."""
    evse = int(payload["evseId"])
    mapper, _ = charger.place(evse)
    found = samples(payload["meterValue"], mapper, charger.zone)
    key = ("MeterValues", charger.name, canonical(payload))
    return Outcome({}, charger.readings(evse, found), charger.evse(evse), key)


def _status(charger: Charger, payload: Payload, at: int) -> Outcome:
    when = moment(payload["timestamp"], charger.zone)
    return noted(charger, when, int(payload["evseId"]), {}, status=payload["connectorStatus"])


def _event(charger: Charger, payload: Payload, at: int) -> Outcome:
    """NotifyEvent: ``Component.Variable`` where the mapping has a row, all as the last event (N)."""
    readings = [each for data in payload["eventData"] for each in _event_readings(charger, data)]
    key = ("NotifyEvent", charger.name, canonical(payload))
    return Outcome({}, tuple(readings), key=key)


def _event_readings(charger: Charger, data: Mapping[str, Any]) -> Iterable[Any]:
    component, variable = data["component"], data["variable"]
    evse = int(component.get("evse", _NOWHERE).get("id", 0))
    name, value = f"{component['name']}.{variable['name']}", str(data["actualValue"])
    cleared = " (cleared)" if data.get("cleared") else ""
    fields: dict[str, Field] = {"event": f"{name} = {value}{cleared}"}
    mapper, _ = charger.place(evse)
    if mapper.knows(name):
        fields[name] = plain(value)
    return charger.reading(evse, moment(data["timestamp"], charger.zone), fields)


def _log(charger: Charger, payload: Payload, at: int) -> Outcome:
    return noted(charger, at, 0, {}, logStatus=payload["status"])


def _security(charger: Charger, payload: Payload, at: int) -> Outcome:
    when, info = moment(payload["timestamp"], charger.zone), payload.get("techInfo")
    said = f"{payload['type']}: {info}" if info else payload["type"]
    return noted(charger, when, 0, {}, securityEvent=said)


def _limited(charger: Charger, payload: Payload, at: int) -> Outcome:
    """NotifyChargingLimit: somebody else limits the station (K12)."""
    schedule = payload.get("chargingSchedule")
    source = payload["chargingLimit"]["chargingLimitSource"]
    limit = None if schedule is None else as_text(schedule)
    return noted(charger, at, int(payload.get("evseId", 0)), {}, limitSource=source, limitSchedule=limit)


def _unlimited(charger: Charger, payload: Payload, at: int) -> Outcome:
    return noted(charger, at, int(payload.get("evseId", 0)), {}, limitSource="", limitSchedule="")


def _needs(charger: Charger, payload: Payload, at: int) -> Outcome:
    """NotifyEVChargingNeeds: kept for whoever plans; SetChargingProfile may follow as a command (K15)."""
    needs = payload["chargingNeeds"]
    of = needs.get("dcChargingParameters") or needs.get("acChargingParameters") or _NOWHERE
    fields: dict[str, Field] = {
        "needs.transfer": needs["requestedEnergyTransfer"],
        "needs.departure": needs.get("departureTime"),
        "needs.energy": of.get("energyAmount"),
        "needs.current": of.get("evMaxCurrent"),
        "needs.voltage": of.get("evMaxVoltage"),
        "needs.power": of.get("evMaxPower"),
        "needs.capacity": of.get("evEnergyCapacity"),
        "needs.soc": of.get("stateOfCharge"),
    }
    return noted(charger, at, int(payload["evseId"]), {"status": "Processing"}, **fields)


def _schedule(charger: Charger, payload: Payload, at: int) -> Outcome:
    said = as_text(payload["chargingSchedule"])
    return noted(charger, at, int(payload["evseId"]), {"status": "Accepted"}, schedule=said)


def _happened(name: str) -> Handle:
    """Returns the handler of a notice that is kept whole, as the last event."""

    def handle(charger: Charger, payload: Payload, at: int) -> Outcome:
        said = {member: value for member, value in payload.items() if member != "idToken"}
        return noted(charger, at, int(payload.get("evseId", 0)), {}, event=f"{name} {as_text(said)}")

    return handle


def _rejected(charger: Charger, payload: Payload, at: int) -> Outcome:
    """There is no authority, tariff or stream here that it asks for."""
    return Outcome({"status": "Rejected"})


def _no_contract(charger: Charger, payload: Payload, at: int) -> Outcome:
    return Outcome({"status": "Failed", "exiResponse": ""})


def _no_ocsp(charger: Charger, payload: Payload, at: int) -> Outcome:
    return Outcome({"status": "Failed"})


REPORTS = {
    "NotifyCustomerInformation": "data",
    "NotifyDisplayMessages": "messageInfo",
    "NotifyMonitoringReport": "monitor",
    "NotifyReport": "reportData",
    "ReportChargingProfiles": "chargingProfile",
    "ReportDERControl": "",
}
"""What comes in parts for a request of ours, and the member that holds it (all of them when empty)."""

_HAPPENED = (
    "BatterySwap",
    "NotifyDERAlarm",
    "NotifyDERStartStop",
    "NotifyPriorityCharging",
    "NotifySettlement",
    "NotifyWebPaymentStarted",
    "PublishFirmwareStatusNotification",
    "ReservationStatusUpdate",
)

HANDLES: dict[str, Handle] = {
    "Authorize": _authorize,
    "BootNotification": _boot,
    "ClearedChargingLimit": _unlimited,
    "DataTransfer": of_maker,
    "FirmwareStatusNotification": updating,
    "Get15118EVCertificate": _no_contract,
    "GetCertificateStatus": _no_ocsp,
    "Heartbeat": alive,
    "LogStatusNotification": _log,
    "MeterValues": _metered,
    "NotifyChargingLimit": _limited,
    "NotifyEVChargingNeeds": _needs,
    "NotifyEVChargingSchedule": _schedule,
    "NotifyEvent": _event,
    "OpenPeriodicEventStream": _rejected,
    "PullDynamicScheduleUpdate": _rejected,
    "SecurityEventNotification": _security,
    "SignCertificate": _rejected,
    "StatusNotification": _status,
    "TransactionEvent": _transaction,
    **{name: _happened(name) for name in _HAPPENED},
}

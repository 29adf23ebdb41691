"""What a station of OCPP 1.6 says (edition 2, chapter 4; security whitepaper, edition 3)."""

from collections.abc import Mapping
from typing import Any

from yunmeng.gateways.ocpp.central import Running
from yunmeng.gateways.ocpp.charger import Charger, Outcome, instant, kilowatt_hours
from yunmeng.gateways.ocpp.heard import Handle, alive, booted, canonical, noted, of_maker, updating
from yunmeng.gateways.ocpp.messages import Payload
from yunmeng.gateways.ocpp.metering import ENERGY, moment, samples
from yunmeng.gateways.ocpp.tokens import info16


def _boot(charger: Charger, payload: Payload, at: int) -> Outcome:
    return booted(
        charger,
        at,
        version="1.6",
        manufacturerName=payload["chargePointVendor"],
        modelName=payload["chargePointModel"],
        serialNumber=payload.get("chargePointSerialNumber", payload.get("chargeBoxSerialNumber")),
        firmwareVersion=payload.get("firmwareVersion"),
        iccid=payload.get("iccid"),
        imsi=payload.get("imsi"),
        meterType=payload.get("meterType"),
        meterSerialNumber=payload.get("meterSerialNumber"),
    )


def _authorize(charger: Charger, payload: Payload, at: int) -> Outcome:
    return Outcome({"idTagInfo": info16(charger.central.tokens.find(payload["idTag"], at), at)})


def _started(charger: Charger, payload: Payload, at: int) -> Outcome:
    """StartTransaction: the same number whenever it is said, the session kept once (4.8)."""
    when = moment(payload["timestamp"], charger.zone)
    connector, tag, meter = payload["connectorId"], str(payload["idTag"]), float(payload["meterStart"])
    who = (connector, tag.casefold(), when, meter)
    number = charger.central.number(charger.name, connector, when, who)
    charger.central.began(charger.name, str(number), Running(connector, meter))
    token = charger.central.tokens.find(tag, at)
    session = charger.body(
        "session",
        str(number),
        transactionId=str(number),
        idToken=tag,
        tokenGroup=token.group or None,
        startedAt=instant(when),
        meterStart=kilowatt_hours(meter),
        reservationId=payload.get("reservationId"),
        evse=charger.link("evse", str(connector)),
        chargingStation=charger.link("station"),
    )
    fields = {ENERGY: meter, "context": "Transaction.Begin", "transaction": session["id"]}
    return Outcome(
        {"transactionId": number, "idTagInfo": info16(token, at)},
        charger.reading(connector, when, fields),
        (*charger.evse(connector), session),
        ("StartTransaction", charger.name, *who),
    )


def _stopped(charger: Charger, payload: Payload, at: int) -> Outcome:
    """StopTransaction: never refused for who stopped it (4.10)."""
    when = moment(payload["timestamp"], charger.zone)
    number, meter = int(payload["transactionId"]), float(payload["meterStop"])
    running = charger.central.running16(charger.name, number, when)
    mapper, _ = charger.place(running.evse, str(number))
    found = samples(payload.get("transactionData", ()), mapper, charger.zone)
    last = {ENERGY: meter, "context": "Transaction.End", "transaction": ""}
    session = charger.body(
        "session",
        str(number),
        transactionId=str(number),
        endedAt=instant(when),
        meterStop=kilowatt_hours(meter),
        energyDelivered=kilowatt_hours(None if running.meter is None else meter - running.meter),
        stopReason=payload.get("reason", "Local"),
        evse=charger.link("evse", str(running.evse)),
        chargingStation=charger.link("station"),
    )
    readings = (
        *charger.readings(running.evse, found, str(number)),
        *charger.reading(running.evse, when, last, str(number)),
    )
    tag = payload.get("idTag")
    answer = {} if tag is None else {"idTagInfo": info16(charger.central.tokens.find(tag, at), at)}
    key = ("StopTransaction", charger.name, number, when)
    return Outcome(answer, readings, (session,), key)


def _metered(charger: Charger, payload: Payload, at: int) -> Outcome:
    """MeterValues, of a connector or of the station's own meter (4.7)."""
    connector, transaction = int(payload["connectorId"]), payload.get("transactionId")
    mapper, _ = charger.place(connector)
    found = samples(payload["meterValue"], mapper, charger.zone)
    key = ("MeterValues", charger.name, canonical(payload))
    entities = charger.evse(connector)
    if transaction is not None:
        charger.central.began(charger.name, str(transaction), Running(connector))
    return Outcome({}, charger.readings(connector, found), entities, key)


def _status(charger: Charger, payload: Payload, at: int) -> Outcome:
    when = moment(payload["timestamp"], charger.zone) if "timestamp" in payload else at
    return noted(
        charger,
        when,
        int(payload["connectorId"]),
        {},
        status=payload["status"],
        errorCode=payload["errorCode"],
        errorInfo=payload.get("info"),
        vendorErrorCode=_maker_error(payload),
    )


def _maker_error(payload: Mapping[str, Any]) -> str | None:
    code, vendor = payload.get("vendorErrorCode"), payload.get("vendorId")
    return f"{vendor}: {code}" if code and vendor else code


def _log(charger: Charger, payload: Payload, at: int) -> Outcome:
    return noted(charger, at, 0, {}, logStatus=payload["status"])


def _security(charger: Charger, payload: Payload, at: int) -> Outcome:
    when = moment(payload["timestamp"], charger.zone)
    info = payload.get("techInfo")
    return noted(
        charger, when, 0, {}, securityEvent=f"{payload['type']}: {info}" if info else payload["type"]
    )


def _sign(charger: Charger, payload: Payload, at: int) -> Outcome:
    """SignCertificate: there is no authority here that could sign."""
    return Outcome({"status": "Rejected"})


HANDLES: dict[str, Handle] = {
    "Authorize": _authorize,
    "BootNotification": _boot,
    "DataTransfer": of_maker,
    "DiagnosticsStatusNotification": _log,
    "FirmwareStatusNotification": updating,
    "Heartbeat": alive,
    "LogStatusNotification": _log,
    "MeterValues": _metered,
    "SecurityEventNotification": _security,
    "SignCertificate": _sign,
    "SignedFirmwareStatusNotification": updating,
    "StartTransaction": _started,
    "StatusNotification": _status,
    "StopTransaction": _stopped,
}

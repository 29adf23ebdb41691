"""What stations of every version say alike."""

from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from yunmeng.gateways.ocpp.charger import Charger, Outcome
from yunmeng.gateways.ocpp.messages import Payload
from yunmeng.gateways.ocpp.metering import Field
from yunmeng.kernel.base import format_us

Handle = Callable[[Charger, Payload, int], Outcome]

_INTERVAL_S, _RETRY_S = 300, 60


def booted(
    charger: Charger, at: int, *, version: str, reason: str | None = None, **facts: str | None
) -> Outcome:
    """BootNotification: the register decides, and what the station says of itself is kept (B01 to B03)."""
    state = charger.state
    accepted = state == "Accepted"
    interval = charger.option("heartbeat", _INTERVAL_S) if accepted else _RETRY_S
    payload: Payload = {"status": state, "currentTime": format_us(at), "interval": interval}
    if state == "Rejected":
        return Outcome(payload)
    device = ("manufacturerName", "modelName", "serialNumber", "firmwareVersion")
    entities = (
        charger.body("station", "", protocol=f"OCPP {version}", bootReason=reason, **facts),
        charger.device(**{name: facts.get(name) for name in device}),
    )
    return Outcome(payload, entities=entities)


def alive(charger: Charger, payload: Payload, at: int) -> Outcome:
    """Heartbeat: what time it is."""
    return Outcome({"currentTime": format_us(at)})


def noted(charger: Charger, at: int, evse: int, answer: Payload, **fields: Field) -> Outcome:
    """Keeps fields of the station or of one EVSE, and answers."""
    said = {name: value for name, value in fields.items() if value is not None}
    return Outcome(answer, charger.reading(evse, at, said), charger.evse(evse))


def updating(charger: Charger, payload: Payload, at: int) -> Outcome:
    """FirmwareStatusNotification: kept, and told of the device, where a campaign looks (L01)."""
    outcome = noted(charger, at, 0, {}, firmwareStatus=payload["status"])
    outcome.entities = (charger.device(firmwareProgress=payload["status"]),)
    return outcome


def of_maker(charger: Charger, payload: Payload, at: int) -> Outcome:
    """DataTransfer: taken where the mapping has a row ``DataTransfer.<vendorId>.<messageId>``."""
    vendor, message = str(payload["vendorId"]), str(payload.get("messageId", ""))
    name = f"DataTransfer.{vendor}.{message}".rstrip(".")
    mapper = charger.mapper("station")
    if not mapper.knows(name):
        heard = any(each.startswith(f"DataTransfer.{vendor}") for each in mapper.names)
        return Outcome({"status": "UnknownMessageId" if heard else "UnknownVendorId"})
    data = payload.get("data", "")
    return Outcome({"status": "Accepted"}, charger.reading(0, at, {name: plain(data)}))


def plain(value: object) -> Field:
    """Returns a number for what reads as one, else text; what is neither as JSON."""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return msgspec.json.encode(value).decode()
    if isinstance(value, str):
        try:
            number = float(value)
        except ValueError:
            return value
        return number if abs(number) < 1e300 and value.strip() == value else value
    return value


def as_text(value: object) -> str:
    """Returns JSON, for what is kept whole."""
    return msgspec.json.encode(value).decode()


def canonical(payload: Mapping[str, Any]) -> bytes:
    """Returns what tells payloads apart, whatever the order of their members."""
    return msgspec.json.encode(payload, order="deterministic")

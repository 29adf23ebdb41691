"""What is done for devices in the field: put to work, maintained, repaired; by whom, when, with what."""

from collections.abc import Mapping
from typing import Any, Literal
from uuid import uuid4

import msgspec

from yunmeng.kernel.base import BadInput, format_us, instant_us, make_urn, now_us

FAULT_STEPS = {"open": "assigned", "assigned": "repaired", "repaired": "verified"}
"""Where the state of a fault may lead."""

_DAY_US = 86_400_000_000
_REPAIR_DAYS = 3

MaintenanceKind = Literal[
    "inspection", "cleaning", "calibration", "repair", "replacement", "commissioning", "other"
]


class Maintenance(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One piece of work: ``at`` and ``next_due`` are instants with a zone, ``parts`` how many of each."""

    what: str
    kind: MaintenanceKind = "inspection"
    by: str = ""
    at: str = ""
    parts: dict[str, float] = {}
    next_due: str = ""
    fault: str = ""


def read_maintenance(given: Mapping[str, object], by: str) -> Maintenance:
    """Reads a piece of work; without a name it was whoever says so, without a time it was now.

    Raises:
        BadInput: ``iot.maintenance``, ``time.*``.
    """
    try:
        read = msgspec.convert(dict(given), Maintenance)
    except msgspec.ValidationError as cause:
        raise BadInput("iot.maintenance", reason=str(cause)) from cause
    if not read.what.strip():
        raise BadInput("iot.maintenance", reason="what")
    at = instant_us(read.at) if read.at else now_us()
    due = format_us(instant_us(read.next_due)) if read.next_due else ""
    return msgspec.structs.replace(read, by=read.by or by, at=format_us(at), next_due=due)


def maintenance_entity(device: Mapping[str, Any], work: Maintenance) -> dict[str, Any]:
    """Returns the NGSI-LD body of a piece of work on a device."""
    links = {"device": device["id"], "fault": work.fault}
    times = {"performedAt": work.at, "nextDueAt": work.next_due}
    return {
        "id": make_urn("DeviceMaintenance", uuid4().hex),
        "type": "DeviceMaintenance",
        "division": device["division"],
        "maintenanceKind": work.kind,
        "performedBy": work.by,
        "description": work.what,
        **({"parts": {"type": "JsonProperty", "json": work.parts}} if work.parts else {}),
        **{name: moment(text) for name, text in times.items() if text},
        **{name: {"type": "Relationship", "object": id} for name, id in links.items() if id},
    }


def fault_entity(device: Mapping[str, Any], description: str, due: str) -> dict[str, Any]:
    """Returns the NGSI-LD body of a fault; without a date it is due in three days."""
    due = format_us(instant_us(due) if due else now_us() + _REPAIR_DAYS * _DAY_US)
    return {
        "id": make_urn("DeviceFault", uuid4().hex),
        "type": "DeviceFault",
        "division": device["division"],
        "device": {"type": "Relationship", "object": device["id"]},
        "description": description,
        "faultState": "open",
        "dueAt": moment(due),
    }


def commissioning_checks(device: Mapping[str, Any]) -> dict[str, bool]:
    """Returns what has to be so before a device is put to work, and whether it is.

    It has a place, and one that speaks through a gateway is connected.
    """
    checks = {"place": "location" in device}
    if device.get("protocol"):
        checks["online"] = device.get("deviceState") == "online"
    return checks


def moment(text: str) -> dict[str, Any]:
    """Returns an instant as an attribute."""
    return {"type": "Property", "value": {"@type": "DateTime", "@value": text}}

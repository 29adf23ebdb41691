"""The register of devices: what a device is, read from tables and checked whole before any of it is kept."""

import csv
import io
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec

from yunmeng.information.iot.code import make_code, read_code
from yunmeng.information.iot.kinds import kind
from yunmeng.kernel.base import BadInput, YunmengError, division, make_urn
from yunmeng.kernel.sense import DeviceRecord, device_id

MOST = 50_000
"""Devices in one import."""

STATES = {
    "registered": ("active", "retired"),
    "active": ("suspended", "retired"),
    "suspended": ("active", "retired"),
    "retired": (),
}
"""The life of a device, and where each state may lead."""


_EXPORTED = {
    "division": "division",
    "address": "address",
    "name": "name",
    "code": "deviceCode",
    "gateway": "protocol",
    "serial_number": "serialNumber",
    "manufacturer": "manufacturerName",
    "model": "modelName",
    "owner": "ownerDepartment",
    "pole": "mountedOn",
    "asset": "controlledAsset",
}


class NewDevice(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One device as somebody registers it.

    ``address`` is what the device calls itself on the wire; ``code`` the unified code, given by the register
    when empty; ``gateway`` comes from the kind when empty; the place is in degrees (WGS 84).
    """

    kind: str
    division: str
    address: str = ""
    name: str = ""
    code: str = ""
    gateway: str = ""
    mapping: str = ""
    serial_number: str = ""
    manufacturer: str = ""
    model: str = ""
    owner: str = ""
    pole: str = ""
    asset: str = ""
    longitude: float | None = None
    latitude: float | None = None
    options: dict[str, str] = {}

    @property
    def protocol(self) -> str:
        """The gateway that it speaks through."""
        return self.gateway or kind(self.kind).protocol


class RowFault(msgspec.Struct, frozen=True):
    """Why one row cannot be taken; rows count from 1."""

    row: int
    key: str
    detail: str


def read_csv(text: str) -> list[dict[str, Any]]:
    """Reads a table with a heading row; empty cells count as absent, columns ``option:NAME`` as options."""
    rows: list[dict[str, Any]] = []
    for cells in csv.DictReader(io.StringIO(text.removeprefix("\ufeff"))):
        given = {name: value.strip() for name, value in cells.items() if name and value and value.strip()}
        options = {name[7:]: given.pop(name) for name in list(given) if name.startswith("option:")}
        rows.append({**given, **({"options": options} if options else {})})
    return rows


def read_devices(rows: Sequence[Mapping[str, Any]]) -> list[NewDevice]:
    """Checks every row, and returns all devices or refuses all.

    Raises:
        BadInput: ``iot.rows`` with each fault, ``iot.most`` for more than can be taken at once.
    """
    if not 0 < len(rows) <= MOST:
        raise BadInput("iot.most", rows=len(rows), most=MOST)
    devices: list[NewDevice] = []
    faults: list[RowFault] = []
    for number, row in enumerate(rows, start=1):
        try:
            devices.append(_checked(msgspec.convert(row, NewDevice, strict=False)))
        except msgspec.ValidationError as cause:
            faults.append(RowFault(number, "iot.row", str(cause)))
        except YunmengError as cause:
            faults.append(RowFault(number, cause.key, str(cause)))
    faults += _twice(devices)
    if faults:
        raise BadInput("iot.rows", rows=len(rows), faulty=len(faults), faults=_told(faults))
    return devices


def with_codes(devices: Sequence[NewDevice], taken: Mapping[tuple[str, str], int]) -> list[NewDevice]:
    """Gives every device without a code the next one of its division and class.

    ``taken`` is the highest number already given in each (division, class).
    """
    last = Counter(dict(taken))
    for device in devices:
        if device.code:
            place, class_, number = read_code(device.code)
            last[place, class_] = max(last[place, class_], number)
    coded: list[NewDevice] = []
    for device in devices:
        if not device.code:
            key = (device.division, kind(device.kind).class_)
            last[key] += 1
            device = msgspec.structs.replace(device, code=make_code(*key, last[key]))
        coded.append(device)
    return coded


def entity_id(device: NewDevice) -> str:
    """Returns the id of a device's entity; what speaks through a gateway is known by its address there."""
    if device.kind == "pole":
        return make_urn("MultifunctionPole", device.code)
    if device.protocol and device.address:
        return f"urn:ngsi-ld:Device:{device_id(device.protocol, device.address)}"
    return make_urn("Device", device.code)


def entity(device: NewDevice, at: str) -> dict[str, Any]:
    """Returns the NGSI-LD body of a device that was just registered, in simplified and normalized members."""
    body: dict[str, Any] = {
        "id": entity_id(device),
        "type": "MultifunctionPole" if device.kind == "pole" else "Device",
        "name": device.name or f"{kind(device.kind).zh} {device.address or device.code}",
        "division": device.division,
        "deviceCode": device.code,
        "ownerDepartment": device.owner,
        "dateInstalled": {"type": "Property", "value": {"@type": "DateTime", "@value": at}},
    }
    if device.kind != "pole":
        body |= _of_device(device)
    if device.longitude is not None and device.latitude is not None:
        point = {"type": "Point", "coordinates": [device.longitude, device.latitude]}
        body["location"] = {"type": "GeoProperty", "value": point}
    return {name: value for name, value in body.items() if value != ""}


def record(device: NewDevice, state: str = "registered") -> DeviceRecord | None:
    """Returns what the gateway has to know, None for a device that speaks through none."""
    if not (device.protocol and device.address):
        return None
    return DeviceRecord(
        gateway=device.protocol,
        address=device.address,
        division=device.division,
        mapping=device.mapping,
        state=state,
        options=device.options,
    )


def exported(device: Mapping[str, Any], known: DeviceRecord | None) -> dict[str, Any]:
    """Returns the row that registers a device again, as :func:`read_csv` reads it."""
    row = {"kind": device.get("deviceKind", "pole")}
    row |= {column: device[name] for column, name in _EXPORTED.items() if name in device}
    if row.get("gateway") == kind(row["kind"]).protocol:
        del row["gateway"]
    longitude, latitude = _place(device)
    row |= {"longitude": longitude, "latitude": latitude} if longitude is not None else {}
    if known is not None:
        row |= {"mapping": known.mapping} if known.mapping else {}
        row |= {f"option:{name}": value for name, value in known.options.items()}
    return row


def check_step(state: str, to: str) -> None:
    """Tells whether a device may go from one state to another. Raises ``BadInput("iot.step")``."""
    if to not in STATES.get(state, ()):
        raise BadInput("iot.step", state=state, to=to, allowed=", ".join(STATES.get(state, ())) or "-")


def _of_device(device: NewDevice) -> dict[str, Any]:
    every = kind(device.kind).reports_every
    links = {"mountedOn": device.pole, "controlledAsset": device.asset}
    return {
        "deviceKind": device.kind,
        "gateway": device.protocol,
        "protocol": device.protocol,
        "address": device.address,
        "serialNumber": device.serial_number,
        "manufacturerName": device.manufacturer,
        "modelName": device.model,
        "lifecycle": "registered",
        "deviceState": "offline",
        **({"reportsEvery": {"type": "Property", "value": every, "unitCode": "SEC"}} if every else {}),
        **{name: {"type": "Relationship", "object": id} for name, id in links.items() if id},
    }


def _place(device: Mapping[str, Any]) -> tuple[float | None, float | None]:
    location = device.get("location")
    if not isinstance(location, dict) or location.get("type") != "Point":  # pyright: ignore[reportUnknownMemberType]
        return None, None
    longitude, latitude = location["coordinates"][:2]  # pyright: ignore[reportUnknownVariableType]
    return float(longitude), float(latitude)  # pyright: ignore[reportUnknownArgumentType]


def _checked(device: NewDevice) -> NewDevice:
    template = kind(device.kind)
    division(device.division)
    if device.code:
        place, class_, _ = read_code(device.code)
        if (place, class_) != (device.division, template.class_):
            raise BadInput("iot.code", code=device.code, reason=f"{device.division}-{template.class_}")
    if device.protocol and not device.address:
        raise BadInput("iot.address", kind=device.kind, gateway=device.protocol)
    if (device.longitude is None) != (device.latitude is None) or not _on_earth(device):
        raise BadInput("iot.place", longitude=device.longitude, latitude=device.latitude)
    entity_id(device if device.code else msgspec.structs.replace(device, code="new"))
    return device


def _on_earth(device: NewDevice) -> bool:
    return -180 <= (device.longitude or 0) <= 180 and -90 <= (device.latitude or 0) <= 90


def _twice(devices: Iterable[NewDevice]) -> list[RowFault]:
    faults: list[RowFault] = []
    seen: dict[str, int] = {}
    for number, device in enumerate(devices, start=1):
        names = [device.code] if device.code else []
        names += [device_id(device.protocol, device.address)] if device.address else []
        again = [name for name in names if seen.setdefault(name, number) != number]
        faults += [RowFault(number, "iot.twice", f"{name} = {seen[name]}") for name in again]
    return faults


def _told(faults: Sequence[RowFault]) -> str:
    shown = "; ".join(f"{fault.row}: {fault.detail}" for fault in faults[:10])
    return shown + (f"; … +{len(faults) - 10}" if len(faults) > 10 else "")

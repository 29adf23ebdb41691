"""The register over HTTP: devices listed, registered, exported, led through their lives, tagged."""

import csv
import io
import secrets
from hashlib import sha256

import msgspec
from starlette.responses import Response

from yunmeng.information.iot.asked import id_of, object_body, page_of, selection_of
from yunmeng.information.iot.devices import exported, read_csv, read_devices
from yunmeng.information.iot.kinds import kinds
from yunmeng.information.iot.register import Register
from yunmeng.information.iot.selection import read_selection
from yunmeng.kernel.base import BadInput, YunmengError
from yunmeng.kernel.serve import Call, Reply, as_array, as_object, json_reply, read_json, text_member

TYPES = ("Device", "MultifunctionPole", "DeviceFault", "DeviceMaintenance")
_PAGED = ("type", "limit", "offset", "of")


async def list_devices(call: Call) -> Response:
    """Lists what is in reach by ``type``, ``limit``, ``offset``.

    Devices also by what a selection names; faults and maintenance also ``of`` one device.
    """
    asked = dict(call.request.query_params)
    limit, offset = page_of(call)
    type_ = asked.get("type", "Device")
    if type_ not in TYPES:
        raise BadInput("iot.type", type=type_, known=", ".join(TYPES))
    wanted = read_selection({name: value for name, value in asked.items() if name not in _PAGED})
    linked = ("device", asked.get("of", ""))
    return json_reply(await (await Register.of(call)).page(type_, limit, offset, wanted, linked))


async def list_kinds(call: Call) -> Response:
    """Lists the kinds of devices with their templates."""
    return json_reply({name: msgspec.to_builtins(each) for name, each in kinds().items()})


async def register_devices(call: Call) -> Response:
    """Registers devices, all or none: a JSON array, or a table as ``text/csv``."""
    if (call.request.headers.get("content-type") or "").startswith("text/csv"):
        rows = read_csv(_text(await call.request.body()))
    else:
        rows = [as_object(row, "device") for row in as_array(await read_json(call.request), "devices")]
    ids = await (await Register.of(call)).add(read_devices(rows))
    return json_reply({"registered": len(ids), "ids": ids}, 201)


async def export_devices(call: Call) -> Response:
    """Writes the selected devices and all poles as a table that can be registered again (``text/csv``)."""
    register, wanted = await Register.of(call), read_selection(call.request.query_params)
    rows = [
        exported(device, await register.record_of(device))
        for type_ in ("MultifunctionPole", "Device")
        async for device in register.each(wanted, type_)
        if "deviceCode" in device  # the others only ever spoke, and nobody registered them
    ]
    names = list(dict.fromkeys(name for row in rows for name in row)) or ["kind", "division", "address"]
    table = io.StringIO()
    writer = csv.DictWriter(table, names, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return Reply(table.getvalue().encode(), media="text/csv; charset=utf-8")


async def show_device(call: Call) -> Response:
    """Shows one device."""
    return json_reply(await (await Register.of(call)).get(id_of(call)))


async def step_device(call: Call) -> Response:
    """Leads a device into the next state of its life: ``{"lifecycle": "active"}``."""
    body = await object_body(call)
    return json_reply(await (await Register.of(call)).step(id_of(call), text_member(body, "lifecycle")))


async def step_devices(call: Call) -> Response:
    """Leads many devices on: ``{"selection": {…}, "lifecycle": …}``; those that may not are named."""
    register, body = await Register.of(call), await object_body(call)
    devices = [device async for device in register.each(selection_of(body))]
    refused = await register.step_all(devices, text_member(body, "lifecycle"))
    return json_reply(done(len(devices), refused))


async def tag_devices(call: Call) -> Response:
    """Adds and removes tags: ``{"selection": {…}, "add": […], "remove": […]}``."""
    register, body = await Register.of(call), await object_body(call)
    add, remove = _tags(body, "add"), _tags(body, "remove")
    if not add and not remove:
        raise BadInput("json.array", where="add, remove")
    changes: dict[str, dict[str, object]] = {}
    async for device in register.each(selection_of(body)):
        tags = _listed(device.get("deviceTags"))
        wished = [*(tag for tag in dict.fromkeys((*tags, *add)) if tag not in remove)]
        if wished != tags:
            # an attribute without a value is none: NGSI-LD Null takes it away
            changes[device["id"]] = {"deviceTags": wished or "urn:ngsi-ld:null"}
    await register.change_all(changes)
    return json_reply({"changed": len(changes)})


async def issue_credential(call: Call) -> Response:
    """Makes a device's credential, shown this once; its gateway asks for it from now on."""
    register, id = await Register.of(call), id_of(call)
    record = await register.record_of(await register.get(id))
    if record is None:
        raise BadInput("iot.no-gateway", id=id)
    credential = secrets.token_hex(8)
    await register.keep(msgspec.structs.replace(record, key=sha256(credential.encode()).hexdigest()))
    return json_reply({"id": id, "credential": credential}, 201, {"Cache-Control": "no-store"})


def done(count: int, refused: dict[str, YunmengError]) -> dict[str, object]:
    """Returns the answer about something that was done to many devices."""
    reasons = [{"id": id, "key": error.key, "detail": str(error)} for id, error in refused.items()]
    return {"selected": count, "done": count - len(refused), "refused": reasons}


def _text(data: bytes) -> str:
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        # spreadsheets here save tables as GB 18030 unless told otherwise
        return data.decode("gb18030", errors="replace")


def _tags(body: dict[str, object], name: str) -> list[str]:
    tags = [str(tag).strip() for tag in as_array(body[name], name)] if name in body else []
    if not all(tags):
        raise BadInput("json.text", where=name)
    return tags


def _listed(tags: object) -> list[str]:
    if tags is None:
        return []
    return [str(tag) for tag in tags] if isinstance(tags, list) else [str(tags)]  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType]

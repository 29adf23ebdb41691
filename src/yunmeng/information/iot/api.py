"""The register of devices over HTTP."""

import secrets
from collections.abc import Mapping
from hashlib import sha256
from typing import Any
from uuid import uuid4

import msgspec
from starlette.responses import Response

from yunmeng.information.iot.devices import MOST, read_csv, read_devices
from yunmeng.information.iot.kinds import kinds
from yunmeng.information.iot.register import Register
from yunmeng.kernel.base import BadInput, Unavailable, YunmengError, format_us, instant_us, make_urn, now_us
from yunmeng.kernel.link import sense_subject
from yunmeng.kernel.sense import Command
from yunmeng.kernel.serve import (
    Call,
    Route,
    as_array,
    as_object,
    json_reply,
    read_json,
    text_member,
)

_PATIENCE_S = 90.0
_FAULT_STEPS = {"open": "assigned", "assigned": "repaired", "repaired": "verified"}


async def list_devices(call: Call) -> Response:
    """Lists what is in reach by ``type`` (Device, MultifunctionPole, DeviceFault), ``limit``, ``offset``."""
    asked = call.request.query_params
    limit, offset = _number(asked.get("limit", "100"), MOST), _number(asked.get("offset", "0"), 10**9)
    type_ = asked.get("type", "Device")
    if type_ not in ("Device", "MultifunctionPole", "DeviceFault"):
        raise BadInput("iot.type", type=type_)
    return json_reply(await (await Register.of(call)).page(type_, limit, offset))


async def list_kinds(call: Call) -> Response:
    """Lists the kinds of devices with their templates."""
    return json_reply({name: msgspec.to_builtins(each) for name, each in kinds().items()})


async def register_devices(call: Call) -> Response:
    """Registers devices, all or none: a JSON array, or a table as ``text/csv``."""
    if (call.request.headers.get("content-type") or "").startswith("text/csv"):
        rows = read_csv((await call.request.body()).decode("utf-8-sig"))
    else:
        rows = [as_object(row, "device") for row in as_array(await read_json(call.request), "devices")]
    ids = await (await Register.of(call)).add(read_devices(rows))
    return json_reply({"registered": len(ids), "ids": ids}, 201)


async def show_device(call: Call) -> Response:
    """Shows one device."""
    return json_reply(await (await Register.of(call)).get(_id(call)))


async def step_device(call: Call) -> Response:
    """Leads a device into the next state of its life: ``{"lifecycle": "active"}``."""
    body = as_object(await read_json(call.request), "body")
    return json_reply(await (await Register.of(call)).step(_id(call), text_member(body, "lifecycle")))


async def issue_credential(call: Call) -> Response:
    """Makes a device's credential, shown this once; its gateway asks for it from now on."""
    register = await Register.of(call)
    record = await register.record_of(await register.get(_id(call)))
    if record is None:
        raise BadInput("iot.no-gateway", id=_id(call))
    credential = secrets.token_hex(8)
    await register.keep(msgspec.structs.replace(record, key=sha256(credential.encode()).hexdigest()))
    return json_reply({"id": _id(call), "credential": credential}, 201, {"Cache-Control": "no-store"})


async def command_device(call: Call) -> Response:
    """Has a device do something: ``{"name": "text", "arguments": {…}}``; answers when the device did."""
    device = await (await Register.of(call)).get(_id(call))
    return json_reply({"id": _id(call), "result": await _command(call, device, await _asked(call))})


async def command_devices(call: Call) -> Response:
    """Has many devices do the same: ``{"ids": […], "name": …}``; each answer stands by its id."""
    register, body = await Register.of(call), await _asked(call)
    results: dict[str, object] = {}
    for id in as_array(body.get("ids"), "ids"):
        try:
            results[str(id)] = {"result": await _command(call, await register.get(str(id)), body)}
        except YunmengError as error:
            results[str(id)] = {"error": error.key, "detail": str(error)}
    return json_reply(results)


async def desire(call: Call) -> Response:
    """Says how a device should be configured; what it confirms becomes ``reported``."""
    register, wanted = await Register.of(call), as_object(await read_json(call.request), "body")
    device = await register.get(_id(call))
    await register.change(_id(call), {"desired": {"type": "JsonProperty", "json": wanted}})
    applied = False
    if device.get("deviceState") == "online":
        await _command(call, device, {"name": "configure", "arguments": wanted})
        reported = {**as_object(device.get("reported", {}), "reported"), **wanted}
        await register.change(_id(call), {"reported": {"type": "JsonProperty", "json": reported}})
        applied = True
    return json_reply({"id": _id(call), "desired": wanted, "applied": applied})


async def report_fault(call: Call) -> Response:
    """Reports a fault of a device: ``{"description": …, "dueAt": …}``."""
    register, body = await Register.of(call), as_object(await read_json(call.request), "body")
    device, fault = await register.get(_id(call)), make_urn("DeviceFault", uuid4().hex)
    due = text_member(body, "dueAt", format_us(now_us() + 3 * 86_400_000_000))
    instant_us(due)
    await register.create(
        {
            "id": fault,
            "type": "DeviceFault",
            "division": device["division"],
            "device": {"type": "Relationship", "object": _id(call)},
            "description": text_member(body, "description"),
            "faultState": "open",
            "dueAt": {"type": "Property", "value": {"@type": "DateTime", "@value": due}},
        }
    )
    return json_reply({"id": fault, "faultState": "open"}, 201)


async def step_fault(call: Call) -> Response:
    """Leads a fault to its next state: open, assigned (``assignee``), repaired, verified."""
    register, body = await Register.of(call), as_object(await read_json(call.request), "body")
    state = str((await register.get(_id(call))).get("faultState"))
    to = text_member(body, "faultState")
    if _FAULT_STEPS.get(state) != to:
        raise BadInput("iot.step", state=state, to=to, allowed=_FAULT_STEPS.get(state, "-"))
    assignee = {"assignee": text_member(body, "assignee")} if to == "assigned" else {}
    await register.change(_id(call), {"faultState": to, **assignee})
    return json_reply({"id": _id(call), "faultState": to})


async def _asked(call: Call) -> dict[str, object]:
    return as_object(await read_json(call.request), "body")


async def _command(call: Call, device: Mapping[str, Any], body: Mapping[str, object]) -> object:
    if not device.get("gateway"):
        raise BadInput("iot.no-gateway", id=device["id"])
    if device.get("deviceState") != "online":
        raise Unavailable("device.offline", device=device["address"])
    arguments = as_object(body.get("arguments", {}), "arguments")
    command = Command(uuid4().hex, str(device["address"]), text_member(body, "name"), arguments)
    answer = await call.services.bus.request(
        sense_subject("command", str(device["gateway"])),
        msgspec.msgpack.encode(command),
        call.principal,
        timeout_s=_PATIENCE_S,
    )
    return msgspec.msgpack.decode(answer)


def _id(call: Call) -> str:
    return str(call.request.path_params["id"])


def _number(text: str, most: int) -> int:
    if not text.isascii() or not text.isdigit() or int(text) > most:
        raise BadInput("iot.number", value=text, most=most)
    return int(text)


_D = "/api/devices"

ROUTES = (
    Route("GET", _D, "device.read", list_devices, "Devices in reach"),
    Route("POST", _D, "device.write", register_devices, "Register devices, all or none"),
    Route("GET", f"{_D}/kinds", "device.read", list_kinds, "Kinds of devices"),
    Route("POST", f"{_D}/commands", "command.send", command_devices, "Command many devices"),
    Route("GET", f"{_D}/{{id}}", "device.read", show_device, "One device"),
    Route("PATCH", f"{_D}/{{id}}", "device.write", step_device, "Next state of a device's life"),
    Route("POST", f"{_D}/{{id}}/credential", "device.write", issue_credential, "Issue a credential"),
    Route("POST", f"{_D}/{{id}}/commands", "command.send", command_device, "Command a device"),
    Route("PUT", f"{_D}/{{id}}/desired", "command.send", desire, "Desired configuration of a device"),
    Route("POST", f"{_D}/{{id}}/faults", "device.write", report_fault, "Report a fault"),
    Route("PATCH", "/api/faults/{id}", "device.write", step_fault, "Next state of a fault"),
)

"""What devices are told to do, over HTTP: commands, and how they should be configured."""

import asyncio
from collections.abc import Mapping
from typing import Any
from uuid import uuid4

import msgspec
from starlette.responses import Response

from yunmeng.information.iot.asked import id_of, object_body, selection_of
from yunmeng.information.iot.kinds import template
from yunmeng.information.iot.register import Register
from yunmeng.information.iot.registering import done
from yunmeng.information.iot.shadow import confirmed, refused, unanswered, wished
from yunmeng.kernel.base import BadInput, Unavailable, YunmengError
from yunmeng.kernel.link import Bus, sense_subject
from yunmeng.kernel.sense import Command
from yunmeng.kernel.serve import Call, as_array, as_object, json_reply, text_member
from yunmeng.kernel.trust import Principal

_PATIENCE_S = 90.0
_AT_ONCE = 50

Device = Mapping[str, Any]


async def command_device(call: Call) -> Response:
    """Has a device do something: ``{"name": "text", "arguments": {…}}``; answers when the device did."""
    device, body = await (await Register.of(call)).get(id_of(call)), await object_body(call)
    return json_reply({"id": id_of(call), "result": await _command(call, device, body)})


async def command_devices(call: Call) -> Response:
    """Has many devices do the same: ``{"selection": {…} or "ids": […], "name": …}``; answers by id."""
    register, body = await Register.of(call), await object_body(call)
    if "ids" in body:
        ids = [str(id) for id in as_array(body["ids"], "ids")]
    else:
        ids = [device["id"] async for device in register.each(selection_of(body))]

    async def ask(id: str) -> object:
        return await _command(call, await register.get(id), body)

    answers = await _each(ids, ask)
    return json_reply({id: _told(answer) for id, answer in answers.items()})


async def desire(call: Call) -> Response:
    """Says how a device should be configured; what it confirms, now or once it is there, is ``reported``."""
    register, wanted = await Register.of(call), await object_body(call)
    device = await register.get(id_of(call))
    applied = await _desire(call, register, device, wanted)
    return json_reply({"id": id_of(call), "desired": wanted, "applied": applied})


async def desire_all(call: Call) -> Response:
    """Says how many devices should be configured: ``{"selection": {…}, "desired": {…}}``."""
    register, body = await Register.of(call), await object_body(call)
    wanted = as_object(body.get("desired"), "desired")
    devices = {device["id"]: device async for device in register.each(selection_of(body))}

    async def ask(id: str) -> object:
        return await _desire(call, register, devices[id], wanted)

    answers = await _each(list(devices), ask)
    refused = {id: answer for id, answer in answers.items() if isinstance(answer, YunmengError)}
    applied = sum(answer is True for answer in answers.values())
    return json_reply({**done(len(devices), refused), "applied": applied})


async def send_command(
    bus: Bus, principal: Principal, device: Device, name: str, arguments: Mapping[str, object]
) -> Any:
    """Has a device that is online do something; returns its result.

    Raises:
        BadInput: ``iot.no-gateway``, or what the gateway thinks of the command.
        Unavailable: ``device.offline``, ``command.timeout``.
    """
    if not device.get("gateway"):
        raise BadInput("iot.no-gateway", id=device["id"])
    if device.get("deviceState") != "online":
        raise Unavailable("device.offline", device=device["address"])
    command = Command(uuid4().hex, str(device["address"]), name, arguments)
    subject = sense_subject("command", str(device["gateway"]))
    answer = await bus.request(subject, msgspec.msgpack.encode(command), principal, timeout_s=_PATIENCE_S)
    return msgspec.msgpack.decode(answer)


async def _command(call: Call, device: Device, body: Mapping[str, object]) -> object:
    arguments = as_object(body.get("arguments", {}), "arguments")
    return await send_command(call.services.bus, call.principal, device, text_member(body, "name"), arguments)


async def _desire(call: Call, register: Register, device: Device, wanted: Mapping[str, object]) -> bool:
    """Writes down what is wished for, and asks the device for it when it is there."""
    there = device.get("deviceState") == "online"
    await register.change(device["id"], wished(wanted, sent=there))
    if not there:
        return False
    try:
        name = template(device).configure
        await send_command(call.services.bus, call.principal, device, name, wanted)
    except YunmengError as error:
        said = unanswered(error) if isinstance(error, Unavailable) else refused(error)
        await register.change(device["id"], said)
        raise
    desired = {**as_object(device.get("desired", {}), "desired"), **wanted}
    await register.change(device["id"], confirmed(wanted, {**device, "desired": desired}))
    return True


async def _each(ids: list[str], ask: Any) -> dict[str, object]:
    """Asks about each id, a few at once; a refusal is an answer too."""
    gate = asyncio.Semaphore(_AT_ONCE)

    async def one(id: str) -> object:
        async with gate:
            try:
                return await ask(id)
            except YunmengError as error:
                return error

    return dict(zip(ids, await asyncio.gather(*map(one, ids)), strict=True))


def _told(answer: object) -> dict[str, object]:
    if isinstance(answer, YunmengError):
        return {"error": answer.key, "detail": str(answer)}
    return {"result": answer}

"""Work on devices over HTTP: put to work, maintained, their faults followed to the end."""

from starlette.responses import Response

from yunmeng.information.iot.asked import id_of, object_body
from yunmeng.information.iot.caring import (
    FAULT_STEPS,
    commissioning_checks,
    fault_entity,
    maintenance_entity,
    moment,
    read_maintenance,
)
from yunmeng.information.iot.register import Register
from yunmeng.kernel.base import BadInput
from yunmeng.kernel.serve import Call, json_reply, text_member


async def commission_device(call: Call) -> Response:
    """Puts a registered device to work once it has a place and is connected: ``{"by": …, "what": …}``.

    ``"accept": true`` puts it to work all the same; the record says what was not fulfilled.
    """
    register, body = await Register.of(call), await object_body(call)
    device = await register.get(id_of(call))
    checks = commissioning_checks(device)
    failed = ", ".join(name for name, holds in checks.items() if not holds)
    if failed and body.pop("accept", False) is not True:
        raise BadInput("iot.commissioning", id=device["id"], failed=failed)
    body.pop("accept", None)
    what = text_member(body, "what", "") + (f" (! {failed})" if failed else "")
    given = {**body, "kind": "commissioning", "what": what.strip() or "✓"}
    work = maintenance_entity(device, read_maintenance(given, _name(call)))
    stepped = await register.step(device["id"], "active")
    await register.create(work)
    return json_reply({"id": device["id"], "lifecycle": stepped["lifecycle"], "checks": checks}, 201)


async def maintain_device(call: Call) -> Response:
    """Writes down work on a device: ``{"what": …, "kind": …, "by": …, "parts": {…}, "next_due": …}``."""
    register = await Register.of(call)
    device = await register.get(id_of(call))
    work = read_maintenance(await object_body(call), _name(call))
    if work.fault:
        await register.get(work.fault)
    body = maintenance_entity(device, work)
    await register.create(body)
    # work without a next date has done what was due
    due = moment(work.next_due) if work.next_due else "urn:ngsi-ld:null"
    if work.next_due or "maintenanceDueAt" in device:
        await register.change(device["id"], {"maintenanceDueAt": due})
    return json_reply({"id": body["id"], "device": device["id"]}, 201)


async def report_fault(call: Call) -> Response:
    """Reports a fault of a device: ``{"description": …, "dueAt": …}``."""
    register, body = await Register.of(call), await object_body(call)
    device = await register.get(id_of(call))
    fault = fault_entity(device, text_member(body, "description"), text_member(body, "dueAt", ""))
    await register.create(fault)
    return json_reply({"id": fault["id"], "faultState": "open"}, 201)


async def step_fault(call: Call) -> Response:
    """Leads a fault to its next state: open, assigned (``assignee``), repaired, verified."""
    register, body = await Register.of(call), await object_body(call)
    state = str((await register.get(id_of(call))).get("faultState"))
    to = text_member(body, "faultState")
    if FAULT_STEPS.get(state) != to:
        raise BadInput("iot.step", state=state, to=to, allowed=FAULT_STEPS.get(state, "-"))
    assignee = {"assignee": text_member(body, "assignee")} if to == "assigned" else {}
    await register.change(id_of(call), {"faultState": to, **assignee})
    return json_reply({"id": id_of(call), "faultState": to})


def _name(call: Call) -> str:
    return call.principal.id.rpartition(":")[2]

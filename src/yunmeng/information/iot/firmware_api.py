"""Firmware and its campaigns over HTTP."""

from collections import Counter
from hashlib import sha256
from secrets import token_urlsafe
from urllib.parse import quote
from uuid import uuid4

import msgspec
from starlette.responses import Response, StreamingResponse

from yunmeng.information.iot.asked import id_of, object_body, page_of, selection_of
from yunmeng.information.iot.campaign import Campaign, Update, bounds_of, drawn, read_plan
from yunmeng.information.iot.campaign_store import update_entity
from yunmeng.information.iot.campaigning import BEGIN, ORDER, CampaignOrder
from yunmeng.information.iot.firmware import Firmware, firmware_entity, of_entity, read_firmware
from yunmeng.information.iot.plain import plain
from yunmeng.information.iot.register import Device, Register
from yunmeng.kernel.base import BadInput, Conflict, NotFound, make_urn, now_us
from yunmeng.kernel.keeper import RecordPut
from yunmeng.kernel.serve import Call, as_object, json_reply, keep_records, text_member
from yunmeng.kernel.trust import Reach

FILES = "firmware-file"
"""The kind of the records that say which file an address opens."""

_CAMPAIGN = ("firmware", "selection")


class FirmwareFile(msgspec.Struct, frozen=True):
    """A file that devices fetch without signing in: its address is the secret."""

    key: str
    name: str


async def list_firmware(call: Call) -> Response:
    """Lists the firmware in reach."""
    return json_reply(await (await Register.of(call)).page("DeviceFirmware", *page_of(call)))


async def add_firmware(call: Call) -> Response:
    """Adds firmware: the file as body with ``kind``, ``version``… in the query, or JSON with a ``url``."""
    register = await Register.of(call)
    if (call.request.headers.get("content-type") or "").startswith("application/json"):
        firmware = read_firmware(await object_body(call))
        data = b""
    else:
        firmware, data = read_firmware(call.request.query_params), await call.request.body()
    if not data and not firmware.url:
        raise BadInput("firmware.empty", kind=firmware.kind, version=firmware.version)
    if await call.services.state.get(Reach(call.tenant), firmware.id) is not None:
        raise Conflict("firmware.known", id=firmware.id)
    if data:
        firmware = await _stored(call, firmware, data)
    body = firmware_entity(firmware, _own_division(call))
    await register.create(body)
    return json_reply({"id": firmware.id, **msgspec.to_builtins(firmware)}, 201)


async def fetch_firmware(call: Call) -> Response:
    """Hands a file to a device; who knows its address may have it."""
    secret = call.request.path_params["secret"]
    record = await call.services.state.record(FILES, "", secret)
    if record is None:
        raise NotFound("firmware.absent", id=secret[:8])
    file = msgspec.json.decode(record.body, type=FirmwareFile)
    info = await call.services.objects.info(file.key)
    headers = {
        "content-length": str(info.size),
        "content-disposition": f"attachment; filename*=UTF-8''{quote(file.name)}",
    }
    return StreamingResponse(
        call.services.objects.stream(file.key), media_type="application/octet-stream", headers=headers
    )


async def begin_campaign(call: Call) -> Response:
    """Begins a campaign: ``{"firmware": id, "selection": {…}, "waves": ["5%", "100%"]}`` and its rule."""
    register, body = await Register.of(call), await object_body(call)
    plan = read_plan({name: value for name, value in body.items() if name not in _CAMPAIGN})
    firmware = await _firmware(call, text_member(body, "firmware"))
    devices = await _chosen(register, body, firmware)
    campaign = Campaign(
        id=make_urn("FirmwareCampaign", uuid4().hex),
        tenant=call.tenant,
        division=_around([str(device["division"]) for device in devices]),
        firmware=firmware,
        plan=plan,
        bounds=bounds_of(plan.waves, len(devices)),
        by=call.principal.id,
        began=now_us(),
    )
    places = {device["id"]: str(device["division"]) for device in devices}
    updates = _updates(campaign, list(places))
    await register.write([update_entity(campaign, each, places[each.device]) for each in updates])
    await call.services.bus.request(BEGIN, msgspec.msgpack.encode(campaign), call.principal, timeout_s=60)
    sizes = [sum(each.wave == wave for each in updates) for wave in range(len(campaign.bounds))]
    return json_reply({"id": campaign.id, "devices": len(devices), "waves": sizes}, 201)


async def list_campaigns(call: Call) -> Response:
    """Lists the campaigns in reach."""
    return json_reply(await (await Register.of(call)).page("FirmwareCampaign", *page_of(call)))


async def show_campaign(call: Call) -> Response:
    """Shows a campaign: how it goes, by wave and state."""
    register = await Register.of(call)
    campaign = await register.get(id_of(call))
    counts: dict[str, Counter[str]] = {}
    offset = 0
    while rows := await register.page("FirmwareUpdate", 1000, offset, linked=("campaign", id_of(call))):
        offset += len(rows)
        for row in rows:
            counts.setdefault(str(row["updateWave"]), Counter())[row["updateState"]] += 1
    return json_reply({**campaign, "waves": dict(sorted(counts.items()))})


async def list_updates(call: Call) -> Response:
    """Lists how the devices of a campaign fare."""
    register = await Register.of(call)
    await register.get(id_of(call))
    rows = await register.page("FirmwareUpdate", *page_of(call), linked=("campaign", id_of(call)))
    return json_reply(rows)


async def order_campaign(call: Call) -> Response:
    """Pauses, resumes or cancels a campaign: ``{"state": "paused" | "running" | "cancelled"}``."""
    register, body = await Register.of(call), await object_body(call)
    campaign = await register.get(id_of(call))
    state = text_member(body, "state")
    if state not in ("paused", "running", "cancelled"):
        raise BadInput(
            "iot.step", state=campaign["campaignState"], to=state, allowed="paused, running, cancelled"
        )
    order = msgspec.msgpack.encode(CampaignOrder(id_of(call), state))
    await call.services.bus.request(ORDER, order, call.principal, timeout_s=60)
    return json_reply({"id": id_of(call), "state": state})


async def _stored(call: Call, firmware: Firmware, data: bytes) -> Firmware:
    """Keeps the file and returns the firmware with what is known of it."""
    found = sha256(data).hexdigest()
    if firmware.sha256 and firmware.sha256 != found:
        raise BadInput("firmware.hash", given=firmware.sha256, found=found)
    key = f"firmware/{firmware.kind}/{firmware.version}"
    await call.services.objects.put(key, data)
    url = firmware.url
    if not url:
        secret = token_urlsafe(24)
        file = FirmwareFile(key, f"{firmware.kind}-{firmware.version}.bin")
        put = RecordPut(FILES, "", secret, msgspec.json.encode(file))
        await keep_records(call.services.bus, call.principal, [put])
        url = f"{_home(call)}/api/firmware/files/{secret}"
    return msgspec.structs.replace(firmware, sha256=found, size=len(data), url=url)


def _home(call: Call) -> str:
    """Returns where devices find this node."""
    http = call.services.settings.http
    return http.url.rstrip("/") or f"http://{http.host}:{http.port}"


def _own_division(call: Call) -> str:
    """Returns the division that what the caller makes belongs to: the node's, or the first of the reach."""
    prefixes = call.reach.prefixes
    return prefixes[0].ljust(6, "0") if prefixes else call.services.settings.node.division


async def _firmware(call: Call, id: str) -> Firmware:
    """Returns firmware; whoever added it, any division may bring it to its devices."""
    context = await call.services.contexts.resolve(call.services.types.context())
    body = await call.services.state.get(Reach(call.tenant), id)
    found = {} if body is None else plain(body, context)
    if found.get("type") != "DeviceFirmware":
        raise NotFound("firmware.absent", id=id)
    return of_entity(found)


async def _chosen(register: Register, body: dict[str, object], firmware: Firmware) -> list[Device]:
    """Returns the devices that the campaign is for; none of them may be in another."""
    wanted = as_object(body.get("selection", {}), "selection")
    selection = selection_of({"selection": {"kind": firmware.kind, **wanted}})
    devices = [
        device
        async for device in register.each(selection)
        if device.get("deviceKind") == firmware.kind and device.get("lifecycle") in ("registered", "active")
    ]
    if not devices:
        raise BadInput("campaign.nobody", kind=firmware.kind)
    if busy := await register.busy(devices):
        raise Conflict("campaign.busy", id=busy)
    return devices


def _updates(campaign: Campaign, devices: list[str]) -> list[Update]:
    name = campaign.id.rpartition(":")[2]
    found: list[Update] = []
    for place, device in enumerate(drawn(campaign.id, devices)):
        wave = next(number for number, bound in enumerate(campaign.bounds) if place < bound)
        found.append(Update(make_urn("FirmwareUpdate", name, str(place)), device, wave))
    return found


def _around(divisions: list[str]) -> str:
    """Returns the smallest division that holds all of these."""
    first = divisions[0]
    for size in (6, 4, 2):
        if all(each[:size] == first[:size] for each in divisions):
            return first[:size].ljust(6, "0")
    return "100000"

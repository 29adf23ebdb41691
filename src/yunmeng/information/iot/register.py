"""What the register does to the node: devices are kept whole or not at all, gateways hear of them at once."""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from yunmeng.information.iot.code import read_code
from yunmeng.information.iot.devices import (
    NewDevice,
    check_step,
    entity,
    entity_id,
    record,
    with_codes,
)
from yunmeng.information.iot.kinds import kind
from yunmeng.kernel.base import Conflict, NotFound, format_us, now_us
from yunmeng.kernel.keeper import RecordPut
from yunmeng.kernel.model import (
    Context,
    Create,
    Document,
    Merge,
    Operation,
    compact_entity,
    expand_entity,
    parse_types,
)
from yunmeng.kernel.sense import DEVICES, DeviceRecord, device_id
from yunmeng.kernel.serve import Call, keep_records, write, write_one
from yunmeng.kernel.store import EntityQuery

_PAGE = 1000
_EXISTS = 409


class Register:
    """The register as one caller sees it: only devices of the divisions that he reaches."""

    def __init__(self, call: Call, context: Context) -> None:
        self._call = call
        self._context = context

    @classmethod
    async def of(cls, call: Call) -> "Register":
        """Opens the register for a call."""
        return cls(call, await call.services.contexts.resolve(call.services.types.context()))

    async def add(self, devices: Sequence[NewDevice]) -> list[str]:
        """Registers devices and returns the ids of their entities, in order.

        Raises:
            Conflict: ``iot.known`` naming the first that is registered already; then none is.
        """
        coded = await self._coded(devices)
        await self._refuse_known([entity_id(device) for device in coded])
        at = format_us(now_us())
        bodies = [entity(device, at) for device in coded]
        outcomes = await write(self._call, [Create(expand_entity(body, self._context)) for body in bodies])
        await self._note([found for device in coded if (found := record(device))])
        for outcome in outcomes:
            if outcome.done == "refused":
                raise Conflict("iot.known", id=outcome.id)
        return [outcome.id for outcome in outcomes]

    async def page(self, type_: str, limit: int, offset: int) -> list[dict[str, Any]]:
        """Returns devices (or poles) in simplified form."""
        query = EntityQuery(
            self._call.reach, types=parse_types(type_, self._context), limit=limit, offset=offset
        )
        page = await self._call.services.state.query(query)
        return [self._plain(body) for body in page.documents]

    async def get(self, id: str) -> dict[str, Any]:
        """Returns one in simplified form. Raises ``NotFound("iot.absent")``, also out of reach."""
        body = await self._call.services.state.get(self._call.reach, id)
        if body is None:
            raise NotFound("iot.absent", id=id)
        return self._plain(body)

    async def step(self, id: str, to: str) -> dict[str, Any]:
        """Leads a device into the next state of its life. Raises ``BadInput("iot.step")``."""
        device = await self.get(id)
        check_step(str(device.get("lifecycle", "registered")), to)
        await self.change(id, {"lifecycle": to})
        known = await self.record_of(device)
        if known is not None:
            await self._note([msgspec.structs.replace(known, state=to)])
        return {**device, "lifecycle": to}

    async def change(self, id: str, members: Mapping[str, Any]) -> None:
        """Changes members of an entity."""
        fragment: Document = expand_entity({"id": id, "type": "Device", **members}, self._context)
        fragment.pop("type")
        fragment.pop("id")
        await write_one(self._call, Merge(id, fragment))

    async def create(self, body: Mapping[str, Any]) -> None:
        """Makes an entity that belongs to a device, such as a fault."""
        await write_one(self._call, Create(expand_entity(dict(body), self._context)))

    async def record_of(self, device: Mapping[str, Any]) -> DeviceRecord | None:
        """Returns what the gateway knows of a device."""
        if not device.get("protocol"):
            return None
        found = await self._call.services.state.record(
            DEVICES, "", device_id(device["protocol"], device["address"])
        )
        return None if found is None else msgspec.json.decode(found.body, type=DeviceRecord)

    async def keep(self, record: DeviceRecord) -> None:
        """Tells the gateway something new of a device."""
        await self._note([record])

    def _plain(self, body: bytes) -> dict[str, Any]:
        return compact_entity(msgspec.json.decode(body, type=Document), self._context, "simplified")

    async def _note(self, records: Sequence[DeviceRecord]) -> None:
        puts = [
            RecordPut(DEVICES, "", device_id(each.gateway, each.address), msgspec.json.encode(each))
            for each in records
        ]
        if puts:
            await keep_records(self._call.services.bus, self._call.principal, puts)

    async def _refuse_known(self, ids: Sequence[str]) -> None:
        for start in range(0, len(ids), _PAGE):
            some = tuple(ids[start : start + _PAGE])
            page = await self._call.services.state.query(EntityQuery(self._call.reach, ids=some, limit=1))
            if page.documents:
                raise Conflict("iot.known", id=msgspec.json.decode(page.documents[0], type=Document)["id"])

    async def _coded(self, devices: Sequence[NewDevice]) -> list[NewDevice]:
        """Gives codes, and reserves their numbers so that nobody gives them twice."""
        keys = {(device.division, kind(device.kind).class_) for device in devices}
        while True:
            taken = {key: await self._last_number(*key) for key in keys}
            coded = with_codes(devices, taken)
            outcomes = await write(self._call, self._reservations(coded, taken))
            refused = [outcome for outcome in outcomes if outcome.done == "refused"]
            if not refused:
                return coded
            if refused[0].status != _EXISTS:
                raise Conflict("iot.known", id=refused[0].id)

    def _reservations(
        self, coded: Sequence[NewDevice], taken: Mapping[tuple[str, str], int]
    ) -> list[Operation]:
        highest = dict(taken)
        for device in coded:
            place, class_, number = read_code(device.code)
            highest[place, class_] = max(highest[place, class_], number)
        # two who reserve at once choose the same id, and the keeper lets one of them have it
        bodies = [
            {
                "id": f"urn:ngsi-ld:DeviceCodeRange:{place}:{class_}:{taken[place, class_] + 1}",
                "type": "DeviceCodeRange",
                "division": place,
                "deviceClass": class_,
                "lastNumber": last,
            }
            for (place, class_), last in highest.items()
            if last > taken[place, class_]
        ]
        return [Create(expand_entity(body, self._context)) for body in bodies]

    async def _last_number(self, place: str, class_: str) -> int:
        pattern = f"^urn:ngsi-ld:DeviceCodeRange:{place}:{class_}:"
        last, after = 0, ""
        while True:
            page = await self._call.services.state.query(
                EntityQuery(
                    self._call.reach,
                    types=parse_types("DeviceCodeRange", self._context),
                    id_pattern=pattern,
                    limit=_PAGE,
                    after=after,
                )
            )
            plain = [self._plain(body) for body in page.documents]
            last = max([last, *(int(each["lastNumber"]) for each in plain)])
            if len(plain) < _PAGE:
                return last
            after = plain[-1]["id"]

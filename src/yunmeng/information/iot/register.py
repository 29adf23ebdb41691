"""What the register does to the node: devices are kept whole or not at all, gateways hear of them at once."""

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import msgspec

from yunmeng.information.iot.campaign import OPEN
from yunmeng.information.iot.caring import moment
from yunmeng.information.iot.devices import NewDevice, check_step, entity, entity_id, record
from yunmeng.information.iot.numbering import numbered
from yunmeng.information.iot.plain import plain
from yunmeng.information.iot.selection import Selection
from yunmeng.kernel.base import Conflict, NotFound, YunmengError, format_us, now_us
from yunmeng.kernel.keeper import RecordPut
from yunmeng.kernel.model import (
    Compare,
    Context,
    Create,
    Merge,
    Operand,
    Operation,
    Path,
    Upsert,
    expand_entity,
    expand_fragment,
    parse_types,
)
from yunmeng.kernel.sense import DEVICES, DeviceRecord, device_id
from yunmeng.kernel.serve import Call, keep_records, write, write_one
from yunmeng.kernel.store import EntityQuery

_PAGE = 1000

Device = dict[str, Any]


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
        coded = await numbered(self._call, self._context, devices)
        met = await self._met([entity_id(device) for device in coded])
        at = format_us(now_us())
        outcomes = await write(self._call, [self._new(entity(device, at), met) for device in coded])
        await self._note([found for device in coded if (found := record(device))])
        for outcome in outcomes:
            if outcome.done == "refused":
                raise Conflict("iot.known", id=outcome.id)
        return [outcome.id for outcome in outcomes]

    async def page(
        self,
        type_: str,
        limit: int,
        offset: int = 0,
        selection: Selection | None = None,
        linked: tuple[str, str] = ("", ""),
    ) -> list[Device]:
        """Returns entities of a type in simplified form: selected devices, or what a relationship links."""
        query = self._query(type_, selection or Selection())
        name, to = linked
        if to:
            link = Compare(Path(self._context.expand(name)), "==", (Operand("uri", to),))
            query = replace(query, conditions=link)
        page = await self._call.services.state.query(replace(query, limit=limit, offset=offset))
        return [self._plain(body) for body in page.documents]

    async def each(self, selection: Selection, type_: str = "Device") -> AsyncIterator[Device]:
        """Yields every selected device, ordered by id."""
        query = replace(self._query(type_, selection), limit=_PAGE)
        while True:
            page = await self._call.services.state.query(query)
            found = [self._plain(body) for body in page.documents]
            for device in found:
                yield device
            if len(found) < _PAGE:
                return
            query = replace(query, after=found[-1]["id"])

    async def get(self, id: str) -> Device:
        """Returns one in simplified form. Raises ``NotFound("iot.absent")``, also out of reach."""
        body = await self._call.services.state.get(self._call.reach, id)
        if body is None:
            raise NotFound("iot.absent", id=id)
        return self._plain(body)

    async def step(self, id: str, to: str) -> Device:
        """Leads a device into the next state of its life. Raises ``BadInput("iot.step")``."""
        device = await self.get(id)
        check_step(str(device.get("lifecycle", "registered")), to)
        await self._stepped([device], to)
        return {**device, "lifecycle": to}

    async def step_all(self, devices: Sequence[Device], to: str) -> dict[str, YunmengError]:
        """Leads devices into the next state of their life; returns why some may not, by id."""
        refused: dict[str, YunmengError] = {}
        for device in devices:
            try:
                check_step(str(device.get("lifecycle", "registered")), to)
            except YunmengError as error:
                refused[device["id"]] = error
        await self._stepped([device for device in devices if device["id"] not in refused], to)
        return refused

    async def change(self, id: str, members: Mapping[str, Any]) -> None:
        """Changes members of an entity."""
        await write_one(self._call, self._merge(id, members))

    async def change_all(self, changes: Mapping[str, Mapping[str, Any]]) -> None:
        """Changes members of many entities, by id; one that is gone meanwhile stays away."""
        if changes:
            await write(self._call, [self._merge(id, members) for id, members in changes.items()])

    async def busy(self, devices: Sequence[Device]) -> str:
        """Returns a device among these that a firmware campaign is not done with, or nothing."""
        states = tuple(Operand("string", state) for state in sorted(OPEN))
        condition = Compare(Path(self._context.expand("updateState")), "==", states)
        query = replace(self._query("FirmwareUpdate", Selection()), conditions=condition, limit=_PAGE)
        wanted, after = {device["id"] for device in devices}, ""
        while True:
            page = await self._call.services.state.query(replace(query, after=after))
            found = [self._plain(body) for body in page.documents]
            for each in found:
                if each["device"] in wanted:
                    return str(each["device"])
            if len(found) < _PAGE:
                return ""
            after = found[-1]["id"]

    async def write(self, bodies: Sequence[Mapping[str, Any]]) -> None:
        """Makes or changes entities that belong to devices."""
        await write(
            self._call, [Upsert(expand_entity(dict(body), self._context), "update") for body in bodies]
        )

    async def create(self, *bodies: Mapping[str, Any]) -> None:
        """Makes entities that belong to devices, such as a fault."""
        for body in bodies:
            await write_one(self._call, Create(expand_entity(dict(body), self._context)))

    async def record_of(self, device: Mapping[str, Any]) -> DeviceRecord | None:
        """Returns what the gateway knows of a device."""
        if not (device.get("protocol") and device.get("address")):
            return None
        found = await self._call.services.state.record(
            DEVICES, "", device_id(device["protocol"], device["address"])
        )
        return None if found is None else msgspec.json.decode(found.body, type=DeviceRecord)

    async def keep(self, record: DeviceRecord) -> None:
        """Tells the gateway something new of a device."""
        await self._note([record])

    def _query(self, type_: str, selection: Selection) -> EntityQuery:
        return EntityQuery(
            self._call.reach,
            ids=selection.ids,
            types=parse_types(type_, self._context),
            conditions=selection.condition(self._context),
            divisions=selection.divisions,
        )

    async def _stepped(self, devices: Sequence[Device], to: str) -> None:
        now = {"commissionedAt": moment(format_us(now_us()))} if to == "active" else {}
        first = {device["id"]: "commissionedAt" not in device for device in devices}
        await self.change_all({id: {"lifecycle": to, **(now if new else {})} for id, new in first.items()})
        known = [found for device in devices if (found := await self.record_of(device))]
        await self._note([msgspec.structs.replace(each, state=to) for each in known])

    def _merge(self, id: str, members: Mapping[str, Any]) -> Merge:
        return Merge(id, expand_fragment(dict(members), self._context))

    def _plain(self, body: bytes) -> Device:
        return plain(body, self._context)

    async def _note(self, records: Sequence[DeviceRecord]) -> None:
        puts = [
            RecordPut(DEVICES, "", device_id(each.gateway, each.address), msgspec.json.encode(each))
            for each in records
        ]
        if puts:
            await keep_records(self._call.services.bus, self._call.principal, puts)

    def _new(self, body: Mapping[str, Any], met: set[str]) -> Operation:
        if body["id"] not in met:
            return Create(expand_entity(dict(body), self._context))
        # it spoke before anybody registered it, and may be online this moment
        kept = {name: value for name, value in body.items() if name != "deviceState"}
        return Upsert(expand_entity(kept, self._context), "update")

    async def _met(self, ids: Sequence[str]) -> set[str]:
        """Returns which devices have spoken already. Raises ``Conflict`` for one that is registered."""
        met: set[str] = set()
        for start in range(0, len(ids), _PAGE):
            some = tuple(ids[start : start + _PAGE])
            query = EntityQuery(self._call.reach, ids=some, limit=_PAGE)
            for device in map(self._plain, (await self._call.services.state.query(query)).documents):
                if "deviceCode" in device:
                    raise Conflict("iot.known", id=device["id"])
                met.add(device["id"])
        return met

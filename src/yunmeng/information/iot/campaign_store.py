"""Where campaigns are kept: a record each, and entities that anybody in reach may read."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec

from yunmeng.information.iot.campaign import Campaign, Update
from yunmeng.information.iot.plain import plain
from yunmeng.kernel.base import now_us
from yunmeng.kernel.keeper import RECORDS, WRITE, RecordPut, RecordsRequest, WriteRequest
from yunmeng.kernel.model import (
    Compare,
    Context,
    Merge,
    Operand,
    Operation,
    Path,
    Upsert,
    expand_entity,
    expand_fragment,
    parse_types,
)
from yunmeng.kernel.serve import AUDIT_SUBJECT, Services, encode_events
from yunmeng.kernel.store import EntityQuery
from yunmeng.kernel.trust import AuditEvent, Principal, Reach

CAMPAIGNS = "firmware-campaign"
"""The kind of the records."""

SERVICE = Principal("urn:yunmeng:service:firmware", kind="service", roles=("service",))
_PAGE, _PACK = 1000, 250
_PATIENCE_S = 60.0


class CampaignStore:
    """Reads and writes campaigns, as the node's own service."""

    def __init__(self, services: Services, context: Context) -> None:
        self._services = services
        self._context = context

    async def campaigns(self) -> list[Campaign]:
        """Returns every campaign that was ever begun."""
        records = await self._services.state.records(CAMPAIGNS)
        return [msgspec.json.decode(record.body, type=Campaign) for record in records]

    async def keep(self, campaign: Campaign, updates: Sequence[Update]) -> None:
        """Stores a campaign, and what its entity says of it."""
        put = RecordPut(CAMPAIGNS, campaign.tenant, campaign.id, msgspec.json.encode(campaign))
        request = RecordsRequest(puts=(put,))
        await self._ask(RECORDS, request)
        await self.describe(campaign, updates)

    async def describe(self, campaign: Campaign, updates: Sequence[Update]) -> None:
        """Has the entity of a campaign say how it goes."""
        body = campaign_entity(campaign, updates)
        await self._write(campaign.tenant, [Upsert(expand_entity(body, self._context), "update")])

    async def updates(self, campaign: Campaign) -> list[Update]:
        """Returns how the devices of a campaign fare, as last stored."""
        link = Compare(Path(self._context.expand("campaign")), "==", (Operand("uri", campaign.id),))
        types = parse_types("FirmwareUpdate", self._context)
        found: list[Update] = []
        after = ""
        while True:
            query = EntityQuery(
                Reach(campaign.tenant), types=types, conditions=link, limit=_PAGE, after=after
            )
            page = await self._services.state.query(query)
            rows = [plain(body, self._context) for body in page.documents]
            found += [_update(row) for row in rows]
            if len(rows) < _PAGE:
                return found
            after = rows[-1]["id"]

    async def note(self, tenant: str, updates: Iterable[Update]) -> None:
        """Stores how devices fare now."""
        await self._merge(tenant, {each.id: _members(each) for each in updates})

    async def has_firmware(self, tenant: str, device: str, version: str) -> None:
        """Has a device's entity say which firmware it has."""
        await self._merge(tenant, {device: {"firmwareVersion": version}})

    async def forget_progress(self, tenant: str, device: str) -> None:
        """Takes away what a device said of an update before this one."""
        await self._merge(tenant, {device: {"firmwareProgress": "urn:ngsi-ld:null"}})

    async def devices(self, tenant: str, ids: Sequence[str]) -> dict[str, dict[str, Any]]:
        """Returns devices by id, those that are there."""
        query = EntityQuery(Reach(tenant), ids=tuple(ids), limit=max(1, len(ids)))
        page = await self._services.state.query(query) if ids else None
        found = [plain(body, self._context) for body in page.documents] if page else []
        return {each["id"]: each for each in found}

    async def audit(self, campaign: Campaign, device: str, command: str) -> None:
        """Writes down that a device was told to take firmware, and on whose behalf."""
        facts = {"campaign": campaign.id, "command": command, "version": campaign.firmware.version}
        event = AuditEvent(
            now_us(), campaign.by, "command.send", device, "allow", campaign.tenant, facts=facts
        )
        await self._services.bus.publish(AUDIT_SUBJECT, encode_events([event]), SERVICE)

    async def _merge(self, tenant: str, changes: Mapping[str, Mapping[str, Any]]) -> None:
        await self._write(
            tenant, [Merge(id, expand_fragment(dict(made), self._context)) for id, made in changes.items()]
        )

    async def _write(self, tenant: str, operations: Sequence[Operation]) -> None:
        for start in range(0, len(operations), _PACK):
            request = WriteRequest(Reach(tenant), tuple(operations[start : start + _PACK]))
            await self._ask(WRITE, request)

    async def _ask(self, subject: str, request: WriteRequest | RecordsRequest) -> None:
        data = msgspec.msgpack.encode(request)
        await self._services.bus.request(subject, data, SERVICE, timeout_s=_PATIENCE_S)


def campaign_entity(campaign: Campaign, updates: Sequence[Update]) -> dict[str, Any]:
    """Returns the NGSI-LD body of a campaign."""
    count = {
        state: sum(each.state == state for each in updates) for state in ("applied", "failed", "skipped")
    }
    return {
        "id": campaign.id,
        "type": "FirmwareCampaign",
        "division": campaign.division,
        "name": f"{campaign.firmware.name or campaign.firmware.kind} {campaign.firmware.version}",
        "firmware": {"type": "Relationship", "object": campaign.firmware.id},
        "firmwareVersion": campaign.firmware.version,
        "campaignState": campaign.state,
        "campaignReason": campaign.reason or "-",
        "currentWave": campaign.wave + 1,
        "devicesChosen": len(updates),
        "devicesApplied": count["applied"],
        "devicesFailed": count["failed"],
        "devicesSkipped": count["skipped"],
    }


def update_entity(campaign: Campaign, update: Update, division: str) -> dict[str, Any]:
    """Returns the NGSI-LD body of how one device fares."""
    return {
        "id": update.id,
        "type": "FirmwareUpdate",
        "division": division,
        "campaign": {"type": "Relationship", "object": campaign.id},
        "device": {"type": "Relationship", "object": update.device},
        "updateWave": update.wave + 1,
        **_members(update),
    }


def _members(update: Update) -> dict[str, Any]:
    return {"updateState": update.state, "updateReason": update.reason or "-"}


def _update(row: Mapping[str, Any]) -> Update:
    reason = str(row.get("updateReason", "-"))
    return Update(
        id=str(row["id"]),
        device=str(row["device"]),
        wave=int(row["updateWave"]) - 1,
        state=row["updateState"],
        since=now_us(),
        reason="" if reason == "-" else reason,
    )

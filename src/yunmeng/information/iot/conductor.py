"""One firmware campaign at work: devices are told, watched until they have it, given up in time."""

import asyncio
from collections import deque
from collections.abc import Mapping, Sequence
from typing import Any, cast

import msgspec

from yunmeng.information.iot.campaign import Campaign, State, Update, UpdateState, told, verdict
from yunmeng.information.iot.campaign_store import SERVICE, CampaignStore
from yunmeng.information.iot.firmware import order_of
from yunmeng.information.iot.kinds import kind
from yunmeng.information.iot.ordering import send_command
from yunmeng.kernel.base import Unavailable, YunmengError, now_us
from yunmeng.kernel.link import Bus

_LOOKED_AT = 500
_NOT_THERE = ("device.offline", "bus.no-answer")


class Conductor:
    """Leads one campaign; :meth:`tick` is called about once a second."""

    def __init__(self, bus: Bus, store: CampaignStore, campaign: Campaign, updates: Sequence[Update]) -> None:
        self.campaign = campaign
        self._bus = bus
        self._store = store
        self._updates = {each.id: each for each in updates}
        self._waiting: deque[Update] = deque()
        self._flying: dict[str, asyncio.Task[None]] = {}
        self._changed: dict[str, Update] = {}
        self._failures = kind(campaign.firmware.kind).firmware.failed
        for each in updates:
            if each.state == "sent":
                # the process ended between telling it and its answer: told twice is better than never
                each.state = "pending"
        self._enter_wave()

    @property
    def updates(self) -> list[Update]:
        """How every device fares."""
        return list(self._updates.values())

    @property
    def is_over(self) -> bool:
        """Whether nothing is left to be done or watched."""
        return self.campaign.state in ("done", "cancelled") and not any(
            each.state in ("sent", "downloading") for each in self._updates.values()
        )

    async def tick(self) -> None:
        """Tells devices whose turn it is, watches those that were told, ends the wave or the campaign."""
        if self.campaign.state == "running":
            await self._tell_some()
        await self._watch()
        if self.campaign.state == "running":
            await self._judge()
        await self._write_down()

    async def order(self, state: State) -> None:
        """Pauses, resumes or cancels it."""
        failed = sum(each.state == "failed" and each.wave == self.campaign.wave for each in self.updates)
        forgiven = failed if state == "running" else self.campaign.forgiven
        self.campaign = msgspec.structs.replace(self.campaign, state=state, reason="", forgiven=forgiven)
        if state == "cancelled":
            for each in self._updates.values():
                if each.state == "pending" and each.device not in self._flying:
                    self._set(each, "skipped", "cancelled")
        await self._write_down(keep=True)

    async def close(self) -> None:
        """Lets go of what is on its way; it is told again at the next start."""
        for task in self._flying.values():
            task.cancel()
        await asyncio.gather(*self._flying.values(), return_exceptions=True)

    def _enter_wave(self) -> None:
        mine = (each for each in self._updates.values() if each.wave == self.campaign.wave)
        self._waiting = deque(each for each in mine if each.state == "pending")

    async def _tell_some(self) -> None:
        """Looks at some of those that wait, each in its turn."""
        room = self.campaign.plan.at_once - len(self._flying)
        looked = [self._waiting.popleft() for _ in range(min(_LOOKED_AT, len(self._waiting)))]
        devices = await self._store.devices(self.campaign.tenant, [each.device for each in looked])
        for update in looked:
            device = devices.get(update.device)
            if (reason := self._needless(device)) is not None:
                self._set(update, "skipped", reason)
            elif device is not None and device.get("deviceState") == "online" and room > 0:
                room -= 1
                self._flying[update.device] = asyncio.create_task(self._tell(update, device))
            elif self._is_late(device):
                self._set(update, "skipped", "offline")
            else:
                self._waiting.append(update)

    def _needless(self, device: Mapping[str, Any] | None) -> str | None:
        if device is None:
            return "absent"
        if device.get("lifecycle") in ("retired", "suspended"):
            return str(device["lifecycle"])
        return "has it" if device.get("firmwareVersion") == self.campaign.firmware.version else None

    def _is_late(self, device: Mapping[str, Any] | None) -> bool:
        offline = device is None or device.get("deviceState") != "online"
        return offline and now_us() - self.campaign.began > self.campaign.plan.patience_s * 1e6

    async def _tell(self, update: Update, device: Mapping[str, Any]) -> None:
        """Has one device take the firmware; that it is being told is on disk before it is told."""
        command, arguments = order_of(self.campaign.firmware)
        try:
            self._set(update, "sent")
            if "firmwareProgress" in device:
                await self._store.forget_progress(self.campaign.tenant, update.device)
            await self._store.note(self.campaign.tenant, [update])
            await self._store.audit(self.campaign, update.device, command)
            try:
                answer = await send_command(self._bus, SERVICE, device, command, arguments)
            except YunmengError as error:
                self._not_told(update, error)
                return
            answered = kind(self.campaign.firmware.kind).firmware.answered
            await self._came(update, "applied" if answered else told(answer))
        except Unavailable as error:
            # our own stores are away: it waits for its turn once more
            self._wait_again(update, error.key)
        finally:
            self._flying.pop(update.device, None)

    def _not_told(self, update: Update, error: YunmengError) -> None:
        if error.key in _NOT_THERE:
            self._wait_again(update, error.key)
        elif error.key == "device.gone":
            # it may have begun to install and be starting anew: what it says later counts
            self._set(update, "downloading", error.key)
        else:
            self._set(update, "failed", f"{error.key}: {error}")

    def _wait_again(self, update: Update, reason: str) -> None:
        self._set(update, "pending", reason)
        if update.wave == self.campaign.wave:
            self._waiting.append(update)

    async def _watch(self) -> None:
        """Looks whether devices that were told have the firmware by now."""
        now, every = now_us(), int(self.campaign.plan.ask_every_s * 1e6)
        due = [
            each
            for each in self._updates.values()
            if each.state == "downloading" and each.device not in self._flying and now - each.asked >= every
        ][:_LOOKED_AT]
        devices = await self._store.devices(self.campaign.tenant, [each.device for each in due])
        for update in due:
            update.asked = now
            device = devices.get(update.device, {})
            if device.get("firmwareVersion") == self.campaign.firmware.version:
                self._set(update, "applied")
            elif (progress := device.get("firmwareProgress")) in self._failures:
                self._set(update, "failed", str(progress))
            elif now - update.since > self.campaign.plan.within_s * 1e6:
                self._set(update, "failed", "not applied in time")
            elif self._can_be_asked(device) and len(self._flying) < self.campaign.plan.at_once:
                self._flying[update.device] = asyncio.create_task(self._ask(update, device))

    def _can_be_asked(self, device: Mapping[str, Any]) -> bool:
        return bool(kind(self.campaign.firmware.kind).firmware.ask) and device.get("deviceState") == "online"

    async def _ask(self, update: Update, device: Mapping[str, Any]) -> None:
        """Asks a device which firmware it has; one that does not answer is asked again later."""
        how = kind(self.campaign.firmware.kind).firmware
        try:
            answer = await send_command(self._bus, SERVICE, device, how.ask, {})
            found = cast("dict[str, object]", answer) if isinstance(answer, dict) else {}
            if found.get(how.member) == self.campaign.firmware.version:
                await self._came(update, "applied")
        except YunmengError:
            return
        finally:
            self._flying.pop(update.device, None)

    async def _came(self, update: Update, state: UpdateState) -> None:
        self._set(update, state)
        if state == "applied":
            version = self.campaign.firmware.version
            await self._store.has_firmware(self.campaign.tenant, update.device, version)

    async def _judge(self) -> None:
        """Stops the campaign, goes on to the next wave, or ends it."""
        found = verdict(self.campaign, self._updates.values())
        if found == "go-on":
            return
        if found == "stop":
            wave = [each for each in self.updates if each.wave == self.campaign.wave]
            failed = sum(each.state == "failed" for each in wave)
            reason = f"{failed} / {len(wave)} > {self.campaign.plan.stop_share:.0%}"
            self.campaign = msgspec.structs.replace(self.campaign, state="stopped", reason=reason)
        elif found == "done":
            self.campaign = msgspec.structs.replace(self.campaign, state="done")
        else:
            wave = self.campaign.wave + 1
            self.campaign = msgspec.structs.replace(self.campaign, wave=wave, began=now_us(), forgiven=0)
            self._enter_wave()
        await self._write_down(keep=True)

    def _set(self, update: Update, state: UpdateState, reason: str = "") -> None:
        update.state, update.reason, update.since = state, reason, now_us()
        self._changed[update.id] = update

    async def _write_down(self, *, keep: bool = False) -> None:
        changed, self._changed = self._changed, {}
        try:
            if changed:
                await self._store.note(self.campaign.tenant, changed.values())
            if keep:
                await self._store.keep(self.campaign, self.updates)
            elif changed:
                await self._store.describe(self.campaign, self.updates)
        except BaseException:
            self._changed = {**changed, **self._changed}
            raise

"""Wishes that devices have not fulfilled yet, in the worker process: sent as soon as a device is there.

A device that does not answer is asked again, ever more seldom; one that refuses is left alone until somebody
wishes for something else.
"""

import asyncio
import logging
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, NamedTuple

import msgspec

from yunmeng.information.iot.kinds import template
from yunmeng.information.iot.ordering import send_command
from yunmeng.information.iot.plain import plain
from yunmeng.information.iot.shadow import confirmed, missing, refused, unanswered
from yunmeng.kernel.base import Unavailable, YunmengError, now_us
from yunmeng.kernel.keeper import WRITE, WriteReply, WriteRequest
from yunmeng.kernel.model import And, Compare, Context, Merge, Operand, Path, expand_fragment, parse_types
from yunmeng.kernel.sense import read_listen
from yunmeng.kernel.serve import AUDIT_SUBJECT, Services, encode_events
from yunmeng.kernel.store import EntityQuery
from yunmeng.kernel.trust import AuditEvent, Principal, Reach

_SERVICE = Principal("urn:yunmeng:service:shadow", kind="service", roles=("service",))
_OPEN = {"configurationState": ("pending", "sent"), "deviceState": ("online",)}
_PACE_S = 2.0
# whoever sent it may wait so long for the answer; then he has ended without a word
_SENT_S = 120.0
_AT_ONCE, _LOOKED_AT = 50, 500
_PAUSE_S, _LONGEST_PAUSE_S = 30.0, 3600.0
_PATIENCE_S = 60.0
_TRIES = 10

_log = logging.getLogger("yunmeng.shadow")

Device = Mapping[str, Any]
Key = tuple[str, str]
Said = Callable[[Device], Mapping[str, Any]]


class _Rest(NamedTuple):
    """Until when (monotonic seconds) a device is left alone, and how long it was for want of an answer."""

    until: float
    pause: float = 0.0


class _Stored(msgspec.Struct, rename="camel"):
    modified_at: str


async def work(services: Services) -> None:
    """Fulfils wishes until it is cancelled."""
    context = await services.contexts.resolve(services.types.context())
    async with asyncio.TaskGroup() as tasks:
        wishes = Wishes(services, context, tasks)
        while True:
            try:
                await wishes.look()
            except YunmengError as error:
                _log.warning("wishes wait: %s", error)
            await asyncio.sleep(_PACE_S)


class Wishes:
    """All open wishes of a node, in every tenant that its gateways know."""

    def __init__(self, services: Services, context: Context, tasks: asyncio.TaskGroup) -> None:
        self._services = services
        self._context = context
        self._tasks = tasks
        listens = [read_listen(*each) for each in services.settings.gateways.items()]
        self._tenants = {"", *(listen.options.get("tenant", "") for listen in listens)}
        self._rests: dict[Key, _Rest] = {}
        self._asked = set[Key]()
        self._gate = asyncio.Semaphore(_AT_ONCE)

    async def look(self) -> None:
        """Begins to send what is wished for to the devices that are there and not at rest."""
        found = {(tenant, each["id"]): each for tenant in self._tenants for each in await self._open(tenant)}
        self._rests = {key: rest for key, rest in self._rests.items() if key in found}
        for key, device in found.items():
            if key not in self._asked and self._is_due(key, device):
                self._asked.add(key)
                self._tasks.create_task(self._fulfil(key, device))

    async def _open(self, tenant: str) -> Sequence[Device]:
        """Returns devices that are there and have not confirmed what is wished for."""
        conditions = And(tuple(self._among(name, values) for name, values in _OPEN.items()))
        types = parse_types("Device", self._context)
        query = EntityQuery(Reach(tenant), types=types, conditions=conditions, limit=_LOOKED_AT)
        found: list[Device] = []
        while True:
            page = await self._services.state.query(query)
            found += [self._device(body) for body in page.documents]
            if len(page.documents) < _LOOKED_AT:
                return found
            query = replace(query, after=found[-1]["id"])

    def _among(self, name: str, values: tuple[str, ...]) -> Compare:
        operands = tuple(Operand("string", value) for value in values)
        return Compare(Path(self._context.expand(name)), "==", operands)

    def _device(self, body: bytes) -> Device:
        stored = msgspec.json.decode(body, type=_Stored)
        return {**plain(body, self._context), "modifiedAt": stored.modified_at}

    def _is_due(self, key: Key, device: Device) -> bool:
        now = time.monotonic()
        if device["configurationState"] == "sent":
            self._rests.setdefault(key, _Rest(now + _SENT_S))
        rest = self._rests.get(key)
        return rest is None or now >= rest.until

    async def _fulfil(self, key: Key, device: Device) -> None:
        wanted = missing(device)
        try:
            async with self._gate:
                said = await self._ask(key, device, wanted)
            await self._write(key, said)
        except YunmengError as error:
            _log.warning("%s: %s", key[1], error)
        finally:
            self._asked.discard(key)

    async def _ask(self, key: Key, device: Device, wanted: Mapping[str, object]) -> Said:
        """Asks a device for what is wished for; returns what its entity says of that."""
        try:
            if wanted:
                await self._send(key[0], device, wanted)
        except Unavailable as error:
            self._rest(key)
            return partial(_still, unanswered(error))
        except YunmengError as error:
            return partial(_unless_changed, refused(error), wanted)
        self._rests.pop(key, None)
        return partial(confirmed, wanted)

    async def _send(self, tenant: str, device: Device, wanted: Mapping[str, object]) -> None:
        name = template(device).configure
        facts = {"command": name}
        event = AuditEvent(now_us(), _SERVICE.id, "command.send", device["id"], "allow", tenant, facts=facts)
        await self._services.bus.publish(AUDIT_SUBJECT, encode_events([event]), _SERVICE)
        await send_command(self._services.bus, _SERVICE, device, name, wanted)

    def _rest(self, key: Key) -> None:
        known = self._rests.get(key)
        pause = min(2 * known.pause, _LONGEST_PAUSE_S) if known and known.pause else _PAUSE_S
        self._rests[key] = _Rest(time.monotonic() + pause, pause)

    async def _write(self, key: Key, said: Said) -> None:
        """Writes what follows for the device as it is now; somebody may have wished for more meanwhile."""
        tenant, id = key
        for _ in range(_TRIES):
            body = await self._services.state.get(Reach(tenant), id)
            if body is None:
                return
            device = self._device(body)
            merge = Merge(id, expand_fragment(dict(said(device)), self._context))
            request = WriteRequest(Reach(tenant), (merge,), ((id, device["modifiedAt"]),))
            data = msgspec.msgpack.encode(request)
            answer = await self._services.bus.request(WRITE, data, _SERVICE, timeout_s=_PATIENCE_S)
            reply = msgspec.msgpack.decode(answer, type=WriteReply)
            if reply.outcomes[0].done != "refused":
                return
        _log.warning("%s changes too often to be written to", id)


def _still(said: Mapping[str, Any], device: Device) -> Mapping[str, Any]:
    return said


def _unless_changed(
    said: Mapping[str, Any], wanted: Mapping[str, object], device: Device
) -> Mapping[str, Any]:
    """Returns what is said of a wish; of another one that came meanwhile only why the last was refused."""
    changed = missing(device) != wanted
    return {"configurationReason": said["configurationReason"]} if changed else said

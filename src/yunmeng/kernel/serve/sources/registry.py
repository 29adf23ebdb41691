"""The registrations that are active, kept in memory by each api process and refreshed from the bus."""

import asyncio
import logging
from collections.abc import Sequence
from contextlib import aclosing
from hashlib import sha256
from urllib.parse import quote

import msgspec

from yunmeng.kernel.base import YunmengError, now_us
from yunmeng.kernel.keeper import RecordNote
from yunmeng.kernel.link import record_subject
from yunmeng.kernel.serve.ngsild.hosted import learn
from yunmeng.kernel.serve.services import Services
from yunmeng.kernel.serve.siblings import Siblings
from yunmeng.kernel.serve.sources.registration import REGISTRATION, Registration, work_out_registration
from yunmeng.kernel.serve.watching import Kept

_PAUSE_S = 1.0

_log = logging.getLogger("yunmeng.sources")
_kept = msgspec.json.Decoder(Kept).decode
_note = msgspec.msgpack.Decoder(RecordNote).decode
_encode = msgspec.msgpack.encode


class Registry:
    """All registrations of a node, by tenant.

    What is answered to have been written, every api process knows; one that could not be told hears of it
    over the bus a moment later.
    """

    def __init__(self, services: Services, siblings: Siblings) -> None:
        self._services = services
        self._siblings = siblings
        siblings.tell("registration", self._told)
        self._all: dict[str, dict[str, Registration]] = {}
        self._follower: asyncio.Task[None] | None = None
        self._loading: asyncio.Lock | None = None
        self._loaded = False
        self.alias = node_alias(services)

    async def active(self, tenant: str) -> Sequence[Registration]:
        """Returns the registrations of a tenant that have not expired."""
        if not self._loaded:
            await self._start()
        held = self._all.get(tenant)
        if not held:
            return ()
        now = now_us()
        return [one for one in held.values() if one.active(now)]

    async def put(self, tenant: str, kept: Kept) -> None:
        """Takes in a registration that was just stored."""
        await self._learn(tenant, kept)
        await self._siblings.ask("registration", _encode(RecordNote(REGISTRATION, tenant, kept.id)))

    async def drop(self, tenant: str, id_: str) -> None:
        """Forgets a registration that was just deleted."""
        self._forget(tenant, id_)
        await self._siblings.ask("registration", _encode(RecordNote(REGISTRATION, tenant, id_, dropped=True)))

    def _forget(self, tenant: str, id_: str) -> None:
        self._all.get(tenant, {}).pop(id_, None)

    async def close(self) -> None:
        """Stops following the bus."""
        if self._follower is not None:
            self._follower.cancel()
            await asyncio.gather(self._follower, return_exceptions=True)
            self._follower = None
        self._loaded = False

    async def _start(self) -> None:
        if self._loading is None:
            self._loading = asyncio.Lock()
        async with self._loading:
            if self._loaded:
                return
            self._follower = asyncio.create_task(self._follow())
            # the follower hears from here on, so nothing between the load and its start is missed
            await asyncio.sleep(0)
            await self._load()
            self._loaded = True

    async def _load(self) -> None:
        fresh: dict[str, dict[str, Registration]] = {}
        for record in await self._services.state.records(REGISTRATION):
            found = await self._worked_out(record.tenant, _kept(record.body))
            if found is not None:
                fresh.setdefault(record.tenant, {})[found.id] = found
        self._all = fresh

    async def _learn(self, tenant: str, kept: Kept) -> None:
        found = await self._worked_out(tenant, kept)
        if found is not None:
            self._all.setdefault(tenant, {})[found.id] = found

    async def _worked_out(self, tenant: str, kept: Kept) -> Registration | None:
        try:
            await learn(self._services, tenant, kept.hosted)
            return await work_out_registration(kept, tenant, self._services.contexts)
        except YunmengError as error:
            # its context may be out of reach for now; without it the names mean nothing
            _log.warning("registration %s cannot be used: %s", kept.id, error)
            return None

    async def _follow(self) -> None:
        while True:
            try:
                async with aclosing(self._services.bus.follow(record_subject(REGISTRATION))) as messages:
                    async for message in messages:
                        await self._heard(_note(message.data))
            except YunmengError as error:
                _log.warning("registrations are read anew: %s", error)
            await asyncio.sleep(_PAUSE_S)
            await self._reload()

    async def _reload(self) -> None:
        try:
            await self._load()
        except YunmengError as error:
            _log.warning("registrations cannot be read: %s", error)

    async def _told(self, data: bytes) -> bytes:
        if self._loaded:
            await self._heard(_note(data))
        return b""

    async def _heard(self, note: RecordNote) -> None:
        record = (
            None if note.dropped else await self._services.state.record(REGISTRATION, note.tenant, note.id)
        )
        if record is None:
            self._forget(note.tenant, note.id)
        else:
            await self._learn(note.tenant, _kept(record.body))


def node_alias(services: Services) -> str:
    """Returns the name by which this broker knows itself in ``Via``, the same in all of its processes."""
    node, http = services.settings.node, services.settings.http
    if http.alias:
        return quote(http.alias, safe="")
    place = f"{node.name}|{node.division}|{node.data.resolve()}|{http.host}|{http.port}"
    return f"yunmeng-{sha256(place.encode()).hexdigest()[:12]}"


def alias_in(alias: str, tenant: str) -> str:
    """Returns the name of a broker in one of its tenants (§5.2.9)."""
    return f"{alias}-{tenant}" if tenant else alias

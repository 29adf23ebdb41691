"""Where everything goes that a gateway's sessions bring: the bus, the keeper, the quarantine, the objects."""

import asyncio
import logging
from base64 import b64encode
from collections import defaultdict
from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from yunmeng.kernel.base import BadInput, Unavailable, YunmengError, format_us, now_us
from yunmeng.kernel.keeper import (
    QUARANTINE,
    RECORDS,
    WRITE,
    Quarantined,
    Reason,
    RecordPut,
    RecordsRequest,
    WriteReply,
    WriteRequest,
)
from yunmeng.kernel.link import Bus, sense_subject
from yunmeng.kernel.model import Context, Operation, Reading, Upsert, expand_entity
from yunmeng.kernel.sense.batcher import Batcher
from yunmeng.kernel.sense.effects import Keep, Locate
from yunmeng.kernel.sense.packer import Packer
from yunmeng.kernel.store import Objects
from yunmeng.kernel.trust import Principal, Reach

_PATIENCE_S = 30.0
_LINGER_S = 0.2
_PACK = 250
_ROWS, _PACKS = 4_000, 8
"""A report has a dozen rows; larger packs, fewer of them on the way, are carried a third faster."""
_log = logging.getLogger("yunmeng.sense")


class Sink:
    """Takes what one gateway's sessions bring; every future is done when the thing is on disk."""

    def __init__(
        self, bus: Bus, context: Context, gateway: str, *, tenant: str = "", objects: Objects | None = None
    ) -> None:
        self.gateway = gateway
        self.counts: dict[str, int] = defaultdict(int)
        self.marks: Mapping[str, Any] = {}
        """What every entity says that comes from here: nothing, or that it is made up."""
        self._bus = bus
        self._context = context
        self._tenant = tenant
        self._objects = objects
        self._principal = Principal(f"urn:yunmeng:gateway:{gateway}", kind="service", roles=("service",))
        self._packers: dict[str, Packer] = {}
        self._waiting: asyncio.Future[None] | None = None
        self._newest: dict[str, Locate | Mapping[str, Any]] = {}
        self._bodies = Batcher(self._write, _LINGER_S)
        self._refused = Batcher(self._quarantine, _LINGER_S)
        self._noted = Batcher(self._write_newest, 1.0)

    @property
    def full(self) -> bool:
        """Whether whoever brings more should wait: the bus or the keeper does not keep up."""
        return (
            any(packer.full for packer in self._packers.values()) or self._refused.full or self._bodies.full
        )

    async def room(self) -> None:
        """Waits until there is room again."""
        await asyncio.shield(self._room_again())

    def when_room(self, call: Callable[[asyncio.Future[None]], object]) -> None:
        """Calls as soon as there is room again."""
        self._room_again().add_done_callback(call)

    def _room_again(self) -> "asyncio.Future[None]":
        # one wait for all: hundreds of connections that ask every few milliseconds cost more than their data
        if self._waiting is None or self._waiting.done():
            self._waiting = asyncio.ensure_future(self._wait())
        return self._waiting

    async def _wait(self) -> None:
        await asyncio.sleep(0)
        while self.full:  # noqa: ASYNC110  (several queues with a bound each; none of them can say when)
            await asyncio.sleep(0.005)

    def observe(self, reading: Reading, tenant: str = "") -> "asyncio.Future[int]":
        """Takes a reading."""
        self.counts["readings"] += 1
        return self._packer(tenant or self._tenant).put(reading)

    def describe(self, body: Mapping[str, Any]) -> "asyncio.Future[None]":
        """Adds what an NGSI-LD body says to its entity, or makes it."""
        return self._bodies.put(Upsert(expand_entity({**body, **self.marks}, self._context), "update"))

    def locate(self, place: Locate) -> None:
        """Takes where a thing is; the newest place of each thing is written about once a second."""
        known = self._newest.get(place.entity)
        if not isinstance(known, Locate) or known.observed_at <= place.observed_at:
            self._note(place.entity, place)

    def note(self, body: Mapping[str, Any]) -> None:
        """Takes what is so now, such as whether a device is online; the newest is written as places are."""
        self._note(str(body["id"]), body)

    def _note(self, id: str, news: Locate | Mapping[str, Any]) -> None:
        if not self._newest:
            self._noted.put(None)
        self._newest[id] = news

    def refuse(self, frame: bytes, reason: YunmengError, peer: str) -> "asyncio.Future[None]":
        """Puts a frame into quarantine, with its reason and where it came from."""
        self.counts["refused"] += 1
        facts = {name: str(value) for name, value in reason.facts.items()}
        return self._refused.put(
            Quarantined(
                at=format_us(now_us()),
                subject=sense_subject("frame", self.gateway),
                principal=self._principal.id,
                gateway=self.gateway,
                rows=0,
                reason=Reason(reason.key, facts),
                raw=b64encode(frame).decode(),
                peer=peer,
            )
        )

    def keep(self, file: Keep) -> "asyncio.Future[None]":
        """Stores a file below the gateway's name; without a store ``Unavailable("sense.objects")``."""
        return asyncio.ensure_future(self._keep(file))

    async def flush(self) -> None:
        """Returns when everything taken so far is on disk. Raises why some of it is not."""
        await asyncio.gather(*(packer.flush() for packer in self._packers.values()))
        await asyncio.gather(self._bodies.flush(), self._refused.flush(), self._noted.flush())

    def _packer(self, tenant: str) -> Packer:
        packer = self._packers.get(tenant)
        if packer is None:
            packer = self._packers[tenant] = Packer(
                self._bus, self.gateway, self._principal, tenant, most=_ROWS, on_the_way=_PACKS
            )
        return packer

    async def _keep(self, file: Keep) -> None:
        if self._objects is None:
            raise Unavailable("sense.objects", gateway=self.gateway)
        await self._objects.put(f"{self.gateway}/{file.name}", file.data, file.media_type)

    async def _write(self, operations: list[Operation]) -> dict[int, YunmengError]:
        request = WriteRequest(Reach(tenant=self._tenant), tuple(operations))
        reply = msgspec.msgpack.decode(await self._ask(WRITE, request), type=WriteReply)
        return {
            place: BadInput("sense.refused", id=outcome.id, reason=outcome.error)
            for place, outcome in enumerate(reply.outcomes)
            if outcome.done == "refused"
        }

    async def _write_newest(self, _: list[None]) -> dict[int, YunmengError]:
        newest, self._newest = list(self._newest.values()), {}
        operations: list[Operation] = [
            Upsert(expand_entity({**_body(news), **self.marks}, self._context), "update") for news in newest
        ]
        for start in range(0, len(operations), _PACK):
            for error in (await self._write(operations[start : start + _PACK])).values():
                _log.warning("%s: %s", self.gateway, error)
        return {}

    async def _quarantine(self, refused: list[Quarantined]) -> dict[int, YunmengError]:
        now = now_us()
        puts = [
            RecordPut(QUARANTINE, self._tenant, f"{self.gateway}-{now}-{n}", msgspec.json.encode(each))
            for n, each in enumerate(refused)
        ]
        await self._ask(RECORDS, RecordsRequest(tuple(puts)))
        return {}

    async def _ask(self, subject: str, request: WriteRequest | RecordsRequest) -> bytes:
        return await self._bus.request(
            subject, msgspec.msgpack.encode(request), self._principal, timeout_s=_PATIENCE_S
        )


def _body(news: Locate | Mapping[str, Any]) -> dict[str, object]:
    if not isinstance(news, Locate):
        return dict(news)
    return {
        "id": news.entity,
        "type": news.type,
        "division": news.division,
        "location": {
            "type": "GeoProperty",
            "value": {"type": "Point", "coordinates": [news.longitude, news.latitude]},
            "observedAt": format_us(news.observed_at),
        },
    }

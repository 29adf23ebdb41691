"""The kernel's parts as a process of a running node opens them."""

import asyncio
import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TypeVar

import msgspec

from yunmeng.kernel.base import Settings, Unavailable, packages
from yunmeng.kernel.keeper import RECORDS, RecordPut, RecordsRequest
from yunmeng.kernel.link import Bus, NatsBus, sized_streams
from yunmeng.kernel.model import TypeLibrary, load_types
from yunmeng.kernel.store import (
    History,
    StateReader,
    open_history,
    open_state_reader,
)
from yunmeng.kernel.trust import Accounts, Principal
from yunmeng.node.folder import DataFolder

_Part = TypeVar("_Part")

SERVICE = Principal("urn:yunmeng:service:node", kind="service", roles=("service",))


class KeeperRecords:
    """The node's records for :class:`Accounts`: read from the state, written through the keeper."""

    def __init__(self, bus: Bus, state: StateReader) -> None:
        self._bus = bus
        self._state = state

    async def get(self, kind: str, tenant: str, id: str) -> bytes | None:
        """Returns a record's body."""
        record = await self._state.record(kind, tenant, id)
        return None if record is None else record.body

    async def put(self, kind: str, tenant: str, id: str, body: bytes) -> None:
        """Stores a record; returns after the commit."""
        await self._ask(RecordsRequest(puts=(RecordPut(kind, tenant, id, body),)))

    async def drop(self, kind: str, tenant: str, id: str) -> None:
        """Drops a record; returns after the commit."""
        await self._ask(RecordsRequest(drops=((kind, tenant, id),)))

    async def all(self, kind: str, tenant: str) -> list[bytes]:
        """Returns every record of a kind, ordered by id."""
        return [record.body for record in await self._state.records(kind, tenant)]

    async def _ask(self, request: RecordsRequest) -> None:
        await self._bus.request(RECORDS, msgspec.msgpack.encode(request), SERVICE)


@dataclass(frozen=True, slots=True)
class Parts:
    """What a process of a running node works with."""

    settings: Settings
    folder: DataFolder
    bus: Bus
    state: StateReader
    history: History

    @property
    def records(self) -> KeeperRecords:
        """The node's own records."""
        return KeeperRecords(self.bus, self.state)

    def accounts(self) -> Accounts:
        """The people and services that may sign in."""
        return Accounts(self.records, self.settings.trust.session_hours)


@asynccontextmanager
async def connected(settings: Settings, patience_s: float = 0.0) -> AsyncGenerator[Parts]:
    """Opens bus, state (reading) and history of the running node whose folder the settings name.

    With patience it waits for a node that is just starting: its processes start side by side.
    """
    folder = DataFolder(settings.node.data)
    endpoints = await _patiently(lambda: asyncio.to_thread(folder.endpoints), patience_s)
    streams = sized_streams(settings.bus.max_bytes)
    bus = await NatsBus.connect(endpoints.bus_url, endpoints.bus_token, streams=streams)
    state = await _patiently(lambda: open_state_reader(settings), patience_s)
    history = await _patiently(lambda: asyncio.to_thread(open_history, settings), patience_s)
    try:
        yield Parts(settings, folder, bus, state, history)
    finally:
        await history.close()
        await state.close()
        await bus.close()


async def _patiently(open_: Callable[[], Awaitable[_Part]], patience_s: float) -> _Part:
    until = time.monotonic() + patience_s
    while True:
        try:
            return await open_()
        except Unavailable:
            if time.monotonic() > until:
                raise
        await asyncio.sleep(0.02)


def type_library() -> TypeLibrary:
    """Returns the entity types of the kernel and of every package."""
    return load_types([package.folder for package in packages()])

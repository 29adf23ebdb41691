"""A whole node in one process: memory bus, SQLite, chDB behind its own process, the real keeper and guard."""

import asyncio
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest
import pytest_asyncio

from yunmeng.kernel.base import Settings, load_settings
from yunmeng.kernel.keeper import RECORDS, Keeper, RecordPut, RecordsRequest, settle
from yunmeng.kernel.link import Bus, MemoryBus
from yunmeng.kernel.model import ContextLibrary, load_types
from yunmeng.kernel.serve import (
    NGSI_LD_ROUTES,
    PLATFORM_ROUTES,
    Application,
    Services,
    create_app,
    decode_events,
)
from yunmeng.kernel.store import HistoryServer, StateReader, StateWriter, open_objects, open_state_writer
from yunmeng.kernel.store.history.clickhouse import ClickHouseHistory
from yunmeng.kernel.trust import Accounts, AuditEvent, Policy, Principal

BASE = "http://node.test"
LD = "application/ld+json"
CORE = "https://uri.etsi.org/ngsi-ld/v1/ngsi-ld-core-context-v1.8.jsonld"
ADMIN = Principal("person:root", roles=("administrator",), clearance=4)
NODE = Principal("urn:yunmeng:service:node", kind="service", roles=("service",))


class BusRecords:
    """Records for the accounts: read from the state, written through the keeper."""

    def __init__(self, bus: Bus, state: StateReader) -> None:
        self._bus, self._state = bus, state

    async def get(self, kind: str, tenant: str, id: str) -> bytes | None:
        record = await self._state.record(kind, tenant, id)
        return record.body if record else None

    async def all(self, kind: str, tenant: str) -> Sequence[bytes]:
        return [record.body for record in await self._state.records(kind, tenant)]

    async def put(self, kind: str, tenant: str, id: str, body: bytes) -> None:
        await self._ask(RecordsRequest(puts=(RecordPut(kind, tenant, id, body),)))

    async def drop(self, kind: str, tenant: str, id: str) -> None:
        await self._ask(RecordsRequest(drops=((kind, tenant, id),)))

    async def _ask(self, request: RecordsRequest) -> None:
        await self._bus.request(RECORDS, msgspec.msgpack.encode(request), NODE)


@dataclass
class Node:
    """A running node and ways to reach it."""

    settings: Settings
    bus: MemoryBus
    state: StateWriter
    services: Services
    app: Application
    admin: httpx.AsyncClient
    anonymous: httpx.AsyncClient
    clients: list[httpx.AsyncClient]

    async def client(self, role: str, name: str = "", **grants: object) -> httpx.AsyncClient:
        """A client with a fresh token of this role."""
        text, _ = await self.services.accounts.issue_token(
            name or f"{role}-{uuid.uuid4().hex[:6]}",
            "service",
            by=ADMIN,
            roles=(role,) if role else (),
            **grants,  # type: ignore[arg-type]
        )
        client = browser(self.app, {"Authorization": f"Bearer {text}"})
        self.clients.append(client)
        return client

    async def flush(self) -> None:
        """Waits until what was written is in the history."""
        await settle(self.bus, NODE)

    async def audited(self) -> list[AuditEvent]:
        """All audit events so far."""
        await self.app.desk.trail.flush()
        messages = await self.bus.read("AUD", 1, 1_000_000)
        return [event for message in messages for event in decode_events(message.data)]


def browser(app: Application, headers: dict[str, str] | None = None) -> httpx.AsyncClient:
    transport = httpx.ASGITransport(app=app, raise_app_exceptions=True)
    return httpx.AsyncClient(transport=transport, base_url=BASE, headers=headers)


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def history_server(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[HistoryServer]:
    server = HistoryServer(tmp_path_factory.mktemp("history"))
    await server.start()
    yield server
    await server.stop()


@asynccontextmanager
async def running(
    folder: Path, server: HistoryServer, types: Sequence[Path] = (), bus: MemoryBus | None = None
) -> AsyncIterator[Node]:
    """Runs a node over a folder; a second one over the same folder and bus is a restart."""
    settings = load_settings(env={}, overrides=[f"node.data={folder}"])
    settings = replace(settings, keeper=replace(settings.keeper, linger_ms=5))
    bus = bus or MemoryBus()
    state = await open_state_writer(settings)
    history = ClickHouseHistory(
        server.url, password=server.password, database=f"serve_{uuid.uuid4().hex[:12]}"
    )
    keeper = Keeper(bus, state, history, settings)
    await keeper.start()
    keeping = asyncio.create_task(keeper.run())
    objects = await _opened(open_objects(settings))
    services = Services(
        settings=settings,
        bus=bus,
        state=state,
        history=history,
        objects=objects,
        policy=Policy(settings.node.division),
        accounts=Accounts(BusRecords(bus, state)),
        contexts=ContextLibrary(settings.contexts),
        types=load_types(types),
    )
    app = create_app(services, (*NGSI_LD_ROUTES, *PLATFORM_ROUTES))
    clients: list[httpx.AsyncClient] = []
    node = Node(settings, bus, state, services, app, browser(app), browser(app), clients)
    node.admin = await node.client("administrator", clearance=4)
    try:
        yield node
    finally:
        for client in (*clients, node.anonymous):
            await client.aclose()
        await app.desk.trail.flush()
        await app.desk.sources.close()
        await keeper.stop()
        keeping.cancel()
        await asyncio.gather(keeping, return_exceptions=True)
        await services.contexts.close()
        await history.close()
        await objects.close()
        await state.close()


async def _opened(value: Any) -> Any:
    return await value if isinstance(value, Awaitable) else value


@pytest.fixture
async def node(tmp_path: Path, history_server: HistoryServer) -> AsyncIterator[Node]:
    async with running(tmp_path / "data", history_server) as made:
        yield made


@pytest.fixture
def admin(node: Node) -> httpx.AsyncClient:
    return node.admin


async def until(check: Callable[[], Awaitable[bool] | bool], seconds: float = 5.0) -> None:
    """Waits until the check holds."""
    async with asyncio.timeout(seconds):
        while True:
            found = check()
            if found if isinstance(found, bool) else await found:
                return
            await asyncio.sleep(0.01)

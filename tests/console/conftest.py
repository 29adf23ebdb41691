"""A province in one process: memory bus, SQLite, chDB in its own process, the real keeper, guard and pages.

``python tests/console/conftest.py PORT`` serves it, for work on the pages.
"""

import asyncio
import sys
import tempfile
import uuid
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from importlib import import_module
from pathlib import Path

import httpx
import msgspec
import pytest
import pytest_asyncio

from yunmeng.console.api import ROUTES
from yunmeng.kernel.base import load_settings, now_us, packages
from yunmeng.kernel.keeper import RECORDS, WRITE, Keeper, RecordPut, RecordsRequest, WriteRequest, settle
from yunmeng.kernel.link import Bus, MemoryBus, obs_subject
from yunmeng.kernel.model import ContextLibrary, Upsert, encode_batch, expand_entity, load_types
from yunmeng.kernel.sense import Swarm
from yunmeng.kernel.serve import (
    NGSI_LD_ROUTES,
    PLATFORM_ROUTES,
    Application,
    EdgeServer,
    Services,
    create_app,
)
from yunmeng.kernel.store import HistoryServer, StateReader, open_objects, open_state_writer
from yunmeng.kernel.store.history.clickhouse import ClickHouseHistory
from yunmeng.kernel.trust import SYSTEM, Accounts, Policy, Principal, Reach

BASE = "http://town.test"
PASSWORD = "Chutian-2026-river"
NODE = Principal("urn:yunmeng:service:node", kind="service", roles=("service",))
STATIC = Path(__file__).parents[2] / "src/yunmeng/console/static"
HOUR_US = 3_600_000_000


class Records:
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
class Town:
    """A running node, its synthetic facilities, and ways to reach it."""

    bus: MemoryBus
    services: Services
    app: Application
    swarms: list[Swarm]

    @asynccontextmanager
    async def client(self, name: str, language: str = "zh-CN") -> AsyncIterator[httpx.AsyncClient]:
        """A client that is signed in."""
        async with httpx.AsyncClient(
            transport=httpx.ASGITransport(app=self.app), base_url=BASE, headers={"Accept-Language": language}
        ) as client:
            said = await client.post("/api/session", json={"name": name, "password": PASSWORD})
            assert said.status_code == 201, said.text
            client.headers["X-CSRF-Token"] = said.json()["csrf"]
            yield client

    async def observe(self, at: int) -> None:
        """Every facility says what it observes at an instant."""
        for swarm in self.swarms:
            kind = self.services.types.type(swarm.fleet.type)
            terms = {row.name: (row.uri, kind.uri, row.unit) for row in kind.attributes}
            batch = swarm.batch(at, terms, slice(0, len(swarm.facilities)))
            await self.bus.publish(obs_subject(batch.tenant, batch.gateway), encode_batch(batch), NODE)

    async def flush(self) -> None:
        """Waits until all is in state and history."""
        await settle(self.bus, NODE)

    async def provision(self) -> None:
        """Makes the facilities and the people."""
        context = await ContextLibrary({}).resolve(self.services.types.context())
        bodies = [body for swarm in self.swarms for body in swarm.bodies()]
        for start in range(0, len(bodies), 500):
            operations = tuple(
                Upsert(expand_entity(body, context), "update") for body in bodies[start : start + 500]
            )
            await self.bus.request(WRITE, msgspec.msgpack.encode(WriteRequest(Reach(), operations)), NODE)
        accounts = self.services.accounts
        await accounts.create("admin", PASSWORD, roles=("administrator",), divisions=("420000",), by=SYSTEM)
        await accounts.create("wuhan", PASSWORD, roles=("operator",), divisions=("420100",), by=SYSTEM)
        await accounts.create("viewer", PASSWORD, roles=("viewer",), divisions=("420000",), by=SYSTEM)


def facilities() -> list[Swarm]:
    found: list[Swarm] = []
    for package in packages():
        if package.demo:
            module, _, name = package.demo.partition(":")
            found.extend(getattr(import_module(module), name)(7))
    return found


@asynccontextmanager
async def running(folder: Path, server: HistoryServer) -> AsyncIterator[Town]:
    settings = load_settings(env={}, overrides=[f"node.data={folder}"])
    settings = replace(settings, keeper=replace(settings.keeper, linger_ms=5))
    bus = MemoryBus()
    state = await open_state_writer(settings)
    history = ClickHouseHistory(
        server.url, password=server.password, database=f"town_{uuid.uuid4().hex[:12]}"
    )
    keeper = Keeper(bus, state, history, settings)
    await keeper.start()
    keeping = asyncio.create_task(keeper.run())
    objects = open_objects(settings)
    services = Services(
        settings=settings,
        bus=bus,
        state=state,
        history=history,
        objects=objects,
        policy=Policy(settings.node.division),
        accounts=Accounts(Records(bus, state)),
        contexts=ContextLibrary(settings.contexts),
        types=load_types([package.folder for package in packages()]),
    )
    plan = import_module("yunmeng.plan.api").ROUTES
    app = create_app(services, (*NGSI_LD_ROUTES, *PLATFORM_ROUTES, *ROUTES, *plan), STATIC)
    try:
        yield Town(bus, services, app, facilities())
    finally:
        await app.desk.trail.flush()
        await keeper.stop()
        keeping.cancel()
        await asyncio.gather(keeping, return_exceptions=True)
        await services.contexts.close()
        await history.close()
        await objects.close()
        await state.close()


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def town(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Town]:
    """A province of synthetic facilities that were observed over the last two hours."""
    server = HistoryServer(tmp_path_factory.mktemp("town-history"))
    await server.start()
    async with running(tmp_path_factory.mktemp("town"), server) as made:
        await made.provision()
        now = now_us()
        for step in range(8, -1, -1):
            await made.observe(now - step * HOUR_US // 4)
        await made.flush()
        yield made
    await server.stop()


async def _serve(port: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        server = HistoryServer(Path(folder) / "history")
        await server.start()
        async with running(Path(folder) / "data", server) as made:
            await made.provision()
            now = now_us()
            for step in range(96, -1, -1):
                await made.observe(now - step * HOUR_US // 4)
            web = EdgeServer(made.app, "127.0.0.1", port)
            await web.start()

            async def traffic() -> None:
                while True:
                    await asyncio.sleep(5)
                    await made.observe(now_us())

            print(f"http://127.0.0.1:{port}  admin / {PASSWORD}", flush=True)
            await traffic()


if __name__ == "__main__":
    asyncio.run(_serve(int(sys.argv[1])))

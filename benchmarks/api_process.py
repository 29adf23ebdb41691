"""An api worker of its own: ``python -m benchmarks.api_process FOLDER BUS TOKEN HISTORY PASSWORD PORT``."""

import asyncio
import gc
import signal
import sys
from pathlib import Path

import uvloop

from benchmarks.keeper_process import settings_in
from yunmeng.kernel.keeper import RECORDS, RecordPut, RecordsRequest
from yunmeng.kernel.link import NatsBus
from yunmeng.kernel.model import ContextLibrary, load_types
from yunmeng.kernel.serve import NGSI_LD_ROUTES, PLATFORM_ROUTES, EdgeServer, Services, create_app
from yunmeng.kernel.store import open_history, open_objects, open_state_reader
from yunmeng.kernel.trust import Accounts, Policy, Principal

ADMIN = Principal("person:bench", roles=("administrator",), clearance=4)


class KeptRecords:
    """Records for the accounts: read from the state, written through the keeper."""

    def __init__(self, bus, state) -> None:
        self._bus, self._state = bus, state

    async def get(self, kind, tenant, id):
        record = await self._state.record(kind, tenant, id)
        return record.body if record else None

    async def all(self, kind, tenant):
        return [record.body for record in await self._state.records(kind, tenant)]

    async def put(self, kind, tenant, id, body):
        request = RecordsRequest(puts=(RecordPut(kind, tenant, id, body),))
        await self._bus.request(RECORDS, _encode(request), ADMIN)

    async def drop(self, kind, tenant, id):
        await self._bus.request(RECORDS, _encode(RecordsRequest(drops=((kind, tenant, id),))), ADMIN)


def _encode(request: RecordsRequest) -> bytes:
    import msgspec

    return msgspec.msgpack.encode(request)


async def serve(folder: str, bus_url: str, token: str, history_url: str, password: str, port: str) -> None:
    settings = settings_in(Path(folder))
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    bus = await NatsBus.connect(bus_url, token)
    state = await open_state_reader(settings)
    history = open_history(settings, history_url, password)
    objects = open_objects(settings)
    accounts = Accounts(KeptRecords(bus, state))
    services = Services(
        settings=settings,
        bus=bus,
        state=state,
        history=history,
        objects=await objects if asyncio.iscoroutine(objects) else objects,
        policy=Policy(settings.node.division),
        accounts=accounts,
        contexts=ContextLibrary(),
        types=load_types([]),
    )
    text, _ = await accounts.issue_token("bench", "service", by=ADMIN, roles=("administrator",), clearance=4)
    app = create_app(services, (*NGSI_LD_ROUTES, *PLATFORM_ROUTES))
    server = EdgeServer(app, "127.0.0.1", int(port))
    await server.start()
    print(text, flush=True)
    await stop.wait()
    await server.stop()


if __name__ == "__main__":
    gc.set_threshold(100_000, 50, 1000)  # as the roles of a node do
    uvloop.run(serve(*sys.argv[1:]))

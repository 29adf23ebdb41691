"""A whole keeper in one process: in-memory bus, SQLite on disk, a history server of its own."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from pathlib import Path

import msgspec
import pytest
import pytest_asyncio

from yunmeng.kernel.base import Settings, now_us
from yunmeng.kernel.keeper import WRITE, Keeper, WriteReply, WriteRequest, settle
from yunmeng.kernel.link import MemoryBus, obs_subject
from yunmeng.kernel.model import Operation, Outcome, Row, Series, encode_batch, make_batch
from yunmeng.kernel.store import History, HistoryServer, StateWriter, open_history, open_state_writer
from yunmeng.kernel.trust import Principal, Reach

OPERATOR = Principal("urn:yunmeng:user:operator", roles=("operator",))
LEVEL = "https://w3id.org/yunmeng/waterLevel"
RESERVOIR = "https://w3id.org/yunmeng/Reservoir"


@dataclass
class House:
    """A keeper with everything around it, and short ways to talk to it."""

    settings: Settings
    bus: MemoryBus
    state: StateWriter
    history: History
    keeper: Keeper

    async def write(
        self,
        *operations: Operation,
        reach: Reach | None = None,
        expected: tuple[tuple[str, str], ...] = (),
    ) -> tuple[Outcome, ...]:
        request = WriteRequest(reach or Reach(), operations, expected)
        answer = await self.bus.request(WRITE, msgspec.msgpack.encode(request), OPERATOR)
        return msgspec.msgpack.decode(answer, type=WriteReply).outcomes

    async def observe(self, *rows: Row) -> int:
        batch = make_batch(rows, gateway="test", received_at=now_us())
        return await self.bus.publish(obs_subject("", "test"), encode_batch(batch), OPERATOR)

    async def flush(self) -> None:
        await settle(self.bus, OPERATOR)

    async def get(self, id: str, reach: Reach | None = None) -> dict | None:
        body = await self.state.get(reach or Reach(), id)
        return None if body is None else msgspec.json.decode(body)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def history_server(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[HistoryServer]:
    server = HistoryServer(tmp_path_factory.mktemp("keeper-history") / "history")
    await server.start()
    yield server
    await server.stop()


@pytest.fixture
async def house(
    tmp_path: Path, history_server: HistoryServer, request: pytest.FixtureRequest
) -> AsyncIterator[House]:
    """A house of its own; a test may give other settings of the keeper as the parameter."""
    settings = Settings()
    settings = replace(settings, node=replace(settings.node, data=tmp_path))
    settings = replace(
        settings, keeper=replace(settings.keeper, linger_ms=20, **getattr(request, "param", {}))
    )
    bus = MemoryBus()
    state = await open_state_writer(settings)
    history = open_history(settings, history_server.url, history_server.password)
    keeper = Keeper(bus, state, history, settings)
    await keeper.start()
    yield House(settings, bus, state, history, keeper)
    await keeper.stop()
    await history.close()
    await state.close()
    await bus.close()


def level(entity: str, value: float | str | None, at: int, division: str = "420100", **more: object) -> Row:
    """One water level."""
    return Row(Series(entity, LEVEL, RESERVOIR, division, "MTR", True), at, value, **more)

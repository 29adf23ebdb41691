from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from yunmeng.kernel.store import HistoryServer


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shared(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[HistoryServer]:
    server = HistoryServer(tmp_path_factory.mktemp("history"))
    await server.start()
    yield server
    await server.stop()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "history"

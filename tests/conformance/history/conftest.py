import os
import uuid
from collections.abc import AsyncIterator
from urllib.parse import urlsplit

import httpx
import pytest
import pytest_asyncio

from yunmeng.kernel.store import History, HistoryServer
from yunmeng.kernel.store.history.clickhouse import ClickHouseHistory

CLICKHOUSE = os.environ.get("YUNMENG_TEST_CLICKHOUSE_URL", "")


@pytest_asyncio.fixture(
    scope="session", loop_scope="session", params=["chdb", *["clickhouse"] * bool(CLICKHOUSE)]
)
async def server(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[tuple[str, str, str]]:
    """Where an engine answers: URL, user, password."""
    if request.param == "clickhouse":
        parts = urlsplit(CLICKHOUSE)
        yield CLICKHOUSE, parts.username or "default", parts.password or ""
        return
    child = HistoryServer(tmp_path_factory.mktemp("history"))
    await child.start()
    yield child.url, "default", child.password
    await child.stop()


@pytest.fixture
async def history(server: tuple[str, str, str]) -> AsyncIterator[History]:
    url, user, password = server
    database = f"yunmeng_{uuid.uuid4().hex}"
    store = ClickHouseHistory(url, user=user, password=password, database=database)
    yield store
    await store.close()
    async with httpx.AsyncClient(trust_env=False, auth=(user, password)) as client:
        (await client.post(url, content=f"DROP DATABASE IF EXISTS {database}")).raise_for_status()

"""A node in this process, with the types of every package, for what the package does inside one."""

from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
from tests.kernel.serve.conftest import Node, browser, history_server, running

from yunmeng.converged.water.api import ROUTES
from yunmeng.kernel.base import packages
from yunmeng.kernel.serve import create_app
from yunmeng.kernel.store import HistoryServer

__all__ = ["history_server"]


@pytest.fixture
async def water(tmp_path: Path, history_server: HistoryServer) -> AsyncIterator[Node]:
    async with running(tmp_path / "data", history_server, [each.folder for each in packages()]) as node:
        yield node


@pytest.fixture
async def office(water: Node) -> AsyncIterator[httpx.AsyncClient]:
    """An administrator at the package's own routes."""
    app = create_app(water.services, ROUTES)
    async with browser(app, dict(water.admin.headers)) as client:
        yield client
    await app.desk.trail.flush()

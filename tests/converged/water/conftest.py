"""A node in this process, with the types of every package, for what the package does inside one."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tests.kernel.serve.conftest import Node, history_server, running

from yunmeng.kernel.base import packages
from yunmeng.kernel.store import HistoryServer

__all__ = ["history_server"]


@pytest.fixture
async def water(tmp_path: Path, history_server: HistoryServer) -> AsyncIterator[Node]:
    async with running(tmp_path / "data", history_server, [each.folder for each in packages()]) as node:
        yield node

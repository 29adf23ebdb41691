"""Gateways at work: ``field = await listening("jt808+tcp://")``, then ``await field.connect()``.

``field.seen()`` is what reached the bus. For what goes through the keeper (places, descriptions, quarantine)
ask for ``house`` as well and give ``bus=house.bus``; ``await house.get(id)`` is an entity as it is kept.
Conversations without a socket begin with ``tests.field.station``.
"""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack

import pytest
from tests.field import Field, working
from tests.kernel.keeper.conftest import history_server, house

__all__ = ["history_server", "house", "listening"]

Listening = Callable[..., Awaitable[Field]]


@pytest.fixture
async def listening() -> AsyncIterator[Listening]:
    """Starts gateways that end with the test; takes what :func:`tests.field.working` takes."""
    async with AsyncExitStack() as stack:

        async def start(url: str, **more: object) -> Field:
            return await stack.enter_async_context(working(url, **more))

        yield start

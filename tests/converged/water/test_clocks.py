"""A station whose clock is wrong is found from what its gateway hears, and the finding stands with it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from tests.kernel.serve.conftest import NODE, Node, until

from yunmeng.converged.water import clocks
from yunmeng.converged.water.reading import Reader
from yunmeng.kernel.base import now_us
from yunmeng.kernel.link import obs_subject
from yunmeng.kernel.model import ObservationBatch, Series, encode_batch
from yunmeng.kernel.trust import Reach

HOUR, SECOND = 3_600_000_000, 1_000_000
WRONG, RIGHT, IMPORTED = (f"urn:ngsi-ld:HydrologicalStation:{name}" for name in ("W", "R", "I"))


@asynccontextmanager
async def judging(node: Node, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[None]:
    """The package judges the clocks of a node with a gateway for telegrams, again and again."""
    monkeypatch.setattr(clocks, "_PACE_S", 0.02)
    settings = replace(node.settings, gateways={"telegrams": "sl651+tcp://127.0.0.1:0"})
    work = asyncio.create_task(clocks.work(replace(node.services, settings=settings)))
    await asyncio.sleep(0.01)
    yield
    work.cancel()
    with suppress(asyncio.CancelledError):
        await work


async def report(node: Node, id: str, hours: range, *, behind: int = 0, gateway: str = "telegrams") -> None:
    """The reports of so many hours ago, each received in its hour; the clock is some hours behind."""
    types = node.services.types
    row = types.attribute("rainfall1h")
    assert row is not None
    series = Series(id, row.uri, types.type("HydrologicalStation").uri, "420106", row.unit)
    for hour in hours:
        at = now_us() // HOUR * HOUR - hour * HOUR
        observed = np.array([at - behind * HOUR])
        one, good = np.zeros(1, np.uint32), np.zeros(1, np.uint8)
        batch = ObservationBatch("", gateway, at + 30 * SECOND, (series,), one, observed, np.zeros(1), good)
        await node.bus.publish(obs_subject("", gateway), encode_batch(batch), NODE)
    await node.flush()


async def clock(node: Node, id: str) -> tuple[Any, Any]:
    reader = Reader(node.services.state, node.services.history, Reach(), node.services.types)
    found = await reader.entity(id)
    return found.get("clockState"), found.get("clockShift")


async def stands(node: Node, id: str, *wanted: Any) -> None:
    async def there() -> bool:
        return await clock(node, id) == wanted

    await until(there)


async def changed(node: Node, id: str) -> str:
    reader = Reader(node.services.state, node.services.history, Reach(), node.services.types)
    return str((await reader.read(id))[1]["https://w3id.org/yunmeng/clockState"])


async def test_a_station_on_utc_is_told_from_one_that_is_right(
    water: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with judging(water, monkeypatch):
        await report(water, IMPORTED, range(20, 12, -1), behind=8, gateway="waterml")
        await report(water, RIGHT, range(20, 12, -1))
        await report(water, WRONG, range(20, 12, -1), behind=8)
        await stands(water, WRONG, "shifted", 8)
        await stands(water, RIGHT, "right", 0)
    assert await clock(water, IMPORTED) == (None, None), "an import says nothing of a clock"


async def test_a_finding_is_written_when_it_changes_and_then_only(
    water: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with judging(water, monkeypatch):
        await report(water, WRONG, range(30, 22, -1), behind=8)
        await stands(water, WRONG, "shifted", 8)
        first = await changed(water, WRONG)
    async with judging(water, monkeypatch):
        await report(water, WRONG, range(22, 14, -1), behind=8)
        await report(water, RIGHT, range(22, 14, -1))
        await stands(water, RIGHT, "right", 0)
        assert await changed(water, WRONG) == first, "a restart writes nothing that stands there"
        await report(water, WRONG, range(14, 6, -1))
        await stands(water, WRONG, "right", 0)
    assert await changed(water, WRONG) != first


async def test_a_clock_so_far_ahead_that_its_readings_are_refused_is_found_too(
    water: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with judging(water, monkeypatch):
        await report(water, WRONG, range(20, 13, -1))
        await stands(water, WRONG, "right", 0)
        await report(water, WRONG, range(7, 0, -1), behind=-8)
        await stands(water, WRONG, "shifted", -8)

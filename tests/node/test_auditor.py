"""From the AUD stream into the Merkle log: each event once, however often the auditor starts."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from yunmeng.kernel.link import Bus, MemoryBus
from yunmeng.kernel.serve import encode_events
from yunmeng.kernel.trust import AuditEvent, AuditReader, Principal, verify
from yunmeng.node.auditor import POSITION, Auditor

API = Principal("urn:yunmeng:service:api", kind="service", roles=("service",))


def event(action: str, **facts: str) -> AuditEvent:
    return AuditEvent(
        at=1, principal="person:a", action=action, resource="/x", decision="allow", tenant="", facts=facts
    )


@asynccontextmanager
async def auditing(bus: Bus, folder: Path) -> AsyncIterator[None]:
    auditor = Auditor(bus, folder)
    await auditor.start()
    work = asyncio.create_task(auditor.run())
    yield
    work.cancel()
    await asyncio.gather(work, return_exceptions=True)
    await auditor.stop()


async def logged(folder: Path, size: int) -> list[AuditEvent]:
    async with asyncio.timeout(20):
        while AuditReader(folder).size < size:
            await asyncio.sleep(0.02)
    return list(AuditReader(folder).events(0))


async def test_events_are_logged_in_order_and_once_over_restarts(tmp_path: Path) -> None:
    bus, folder = MemoryBus(), tmp_path / "audit"
    await bus.publish("aud.http", encode_events([event("one"), event("two")]), API)
    async with auditing(bus, folder):
        await logged(folder, 2)
    # a new consumer reads the stream from its beginning, as after a crash before the acknowledgement
    again = MemoryBus()
    await again.publish("aud.http", encode_events([event("one"), event("two")]), API)
    await again.publish("aud.http", encode_events([event("three")]), API)
    async with auditing(again, folder):
        found = await logged(folder, 3)
    assert [each.action for each in found] == ["one", "two", "three"]
    assert [each.facts[POSITION] for each in found] == ["1", "1", "2"]
    assert verify(folder, (tmp_path / "audit.vkey").read_text().strip()).ok
    await bus.close()
    await again.close()


async def test_an_event_that_is_too_large_is_cut_and_holds_up_nobody(tmp_path: Path) -> None:
    bus, folder = MemoryBus(), tmp_path / "audit"
    await bus.publish("aud.http", encode_events([event("huge", reasons="x" * 100_000), event("next")]), API)
    async with auditing(bus, folder):
        found = await logged(folder, 2)
    assert [each.action for each in found] == ["huge", "next"]
    assert found[0].facts == {POSITION: "1", "cut": "audit.entry"}
    await bus.close()


async def test_a_lost_bus_is_said_in_the_log_and_no_new_event_is_skipped(tmp_path: Path) -> None:
    bus, folder = MemoryBus(), tmp_path / "audit"
    for action in ("one", "two", "three"):
        await bus.publish("aud.http", encode_events([event(action)]), API)
    async with auditing(bus, folder):
        await logged(folder, 3)
    anew = MemoryBus()
    await anew.publish("aud.http", encode_events([event("four")]), API)
    async with auditing(anew, folder):
        await logged(folder, 5)
    # by now the new stream is as long as the lost one was
    for action in ("five", "six"):
        await anew.publish("aud.http", encode_events([event(action)]), API)
    async with auditing(anew, folder):
        found = await logged(folder, 7)
    assert [each.action for each in found] == ["one", "two", "three", "audit.lost", "four", "five", "six"]
    assert found[3].facts == {POSITION: "0", "written": "3", "last": "1"}
    assert [each.facts[POSITION] for each in found[4:]] == ["1", "2", "3"]
    assert verify(folder, (tmp_path / "audit.vkey").read_text().strip()).ok
    await bus.close()
    await anew.close()

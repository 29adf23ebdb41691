"""The demo's live traffic: the packages' synthetic facilities, provisioned once and observed for ever.

Packages may also play devices, which speak their own protocols over real sockets to gateways of the node.
"""

import asyncio
import time
from collections.abc import Iterator, Sequence
from pkgutil import resolve_name
from typing import Protocol, cast

from yunmeng.kernel.base import Settings, now_us, packages, within
from yunmeng.kernel.link import Bus, obs_subject
from yunmeng.kernel.model import Context, ContextLibrary, EntityType, ObservationBatch, encode_batch
from yunmeng.kernel.sense import Swarm
from yunmeng.kernel.store import History
from yunmeng.kernel.trust import Principal, Reach
from yunmeng.node.parts import type_library
from yunmeng.node.seed import upsert, upserts

FEED = Principal("urn:yunmeng:service:demo", kind="service", roles=("service",))
_HOUR_US = 3_600_000_000
_DAY_H, _STEP_US = 24, 15 * 60_000_000
_PACK = 500

Terms = dict[str, tuple[str, str, str]]


class Feed:
    """Publishes what the synthetic facilities observe, each fleet in its own rhythm, spread over time."""

    def __init__(self, bus: Bus, history: History, settings: Settings) -> None:
        self._bus = bus
        self._history = history
        self._settings = settings
        self._speed = settings.demo.rate / 200
        home = settings.node.division
        self._swarms = [
            s for s in _swarms(settings.demo.seed) if any(within(f.division, home) for f in s.facilities)
        ]
        library = type_library()
        self._terms = {swarm.fleet.type: _terms(library.type(swarm.fleet.type)) for swarm in self._swarms}

    async def provision(self) -> None:
        """Makes the facilities, each with a value of this moment."""
        bodies = [body for swarm in self._swarms for body in swarm.bodies()]
        await upsert(self._bus, await upserts(bodies))
        await self._all(now_us(), self._swarms)
        context = await ContextLibrary({}).resolve(type_library().context())
        for devices in demo_devices():
            await devices.register(self._bus, context, self._settings, FEED)

    async def run(self) -> None:
        """Publishes for ever; on a first start what the facilities observed before is filled in beside."""
        if self._speed > 0:
            devices = [devices.play(self._settings) for devices in demo_devices()]
            await asyncio.gather(self._past(), *(self._live(swarm) for swarm in self._swarms), *devices)

    async def _past(self) -> None:
        now = now_us()
        if await self._known(now - _DAY_H * _HOUR_US):
            return
        # who goes furthest back is waited for: their packages tell a story of it
        for past_h in sorted({swarm.past_h for swarm in self._swarms}, reverse=True):
            swarms = [swarm for swarm in self._swarms if swarm.past_h == past_h]
            for number, at in enumerate(range(now - past_h * _HOUR_US, now, _STEP_US)):
                # who reports every hour has reported every hour
                due = [s for s in swarms if number % max(s.fleet.every_s * 1_000_000 // _STEP_US, 1) == 0]
                await self._all(at, due)

    async def _known(self, start: int) -> bool:
        """Tells whether the day before this start is filled in already: its first hours have values."""
        fleet = self._swarms[0].fleet
        attribute, type_, _ = self._terms[fleet.type][fleet.attributes[0].name]
        end = start + 6 * _HOUR_US
        steps = await self._history.trend(Reach(), type_, attribute, "avg", start, end, 6 * 3600)
        return any(step.entities for step in steps)

    async def _all(self, at: int, swarms: Sequence[Swarm]) -> None:
        """Publishes what facilities observe at one moment."""
        await asyncio.gather(
            *(self._publish(batch) for swarm in swarms for batch in self._batches(swarm, at))
        )

    async def _live(self, swarm: Swarm) -> None:
        """A fleet reports in slices, so that the traffic is even."""
        period = max(swarm.fleet.every_s / self._speed, 0.2)
        slices = max(1, min(int(period * 2), len(swarm.facilities)))
        size = -(-len(swarm.facilities) // slices)
        turn = 0
        due = time.monotonic()
        while True:
            start = (turn % slices) * size
            batch = swarm.batch(now_us(), self._terms[swarm.fleet.type], slice(start, start + size))
            if len(batch):
                await self._publish(batch)
            turn += 1
            due = max(due + period / slices, time.monotonic() - period)
            await asyncio.sleep(max(0.0, due - time.monotonic()))

    def _batches(self, swarm: Swarm, at: int) -> Iterator[ObservationBatch]:
        for start in range(0, len(swarm.facilities), _PACK):
            yield swarm.batch(at, self._terms[swarm.fleet.type], slice(start, start + _PACK))

    async def _publish(self, batch: ObservationBatch) -> None:
        await self._bus.publish(obs_subject(batch.tenant, batch.gateway), encode_batch(batch), FEED)


def _swarms(seed: int) -> list[Swarm]:
    found: list[Swarm] = []
    for package in packages():
        if package.demo:
            found.extend(cast("list[Swarm]", resolve_name(package.demo)(seed)))
    return found


class DemoDevices(Protocol):
    """Devices that a package plays in the demo (``devices`` in its ``package.toml``)."""

    def settings(self) -> tuple[str, ...]:
        """Returns settings that the node needs for them, such as gateways at free ports."""
        ...

    async def register(self, bus: Bus, context: Context, settings: Settings, principal: Principal) -> None:
        """Makes the devices known to the node."""
        ...

    async def play(self, settings: Settings) -> None:
        """Plays them until it is cancelled."""
        ...


def demo_devices() -> list[DemoDevices]:
    """Returns what the packages play."""
    return [cast("DemoDevices", resolve_name(package.devices)) for package in packages() if package.devices]


def _terms(type_: EntityType) -> Terms:
    return {row.name: (row.uri, type_.uri, row.unit) for row in type_.attributes}

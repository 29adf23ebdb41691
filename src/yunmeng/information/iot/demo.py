"""The demo's devices: simulators that speak their protocols over real sockets to gateways of the node."""

import asyncio
import logging
import socket
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import cycle, islice
from typing import Any

import msgspec

from yunmeng.information.iot.code import make_code
from yunmeng.information.iot.devices import NewDevice, entity, record
from yunmeng.information.iot.kinds import kind
from yunmeng.kernel.base import Division, Settings, counties, format_us, now_us, within
from yunmeng.kernel.keeper import RECORDS, WRITE, RecordPut, RecordsRequest, WriteRequest
from yunmeng.kernel.link import Bus
from yunmeng.kernel.model import Context, Upsert, expand_entity
from yunmeng.kernel.sense import DEVICES, Simulation, device_id, find_gateway, read_listen
from yunmeng.kernel.trust import Principal, Reach

_log = logging.getLogger("yunmeng.demo")
_HOST = "127.0.0.1"
_FIRST_NUMBER = 9_000_000
"""Unified codes of made-up devices are from here on."""


@dataclass(frozen=True, slots=True)
class Group:
    """Simulated devices of a kind: how many, how often they report, how they call themselves."""

    gateway: str
    kind: str
    count: int
    every_s: float
    address: str
    name: str
    first: int = 1
    options: dict[str, str] = field(default_factory=dict[str, str])


GROUPS = (
    Group("jt808", "vehicle-terminal", 20, 15.0, "130{n:08d}", "{county}公交{n}号车", first=0),
    Group("sl651", "hydrological-station", 10, 60.0, "0061{n:06d}", "{county}雨水情站"),
    Group("hj212", "pollution-monitor", 5, 30.0, "{seed:08X}{n:016X}", "{county}在线监测站"),
    Group("gbt32960", "electric-vehicle", 5, 20.0, "YMSIM{n:012d}", "{county}网约车{n}", first=0),
)


class DemoDevices:
    """What the demo asks of the package: settings before the node starts, devices, and their traffic."""

    def settings(self) -> tuple[str, ...]:
        """Returns settings that open a gateway for each group, at ports that are free this moment."""
        return tuple(
            f"gateways.{_name(group)}={group.gateway}+tcp://{_HOST}:{port}?synthetic=1"
            for group, port in zip(GROUPS, _free_ports(len(GROUPS)), strict=True)
        )

    async def register(self, bus: Bus, context: Context, settings: Settings, principal: Principal) -> None:
        """Registers the devices, each in a county of the node's division; once more does no harm."""
        at = format_us(now_us())
        devices = [device for group in _playing(settings) for device in _devices(group, settings)]
        bodies = [_body(device, at) for device in devices]
        operations = tuple(Upsert(expand_entity(body, context), "update") for body in bodies)
        known = [found for device in devices if (found := record(device, "active"))]
        puts = tuple(
            RecordPut(DEVICES, "", device_id(each.gateway, each.address), msgspec.json.encode(each))
            for each in known
        )
        for subject, request in (
            (RECORDS, RecordsRequest(puts=puts)),
            (WRITE, WriteRequest(Reach(), operations)),
        ):
            await bus.request(subject, msgspec.msgpack.encode(request), principal, timeout_s=60)

    async def play(self, settings: Settings) -> None:
        """Plays every group until it is cancelled; one that loses its gateway begins again."""
        await asyncio.gather(*(_play(group, settings) for group in _playing(settings)))


DEMO_DEVICES = DemoDevices()


async def _play(group: Group, settings: Settings) -> None:
    simulate = find_gateway(group.gateway).simulate
    listen = read_listen(_name(group), settings.gateways[_name(group)])
    play = Simulation(
        listen.host,
        listen.port,
        listen.transport,
        group.count,
        group.every_s,
        seed=settings.demo.seed,
        options=group.options,
    )
    while simulate is not None:
        try:
            await simulate(play)
        except* (OSError, EOFError, TimeoutError) as lost:
            # the gateway is just starting, or starts again
            _log.info("%s: %s", group.gateway, lost.exceptions[0])
        await asyncio.sleep(3.0)


def _free_ports(count: int) -> list[int]:
    """Returns ports that nobody listens on; held together, so that none comes twice."""
    probes = [socket.socket() for _ in range(count)]
    try:
        for probe in probes:
            probe.bind((_HOST, 0))
        return [int(probe.getsockname()[1]) for probe in probes]
    finally:
        for probe in probes:
            probe.close()


def _body(device: NewDevice, at: str) -> dict[str, Any]:
    """Returns a device's NGSI-LD body; whether it is online its gateway says."""
    body = {**entity(device, at), "lifecycle": "active", "synthetic": True}
    body.pop("deviceState", None)
    return body


def _playing(settings: Settings) -> Iterator[Group]:
    return (group for group in GROUPS if _name(group) in settings.gateways)


def _devices(group: Group, settings: Settings) -> Iterator[NewDevice]:
    homes = [place for place in counties() if within(place.code, settings.node.division)]
    # spread: neighbours in the list are neighbours on the map
    spread = sorted(homes, key=lambda place: place.code[::-1])
    for number, place in enumerate(islice(cycle(spread), group.count), start=group.first):
        yield _device(group, number, place, settings.demo.seed)


def _device(group: Group, number: int, place: Division, seed: int) -> NewDevice:
    turn = number % 7 - 3
    return NewDevice(
        kind=group.kind,
        division=place.code,
        address=group.address.format(n=number, seed=seed & 0xFFFF),
        name=group.name.format(county=place.name_zh, n=number + 1 - group.first),
        code=make_code(place.code, kind(group.kind).class_, _FIRST_NUMBER + number),
        manufacturer="云梦模拟器",
        model=f"YMSIM-{group.gateway}",
        longitude=round(place.lon + turn * 0.008, 5),
        latitude=round(place.lat - turn * 0.006, 5),
    )


def _name(group: Group) -> str:
    return f"demo-{group.gateway}"

"""``yunmeng sense``: the gateways, recorded frames, simulated devices, commands for devices."""

import asyncio
import re
from collections.abc import Iterable
from pathlib import Path
from uuid import uuid4

import click
import msgspec
from rich_click import RichGroup

from yunmeng.kernel.base import BadInput, packages
from yunmeng.kernel.link import sense_subject
from yunmeng.kernel.sense import (
    Command,
    FrameReport,
    Simulation,
    find_gateway,
    gateways,
    read_recording,
    waits,
)
from yunmeng.node.cli.data import with_node
from yunmeng.node.cli.options import NodeOptions, node_options
from yunmeng.node.cli.output import as_json, err, out, show, show_json
from yunmeng.node.parts import SERVICE, Parts

_PACK = 500
_PATIENCE_S = 60.0


@click.group(cls=RichGroup)
def sense() -> None:
    """Sensing 感: gateways, recorded frames, simulated devices."""


@sense.command("list")
@as_json
def list_gateways(*, json_: bool) -> None:
    """Lists the gateways and the transports that each speaks over."""
    known = {package.id: package.name for package in packages()}
    rows = [
        {"id": id, "zh": known[id].zh, "en": known[id].en, "listen": _examples(id)}
        for id in sorted(gateways())
    ]
    columns = (("id", "Id"), ("zh", "名称"), ("en", "Name"), ("listen", "Listen 接入点"))
    show(rows, columns, json_=json_, styles={"id": "cyan"})


def _examples(id: str) -> str:
    ports = find_gateway(id).ports
    return "  ".join(
        f"{id}+{name}://127.0.0.1:{port}" if port else f"{id}+{name}://" for name, port in ports.items()
    )


@sense.command("replay")
@node_options
@click.argument("recording", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.option(
    "--gateway", required=True, help="The running gateway: its name in the settings, or its protocol."
)
@click.option("--rate", default="max", show_default=True, help="x1, x10, ... as fast as recorded; or max.")
def replay(options: NodeOptions, *, recording: Path, gateway: str, rate: str) -> None:
    """Hands recorded frames to a running gateway, as if trusted devices had sent them.

    RECORDING holds a frame a line: hex, or JSON {"frame": hex, "at": time}.
    """
    factor = _factor(rate)
    lines = recording.read_text(encoding="utf-8").splitlines()
    report = with_node(options, lambda parts: _replay(parts, gateway, lines, factor))
    for reason in report.refused[:20]:
        err.print(f"[yellow]{reason}")
    out.print(f"{report.readings} readings 读数, {len(report.refused)} refused 拒收")


def _factor(rate: str) -> float:
    if rate == "max":
        return 0.0
    if not re.fullmatch(r"x?\d+(\.\d+)?", rate) or not float(rate.removeprefix("x")):
        raise BadInput("sense.rate", rate=rate)
    return float(rate.removeprefix("x"))


async def _replay(parts: Parts, gateway: str, lines: Iterable[str], factor: float) -> FrameReport:
    readings, refused = 0, tuple[str, ...]()
    pack: list[bytes] = []
    for wait, recorded in [*waits(read_recording(lines), factor), (0.0, None)]:
        if pack and (wait or recorded is None or len(pack) >= _PACK):
            done = await _hand_in(parts, gateway, pack)
            readings, refused, pack = readings + done.readings, refused + done.refused, []
        await asyncio.sleep(wait)
        if recorded is not None:
            pack.append(recorded.frame)
    return FrameReport(readings, refused)


async def _hand_in(parts: Parts, gateway: str, frames: list[bytes]) -> FrameReport:
    subject = sense_subject("frame", gateway)
    answer = await parts.bus.request(subject, msgspec.msgpack.encode(frames), SERVICE, timeout_s=_PATIENCE_S)
    return msgspec.msgpack.decode(answer, type=FrameReport)


@sense.command("simulate")
@click.argument("gateway")
@click.option("--count", default=10, show_default=True, type=click.IntRange(1, 50_000), help="Devices.")
@click.option(
    "--every", default=10.0, show_default=True, type=click.FloatRange(0.01), help="Seconds between reports."
)
@click.option("--for", "for_s", default=0.0, help="Seconds to play; 0 until Ctrl-C.")
@click.option("--host", default="127.0.0.1", show_default=True)
@click.option("--port", type=click.IntRange(1, 65_535), help="The protocol's usual port when left out.")
@click.option("--transport", help="The protocol's first transport when left out.")
@click.option("--seed", default=42, show_default=True)
@click.option(
    "--option", "pairs", multiple=True, metavar="NAME=VALUE", help="The protocol's own; repeatable."
)
def simulate(
    *,
    gateway: str,
    count: int,
    every: float,
    for_s: float,
    host: str,
    port: int | None,
    transport: str | None,
    seed: int,
    pairs: tuple[str, ...],
) -> None:
    """Plays devices of a protocol against a gateway, over real sockets 模拟设备."""
    found = find_gateway(gateway)
    if found.simulate is None:
        raise BadInput("sense.no-simulator", gateway=gateway)
    name = transport or next(iter(found.ports))
    options = {key: value for key, _, value in (pair.partition("=") for pair in pairs)}
    play = Simulation(host, port or found.ports.get(name, 0), name, count, every, for_s, seed, options)
    out.print(f"{asyncio.run(found.simulate(play))} messages 报文")


@sense.command("command")
@node_options
@click.argument("gateway")
@click.argument("device")
@click.argument("name")
@click.argument("arguments", nargs=-1, metavar="[NAME=VALUE]...")
def command(
    options: NodeOptions, *, gateway: str, device: str, name: str, arguments: tuple[str, ...]
) -> None:
    """Has a device carry out a command and prints its answer 下发命令.

    GATEWAY is the name in the settings; a value that is JSON (a number, a list) is taken as such.
    """
    given = {key: _value(value) for key, _, value in (pair.partition("=") for pair in arguments)}
    order = Command(uuid4().hex, device, name, given)
    show_json(with_node(options, lambda parts: _order(parts, gateway, order)))


async def _order(parts: Parts, gateway: str, order: Command) -> object:
    subject = sense_subject("command", gateway)
    answer = await parts.bus.request(subject, msgspec.msgpack.encode(order), SERVICE, timeout_s=_PATIENCE_S)
    return msgspec.msgpack.decode(answer)


def _value(text: str) -> object:
    try:
        return msgspec.json.decode(text)
    except msgspec.DecodeError:
        return text


COMMANDS = (sense,)

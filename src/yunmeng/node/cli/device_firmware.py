"""``yunmeng devices firmware``: firmware, and campaigns that bring it to devices."""

from pathlib import Path
from typing import Any

import click
from rich_click import RichGroup

from yunmeng.node.cli.calling import Node, call_options
from yunmeng.node.cli.device_options import condition_options, selected
from yunmeng.node.cli.devices import devices
from yunmeng.node.cli.options import node_options
from yunmeng.node.cli.output import as_json, out, show, show_json

COMMANDS: tuple[click.Command, ...] = ()
"""Its commands belong to the group ``devices``."""

_FIRMWARE, _CAMPAIGNS = "/api/firmware", "/api/firmware-campaigns"


@devices.group("firmware", cls=RichGroup)
def firmware() -> None:
    """Firmware 固件: files for kinds of devices, brought to them in waves."""


@firmware.command("add")
@node_options
@call_options
@click.argument("kind")
@click.argument("version")
@click.argument(
    "source", metavar="[FILE]", required=False, type=click.Path(path_type=Path, exists=True, dir_okay=False)
)
@click.option("--address", default="", help="Where devices fetch it 下载地址, when not from this node.")
@click.option("--name", default="", help="A name 名称 for people.")
@click.option("--sha256", default="", help="What its maker says its SHA-256 is; checked against FILE.")
@click.option("--signature", default="", help="Its maker's signature 签名, handed on to devices.")
def add_firmware(
    node: Node,
    *,
    kind: str,
    version: str,
    source: Path | None,
    address: str,
    name: str,
    sha256: str,
    signature: str,
) -> None:
    """Adds firmware of a version for a kind of device and prints its id.

    FILE is uploaded to the node; without it, --address says where devices find it.

    Example: yunmeng devices firmware add vehicle-terminal 2.1.0 fw-2.1.0.bin
    """
    facts = {"kind": kind, "version": version, "url": address, "name": name}
    facts |= {"sha256": sha256.lower(), "signature": signature}
    with node.connect() as api:
        if source is None:
            told = api.send("POST", _FIRMWARE, {key: value for key, value in facts.items() if value})
        else:
            told = api.upload(_FIRMWARE, source.read_bytes(), "application/octet-stream", **facts)
    out.print(told["id"], markup=False, soft_wrap=True)


@firmware.command("list")
@node_options
@call_options
@as_json
def list_firmware(node: Node, *, json_: bool) -> None:
    """Lists the firmware there is."""
    with node.connect() as api:
        rows = api.get(_FIRMWARE, limit=1000)
    columns = (
        ("id", "Id"),
        ("deviceKind", "Kind 类别"),
        ("firmwareVersion", "Version 版本"),
        ("fileSize", "Bytes 大小"),
        ("sha256", "SHA-256"),
    )
    show(rows, columns, json_=json_, styles={"id": "cyan", "sha256": "dim"})


@firmware.command("begin")
@node_options
@call_options
@condition_options
@click.argument("firmware_id", metavar="FIRMWARE")
@click.argument("named", nargs=-1, metavar="[DEVICE]...")
@click.option(
    "--wave", "waves", multiple=True, help="A share (5%) or number of devices, with those before; repeatable."
)
@click.option("--stop-share", default=0.1, show_default=True, help="Share of failures that stops it.")
@click.option("--at-once", default=20, show_default=True, help="Devices told at the same time.")
@click.option("--patience", default=86_400.0, show_default=True, help="Seconds for a device to come online.")
@click.option("--within", default=3_600.0, show_default=True, help="Seconds for it to have the firmware.")
@click.option("--all", "all_", is_flag=True, help="Every device of the kind in reach.")
def begin(
    node: Node,
    conditions: dict[str, Any],
    *,
    firmware_id: str,
    named: tuple[str, ...],
    waves: tuple[str, ...],
    stop_share: float,
    at_once: int,
    patience: float,
    within: float,
    all_: bool,
) -> None:
    """Begins to bring FIRMWARE to devices, wave by wave, and prints the campaign's id.

    Waves are 5%, 30% and 100% when none is given. A wave in which more fail than --stop-share stops it; then
    see `show`, and `resume` or `cancel`.

    Example: yunmeng devices firmware begin urn:ngsi-ld:DeviceFirmware:vehicle-terminal:2.1.0 --tag bus
    """
    body: dict[str, Any] = {
        "firmware": firmware_id,
        "selection": selected(named, conditions, all_=all_),
        "stop_share": stop_share,
        "at_once": at_once,
        "patience_s": patience,
        "within_s": within,
    }
    with node.connect() as api:
        told = api.send("POST", _CAMPAIGNS, body | ({"waves": list(waves)} if waves else {}))
    out.print(told["id"], markup=False, soft_wrap=True)
    out.print(f"[dim]{told['devices']} devices 设备, waves 批次 {' + '.join(map(str, told['waves']))}[/]")


@firmware.command("campaigns")
@node_options
@call_options
@as_json
def list_campaigns(node: Node, *, json_: bool) -> None:
    """Lists the campaigns and how far each is."""
    with node.connect() as api:
        rows = api.get(_CAMPAIGNS, limit=1000)
    columns = (
        ("id", "Id"),
        ("name", "Firmware 固件"),
        ("campaignState", "State 状态"),
        ("devicesChosen", "Devices 设备"),
        ("devicesApplied", "Applied 已升级"),
        ("devicesFailed", "Failed 失败"),
        ("devicesSkipped", "Skipped 跳过"),
    )
    show(rows, columns, json_=json_, styles={"id": "cyan"})


@firmware.command("show")
@node_options
@call_options
@click.argument("campaign")
@click.option("--devices", "each", is_flag=True, help="Every device and how it fares.")
@as_json
def show_campaign(node: Node, *, campaign: str, each: bool, json_: bool) -> None:
    """Shows a campaign by wave, or its devices with the reason of each that failed."""
    with node.connect() as api:
        if not each:
            show_json(api.get(f"{_CAMPAIGNS}/{campaign}"))
            return
        rows = api.get(f"{_CAMPAIGNS}/{campaign}/devices", limit=50_000)
    columns = (
        ("device", "Device 设备"),
        ("updateWave", "Wave 批次"),
        ("updateState", "State 状态"),
        ("updateReason", "Why 原因"),
    )
    show(rows, columns, json_=json_, styles={"device": "cyan", "updateReason": "yellow"})


def _order(name: str, state: str, about: str) -> None:
    @firmware.command(name, help=about)
    @node_options
    @call_options
    @click.argument("campaign")
    def order(node: Node, *, campaign: str) -> None:
        with node.connect() as api:
            out.print(api.send("PATCH", f"{_CAMPAIGNS}/{campaign}", {"state": state})["state"])

    _ = order


_order("pause", "paused", "Tells no further devices 暂停; those that were told are watched on.")
_order("resume", "running", "Goes on 继续, also after too many failures.")
_order("cancel", "cancelled", "Ends a campaign 取消; what was told stays told.")

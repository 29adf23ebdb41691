"""``yunmeng devices``: the register of devices of a running node."""

import sys
from pathlib import Path
from typing import Any

import click
from rich_click import RichGroup

from yunmeng.node.cli.calling import Api, Node, call_options
from yunmeng.node.cli.device_options import condition_options, full_id, pairs, selected
from yunmeng.node.cli.options import node_options
from yunmeng.node.cli.output import as_json, err, out, show, show_json

PATH = "/api/devices"
_TYPES = {"device": "Device", "pole": "MultifunctionPole"}
_COLUMNS = (
    ("id", "Id"),
    ("name", "Name 名称"),
    ("division", "Division 区划"),
    ("deviceKind", "Kind 类别"),
    ("lifecycle", "Life cycle 生命周期"),
    ("deviceState", "State 状态"),
)


@click.group(cls=RichGroup)
def devices() -> None:
    """Devices 设备: registered, commanded, configured, maintained, retired.

    DEVICE is the id of its entity, or its protocol and address: jt808:013800138000.
    """


@devices.command("list")
@node_options
@call_options
@condition_options
@click.option("--type", "type_", default="device", show_default=True, type=click.Choice(list(_TYPES)))
@click.option("--limit", default=100, show_default=True, type=click.IntRange(1, 50_000))
@as_json
def list_devices(node: Node, conditions: dict[str, Any], *, type_: str, limit: int, json_: bool) -> None:
    """Lists devices that fulfil every condition given.

    Example: yunmeng devices list --gateway jt808 --division 420100 --state offline
    """
    with node.connect() as api:
        rows = api.get(PATH, type=_TYPES[type_], limit=limit, **conditions)
    show([_short(row) for row in rows] if not json_ else rows, _COLUMNS, json_=json_, styles={"id": "cyan"})
    if len(rows) == limit and not json_:
        err.print(f"[dim]{limit} … --limit[/]")


def _short(row: dict[str, Any]) -> dict[str, Any]:
    return {**row, "id": str(row["id"]).removeprefix("urn:ngsi-ld:Device:")}


@devices.command("show")
@node_options
@call_options
@click.argument("device")
def show_device(node: Node, *, device: str) -> None:
    """Prints one device as JSON."""
    with node.connect() as api:
        show_json(api.get(f"{PATH}/{full_id(device)}"))


@devices.command("kinds")
@node_options
@call_options
@as_json
def list_kinds(node: Node, *, json_: bool) -> None:
    """Lists the kinds of devices; each has a protocol and further values for whatever is registered."""
    with node.connect() as api:
        rows = [{"id": id, **each} for id, each in api.get(f"{PATH}/kinds").items()]
    columns = (
        ("id", "Kind 类别"),
        ("zh", "名称"),
        ("en", "Name"),
        ("class", "Class 类别码"),
        ("protocol", "Protocol 协议"),
    )
    show(rows, columns, json_=json_, styles={"id": "cyan"})


@devices.command("register")
@node_options
@call_options
@click.argument("kind")
@click.argument("division")
@click.argument("address", default="")
@click.argument("members", nargs=-1, metavar="[NAME=VALUE]...")
def register(node: Node, *, kind: str, division: str, address: str, members: tuple[str, ...]) -> None:
    """Registers one device; ADDRESS is what it calls itself on the wire.

    Further members are name, code, gateway, mapping, serial_number, manufacturer, model, owner, pole, asset,
    longitude, latitude, and option:NAME for the protocol's own.

    Example: yunmeng devices register vehicle-terminal 420106 013800138000 name=洒水车1 option:plate=鄂A12345
    """
    if "=" in address:
        address, members = "", (address, *members)
    given = {name: str(value) for name, value in pairs(members).items()}
    options = {name[7:]: given.pop(name) for name in list(given) if name.startswith("option:")}
    row = {"kind": kind, "division": division, "address": address, **given}
    with node.connect() as api:
        told = api.send("POST", PATH, [{**row, **({"options": options} if options else {})}])
    out.print(*told["ids"], markup=False)


@devices.command("import")
@node_options
@call_options
@click.argument(
    "source", metavar="FILE", type=click.Path(path_type=Path, exists=True, dir_okay=False, allow_dash=True)
)
def import_devices(node: Node, *, source: Path) -> None:
    """Registers the devices of FILE (- reads standard input), all of them or none.

    FILE is a table (CSV, saved by a spreadsheet) or a JSON array. Columns: kind, division, and as needed
    address, name, code, gateway, mapping, serial_number, manufacturer, model, owner, pole, asset, longitude,
    latitude, option:NAME. `yunmeng devices export` writes such a table.
    """
    data = sys.stdin.buffer.read() if str(source) == "-" else source.read_bytes()
    media = "application/json" if data.lstrip()[:1] == b"[" else "text/csv"
    with node.connect() as api:
        told = api.upload(PATH, data, media)
    out.print(f"{told['registered']} registered 已登记")


@devices.command("export")
@node_options
@call_options
@condition_options
def export_devices(node: Node, conditions: dict[str, Any]) -> None:
    """Writes the registered devices as a table that `import` reads.

    Example: yunmeng devices export --division 420100 > wuhan.csv
    """
    with node.connect() as api:
        sys.stdout.write(api.text(f"{PATH}/export", **conditions))


@devices.command("command")
@node_options
@call_options
@click.argument("device")
@click.argument("name")
@click.argument("arguments", nargs=-1, metavar="[NAME=VALUE]...")
def command(node: Node, *, device: str, name: str, arguments: tuple[str, ...]) -> None:
    """Has a device carry out a command of its protocol, and prints its answer 下发命令.

    Example: yunmeng devices command jt808:013800138000 text text=前方拥堵
    """
    order = {"name": name, "arguments": pairs(arguments)}
    with node.connect() as api:
        show_json(api.send("POST", f"{PATH}/{full_id(device)}/commands", order)["result"])


@devices.command("configure")
@node_options
@call_options
@condition_options
@click.argument("words", nargs=-1, metavar="[DEVICE]... NAME=VALUE...", required=True)
@click.option("--all", "all_", is_flag=True, help="Really every device in reach.")
def configure(node: Node, conditions: dict[str, Any], *, words: tuple[str, ...], all_: bool) -> None:
    """Says how devices should be configured; those that are online at once, others as they come.

    Example: yunmeng devices configure --tag bus heartbeat_s=60
    """
    named, settings = [word for word in words if "=" not in word], [word for word in words if "=" in word]
    wanted = {"selection": selected(named, conditions, all_=all_), "desired": pairs(settings)}
    with node.connect() as api:
        told = api.send("PUT", f"{PATH}/desired", wanted)
    _report(told)
    out.print(f"{told['applied']} applied 已生效")


def _step(name: str, to: str, about: str) -> None:
    @devices.command(name, help=about)
    @node_options
    @call_options
    @condition_options
    @click.argument("named", nargs=-1, metavar="[DEVICE]...")
    @click.option("--all", "all_", is_flag=True, help="Really every device in reach.")
    def step(node: Node, conditions: dict[str, Any], *, named: tuple[str, ...], all_: bool) -> None:
        wanted = {"selection": selected(named, conditions, all_=all_), "lifecycle": to}
        with node.connect() as api:
            _report(api.send("POST", f"{PATH}/steps", wanted))

    _ = step


_step("activate", "active", "Puts devices to work 启用, or lets suspended ones speak again.")
_step("suspend", "suspended", "Suspends devices 停用: their gateways refuse them until they are activated.")
_step("retire", "retired", "Retires devices 报废 for good: their gateways refuse them.")


@devices.command("tag")
@node_options
@call_options
@condition_options
@click.argument("word", metavar="TAG")
@click.argument("named", nargs=-1, metavar="[DEVICE]...")
@click.option("--remove", is_flag=True, help="Take the tag away.")
@click.option("--all", "all_", is_flag=True, help="Really every device in reach.")
def tag(
    node: Node, conditions: dict[str, Any], *, word: str, named: tuple[str, ...], remove: bool, all_: bool
) -> None:
    """Gives devices a tag 标签, by which they can be chosen later.

    Example: yunmeng devices tag flood-season --kind hydrological-station --division 420500
    """
    wanted = {"selection": selected(named, conditions, all_=all_), "remove" if remove else "add": [word]}
    with node.connect() as api:
        out.print(f"{api.send('POST', f'{PATH}/tags', wanted)['changed']} changed 已更改")


@devices.command("credential")
@node_options
@call_options
@click.argument("device")
def credential(node: Node, *, device: str) -> None:
    """Makes a new credential 凭证 for a device and prints it, this once."""
    with node.connect() as api:
        out.print(api.send("POST", f"{PATH}/{full_id(device)}/credential")["credential"], markup=False)


def _report(told: dict[str, Any]) -> None:
    for one in told["refused"][:20]:
        err.print(f"{one['id']}: {one['detail']}", markup=False)
    out.print(f"{told['done']} / {told['selected']}")


def listed(api: Api, type_: str, **conditions: object) -> list[dict[str, Any]]:
    """Returns what belongs to devices, such as faults."""
    return api.get(PATH, type=type_, limit=1000, **conditions)


COMMANDS = (devices,)

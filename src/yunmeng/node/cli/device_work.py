"""``yunmeng devices commission | maintain | maintenance | faults``: work on devices, and who did it."""

from typing import Any

import click
from rich_click import RichGroup

from yunmeng.node.cli.calling import Node, call_options
from yunmeng.node.cli.device_options import full_id, pairs
from yunmeng.node.cli.devices import PATH, devices, listed
from yunmeng.node.cli.options import node_options
from yunmeng.node.cli.output import as_json, out, show

COMMANDS: tuple[click.Command, ...] = ()
"""Its commands belong to the group ``devices``."""

_WORK = ("inspection", "cleaning", "calibration", "repair", "replacement", "other")


@devices.command("commission")
@node_options
@call_options
@click.argument("device")
@click.option("--by", default="", help="Who 谁; you, when left out.")
@click.option("--note", default="", help="What was done or seen on site.")
@click.option("--accept", is_flag=True, help="Also without a place, or while it is offline.")
def commission(node: Node, *, device: str, by: str, note: str, accept: bool) -> None:
    """Puts a registered device to work 投运, once it has a place and is connected; a record is kept."""
    body = {"by": by, "what": note, "accept": accept}
    with node.connect() as api:
        told = api.send("POST", f"{PATH}/{full_id(device)}/commissioning", body)
    out.print(told["lifecycle"], *(f"{name}{'✓' if ok else '✗'}" for name, ok in told["checks"].items()))


@devices.command("maintain")
@node_options
@call_options
@click.argument("device")
@click.argument("what")
@click.option("--kind", default="inspection", show_default=True, type=click.Choice(_WORK), help="Of work.")
@click.option("--by", default="", help="Who 谁; you, when left out.")
@click.option("--at", default="", help="When 时间, e.g. 2026-07-01T09:00:00+08:00; now, when left out.")
@click.option("--part", "parts", multiple=True, metavar="NAME=COUNT", help="A part 部件; repeatable.")
@click.option("--next-due", default="", help="When it is due again 下次到期, with its zone.")
@click.option("--fault", default="", help="The fault 故障 that this mends.")
def maintain(
    node: Node,
    *,
    device: str,
    what: str,
    kind: str,
    by: str,
    at: str,
    parts: tuple[str, ...],
    next_due: str,
    fault: str,
) -> None:
    """Writes down work on a device 维护记录.

    Example: yunmeng devices maintain sl651:0012345678 更换蓄电池 --kind replacement --part battery=1
    """
    body: dict[str, Any] = {"what": what, "kind": kind, "by": by, "at": at, "parts": pairs(parts)}
    body |= {"next_due": next_due, "fault": fault}
    with node.connect() as api:
        told = api.send("POST", f"{PATH}/{full_id(device)}/maintenance", body)
    out.print(told["id"], markup=False)


@devices.command("maintenance")
@node_options
@call_options
@click.argument("device", default="")
@as_json
def list_maintenance(node: Node, *, device: str, json_: bool) -> None:
    """Lists the work that was done, on one device or on all in reach."""
    with node.connect() as api:
        rows = listed(api, "DeviceMaintenance", of=full_id(device) if device else "")
    columns = (
        ("performedAt", "Done 时间"),
        ("device", "Device 设备"),
        ("maintenanceKind", "Kind 类别"),
        ("performedBy", "By 维护人"),
        ("description", "What 内容"),
        ("parts", "Parts 部件"),
        ("nextDueAt", "Due 下次"),
    )
    show(rows, columns, json_=json_, styles={"device": "cyan"})


@devices.group("faults", cls=RichGroup)
def faults() -> None:
    """Faults 故障: open, assigned, repaired, verified."""


@faults.command("list")
@node_options
@call_options
@click.argument("device", default="")
@as_json
def list_faults(node: Node, *, device: str, json_: bool) -> None:
    """Lists the faults of one device, or of all in reach."""
    with node.connect() as api:
        rows = listed(api, "DeviceFault", of=full_id(device) if device else "")
    columns = (
        ("id", "Id"),
        ("device", "Device 设备"),
        ("faultState", "State 状态"),
        ("assignee", "Assignee 维修人"),
        ("dueAt", "Due 期限"),
        ("description", "What 内容"),
    )
    show(rows, columns, json_=json_, styles={"id": "cyan"})


@faults.command("report")
@node_options
@call_options
@click.argument("device")
@click.argument("what")
@click.option("--due", default="", help="Until when 期限, with its zone; in three days, when left out.")
def report_fault(node: Node, *, device: str, what: str, due: str) -> None:
    """Reports a fault of a device and prints its id."""
    body = {"description": what, **({"dueAt": due} if due else {})}
    with node.connect() as api:
        out.print(api.send("POST", f"{PATH}/{full_id(device)}/faults", body)["id"], markup=False)


@faults.command("step")
@node_options
@call_options
@click.argument("fault")
@click.argument("state", type=click.Choice(["assigned", "repaired", "verified"]))
@click.option("--assignee", default="", help="Who repairs it 维修人; wanted when it is assigned.")
def step_fault(node: Node, *, fault: str, state: str, assignee: str) -> None:
    """Leads a fault to its next state: open, assigned, repaired, verified."""
    if state == "assigned" and not assignee:
        raise click.UsageError("--assignee")
    body = {"faultState": state, **({"assignee": assignee} if assignee else {})}
    with node.connect() as api:
        out.print(api.send("PATCH", f"/api/faults/{fault}", body)["faultState"])

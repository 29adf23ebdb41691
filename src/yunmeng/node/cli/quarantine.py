"""``yunmeng quarantine``: what could not be taken, and why."""

from base64 import b64decode
from collections.abc import Sequence

import click
from rich_click import RichGroup

from yunmeng.kernel.base import NotFound
from yunmeng.kernel.keeper import QUARANTINE, QuarantineLoss, quarantine_loss
from yunmeng.kernel.sense import held_of, send_again
from yunmeng.kernel.store import Record
from yunmeng.node.cli.data import with_node
from yunmeng.node.cli.options import NodeOptions, node_options
from yunmeng.node.cli.output import as_json, err, out, show, show_json
from yunmeng.node.parts import SERVICE, Parts


@click.group(cls=RichGroup)
def quarantine() -> None:
    """Input that could not be taken 隔离区: kept with its reason, and sent again after a fix."""


@quarantine.command("list")
@node_options
@as_json
def list_quarantine(options: NodeOptions, *, json_: bool) -> None:
    """Lists what was set aside and why."""
    records, loss = with_node(options, _held)
    columns = (
        ("id", "Id"),
        ("at", "At 时间"),
        ("gateway", "Gateway 网关"),
        ("rows", "Rows"),
        ("reason", "Reason 原因"),
    )
    show([_row(each) for each in records], columns, json_=json_, styles={"id": "cyan", "reason": "yellow"})
    if loss.count:
        err.print(f"[yellow]+ {loss.count} dropped for want of room 因已满丢弃 … {loss.last}")


async def _held(parts: Parts) -> tuple[Sequence[Record], QuarantineLoss]:
    return await parts.state.records(QUARANTINE), await quarantine_loss(parts.state)


def _row(record: Record) -> dict[str, object]:
    held = held_of(record)
    return {
        "id": record.id,
        "at": held.at,
        "gateway": held.gateway,
        "peer": held.peer,
        "rows": held.rows,
        "reason": held.reason.key,
    }


@quarantine.command("show")
@node_options
@click.argument("id")
def show_quarantine(options: NodeOptions, *, id: str) -> None:
    """Prints one with its reason in full and its bytes in hex."""
    record = with_node(options, lambda parts: _find(parts, (id,)))[0]
    held = held_of(record)
    shown = {"facts": held.reason.facts, "subject": held.subject, "raw": b64decode(held.raw).hex()}
    show_json(_row(record) | shown)


@quarantine.command("replay")
@node_options
@click.argument("ids", nargs=-1, required=True)
def replay_quarantine(options: NodeOptions, *, ids: tuple[str, ...]) -> None:
    """Sends set-aside input in once more; what is taken leaves the list."""
    taken = with_node(options, lambda parts: _replay(parts, ids))
    out.print(f"{taken} / {len(ids)}")


@quarantine.command("drop")
@node_options
@click.argument("ids", nargs=-1, required=True)
def drop_quarantine(options: NodeOptions, *, ids: tuple[str, ...]) -> None:
    """Drops set-aside input for good."""
    out.print(f"{with_node(options, lambda parts: _drop(parts, ids))} / {len(ids)}")


async def _find(parts: Parts, ids: tuple[str, ...]) -> list[Record]:
    records = {record.id: record for record in await parts.state.records(QUARANTINE)}
    for wanted in ids:
        if wanted not in records:
            raise NotFound("quarantine.absent", id=wanted)
    return [records[wanted] for wanted in ids]


async def _replay(parts: Parts, ids: tuple[str, ...]) -> int:
    taken = 0
    for record in await _find(parts, ids):
        refused = await send_again(parts.bus, held_of(record), SERVICE)
        for reason in refused:
            err.print(f"[yellow]{reason}")
        if not refused:
            await parts.records.drop(QUARANTINE, record.tenant, record.id)
            taken += 1
    return taken


async def _drop(parts: Parts, ids: tuple[str, ...]) -> int:
    for record in await _find(parts, ids):
        await parts.records.drop(QUARANTINE, record.tenant, record.id)
    return len(ids)


COMMANDS = (quarantine,)

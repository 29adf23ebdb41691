"""``yunmeng jobs | audit``: what a running node holds."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import TypeVar

import click
import msgspec
from rich.progress import Progress
from rich_click import RichGroup

from yunmeng.kernel.base import JobInput, Unavailable, division_prefix
from yunmeng.kernel.trust import AuditEvent, Reach
from yunmeng.node.cli.options import NodeOptions, node_options
from yunmeng.node.cli.output import as_json, err, out, show, show_json
from yunmeng.node.parts import SERVICE, Parts, connected

_Result = TypeVar("_Result")


def with_node(options: NodeOptions, work: Callable[[Parts], Awaitable[_Result]]) -> _Result:
    """Runs the work against the running node of the options."""

    async def run() -> _Result:
        async with connected(options.settings()) as parts:
            return await work(parts)

    return asyncio.run(run())


async def record(parts: Parts, event: AuditEvent) -> None:
    """Puts an event on its way into the audit log."""
    from yunmeng.kernel.serve import AUDIT_SUBJECT, encode_events

    await parts.bus.publish(AUDIT_SUBJECT, encode_events([event]), SERVICE)


@click.group(cls=RichGroup)
def jobs() -> None:
    """Jobs 任务: work that takes time, with progress."""


@jobs.command("list")
@as_json
def list_jobs(*, json_: bool) -> None:
    """Lists the jobs that the packages offer."""
    from yunmeng.kernel.compute import job_definitions

    rows = [
        {
            "id": job.id,
            "zh": job.name.zh,
            "en": job.name.en,
            "package": job.package,
            "inputs": [msgspec.to_builtins(row) for row in job.inputs] if json_ else _inputs(job.inputs),
        }
        for job in job_definitions()
    ]
    columns = (
        ("id", "Id"),
        ("zh", "名称"),
        ("en", "Name"),
        ("package", "Package"),
        ("inputs", "Inputs 输入"),
    )
    show(rows, columns, json_=json_, styles={"id": "cyan"})


def _inputs(form: Sequence[JobInput]) -> str:
    return " ".join(f"{row.name}={row.default or row.kind}" for row in form)


@jobs.command("run")
@node_options
@click.argument("job_id")
@click.option("--input", "inputs", multiple=True, metavar="NAME=VALUE", help="An input; repeatable.")
def run_job(options: NodeOptions, *, job_id: str, inputs: tuple[str, ...]) -> None:
    """Runs a job on the node, shows its progress and prints its result."""
    given = {name: value for name, _, value in (pair.partition("=") for pair in inputs)}
    show_json(with_node(options, lambda parts: _run(parts, job_id, given)))


async def _run(parts: Parts, job_id: str, inputs: dict[str, str]) -> object:
    from yunmeng.kernel.compute import read_run, start_job

    home = Reach(prefixes=(division_prefix(parts.settings.node.division),))
    run_id = await start_job(parts.bus, job_id, inputs, SERVICE, home)
    with Progress(console=err, transient=True) as progress:
        task = progress.add_task(job_id, total=1.0)
        while True:
            run = await read_run(parts.state, run_id)
            if run is not None:
                progress.update(task, completed=run.progress, description=run.message or job_id)
                if run.ended:
                    return run
            await asyncio.sleep(0.2)


@click.group(cls=RichGroup)
def audit() -> None:
    """The audit log 审计日志: who did what, in a Merkle log that an outsider can verify."""


@audit.command("verify")
@node_options
@click.option(
    "--folder",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    help="The log's folder, when copied elsewhere.",
)
@click.option("--key", help="Verifier key; without it the one beside the folder.")
@click.option(
    "--since", type=click.Path(path_type=Path, exists=True), help="An older checkpoint that must still hold."
)
@as_json
def verify_audit(
    options: NodeOptions, *, folder: Path | None, key: str | None, since: Path | None, json_: bool
) -> None:
    """Verifies the whole log: signature, every hash, and that nothing was rolled back."""
    from yunmeng.kernel.trust import verify

    place = folder or options.settings().node.data / "audit"
    beside = place.with_name(f"{place.name}.vkey")
    if key is None and not beside.exists():
        raise Unavailable("audit.no-key", path=beside)
    started = time.monotonic()
    report = verify(place, key or beside.read_text().strip(), since.read_text() if since else "")
    if json_:
        show_json({"ok": report.ok, "first_bad": report.first_bad, **msgspec.to_builtins(report)})
    elif report.ok:
        seconds = time.monotonic() - started
        out.print(f"[green]完好 intact[/]  {report.size} entries 条, {seconds:.2f} s")
    else:
        out.print(f"[bold red]被改动 altered[/]  first bad entry 首个坏条目: {report.first_bad}")
        for fault in report.faults:
            out.print(f"  {fault}")
    if not report.ok:
        raise click.exceptions.Exit(2)


@audit.command("list")
@node_options
@click.option("--last", default=20, show_default=True, type=click.IntRange(1, 10_000))
@as_json
def list_audit(options: NodeOptions, *, last: int, json_: bool) -> None:
    """Lists the newest events."""
    from yunmeng.kernel.base import format_us
    from yunmeng.kernel.trust import AuditReader

    log = AuditReader(options.settings().node.data / "audit")
    rows = [
        {**msgspec.to_builtins(event), "at": format_us(event.at)}
        for event in log.events(max(0, log.size - last))
    ]
    columns = (
        ("at", "At 时间"),
        ("principal", "Who 谁"),
        ("action", "Action 动作"),
        ("resource", "On 对象"),
        ("decision", "Decision 裁决"),
    )
    show(rows, columns, json_=json_, styles={"at": "dim", "action": "cyan"})


COMMANDS = (jobs, audit)

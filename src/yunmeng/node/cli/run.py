"""``yunmeng demo | up | status``: a node in the foreground, and how it is."""

import asyncio
import os
import signal
from contextlib import AsyncExitStack
from pathlib import Path

import click
from rich.panel import Panel
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich_click import RichCommand

from yunmeng.kernel.base import Settings, division, label
from yunmeng.node.cli.options import NodeOptions, node_options
from yunmeng.node.cli.output import as_json, err, out, show, show_json

DEMO_FOLDER = Path("yunmeng-demo")


@click.command(cls=RichCommand)
@node_options
def up(options: NodeOptions) -> None:
    """Starts a node and serves until it is stopped 启动节点."""
    asyncio.run(_serve(options, demo=False))


@click.command(cls=RichCommand)
@node_options
def demo(options: NodeOptions) -> None:
    """Starts a province node with the Hubei data and live synthetic traffic 演示.

    Everything that the demo makes up is marked synthetic. A second start keeps its data.
    """
    from yunmeng.node.feed import demo_devices

    own = (f"node.data={DEMO_FOLDER}", "demo.enabled=true")
    gateways = [setting for devices in demo_devices() for setting in devices.settings()]
    asyncio.run(_serve(options.with_(*own, *gateways, profile="province"), demo=True))


async def _serve(options: NodeOptions, *, demo: bool, seeded: bool = True) -> None:
    from yunmeng.node.seed import seed
    from yunmeng.node.supervisor import Node, running, start_role

    settings = options.settings()
    arguments = options.arguments()
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    async with AsyncExitStack() as stack:
        with Progress(*columns, console=err, transient=True) as progress:
            task = progress.add_task("…")

            def say(part: str) -> None:
                progress.update(task, description=label(f"node.parts.{part}", options.language))

            node: Node = await stack.enter_async_context(running(settings, arguments, say, gateways=not demo))
            password = await seed(settings, demo=demo, progress=say) if seeded else None
            if demo:
                say("feed")
                await start_role(node, "feed", arguments, stack)
        _greet(settings, node.url, password, demo=demo)
        if demo and settings.gateways:
            # the pages are there; made-up devices may come a moment later
            await start_role(node, "gateway", arguments, stack)
        await stop.wait()
        err.print(label("node.stopping", options.language))


def _greet(settings: Settings, url: str, password: str | None, *, demo: bool) -> None:
    place = division(settings.node.division)
    lines = [
        f"[bold]{place.name_zh}[/] {place.name_en} · {settings.node.tier} · {settings.node.data}",
        f"[bold cyan]{url}[/]",
    ]
    if demo:
        from yunmeng.node.demo import DEMO_PASSWORD, DEMO_USERS

        lines.append(f"[dim]演示账号 demo users, 口令 password[/] [bold yellow]{DEMO_PASSWORD}[/]")
        lines += [f"  [bold]{user.name:<16}[/][dim]{user.about_zh} {user.about_en}[/]" for user in DEMO_USERS]
        lines.append("[dim]数据均为合成，并已标注。All live data is synthetic, and says so.[/]")
    elif password:
        lines.append(f"[bold]admin[/] / [bold yellow]{password}[/]")
        lines.append("[dim]一次性口令，首次登录须修改[/]")
        lines.append("[dim]one-time password, to be changed at the first sign-in[/]")
    lines.append("[dim]Ctrl-C 停止 stops the node[/]")
    out.print(Panel("\n".join(lines), title="云梦 Yunmeng", expand=False, border_style="cyan"))


@click.command(cls=RichCommand)
@node_options
@click.option("--port", default=1026, show_default=True, type=click.IntRange(1, 65535), help="Port 端口.")
def broker(options: NodeOptions, *, port: int) -> None:
    """Runs the NGSI-LD context broker alone, on 127.0.0.1 and WITHOUT SIGN-IN 独立的上下文代理.

    For embedding, benchmarks and conformance runs: whoever reaches the port may read and change everything.
    A temporal answer has at most 15 values of an attribute, then it is partial (206); for more at once,
    --set http.temporal_values=10000.
    """
    err.print("[bold yellow]没有登录：能访问此端口者可读写全部数据。[/]")
    err.print("[bold yellow]No sign-in: whoever reaches this port reads and changes everything.[/]")
    alone = (
        "trust.sign_in=false",
        "http.console=false",
        # a long question must not hold up the others
        f"http.workers={min(2, os.cpu_count() or 1)}",
        "node.rules=false",
        "http.host=127.0.0.1",
        f"http.port={port}",
        # whoever reaches it is on this machine already
        "http.private_contexts=true",
        # the conformance suite wants answers in parts well below 20 values of an attribute (206, §6.3.10)
        "http.temporal_values=15",
    )
    asyncio.run(_serve(options.with_(*alone), demo=False, seeded=False))


@click.command(cls=RichCommand)
@node_options
@as_json
def status(options: NodeOptions, *, json_: bool) -> None:
    """Shows how a running node is: its parts, and what waits 状态."""
    import httpx

    from yunmeng.kernel.base import Unavailable
    from yunmeng.node.folder import DataFolder

    settings = options.settings()
    folder = DataFolder(settings.node.data)
    url = folder.endpoints().http_url
    try:
        answer = httpx.get(f"{url}/ready", timeout=5, headers={"Accept-Language": options.language})
    except httpx.HTTPError as cause:
        raise Unavailable("node.no-answer", url=url, log=folder.logs / "api.log") from cause
    if json_:
        show_json(answer.json())
        return
    parts = answer.json().get("parts", {})
    rows = [{"part": name, "state": state} for name, state in parts.items()]
    columns = (("part", "Part 部件"), ("state", "State 状态"))
    show([{"part": "url", "state": url}, *rows], columns, json_=False, styles={"part": "cyan"})


COMMANDS = (demo, up, broker, status)

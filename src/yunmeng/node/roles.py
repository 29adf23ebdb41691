"""The processes of a node, ``python -m yunmeng.node.roles NAME [NTH]``, as the supervisor starts them."""

import asyncio
import ctypes
import gc
import logging
import os
import signal
import sys
from collections.abc import Awaitable, Callable, Coroutine

import click

from yunmeng.kernel.base import Settings, load_settings
from yunmeng.node.cli.options import NodeOptions, node_options

_PR_SET_PDEATHSIG = 1
PATIENCE_S = 60.0


def ready() -> None:
    """Tells the supervisor that this process does its work."""
    sys.stdout.write("ready\n")
    sys.stdout.flush()


async def keeper(settings: Settings, stop: asyncio.Event) -> None:
    """The single writer, and the writer of the audit log."""
    from yunmeng.kernel.keeper import Keeper
    from yunmeng.kernel.store import open_state_writer
    from yunmeng.node.auditor import Auditor
    from yunmeng.node.indexes import wished_indexes
    from yunmeng.node.parts import connected, type_library

    writer = await open_state_writer(settings)
    await writer.wish(wished_indexes(settings, type_library()))
    async with connected(settings, PATIENCE_S) as parts:
        keep = Keeper(parts.bus, writer, parts.history, settings)
        auditor = Auditor(parts.bus, parts.folder.path / "audit")
        await keep.start()
        await auditor.start()
        ready()
        await until(stop, keep.run(), auditor.run())
        await auditor.stop()
        await keep.stop()
    await writer.close()


async def api(settings: Settings, stop: asyncio.Event, nth: int = 1) -> None:
    """The HTTP APIs and the console; the ``nth`` of the processes that answer as one."""
    from yunmeng.kernel.serve import EdgeServer, create_app
    from yunmeng.node.parts import connected
    from yunmeng.node.routes import all_routes, pages
    from yunmeng.node.serving import services

    async with connected(settings, PATIENCE_S) as parts:
        app = create_app(services(parts), all_routes(), pages(settings), nth=nth)
        server = EdgeServer(app, settings.http.host, settings.http.port)
        await server.start()
        ready()
        await stop.wait()
        await server.stop()


async def worker(settings: Settings, stop: asyncio.Event) -> None:
    """Notifications, jobs and their schedule, the rules that raise alerts, the packages' own work."""
    from yunmeng.kernel.base import packages
    from yunmeng.kernel.compute import JobRunner, RuleRunner, Scheduler, appointments, load_rules
    from yunmeng.kernel.serve import Notifier
    from yunmeng.node.parts import connected
    from yunmeng.node.serving import package_work, services

    async with connected(settings, PATIENCE_S) as parts:
        shared = services(parts)
        notifier = Notifier(shared)
        jobs = JobRunner(parts.bus, parts.state, settings)
        ours = load_rules(packages(), shared.types) if settings.node.rules else ()
        scheduler = Scheduler(parts.bus, parts.state, shared.objects, appointments(settings.schedule))
        rules = RuleRunner(parts.bus, parts.state, ours, shared.types)
        await notifier.start()
        await jobs.start()
        await rules.start()
        ready()
        own = (notifier.run(), jobs.run(), scheduler.run(), rules.run())
        await until(stop, *own, *package_work(shared))
        await rules.stop()
        await jobs.stop()
        await notifier.stop()


async def gateway(settings: Settings, stop: asyncio.Event) -> None:
    """Meets the devices."""
    from yunmeng.kernel.sense import gateways_running
    from yunmeng.kernel.store import open_objects
    from yunmeng.node.parts import connected, type_library

    async with connected(settings, PATIENCE_S) as parts:
        objects = open_objects(settings)
        async with gateways_running(parts.bus, parts.state, objects, type_library(), settings):
            ready()
            await stop.wait()
        await objects.close()


async def feed(settings: Settings, stop: asyncio.Event) -> None:
    """Live synthetic traffic for the demo."""
    from yunmeng.node.feed import Feed
    from yunmeng.node.parts import connected
    from yunmeng.node.stories import tell_stories

    async with connected(settings, PATIENCE_S) as parts:
        feeder = Feed(parts.bus, parts.history, settings)
        await feeder.provision()
        ready()
        await until(stop, _both(feeder.run(), tell_stories(parts)))


async def _both(*work: Awaitable[None]) -> None:
    await asyncio.gather(*work)


async def until(stop: asyncio.Event, *work: Awaitable[None]) -> None:
    """Runs the work until ``stop`` is set; raises what ended one of them before."""
    tasks = [asyncio.ensure_future(each) for each in work]
    stopping = asyncio.create_task(stop.wait())
    done, _ = await asyncio.wait([*tasks, stopping], return_when=asyncio.FIRST_COMPLETED)
    for task in tasks:
        if task not in done:
            task.cancel()
    stopping.cancel()
    for task in done - {stopping}:
        task.result()


ROLES: dict[str, Callable[[Settings, asyncio.Event], Awaitable[None]]] = {
    "keeper": keeper,
    "api": api,
    "worker": worker,
    "gateway": gateway,
    "feed": feed,
}


async def play(role: str, settings: Settings, nth: int) -> None:
    """Plays a role until the process is told to stop."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    orphaned = asyncio.create_task(_stop_when_orphaned(stop))
    try:
        await (api(settings, stop, nth) if role == "api" else ROLES[role](settings, stop))
    finally:
        orphaned.cancel()


async def _stop_when_orphaned(stop: asyncio.Event) -> None:
    parent = os.getppid()
    while os.getppid() == parent:  # noqa: ASYNC110  (nobody tells when a parent dies)
        await asyncio.sleep(2.0)
    stop.set()


@click.command()
@click.argument("role", type=click.Choice(list(ROLES)))
@click.argument("nth", type=click.IntRange(1), default=1)
@node_options
def main(options: NodeOptions, role: str, nth: int) -> None:
    """Plays one role of a node."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
    logging.basicConfig(level=logging.INFO, format=f"%(asctime)s %(levelname)s {role} %(name)s: %(message)s")
    logging.getLogger("httpx").setLevel(logging.WARNING)
    # documents make many small objects and few cycles: collecting rarely saves a third of the work per write
    gc.set_threshold(100_000, 50, 1000)
    settings = load_settings(options.file, overrides=options.overrides, profile=options.profile)
    _run(play(role, settings, nth))


def _run(work: Coroutine[None, None, None]) -> None:
    if sys.platform == "win32":
        asyncio.run(work)
    else:
        import uvloop

        uvloop.run(work)


if __name__ == "__main__":
    main()

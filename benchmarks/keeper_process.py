"""A keeper as a process of its own: ``python -m benchmarks.keeper_process FOLDER BUS TOKEN HISTORY WORD``."""

import asyncio
import gc
import os
import signal
import sys
from dataclasses import replace
from pathlib import Path

import uvloop

from yunmeng.kernel.base import Settings
from yunmeng.kernel.keeper import Keeper
from yunmeng.kernel.link import NatsBus
from yunmeng.kernel.store import open_history, open_state_writer


def settings_in(folder: Path) -> Settings:
    settings = Settings()
    return replace(settings, node=replace(settings.node, data=folder))


async def keep(folder: str, bus_url: str, token: str, history_url: str, password: str) -> None:
    settings = settings_in(Path(folder))
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    bus = await NatsBus.connect(bus_url, token)
    state = await open_state_writer(settings)
    history = open_history(settings, history_url, password)
    keeper = Keeper(bus, state, history, settings)
    await keeper.start()
    print("ready", flush=True)
    running = asyncio.create_task(keeper.run())
    ends = (running, asyncio.create_task(stop.wait()), asyncio.create_task(orphaned()))
    await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
    await keeper.stop()
    await history.close()
    await state.close()
    await bus.close()


async def orphaned() -> None:
    parent = os.getppid()
    while os.getppid() == parent:  # noqa: ASYNC110 -- nobody tells
        await asyncio.sleep(1)


if __name__ == "__main__":
    gc.set_threshold(100_000, 50, 1000)  # as the roles of a node do
    uvloop.run(keep(*sys.argv[1:]))

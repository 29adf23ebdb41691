"""Keeper processes to be killed: ``python crash_process.py FOLDER BUS TOKEN HISTORY PASSWORD``.

It loads the code once; each line on its standard input makes it fork one keeper, which says ``started PID``
and then ``ready PID``. So a keeper is there again in no time, and a hundred lives fit into one test.
"""

import asyncio
import logging
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
from yunmeng.kernel.store.state import sqlite  # noqa: F401 -- before the fork, so that no life waits for it


def settings_in(folder: Path, linger_ms: int = 30, batch: int = 2_000) -> Settings:
    """Settings of a node that commits small rounds, so that many moments can be hit."""
    settings = Settings()
    settings = replace(settings, node=replace(settings.node, data=folder))
    return replace(settings, keeper=replace(settings.keeper, linger_ms=linger_ms, batch=batch))


async def keep(folder: str, bus_url: str, token: str, history_url: str, password: str) -> None:
    """Is the keeper until it is killed or told to stop."""
    settings = settings_in(Path(folder))
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    bus = await NatsBus.connect(bus_url, token, wait_s=20)
    state = await open_state_writer(settings)
    history = open_history(settings, history_url, password)
    keeper = Keeper(bus, state, history, settings)
    await keeper.start()
    say("ready")
    running, stopping = asyncio.create_task(keeper.run()), asyncio.create_task(stop.wait())
    await asyncio.wait((running, stopping), return_when=asyncio.FIRST_COMPLETED)
    if running.done():
        running.result()
    await keeper.stop()
    await history.close()
    await state.close()
    await bus.close()


def say(word: str) -> None:
    """Tells the test what this process is doing."""
    os.write(1, f"{word} {os.getpid()}\n".encode())


def main() -> None:
    """Forks one keeper a line."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(process)d %(name)s: %(message)s")
    for _ in sys.stdin:
        if os.fork() == 0:
            say("started")
            try:
                uvloop.run(keep(*sys.argv[1:]))
            except BaseException:
                logging.exception("the keeper ended")
                say("failed")
                os._exit(1)
            say("stopped")
            os._exit(0)


if __name__ == "__main__":
    main()

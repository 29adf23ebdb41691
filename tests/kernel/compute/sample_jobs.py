"""Jobs for the tests; the processes of runs import them by their path."""

import asyncio
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from yunmeng.kernel.base import Unavailable
from yunmeng.kernel.compute import JobContext


async def count(context: JobContext, inputs: Mapping[str, str]) -> dict[str, Any]:
    """Counts to a number, tells how far it is, and writes a file."""
    last = int(inputs["to"])
    for number in range(last):
        context.progress((number + 1) / last, f"{number + 1}")
        await asyncio.sleep(0.4 / last)
    await context.file("numbers.txt", b"\n".join(str(n).encode() for n in range(last)), "text/plain")
    return {"counted": last, "asked_by": context.principal.id, "prefixes": context.reach.prefixes}


async def make(context: JobContext, inputs: Mapping[str, str]) -> dict[str, Any]:
    """Makes a task in a division."""
    body = {"id": "urn:ngsi-ld:Task:made", "type": "Task", "division": inputs["where"], "title": "look"}
    context.entities([body])
    return {"made": body["id"]}


async def fail(context: JobContext, inputs: Mapping[str, str]) -> dict[str, Any]:
    """Fails in a way that a person can mend."""
    raise Unavailable("bus.full", stream="OBS", bytes=7)


async def break_(context: JobContext, inputs: Mapping[str, str]) -> dict[str, Any]:
    """Fails by its own fault."""
    raise ZeroDivisionError("by nothing")


async def die(context: JobContext, inputs: Mapping[str, str]) -> dict[str, Any]:
    """Ends without a word, as when the memory is gone."""
    os._exit(9)


async def wait(context: JobContext, inputs: Mapping[str, str]) -> dict[str, Any]:
    """Notes its process and waits until a file is there."""
    with Path(inputs["pids"]).open("a") as file:
        file.write(f"{os.getpid()}\n")
    while not Path(inputs["go"]).exists():
        await asyncio.sleep(0.02)
    return {"went": True}

"""Devices played on a line, for the simulators of protocols in which the gateway asks."""

import asyncio
import math
from collections.abc import Callable
from typing import TypeVar

from yunmeng.kernel.base import BadInput
from yunmeng.kernel.sense.codec import Codec
from yunmeng.kernel.sense.gateway import Simulation

Message = TypeVar("Message")


async def play_line(
    play: Simulation, codec: Codec[Message], answer: Callable[[Message], Message | None]
) -> int:
    """Serves a line of devices over TCP until the time is over; returns how many frames came.

    ``answer`` says what the device that is meant says, None when none is: a line is silent to what it cannot
    read, and to questions for devices that are not on it.
    """
    heard = 0

    async def line(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal heard
        buffer = bytearray()
        while data := await reader.read(4096):
            buffer += data
            for frame in codec.cut(buffer):
                heard += 1
                writer.write(_said(codec, frame, answer))
        writer.close()

    server = await asyncio.start_server(line, play.host, play.port)
    async with server:
        await asyncio.sleep(play.for_s or math.inf)
    return heard


def _said(codec: Codec[Message], frame: bytes, answer: Callable[[Message], Message | None]) -> bytes:
    try:
        said = answer(codec.decode(frame))
    except BadInput:
        return b""
    return b"" if said is None else codec.encode(said)

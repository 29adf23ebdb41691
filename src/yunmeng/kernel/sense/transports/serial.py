"""A serial line (RS-232, RS-485): ``gateway+serial:///dev/ttyUSB0?baud=9600&parity=E``."""

import asyncio
import os
import sys

from yunmeng.kernel.base import BadInput, Unavailable
from yunmeng.kernel.sense.hub import Hub

_PAUSE_S = 5.0


async def serve_serial(hub: Hub) -> None:
    """Speaks over the line until it is cancelled, and opens it again when it is pulled out.

    Raises:
        Unavailable: ``sense.port`` when the line cannot be opened at the start.
        BadInput: ``sense.option`` for a speed or parity that the line does not know.
    """
    descriptor = _open(hub)
    while True:
        await _speak(hub, descriptor)
        await asyncio.sleep(_PAUSE_S)
        try:
            descriptor = _open(hub)
        except Unavailable:
            continue


async def _speak(hub: Hub, descriptor: int) -> None:
    loop = asyncio.get_running_loop()
    gone: asyncio.Future[None] = loop.create_future()
    channel = hub.channel(hub.listen.path, lambda data: _write(descriptor, data), lambda: _end(gone))

    def read() -> None:
        try:
            data = os.read(descriptor, 4096)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        channel.hear(data) if data else _end(gone)

    loop.add_reader(descriptor, read)
    try:
        channel.open()
        await gone
    finally:
        loop.remove_reader(descriptor)
        channel.lost()
        os.close(descriptor)


def _write(descriptor: int, data: bytes) -> None:
    # frames are far shorter than a line's buffer, which empties between them
    os.write(descriptor, data)


def _end(gone: "asyncio.Future[None]") -> None:
    if not gone.done():
        gone.set_result(None)


def _open(hub: Hub) -> int:
    listen = hub.listen
    if sys.platform == "win32":
        raise Unavailable("sense.port", name=listen.name, host=listen.path, port=0, reason="win32")
    try:
        descriptor = os.open(listen.path, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
    except OSError as cause:
        raise Unavailable(
            "sense.port", name=listen.name, host=listen.path, port=0, reason=cause.strerror
        ) from cause
    _set_line(hub, descriptor)
    return descriptor


def _set_line(hub: Hub, descriptor: int) -> None:
    import termios
    import tty

    options = hub.listen.options
    baud, parity = options.get("baud", "9600"), options.get("parity", "N").upper()
    speed = getattr(termios, f"B{baud}", None)
    if speed is None or parity not in ("N", "E", "O"):
        raise BadInput("sense.option", name=hub.listen.name, option="baud/parity", value=f"{baud}/{parity}")
    tty.setraw(descriptor)
    mode = termios.tcgetattr(descriptor)
    mode[2] &= ~(termios.PARENB | termios.PARODD)
    mode[2] |= {"N": 0, "E": termios.PARENB, "O": termios.PARENB | termios.PARODD}[parity]
    mode[4] = mode[5] = speed
    termios.tcsetattr(descriptor, termios.TCSANOW, mode)

"""TCP: devices that call us, and devices that we call."""

import asyncio
import logging
import ssl
from contextlib import suppress
from typing import cast

from yunmeng.kernel.base import BadInput, Unavailable
from yunmeng.kernel.sense.channel import Channel
from yunmeng.kernel.sense.hub import Hub

BYTES_PER_TICK = 64 << 10
"""One connection is heard no longer than this at a time, so that a flood starves nobody."""

_PATIENCE_S = 30.0
"""How long a connection may take to be there; t0 of IEC 60870-5-104."""

_log = logging.getLogger("yunmeng.sense")


class Connection(asyncio.Protocol):
    """One TCP connection; it stops reading while the bus does not keep up."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub
        self._pending = bytearray()
        self._waiting = False
        self._channel: Channel | None = None
        self._transport: asyncio.Transport | None = None
        self.gone: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Opens the conversation."""
        self._transport = cast("asyncio.Transport", transport)
        host, port = (transport.get_extra_info("peername") or ("?", 0))[:2]
        self._channel = self._hub.channel(f"{host}:{port}", self._write, self._transport.close)
        self._channel.open()

    def data_received(self, data: bytes) -> None:
        """Hears what came, unless something waits already."""
        if self._waiting:
            self._pending += data
        elif self._channel is not None:
            self._hear(self._channel, data)

    def connection_lost(self, exc: Exception | None) -> None:
        """Ends the conversation."""
        if self._channel is not None:
            self._channel.lost()
        if not self.gone.done():
            self.gone.set_result(None)

    def _write(self, data: bytes) -> None:
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write(data)

    def _hear(self, channel: Channel, data: bytes) -> None:
        channel.hear(data[:BYTES_PER_TICK])
        if len(data) > BYTES_PER_TICK:
            self._pending += data[BYTES_PER_TICK:]
        if self._pending or self._hub.sink.full:
            self._wait()

    def _wait(self) -> None:
        self._waiting = True
        if self._transport is not None and not self._transport.is_closing():
            self._transport.pause_reading()
        self._hub.sink.when_room(self._go_on)

    def _go_on(self, _: "asyncio.Future[None]") -> None:
        self._waiting = False
        data, self._pending = bytes(self._pending), bytearray()
        if data and self._channel is not None:
            self._hear(self._channel, data)
        if not self._waiting and self._transport is not None and not self._transport.is_closing():
            self._transport.resume_reading()


async def serve_tcp(hub: Hub) -> None:
    """Listens until it is cancelled. Raises ``Unavailable("sense.port")``."""
    listen = hub.listen
    host, port = listen.host or "127.0.0.1", listen.port or hub.gateway.ports.get("tcp", 0)
    loop = asyncio.get_running_loop()
    try:
        server = await loop.create_server(lambda: Connection(hub), host, port, backlog=1024)
    except OSError as cause:
        raise Unavailable("sense.port", name=listen.name, host=host, port=port, reason=str(cause)) from cause
    hub.bound(server.sockets[0].getsockname()[:2])
    async with server:
        await server.serve_forever()


async def connect_tcp(hub: Hub) -> None:
    """Calls the device, and calls again whenever the connection is lost, until it is cancelled.

    With the option ``tls=1`` the connection is encrypted; ``ca`` names a file of certificates to trust
    instead of the system's, ``cert`` and ``key`` our own.

    Raises:
        BadInput: ``sense.option`` for a file that holds no certificate.
    """
    listen, pause = hub.listen, 1.0
    port = listen.port or hub.gateway.ports.get("connect", 0)
    loop, context = asyncio.get_running_loop(), _tls(hub)
    while True:
        with suppress(OSError):
            async with asyncio.timeout(_PATIENCE_S):
                transport, connection = await loop.create_connection(
                    lambda: Connection(hub), listen.host, port, ssl=context
                )
            try:
                pause = 1.0
                hub.bound((listen.host, port))
                await connection.gone
            finally:
                transport.close()
        _log.warning("%s: no connection to %s:%s, next try in %.0f s", listen.name, listen.host, port, pause)
        await asyncio.sleep(pause)
        pause = min(pause * 2, 60.0)


def _tls(hub: Hub) -> ssl.SSLContext | None:
    options = hub.listen.options
    if options.get("tls") != "1":
        return None
    try:
        context = ssl.create_default_context(cafile=options.get("ca"))
        if "cert" in options:
            context.load_cert_chain(options["cert"], options.get("key"))
    except OSError as cause:
        value = f"{options.get('ca', '')} {options.get('cert', '')}"
        raise BadInput("sense.option", name=hub.listen.name, option="ca/cert/key", value=value) from cause
    return context

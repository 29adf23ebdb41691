"""WebSocket (RFC 6455): devices that call us with a path, sub-protocols and HTTP Basic credentials."""

import asyncio
import ssl

from yunmeng.kernel.base import BadInput, Unavailable
from yunmeng.kernel.sense.hub import Hub


async def serve_websocket(hub: Hub) -> None:
    """Listens until it is cancelled; ``wss`` is the same over TLS, with the options ``cert`` and ``key``.

    Options: ``longest`` message in bytes (1 MiB), ``ping`` seconds after which a silent device is asked
    whether it is there (60; 0 never).

    Raises:
        Unavailable: ``sense.port``; ``sense.extra`` without the library.
        BadInput: ``sense.option`` for what is no number, and for a file that holds no certificate.
    """
    try:
        from yunmeng.kernel.sense.transports.websocket_protocol import WebSockets
    except ImportError as cause:
        id = hub.gateway.id
        raise Unavailable("sense.extra", gateway=id, library="websockets", extra=id) from cause
    listen = hub.listen
    host = listen.host or "127.0.0.1"
    port = listen.port or hub.gateway.ports.get(listen.transport, 0)
    sockets = WebSockets(hub, longest=_number(hub, "longest", 1 << 20), ping_s=_number(hub, "ping", 60))
    tls = _tls(hub) if listen.transport == "wss" else None
    try:
        server = await asyncio.get_running_loop().create_server(
            sockets.connection, host, port, backlog=1024, ssl=tls
        )
    except OSError as cause:
        raise Unavailable("sense.port", name=listen.name, host=host, port=port, reason=str(cause)) from cause
    hub.bound(server.sockets[0].getsockname()[:2])
    try:
        await asyncio.get_running_loop().create_future()
    finally:
        server.close()
        sockets.leave()


def _number(hub: Hub, option: str, default: int) -> int:
    text = hub.listen.options.get(option, str(default))
    if not text.isdecimal() or len(text) > 9:
        raise BadInput("sense.option", name=hub.listen.name, option=option, value=text)
    return int(text)


def _tls(hub: Hub) -> ssl.SSLContext:
    options = hub.listen.options
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    cert = options.get("cert", "")
    try:
        context.load_cert_chain(cert, options.get("key"))
    except OSError as cause:
        raise BadInput("sense.option", name=hub.listen.name, option="cert/key", value=cert) from cause
    return context

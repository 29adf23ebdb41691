"""How bytes travel between devices and sessions: TCP both ways, UDP, WebSocket, a serial line."""

from collections.abc import Awaitable, Callable, Mapping

from yunmeng.kernel.base import BadInput, nearest
from yunmeng.kernel.sense.hub import Hub
from yunmeng.kernel.sense.transports.serial import serve_serial
from yunmeng.kernel.sense.transports.tcp import connect_tcp, serve_tcp
from yunmeng.kernel.sense.transports.udp import serve_udp
from yunmeng.kernel.sense.transports.websocket import serve_websocket

Serve = Callable[[Hub], Awaitable[None]]

TRANSPORTS: Mapping[str, Serve] = {
    "tcp": serve_tcp,
    "connect": connect_tcp,
    "udp": serve_udp,
    "ws": serve_websocket,
    "wss": serve_websocket,
    "serial": serve_serial,
}


def transport(name: str) -> Serve:
    """Returns how to serve over a transport, until cancelled. Raises ``BadInput("sense.transport")``."""
    if name not in TRANSPORTS:
        raise BadInput(
            "sense.transport", name=name, known=", ".join(TRANSPORTS), nearest=nearest(name, TRANSPORTS)
        )
    return TRANSPORTS[name]

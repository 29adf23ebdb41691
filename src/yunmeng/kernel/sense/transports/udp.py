"""UDP: a conversation for each peer, forgotten after silence."""

import asyncio
from typing import cast

from yunmeng.kernel.base import Unavailable
from yunmeng.kernel.sense.channel import Channel
from yunmeng.kernel.sense.hub import Hub

Address = tuple[str, int]

MOST_PEERS = 200_000


class Datagrams(asyncio.DatagramProtocol):
    """All peers of one UDP port; datagrams are dropped while the bus lags, since devices send again."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub
        self._peers: dict[Address, Channel] = {}
        self._transport: asyncio.DatagramTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The port is open."""
        self._transport = cast("asyncio.DatagramTransport", transport)

    def datagram_received(self, data: bytes, addr: Address) -> None:
        """Hears one datagram."""
        if self._hub.sink.full:
            self._hub.sink.counts["dropped"] += 1
            return
        channel = self._peers.get(addr) or self._meet(addr)
        channel.hear(data)

    def _meet(self, addr: Address) -> Channel:
        if len(self._peers) >= MOST_PEERS:
            self._forget(next(iter(self._peers)))
        channel = self._hub.channel(
            f"{addr[0]}:{addr[1]}", lambda data: self._write(data, addr), lambda: self._forget(addr)
        )
        self._peers[addr] = channel
        channel.open()
        return channel

    def _write(self, data: bytes, addr: Address) -> None:
        if self._transport is not None and not self._transport.is_closing():
            self._transport.sendto(data, addr)

    def _forget(self, addr: Address) -> None:
        channel = self._peers.pop(addr, None)
        if channel is not None:
            channel.lost()


async def serve_udp(hub: Hub) -> None:
    """Listens until it is cancelled. Raises ``Unavailable("sense.port")``."""
    listen = hub.listen
    host, port = listen.host or "127.0.0.1", listen.port or hub.gateway.ports.get("udp", 0)
    loop = asyncio.get_running_loop()
    try:
        transport, _ = await loop.create_datagram_endpoint(lambda: Datagrams(hub), (host, port))
    except OSError as cause:
        raise Unavailable("sense.port", name=listen.name, host=host, port=port, reason=str(cause)) from cause
    hub.bound(transport.get_extra_info("sockname")[:2])
    try:
        await asyncio.get_running_loop().create_future()
    finally:
        transport.close()

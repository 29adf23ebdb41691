"""Notifications over MQTT 3.1.1 and 5.0, published by clients that stay connected (ETSI GS CIM 009 §7.2)."""

import asyncio
import time
from collections.abc import Mapping
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import msgspec

from yunmeng.kernel.serve.endpoint import MqttServer, MqttTopic
from yunmeng.kernel.serve.http_courier import trusted

if TYPE_CHECKING:
    from aiomqtt import Client

_IDLE_S = 60.0

_encode = msgspec.json.Encoder().encode


def envelope(headers: Mapping[str, str], body: bytes) -> bytes:
    """Returns a notification with its metadata, since MQTT has no headers (§7.2)."""
    return _encode({"metadata": dict(headers), "body": msgspec.Raw(body)})


class MqttCourier:
    """Publishes on any number of servers."""

    def __init__(self) -> None:
        self._lines: dict[MqttServer, _Line] = {}

    async def publish(self, to: MqttTopic, message: bytes, timeout_s: float) -> str:
        """Returns why a message was not taken, nothing when it was."""
        from aiomqtt import MqttError

        line = self._lines.setdefault(to.server, _Line(to.server))
        try:
            async with asyncio.timeout(timeout_s):
                await line.publish(to, message)
        except TimeoutError:
            return f"no answer in {timeout_s:g} s"
        except (MqttError, OSError) as failure:
            return f"{type(failure).__name__}: {failure}"
        return ""

    async def tidy(self) -> None:
        """Leaves servers that nobody has published on for a while."""
        before = time.monotonic() - _IDLE_S
        for server, line in tuple(self._lines.items()):
            if line.used < before and not line.lock.locked():
                del self._lines[server]
                await line.leave()

    async def close(self) -> None:
        """Leaves all servers."""
        for line in self._lines.values():
            await line.leave()
        self._lines.clear()


@dataclass(slots=True)
class _Line:
    """The connection to one server; messages of all subscriptions go over it, one at a time."""

    server: MqttServer
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    used: float = 0.0
    _client: "Client | None" = None
    _stack: AsyncExitStack = field(default_factory=AsyncExitStack)

    async def publish(self, to: MqttTopic, message: bytes) -> None:
        """Publishes, on a new connection where the old one has gone."""
        from aiomqtt import MqttError

        async with self.lock:
            self.used = time.monotonic()
            fresh = self._client is None
            try:
                await self._send(to, message)
            except MqttError:
                await self.leave()
                if fresh:
                    raise
                await self._send(to, message)
            except BaseException:
                await self.leave()
                raise

    async def _send(self, to: MqttTopic, message: bytes) -> None:
        client = self._client or await self._connect()
        await client.publish(to.topic, message, qos=to.qos)

    async def _connect(self) -> "Client":
        from aiomqtt import Client, ProtocolVersion

        server = self.server
        client = Client(
            server.host,
            server.port,
            username=server.user,
            password=server.password,
            protocol=ProtocolVersion.V5 if server.version == "mqtt5.0" else ProtocolVersion.V311,
            tls_context=trusted() if server.tls else None,
        )
        self._client = await self._stack.enter_async_context(client)
        return client

    async def leave(self) -> None:
        """Closes the connection."""
        from aiomqtt import MqttError

        client, self._client = self._client, None
        with suppress(MqttError, TimeoutError):
            await self._stack.aclose()
            if client is not None:
                # takes note of how the connection ended, which the library wants somebody to do
                async with asyncio.timeout(0):
                    await anext(client.messages)

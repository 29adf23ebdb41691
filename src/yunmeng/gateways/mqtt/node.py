"""``mqtt+node://``: devices at the node's own listener, whose messages come from the server's stream.

The session hears the same packets as from an outside broker; here they are made from the stream's messages,
and its acknowledgements move the stream's durable consumers on.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from contextlib import suppress

from yunmeng.gateways.mqtt.codec import MqttCodec, connect
from yunmeng.gateways.mqtt.messages import CONNACK, CONNECT, PUBACK, SUBACK, SUBSCRIBE, Packet, Publish
from yunmeng.gateways.mqtt.rights import Door
from yunmeng.gateways.mqtt.tables import chosen_topics
from yunmeng.kernel.base import BadInput, Unavailable
from yunmeng.kernel.link import Consumer, MqttInbox
from yunmeng.kernel.sense import Hub
from yunmeng.kernel.sense.transports import transport

_AT_ONCE = 512
_WAIT_S = 5.0
_PAUSE_S = 1.0
_MOST_UNDER_WAY = 30_000
_CODEC = MqttCodec()


async def serve_mqtt(hub: Hub) -> None:
    """Meets devices at an outside broker (``connect``) or at the node's listener (``node``)."""
    await (serve_node if hub.listen.transport == "node" else transport(hub.listen.transport))(hub)


async def serve_node(hub: Hub) -> None:
    """Takes what devices publish at the node's listener, until it is cancelled.

    Raises:
        Unavailable: ``mqtt.listener`` when the node runs none.
        BadInput: ``sense.option`` for MQTT 5, which the listener does not speak.
    """
    if hub.folder is None or not (hub.folder / "mqtt").exists():
        raise Unavailable("mqtt.listener")
    if (version := hub.listen.options.get("version", "3.1.1")) != "3.1.1":
        raise BadInput("sense.option", name=hub.listen.name, option="version", value=version)
    inbox = await MqttInbox.open(hub.folder / "mqtt")
    try:
        if inbox.signs_in:
            door = Door(hub.devices, hub.gateway.id, chosen_topics(hub.listen.options))
            door.own = inbox.credential
            await inbox.guard(door.admit)
        await _greet(inbox)
        while True:
            await _Desk(hub, inbox).work()
            await asyncio.sleep(_PAUSE_S)  # something was not kept: it comes again from the stream
    finally:
        await inbox.close()


async def _greet(inbox: MqttInbox) -> None:
    """Connects by MQTT once: the server makes its streams when the first client comes."""
    reader, writer = await asyncio.open_connection(*inbox.address)
    try:
        user, password = inbox.credential
        writer.write(_CODEC.encode(connect("yunmeng-node", user=user, password=password, clean=True)))
        async with asyncio.timeout(_WAIT_S):
            await reader.readexactly(4)
    finally:
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()


class _Desk:
    """Plays the broker to a session."""

    def __init__(self, hub: Hub, inbox: MqttInbox) -> None:
        self._hub = hub
        self._inbox = inbox
        self._filters: asyncio.Queue[str] = asyncio.Queue()
        self._acks: dict[int, Callable[[], None]] = {}
        self._number = 0
        self._sending: set[asyncio.Task[None]] = set()
        self._gone: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._channel = hub.channel("node", self._hear, self._hang_up)

    async def work(self) -> None:
        """Serves every filter that the session subscribes to."""
        self._channel.open()
        try:
            async with asyncio.TaskGroup() as group:
                works: list[asyncio.Task[None]] = []
                opening = group.create_task(self._open(group, works))
                await self._gone
                for work in [opening, *works]:
                    work.cancel()
        finally:
            self._channel.lost()
            await self._inbox.leave()

    async def _open(self, group: asyncio.TaskGroup, works: "list[asyncio.Task[None]]") -> None:
        while True:
            filter_ = await self._filters.get()
            works.append(group.create_task(self._take(await self._inbox.kept(filter_))))
            await self._inbox.passing(filter_, self._pass)

    async def _take(self, consumer: Consumer) -> None:
        ledger = _Ledger(consumer.ack)
        try:
            while True:
                await self._hub.sink.room()
                messages = await consumer.fetch(_AT_ONCE, _WAIT_S)
                packets = bytearray()
                for message in messages:
                    number = self._next()
                    self._acks[number] = ledger.owe(message.position)
                    packets += _CODEC.encode(Publish(message.subject, message.data, 1, number))
                if packets:
                    self._channel.hear(bytes(packets))
                # identifiers are as many as there are: whoever brings more waits for what is under way
                while len(self._acks) > _MOST_UNDER_WAY:  # noqa: ASYNC110  (asked seldom, set often)
                    await asyncio.sleep(0.01)
        finally:
            await consumer.close()

    def _pass(self, topic: str, payload: bytes) -> None:
        if self._hub.sink.full:
            self._hub.sink.counts["dropped"] += 1
            return
        self._channel.hear(_CODEC.encode(Publish(topic, payload)))

    def _next(self) -> int:
        while True:
            self._number = self._number % 0xFFFF + 1
            if self._number not in self._acks:
                return self._number

    def _hear(self, data: bytes) -> None:
        """What the session sends to its broker."""
        for frame in _CODEC.cut(bytearray(data)):
            message = _CODEC.decode(frame)
            if isinstance(message, Publish):
                self._later(self._publish(message))
            elif message.kind == PUBACK:
                if settle := self._acks.pop(int.from_bytes(message.body, "big"), None):
                    settle()
            elif message.kind == CONNECT:
                self._answer(Packet(CONNACK, b"\0\0"))
            elif message.kind == SUBSCRIBE:
                self._subscribe(message.body)

    def _subscribe(self, body: bytes) -> None:
        at, count = 2, 0
        while at < len(body):
            end = at + 2 + int.from_bytes(body[at : at + 2], "big")
            self._filters.put_nowait(body[at + 2 : end].decode())
            at, count = end + 1, count + 1
        self._answer(Packet(SUBACK, body[:2] + b"\1" * count))

    async def _publish(self, message: Publish) -> None:
        await self._inbox.publish(message.topic, message.payload)
        if message.qos:
            self._answer(Packet(PUBACK, message.packet.to_bytes(2, "big")))

    def _answer(self, packet: Packet) -> None:
        # not at once: the session is still at what it sent
        asyncio.get_running_loop().call_soon(self._channel.hear, _CODEC.encode(packet))

    def _later(self, work: Awaitable[None]) -> None:
        task = asyncio.ensure_future(work)
        self._sending.add(task)
        task.add_done_callback(self._sending.discard)

    def _hang_up(self) -> None:
        if not self._gone.done():
            self._gone.set_result(None)


class _Ledger:
    """Acknowledges positions in their order, since JetStream takes all before one for done."""

    def __init__(self, ack: Callable[[int], Awaitable[None]]) -> None:
        self._ack = ack
        self._owed: deque[int] = deque()
        self._done: set[int] = set()
        self._work: asyncio.Task[None] | None = None

    def owe(self, position: int) -> Callable[[], None]:
        """Notes a position; returns what settles it."""
        self._owed.append(position)
        return lambda: self._settle(position)

    def _settle(self, position: int) -> None:
        self._done.add(position)
        if self._work is None and self._owed[0] in self._done:
            self._work = asyncio.ensure_future(self._go_on())

    async def _go_on(self) -> None:
        try:
            while self._owed and self._owed[0] in self._done:
                last = 0
                while self._owed and self._owed[0] in self._done:
                    last = self._owed.popleft()
                    self._done.discard(last)
                await self._ack(last)
        finally:
            self._work = None

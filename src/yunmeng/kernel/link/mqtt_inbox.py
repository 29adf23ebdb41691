"""What devices publish at the node's own MQTT listener, from the stream in which the NATS server keeps it.

The server keeps each message of QoS 1 and 2 on disk before it answers the device, as long as a durable
consumer wants it; messages of QoS 0 pass by. Topics are subjects there: ``/`` is ``.``, a dot is ``//``, an
empty level is ``/``.
"""

import asyncio
from collections.abc import Callable
from hashlib import blake2s
from pathlib import Path
from typing import cast

from yunmeng.kernel.base import BadInput, Unavailable
from yunmeng.kernel.link.mqtt_doorman import QUESTIONS, Admit, Doorman
from yunmeng.kernel.link.nats_connection import Listening, NatsConnection
from yunmeng.kernel.link.nats_consumer import NatsConsumer
from yunmeng.kernel.link.nats_parser import Frame
from yunmeng.kernel.link.port import Consumer, Message, StreamName
from yunmeng.kernel.link.server_folder import HOST, ServerFolder
from yunmeng.kernel.trust import Principal

_STREAM = cast("StreamName", "$MQTT_msgs")
_KEPT = "$MQTT.msgs."
_QOS = "Nmqtt-Pub"
_DEVICE = Principal("urn:yunmeng:device:mqtt", kind="device")


class MqttInbox:
    """A connection to the listener of a folder, beside the node's bus."""

    def __init__(self, connection: NatsConnection, folder: ServerFolder) -> None:
        self._connection = connection
        self._folder = folder
        self._listening: list[Listening] = []
        self._answering: set[asyncio.Future[None]] = set()

    @classmethod
    async def open(cls, folder: Path) -> "MqttInbox":
        """Connects. Raises ``Unavailable("bus.down")`` when no listener runs in this folder."""
        files = ServerFolder(folder)
        port, mqtt_port = files.read_ports()
        if not mqtt_port:
            raise Unavailable("bus.down", url=str(folder))
        return cls(await NatsConnection.open(f"nats://gateway@{HOST}:{port}", files.token()), files)

    @property
    def address(self) -> tuple[str, int]:
        """Where devices connect."""
        return HOST, self._folder.read_ports()[1]

    @property
    def credential(self) -> tuple[str, str]:
        """User and password that devices show."""
        return "device", self._folder.device_token()

    async def kept(self, filter: str) -> Consumer:  # noqa: A002  (the word of MQTT)
        """Opens the durable consumer of a topic filter: what came at QoS 1 and 2, until it is acknowledged.

        Messages bear their topic for a subject. The server makes the stream when the first MQTT client
        comes; until then ``Broken("bus.refused")``.
        """
        subject = _KEPT + to_subject(filter)
        durable = f"gateway-{blake2s(filter.encode(), digest_size=8).hexdigest()}"
        consumer = NatsConsumer(self._connection, _STREAM, durable, _kept)
        await consumer.open(subject, 0)
        return consumer

    async def passing(self, filter: str, take: Callable[[str, bytes], None]) -> None:  # noqa: A002
        """Hands on what comes at QoS 0 from now on: topic and payload."""

        def receive(frame: Frame) -> None:
            # what is kept passes by as well
            if frame.headers.get(_QOS, "0")[:1] == "0":
                take(to_topic(frame.subject), frame.data)

        self._listening.append(await self._connection.listen(to_subject(filter), receive))

    async def publish(self, topic: str, payload: bytes) -> None:
        """Publishes to whoever has subscribed, at QoS 0."""
        await self._connection.send(to_subject(topic), payload)

    @property
    def signs_in(self) -> bool:
        """Whether the server asks for each device by itself; then somebody has to :meth:`guard`."""
        return self._folder.signs_in

    async def guard(self, admit: Admit) -> None:
        """Answers who may come in, until the connection is closed; while nobody does, no device comes in."""
        doorman = Doorman(self._folder.issuer_seed(), admit)

        def receive(frame: Frame) -> None:
            task = asyncio.ensure_future(self._connection.send(frame.reply, doorman.answer(frame)))
            self._answering.add(task)
            task.add_done_callback(self._answering.discard)

        await self._connection.listen(QUESTIONS, receive)
        # a device that comes before the server knows of us would wait for nobody
        await self._connection.flush()

    async def leave(self) -> None:
        """Hands on nothing any more."""
        for listening in self._listening:
            await listening.leave()
        self._listening.clear()

    async def close(self) -> None:
        """Hangs up."""
        await self.leave()
        await self._connection.close()


def to_subject(topic: str) -> str:
    """Returns the subject of a topic or filter. Raises ``BadInput("bus.bad-subject")`` for spaces."""
    if not topic or set(topic) & set(" \t\r\n\0*>"):
        raise BadInput("bus.bad-subject", subject=topic)
    return ".".join([_level(level) for level in topic.split("/")])


def to_topic(subject: str) -> str:
    """Returns the topic of a subject."""
    return "/".join(["" if level == "/" else level.replace("//", ".") for level in subject.split(".")])


def _level(level: str) -> str:
    return {"": "/", "+": "*", "#": ">"}.get(level) or level.replace(".", "//")


def _kept(frame: Frame, position: int) -> Message:
    topic = to_topic(frame.subject.removeprefix(_KEPT))
    return Message(topic, frame.data, position, _DEVICE, frame.headers)

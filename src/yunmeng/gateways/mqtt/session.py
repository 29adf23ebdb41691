"""The conversation with a broker: sign in, subscribe, take messages, acknowledge them once they are kept."""

import json
import logging
import socket
from collections.abc import Iterable, Iterator
from hashlib import blake2s

from yunmeng.gateways.mqtt.codec import MqttCodec, connect, subscribe
from yunmeng.gateways.mqtt.codec5 import Mqtt5Codec, connect5, reasons, subscribe5
from yunmeng.gateways.mqtt.messages import (
    CONNACK,
    DISCONNECT,
    PINGREQ,
    PINGRESP,
    PUBACK,
    SUBACK,
    Packet,
    Publish,
)
from yunmeng.gateways.mqtt.routes import Order, Route, Table
from yunmeng.gateways.mqtt.sparkplug import NAMESPACE, SparkplugHost
from yunmeng.gateways.mqtt.tables import chosen_topics
from yunmeng.kernel.base import BadInput, Secret, Unavailable
from yunmeng.kernel.model import Reading
from yunmeng.kernel.sense import (
    Close,
    Command,
    Effect,
    FrameSession,
    Identify,
    InFlight,
    Observe,
    Refuse,
    Send,
    Station,
    bad_frame,
)

_KEEP_ALIVE_S = 60
_REFUSED = 0x80
_MOST_ROUTES = 200_000
_log = logging.getLogger("yunmeng.sense")


class MqttSession(FrameSession[Packet | Publish]):
    """One connection to a broker, over which any number of devices speak.

    Everything that one piece of the stream said is one :class:`Observe`, and its messages of QoS 1 are
    acknowledged with it.
    """

    def __init__(self, station: Station) -> None:
        self._is_5 = station.options.get("version", "3.1.1") == "5"
        super().__init__(Mqtt5Codec() if self._is_5 else MqttCodec())
        self._station = station
        rows = chosen_topics(station.options)
        self._tables = [Table(name, row) for name, row in rows.items() if row.topic]
        self._orders = [order for table in self._tables for order in table.orders.values()]
        plants = {name: row for name, row in rows.items() if row.sparkplug}
        self._sparkplug = SparkplugHost(station, plants, self.codec.encode) if plants else None
        self._host = f"{NAMESPACE}/STATE/{station.options['host']}" if station.options.get("host") else ""
        self._since = 0
        self._routes: dict[str, Route] = {}
        self._speaks: dict[str, Table] = {}
        self._published: InFlight[int] = InFlight(10.0, 2)
        self._packet = 0
        self.subscribed = False
        self._pinged = self._heard = 0

    def opened(self, at: int) -> Iterable[Effect]:
        """Signs in; the session at the broker outlives the connection, so that nothing is missed."""
        options = self._station.options
        self._pinged = self._heard = at
        self._since = at // 1000
        yield Send(
            self.codec.encode(
                (connect5 if self._is_5 else connect)(
                    options.get("client") or self._client(),
                    user=options.get("user", ""),
                    password=Secret(options.get("password", "")).reveal(),
                    keep_alive=_KEEP_ALIVE_S,
                    clean=options.get("clean") == "1",
                    will=self._state(online=False) if self._host else None,
                )
            )
        )

    def received(self, data: bytes, at: int) -> Iterable[Effect]:
        """Takes all packets of a piece together; a broken one ends the connection (§4.8)."""
        self._heard = at
        self._buffer += data
        effects: list[Effect] = []
        readings: list[Reading] = []
        acks = bytearray()
        decode = self.codec.decode
        for frame in self.codec.cut(self._buffer):
            try:
                message = decode(frame)
            except BadInput as reason:
                effects += (Refuse(frame, reason), Close())
                break
            if isinstance(message, Packet):
                effects += self.heard(message, frame, at)
                continue
            ack = b"\x40\x02" + message.packet.to_bytes(2, "big") if message.qos else b""
            try:
                self._take(message, at, effects, readings)
            except BadInput as reason:
                effects.append(Refuse(frame, reason, ack))
            else:
                acks += ack
        if readings or acks:
            effects.append(Observe(tuple(readings), bytes(acks)))
        return effects

    def heard(self, message: Packet | Publish, frame: bytes, at: int) -> Iterable[Effect]:
        """Answers what the broker itself says."""
        if isinstance(message, Publish) or message.kind == PINGRESP:
            return ()
        body, longest = message.body, 1 << 16 if self._is_5 else 2
        if message.kind == CONNACK and 2 <= len(body) <= longest:
            return self._signed_in(body[1])
        if message.kind == SUBACK:
            return self._subscribed(frame, reasons(body) if self._is_5 else body[2:])
        if message.kind == PUBACK and 2 <= len(body) <= longest:
            return self._taken(int.from_bytes(body[:2], "big"), body[2] if len(body) > 2 else 0)
        if message.kind == DISCONNECT and self._is_5:
            _log.error("%s: the broker hangs up, reason %s", self._station.peer, body[:1].hex() or "00")
            return (Close(),)
        return (Refuse(frame, bad_frame("MQTT", f"packet {message.kind}")), Close())

    def command(self, command: Command, at: int) -> Iterable[Effect]:
        """Publishes a command of the device's table, or writes a metric of a Sparkplug device.

        Raises:
            BadInput: ``command.unknown``, ``command.arguments``, ``mqtt.topic-part``.
        """
        if self._sparkplug is not None and self._sparkplug.knows(command.device):
            return self._sparkplug.command(command, at)
        table = self._speaks.get(command.device)
        order = table.orders.get(command.name) if table else None
        if order is None:
            known = ", ".join(table.orders) if table else "-"
            raise BadInput("command.unknown", name=command.name, known=known or "-")
        return self._order(order, command, at)

    def tick(self, at: int) -> Iterable[Effect]:
        """Shows that we are there, notices that the broker is not, gives up commands."""
        for order in self._orders:
            yield from order.waiting.tick(at)
        yield from self._published.tick(at)
        if self._sparkplug is not None:
            yield from self._sparkplug.tick(at)
        if at - self._heard > _KEEP_ALIVE_S * 1_500_000:
            yield Close()
        elif at - max(self._pinged, self._heard) > _KEEP_ALIVE_S * 500_000:
            self._pinged = at
            yield Send(self.codec.encode(Packet(PINGREQ)))

    def _take(self, message: Publish, at: int, effects: list[Effect], readings: list[Reading]) -> None:
        topic = message.topic
        route = self._routes.get(topic)
        if route is None:
            if topic.startswith(NAMESPACE) and self._sparkplug is not None:
                self._sparkplugged(message, at, effects, readings)
                return
            for order in self._orders:
                answer = order.answered(message)
                if answer is not None:
                    effects += answer
                    return
            route = self._route(topic)
        table = route.table
        if message.retain and not table.row.retained:
            return
        said: list[Reading] = []
        for device, when, fields in table.reader.read(route.names, topic, message.payload, at):
            record = self._station.admit(device)
            mapper = self._station.mappers.get((record and record.mapping) or table.mapping)
            if mapper is None:
                name = (record and record.mapping) or table.mapping
                raise BadInput("mapping.absent", gateway="mqtt", name=name)
            home = record.division if record is not None else ""
            said.append(mapper.reading(device, when, fields, division=home))
            if device not in self._speaks:
                effects.append(Identify(device))
            self._speaks[device] = table
        readings += said

    def _sparkplugged(
        self, message: Publish, at: int, effects: list[Effect], readings: list[Reading]
    ) -> None:
        if message.topic.startswith(f"{NAMESPACE}/STATE/"):
            # an earlier connection of ours may have left its will behind this one's birth (§5.14)
            if message.topic == self._host and json_offline(message.payload):
                effects.append(Send(self.codec.encode(self._state(online=True))))
        elif self._sparkplug is not None:
            self._sparkplug.heard(message.topic, message.payload, at, effects, readings)

    def _route(self, topic: str) -> Route:
        for table in self._tables:
            names = table.pattern.match(topic)
            if names is not None:
                if len(self._routes) >= _MOST_ROUTES:
                    self._routes.clear()
                return self._routes.setdefault(topic, Route(table, names))
        raise BadInput("mqtt.topic", topic=topic)

    def _order(self, order: Order, command: Command, at: int) -> Iterator[Effect]:
        topic, payload = order.request(command)
        packet = self._next()
        data = self.codec.encode(Publish(topic, payload, 1, packet))
        if order.response is None:
            return self._published.send(packet, command, data, at)
        return order.waiting.send(order.key(command), command, data, at)

    def _signed_in(self, code: int) -> Iterator[Effect]:
        if code:
            _log.error(
                "%s: the broker refuses us with code %d (MQTT 3.1.1 §3.2.2.3)", self._station.peer, code
            )
            yield Close()
            return
        share = self._station.options.get("share", "")
        prefix = f"$share/{share}/" if share else ""
        filters = {prefix + table.pattern.filter: table.row.qos for table in self._tables}
        for order in self._orders:
            if order.response is not None:
                filters[order.response.filter] = 1
        if self._sparkplug is not None:
            filters |= dict.fromkeys(self._sparkplug.filters, 1)
            filters |= {self._host: 1} if self._host else {}
        if filters:
            asked = (subscribe5 if self._is_5 else subscribe)(self._next(), filters)
            yield Send(self.codec.encode(asked))
        if self._host:
            yield Send(self.codec.encode(self._state(online=True)))

    def _taken(self, packet: int, reason: int) -> Iterable[Effect]:
        """The broker's word on what we published; from 0x80 on it is no (MQTT 5 §3.4.2.1)."""
        if reason < _REFUSED:
            return self._published.answered(packet, {"published": True})
        error = Unavailable("command.refused", device="-", name="publish", reason=f"{reason:02X}")
        return self._published.failed(packet, error)

    def _subscribed(self, frame: bytes, codes: bytes) -> Iterator[Effect]:
        self.subscribed = True
        refused = [number for number, code in enumerate(codes, start=1) if code >= _REFUSED]
        if refused:
            yield Refuse(frame, BadInput("mqtt.subscription", number=refused[0]))

    def _state(self, *, online: bool) -> Publish:
        """The word of a primary host (Sparkplug 3.0.0 §6.4.23): will and birth bear one time."""
        payload = json.dumps({"online": online, "timestamp": self._since}, separators=(",", ":"))
        return Publish(self._host, payload.encode(), 1, self._next(), retain=True)

    def _next(self) -> int:
        self._packet = self._packet % 0xFFFF + 1
        return self._packet

    def _client(self) -> str:
        """A name of our own that is the same next time, since the broker keeps our messages under it."""
        who = json.dumps([socket.gethostname(), self._station.division, dict(self._station.options)])
        return f"yunmeng{blake2s(who.encode(), digest_size=6).hexdigest()}"


def json_offline(payload: bytes) -> bool:
    """Tells whether a STATE message says that the host is gone."""
    try:
        return json.loads(payload).get("online") is False
    except (ValueError, AttributeError):
        return False

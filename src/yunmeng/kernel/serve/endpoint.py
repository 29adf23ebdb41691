"""Where notifications go, over HTTP or MQTT (ETSI GS CIM 009 §5.2.15, §5.2.22, §7.2)."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from urllib.parse import SplitResult, unquote, urlsplit

from yunmeng.kernel.base import BadInput, Unsupported
from yunmeng.kernel.serve.body import as_array, as_object, text_member

_MEDIA = ("application/json", "application/ld+json", "application/geo+json")
_HEADER_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,100}")
_HEADER_VALUE = re.compile(r"[\x20-\x7e]{0,1000}")
_FORBIDDEN_HEADERS = frozenset(("host", "content-length", "transfer-encoding", "connection"))
_MQTT_PORTS = {"mqtt": 1883, "mqtts": 8883}
_MQTT_VERSIONS = ("mqtt5.0", "mqtt3.1.1")
_MQTT_QOS = ("0", "1", "2")
_LONGEST_TOPIC = 65_535


@dataclass(frozen=True, slots=True)
class MqttServer:
    """An MQTT server, and who logs on there; no password where it is None."""

    host: str
    port: int
    user: str | None
    password: str | None
    tls: bool
    version: str


@dataclass(frozen=True, slots=True)
class MqttTopic:
    """What a notification is published to."""

    server: MqttServer
    topic: str
    qos: int


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where and how to deliver.

    ``timeout_s`` is for one attempt, ``cooldown_s`` the least time from a failure to the next attempt.
    ``receiver`` is what the receiver is told beside the notification: headers, or members of the metadata.
    """

    uri: str
    media: str
    receiver: tuple[tuple[str, str], ...]
    timeout_s: float
    cooldown_s: float = 0.0
    mqtt: MqttTopic | None = None

    @property
    def server(self) -> str:
        """The receiver as a log may name it."""
        parts = urlsplit(self.uri)
        return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"


def read_endpoint(notification: Mapping[str, object]) -> Endpoint:
    """Reads the endpoint of the notification parameters.

    Raises:
        BadInput: ``subscription.endpoint``, ``subscription.accept``, ``subscription.header``, ``json.*``.
        Unsupported: ``subscription.mqtt-missing``.
    """
    endpoint = as_object(notification.get("endpoint"), "notification.endpoint")
    uri = text_member(endpoint, "uri")
    parts = _parts(uri)
    media = text_member(endpoint, "accept", "application/json")
    if media not in _MEDIA:
        raise BadInput("subscription.accept", media=media)
    receiver = tuple(_pairs(endpoint, "receiverInfo"))
    if (wrong := next((name for name, value in receiver if not _is_header(name, value)), None)) is not None:
        raise BadInput("subscription.header", name=wrong)
    notifier = dict(_pairs(endpoint, "notifierInfo"))
    return Endpoint(
        uri,
        media,
        receiver,
        _milliseconds(endpoint, "timeout", 5000) / 1000,
        _milliseconds(endpoint, "cooldown", 0) / 1000,
        _mqtt(uri, parts, notifier) if parts.scheme in _MQTT_PORTS else None,
    )


def _parts(uri: str) -> SplitResult:
    try:
        parts = urlsplit(uri)
        sound = uri.isascii() and uri.isprintable() and parts.hostname and parts.port != 0
    except ValueError:
        raise BadInput("subscription.endpoint", uri=uri) from None
    if not sound or parts.scheme not in ("http", "https", *_MQTT_PORTS):
        raise BadInput("subscription.endpoint", uri=uri)
    return parts


def _mqtt(uri: str, parts: SplitResult, notifier: Mapping[str, str]) -> MqttTopic:
    if find_spec("aiomqtt") is None:
        raise Unsupported("subscription.mqtt-missing")
    # in a topic ? and # have no meaning of their own
    topic = unquote(uri.partition("://")[2].partition("/")[2])
    if not topic or len(topic.encode()) > _LONGEST_TOPIC or re.search(r"[+#\0]", topic):
        raise BadInput("subscription.endpoint", uri=uri)
    version = _one_of(notifier, "MQTT-Version", _MQTT_VERSIONS)
    server = MqttServer(
        parts.hostname or "",
        parts.port or _MQTT_PORTS[parts.scheme],
        unquote(parts.username) if parts.username else None,
        unquote(parts.password) if parts.password else None,
        parts.scheme == "mqtts",
        version,
    )
    return MqttTopic(server, topic, int(_one_of(notifier, "MQTT-QoS", _MQTT_QOS)))


def _one_of(notifier: Mapping[str, str], name: str, known: tuple[str, ...]) -> str:
    value = notifier.get(name, known[0])
    if value not in known:
        raise BadInput("subscription.notifier", name=name, value=value, known=known)
    return value


def _pairs(endpoint: Mapping[str, object], member: str) -> Iterator[tuple[str, str]]:
    """Yields the keys and values of an array of pairs (§5.2.22)."""
    info = endpoint.get(member)
    for item in as_array(info, member) if info is not None else ():
        one = as_object(item, member)
        yield text_member(one, "key"), text_member(one, "value")


def _is_header(name: str, value: str) -> bool:
    sound = _HEADER_NAME.fullmatch(name) and _HEADER_VALUE.fullmatch(value)
    return bool(sound) and name.lower() not in _FORBIDDEN_HEADERS


def _milliseconds(endpoint: Mapping[str, object], name: str, default: float) -> float:
    value = endpoint.get(name)
    if value is None:
        return default
    most = 60_000 if name == "timeout" else 86_400_000
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 < value <= most:
        raise BadInput("subscription.number", name=f"endpoint.{name}", value=value)
    return value

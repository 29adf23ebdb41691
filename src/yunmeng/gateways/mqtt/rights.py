"""Who may sign in at the node's own listener, and which topics are whose."""

import hmac
from collections.abc import Mapping

from yunmeng.gateways.mqtt.sparkplug import NAMESPACE
from yunmeng.gateways.mqtt.tables import TopicRow
from yunmeng.gateways.mqtt.topics import TopicPattern
from yunmeng.kernel.link import Rights, to_subject
from yunmeng.kernel.sense import Devices

_NONE = ("_",)
_NOTHING = Rights(_NONE, _NONE)


class Door:
    """Lets registered devices in by their credentials; a device is called at sign-in as in its topics."""

    def __init__(self, devices: Devices, gateway: str, rows: Mapping[str, TopicRow]) -> None:
        self._devices = devices
        self._gateway = gateway
        self._rows = rows
        self.own: tuple[str, str] = ("", "")
        """User and password of the node itself, which comes once so that the server makes its streams."""

    def admit(self, user: str, password: str) -> Rights | None:
        """Returns what a device may do; None for a stranger, a wrong credential, or once it is retired."""
        if user == self.own[0]:
            return _NOTHING if hmac.compare_digest(password, self.own[1]) else None
        record = self._devices.find(self._gateway, user)
        if record is None or not record.key or not record.admitted or not record.accepts(password):
            return None
        return rights_of(user, self._rows)


def rights_of(device: str, rows: Mapping[str, TopicRow]) -> Rights:
    """Returns a device's own topics: what it publishes, and where it is commanded."""
    publish: list[str] = []
    subscribe: list[str] = []
    for row in rows.values():
        if row.sparkplug:
            own = _sparkplug(device)
            publish += own
            subscribe += [*own, f"{NAMESPACE}/STATE/#"]
            continue
        publish.append(TopicPattern(row.topic).of(device))
        for command in row.commands.values():
            subscribe.append(TopicPattern(command.topic).of(device))
            if command.response:
                publish.append(TopicPattern(command.response).of(device))
    return Rights(_subjects(publish), _subjects(subscribe))


def _sparkplug(device: str) -> list[str]:
    """The topics of an edge node ``group:node`` and its devices (Sparkplug 3.0.0 §4.1)."""
    group, colon, node = device.partition(":")
    if not colon or not group or not node or set(device) & set("/+#"):
        return []
    return [f"{NAMESPACE}/{group}/+/{node}", f"{NAMESPACE}/{group}/+/{node}/+"]


def _subjects(filters: list[str]) -> tuple[str, ...]:
    # an empty list would mean everything
    return tuple(dict.fromkeys(map(to_subject, filters))) or _NONE

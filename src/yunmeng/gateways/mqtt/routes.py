"""What a topic means to a session: readings of a table, an answer to a command, whether a device is there."""

from dataclasses import dataclass
from typing import Any, cast

import msgspec

from yunmeng.gateways.mqtt.messages import Publish
from yunmeng.gateways.mqtt.readings import JsonReader
from yunmeng.gateways.mqtt.tables import CommandRow, TopicRow
from yunmeng.gateways.mqtt.topics import TopicPattern
from yunmeng.kernel.base import BadInput, Unavailable
from yunmeng.kernel.sense import ABSENT, Command, Effect, InFlight, read_path


@dataclass(frozen=True, slots=True)
class Route:
    """One topic: the table that reads it, and the named parts."""

    table: "Table"
    names: dict[str, str]


class Table:
    """One table of ``topics.toml`` at work."""

    def __init__(self, name: str, row: TopicRow) -> None:
        self.mapping = row.mapping or name
        self.row = row
        self.pattern = TopicPattern(row.topic)
        self.reader = JsonReader(row)
        self.orders = {name: Order(name, command) for name, command in row.commands.items()}


class Order:
    """One kind of command: where it goes, and how its answer is told from others."""

    def __init__(self, name: str, row: CommandRow) -> None:
        self.name = name
        self.row = row
        self.topic = TopicPattern(row.topic)
        self.response = TopicPattern(row.response) if row.response else None
        self._correlation = read_path(row.correlation) if row.correlation else None
        self._error = read_path(row.error) if row.error else None
        self._asked: dict[str, str] = {}
        self.waiting: InFlight[tuple[str, str]] = InFlight(row.wait_s, row.attempts)

    def request(self, command: Command) -> tuple[str, bytes]:
        """Returns topic and payload. Raises ``BadInput("mqtt.topic-part")``."""
        body = {**self.row.fixed, **command.arguments}
        if self.row.name:
            body[self.row.name] = command.name
        if self.row.correlation:
            body[self.row.correlation] = command.id
        return self.topic.fill({"device": command.device}), msgspec.json.encode(body)

    def key(self, command: Command) -> tuple[str, str]:
        """Returns what the answer carries."""
        if self.response is not None and "{device}" not in self.response.pattern:
            self._asked[command.id if self._correlation else ""] = command.device
        return (command.device, command.id if self._correlation else "")

    def answered(self, publish: Publish) -> "list[Effect] | None":
        """Takes an answer; None when the topic is none of this order's.

        Raises:
            BadInput: ``mqtt.payload``.
        """
        names = self.response.match(publish.topic) if self.response else None
        if names is None:
            return None
        try:
            body: Any = msgspec.json.decode(publish.payload)
        except ValueError as cause:
            raise BadInput("mqtt.payload", topic=publish.topic, reason=str(cause)) from cause
        told = self._correlation(body) if self._correlation else ""
        device, id = names.get("device", ""), "" if told is ABSENT else str(told)
        # where all devices answer on one topic, the id of the command tells whose answer it is
        key = (device or self._asked.pop(id, ""), id)
        error = self._error(body) if self._error else ABSENT
        if error is ABSENT or not error:
            return list(
                self.waiting.answered(
                    key, cast("dict[str, Any]", body) if isinstance(body, dict) else {"answer": body}
                )
            )
        reason = Unavailable("command.refused", device=key[0], name=self.name, reason=str(error))
        return list(self.waiting.failed(key, reason))
